/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "compare.h"
#include "number.h"
#include "report.h"
#include "xalloc.h"

enum { STEP_BYTES = 8, QUIET_SECONDS = 1, REASON_ROOM = 384 };

/* Of the times of a run. */
enum figure { FIGURE_MEAN, FIGURE_MEDIAN, FIGURE_99, FIGURES };

static const char *const figure_keys[] = {"mean", "median", "percentile_99"};

/* An allocator. */
struct lane {
    char name[COMPARE_NAME_ROOM];
    enum subject_kind kind;
    const struct contender *contender; /* libdefrag and policies */
    const char *path;                  /* NULL: of no file */
    int file;                          /* open; or -1 */
};

/* What came of an allocator and a trace. */
struct entry {
    char fault[REASON_ROOM]; /* empty: none */
    uint64_t refused;
    uint32_t refused_line;
    uint64_t skipped;
    uint64_t moved_bytes;
    size_t footprint_bytes;   /* 0: not known */
    size_t used_bytes;        /* 0: not known */
    double (*times)[FIGURES]; /* ns of an operation, for each run; NULL: was not timed */
    double *locks;            /* ns of a lock and its unlock, the median of each run */
};

struct comparison {
    const struct options *options;
    struct compare_master *master;
    struct lane *lanes;
    size_t lane_count;
    size_t base; /* the lane that others are measured by; lane_count: there is none */
    struct trace *traces;
    size_t *pool_bytes;    /* of each trace */
    struct entry *entries; /* trace * lanes + lane */
    uint64_t tick;         /* of the clock, at most; ns */
    time_t begin;
};

static struct entry *entry_of(const struct comparison *all, size_t trace, size_t lane)
{
    return &all->entries[trace * all->lane_count + lane];
}

static bool is_clean(const struct entry *entry)
{
    return *entry->fault == '\0' && entry->refused == 0;
}

/* --- Allocators ------------------------------------------------------------------------ */

/* As loaders name it: "libjemalloc.so.2" is jemalloc. What a terminal may not see is left out. */
static void name_set(struct lane *lane, const char *name)
{
    size_t count = 0;
    const char *slash = strrchr(name, '/');

    name = slash ? slash + 1 : name;
    name += strncmp(name, "lib", 3) == 0 && name[3] ? 3 : 0;
    const char *end = strstr(name, ".so");
    for (; *name && name != end && count < sizeof lane->name - 1; name++) {
        if (isgraph((unsigned char)*name)) {
            lane->name[count++] = *name;
        }
    }
    lane->name[count] = '\0';
}

static struct lane *lane_add(struct comparison *all, enum subject_kind kind)
{
    all->lanes = xrealloc(all->lanes, all->lane_count + 1, sizeof *all->lanes);
    struct lane *lane = &all->lanes[all->lane_count++];
    *lane = (struct lane){.kind = kind, .file = -1};
    return lane;
}

static void contenders_add(struct comparison *all)
{
    for (size_t i = 0; i < all->options->contender_count; i++) {
        const struct contender *contender = &all->options->contenders[i];
        struct lane *lane = lane_add(all, contender->policy ? SUBJECT_POLICY : SUBJECT_DEFRAG);
        lane->contender = contender;
        snprintf(lane->name, sizeof lane->name, "%s", contender->name);
    }
}

/* A file that can be read, and is one. False after a message. */
static bool lane_open(struct lane *lane)
{
    struct stat stat;

    lane->file = open(lane->path, O_RDONLY | O_CLOEXEC);
    if (lane->file < 0 || fstat(lane->file, &stat) != 0) {
        complain("%s: %s", lane->path, strerror(errno));
        return false;
    }
    if (!S_ISREG(stat.st_mode)) {
        complain("%s: %s", lane->path, S_ISDIR(stat.st_mode) ? strerror(EISDIR) : "is no file");
        return false;
    }
    return true;
}

static void run(const struct comparison *all, const struct compare_job *job, const struct lane *lane,
                struct compare_answer *answer)
{
    master_run(all->master, job, lane->file, answer);
    if (answer->end == COMPARE_INTERRUPTED) {
        master_die(all->master);
    }
}

