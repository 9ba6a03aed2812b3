/* SPDX-License-Identifier: MIT */
/*
 * The checker. Each phase relies on what the ones before it have shown, and
 * looks at nothing that was not shown to lie inside the pool. It writes nothing
 * and its stack is constant.
 *
 *   marks    the parts of the pool lie in order inside its length
 *   blocks   headers and footers form a chain from the first block to the top;
 *            each used block's entry points back at it
 *   table    there are no other entries in use; the empty slots form one list
 *   bins     each ring is linked both ways, holds free blocks of its sizes, and
 *            all rings together hold them all
 *   counts   what was counted is what the control block says
 */
#include "check.h"

struct census {
    uint32_t used_blocks;
    uint32_t linked_blocks; /* free blocks that belong into a bin */
    df_granules free;       /* in free blocks                     */
    bool cursor_seen;
};

/* --- Marks ------------------------------------------------------------------------------ */

static bool check_identity(const defrag_pool *pool)
{
    return pool->magic == DF_MAGIC && pool->version == DF_IMAGE_VERSION && pool->wide == DEFRAG_WIDE
           && pool->alignment == DEFRAG_ALIGNMENT && pool->busy == 0 && pool->skipped < DF_GRANULE
           && pool->base < DF_LARGEST_ALIGNMENT && pool->base % DF_GRANULE == 0;
}

/* The fields that fill the control block up to its words. */
static bool check_unused(const defrag_pool *pool)
{
    unsigned bits = 0;
#if DEFRAG_WIDE
    for (size_t i = 0; i < sizeof pool->unused_back; i++)
        bits |= pool->unused_back[i];
#endif
#if !DEFRAG_WIDE && DEFRAG_ALIGNMENT > 8
    for (size_t i = 0; i < sizeof pool->unused_front; i++)
        bits |= pool->unused_front[i];
#endif
    /* And those between the control block and the header of the first block. */
    for (size_t i = sizeof *pool; i < block_bytes(DF_FIRST) - DF_WORD; i++)
        bits |= ((const uint8_t *)pool)[i];
    return bits == 0;
}

static bool check_marks(const defrag_pool *pool)
{
    return check_identity(pool) && check_unused(pool) && df_heap_marks_are_sound(pool);
}

/* --- Blocks -------------------------------------------------------------------------------- */

/* Below the cursor there is no gap but below blocks that compaction has passed by. */
static bool is_compacted(const defrag_pool *pool, df_granules o, df_word header)
{
    return o > pool->cursor || entry_is_passed(table_entry(pool, header_owner(header)));
}

static bool check_used(const defrag_pool *pool, df_granules o, df_word header, bool prev_free)
{
    return header_size(header) <= pool->top - o && !(header & BLOCK_PREV_FREE) == !prev_free
           && heap_is_owned(pool, o, header)
           && heap_is_roomy(table_entry(pool, header_owner(header)), header_size(header))
           && (!prev_free || is_compacted(pool, o, header));
}

/* The half of the footer that is not the size, where the footer is a word of its own. */
static bool is_footer_clean(const defrag_pool *pool, df_granules o, df_granules size)
{
    return block_bytes(size) <= 2 * DF_WORD
           || (word_load(pool, block_bytes(o + size) - 2 * DF_WORD) & DF_HALF_MAX) == 0;
}

/* A free block ends below the top, with its footer, and is not next to another one. */
static bool check_free(const defrag_pool *pool, df_granules o, df_word header, bool prev_free)
{
    df_granules size = block_free_size(pool, o, header);
    return !prev_free && (header_is_bare(header) || size >= BLOCK_MIN) && size < pool->top - o
           && block_size_before(pool, o + size) == size && is_footer_clean(pool, o, size);
}

static bool check_blocks(const defrag_pool *pool, struct census *census)
{
    bool prev_free = false;
    df_granules o = DF_FIRST;
    while (o < pool->top) {
        df_word header = block_header(pool, o);
        bool used = header_is_used(header);
        census->cursor_seen |= o == pool->cursor;
        if (header_is_top(header)
            || !(used ? check_used(pool, o, header, prev_free) : check_free(pool, o, header, prev_free)))
            return false;
        df_granules size = block_size(pool, o, header);
        census->used_blocks += used;
        census->linked_blocks += !used && !header_is_bare(header);
        census->free += used ? 0 : size;
        prev_free = !used;
        o += size;
    }
    census->cursor_seen |= o == pool->cursor;
    return header_is_top(block_header(pool, pool->top));
}

/* --- Table ----------------------------------------------------------------------------------- */

/* The bits of an entry that have no meaning, and the mark. */
static bool check_entry_bits(df_word entry)
{
    df_word allowed = TABLE_GEN_MASK | TABLE_MARK | TABLE_LOCK_MASK | TABLE_ALIGN_MASK;
    return (entry & DF_HALF_MAX & ~allowed) == 0 && (entry_is_empty(entry) || entry_is_used(entry));
}

