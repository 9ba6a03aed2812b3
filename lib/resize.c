/* SPDX-License-Identifier: MIT */
/* Giving a block another size: the nearest place first, other blocks' bytes last. */
#include "check.h"
#include "gather.h"
#include "guard.h"
#include "room.h"
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
    if (end == pool->top)
        (void)heap_take_top(pool, size);
    else
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
    df_granules own = header_size(block_header(pool, o));
    df_granules to = df_heap_search(pool, want);
    if (to == 0 && heap_wilderness(pool) < want)
        return false;
    /* Both places are taken for a moment, which the peaks must not see. */
    pool->free = (df_half)(pool->free + own);
    if (to)
        df_heap_take(pool, to, want);
    else
        to = heap_take_top(pool, want);
    pool->free = (df_half)(pool->free - own);
    /* Only now: the hole may have been the one before this block. */
    df_word header = block_header(pool, o);
    mover_begin(pool);
    df_move_down(pool, o, to, header);
    block_set_header(pool, to, header_with_size(block_header(pool, to), want));
    df_heap_give(pool, o, own, header);
    mover_end(pool);
    return true;
}

/* Makes the block `want` granules long with what is free around it. O(1) and the bytes moved. */
static bool grow_here(defrag_pool *pool, df_granules o, df_granules want)
{
    return grow_in_place(pool, o, want) || grow_backward(pool, o, want);
}

/* The same, with whatever is free, without moving another block. */
static bool grow_alone(defrag_pool *pool, df_granules o, df_granules want)
{
    return grow_here(pool, o, want) || grow_elsewhere(pool, o, want);
}

static defrag_status grow(defrag_pool *pool, uint32_t slot, df_granules want)
{
    df_granules o = entry_offset(table_entry(pool, slot));
    df_granules own = header_size(block_header(pool, o));
    if (grow_here(pool, o, want))
        return DEFRAG_OK;
    if (!check_is_passed(pool))
        return DEFRAG_CORRUPT;
    if (grow_elsewhere(pool, o, want))
        return DEFRAG_OK;
    df_heap_trim(pool);
    if (grow_alone(pool, o, want))
        return DEFRAG_OK;
    if (pool->free + own < want)
        return DEFRAG_NO_MEMORY;
    if (heap_is_manual(pool))
        return DEFRAG_FRAGMENTED;
    if (pool->free >= want && df_make_room(pool, want, 0) == DEFRAG_OK) {
        (void)grow_alone(pool, entry_offset(table_entry(pool, slot)), want);
        return DEFRAG_OK;
    }
    return df_gather(pool, o, want) ? DEFRAG_OK : DEFRAG_PINNED;
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