/* What kind of an allocator the file has; a plugin is asked for its name. False after a message. */
static bool lane_probe(const struct comparison *all, struct lane *lane)
{
    struct compare_job plugin = {.task = TASK_PROBE_PLUGIN, .kind = SUBJECT_PLUGIN};
    struct compare_job malloc = {.task = TASK_PROBE_MALLOC, .kind = SUBJECT_MALLOC};
    struct compare_answer said, other;

    run(all, &plugin, lane, &said);
    lane->kind = SUBJECT_PLUGIN;
    if (said.end == COMPARE_DONE) {
        name_set(lane, *said.result.name ? said.result.name : lane->path);
        return true;
    }
    if (said.end == COMPARE_IMPOSSIBLE) {
        run(all, &malloc, lane, &other);
        lane->kind = SUBJECT_MALLOC;
        name_set(lane, lane->path);
        if (other.end == COMPARE_DONE) {
            return true;
        }
    }
    complain("%s: %s", lane->path, said.text);
    return false;
}

/* False after a message. */
static bool lanes_open(struct comparison *all)
{
    contenders_add(all);
    for (size_t i = 0; i < all->options->allocator_count; i++) {
        const char *file = all->options->allocators[i];
        struct lane *lane = lane_add(all, SUBJECT_MALLOC);
        if (strcmp(file, ALLOCATOR_GLIBC) == 0) {
            name_set(lane, file);
            continue;
        }
        lane->path = file;
        if (!lane_open(lane) || !lane_probe(all, lane)) {
            return false;
        }
    }
    while (all->base < all->lane_count && all->lanes[all->base].kind == SUBJECT_POLICY) {
        all->base++;
    }
    return true;
}

/* --- Running ------------------------------------------------------------------------------ */

static struct compare_job job_of(const struct comparison *all, size_t trace, const struct lane *lane,
                                 enum compare_task task)
{
    const struct options *options = all->options;
    struct compare_job job = {
        .task = task,
        .kind = lane->kind,
        .alignment = options->alignment,
        .manual = options->manual,
        .pool_bytes = all->pool_bytes[trace],
        .objects = all->traces[trace].summary.objects,
        .count = all->traces[trace].count,
        .peak_line = all->traces[trace].summary.peak_line,
    };

    snprintf(job.layout, sizeof job.layout, "%s", options->layout);
    snprintf(job.contender, sizeof job.contender, "%s", lane->name);
    return job;
}

static bool has_pool(const struct lane *lane)
{
    return lane->kind != SUBJECT_MALLOC;
}

/* Takes note of what is wrong with the allocator. False after a message: nothing can be run at all. */
static bool noted(const struct lane *lane, const struct compare_job *job, const struct compare_answer *answer,
                  struct entry *entry)
{
    char bytes[NUMBER_ROOM];

    if (answer->end == COMPARE_IMPOSSIBLE) {
        complain("%s: %s", lane->name, answer->text);
        return false;
    }
    if (answer->end == COMPARE_FAULTY && has_pool(lane)) {
        snprintf(entry->fault, sizeof entry->fault, "%s (pool of %s bytes)", answer->text,
                 number_format(bytes, job->pool_bytes));
    } else if (answer->end == COMPARE_FAULTY) {
        snprintf(entry->fault, sizeof entry->fault, "%s", answer->text);
    } else if (answer->result.is_too_small && job->task != TASK_TRIAL) {
        snprintf(entry->fault, sizeof entry->fault, "makes no heap of %s bytes",
                 number_format(bytes, job->pool_bytes));
    }
    return true;
}

/* The least pool that does, halving what is between one that does and one that cannot. False after a message.
 */
static bool footprint_search(const struct comparison *all, size_t trace, const struct lane *lane,
                             struct entry *entry)
{
    struct compare_job job = job_of(all, trace, lane, TASK_TRIAL);
    struct compare_answer answer;
    size_t low = all->traces[trace].summary.peak_payload / STEP_BYTES;
    size_t high = (job.pool_bytes + STEP_BYTES - 1) / STEP_BYTES;

