/* SPDX-License-Identifier: MIT */
/*
 * The only place where the payload of another handle than the caller's moves.
 * What `need` and the plans mean is told in compact.c.
 */
#ifndef DF_COMPACT_H
#define DF_COMPACT_H

#include "scramble.h"

/* A run of blocks that may slide: [begin, end), a gap first and a gap last. */
struct df_run {
    df_granules begin;
    df_granules end;
    df_granules live; /* granules of the used blocks strictly inside */
    bool found;
};

/*
 * Slides the used blocks of [begin, end), none locked, down to `begin`, which is
 * where a free block begins; what is free in it becomes one gap at its end.
 * Returns where that begins. Moves each block once.
 */
df_granules df_slide(defrag_pool *pool, df_granules begin, df_granules end);

/*
 * Makes a gap of `size` granules, and room for the table to grow by `grow`
 * granules, by the cheapest slide. DEFRAG_PINNED if locked blocks forbid it,
 * and nothing has moved then. At least size + grow granules are free.
 */
defrag_status df_make_room(defrag_pool *pool, df_granules size, df_granules grow);

/*
 * Lets the used, unlocked block at `o` grow to `want` granules with the free
 * memory of its own segment, brought to it from both sides at the least cost.
 * Says whether that was enough; if not, nothing has moved.
 */
bool df_gather(defrag_pool *pool, df_granules o, df_granules want);

/*
 * The largest sum of gaps between two blocks that stay (with DEFRAG_MANUAL all of
 * them do), after `spare` granules were added to the last sum and `grow` taken
 * from it; 0 if it has none to take.
 */
df_granules df_largest_sum(const defrag_pool *pool, df_granules spare, df_granules grow);

#endif
