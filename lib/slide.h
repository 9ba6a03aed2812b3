/* SPDX-License-Identifier: MIT */
/*
 * Sliding blocks down, and the runs of blocks that may slide. What they are, and
 * why the cheapest is the cheapest, is told in slide.c.
 */
#ifndef DF_SLIDE_H
#define DF_SLIDE_H

#include "mover.h"

/* A run of blocks that may slide: [begin, end), a gap first and a gap last. */
struct slide_run {
    df_granules begin;
    df_granules end;
    df_granules live; /* granules of the used blocks strictly inside */
    bool found;
};

/* The run that ends at the mark, as a search carries it along. */
struct slide_window {
    df_granules begin; /* its first gap                          */
    df_granules gaps;  /* granules in its gaps                   */
    df_granules live;  /* granules in the blocks strictly inside */
};

/* Takes the gap of `size` granules at `o` into the window. */
DF_INLINE void window_add_gap(struct slide_window *window, df_granules o, df_granules size)
{
    if (window->gaps == 0) {
        window->begin = o;
        window->live = 0;
    }
    window->gaps += size;
}

/* Takes the used block at `o` into the window, or begins anew behind it if it stays. */
DF_INLINE void window_add_used(const defrag_pool *pool, struct slide_window *window, df_granules o,
                               df_word header)
{
    if (mover_stays(pool, o, header))
        window->gaps = 0;
    else
        window->live += header_size(header);
}

/*
 * Drops the first gap as long as the others add up to `need`; the window then
 * begins at the next gap, at `last` in the end.
 */
void df_window_shrink(const defrag_pool *pool, struct slide_window *window, df_granules need,
                      df_granules last);

/*
 * The cheapest run for `need` granules among the blocks below `stop`, where a
 * last gap of `stop_size` granules begins. A run that has that one ends at `stop`.
 */
struct slide_run df_cheapest_run(const defrag_pool *pool, df_granules need, df_granules stop,
                                 df_granules stop_size);

/* Slides the used blocks of [begin, end) down to `begin` and takes its gaps out of their bins. */
df_granules df_slide_down(defrag_pool *pool, df_granules begin, df_granules end);

/*
 * Slides the used blocks of [begin, end), none locked, down to `begin`, which is
 * where a free block begins; what is free in it becomes one gap at its end.
 * Returns where that begins. Moves each block once.
 */
df_granules df_slide(defrag_pool *pool, df_granules begin, df_granules end);

#endif
