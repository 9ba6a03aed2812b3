/* SPDX-License-Identifier: MIT */
/* Letting a block grow where it is, with the free memory around it. */
#ifndef DF_GATHER_H
#define DF_GATHER_H

#include "heap.h"

/*
 * Lets the used, unlocked block at `o` grow to `want` granules with the free
 * memory of its own segment, brought to it from both sides at the least cost.
 * Says whether that was enough; if not, nothing has moved.
 */
bool df_gather(defrag_pool *pool, df_granules o, df_granules want);

/*
 * Makes a gap of `size` granules at `place`, which is below the top and the bottom
 * or the end of a block that stays: the blocks above it move up into the next gaps.
 * The wilderness keeps `grow` granules. False if these gaps are too small together,
 * or a locked block is in the way.
 */
bool df_lift(defrag_pool *pool, df_granules place, df_granules size, df_granules grow);

#endif
