/* SPDX-License-Identifier: MIT */
/* Giving a block another size: the nearest place first, other blocks' bytes last. */
#include "check.h"
#include "gather.h"
#include "guard.h"
#include "plan.h"
#include "scramble.h"

/* Cuts the block at `o` down to `want` granules. */
static void shrink(defrag_pool *pool, df_granules o, df_granules want)
{
    df_word header = block_header(pool, o);
    block_set_header(pool, o, header_with_size(header, want));
    /* What is cut off has a used block before it, this one. */
    df_heap_give(pool, o + want, header_size(header) - want, 0);
}

/* Granules of the free memory just above the block that ends at `end`. */
static df_granules room_above(const defrag_pool *pool, df_granules end)
{
    df_word header = block_header(pool, end);
    if (header_is_used(header))
        return 0;
    return header_is_top(header) ? heap_wilderness(pool) : block_free_size(pool, end, header);
}

/* Takes the first `size` granules of the free memory at `end`, which has as many. */
static void take_above(defrag_pool *pool, df_granules end, df_granules size)
{
    df_heap_take(pool, end, size);
    /* A boundary that is gone; nothing that could slide lies below the next one either. */
    if (pool->cursor == end)
        pool->cursor = (df_half)(end + size);
}

static bool grow_in_place(defrag_pool *pool, df_granules o, df_granules want)
{
    df_word header = block_header(pool, o);
    df_granules end = o + header_size(header);
    df_granules more = want - header_size(header);
    if (room_above(pool, end) < more)
        return false;
    take_above(pool, end, more);
    block_set_header(pool, o, header_with_size(header, want));
    return true;
}

/*
 *   [ free ][ block ][ free ]  ->  [ block            ][ free ]
 *   place   o        end
 */
static bool grow_backward(defrag_pool *pool, df_granules o, df_granules want)
{
    df_word header = block_header(pool, o);
    df_granules own = header_size(header);
    df_granules end = o + own;
    df_granules below = (header & BLOCK_PREV_FREE) != 0 ? block_size_before(pool, o) : 0;
    if (below == 0 || below + own + room_above(pool, end) < want)
        return false;

    df_granules place = o - below;
    mover_begin(pool);
    (void)df_bins_remove(pool, place, block_header(pool, place));
    if (below + own < want)
        take_above(pool, end, want - own - below);
    df_move_down(pool, o, place, header);
    block_set_header(pool, place, header_with_size(block_header(pool, place), want));
    pool->free = (df_half)(pool->free - below);
    if (below + own > want)
        df_heap_give(pool, place + want, below + own - want, 0);
    heap_note_used(pool, 0); /* for the lowest */
    /* No need to lower the cursor: a gap below it lies below a locked block. */
    mover_end(pool);
    return true;
}

/* Moves the block to a hole of `want` granules, or to the wilderness. */
static bool grow_elsewhere(defrag_pool *pool, df_granules o, df_granules want)
{
    df_granules to = df_heap_room(pool, want);
    if (to)
        df_move_away(pool, o, to, want);
    return to != 0;
}

/*
 * The gaps above the block are gathered at it, and those below it if `limit` is more than
 * its own granules; but only if no more than `most` granules move. Returns how many would;
 * `limit` if there is no way on which fewer do. Not inlined, nor are others below: what
 * they have on the stack would lie there together.
 */
DF_NOINLINE static df_granules grow_by_gathering(defrag_pool *pool, df_granules o, df_granules want,
                                                 df_granules limit, df_granules most)
{
    df_granules own = header_size(block_header(pool, o));
    struct slide_run run;
    df_gather_run(pool, o, want - own, limit, limit > own, &run);
    if (run.found && run.live <= most)
        df_gather(pool, o, want, &run);
    return run.live;
}

/*
 * Lets it grow where it is: blocks above it leave for holes, and less than `limit`
 * granules move. Nor are more blocks and holes looked at.
 */
static bool grow_by_leaving(defrag_pool *pool, df_granules o, df_granules want, df_granules limit)
{
    df_granules own = header_size(block_header(pool, o));
    if (!df_clear_place(pool, o + own, want - own, 0, limit))
        return false;
    return grow_in_place(pool, o, want);
}

/* Blocks above it make way, if less than its own granules moves. */
static bool grow_upward(defrag_pool *pool, df_granules o, df_granules want)
{
    df_granules own = header_size(block_header(pool, o));
    df_granules cost = grow_by_gathering(pool, o, want, own, 0);
    return grow_by_leaving(pool, o, want, cost) || grow_by_gathering(pool, o, want, own, cost) < own;
}

/* Moves it, and no other block. */
static bool grow_alone(defrag_pool *pool, df_granules o, df_granules want)
{
    return grow_backward(pool, o, want) || grow_elsewhere(pool, o, want);
}

/* Moves no more than the block's own granules: less than that, if there is a way. */
static bool grow_cheaply(defrag_pool *pool, df_granules o, df_granules want)
{
    return (!heap_is_manual(pool) && grow_upward(pool, o, want)) || grow_alone(pool, o, want);
}

/*
 * Where no place holds it: the gaps around the block are gathered at it, or blocks around
 * it leave, whichever is cheaper; but only if that moves no more than `most` granules.
 * Returns what it would move; UINT32_MAX if neither can be.
 */
