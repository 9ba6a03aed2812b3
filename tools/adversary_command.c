/* SPDX-License-Identifier: MIT */
#include "commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "duel.h"
#include "jobs.h"
#include "number.h"
#include "report.h"
#include "xalloc.h"

/* A duel for each adversary and contender: job = adversary * contenders + contender. */
struct tournament {
    const struct options *options;
    struct duel *duels; /* by adversary */
    struct duel_result *results;
    atomic_size_t operations;
};

/* --- Running -------------------------------------------------------------------------- */

static void run_one(void *context, size_t job)
{
    struct tournament *tournament = context;
    size_t count = tournament->options->contender_count;

    duel_run(&tournament->duels[job / count], &tournament->options->contenders[job % count],
             &tournament->results[job]);
}

static void run_all(struct tournament *tournament)
{
    const struct options *options = tournament->options;
    struct jobs jobs = {
        .count = options->adversary_count * options->contender_count,
        .run = run_one,
        .context = tournament,
        .shows_progress = options->shows_progress,
        .verb = "playing",
        .operations = &tournament->operations,
    };

    for (size_t i = 0; i < options->adversary_count; i++) {
        const struct adversary *adversary = options->adversaries[i];
        tournament->duels[i] = (struct duel){
            .adversary = adversary,
            .most = options->most ? options->most : adversary->most,
            .largest = options->largest ? options->largest : adversary->largest,
            .unit = options->unit ? options->unit : adversary->unit,
            .done = &tournament->operations,
        };
    }
    jobs_run(&jobs);
}

/* Says what went wrong, and returns the exit status. */
static int judge(const struct tournament *tournament)
{
    const struct options *options = tournament->options;
    int status = EXIT_CLEAN;

    for (size_t i = 0; i < options->adversary_count * options->contender_count; i++) {
        const struct duel_result *result = &tournament->results[i];
        const char *adversary = options->adversaries[i / options->contender_count]->name;
        const char *contender = options->contenders[i % options->contender_count].name;
        if (result->is_too_big) {
            complain("%s: too big for the largest %s pool of alignment %u%s", adversary, options->layout,
                     options->alignment, report_wider(options));
            return EXIT_USAGE;
        }
        if (result->broken_reason) {
            complain("%s: %s: %s", adversary, contender, result->broken_reason);
            status = EXIT_DIFFERENCE;
        }
    }
    return status;
}

/* --- Telling ---------------------------------------------------------------------------- */

static double part_of(uint64_t part, uint64_t whole)
{
    return whole ? (double)part / (double)whole : 0;
}

static size_t live_bytes(const struct duel *duel)
{
    return duel->most * duel->unit;
}

/* The bytes of heap that are known to be forced; 0: nobody said. */
static size_t bound_bytes(const struct duel *duel, const struct contender *contender)
{
    if (!contender->policy) {
        return live_bytes(duel);
    }
    return duel_is_bound(duel, contender) ? duel->adversary->bound(duel->most, duel->largest) * duel->unit
                                          : 0;
}

static void row_print(struct libscols_table *table, const struct duel *duel,
                      const struct contender *contender, const struct duel_result *result)
{
    struct libscols_line *line = report_row(table);
    const struct gauge_sums *sums = &result->sums;

    report_cell(line, 0, "%s", contender->name);
    report_number(line, 1, result->heap_bytes);
    report_ratio(line, 2, part_of(result->heap_bytes, live_bytes(duel)));
    report_ratio(line, 3, part_of(bound_bytes(duel, contender), live_bytes(duel)));
    if (contender->policy) {
        return;
    }
    report_cell(line, 4, "%.4f", part_of(sums->moved, sums->allocated));
    report_number(line, 5, sums->moved);
    report_number(line, 6, sums->floors);
    report_ratio(line, 7, part_of(sums->moved, sums->floors));
    report_number(line, 8, sums->longest_pause);
}

/* The part of libdefrag's heap that is no block. */
static void overhead_print(const struct options *options, const struct duel_result *results)
{
    char table[NUMBER_ROOM];
    for (size_t i = 0; i < options->contender_count; i++) {
        if (!options->contenders[i].policy) {
            printf("Of %s's heap %zu bytes are control, and %s the handle table.\n",
                   options->contenders[i].name, results[i].control_bytes,
                   number_format(table, results[i].table_bytes));
            return;
        }
    }
}

