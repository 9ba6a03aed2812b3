/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>

#include "churn.h"
#include "jobs.h"
#include "number.h"
#include "report.h"
#include "xalloc.h"

struct run {
    struct churn churn;
    const struct contender *contender;
    struct churn_result result;
    bool opened;
};

/* A run for each workload, occupancy, contender and seed, in that order. */
struct season {
    const struct options *options;
    struct run *runs;
    size_t count;
    atomic_size_t operations;
};

static void run_add(struct season *season, enum workload_kind kind, unsigned percent,
                    const struct contender *contender, uint32_t seed)
{
    const struct options *options = season->options;

    season->runs[season->count++] = (struct run){
        .churn =
            {
                .kind = kind,
                .pool_bytes = options->pool_bytes,
                .percent = percent,
                .operations = options->operations,
                .seed = seed,
                .pace = options->pace,
                .done = &season->operations,
            },
        .contender = contender,
    };
}

static void runs_add(struct season *season, enum workload_kind kind, unsigned percent)
{
    const struct options *options = season->options;

    for (size_t i = 0; i < options->contender_count; i++) {
        for (size_t j = 0; j < options->seed_count; j++) {
            run_add(season, kind, percent, &options->contenders[i], options->seeds[j]);
        }
    }
}

static void season_plan(struct season *season)
{
    const struct options *options = season->options;
    size_t places = options->workload_count * options->percent_count;

    season->runs = xcalloc(places * options->contender_count * options->seed_count, sizeof *season->runs);
    for (size_t i = 0; i < options->workload_count; i++) {
        for (size_t j = 0; j < options->percent_count; j++) {
            runs_add(season, options->workloads[i], options->percents[j]);
        }
    }
}

/* --- Running -------------------------------------------------------------------------- */

static void run_one(void *context, size_t job)
{
    struct season *season = context;
    struct run *run = &season->runs[job];
    run->opened = churn_run(&run->churn, run->contender, &run->result);
}

static void run_all(struct season *season)
{
    struct jobs jobs = {
        .count = season->count,
        .run = run_one,
        .context = season,
        .shows_progress = season->options->shows_progress,
        .verb = "churning",
        .operations = &season->operations,
    };
    jobs_run(&jobs);
}

/* Says what went wrong, and returns the exit status. */
static int judge(const struct season *season)
{
    int status = EXIT_CLEAN;

    for (size_t i = 0; i < season->count; i++) {
        const struct run *run = &season->runs[i];
        const char *name = run->contender->name;
        if (!run->opened) {
            complain("a pool of %zu bytes is too small for %s itself", run->churn.pool_bytes, name);
            return EXIT_USAGE;
        }
        if (run->result.broken_reason) {
            complain("%s at %u %%, seed %u: %s: %s", workload_names[run->churn.kind], run->churn.percent,
                     run->churn.seed, name, run->result.broken_reason);
            status = EXIT_DIFFERENCE;
        }
    }
    return status;
}

/* --- Telling ---------------------------------------------------------------------------- */

/* Of all seeds. */
struct total {
    struct gauge_sums sums; /* but of the pauses the longest */
    double least, most;     /* bytes moved for each that was allocated */
};