    while (high - low > 1 && *entry->fault == '\0') {
        size_t middle = low + (high - low) / 2;
        job.pool_bytes = middle * STEP_BYTES;
        run(all, &job, lane, &answer);
        if (!noted(lane, &job, &answer, entry)) {
            return false;
        }
        bool served = !answer.result.is_too_small && answer.result.refused == 0;
        low = served ? low : middle;
        high = served ? middle : high;
    }
    entry->footprint_bytes = high * STEP_BYTES;
    return true;
}

/* False after a message. */
static bool proof_run(const struct comparison *all, size_t trace, const struct lane *lane,
                      struct entry *entry)
{
    struct compare_job job = job_of(all, trace, lane, TASK_PROOF);
    struct compare_answer answer;

    run(all, &job, lane, &answer);
    if (!noted(lane, &job, &answer, entry)) {
        return false;
    }
    entry->refused = answer.result.refused;
    entry->refused_line = answer.result.refused_line;
    entry->skipped = answer.result.skipped;
    entry->moved_bytes = answer.result.moved_bytes;
    entry->used_bytes = answer.result.used_bytes;
    entry->footprint_bytes = answer.result.resident_bytes;
    return !has_pool(lane) || !is_clean(entry) || footprint_search(all, trace, lane, entry);
}

/* Less than a tick is not told apart from a tick. */
static double time_of(const struct compare_result *result, const struct histogram *histogram, double percent)
{
    double clock = histogram_percentile(&result->clock, 50, result->tick);
    double time = histogram_percentile(histogram, percent, result->tick) - clock;
    return fmax(time, (double)result->tick);
}

static void times_take(const struct compare_result *result, double times[FIGURES], double *lock)
{
    times[FIGURE_MEDIAN] = time_of(result, &result->operations, 50);
    times[FIGURE_99] = time_of(result, &result->operations, 99);
    *lock = result->locks.count ? time_of(result, &result->locks, 50) : 0;
}

/* False after a message. */
static bool timed_run(struct comparison *all, size_t trace, const struct lane *lane, size_t number,
                      struct entry *entry)
{
    struct compare_job job = job_of(all, trace, lane, TASK_TIMED);
    struct compare_answer answer;

    if (*entry->fault || lane->kind == SUBJECT_POLICY) {
        return true;
    }
    if (!entry->times) {
        entry->times = xcalloc(all->options->runs, sizeof *entry->times);
        entry->locks = xcalloc(all->options->runs, sizeof *entry->locks);
    }
    run(all, &job, lane, &answer);
    times_take(&answer.result, entry->times[number], &entry->locks[number]);
    all->tick = answer.result.tick > all->tick ? answer.result.tick : all->tick;
    if (!noted(lane, &job, &answer, entry)) {
        return false;
    }
    job.task = TASK_PACE;
    run(all, &job, lane, &answer);
    entry->times[number][FIGURE_MEAN] = answer.result.pace;
    return noted(lane, &job, &answer, entry);
}

static void progress_show(const struct comparison *all, size_t trace, size_t run_number)
{
    if (!all->options->shows_progress || time(NULL) - all->begin <= QUIET_SECONDS) {
        return;
    }
    if (trace == all->options->trace_count) {
        fputs("\r\033[K", stderr);
    } else {
        fprintf(stderr, "\rcomparing: trace %zu of %zu, run %zu of %u\033[K", trace + 1,
                all->options->trace_count, run_number, all->options->runs);
    }
}

/* Each allocator once, then each again: what slows the machine down for a while meets all of them. */
static bool trace_compare(struct comparison *all, size_t trace)
{
    if (!master_set_trace(all->master, &all->traces[trace])) {
        return false;
    }
    for (size_t i = 0; i < all->lane_count; i++) {
        progress_show(all, trace, 0);
        if (!proof_run(all, trace, &all->lanes[i], entry_of(all, trace, i))) {
            return false;
        }
    }
    for (size_t number = 0; number < all->options->runs; number++) {
        for (size_t i = 0; i < all->lane_count; i++) {
            progress_show(all, trace, number + 1);
            if (!timed_run(all, trace, &all->lanes[i], number, entry_of(all, trace, i))) {
                return false;
            }
        }
    }
    return true;
}

