/* SPDX-License-Identifier: MIT */
#include "gauge.h"

#include <stdlib.h>

#include "xalloc.h"

void gauge_open(struct gauge *gauge, const struct contender *contender, size_t units, size_t objects,
                bool measures)
{
    struct contender_costs costs;

    contender_costs_get(contender, units, &costs);
    *gauge = (struct gauge){.contender = contender, .header_bytes = costs.header_bytes, .measures = measures};
    gauge->arena = arena_open(contender, units, objects, measures);
}

void gauge_close(struct gauge *gauge)
{
    if (gauge->arena) {
        arena_close(gauge->arena);
    }
    free(gauge->before.stretches);
    free(gauge->now.stretches);
}

/* --- What lies where ----------------------------------------------------------------- */

static defrag_status stretch_add(void *context, const defrag_block *block)
{
    struct layout *layout = context;

    if (layout->count == 0) {
        layout->origin = block->offset;
    }
    if (layout->count == layout->room) {
        layout->room = 2 * layout->room + 64;
        layout->stretches = xrealloc(layout->stretches, layout->room, sizeof *layout->stretches);
    }
    layout->stretches[layout->count++] = (struct stretch){
        .bytes = block->bytes,
        .is_used = block->region == DEFRAG_REGION_USED,
        .stays = block->exclusive || block->shared_locks,
    };
    return DEFRAG_OK;
}

static void layout_read(struct layout *layout, const struct gauge *gauge)
{
    layout->count = 0;
    arena_walk(gauge->arena, stretch_add, layout);
}

/* Where the last free block begins that is not empty. */
static size_t layout_last_gap(const struct layout *layout)
{
    size_t last = 0, at = 0;
    for (size_t i = 0; i < layout->count; at += layout->stretches[i++].bytes) {
        if (!layout->stretches[i].is_used && layout->stretches[i].bytes > 0) {
            last = at;
        }
    }
    return last;
}

/* The blocks' room has changed since by what the table took or gave back. */
static uint64_t layout_floor(struct layout *layout, const struct gauge *gauge, size_t need)
{
    defrag_statistics now;
    size_t total = 0;

    arena_statistics(gauge->arena, &now);
    size_t end = now.pool_bytes - now.table_bytes - now.control_bytes;
    for (size_t i = 0; i < layout->count; i++) {
        total += layout->stretches[i].bytes;
    }
    if (end > total) {
        layout->stretches[layout->count - 1].bytes += end - total;
    }
    return floor_bytes(layout->stretches, layout->count, need, end);
}

/* --- Allocating ------------------------------------------------------------------------ */

/* What a block of so many bytes takes. */
static size_t need_of(const struct gauge *gauge, size_t bytes)
{
    return contender_block_units(gauge->contender, bytes) * contender_unit_bytes(gauge->contender);
}

static uint64_t moved_now(struct gauge *gauge)
{
    uint64_t bytes, blocks;
    arena_moved(gauge->arena, &bytes, &blocks);
    return bytes + blocks * gauge->header_bytes;
}

static enum outcome compact_ahead(struct gauge *gauge, size_t bytes)
{
    if (!gauge->pace.of) {
        return OUTCOME_SERVED;
    }
    return arena_compact_step(gauge->arena, bytes * gauge->pace.part / gauge->pace.of);
}

static bool was_promised(const struct gauge *gauge, size_t bytes)
{
    defrag_statistics now;
    return !gauge->contender->manual && gauge->contender->compaction == COMPACTION_BEST &&
           arena_statistics(gauge->arena, &now) && bytes <= now.largest_certain;
}

static enum outcome refusal_count(struct gauge *gauge, size_t bytes)
{
    if (arena_was_full(gauge->arena)) {
        gauge->sums.full++;
    } else {
        gauge->sums.refused++;
    }
    return was_promised(gauge, bytes) ? OUTCOME_BROKEN : OUTCOME_REFUSED;
}

/* The slide that no other is cheaper than, and what lies from `rest` on slides too. */
static enum outcome slide_cheapest(struct gauge *gauge, size_t need, size_t rest)
{
    struct layout *now = &gauge->now;
    struct floor_run run = floor_slide(now->stretches, now->count, need);

    if (run.end == 0) {
        return OUTCOME_REFUSED;
    }
    return arena_compact_part(gauge->arena, now->origin + run.begin, now->origin + run.end,
                              now->origin + rest);
}

/* Where the table wants a granule besides, the first slide may not be enough: then it is one for both. */
static enum outcome alloc_sliding(struct gauge *gauge, uint32_t object, size_t bytes)
{
    size_t need = need_of(gauge, bytes);

    layout_read(&gauge->now, gauge);
    enum outcome outcome = slide_cheapest(gauge, need, SIZE_MAX / 2);
    if (outcome == OUTCOME_SERVED) {
        outcome = arena_alloc(gauge->arena, object, bytes);
    }
    if (outcome == OUTCOME_REFUSED) {
        layout_read(&gauge->now, gauge);
        need += contender_unit_bytes(gauge->contender);
        outcome = slide_cheapest(gauge, need, layout_last_gap(&gauge->now));
        return outcome == OUTCOME_SERVED ? arena_alloc(gauge->arena, object, bytes) : outcome;
    }
    return outcome;
}

static enum outcome alloc_anyhow(struct gauge *gauge, uint32_t object, size_t bytes)
{
    enum outcome outcome = arena_alloc(gauge->arena, object, bytes);
    bool slides = gauge->contender->compaction == COMPACTION_SLIDE && !arena_was_full(gauge->arena);

    return outcome == OUTCOME_REFUSED && slides ? alloc_sliding(gauge, object, bytes) : outcome;
}

static enum outcome alloc_counted(struct gauge *gauge, uint32_t object, size_t bytes)
{
    enum outcome outcome = alloc_anyhow(gauge, object, bytes);

    if (outcome == OUTCOME_SERVED) {
        gauge->sums.allocated += bytes;
    }
    return outcome == OUTCOME_REFUSED ? refusal_count(gauge, bytes) : outcome;
}

static void moves_count(struct gauge *gauge, uint64_t before, uint64_t ahead, uint64_t after)
{
    struct gauge_sums *sums = &gauge->sums;
    uint64_t pause = after - before;

    sums->moved += pause;
    sums->paced += ahead - before;
    sums->events += after > ahead;
    sums->longest_pause = pause > sums->longest_pause ? pause : sums->longest_pause;
}

static enum outcome alloc_measured(struct gauge *gauge, uint32_t object, size_t bytes)
{
    uint64_t before = moved_now(gauge);
    enum outcome outcome = compact_ahead(gauge, bytes);
    uint64_t ahead = moved_now(gauge);

    if (outcome != OUTCOME_SERVED) {
        return outcome;
    }
    layout_read(&gauge->before, gauge);
    outcome = alloc_counted(gauge, object, bytes);
    uint64_t after = moved_now(gauge);
    moves_count(gauge, before, ahead, after);
    if (after > ahead && outcome == OUTCOME_SERVED) {
        gauge->sums.floors += layout_floor(&gauge->before, gauge, need_of(gauge, bytes));
    }
    return outcome;
}

enum outcome gauge_alloc(struct gauge *gauge, uint32_t object, size_t bytes)
{
    gauge->sums.requests++;
    return gauge->measures ? alloc_measured(gauge, object, bytes) : alloc_counted(gauge, object, bytes);
}
