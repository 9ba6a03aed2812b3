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
    free(gauge->stretches);
}

/* --- What lies where ----------------------------------------------------------------- */

static defrag_status stretch_add(void *context, const defrag_block *block)
{
    struct gauge *gauge = context;

    if (gauge->count == gauge->room) {
        gauge->room = 2 * gauge->room + 64;
        gauge->stretches = xrealloc(gauge->stretches, gauge->room, sizeof *gauge->stretches);
    }
    gauge->stretches[gauge->count++] = (struct stretch){
        .bytes = block->bytes,
        .is_used = block->region == DEFRAG_REGION_USED,
        .stays = block->exclusive || block->shared_locks,
    };
    return DEFRAG_OK;
}

static bool layout_read(struct gauge *gauge)
{
    gauge->count = 0;
    return arena_walk(gauge->arena, stretch_add, gauge);
}

/* The blocks' room has changed since by what the table took or gave back. */
static uint64_t layout_floor(struct gauge *gauge, size_t need)
{
    defrag_statistics now;
    size_t total = 0;

    arena_statistics(gauge->arena, &now);
    size_t end = now.pool_bytes - now.table_bytes - now.control_bytes;
    for (size_t i = 0; i < gauge->count; i++) {
        total += gauge->stretches[i].bytes;
    }
    if (end > total) {
        gauge->stretches[gauge->count - 1].bytes += end - total;
    }
    return floor_bytes(gauge->stretches, gauge->count, need, end);
}

/* --- Allocating ------------------------------------------------------------------------ */

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

static enum outcome alloc_counted(struct gauge *gauge, uint32_t object, size_t bytes)
{
    enum outcome outcome = arena_alloc(gauge->arena, object, bytes);

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

/* What no slide serves is not for the contender that only slides. */
static bool is_out_of_reach(const struct gauge *gauge, size_t need)
{
    return gauge->contender->compaction == COMPACTION_SLIDE &&
           floor_free(gauge->stretches, gauge->count) >= need &&
           !floor_slides(gauge->stretches, gauge->count, need);
}

static enum outcome alloc_measured(struct gauge *gauge, uint32_t object, size_t bytes)
{
    size_t need = contender_block_units(gauge->contender, bytes) * contender_unit_bytes(gauge->contender);
    uint64_t before = moved_now(gauge);
    enum outcome outcome = compact_ahead(gauge, bytes);
    uint64_t ahead = moved_now(gauge);

    if (outcome != OUTCOME_SERVED) {
        return outcome;
    }
    if (layout_read(gauge) && is_out_of_reach(gauge, need)) {
        gauge->sums.refused++;
        return OUTCOME_REFUSED;
    }
    outcome = alloc_counted(gauge, object, bytes);
    uint64_t after = moved_now(gauge);
    moves_count(gauge, before, ahead, after);
    if (after > ahead && outcome == OUTCOME_SERVED) {
        gauge->sums.floors += layout_floor(gauge, need);
    }
    return outcome;
}

enum outcome gauge_alloc(struct gauge *gauge, uint32_t object, size_t bytes)
{
    gauge->sums.requests++;
    return gauge->measures ? alloc_measured(gauge, object, bytes) : alloc_counted(gauge, object, bytes);
}