static bool compare_all(struct comparison *all)
{
    for (size_t i = 0; i < all->options->trace_count; i++) {
        if (!trace_compare(all, i)) {
            return false;
        }
    }
    progress_show(all, all->options->trace_count, 0);
    return true;
}

/* --- Ratios -------------------------------------------------------------------------------------- */

/* 0: there is none. */
struct ratio {
    double middle;
    double least;
    double most;
};

static int double_order(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median_of(const double *values, size_t count)
{
    double *sorted = xcalloc(count, sizeof *sorted);

    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, double_order);
    double middle = count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
    free(sorted);
    return middle;
}

/* Whoever refuses requests has less to do. */
static bool was_timed(const struct entry *entry)
{
    return entry->times && is_clean(entry);
}

/* Run by run, to what the base took in the same round. */
static struct ratio time_ratio(const struct comparison *all, size_t trace, size_t lane, enum figure figure)
{
    const struct entry *entry = entry_of(all, trace, lane);
    struct ratio ratio = {0, 0, 0};
    size_t runs = all->options->runs;

    if (all->base == all->lane_count || !was_timed(entry) || !was_timed(entry_of(all, trace, all->base))) {
        return ratio;
    }
    const struct entry *base = entry_of(all, trace, all->base);
    double *ratios = xcalloc(runs, sizeof *ratios);
    ratio.least = INFINITY;
    for (size_t i = 0; i < runs; i++) {
        ratios[i] = base->times[i][figure] > 0 ? entry->times[i][figure] / base->times[i][figure] : 0;
        ratio.least = fmin(ratio.least, ratios[i]);
        ratio.most = fmax(ratio.most, ratios[i]);
    }
    ratio.middle = median_of(ratios, runs);
    free(ratios);
    return ratio.least > 0 ? ratio : (struct ratio){0, 0, 0};
}

static double footprint_ratio(const struct comparison *all, size_t trace, size_t lane)
{
    if (all->base == all->lane_count) {
        return 0;
    }
    size_t base = entry_of(all, trace, all->base)->footprint_bytes;
    return base ? (double)entry_of(all, trace, lane)->footprint_bytes / (double)base : 0;
}

/* --- Tables ---------------------------------------------------------------------------------------- */

enum {
    COLUMN_NAME = 1,
    COLUMN_TIMES,
    COLUMN_FOOTPRINT = COLUMN_TIMES + 2 * FIGURES,
    COLUMN_SHARE,
    COLUMN_FAILED,
    COLUMN_MOVED
};

static void ratio_cells(struct libscols_line *line, size_t column, struct ratio ratio)
{
    if (ratio.middle > 0) {
        report_cell(line, column, "%.2f", ratio.middle);
        report_cell(line, column + 1, "%.2f-%.2f", ratio.least, ratio.most);
    } else {
        report_cell(line, column, "-");
        report_cell(line, column + 1, "-");
    }
}

static void share_cell(struct libscols_line *line, size_t column, double share)
{
    if (share > 0) {
        report_cell(line, column, "%.2f", share);
    } else {
        report_cell(line, column, "-");
    }
}

static void entry_row(struct libscols_table *table, const struct comparison *all, size_t trace, size_t lane)
{
    struct libscols_line *line = report_row(table);
    const struct entry *entry = entry_of(all, trace, lane);
    char *name = report_name(&all->traces[trace]);

    report_cell(line, 0, "%s", lane ? "" : name);
    free(name);
    report_cell(line, COLUMN_NAME, "%s", all->lanes[lane].name);
    for (enum figure i = 0; i < FIGURES; i++) {
        ratio_cells(line, COLUMN_TIMES + 2 * i, time_ratio(all, trace, lane, i));
    }
    if (entry->footprint_bytes && *entry->fault == '\0') {
        report_number(line, COLUMN_FOOTPRINT, entry->footprint_bytes);
    } else {
        report_cell(line, COLUMN_FOOTPRINT, "-");
    }
    share_cell(line, COLUMN_SHARE, *entry->fault ? 0 : footprint_ratio(all, trace, lane));
    if (*entry->fault) {
        report_cell(line, COLUMN_FAILED, "-");
        report_cell(line, COLUMN_MOVED, "-");
    } else {
        report_number(line, COLUMN_FAILED, entry->refused);
        report_number(line, COLUMN_MOVED, entry->moved_bytes);
    }
}

