/* SPDX-License-Identifier: MIT */
/*
 * Sliding blocks down, and the runs of blocks that may slide. What they are, and
 * why the cheapest is the cheapest, is told in slide.c.
 */
#ifndef DF_SLIDE_H
#define DF_SLIDE_H

#include "mover.h"

/* A run of blocks that may slide, or leave: [begin, end). */
struct slide_run {
    df_granules begin;
    df_granules end;
    df_granules live; /* granules of its used blocks */
    bool found;
};

/* The run of blocks that ends at the mark, as a search carries it along. */
struct slide_window {
    df_granules begin;
    df_granules length; /* granules of its gaps; if blocks may leave it, of its blocks too */
    df_granules live;   /* granules of its blocks                                          */
    bool leave;
};

/* Takes the block at `o` into the window, or begins anew behind it if it stays. */
void df_window_add(const defrag_pool *pool, struct slide_window *window, df_granules o);

/* Drops what the window begins with, but nothing from `last` on, as long as it is `need` long without. */
void df_window_shrink(const defrag_pool *pool, struct slide_window *window, df_granules need,
                      df_granules last);

/*
 * The cheapest run for `need` granules among the blocks below `stop`, where a
 * last gap of `stop_size` granules begins. A run that has that one ends at `stop`.
 * If `leave`, the blocks of the run may leave it, and its whole length counts: what
 * no way of making room can do for less.
 */
void df_cheapest_run(const defrag_pool *pool, df_granules need, df_granules stop, df_granules stop_size,
                     bool leave, struct slide_run *best);

/* Slides the used blocks of [begin, end) down to `begin` and takes its gaps out of their bins. */
df_granules df_slide_down(defrag_pool *pool, df_granules begin, df_granules end);

/*
 * Slides the used blocks of [begin, end), none locked, down to `begin`, which is
 * where a free block begins; what is free in it becomes one gap at its end.
 * Returns where that begins. Moves each block once.
 */
df_granules df_slide(defrag_pool *pool, df_granules begin, df_granules end);

#endif
