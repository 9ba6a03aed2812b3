/* SPDX-License-Identifier: MIT */
/* `defrag-bench gather`: joins the JSON that many replays have printed. */
#include "commands.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "options.h"
#include "plot_file.h"
#include "report.h"
#include "xalloc.h"

/* One replay through one contender; the texts belong to the JSON that it came from. */
struct row {
    const char *trace, *layout, *policy;
    json_int_t alignment, lock_percent, pool_bytes;
    json_int_t failed, moved_bytes, longest_pause;
    bool is_damaged; /* or stopped */
};

struct gathering {
    json_t *values; /* all that was read */
    struct row *rows;
    size_t count;
    char **files;
    size_t file_count;
    char *svg;
    bool json;
};

/* --- Arguments --------------------------------------------------------------------------------- */

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct gathering *gathering = state->input;

    switch (key) {
    case 'j':
        gathering->json = true;
        return 0;
    case 's':
        gathering->svg = text;
        return 0;
    case ARGP_KEY_ARGS:
        gathering->files = state->argv + state->next;
        gathering->file_count = (size_t)(state->argc - state->next);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"json", 'j', NULL, 0, "One JSON array of all results on standard output instead of a table", 0},
    {"svg", 's', "FILE", 0, "Draw failures and bytes moved against the size of the pool, too; needs gnuplot",
     0},
    {0},
};

static const struct argp gather_argp = {
    options,
    parse,
    "[FILE...]",
    "Joins the JSON that many runs of `defrag-bench replay --json` have printed, one behind the other in "
    "each FILE or on standard input, into one table, and one picture.\v"
    "Exit status: 0; 1, a replay damaged a block or was stopped; 2, the arguments, a file or the output are "
    "at fault. "
    "See defrag-bench(1).",
    NULL,
    NULL,
    NULL,
};

/* --- Reading -------------------------------------------------------------------------------------- */

static void row_add(struct gathering *gathering, const struct row *row)
{
    gathering->rows = xrealloc(gathering->rows, gathering->count + 1, sizeof *gathering->rows);
    gathering->rows[gathering->count++] = *row;
}

/* No replay counts to more, and many of these can be added. */
static bool is_count(json_int_t number)
{
    return number >= 0 && number < (json_int_t)1 << 48;
}

/* The picture has names of policies among gnuplot's commands: none but those that there are. */
static bool row_is_sound(const struct row *row)
{
    return (strcmp(row->policy, CONTENDER_DEFRAG) == 0 || policy_find(row->policy)) && row->pool_bytes > 0 &&
           row->pool_bytes <= (json_int_t)CONTENDER_POOL_MAX && row->lock_percent >= 0 &&
           row->lock_percent <= 100 && is_count(row->failed) && is_count(row->moved_bytes) &&
           is_count(row->longest_pause);
}

static bool result_read(struct gathering *gathering, struct row row, json_t *result)
{
    json_int_t damaged, stopped;

    if (json_unpack(result, "{s:s, s:I, s:I, s:I, s:I, s:I}", "policy", &row.policy, "failed", &row.failed,
                    "moved_bytes", &row.moved_bytes, "longest_pause_bytes", &row.longest_pause, "damaged",
                    &damaged, "stopped_line", &stopped) != 0 ||
        !row_is_sound(&row)) {
        return false;
    }
    row.is_damaged = damaged || stopped;
    row_add(gathering, &row);
    return true;
}

/* False if the value is no result of a replay. */
static bool value_read(struct gathering *gathering, json_t *value)
{
    const char *command;
    struct row row = {0};
    json_t *results, *result;
    size_t i;

    if (json_unpack(value, "{s:s, s:s, s:I, s:I, s:I, s:{s:s}, s:o}", "command", &command, "layout",
                    &row.layout, "alignment", &row.alignment, "lock_percent", &row.lock_percent, "pool_bytes",
                    &row.pool_bytes, "trace", "path", &row.trace, "results", &results) != 0 ||
        strcmp(command, "replay") != 0 || !json_is_array(results)) {
        return false;
    }
    json_array_foreach(results, i, result)
    {
        if (!result_read(gathering, row, result)) {
            return false;
        }
    }
    report_json_append(gathering->values, json_incref(value));
    return true;
}

