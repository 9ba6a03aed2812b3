/* SPDX-License-Identifier: MIT */
/* Compiled once for each build, with its DEFRAG_PREFIX; see canon.h. */
#include "lib/bins.h"
#include "lib/table.h"

#include "canon.h"

/* --- Reading ------------------------------------------------------------------------ */

/* The chain of blocks, all but `next`. */
static bool read_blocks(const defrag_pool *pool, struct canon *c)
{
    df_granules gap = 0;
    c->cursor = 0xff;
    for (df_granules o = DF_FIRST; o < pool->top;) {
        df_word header = block_header(pool, o);
        df_granules size = block_size(pool, o, header);
        bool used = header_is_used(header);
        if (size > CANON_GRANULES || c->blocks == CANON_BLOCKS)
            return false;
        if (o == pool->cursor)
            c->cursor = (uint8_t)(2 * c->blocks + used);
        if (used)
            c->block[c->blocks++] = (struct canon_block){.gap = (uint8_t)gap,
                                                         .size = (uint8_t)size,
                                                         .slot = (uint8_t)header_owner(header),
                                                         .next = CANON_LAST,
                                                         .at = (uint8_t)(o - DF_FIRST)};
        gap = used ? 0 : size;
        o += size;
    }
    if (pool->cursor == pool->top)
        c->cursor = (uint8_t)(2 * c->blocks);
    c->hole_bound = (uint8_t)pool->hole_bound;
    return pool->hole_bound <= CANON_GRANULES;
}

static bool is_linked(const struct canon_block *block)
{
    return block->gap > (BLOCK_HAS_BARE ? 1 : 0);
}

static df_granules gap_place(const struct canon_block *block)
{
    return (df_granules)DF_FIRST + block->at - block->gap;
}

static void read_rings(const defrag_pool *pool, struct canon *c)
{
    for (unsigned i = 0; i < c->blocks; i++) {
        if (!is_linked(&c->block[i]))
            continue;
        df_granules next = links_next(block_links(pool, gap_place(&c->block[i])));
        for (unsigned j = 0; j < c->blocks; j++)
            if (c->block[j].gap && gap_place(&c->block[j]) == next)
                c->block[i].next = (uint8_t)j;
    }
}

static bool read_slots(const defrag_pool *pool, struct canon *c, canon_generations generations)
{
    generations[0] = pool->seed;
    c->first_empty = (uint8_t)table_first_empty(pool);
    for (uint32_t slot = 1; slot <= c->slots; slot++) {
        df_word entry = table_entry(pool, slot);
        unsigned lock = entry_lock(entry);
        generations[slot] = (uint8_t)entry_generation(entry);
        if (entry_is_empty(entry))
            c->slot[slot] = (uint8_t)entry_offset(entry);
        else if (entry_align(entry) > 1 || (lock > 1 && lock != TABLE_LOCK_ALONE))
            return false;
        else if (entry_align(entry) == 1)
            c->slot[slot] = (uint8_t)(CANON_ALIGNED + (lock == TABLE_LOCK_ALONE ? 2 : lock));
        else if (lock == 0)
            c->slot[slot] = CANON_UNLOCKED;
        else
            c->slot[slot] = (uint8_t)((lock == 1 ? CANON_SHARED : CANON_ALONE) + entry_is_passed(entry));
    }
    return true;
}

static bool canon_read(const defrag_pool *pool, struct canon *c, canon_generations generations)
{
    memset(c, 0, sizeof *c);
    if (table_slots(pool) > CANON_BLOCKS)
        return false;
    c->slots = (uint8_t)table_slots(pool);
    if (!read_blocks(pool, c) || !read_slots(pool, c, generations))
        return false;
    read_rings(pool, c);
    return true;
}

/* --- Drawing ---------------------------------------------------------------------------- */

/* The block above the gap that precedes gap `i` in its bin, or CANON_LAST. */
static unsigned previous_of(const struct canon *c, unsigned i)
{
    for (unsigned j = 0; j < c->blocks; j++)
        if (is_linked(&c->block[j]) && c->block[j].next == i)
            return j;
    return CANON_LAST;
}

static void draw_gap(defrag_pool *pool, const struct canon *c, unsigned i)
{
    const struct canon_block *block = &c->block[i];
    df_granules o = gap_place(block);
    pool->free = (df_half)(pool->free + block->gap);
    if (!is_linked(block)) {
        block_set_header(pool, o, BLOCK_BARE);
        return;
    }
    unsigned bin = bins_of(block->gap);
    unsigned previous = previous_of(c, i);
    df_granules before = previous == CANON_LAST ? bins_sentinel(bin) : gap_place(&c->block[previous]);
    df_granules after = block->next == CANON_LAST ? bins_sentinel(bin) : gap_place(&c->block[block->next]);
    block_set_free(pool, o, block->gap, before, after);
    if (previous == CANON_LAST)
        word_store(pool, block_bytes(before), o);
    if (block->next == CANON_LAST)
        block_set_header(pool, after, o);
    pool->map |= bins_bit(bin);
}