static bool check_entries(const defrag_pool *pool, uint32_t *empty)
{
    *empty = 0;
    for (uint32_t slot = 1; slot <= table_slots(pool); slot++) {
        df_word entry = table_entry(pool, slot);
        if (!check_entry_bits(entry))
            return false;
        *empty += entry_is_empty(entry);
    }
    return (table_entry(pool, 0) & DF_HALF_MAX) == TABLE_MARK;
}

/* The list has `empty` slots, all empty, and ends where the tail says. */
static bool check_list(const defrag_pool *pool, uint32_t empty)
{
    uint32_t tail = 0;
    for (uint32_t slot = table_first_empty(pool); slot != 0; slot = entry_offset(table_entry(pool, slot))) {
        if (slot > table_slots(pool) || empty == 0 || !entry_is_empty(table_entry(pool, slot)))
            return false;
        empty--;
        tail = slot;
    }
    return empty == 0 && tail == pool->free_tail;
}

static bool check_table(const defrag_pool *pool, const struct census *census)
{
    uint32_t empty;
    return check_entries(pool, &empty) && census->used_blocks == table_slots(pool) - empty
           && check_list(pool, empty);
}

/* --- Bins -------------------------------------------------------------------------------------- */

/*
 * Whether a free block begins at `o`: a used block that the chain of blocks has
 * shown lies at its end, and says how long the free block before it is.
 */
static bool is_free_block(const defrag_pool *pool, df_granules o)
{
    if (!block_is_inside(pool, o) || header_is_used(block_header(pool, o)))
        return false;
    df_granules size = links_size(block_links(pool, o));
    if (size < BLOCK_MIN || size >= pool->top - o)
        return false;
    df_word above = block_header(pool, o + size);
    return header_is_used(above) && (above & BLOCK_PREV_FREE) && heap_is_owned(pool, o + size, above)
           && block_size_before(pool, o + size) == size;
}

/* The words of a bin besides the sentinel's two. */
static bool is_bin_clean(const defrag_pool *pool, unsigned bin)
{
    df_word bits = 0;
    for (size_t i = 2; i < DF_BIN_WORDS; i++)
        bits |= pool->bins[bin - DF_BIN_FIRST][i];
    return bits == 0;
}

/* The ring of a bin, which may hold up to `*left` blocks; they are subtracted. */
static bool check_ring(const defrag_pool *pool, unsigned bin, uint32_t *left)
{
    df_granules sentinel = bins_sentinel(bin);
    df_granules previous = sentinel;
    if (links_size(block_links(pool, sentinel)) != 0 || !is_bin_clean(pool, bin))
        return false;
    for (df_granules o = bins_head(pool, bin); o != sentinel; o = links_next(block_links(pool, o))) {
        if (*left == 0 || !is_free_block(pool, o) || block_header(pool, o) != previous
            || bins_of(links_size(block_links(pool, o))) != bin)
            return false;
        --*left;
        previous = o;
    }
    bool empty = previous == sentinel;
    return block_header(pool, sentinel) == previous && !(pool->map & bins_bit(bin)) == empty;
}

static bool check_bins(const defrag_pool *pool, const struct census *census)
{
    uint32_t left = census->linked_blocks;
    for (unsigned bin = DF_BIN_FIRST; bin <= DF_BIN_LAST; bin++) {
        if (!check_ring(pool, bin, &left))
            return false;
    }
    /* The bits of bins that do not exist. */
    return left == 0 && pool->map >> (DF_MAP_BITS - DF_BIN_FIRST) == 0;
}

/* --- Counts ------------------------------------------------------------------------------------ */

static bool check_counts(const defrag_pool *pool, const struct census *census)
{
    return pool->free == census->free + heap_wilderness(pool) && pool->free_lowest <= pool->free
           && heap_peak_live(pool) <= heap_capacity(pool) && pool->fewest_free <= heap_capacity(pool)
           && pool->hole_bound <= heap_capacity(pool) && pool->peak_blocks >= census->used_blocks
           && pool->peak_blocks <= TABLE_SLOTS_MAX && census->cursor_seen;
}

bool df_check(const defrag_pool *pool)
{
    struct census census = {0, 0, 0, false};
    return check_marks(pool) && check_blocks(pool, &census) && check_table(pool, &census)
           && check_bins(pool, &census) && check_counts(pool, &census);
}

defrag_status defrag_check(const defrag_pool *pool)
{
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    status = pool->hot_limit == heap_hot_limit(pool) && df_check(pool) ? DEFRAG_OK : DEFRAG_CORRUPT;
    heap_leave(pool);
    return status;
}