/* The geometric mean of what there is for every trace; else 0. */
static double mean_of(const struct comparison *all, size_t lane, int figure)
{
    double sum = 0;
    for (size_t i = 0; i < all->options->trace_count; i++) {
        double ratio = figure < FIGURES ? time_ratio(all, i, lane, (enum figure)figure).middle
                                        : footprint_ratio(all, i, lane);
        if (ratio <= 0) {
            return 0;
        }
        sum += log(ratio);
    }
    return exp(sum / (double)all->options->trace_count);
}

static void mean_row(struct libscols_table *table, const struct comparison *all, size_t lane)
{
    struct libscols_line *line = report_row(table);

    report_cell(line, 0, "%s", lane ? "" : "geometric mean");
    report_cell(line, COLUMN_NAME, "%s", all->lanes[lane].name);
    for (int i = 0; i < FIGURES; i++) {
        share_cell(line, COLUMN_TIMES + 2 * (size_t)i, mean_of(all, lane, i));
    }
    share_cell(line, COLUMN_SHARE, mean_of(all, lane, FIGURES));
}

static void table_print(const struct comparison *all)
{
    static const char *const headings[] = {"TRACE",   "ALLOCATOR", "MEAN",    "OF RUNS",   "MEDIAN",
                                           "OF RUNS", "99 %",      "OF RUNS", "FOOTPRINT", "RATIO",
                                           "FAILED",  "MOVED",     NULL};
    struct libscols_table *table = report_table(headings);
    const struct options *options = all->options;

    scols_column_set_flags(scols_table_get_column(table, COLUMN_NAME), 0);
    for (size_t i = 0; i < options->trace_count; i++) {
        for (size_t lane = 0; lane < all->lane_count; lane++) {
            entry_row(table, all, i, lane);
        }
    }
    for (size_t lane = 0; options->trace_count > 1 && lane < all->lane_count; lane++) {
        mean_row(table, all, lane);
    }
    report_print(table);
}

static void troubles_print(const struct comparison *all, size_t trace, size_t lane)
{
    const struct entry *entry = entry_of(all, trace, lane);
    char *name = report_name(&all->traces[trace]);

    if (*entry->fault) {
        printf("%s, %s: %s.\n", name, all->lanes[lane].name, entry->fault);
    } else if (entry->refused) {
        printf("%s, %s: the first failure is in line %" PRIu32 "; %" PRIu64
               " later operations were skipped.\n",
               name, all->lanes[lane].name, entry->refused_line, entry->skipped);
    }
    free(name);
}

/* What holders of handles pay besides, over what an operation of the base takes. */
static void locks_print(const struct comparison *all)
{
    double sum = 0;
    size_t count = 0;

    if (all->base == all->lane_count || all->lanes[all->base].kind != SUBJECT_DEFRAG) {
        return;
    }
    for (size_t i = 0; i < all->options->trace_count; i++) {
        const struct entry *entry = entry_of(all, i, all->base);
        for (size_t j = 0; was_timed(entry) && j < all->options->runs; j++) {
            sum += entry->times[j][FIGURE_MEDIAN] > 0 ? entry->locks[j] / entry->times[j][FIGURE_MEDIAN] : 0;
            count++;
        }
    }
    if (count) {
        printf("A lock and its unlock, which each access to a block of libdefrag takes, are not among the "
               "times: "
               "%.2f of its\nmedian.\n",
               sum / (double)count);
    }
}