static void draw_entry(defrag_pool *pool, const struct canon *c, uint32_t slot, bool used, df_granules o,
                       unsigned generation)
{
    static const df_word aligned = 1u << TABLE_ALIGN_SHIFT | TABLE_MARK;
    static const df_word locks[] = {0,
                                    TABLE_LOCK_ONE,
                                    TABLE_LOCK_ONE | TABLE_MARK,
                                    TABLE_LOCK_MASK,
                                    TABLE_LOCK_MASK | TABLE_MARK,
                                    aligned,
                                    aligned | TABLE_LOCK_ONE,
                                    aligned | TABLE_LOCK_MASK};
    df_word low = (used ? locks[c->slot[slot]] : TABLE_MARK) | (df_word)generation << TABLE_GEN_SHIFT;
    table_set_entry(pool, slot, entry_with_offset(low, used ? o : c->slot[slot]));
}

static void draw_table(defrag_pool *pool, const struct canon *c, const canon_generations generations)
{
    pool->table = table_place(pool);
    table_set_slots(pool, c->slots);
    pool->floor = (df_half)(pool->granules - table_granules(c->slots));
    pool->seed = generations[0];
    pool->free_tail = 0;
    table_set_entry(pool, 0, entry_with_offset(TABLE_MARK, c->first_empty));
    for (uint32_t slot = 1; slot <= c->slots; slot++)
        draw_entry(pool, c, slot, false, 0, generations[slot]);
    for (unsigned i = 0; i < c->blocks; i++)
        draw_entry(pool, c, c->block[i].slot, true, (df_granules)DF_FIRST + c->block[i].at,
                   generations[c->block[i].slot]);
    for (uint32_t slot = c->first_empty; slot != 0; slot = c->slot[slot])
        pool->free_tail = (df_half)slot;
}

static df_granules boundary(const struct canon *c, unsigned number, df_granules top)
{
    if (number == 2u * c->blocks)
        return top;
    const struct canon_block *block = &c->block[number / 2];
    return number % 2 ? (df_granules)DF_FIRST + block->at : gap_place(block);
}

/* What no call changes. */
static void draw_constants(defrag_pool *pool, const defrag_pool *fresh)
{
    __builtin_memcpy(pool, fresh, offsetof(defrag_pool, hot_limit));
    pool->granules = fresh->granules;
    pool->base = fresh->base;
    pool->skipped = fresh->skipped;
}

static void canon_draw(defrag_pool *pool, const defrag_pool *fresh, const struct canon *c,
                       const canon_generations generations)
{
    draw_constants(pool, fresh);
    bins_format(pool);
    pool->free = 0;
    df_granules top = DF_FIRST;
    for (unsigned i = 0; i < c->blocks; i++) {
        const struct canon_block *block = &c->block[i];
        df_granules o = (df_granules)DF_FIRST + block->at;
        if (block->gap)
            draw_gap(pool, c, i);
        block_set_header(pool, o, header_used(block->size, block->slot) | (block->gap ? BLOCK_PREV_FREE : 0));
        top = o + block->size;
    }
    block_set_top(pool, top);
    draw_table(pool, c, generations);
    pool->cursor = (df_half)boundary(c, c->cursor, top);
    pool->hole_bound = c->hole_bound;
    pool->free = (df_half)(pool->free + pool->floor - top);
}

static void draw_statistics(defrag_pool *pool)
{
    pool->free_lowest = pool->free;
    pool->fewest_free = pool->free;
    pool->peak_live = 0;
    pool->peak_blocks = (df_half)table_slots(pool);
}

/* --- Comparing ------------------------------------------------------------------------------ */

static bool same_between(const defrag_pool *a, const defrag_pool *b, size_t from, size_t to)
{
    return __builtin_memcmp((const uint8_t *)a + from, (const uint8_t *)b + from, to - from) == 0;
}

static bool same(const defrag_pool *a, const defrag_pool *b, size_t bytes)
{
    size_t lowest = offsetof(defrag_pool, free_lowest);
    size_t first = offsetof(defrag_pool, peak_live);
    size_t end = offsetof(defrag_pool, moved_granules) + sizeof a->moved_granules;
    return same_between(a, b, 0, lowest) && same_between(a, b, lowest + sizeof a->free_lowest, first)
           && same_between(a, b, end, bytes) && a->hole_bound == b->hole_bound;
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
#if DEFRAG_WIDE
#define NAME "w" TEXT(DEFRAG_ALIGNMENT)
#else
#define NAME "n" TEXT(DEFRAG_ALIGNMENT)
#endif

extern const struct canon_build DEFRAG_NAME(canon);

const struct canon_build DEFRAG_NAME(canon) = {
    .name = NAME,
    .first = DF_FIRST,
    .read = canon_read,
    .draw = canon_draw,
    .draw_statistics = draw_statistics,
    .same = same,
};
