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

/*
 * The table will take so many bytes from the end. Where they are not free there, what lies
 * above the last free block has to slide in any case, and is left out. False: it is locked.
 */
static bool layout_keep(struct layout *layout, size_t bytes)
{
    for (; layout->count > 0; layout->count--) {
        struct stretch *last = &layout->stretches[layout->count - 1];
        if (!last->is_used && last->bytes >= bytes) {
            last->bytes -= bytes;
            return true;
        }
        if (last->stays) {
            return false;
        }
    }
    return false;
}

static size_t layout_end(const struct layout *layout)
{
    size_t bytes = 0;
    for (size_t i = 0; i < layout->count; i++) {
        bytes += layout->stretches[i].bytes;
    }
    return bytes;
}

/* The blocks' room has changed since by what the table took or gave back. */
static uint64_t layout_floor(struct layout *layout, const struct gauge *gauge, size_t need)
{
    defrag_statistics now;

    arena_statistics(gauge->arena, &now);
    size_t end = now.pool_bytes - now.table_bytes - now.control_bytes;
    size_t total = layout_end(layout);
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

/* By how much the table grows for one more block; empty slots at its end were given back already. */
static size_t table_growth(const struct gauge *gauge)
{
    defrag_statistics now;

    arena_statistics(gauge->arena, &now);
    if (now.live_blocks < now.slots) {
        return 0;
    }
    /* An entry more than slots, in whole granules, and the word that ends the blocks. */
    size_t entries = (now.slots + 2) * now.slot_bytes;
    size_t bytes = (entries + now.granule_bytes - 1) / now.granule_bytes * now.granule_bytes + now.slot_bytes;
    return bytes - now.table_bytes;
}

/* Slides what is cheapest to slide, after a request that found no hole. */
static enum outcome alloc_sliding(struct gauge *gauge, uint32_t object, size_t bytes)
{
    struct layout *now = &gauge->now;

    layout_read(now, gauge);
    size_t all = now->count;
    if (!layout_keep(now, table_growth(gauge))) {
        return OUTCOME_REFUSED;
    }
    struct floor_run run = floor_slide(now->stretches, now->count, need_of(gauge, bytes));
    if (run.end == 0) {
        return OUTCOME_REFUSED;
    }
    bool is_last = run.end == layout_end(now);
    if (now->count < all && !is_last) {
        size_t last_bytes = now->stretches[now->count - 1].bytes;
        arena_slide(gauge->arena, now->origin + layout_end(now) - last_bytes, SIZE_MAX / 2);
    }
    arena_slide(gauge->arena, now->origin + run.begin, is_last ? SIZE_MAX / 2 : now->origin + run.end);
    return arena_alloc(gauge->arena, object, bytes);
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
