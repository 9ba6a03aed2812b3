/* SPDX-License-Identifier: MIT */
/* Letting a block grow where it is, with the free memory around it. */
#ifndef DF_GATHER_H
#define DF_GATHER_H

#include "slide.h"

/*
 * The cheapest way, of those that cost less than `limit` granules, to let the used
 * block at `o` grow by `need` granules with the gaps of its own segment: the run of
 * blocks that has it in it or at its edge. Those above it slide up; those below it,
 * if such are looked at, slide down, and then so does this one. What it costs is
 * `best->live`. O(1) for each block below, and of those above for as many as `limit`
 * granules hold.
 */
void df_gather_run(const defrag_pool *pool, df_granules o, df_granules need, df_granules limit, bool below,
                   struct slide_run *best);

/* Lets the unlocked block at `o` grow to `want` granules with the run that was found for it. */
void df_gather(defrag_pool *pool, df_granules o, df_granules want, const struct slide_run *run);

/*
 * Makes a gap of `size` granules at `place`, which is below the top and the bottom
 * or the end of a block that stays: the blocks above it move up into the next gaps.
 * The wilderness keeps `grow` granules. False if these gaps are too small together,
 * or a locked block is in the way.
 */
bool df_lift(defrag_pool *pool, df_granules place, df_granules size, df_granules grow);

#endif
