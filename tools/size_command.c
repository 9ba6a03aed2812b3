/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"
#include "number.h"
#include "report.h"
#include "size.h"
#include "xalloc.h"

/* A search for each trace and contender: job = trace * contenders + contender. */
struct survey {
    const struct options *options;
    struct trace *traces;
    struct size_result *results;
    struct size_options size;
    atomic_size_t operations;
};

static const struct size_result *result_of(const struct survey *survey, size_t trace, size_t contender)
{
    return &survey->results[trace * survey->options->contender_count + contender];
}

/* Of nothing there is no part; it counts as 0, and is not shown. */
static double part_of(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static double ratio_of(const struct survey *survey, size_t trace, size_t contender)
{
    return part_of(result_of(survey, trace, contender)->bytes, survey->traces[trace].summary.peak_payload);
}

/* --- Searching ---------------------------------------------------------------------- */

static void search_one(void *context, size_t job)
{
    struct survey *survey = context;
    size_t count = survey->options->contender_count;

    size_find(&survey->traces[job / count], &survey->options->contenders[job % count], &survey->size,
              &survey->results[job]);
}

/* Before anything is searched: a trace that no pool holds is told at once. */
static bool any_is_too_big(struct survey *survey)
{
    const struct options *options = survey->options;
    bool any = false;

    for (size_t i = 0; i < options->trace_count * options->contender_count; i++) {
        const struct contender *contender = &options->contenders[i % options->contender_count];
        const struct trace *trace = &survey->traces[i / options->contender_count];
        any |= size_is_too_big(trace, contender, &survey->results[i]);
    }
    return any;
}

static void search_all(struct survey *survey)
{
    const struct options *options = survey->options;
    struct jobs jobs = {
        .count = options->trace_count * options->contender_count,
        .run = search_one,
        .context = survey,
        .shows_progress = options->shows_progress,
        .verb = "searching",
        .operations = &survey->operations,
    };

    survey->size = (struct size_options){
        .lock_percent = options->lock_percent,
        .operations = &survey->operations,
    };
    jobs_run(&jobs);
}

/* --- What went wrong ------------------------------------------------------------------- */

static void complain_too_big(const struct options *options, const struct trace *trace,
                             const struct contender *contender, const struct size_result *result)
{
    char bytes[NUMBER_ROOM], units[NUMBER_ROOM];

    number_format(bytes, result->bytes);
    number_format(units, result->units);
    if (contender->policy) {
        complain("%s: too big: no pool of %s bytes or less does for %s", trace->path, bytes, contender->name);
    } else {
        complain("%s: too big: the largest pool of the %s layout, %s granules of %zu bytes, is not enough%s",
                 trace->path, options->layout, units, contender_unit_bytes(contender), report_wider(options));
    }
}

static void complain_too_many(const struct options *options, const struct trace *trace,
                              const struct contender *contender, const struct size_result *result)
{
    char live[NUMBER_ROOM], most[NUMBER_ROOM];

    number_format(live, result->blocks);
    number_format(most, contender_most_blocks(contender));
    complain("%s: too big: %s blocks are live at once, and the %s layout has handles for %s%s", trace->path,
             live, options->layout, most, report_wider(options));
}

static void complain_broken(const struct trace *trace, const struct contender *contender,
                            const struct size_result *result)
{
    if (result->broken_line) {
        complain("%s:%" PRIu32 ": %s answered %s", trace->path, result->broken_line, contender->name,
                 result->broken_reason);
    } else {
        complain("%s: %s %s", trace->path, contender->name, result->broken_reason);
    }
}

/* Says what was not found, and returns the exit status. */
static int survey_judge(const struct survey *survey)
{
    const struct options *options = survey->options;
    int status = EXIT_CLEAN;

    for (size_t i = 0; i < options->trace_count * options->contender_count; i++) {
        const struct trace *trace = &survey->traces[i / options->contender_count];
        const struct contender *contender = &options->contenders[i % options->contender_count];
        const struct size_result *result = &survey->results[i];

        if (result->outcome == SIZE_TOO_BIG) {
            complain_too_big(options, trace, contender, result);
            status = EXIT_USAGE;
        } else if (result->outcome == SIZE_TOO_MANY) {
            complain_too_many(options, trace, contender, result);
            status = EXIT_USAGE;
        } else if (result->outcome == SIZE_BROKEN) {
            complain_broken(trace, contender, result);
            status = status == EXIT_CLEAN ? EXIT_DIFFERENCE : status;
        }
    }
    return status;
}

/* --- Telling ----------------------------------------------------------------------------- */

static struct libscols_table *survey_table(const struct options *options)
{
    const char *headings[3 + CONTENDERS_MOST + 1] = {"TRACE", "OPS", "PAYLOAD"};

    for (size_t i = 0; i < options->contender_count; i++) {
        headings[3 + i] = options->contenders[i].name;
    }
    return report_table(headings);
}

/* Two rows: the bytes, and below them the ratios. */
static void rows_print(struct libscols_table *table, const struct survey *survey, size_t trace)
{
    const struct trace_summary *summary = &survey->traces[trace].summary;
    struct libscols_line *bytes = report_row(table);
    struct libscols_line *ratios = report_row(table);
    char *name = report_name(&survey->traces[trace]);

    report_cell(bytes, 0, "%s", name);
    free(name);
    report_number(bytes, 1, summary->operations);
    report_number(bytes, 2, summary->peak_payload);
    for (size_t i = 0; i < survey->options->contender_count; i++) {
        report_number(bytes, 3 + i, result_of(survey, trace, i)->bytes);
        report_ratio(ratios, 3 + i, ratio_of(survey, trace, i));
    }
}

/* The geometric mean of the ratios, of traces that hold anything at all. */
static void mean_print(struct libscols_table *table, const struct survey *survey)
{
    struct libscols_line *line = report_row(table);

    report_cell(line, 0, "geometric mean");
    for (size_t i = 0; i < survey->options->contender_count; i++) {
        double sum = 0;
        size_t count = 0;
        for (size_t trace = 0; trace < survey->options->trace_count; trace++) {
            double ratio = ratio_of(survey, trace, i);
            sum += ratio > 0 ? log(ratio) : 0;
            count += ratio > 0;
        }
        report_ratio(line, 3 + i, count ? exp(sum / (double)count) : 0);
    }
}

/* The contender whose blocks move; SIZE_MAX if it was not asked for. */
static size_t moving_contender(const struct options *options)
{
    size_t i = 0;
    while (i < options->contender_count && options->contenders[i].policy) {
        i++;
    }
    return i < options->contender_count ? i : SIZE_MAX;
}

/* Two rows: the smallest pool, and the one that is a tenth larger. */
static void cost_rows_print(struct libscols_table *table, const struct trace *trace,
                            const struct size_cost costs[SIZE_COSTS])
{
    uint64_t allocated = size_allocated(trace);
    char *name = report_name(trace);

    for (size_t i = 0; i < SIZE_COSTS; i++) {
        struct libscols_line *line = report_row(table);
        if (i == 0) {
            report_cell(line, 0, "%s", name);
            report_number(line, 1, allocated);
        }
        report_number(line, 2, costs[i].pool_bytes);
        report_number(line, 3, costs[i].moved_bytes);
        report_cell(line, 4, "%.4f", part_of(costs[i].moved_bytes, allocated));
        report_number(line, 5, costs[i].longest_pause);
    }
    free(name);
}

static void costs_print(const struct survey *survey, size_t contender)
{
    static const char *const headings[] = {"TRACE",    "ALLOCATED",     "POOL", "MOVED",
                                           "PER BYTE", "LONGEST PAUSE", NULL};
    struct libscols_table *table = report_table(headings);

    printf("\nWhat libdefrag moves in that pool, and in one a tenth larger, in bytes:\n\n");
    for (size_t i = 0; i < survey->options->trace_count; i++) {
        cost_rows_print(table, &survey->traces[i], result_of(survey, i, contender)->costs);
    }
    report_print(table);
}

static bool any_has_reach(const struct survey *survey)
{
    for (size_t i = 0; i < survey->options->trace_count * survey->options->contender_count; i++) {
        if (survey->results[i].reach_bytes) {
            return true;
        }
    }
    return false;
}

static void print_human(const struct survey *survey)
{
    const struct options *options = survey->options;
    struct libscols_table *table = survey_table(options);

    printf("Smallest pool, in bytes and as a ratio to the peak payload, from which every\n"
           "larger one runs the whole trace without a failure:\n\n");
    for (size_t i = 0; i < options->trace_count; i++) {
        rows_print(table, survey, i);
    }
    if (options->trace_count > 1) {
        mean_print(table, survey);
    }
    report_print(table);
    if (moving_contender(options) != SIZE_MAX) {
        costs_print(survey, moving_contender(options));
    }
    putchar('\n');
    report_caveats(options, survey->traces, options->trace_count);
    report_legend(options);
    if (any_has_reach(survey)) {
        printf("\n\"Every larger one\" is tried up to twice the figure or %u steps, whichever is less,\n"
               "for buddy and for libdefrag with locks; elsewhere it has no limit.\n",
               SIZE_REACH_UNITS);
    }
}

static json_t *json_costs(const struct size_cost costs[SIZE_COSTS])
{
    json_t *value = json_array();

    for (size_t i = 0; i < SIZE_COSTS; i++) {
        report_json_append(value, json_pack("{s:I, s:I, s:I}", "pool_bytes", (json_int_t)costs[i].pool_bytes,
                                            "moved_bytes", (json_int_t)costs[i].moved_bytes,
                                            "longest_pause_bytes", (json_int_t)costs[i].longest_pause));
    }
    return value;
}

static json_t *json_result(const struct survey *survey, size_t trace, size_t contender)
{
    const struct contender *who = &survey->options->contenders[contender];
    const struct size_result *result = result_of(survey, trace, contender);
    json_t *reach = result->reach_bytes ? json_integer((json_int_t)result->reach_bytes) : json_null();

    double ratio = ratio_of(survey, trace, contender);

    json_t *value = json_pack("{s:s, s:I, s:o, s:o, s:I}", "policy", who->name, "bytes",
                              (json_int_t)result->bytes, "ratio", ratio > 0 ? json_real(ratio) : json_null(),
                              "tried_up_to_bytes", reach, "replays", (json_int_t)result->replays);

    if (!who->policy) {
        report_json_set(value, "costs", json_costs(result->costs));
    }
    return value;
}

static void print_json(const struct survey *survey)
{
    json_t *value = report_json(survey->options, "size");
    json_t *traces = json_array();

    for (size_t i = 0; i < survey->options->trace_count; i++) {
        json_t *trace = report_json_trace(&survey->traces[i]);
        json_t *results = json_array();
        for (size_t j = 0; j < survey->options->contender_count; j++) {
            report_json_append(results, json_result(survey, i, j));
        }
        report_json_set(trace, "allocated_bytes",
                        json_integer((json_int_t)size_allocated(&survey->traces[i])));
        report_json_set(trace, "results", results);
        report_json_append(traces, trace);
    }
    report_json_set(value, "traces", traces);
    report_json_print(value);
}

/* --- The command ----------------------------------------------------------------------------- */

/* How many were loaded; all of them, or there was a message. */
static size_t traces_load(struct survey *survey)
{
    struct trace_error error;

    survey->traces = xcalloc(survey->options->trace_count, sizeof *survey->traces);
    for (size_t i = 0; i < survey->options->trace_count; i++) {
        if (trace_load(&survey->traces[i], survey->options->traces[i], &error) != 0) {
            complain("%s", error.text);
            return i;
        }
    }
    return survey->options->trace_count;
}

static int survey_run(struct survey *survey)
{
    const struct options *options = survey->options;

    survey->results = xcalloc(options->trace_count * options->contender_count, sizeof *survey->results);
    if (!any_is_too_big(survey)) {
        search_all(survey);
    }
    int status = survey_judge(survey);
    if (status == EXIT_CLEAN) {
        if (options->json) {
            print_json(survey);
        } else {
            print_human(survey);
        }
    }
    return status;
}

int size_main(int argc, char **argv)
{
    struct options options;
    struct survey survey = {.options = &options};

    options_parse(&options, OPTIONS_SIZE, argc, argv);
    size_t loaded = traces_load(&survey);
    int status = loaded == options.trace_count ? survey_run(&survey) : EXIT_USAGE;
    for (size_t i = 0; i < loaded; i++) {
        trace_unload(&survey.traces[i]);
    }
    free(survey.traces);
    free(survey.results);
    options_release(&options);
    return report_finish(status);
}