static void print_human(const struct comparison *all)
{
    const struct options *options = all->options;
    const struct lane *base = all->base < all->lane_count ? &all->lanes[all->base] : NULL;

    if (base) {
        printf(
            "Times of an operation and footprints as ratios to those of %s, and the least and the most of %u "
            "run%s:\n\n",
            base->name, options->runs, options->runs == 1 ? "" : "s");
    }
    table_print(all);
    putchar('\n');
    for (size_t i = 0; i < options->trace_count * all->lane_count; i++) {
        troubles_print(all, i / all->lane_count, i % all->lane_count);
    }
    puts("FOOTPRINT is the smallest pool that serves the trace, found by halving; of malloc, the memory that "
         "became\n"
         "resident during the trace, in pages.");
    if (options->pool_bytes) {
        char bytes[NUMBER_ROOM];
        printf("Times, failures and what was moved are those of pools of %s bytes.\n",
               number_format(bytes, options->pool_bytes));
    } else {
        puts("Times, failures and what was moved are those of pools of twice the peak payload and 4K.");
    }
    if (all->tick > 1) {
        printf("The clock of this machine goes forward %" PRIu64
               " ns at a time, which is the least that an operation "
               "takes by it:\nmedians are rough, means are not.\n",
               all->tick);
    }
    locks_print(all);
    if (options->contender_count) {
        printf("libdefrag: %s layout, alignment %u%s.\n", options->layout, options->alignment,
               options->manual ? ", DEFRAG_MANUAL" : "");
    }
    report_caveats(options, all->traces, options->trace_count);
}

/* --- JSON --------------------------------------------------------------------------------------------- */

static const char *kind_name(enum subject_kind kind)
{
    static const char *const names[] = {"libdefrag", "policy", "malloc", "plugin"};
    return names[kind];
}

static json_t *json_lanes(const struct comparison *all)
{
    json_t *lanes = json_array();
    for (size_t i = 0; i < all->lane_count; i++) {
        json_t *lane = json_object();
        report_json_set(lane, "name", report_json_text(all->lanes[i].name));
        report_json_set(lane, "kind", json_string(kind_name(all->lanes[i].kind)));
        report_json_set(lane, "file", report_json_text(all->lanes[i].path));
        report_json_append(lanes, lane);
    }
    return lanes;
}

/* Of each run, in the order in which they were made. */
static json_t *json_runs(const struct comparison *all, const struct entry *entry, int figure)
{
    json_t *runs = json_array();
    for (size_t i = 0; was_timed(entry) && i < all->options->runs; i++) {
        report_json_append(runs, json_real(figure < FIGURES ? entry->times[i][figure] : entry->locks[i]));
    }
    return runs;
}

static json_t *json_ratio(double ratio)
{
    return ratio > 0 ? json_real(ratio) : json_null();
}

static json_t *json_figure(const struct comparison *all, size_t trace, size_t lane, enum figure figure)
{
    struct ratio ratio = time_ratio(all, trace, lane, figure);
    json_t *value = json_object();

    report_json_set(value, "ratio", json_ratio(ratio.middle));
    report_json_set(value, "least", json_ratio(ratio.least));
    report_json_set(value, "most", json_ratio(ratio.most));
    report_json_set(value, "nanoseconds", json_runs(all, entry_of(all, trace, lane), (int)figure));
    return value;
}

static json_t *json_known(size_t bytes)
{
    return bytes ? json_integer((json_int_t)bytes) : json_null();
}

static json_t *json_entry(const struct comparison *all, size_t trace, size_t lane)
{
    const struct entry *entry = entry_of(all, trace, lane);
    json_t *value = json_object();

    report_json_set(value, "allocator", report_json_text(all->lanes[lane].name));
    report_json_set(value, "fault", report_json_text(*entry->fault ? entry->fault : NULL));
    report_json_set(value, "failed", json_integer((json_int_t)entry->refused));
    report_json_set(value, "first_failed_line", json_integer((json_int_t)entry->refused_line));
    report_json_set(value, "skipped", json_integer((json_int_t)entry->skipped));
    report_json_set(value, "moved_bytes", json_integer((json_int_t)entry->moved_bytes));
    report_json_set(value, "footprint_bytes", json_known(*entry->fault ? 0 : entry->footprint_bytes));
    report_json_set(value, "footprint_ratio",
                    json_ratio(*entry->fault ? 0 : footprint_ratio(all, trace, lane)));
    report_json_set(value, "most_used_bytes", json_known(*entry->fault ? 0 : entry->used_bytes));
    for (enum figure i = 0; i < FIGURES; i++) {
        report_json_set(value, figure_keys[i], json_figure(all, trace, lane, i));
    }
    report_json_set(value, "lock_nanoseconds", json_runs(all, entry, FIGURES));
    return value;
}