/* The next byte that is no blank, put back; EOF at the end. */
static int peek(FILE *file)
{
    int c;
    do {
        c = getc(file);
    } while (c == ' ' || c == '\t' || c == '\n' || c == '\r');
    return c == EOF ? EOF : ungetc(c, file);
}

/* False after a message. */
static bool values_read(struct gathering *gathering, FILE *file, const char *path)
{
    json_error_t error;

    for (size_t number = 1; peek(file) != EOF; number++) {
        json_t *value = json_loadf(file, JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES, &error);
        if (!value) {
            complain("%s: result %zu: %s", path, number, error.text);
            return false;
        }
        bool done = value_read(gathering, value);
        json_decref(value);
        if (!done) {
            complain("%s: result %zu is none of defrag-bench replay --json", path, number);
            return false;
        }
    }
    if (ferror(file)) {
        complain("%s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

static bool file_read(struct gathering *gathering, const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file) {
        complain("%s: %s", path, strerror(errno));
        return false;
    }
    bool done = values_read(gathering, file, path);
    fclose(file);
    return done;
}

static bool all_read(struct gathering *gathering)
{
    bool done = gathering->file_count > 0 || values_read(gathering, stdin, "standard input");

    for (size_t i = 0; i < gathering->file_count && done; i++) {
        done = file_read(gathering, gathering->files[i]);
    }
    if (done && gathering->count == 0) {
        complain("there are no results");
        return false;
    }
    return done;
}

/* --- Telling ---------------------------------------------------------------------------------------- */

static int compare_numbers(json_int_t a, json_int_t b)
{
    return (a > b) - (a < b);
}

/* libdefrag comes first. */
static const char *policy_key(const struct row *row)
{
    return strcmp(row->policy, CONTENDER_DEFRAG) == 0 ? "" : row->policy;
}

/* Jobs end in any order. */
static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    const int orders[] = {
        strcmp(a->trace, b->trace),
        strcmp(a->layout, b->layout),
        compare_numbers(a->alignment, b->alignment),
        compare_numbers(a->lock_percent, b->lock_percent),
        compare_numbers(a->pool_bytes, b->pool_bytes),
        strcmp(policy_key(a), policy_key(b)),
        compare_numbers(a->failed, b->failed),
    };

    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        if (orders[i]) {
            return orders[i];
        }
    }
    return 0;
}

static void table_print(const struct gathering *gathering)
{
    static const char *const headings[] = {"TRACE",  "LAYOUT",      "LOCKED",        "POOL", "POLICY",
                                           "FAILED", "MOVED BYTES", "LONGEST PAUSE", NULL};
    struct libscols_table *table = report_table(headings);

    for (size_t i = 0; i < gathering->count; i++) {
        const struct row *row = &gathering->rows[i];
        struct libscols_line *line = report_row(table);
        report_cell(line, 0, "%s", row->trace);
        report_cell(line, 1, "%s %" JSON_INTEGER_FORMAT, row->layout, row->alignment);
        report_cell(line, 2, "%" JSON_INTEGER_FORMAT " %%", row->lock_percent);
        report_number(line, 3, (uint64_t)row->pool_bytes);
        report_cell(line, 4, "%s", row->policy);
        report_number(line, 5, (uint64_t)row->failed);
        report_number(line, 6, (uint64_t)row->moved_bytes);
        report_number(line, 7, (uint64_t)row->longest_pause);
    }
    report_print(table);
}

/* --- The picture ---------------------------------------------------------------------------------------- */

enum { HEIGHT = 620, LEFT = 78, RIGHT = 26, TOP = 62, BOTTOM = 58, LINES_MOST = 8 };

