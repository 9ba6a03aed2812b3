/* SPDX-License-Identifier: MIT */
#include "size.h"

#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

struct search {
    const struct trace *trace;
    const struct contender *contender;
    struct replay_options options;
    struct size_result *result;
    struct policy_range range; /* of the last trial */
};

enum trial { TRIAL_CLEAN, TRIAL_REFUSED, TRIAL_BROKEN };

static enum trial trial_run(struct search *search, size_t units)
{
    struct replay_result replay;

    search->result->replays++;
    if (!replay_run(search->trace, search->contender, units, &search->options, &replay)) {
        search->range = (struct policy_range){units, units + 1};
        return TRIAL_REFUSED;
    }
    search->range = replay.range;
    if (replay.broken_line) {
        search->result->outcome = SIZE_BROKEN;
        search->result->broken_line = replay.broken_line;
        search->result->broken_reason = replay.broken_reason;
        return TRIAL_BROKEN;
    }
    return replay.refused ? TRIAL_REFUSED : TRIAL_CLEAN;
}

static void found(struct search *search, size_t units)
{
    size_t most = contender_most_units(search->contender);

    search->result->outcome = units <= most ? SIZE_FOUND : SIZE_TOO_BIG;
    search->result->units = units <= most ? units : most;
    search->result->bytes = contender_pool_bytes(search->contender, search->result->units);
}

static void refused_promise(struct search *search)
{
    search->result->outcome = SIZE_BROKEN;
    search->result->broken_reason = "refused a request that it promises to serve";
}

/* --- Bounds -------------------------------------------------------------------- */

/* The live blocks along a trace. */
struct census {
    const struct contender *contender;
    size_t *units; /* by object */
    size_t live_units;
    size_t live_blocks;
    size_t peak_blocks;
};

/* No more than a pool of bytes: sums of these fit in 64 bits whatever a trace asks for. */
static size_t census_units(const struct census *census, uint64_t bytes)
{
    size_t units = contender_block_units(census->contender, bytes);
    return units < CONTENDER_POOL_MAX ? units : CONTENDER_POOL_MAX;
}

static void census_count(struct census *census, const struct trace_op *op)
{
    size_t *units = &census->units[op->object];

    if (op->kind == TRACE_LOCK || op->kind == TRACE_UNLOCK) {
        return;
    }
    census->live_units -= *units;
    *units = op->kind == TRACE_FREE ? 0 : census_units(census, op->size);
    census->live_units += *units;
    if (op->kind == TRACE_ALLOC && ++census->live_blocks > census->peak_blocks) {
        census->peak_blocks = census->live_blocks;
    }
    if (op->kind == TRACE_FREE) {
        census->live_blocks--;
    }
}