static json_t *json_trace(const struct comparison *all, size_t trace)
{
    json_t *value = json_object();
    json_t *results = json_array();

    for (size_t i = 0; i < all->lane_count; i++) {
        report_json_append(results, json_entry(all, trace, i));
    }
    report_json_set(value, "trace", report_json_trace(&all->traces[trace]));
    report_json_set(value, "pool_bytes", json_integer((json_int_t)all->pool_bytes[trace]));
    report_json_set(value, "results", results);
    return value;
}

static void print_json(const struct comparison *all)
{
    json_t *value = report_json(all->options, "compare");
    json_t *traces = json_array();
    bool has_base = all->base < all->lane_count;

    for (size_t i = 0; i < all->options->trace_count; i++) {
        report_json_append(traces, json_trace(all, i));
    }
    report_json_set(value, "runs", json_integer((json_int_t)all->options->runs));
    report_json_set(value, "base", report_json_text(has_base ? all->lanes[all->base].name : NULL));
    report_json_set(value, "clock_tick_nanoseconds", json_integer((json_int_t)all->tick));
    report_json_set(value, "allocators", json_lanes(all));
    report_json_set(value, "traces", traces);
    report_json_print(value);
}

/* --- The command ---------------------------------------------------------------------- */

static int status_of(const struct comparison *all)
{
    for (size_t i = 0; i < all->options->trace_count * all->lane_count; i++) {
        if (!is_clean(&all->entries[i])) {
            return EXIT_DIFFERENCE;
        }
    }
    return EXIT_CLEAN;
}

/* False after a message. */
static bool traces_load(struct comparison *all)
{
    const struct options *options = all->options;
    struct trace_error error;

    all->traces = xcalloc(options->trace_count, sizeof *all->traces);
    all->pool_bytes = xcalloc(options->trace_count, sizeof *all->pool_bytes);
    for (size_t i = 0; i < options->trace_count; i++) {
        if (trace_load(&all->traces[i], options->traces[i], &error) != 0) {
            complain("%s", error.text);
            return false;
        }
        if (!report_pool_choose(options, &all->traces[i], &all->pool_bytes[i])) {
            return false;
        }
    }
    return true;
}

static int compare_run(struct comparison *all)
{
    if (!traces_load(all) || !(all->master = master_open(all->options->timeout_seconds)) ||
        !lanes_open(all)) {
        return EXIT_USAGE;
    }
    all->entries = xcalloc(all->options->trace_count * all->lane_count, sizeof *all->entries);
    if (!compare_all(all)) {
        return EXIT_USAGE;
    }
    if (all->options->json) {
        print_json(all);
    } else {
        print_human(all);
    }
    return status_of(all);
}

static void comparison_release(struct comparison *all)
{
    for (size_t i = 0; all->entries && i < all->options->trace_count * all->lane_count; i++) {
        free(all->entries[i].times);
        free(all->entries[i].locks);
    }
    for (size_t i = 0; i < all->lane_count; i++) {
        if (all->lanes[i].file >= 0) {
            close(all->lanes[i].file);
        }
    }
    for (size_t i = 0; all->traces && i < all->options->trace_count; i++) {
        trace_unload(&all->traces[i]);
    }
    free(all->entries);
    free(all->lanes);
    free(all->traces);
    free(all->pool_bytes);
    if (all->master) {
        master_close(all->master);
    }
}

int compare_main(int argc, char **argv)
{
    struct options options;
    struct comparison all = {.options = &options, .begin = time(NULL)};

    options_parse(&options, OPTIONS_COMPARE, argc, argv);
    int status = compare_run(&all);
    comparison_release(&all);
    options_release(&options);
    return report_finish(status);
}