/* Lines of a diagram, each of the rows that have one name, or one part locked. */
struct diagram {
    const struct gathering *gathering;
    const char *names[LINES_MOST];
    json_int_t locks[LINES_MOST];
    char texts[LINES_MOST][32];
    size_t count;
    bool is_of_locks;
};

static bool is_on(const struct diagram *diagram, size_t line, const struct row *row)
{
    if (diagram->is_of_locks) {
        return diagram->locks[line] == row->lock_percent && strcmp(row->policy, CONTENDER_DEFRAG) == 0;
    }
    return strcmp(diagram->names[line], row->policy) == 0;
}

static void lines_find(struct diagram *diagram)
{
    for (size_t i = 0; i < diagram->gathering->count && diagram->count < LINES_MOST; i++) {
        const struct row *row = &diagram->gathering->rows[i];
        bool is_known = diagram->is_of_locks && strcmp(row->policy, CONTENDER_DEFRAG) != 0;
        for (size_t line = 0; line < diagram->count && !is_known; line++) {
            is_known = is_on(diagram, line, row);
        }
        if (!is_known) {
            diagram->names[diagram->count] = row->policy;
            diagram->locks[diagram->count] = row->lock_percent;
            snprintf(diagram->texts[diagram->count], sizeof *diagram->texts,
                     diagram->is_of_locks ? "%.0s%" JSON_INTEGER_FORMAT " %% locked" : "%s", row->policy,
                     row->lock_percent);
            diagram->count++;
        }
    }
}

/* Of all rows of a line with the same pool the sum. Pools are looked for in ascending order. */
static bool next_point(const struct diagram *diagram, size_t line, json_int_t *pool, json_int_t *sum)
{
    json_int_t next = 0;
    *sum = 0;
    for (size_t i = 0; i < diagram->gathering->count; i++) {
        const struct row *row = &diagram->gathering->rows[i];
        if (!is_on(diagram, line, row) || row->pool_bytes <= *pool || (next && row->pool_bytes > next)) {
            continue;
        }
        *sum = row->pool_bytes == next ? *sum : 0;
        next = row->pool_bytes;
        *sum += diagram->is_of_locks ? row->moved_bytes : row->failed;
    }
    *pool = next;
    return next != 0;
}

static json_int_t data_put(const struct canvas *canvas, const struct diagram *diagram)
{
    json_int_t most = 1, sum;

    for (size_t line = 0; line < diagram->count; line++) {
        fprintf(canvas->to, "$line%zu << EOD\n", line);
        for (json_int_t pool = 0; next_point(diagram, line, &pool, &sum);) {
            fprintf(canvas->to, "%" JSON_INTEGER_FORMAT " %" JSON_INTEGER_FORMAT "\n", pool, sum);
            most = sum > most ? sum : most;
        }
        fputs("EOD\n", canvas->to);
    }
    return most;
}

/* Between two heights of the canvas, in pixels from its upper edge. */
static void diagram_put(const struct canvas *canvas, const struct diagram *diagram, const char *title,
                        unsigned top, unsigned bottom)
{
    static const char *const colours[LINES_MOST] = {PLOT_VERMILLION, PLOT_BLUE,   PLOT_GREEN, PLOT_ORANGE,
                                                    PLOT_SKY,        PLOT_PURPLE, PLOT_INK,   PLOT_BAND};
    struct plot_entry entries[LINES_MOST];
    uint64_t most = (uint64_t)data_put(canvas, diagram);

    for (size_t i = 0; i < diagram->count; i++) {
        entries[i] = (struct plot_entry){diagram->texts[i], colours[i], 2, NULL};
    }
    fprintf(canvas->to, "set label 99 '{/:Bold %s}' at screen %.5f,%.5f left\n", title, 8.0 / canvas->width,
            1 - (top + 14.0) / canvas->height);
    unsigned columns = diagram->count == 5 || diagram->count == 6 ? 6 : 4;
    plot_legend(canvas, entries, diagram->count, columns, LEFT, top + 38);
    plot_margins(canvas, LEFT, RIGHT, top + TOP + (diagram->count > 6 ? PLOT_LEGEND_ROW : 0),
                 canvas->height - bottom);
    plot_number_tics(canvas, "y", most, 5);
    fprintf(canvas->to, "set yrange [0:%" PRIu64 "]\nplot ", most + most / 20 + 1);
    for (size_t i = 0; i < diagram->count; i++) {
        fprintf(canvas->to,
                "%s$line%zu u 1:2 w l lw 2 lc rgb '%s', '' u 1:2 w circles fs solid 1 noborder lc rgb '%s'",
                i ? ", " : "", i, colours[i], colours[i]);
    }
    fputs("\nunset label\nunset arrow\n", canvas->to);
}

