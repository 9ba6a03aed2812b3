/* SPDX-License-Identifier: MIT */
#include "duel.h"

#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

struct match {
    const struct duel *duel;
    const struct contender *contender;
    struct gauge gauge;
    struct adversary_piece *pieces;
    size_t origin; /* where the first block lies */
    size_t top;    /* where the highest block ever ended, from there */
    size_t objects;
    size_t peak_objects;
    const char *broken_reason;
};

/* --- The heap that the adversary sees ---------------------------------------------------- */

static size_t request_bytes(const struct match *match, size_t units)
{
    return units * match->duel->unit - match->gauge.header_bytes;
}

static void match_break(struct match *match)
{
    if (!match->broken_reason) {
        match->broken_reason = arena_reason(match->gauge.arena);
    }
}

static void block_count(struct match *match, uint32_t object, size_t units)
{
    size_t place = arena_place(match->gauge.arena, object);

    if (match->origin == SIZE_MAX) {
        match->origin = place;
    }
    size_t end = place - match->origin + units * match->duel->unit;
    match->top = end > match->top ? end : match->top;
    match->objects++;
    match->peak_objects = match->objects > match->peak_objects ? match->objects : match->peak_objects;
}

static bool match_alloc(void *context, uint32_t object, size_t units)
{
    struct match *match = context;
    enum outcome outcome = gauge_alloc(&match->gauge, object, request_bytes(match, units));

    if (match->duel->done) {
        atomic_fetch_add_explicit(match->duel->done, 1, memory_order_relaxed);
    }
    if (outcome == OUTCOME_BROKEN) {
        match_break(match);
    }
    if (outcome != OUTCOME_SERVED) {
        return false;
    }
    block_count(match, object, units);
    return true;
}

static void match_free(void *context, uint32_t object)
{
    struct match *match = context;
    if (arena_free(match->gauge.arena, object) != OUTCOME_SERVED) {
        match_break(match);
    }
    match->objects--;
}

static void match_shrink(void *context, uint32_t object, size_t units)
{
    struct match *match = context;
    if (arena_resize(match->gauge.arena, object, request_bytes(match, units)) != OUTCOME_SERVED) {
        match_break(match);
    }
}

static size_t match_place(void *context, uint32_t object)
{
    struct match *match = context;
    return (arena_place(match->gauge.arena, object) - match->origin) / match->duel->unit;
}

/* One adversary is made for those that take the smallest hole; no heap without moves withstands the others.
 */
bool duel_is_bound(const struct duel *duel, const struct contender *contender)
{
    bool is_best_fit = contender->policy == &policy_best_fit || contender->policy == &policy_tlsf;
    return contender->policy && (is_best_fit || strcmp(duel->adversary->name, "best-fit") != 0);
}

/* --- One pool ---------------------------------------------------------------------------------- */

/* Whether nothing was refused in a pool of so many units. */
static bool match_run(struct match *match, size_t units, bool measures)
{
    const struct duel *duel = match->duel;
    struct adversary_heap heap = {match, match_alloc, match_free, match_shrink, match_place};

    match->origin = SIZE_MAX;
    match->top = match->objects = match->peak_objects = 0;
    gauge_open(&match->gauge, match->contender, units, duel->most + 1, measures);
    bool served = match->gauge.arena &&
                  adversary_play(duel->adversary, &heap, duel->most, duel->largest, match->pieces);
    if (match->gauge.arena && arena_check(match->gauge.arena) != OUTCOME_SERVED) {
        match_break(match);
    }
    gauge_close(&match->gauge);
    return served && !match->broken_reason;
}

/* --- A policy ------------------------------------------------------------------------------------ */

/* Buddies need to know how large the pool is; where they put a block does not depend on it. */
static void policy_run(struct match *match, struct duel_result *result)
{
    size_t units = match->contender->policy->endless ? POLICY_ENDLESS : 1024;

    while (!match_run(match, units, false) && units < contender_most_units(match->contender)) {
        units *= 2;
    }
    size_t unit = contender_unit_bytes(match->contender);
    result->heap_bytes = contender_pool_bytes(match->contender, (match->top + unit - 1) / unit);
    result->control_bytes = result->heap_bytes - match->top;
    result->sums = match->gauge.sums;
}

/* --- libdefrag ------------------------------------------------------------------------------------- */

/* What is certain to be enough: all that may be live at once, and a slot for each block that ever is. */
static size_t enough_units(const struct match *match, size_t blocks)
{
    struct contender_costs costs;
    contender_costs_get(match->contender, 0, &costs);
    size_t table = (blocks + 1) * costs.slot_bytes;
    return (costs.control_bytes + match->duel->most * match->duel->unit + table) / costs.alignment;
}

static void defrag_run(struct match *match, struct duel_result *result)
{
    const struct contender *contender = match->contender;
    struct contender_costs costs;
    size_t units = enough_units(match, match->duel->most);

    result->is_too_big = units > contender_most_units(contender);
    if (result->is_too_big || !match_run(match, units, false)) {
        return;
    }
    units = enough_units(match, match->peak_objects) + 1;
    while (match_run(match, units - 1, false)) {
        units--;
    }
    if (!match_run(match, units, true) && !match->broken_reason) {
        match->broken_reason = "refused a request that it promises to serve";
    }
    contender_costs_get(contender, 0, &costs);
    result->heap_bytes = contender_pool_bytes(contender, units);
    result->sums = match->gauge.sums;
    /* An empty pool has a table already, of one slot and the word that ends the blocks. */
    size_t blocks = match->duel->most * match->duel->unit;
    result->table_bytes = result->heap_bytes - blocks - costs.control_bytes;
    result->control_bytes = costs.control_bytes;
}

void duel_run(const struct duel *duel, const struct contender *contender, struct duel_result *result)
{
    struct match match = {.duel = duel, .contender = contender};

    *result = (struct duel_result){0};
    match.pieces = xcalloc(duel->most + 1, sizeof *match.pieces);
    if (contender->policy) {
        policy_run(&match, result);
    } else {
        defrag_run(&match, result);
    }
    result->broken_reason = match.broken_reason;
    free(match.pieces);
}