static double part_of(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static void total_add(struct total *total, const struct gauge_sums *sums, bool is_first)
{
    double per_byte = part_of(sums->moved, sums->allocated);

    total->sums.allocated += sums->allocated;
    total->sums.moved += sums->moved;
    total->sums.floors += sums->floors;
    total->sums.refused += sums->refused;
    total->sums.full += sums->full;
    if (sums->longest_pause > total->sums.longest_pause) {
        total->sums.longest_pause = sums->longest_pause;
    }
    total->least = is_first || per_byte < total->least ? per_byte : total->least;
    total->most = is_first || per_byte > total->most ? per_byte : total->most;
}

static struct total total_of(const struct run *runs, size_t seeds)
{
    struct total total = {0};
    for (size_t i = 0; i < seeds; i++) {
        total_add(&total, &runs[i].result.sums, i == 0);
    }
    return total;
}

/* The runs of all seeds. */
static void row_print(struct libscols_table *table, const struct run *runs, size_t seeds)
{
    struct total total = total_of(runs, seeds);
    struct libscols_line *line = report_row(table);

    report_cell(line, 0, "%s", workload_names[runs->churn.kind]);
    report_cell(line, 1, "%u %%", runs->churn.percent);
    report_cell(line, 2, "  %s", runs->contender->name);
    report_cell(line, 3, "%.4f", part_of(total.sums.moved, total.sums.allocated));
    report_number(line, 4, total.sums.longest_pause);
    report_ratio(line, 5, part_of(total.sums.moved, total.sums.floors));
    report_number(line, 6, total.sums.refused);
    if (runs->contender->policy) {
        report_cell(line, 7, "-");
    } else {
        report_number(line, 7, total.sums.full);
    }
    if (seeds > 1) {
        report_cell(line, 8, "%.4f - %.4f", total.least, total.most);
    }
}

static void print_head(const struct options *options)
{
    char pool[NUMBER_ROOM], operations[NUMBER_ROOM];

    printf(
        "Pools of %s bytes, %s operations for each of %zu seed%s; bytes moved for each byte allocated:\n\n",
        number_format(pool, options->pool_bytes), number_format(operations, options->operations),
        options->seed_count, options->seed_count == 1 ? "" : "s");
}

static void print_pace(const struct options *options)
{
    if (options->pace.of) {
        printf("\nUp to %u/%u of the bytes asked for are moved in advance of each request.\n",
               options->pace.part, options->pace.of);
    }
}

static void print_human(const struct season *season)
{
    const struct options *options = season->options;
    const char *const headings[] = {
        "WORKLOAD", "LIVE",          "  POLICY",
        "MOVED",    "LONGEST PAUSE", "OF FLOORS",
        "REFUSED",  "FULL",          options->seed_count > 1 ? "MOVED, BY SEED" : NULL,
        NULL};
    struct libscols_table *table = report_table(headings);

    print_head(options);
    for (size_t i = 0; i < season->count; i += options->seed_count) {
        row_print(table, &season->runs[i], options->seed_count);
    }
    scols_column_set_flags(scols_table_get_column(table, 2), 0);
    report_print(table);
    print_pace(options);
    putchar('\n');
    report_legend(options);
}

static json_t *json_run(const struct run *run)
{
    const struct gauge_sums *sums = &run->result.sums;

    return json_pack("{s:s, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "workload",
                     workload_names[run->churn.kind], "occupancy", (int)run->churn.percent, "policy",
                     run->contender->name, "seed", (json_int_t)run->churn.seed, "requests",
                     (json_int_t)sums->requests, "allocated_bytes", (json_int_t)sums->allocated,
                     "moved_bytes", (json_int_t)sums->moved, "moved_in_advance_bytes",
                     (json_int_t)sums->paced, "moving_requests", (json_int_t)sums->events, "floor_bytes",
                     (json_int_t)sums->floors, "longest_pause_bytes", (json_int_t)sums->longest_pause,
                     "refused", (json_int_t)sums->refused, "full", (json_int_t)sums->full, "peak_payload",
                     (json_int_t)run->result.peak_payload);
}

static void print_json(const struct season *season)
{
    const struct options *options = season->options;
    json_t *value = report_json(options, "churn");
    json_t *runs = json_array();

    for (size_t i = 0; i < season->count; i++) {
        report_json_append(runs, json_run(&season->runs[i]));
    }
    report_json_set(value, "pool_bytes", json_integer((json_int_t)options->pool_bytes));
    report_json_set(value, "operations", json_integer((json_int_t)options->operations));
    report_json_set(value, "warm_up", json_integer((json_int_t)churn_warm_up(options->operations)));
    report_json_set(value, "pace",
                    options->pace.of ? json_real(part_of(options->pace.part, options->pace.of))
                                     : json_null());
    report_json_set(value, "runs", runs);
    report_json_print(value);
}

/* --- The command ------------------------------------------------------------------------------ */

static int season_run(struct season *season)
{
    const struct options *options = season->options;

    if (!options_pool_fits(options)) {
        return EXIT_USAGE;
    }
    season_plan(season);
    run_all(season);
    int status = judge(season);
    if (status == EXIT_CLEAN) {
        if (options->json) {
            print_json(season);
        } else {
            print_human(season);
        }
    }
    return status;
}

int churn_main(int argc, char **argv)
{
    struct options options;
    struct season season = {.options = &options};

    options_parse(&options, OPTIONS_CHURN, argc, argv);
    int status = season_run(&season);
    free(season.runs);
    options_release(&options);
    return report_finish(status);
}