static void pools_axis(const struct canvas *canvas, const struct gathering *gathering)
{
    json_int_t least = gathering->rows[0].pool_bytes, most = least;

    for (size_t i = 0; i < gathering->count; i++) {
        json_int_t bytes = gathering->rows[i].pool_bytes;
        least = bytes < least ? bytes : least;
        most = bytes > most ? bytes : most;
    }
    plot_byte_tics(canvas, "x", (uint64_t)(most + most / 8), 8);
    json_int_t edge = (most - least) / 25 + most / 50 + 1;
    fprintf(canvas->to, "set xrange [%" JSON_INTEGER_FORMAT ":%" JSON_INTEGER_FORMAT "]\n",
            least > edge ? least - edge : 0, most + edge);
}

static void picture_draw(const struct canvas *canvas, const void *what)
{
    const struct gathering *gathering = what;
    struct diagram failures = {.gathering = gathering}, moves = {.gathering = gathering, .is_of_locks = true};

    lines_find(&failures);
    lines_find(&moves);
    fputs("set multiplot\nset style circle radius screen 0.005\n", canvas->to);
    pools_axis(canvas, gathering);
    unsigned middle = moves.count ? HEIGHT / 2 : HEIGHT;
    fprintf(canvas->to, "set xlabel 'size of the pool' offset 0,0.2\n");
    diagram_put(canvas, &failures, "Requests that failed, by policy, in all traces together", 0,
                middle - BOTTOM);
    if (moves.count) {
        diagram_put(canvas, &moves, "Bytes that libdefrag moved, by the part of the blocks locked", middle,
                    HEIGHT - BOTTOM);
    }
    fputs("unset multiplot\n", canvas->to);
}

/* --- The command ------------------------------------------------------------------------------------ */

static int status_of(const struct gathering *gathering)
{
    for (size_t i = 0; i < gathering->count; i++) {
        const struct row *row = &gathering->rows[i];
        if (row->is_damaged) {
            complain("%s: %s damaged a block or was stopped", row->trace, row->policy);
            return EXIT_DIFFERENCE;
        }
    }
    return EXIT_CLEAN;
}

static int gathering_tell(struct gathering *gathering)
{
    qsort(gathering->rows, gathering->count, sizeof *gathering->rows, compare_rows);
    if (gathering->svg && !plot_file(gathering->svg, "Failures and bytes moved by the size of the pool",
                                     HEIGHT, picture_draw, gathering)) {
        return EXIT_USAGE;
    }
    if (gathering->json) {
        report_json_print(json_incref(gathering->values));
    } else {
        table_print(gathering);
    }
    return status_of(gathering);
}

int gather_main(int argc, char **argv)
{
    struct gathering gathering = {.values = json_array()};
    error_t error = argp_parse(&gather_argp, argc, argv, 0, NULL, &gathering);

    if (error != 0) {
        complain("%s", strerror(error));
        return EXIT_USAGE;
    }
    int status = all_read(&gathering) ? gathering_tell(&gathering) : EXIT_USAGE;
    free(gathering.rows);
    json_decref(gathering.values);
    return report_finish(status);
}
