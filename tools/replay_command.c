/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jobs.h"
#include "number.h"
#include "replay.h"
#include "report.h"

struct run {
    const struct options *options;
    const struct trace *trace;
    size_t pool_bytes;
    struct replay_options replay;
    atomic_size_t operations;
    struct replay_result results[CONTENDERS_MOST];
    bool opened[CONTENDERS_MOST];
};

/* --- Running ------------------------------------------------------------------------ */

static void run_one(void *context, size_t job)
{
    struct run *run = context;
    const struct contender *contender = &run->options->contenders[job];

    run->opened[job] =
        replay_run_within(run->trace, contender, run->pool_bytes, &run->replay, &run->results[job]);
}

/* False after a message. */
static bool run_all(struct run *run)
{
    struct jobs jobs = {
        .count = run->options->contender_count,
        .run = run_one,
        .context = run,
        .shows_progress = run->options->shows_progress,
        .verb = "replaying",
        .operations = &run->operations,
    };

    run->replay = (struct replay_options){
        .lock_percent = run->options->lock_percent,
        .check_every = run->options->check_every,
        .contents = true,
        .operations = &run->operations,
    };
    jobs_run(&jobs);
    for (size_t i = 0; i < run->options->contender_count; i++) {
        if (!run->opened[i]) {
            complain("a pool of %zu bytes is too small for %s itself", run->pool_bytes,
                     run->options->contenders[i].name);
            return false;
        }
    }
    return true;
}

/* --- Telling ------------------------------------------------------------------------- */

static void row_print(struct libscols_table *table, const char *name, const struct replay_result *result)
{
    struct libscols_line *line = report_row(table);

    report_cell(line, 0, "%s", name);
    report_number(line, 1, result->refused);
    if (result->refused) {
        report_cell(line, 2, "line %" PRIu32, result->refused_line);
    } else {
        report_cell(line, 2, "-");
    }
    report_number(line, 3, result->peak_payload);
    report_number(line, 4, result->metadata_bytes);
    report_number(line, 5, result->moved_bytes);
    report_number(line, 6, result->moved_blocks);
    report_number(line, 7, result->longest_pause);
}

static void troubles_print(const char *name, const struct replay_result *result)
{
    if (result->refused) {
        printf("%s: the first failure, in line %" PRIu32 ": %s; %" PRIu64 " later operations were skipped.\n",
               name, result->refused_line, result->refused_reason, result->skipped);
    }
    if (result->damaged) {
        printf("%s: damaged contents were found %" PRIu64 " times, first in line %" PRIu32 ".\n", name,
               result->damaged, result->damaged_line);
    }
    if (result->broken_line) {
        printf("%s: stopped in line %" PRIu32 ", where the heap answered %s.\n", name, result->broken_line,
               result->broken_reason);
    }
}

static void print_human(const struct run *run)
{
    static const char *const headings[] = {"POLICY",       "FAILED",        "FIRST",
                                           "PEAK PAYLOAD", "METADATA",      "MOVED BYTES",
                                           "BLOCKS",       "LONGEST PAUSE", NULL};
    const struct options *options = run->options;
    const struct trace_summary *summary = &run->trace->summary;
    struct libscols_table *table = report_table(headings);
    char operations[NUMBER_ROOM], payload[NUMBER_ROOM], pool[NUMBER_ROOM];

    char *name = report_name(run->trace);
    printf("%s: %s operation%s, peak payload %s bytes; pools of %s bytes\n\n", name,
           number_format(operations, summary->operations), summary->operations == 1 ? "" : "s",
           number_format(payload, summary->peak_payload), number_format(pool, run->pool_bytes));
    free(name);
    for (size_t i = 0; i < options->contender_count; i++) {
        row_print(table, options->contenders[i].name, &run->results[i]);
    }
    report_print(table);
    putchar('\n');
    for (size_t i = 0; i < options->contender_count; i++) {
        troubles_print(options->contenders[i].name, &run->results[i]);
    }
    report_caveats(options, run->trace, 1);
    report_legend(options);
}

static json_t *json_result(const char *name, const struct replay_result *result)
{
    return json_pack(
        "{s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I}", "policy", name, "failed",
        (json_int_t)result->refused, "first_failed_line", (json_int_t)result->refused_line, "first_failure",
        result->refused_reason, "skipped", (json_int_t)result->skipped, "damaged",
        (json_int_t)result->damaged, "first_damaged_line", (json_int_t)result->damaged_line, "stopped_line",
        (json_int_t)result->broken_line, "stopped_reason", result->broken_reason, "peak_payload",
        (json_int_t)result->peak_payload, "metadata_bytes", (json_int_t)result->metadata_bytes, "moved_bytes",
        (json_int_t)result->moved_bytes, "moved_blocks", (json_int_t)result->moved_blocks,
        "longest_pause_bytes", (json_int_t)result->longest_pause);
}

static void print_json(const struct run *run)
{
    json_t *value = report_json(run->options, "replay");
    json_t *results = json_array();

    for (size_t i = 0; i < run->options->contender_count; i++) {
        report_json_append(results, json_result(run->options->contenders[i].name, &run->results[i]));
    }
    report_json_set(value, "trace", report_json_trace(run->trace));
    report_json_set(value, "pool_bytes", json_integer((json_int_t)run->pool_bytes));
    report_json_set(value, "results", results);
    report_json_print(value);
}

static int status_of(const struct run *run)
{
    for (size_t i = 0; i < run->options->contender_count; i++) {
        if (!replay_is_clean(&run->results[i])) {
            return EXIT_DIFFERENCE;
        }
    }
    return EXIT_CLEAN;
}

static int replay_trace(const struct options *options, const struct trace *trace)
{
    struct run run = {.options = options, .trace = trace};

    if (!report_pool_choose(options, trace, &run.pool_bytes) || !run_all(&run)) {
        return EXIT_USAGE;
    }
    if (options->json) {
        print_json(&run);
    } else {
        print_human(&run);
    }
    return status_of(&run);
}

int replay_main(int argc, char **argv)
{
    struct options options;
    struct trace trace;
    struct trace_error error;

    options_parse(&options, OPTIONS_REPLAY, argc, argv);
    if (trace_load(&trace, options.traces[0], &error) != 0) {
        complain("%s", error.text);
        options_release(&options);
        return EXIT_USAGE;
    }
    int status = replay_trace(&options, &trace);
    trace_unload(&trace);
    options_release(&options);
    return report_finish(status);
}