DF_NOINLINE static df_granules grow_around(defrag_pool *pool, uint32_t slot, df_granules want,
                                           df_granules most)
{
    struct df_plan plan;
    df_granules o = entry_offset(table_entry(pool, slot));
    if (!df_plan_around(pool, o, want, grow_by_gathering(pool, o, want, UINT32_MAX, 0), &plan))
        return grow_by_gathering(pool, o, want, UINT32_MAX, most);
    if (plan.cost > most) {
        df_plan_release(pool, &plan);
        return plan.cost;
    }
    df_plan_commit(pool, &plan);
    (void)grow_in_place(pool, entry_offset(table_entry(pool, slot)), want);
    return plan.cost;
}

/* Room is made elsewhere, if that moves less than `limit` granules, and the block moves into it. */
DF_NOINLINE static bool grow_into_room(defrag_pool *pool, uint32_t slot, df_granules want, df_granules limit)
{
    struct df_plan plan;
    if (pool->free < want || !df_plan_make(pool, want, 0, &plan))
        return false;
    if (plan.cost >= limit) {
        df_plan_release(pool, &plan);
        return false;
    }
    df_plan_commit(pool, &plan);
    df_granules o = entry_offset(table_entry(pool, slot));
    /* The room may lie right above it. */
    if (!grow_in_place(pool, o, want))
        (void)grow_alone(pool, o, want);
    return true;
}

/* The cheapest way of those on which other blocks have to move. */
static bool grow_dearly(defrag_pool *pool, uint32_t slot, df_granules want)
{
    df_granules own = header_size(block_header(pool, entry_offset(table_entry(pool, slot))));
    df_granules cost = grow_around(pool, slot, want, own);
    return cost <= own || grow_into_room(pool, slot, want, cost - own)
           || grow_around(pool, slot, want, UINT32_MAX) != UINT32_MAX;
}

static defrag_status grow(defrag_pool *pool, uint32_t slot, df_granules want)
{
    df_granules o = entry_offset(table_entry(pool, slot));
    df_granules own = header_size(block_header(pool, o));
    if (grow_in_place(pool, o, want))
        return DEFRAG_OK;
    if (!check_is_passed(pool))
        return DEFRAG_CORRUPT;
    if (grow_cheaply(pool, o, want))
        return DEFRAG_OK;
    df_heap_trim(pool);
    if (grow_in_place(pool, o, want) || grow_cheaply(pool, o, want))
        return DEFRAG_OK;
    if (pool->free + own < want)
        return DEFRAG_NO_MEMORY;
    if (heap_is_manual(pool))
        return DEFRAG_FRAGMENTED;
    return grow_dearly(pool, slot, want) ? DEFRAG_OK : DEFRAG_PINNED;
}

static defrag_status resize_locked(defrag_pool *pool, df_granules o, df_granules want)
{
    df_granules own = header_size(block_header(pool, o));
    return want == own || (want > own && grow_in_place(pool, o, want)) ? DEFRAG_OK : DEFRAG_LOCKED;
}

/* The size of the entry's block with `bytes` of payload; 0 if no pool of this length holds it. */
static df_granules wanted(const defrag_pool *pool, df_word entry, size_t bytes)
{
    df_granules size = heap_granules(pool, bytes);
    df_granules padding = entry_padding(entry);
    return size != 0 && size + padding <= heap_capacity(pool) ? size + padding : 0;
}

static defrag_status resize(defrag_pool *pool, defrag_handle handle, size_t bytes)
{
    df_word entry;
    uint32_t slot = handle_slot(handle.bits);
    if (!handle_is_current(pool, handle, &entry))
        return DEFRAG_STALE;
    df_granules o = entry_offset(entry);
    if (!heap_is_owner(pool, o, slot) || !guard_resize(pool, o, slot))
        return DEFRAG_CORRUPT;
    df_granules want = wanted(pool, entry, bytes);
    if (entry_lock(entry) != 0)
        return resize_locked(pool, o, want);
    if (want == 0)
        return DEFRAG_BAD_SIZE;
    df_granules own = header_size(block_header(pool, o));
    if (want > own)
        return grow(pool, slot, want);
    if (want < own)
        shrink(pool, o, want);
    return DEFRAG_OK;
}

/* The slot's block has the size that its header says. */
static void watch_size(const defrag_pool *pool, uint32_t slot)
{
    if (DF_WATCHED) {
        df_word entry = table_entry(pool, slot);
        df_granules o = entry_offset(entry);
        const uint8_t *payload = heap_payload(pool, entry, o);
        watch_changed(pool, payload, payload, heap_payload_bytes(entry, header_size(block_header(pool, o))));
        heap_watch(pool, entry);
    }
}

defrag_status defrag_resize(defrag_pool *pool, defrag_handle handle, size_t bytes)
{
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    status = resize(pool, handle, bytes);
    if (status == DEFRAG_OK)
        watch_size(pool, handle_slot(handle.bits));
    else
        df_heap_refuse(pool, status);
    if (status == DEFRAG_OK && scramble_is_free(pool))
        df_scramble_stretches(pool, pool->moved_granules, 0);
    heap_leave(pool);
    return status;
}