static void duel_print(const struct tournament *tournament, size_t adversary)
{
    static const char *const headings[] = {"POLICY", "HEAP",   "RATIO",     "BOUND",         "PER BYTE",
                                           "MOVED",  "FLOORS", "OF FLOORS", "LONGEST PAUSE", NULL};
    const struct options *options = tournament->options;
    const struct duel *duel = &tournament->duels[adversary];
    const struct duel_result *results = &tournament->results[adversary * options->contender_count];
    struct libscols_table *table = report_table(headings);
    char live[NUMBER_ROOM], most[NUMBER_ROOM];

    printf("%s: at most %s bytes live, %s units of %zu; blocks of up to %zu units\n\n", duel->adversary->name,
           number_format(live, live_bytes(duel)), number_format(most, duel->most), duel->unit, duel->largest);
    for (size_t i = 0; i < options->contender_count; i++) {
        row_print(table, duel, &options->contenders[i], &results[i]);
    }
    report_print(table);
    overhead_print(options, results);
    putchar('\n');
}

static void print_human(const struct tournament *tournament)
{
    for (size_t i = 0; i < tournament->options->adversary_count; i++) {
        duel_print(tournament, i);
    }
    report_legend(tournament->options);
}

static json_t *json_result(const struct duel *duel, const struct contender *contender,
                           const struct duel_result *result)
{
    const struct gauge_sums *sums = &result->sums;
    size_t bound = bound_bytes(duel, contender);

    return json_pack("{s:s, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I}", "policy", contender->name,
                     "heap_bytes", (json_int_t)result->heap_bytes, "control_bytes",
                     (json_int_t)result->control_bytes, "table_bytes", (json_int_t)result->table_bytes,
                     "bound_bytes", bound ? json_integer((json_int_t)bound) : json_null(), "allocated_bytes",
                     (json_int_t)sums->allocated, "moved_bytes", (json_int_t)sums->moved, "moving_requests",
                     (json_int_t)sums->events, "floor_bytes", (json_int_t)sums->floors, "longest_pause_bytes",
                     (json_int_t)sums->longest_pause);
}

static json_t *json_duel(const struct tournament *tournament, size_t adversary)
{
    const struct options *options = tournament->options;
    const struct duel *duel = &tournament->duels[adversary];
    json_t *results = json_array();

    for (size_t i = 0; i < options->contender_count; i++) {
        report_json_append(results,
                           json_result(duel, &options->contenders[i],
                                       &tournament->results[adversary * options->contender_count + i]));
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:o}", "adversary", duel->adversary->name, "most_units",
                     (json_int_t)duel->most, "largest_units", (json_int_t)duel->largest, "unit_bytes",
                     (json_int_t)duel->unit, "results", results);
}

static void print_json(const struct tournament *tournament)
{
    json_t *value = report_json(tournament->options, "adversary");
    json_t *duels = json_array();

    for (size_t i = 0; i < tournament->options->adversary_count; i++) {
        report_json_append(duels, json_duel(tournament, i));
    }
    report_json_set(value, "adversaries", duels);
    report_json_print(value);
}

/* --- The command ------------------------------------------------------------------------------ */

static int tournament_run(struct tournament *tournament)
{
    const struct options *options = tournament->options;

    tournament->duels = xcalloc(options->adversary_count, sizeof *tournament->duels);
    tournament->results =
        xcalloc(options->adversary_count * options->contender_count, sizeof *tournament->results);
    run_all(tournament);
    int status = judge(tournament);
    if (status == EXIT_CLEAN) {
        if (options->json) {
            print_json(tournament);
        } else {
            print_human(tournament);
        }
    }
    return status;
}

int adversary_main(int argc, char **argv)
{
    struct options options;
    struct tournament tournament = {.options = &options};

    options_parse(&options, OPTIONS_ADVERSARY, argc, argv);
    int status = tournament_run(&tournament);
    free(tournament.duels);
    free(tournament.results);
    options_release(&options);
    return report_finish(status);
}
