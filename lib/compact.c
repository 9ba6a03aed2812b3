/* SPDX-License-Identifier: MIT */
/*
 * Compaction, all at once or in steps.
 *
 * The cursor is a boundary between two blocks. A gap below it lies below a locked
 * block that is marked as passed by; so nothing there can slide. Calls that free
 * memory or swallow a boundary lower the cursor, see heap_lower_cursor(); unlocking
 * a marked block lowers it to the gap.
 */
#include "check.h"
#include "guard.h"
#include "scramble.h"
#include "slide.h"

#define VISIT_BYTES 8 /* what looking at a block costs of a step's budget */

/*
 * The end of the blocks that slide into the gap at `o` for `allowance` bytes, and
 * of the gap behind them; `*bytes` is what will move.
 */
static df_granules reach(const defrag_pool *pool, df_granules o, size_t allowance, size_t *bytes)
{
    df_granules end = o + block_free_size(pool, o, block_header(pool, o));
    *bytes = 0;
    for (;;) {
        df_word header = block_header(pool, end);
        if (!header_is_used(header) || mover_stays(pool, end, header) || !guard_slide(pool, end)
            || block_bytes(header_size(header)) > allowance - *bytes)
            return end;
        *bytes += block_bytes(header_size(header));
        end += header_size(header);
        header = block_header(pool, end);
        if (!header_is_used(header) && !header_is_top(header))
            end += block_free_size(pool, end, header);
    }
}

/* Marks the block at `o`, which is locked: when it is unlocked, the gap below it is of interest again. */
static void pass_by(defrag_pool *pool, df_granules o, df_word header)
{
    uint32_t slot = header_owner(header);
    if (heap_is_owned(pool, o, header))
        table_set_entry(pool, slot, table_entry(pool, slot) | TABLE_MARK);
}

/*
 * Goes on from the cursor until the top is reached, or `budget` bytes are spent.
 * The first thing is done whatever it costs. Where that cannot be done for
 * damage, nothing is; damage behind it is left to the next step. Adds what moves to `*moved`.
 */
static defrag_status advance(defrag_pool *pool, size_t budget, size_t *moved)
{
    size_t spent = 0;
    while (pool->cursor < pool->top) {
        df_granules o = pool->cursor;
        df_word header = block_header(pool, o);
        if (spent > 0 && spent >= budget)
            return DEFRAG_MORE;
        if (!guard_step(pool, o))
            return spent > 0 ? DEFRAG_MORE : DEFRAG_CORRUPT;
        if (header_is_used(header)) {
            pool->cursor = (df_half)(o + header_size(header));
            spent += VISIT_BYTES;
            continue;
        }
        df_granules above = o + block_free_size(pool, o, header);
        df_word header_above = block_header(pool, above);
        if (mover_stays(pool, above, header_above)) {
            pass_by(pool, above, header_above);
            pool->cursor = (df_half)(above + header_size(header_above));
            spent += VISIT_BYTES;
            continue;
        }
        size_t bytes;
        size_t allowance = budget - spent;
        if (spent == 0 && allowance < block_bytes(header_size(header_above)))
            allowance = block_bytes(header_size(header_above));
        df_granules end = reach(pool, o, allowance, &bytes);
        if (bytes == 0)
            return DEFRAG_MORE;
        pool->cursor = (df_half)df_slide(pool, o, end);
        spent += bytes;
        *moved += bytes;
    }
    return DEFRAG_OK;
}

/* O(1) where there is nothing left to do. */
static defrag_status compact_step(defrag_pool *pool, size_t max_bytes, size_t *moved)
{
    *moved = 0;
    if (heap_is_compact(pool))
        pool->cursor = pool->top;
    return advance(pool, max_bytes, moved);
}

/* Turns such runs if the configuration says so. What a step slides is no low run before and no high run after. */
static void scramble(defrag_pool *pool, unsigned which)
{
    if (scramble_is_on(pool))
        df_scramble_runs(pool, which);
}

defrag_status defrag_compact_step(defrag_pool *pool, size_t max_bytes, size_t *moved)
{
    size_t bytes;
    if (moved)
        *moved = 0;
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    scramble(pool, SCRAMBLE_LOW);
    status = compact_step(pool, max_bytes, &bytes);
    scramble(pool, SCRAMBLE_HIGH);
    heap_leave(pool);
    if (moved)
        *moved = bytes;
    return status;
}

defrag_status defrag_clean(defrag_pool *pool)
{
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    if (check_is_passed(pool))
        df_heap_trim(pool);
    else
        status = DEFRAG_CORRUPT;
    heap_leave(pool);
    return status;
}

/* The budget of a step of defrag_compact(): where others wait to get in, one block. */
static size_t compact_budget(const defrag_pool *pool)
{
    const defrag_config *config = heap_config(pool);
    return config && config->enter ? 1 : SIZE_MAX;
}

/* A part of defrag_compact(): only the first one scrambles, for what moves then does not slide, nor move again. */
static defrag_status compact_part(defrag_pool *pool, bool first)
{
    size_t moved;
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    if (first)
        scramble(pool, SCRAMBLE_LOW);
    status = compact_step(pool, compact_budget(pool), &moved);
    scramble(pool, SCRAMBLE_NONE);
    heap_leave(pool);
    return status;
}

defrag_status defrag_compact(defrag_pool *pool)
{
    defrag_status status = defrag_clean(pool);
    if (status != DEFRAG_OK)
        return status;
    status = compact_part(pool, true);
    while (status == DEFRAG_MORE)
        status = compact_part(pool, false);
    return status;
}
