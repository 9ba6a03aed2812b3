/* SPDX-License-Identifier: MIT */
/*
 * Making room.
 *
 * If the table has to grow and the wilderness is empty, the blocks above the
 * last gap have to move whatever else does. They are kept out of the search,
 * whose last gap is then the one below them, less what the table takes.
 */
#include "room.h"
#include "slide.h"

/* The last free block, or 0 if there is none above the last locked block. */
static df_granules last_gap(const defrag_pool *pool)
{
    df_granules gap = 0;
    for (df_granules o = DF_FIRST; o < pool->top;) {
        df_word header = block_header(pool, o);
        if (!header_is_used(header))
            gap = o;
        else if (mover_stays(pool, o, header))
            gap = 0;
        o += block_size(pool, o, header);
    }
    return gap;
}

/* The wilderness is empty and the table has to grow: what lies above the last gap moves in any case. */
static defrag_status make_room_below_table(defrag_pool *pool, df_granules size, df_granules grow)
{
    df_granules gap = last_gap(pool);
    if (gap == 0)
        return DEFRAG_PINNED;
    df_granules last = block_free_size(pool, gap, block_header(pool, gap)) - grow;
    struct slide_run run = df_cheapest_run(pool, size, gap, last);
    if (!run.found)
        return DEFRAG_PINNED;
    if (run.end == gap) {
        (void)df_slide(pool, run.begin, pool->top);
        return DEFRAG_OK;
    }
    (void)df_slide(pool, gap, pool->top);
    (void)df_slide(pool, run.begin, run.end);
    return DEFRAG_OK;
}

defrag_status df_make_room(defrag_pool *pool, df_granules size, df_granules grow)
{
    if (heap_wilderness(pool) < grow)
        return make_room_below_table(pool, size, grow);
    struct slide_run run = df_cheapest_run(pool, size, pool->top, heap_wilderness(pool) - grow);
    if (!run.found)
        return DEFRAG_PINNED;
    (void)df_slide(pool, run.begin, run.end);
    return DEFRAG_OK;
}

df_granules df_largest_sum(const defrag_pool *pool, df_granules spare, df_granules grow)
{
    bool manual = heap_is_manual(pool);
    df_granules largest = 0;
    df_granules sum = 0;
    for (df_granules o = DF_FIRST; o < pool->top;) {
        df_word header = block_header(pool, o);
        df_granules size = block_size(pool, o, header);
        if (!header_is_used(header)) {
            sum += size;
        } else if (manual || mover_stays(pool, o, header)) {
            largest = sum > largest ? sum : largest;
            sum = 0;
        }
        o += size;
    }
    sum += heap_wilderness(pool) + spare;
    if (sum < grow)
        return 0;
    return sum - grow > largest ? sum - grow : largest;
}
