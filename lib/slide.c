/* SPDX-License-Identifier: MIT */
/*
 * Gaps are the free blocks and the wilderness. Locked blocks cut the pool into
 * segments; within one, sliding blocks down adds gaps up, in order:
 *
 *   [ gap ][ A ][ gap ][ B ][ gap ]  ->  [ A ][ B ][ gap          ]
 *   begin                          end
 *
 * Of all runs with gaps of at least `need` granules together, the cheapest has the
 * fewest live granules strictly inside. For each last block the nearest first one is
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

/* --- The cheapest run ------------------------------------------------------------------ */

void df_window_add(const defrag_pool *pool, struct slide_window *window, df_granules o)
{
    df_word header = block_header(pool, o);
    df_granules size = block_size(pool, o, header);
    bool used = header_is_used(header);
    if (used && mover_stays(pool, o, header)) {
        window->begin = o + size;
        window->length = 0;
        window->live = 0;
        return;
    }
    if (used)
        window->live += size;
    if (!used || window->leave)
        window->length += size;
}

void df_window_shrink(const defrag_pool *pool, struct slide_window *window, df_granules need,
                      df_granules last)
{
    while (window->begin != last) {
        df_word header = block_header(pool, window->begin);
        df_granules size = block_size(pool, window->begin, header);
        bool used = header_is_used(header);
        df_granules length = !used || window->leave ? size : 0;
        if (window->length - length < need)
            return;
        window->length -= length;
        if (used)
            window->live -= size;
        window->begin += size;
    }
}

void df_cheapest_run(const defrag_pool *pool, df_granules need, df_granules stop, df_granules stop_size,
                     bool leave, struct slide_run *best)
{
    *best = (struct slide_run){0, 0, 0, false};
    struct slide_window window = {DF_FIRST, 0, 0, leave};
    df_granules o = DF_FIRST;
    for (;;) {
        df_granules end = stop;
        if (o == stop) {
            window.length += stop_size;
        } else {
            df_window_add(pool, &window, o);
            end = o + block_size(pool, o, block_header(pool, o));
        }
        if (window.length >= need) {
            df_window_shrink(pool, &window, need, o);
            if (!best->found || window.live < best->live)
                *best = (struct slide_run){window.begin, end, window.live, true};
        }
        if (o == stop)
            return;
        o = end;
    }
}
