/* SPDX-License-Identifier: MIT */
/*
 * The slide of a build, compiled once for each. It looks into pools, which build_one.c must not: where a pool's
 * insides are known, gcc 12 breaks off at a table of functions that are given a `defrag_pool **` with -flto.
 */
#include "slide_one.h"

#include "slide.h"

void build_slide(defrag_pool *pool, size_t begin, size_t end)
{
    size_t stop = (end + DF_WORD) / DF_GRANULE;
    df_granules first = (df_granules)((begin + DF_WORD) / DF_GRANULE);
    (void)df_slide(pool, first, stop < pool->top ? (df_granules)stop : pool->top);
}
