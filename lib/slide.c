/* SPDX-License-Identifier: MIT */
/*
 * Gaps are the free blocks and the wilderness. Locked blocks cut the pool into
 * segments; within one, sliding blocks down adds gaps up, in order:
 *
 *   [ gap ][ A ][ gap ][ B ][ gap ]  ->  [ A ][ B ][ gap          ]
 *   begin                          end
 *
 * Of all runs with gaps of at least `need` granules together, the cheapest has the
 * fewest live granules strictly inside. For each last gap the nearest first gap is
 * found with two marks that only move up, so the search is one pass. No
 * rearrangement that keeps the order of the blocks moves less: around its final gap
 * take the nearest block on each side that stays; all between them moved, and their
 * gaps hold the final one, so that they are such a run.
 */
#include "slide.h"

/* --- Sliding --------------------------------------------------------------------- */

df_granules df_slide_down(defrag_pool *pool, df_granules begin, df_granules end)
{
    df_granules to = begin;
    for (df_granules from = begin, last = 0;
         from < end && (!DEFRAG_HARDENING || from > last);) { /* coverage: as in word_is_writable() */
        df_word header = block_header(pool, from);
        last = from; /* NOLINT(*DeadStores): only a hardened build looks at it */
        if (header_is_used(header)) {
            df_granules size = header_size(header);
            df_move_down(pool, from, to, header);
            to += size;
            from += size;
        } else {
            from += df_bins_remove(pool, from, header);
        }
    }
    return to;
}

df_granules df_slide(defrag_pool *pool, df_granules begin, df_granules end)
{
    mover_begin(pool);
    df_granules to = df_slide_down(pool, begin, end);
    if (end == pool->top) {
        block_set_top(pool, to);
    } else {
        df_bins_insert(pool, to, end - to);
        block_set_prev_free(pool, end);
    }
    mover_end(pool);
    /* No need to lower the cursor: a gap below it lies below a locked block, so that none slides into it. */
    return to;
}

/* --- The cheapest slide ---------------------------------------------------------------- */

void df_window_shrink(const defrag_pool *pool, struct slide_window *window, df_granules need,
                      df_granules last)
{
    while (window->begin != last) {
        df_granules o = window->begin;
        df_granules gap = block_free_size(pool, o, block_header(pool, o));
        if (window->gaps - gap < need)
            return;
        window->gaps -= gap;
        o += gap;
        while (o != last && header_is_used(block_header(pool, o))) {
            df_granules size = header_size(block_header(pool, o));
            window->live -= size;
            o += size;
        }
        window->begin = o;
    }
}

/* The same, and then whether the run up to this gap is the cheapest so far. */
static bool window_offers(const defrag_pool *pool, struct slide_window *window, df_granules o,
                          df_granules size, df_granules need, struct slide_run *best)
{
    window_add_gap(window, o, size);
    if (window->gaps < need)
        return false;
    df_window_shrink(pool, window, need, o);
    if (best->found && window->live >= best->live)
        return false;
    best->begin = window->begin;
    best->end = o + size;
    best->live = window->live;
    best->found = true;
    return true;
}

struct slide_run df_cheapest_run(const defrag_pool *pool, df_granules need, df_granules stop,
                                 df_granules stop_size)
{
    struct slide_run best = {0, 0, 0, false};
    struct slide_window window = {0, 0, 0};
    for (df_granules o = DF_FIRST; o < stop;) {
        df_word header = block_header(pool, o);
        df_granules size = block_size(pool, o, header);
        if (header_is_used(header))
            window_add_used(pool, &window, o, header);
        else
            (void)window_offers(pool, &window, o, size, need, &best);
        o += size;
    }
    if (stop_size > 0 && window_offers(pool, &window, stop, stop_size, need, &best))
        best.end = stop;
    return best;
}
