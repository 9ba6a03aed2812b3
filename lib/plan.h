/* SPDX-License-Identifier: MIT */
/*
 * Plans for making a gap where free memory is in pieces, at the least cost. How
 * they are found is told in plan.c.
 */
#ifndef DF_PLAN_H
#define DF_PLAN_H

#include "slide.h"

/*
 * The unlocked blocks of the run leave for the places that are reserved for them, or
 * slide down to its beginning. Where the last gap is to be part of it, it ends where
 * that begins. Where the table needs room and has none, another block may leave as well.
 */
struct df_plan {
    struct slide_run run;
    df_granules cost;     /* granules that will move                               */
    df_granules reserved; /* the place reserved last; 0: none, all slide           */
    uint32_t places;      /* so many are                                           */
    df_granules last;     /* where the last gap begins, or will when that block left */
    df_granules keep;     /* a block that slides down and is not in `run.live`; 0: none */
    uint32_t visits;      /* blocks and holes that were looked at                  */
    bool sinks;           /* what lies above slides down to there as well          */
};

/*
 * Plans a gap of `size` granules, and room for the table to grow by `grow`
 * granules, of which size + grow are free. False if locked blocks leave no way that
 * is looked for. Else places are reserved, and until df_plan_commit() or
 * df_plan_release() nothing else may be done with the pool.
 */
bool df_plan_make(defrag_pool *pool, df_granules size, df_granules grow, struct df_plan *plan);

/*
 * The same with the block at `o` in the gap, for which it will have `want` granules: that one
 * slides to where the gap begins, and others leave, together less than `limit` granules;
 * or, if that is the cheapest, it stays and those right above it leave. As many blocks and
 * holes are looked at as the configuration allows, and O(blocks below) besides.
 */
bool df_plan_around(defrag_pool *pool, df_granules o, df_granules want, df_granules limit,
                    struct df_plan *plan);

/* Moves what is to be moved. */
void df_plan_commit(defrag_pool *pool, const struct df_plan *plan);

/* Leaves it: but for the bytes of free memory the pool is as before the plan was made. */
void df_plan_release(defrag_pool *pool, struct df_plan *plan);

/*
 * Plans a gap at a place of the caller's choice, where a gap begins or a block that
 * follows another, and moves what is to be moved: the gap begins there, and all that lay in
 * it left, which is less than `limit` granules; nor are more than `limit` blocks and holes
 * looked at, but for those of the bins where a hole is being looked for then. UINT32_MAX: no
 * limit, O(blocks that leave x holes). False if that cannot be.
 */
bool df_clear_place(defrag_pool *pool, df_granules place, df_granules size, df_granules grow,
                    df_granules limit);

#endif
