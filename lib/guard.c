/* SPDX-License-Identifier: MIT */
/*
 * The marks are sound whenever one of these is called: entering the critical
 * section has seen to it. No answer depends on more than a constant number of
 * words.
 */
#include "guard.h"

#if DEFRAG_HARDENING

/* --- Blocks ------------------------------------------------------------------------------ */

/* Whether what the header of a used block at `o`, below the top, says can be; its entry points back. */
static bool is_used(const defrag_pool *pool, df_granules o, df_word header)
{
    return header_size(header) <= pool->top - o && heap_is_owned(pool, o, header)
           && heap_is_roomy(table_entry(pool, header_owner(header)), header_size(header));
}

/* Whether the free block of `size` granules at `o` has its footer, and a used block above that knows of it. */
static bool is_bounded(const defrag_pool *pool, df_granules o, df_granules size)
{
    if (size == 0 || size >= pool->top - o)
        return false;
    df_word above = block_header(pool, o + size);
    return (above & BLOCK_PREV_FREE) && is_used(pool, o + size, above)
           && block_size_before(pool, o + size) == size;
}

/* Whether both neighbours of the block at `o` in the ring of its bin point back at it. No block is both. */
static bool is_linked(const defrag_pool *pool, df_granules o, df_word header, df_word links)
{
    unsigned bin = bins_of(links_size(links));
    df_granules sentinel = bins_sentinel(bin);
    df_granules previous = header_size(header);
    df_granules next = links_next(links);
    return (pool->map & bins_bit(bin))
           && (next == sentinel || (next != previous && block_is_inside(pool, next)))
           && (previous == sentinel || block_is_inside(pool, previous)) && block_header(pool, next) == o
           && links_next(block_links(pool, previous)) == o;
}

/* The size of the free block at `o`; 0 if there is none, or something about it is wrong. */
static df_granules free_size(const defrag_pool *pool, df_granules o)
{
    if (!block_is_inside(pool, o))
        return 0;
    df_word header = block_header(pool, o);
    if (header_is_used(header))
        return 0;
    df_granules size = block_free_size(pool, o, header);
    if (!is_bounded(pool, o, size))
        return 0;
    return header_is_bare(header) || is_linked(pool, o, header, block_links(pool, o)) ? size : 0;
}

/* Adds the free block below the used one at `o` to `*size`; false if the header there is wrong about it. */
static bool add_below(const defrag_pool *pool, df_granules o, df_granules *size)
{
    if (!(block_header(pool, o) & BLOCK_PREV_FREE))
        return true;
    df_granules below = block_size_before(pool, o);
    *size += below;
    return below > 0 && below <= o - DF_FIRST && free_size(pool, o - below) == below;
}

/* The same of what follows a used block that ends at `end`: a free block, a used one or the top. */
static bool add_above(const defrag_pool *pool, df_granules end, df_granules *size)
{
    df_word header = block_header(pool, end);
    if (end == pool->top)
        return header_is_top(header);
    if (header_is_used(header))
        return !(header & BLOCK_PREV_FREE) && is_used(pool, end, header);
    df_granules above = free_size(pool, end);
    *size += above;
    return above != 0;
}

/* --- Bins and slots ------------------------------------------------------------------------ */

static bool is_bin_sound(const defrag_pool *pool, unsigned bin)
{
    df_granules sentinel = bins_sentinel(bin);
    df_granules head = bins_head(pool, bin);
    bool empty = head == sentinel;
    return (empty || block_is_inside(pool, head)) && block_header(pool, head) == sentinel
           && !(pool->map & bins_bit(bin)) == empty;
}

/* Whether a free block of `size` granules can be put into its bin. */
static bool can_link(const defrag_pool *pool, df_granules size)
{
    return (BLOCK_HAS_BARE && size == 1) || is_bin_sound(pool, bins_of(size));
}

static bool can_link_any(const defrag_pool *pool)
{
    for (unsigned bin = DF_BIN_FIRST; bin <= DF_BIN_LAST; bin++) {
        if (!is_bin_sound(pool, bin))
            return false;
    }
    return true;
}

/* Whether the first empty slot can be taken. The list has an end iff it has a beginning. */
static bool can_take_slot(const defrag_pool *pool)
{
    uint32_t slot = table_first_empty(pool);
    if (slot == 0)
        return pool->free_tail == 0;
    if (slot > table_slots(pool))
        return false;
    df_word entry = table_entry(pool, slot);
    uint32_t next = entry_offset(entry);
    return entry_is_empty(entry) && next <= table_slots(pool) && (next == 0) == (slot == pool->free_tail);
}

/* Whether a slot can be put at the end of the list. */
static bool can_give_slot(const defrag_pool *pool)
{
    uint32_t tail = pool->free_tail;
    df_word last = table_entry(pool, tail);
    return entry_is_empty(last) && entry_offset(last) == 0;
}

/* --- What calls ask --------------------------------------------------------------------------- */

bool df_guard_block(const defrag_pool *pool, df_granules o, uint32_t slot)
{
    if (!block_is_inside(pool, o))
        return false;
    df_word header = block_header(pool, o);
    return header_owner(header) == slot && is_used(pool, o, header);
}

bool df_guard_below(const defrag_pool *pool, df_granules o, uint32_t slot)
{
    df_granules size = 0;
    return df_guard_block(pool, o, slot) && add_below(pool, o, &size);
}

bool df_guard_free(const defrag_pool *pool, df_granules o, uint32_t slot)
{
    if (!df_guard_block(pool, o, slot))
        return false;
    df_granules own = header_size(block_header(pool, o));
    df_granules size = own;
    return add_below(pool, o, &size) && add_above(pool, o + own, &size) && can_give_slot(pool)
           && own <= (df_granules)pool->floor - DF_FIRST - pool->free
           && (o + own == pool->top || can_link(pool, size));
}

bool df_guard_resize(const defrag_pool *pool, df_granules o, uint32_t slot)
{
    if (!df_guard_block(pool, o, slot))
        return false;
    df_granules own = header_size(block_header(pool, o));
    df_granules near = 0;
    return add_below(pool, o, &near) && add_above(pool, o + own, &near)
           && near <= pool->free - heap_wilderness(pool)
           && own <= (df_granules)pool->floor - DF_FIRST - pool->free && can_link_any(pool);
}

bool df_guard_place(const defrag_pool *pool, df_granules o, df_granules size)
{
    if (!can_take_slot(pool))
        return false;
    if (o == 0)
        return header_is_top(block_header(pool, pool->top));
    df_granules found = free_size(pool, o);
    return found >= size && found <= pool->free - heap_wilderness(pool)
           && (found == size || can_link(pool, found - size));
}

bool df_guard_step(const defrag_pool *pool, df_granules o)
{
    df_word header = block_header(pool, o);
    if (header_is_used(header))
        return is_used(pool, o, header);
    df_granules size = free_size(pool, o);
    return size != 0 && df_guard_slide(pool, o + size) && can_link_any(pool);
}

bool df_guard_fill(const defrag_pool *pool, df_granules hole, df_granules o)
{
    df_word header = block_header(pool, o);
    return df_guard_free(pool, o, header_owner(header)) && free_size(pool, hole) >= header_size(header)
           && can_link_any(pool);
}

bool df_guard_slide(const defrag_pool *pool, df_granules o)
{
    /* The block itself was shown to be one when what lies below it was. */
    df_granules size = 0;
    return add_above(pool, o + header_size(block_header(pool, o)), &size);
}

#endif