/* The table has an entry more than slots, room for one slot always, and is whole granules. */
static size_t table_units(const struct contender_costs *costs, size_t slots)
{
    size_t bytes = ((slots ? slots : 1) + 1) * costs->slot_bytes;
    return (bytes + costs->alignment - 1) / costs->alignment;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

struct size_bounds size_bounds_get(const struct trace *trace, const struct contender *contender)
{
    struct contender_costs costs;
    struct census census = {.contender = contender};

    contender_costs_get(contender, 0, &costs);
    /* libdefrag makes no pool that cannot hold a block. */
    size_t none = contender->policy ? 0 : (costs.control_bytes + costs.least_block_bytes) / costs.alignment;
    struct size_bounds bounds = {none, none, 0};
    census.units = xcalloc(trace->summary.objects, sizeof *census.units);
    size_t fixed = contender->policy ? 0 : costs.control_bytes / costs.alignment - table_units(&costs, 0);
    struct trace_cursor cursor;
    const struct trace_op *op;
    trace_rewind(&cursor, trace);
    while ((op = trace_step(&cursor)) != NULL) {
        census_count(&census, op);
        size_t least = fixed + census.live_units;
        size_t certain = least;
        if (!contender->policy) {
            least += table_units(&costs, census.live_blocks);
            certain += table_units(&costs, census.peak_blocks);
        }
        bounds.least = larger(bounds.least, least);
        bounds.certain = larger(bounds.certain, certain);
    }
    bounds.blocks = census.peak_blocks;
    free(census.units);
    return bounds;
}

/* --- Where a replay answers for a range of pools ------------------------------------ */

static void search_ranges(struct search *search)
{
    size_t units = POLICY_ENDLESS;
    enum trial trial;

    while ((trial = trial_run(search, units)) == TRIAL_CLEAN && search->range.low > 0) {
        units = search->range.low - 1;
    }
    if (trial == TRIAL_CLEAN) {
        found(search, 0);
    } else if (trial == TRIAL_REFUSED) {
        found(search, units == POLICY_ENDLESS ? units : units + 1);
    }
}

/* --- Where promise 1 gives a pool that is certain to do ------------------------------- */

/* The smallest from which every one up to `units`, which is clean, is clean. */
static void search_downwards(struct search *search, size_t units, size_t least)
{
    enum trial trial = TRIAL_CLEAN;

    while (units > least && (trial = trial_run(search, units - 1)) == TRIAL_CLEAN) {
        units--;
    }
    if (trial != TRIAL_BROKEN) {
        found(search, units);
    }
}

static void search_from_promise(struct search *search)
{
    size_t most = contender_most_units(search->contender);
    struct size_bounds bounds = size_bounds_get(search->trace, search->contender);

    if (bounds.least > most) {
        found(search, bounds.least);
        return;
    }
    size_t units = bounds.certain < most ? bounds.certain : most;
    enum trial trial = trial_run(search, units);
    if (trial == TRIAL_CLEAN) {
        search_downwards(search, units, bounds.least);
    } else if (trial == TRIAL_REFUSED && units == bounds.certain) {
        refused_promise(search);
    } else if (trial == TRIAL_REFUSED) {
        found(search, most + 1);
    }
}

/* --- Where nothing is known but what was tried ------------------------------------------- */

static size_t reach(const struct search *search, size_t units)
{
    size_t most = contender_most_units(search->contender);
    size_t step = units < SIZE_REACH_UNITS ? units : SIZE_REACH_UNITS;
    return units + step < most ? units + step : most;
}

/* Tries the pools of `low` to `high` units, downwards; *units is then the one that is not clean. */
static enum trial stretch_run(struct search *search, size_t low, size_t high, size_t *units)
{
    *units = high;
    while (*units >= low) {
        enum trial trial = trial_run(search, *units);
        if (trial != TRIAL_CLEAN) {
            return trial;
        }
        *units = larger(search->range.low, low) - 1;
    }
    return TRIAL_CLEAN;
}

static void search_steps(struct search *search)
{
    size_t figure = size_bounds_get(search->trace, search->contender).least;
    size_t tried = 0; /* from the figure to this one all are clean */
    size_t top;

    figure = figure ? figure : 1;
    while ((top = reach(search, figure)) > tried && top >= figure) {
        size_t units;
        enum trial trial = stretch_run(search, larger(figure, tried + 1), top, &units);
        if (trial == TRIAL_BROKEN) {
            return;
        }
        figure = trial == TRIAL_REFUSED ? units + 1 : figure;
        tried = top;
    }
    found(search, figure);
    search->result->reach_bytes = contender_pool_bytes(search->contender, tried);
}

bool size_is_too_big(const struct trace *trace, const struct contender *contender, struct size_result *result)
{
    struct size_bounds bounds = size_bounds_get(trace, contender);

    result->units = contender_most_units(contender);
    result->bytes = contender_pool_bytes(contender, result->units);
    result->blocks = bounds.blocks;
    if (bounds.blocks > contender_most_blocks(contender)) {
        result->outcome = SIZE_TOO_MANY;
        return true;
    }
    if (bounds.least > result->units) {
        result->outcome = SIZE_TOO_BIG;
        return true;
    }
    return false;
}

/* --- By bisection --------------------------------------------------------------------------- */

static size_t step_of(const struct search *search, size_t units)
{
    return search->trace->count > SIZE_EXACT_OPERATIONS ? larger(units / SIZE_COARSE_PART, 1) : 1;
}

/* A pool that does. */
static enum trial upper_find(struct search *search, size_t units, size_t *out)
{
    const struct policy *policy = search->contender->policy;
    size_t most = contender_most_units(search->contender);
    enum trial trial;

    if (policy && policy->endless) {
        trial = trial_run(search, POLICY_ENDLESS);
        *out = search->range.low;
        return trial;
    }
    while ((trial = trial_run(search, units)) == TRIAL_REFUSED && units < most) {
        units = units < most / 2 ? units * 2 : most;
    }
    *out = units;
    return trial;
}

static void bisect(struct search *search, size_t low, size_t high)
{
    while (high - low > step_of(search, high)) {
        size_t middle = low + (high - low) / 2;
        enum trial trial = trial_run(search, middle);
        if (trial == TRIAL_BROKEN) {
            return;
        }
        if (trial == TRIAL_CLEAN) {
            /* Where it would have gone the same way in smaller pools, they do too. */
            high = search->range.low < middle ? larger(search->range.low, low + 1) : middle;
        } else {
            low = middle;
        }
    }
    found(search, high);
}

void size_estimate(const struct trace *trace, const struct contender *contender,
                   const struct size_options *options, struct size_result *result)
{
    struct search search = {
        .trace = trace,
        .contender = contender,
        .options = {.until_refused = true,
                    .lock_percent = contender->policy ? 0 : options->lock_percent,
                    .operations = options->operations},
        .result = result,
    };

    memset(result, 0, sizeof *result);
    result->broken_reason = "";
    size_t least = larger(size_bounds_get(trace, contender).least, 1);
    size_t high;
    enum trial trial = upper_find(&search, least, &high);
    if (trial == TRIAL_CLEAN) {
        bisect(&search, least - 1, larger(high, least));
    } else if (trial == TRIAL_REFUSED) {
        found(&search, contender_most_units(contender) + 1);
    }
}

/* --- What compaction costs ------------------------------------------------------------------ */

uint64_t size_allocated(const struct trace *trace)
{
    uint64_t *sizes = xcalloc(trace->summary.objects, sizeof *sizes);
    uint64_t sum = 0;
    struct trace_cursor cursor;
    const struct trace_op *op;

    trace_rewind(&cursor, trace);
    while ((op = trace_step(&cursor)) != NULL) {
        if (op->kind == TRACE_ALLOC || op->kind == TRACE_RESIZE) {
            sum += op->size > sizes[op->object] ? op->size - sizes[op->object] : 0;
            sizes[op->object] = op->size;
        } else if (op->kind == TRACE_FREE) {
            sizes[op->object] = 0;
        }
    }
    free(sizes);
    return sum;
}

/* One replay more, this time with contents, which are verified. */
static void cost_measure(struct search *search, size_t units, struct size_cost *cost)
{
    struct replay_options options = search->options;
    struct replay_result replay;

    options.contents = true;
    replay_run(search->trace, search->contender, units, &options, &replay);
    cost->pool_bytes = contender_pool_bytes(search->contender, units);
    cost->moved_bytes = replay.moved_bytes;
    cost->longest_pause = replay.longest_pause;
    if (replay.damaged) {
        search->result->outcome = SIZE_BROKEN;
        search->result->broken_line = replay.damaged_line;
        search->result->broken_reason = "with damaged contents";
    }
}

static void costs_measure(struct search *search)
{
    size_t most = contender_most_units(search->contender);
    size_t units = search->result->units;
    size_t more = units + units / 10 < most ? units + units / 10 : most;

    if (search->result->outcome == SIZE_FOUND) {
        cost_measure(search, units, &search->result->costs[SIZE_COST_SMALLEST]);
        cost_measure(search, more, &search->result->costs[SIZE_COST_TENTH_MORE]);
    }
}

/* --- Which of them ------------------------------------------------------------------------- */

static bool trace_has_locks(const struct trace *trace)
{
    struct trace_cursor cursor;
    const struct trace_op *op;

    trace_rewind(&cursor, trace);
    while ((op = trace_step(&cursor)) != NULL) {
        if (op->kind == TRACE_LOCK) {
            return true;
        }
    }
    return false;
}

void size_find(const struct trace *trace, const struct contender *contender,
               const struct size_options *options, struct size_result *result)
{
    struct search search = {
        .trace = trace,
        .contender = contender,
        .options = {.until_refused = true, .operations = options->operations},
        .result = result,
    };

    memset(result, 0, sizeof *result);
    result->broken_reason = "";
    if (contender->policy) {
        if (contender->policy->endless) {
            search_ranges(&search);
        } else {
            search_steps(&search);
        }
        return;
    }
    search.options.lock_percent = options->lock_percent;
    if (options->lock_percent || contender->manual || trace_has_locks(trace)) {
        search_steps(&search);
    } else {
        search_from_promise(&search);
    }
    costs_measure(&search);
}
