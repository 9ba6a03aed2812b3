/* SPDX-License-Identifier: MIT */
#include "bins.h"

#if BINS_LISTED
#define SHIFT(x)   ((x) < 8u ? 0u : (x) < 16u ? 1u : (x) < 32u ? 2u : 3u)
#define BIN(x)     (uint8_t)(((x) >> SHIFT(x)) + 4u * SHIFT(x))
#define BINS_4(x)  BIN(x), BIN((x) + 1u), BIN((x) + 2u), BIN((x) + 3u)
#define BINS_16(x) BINS_4(x), BINS_4((x) + 4u), BINS_4((x) + 8u), BINS_4((x) + 12u)

const uint8_t df_bins_listed[BINS_LISTED] = {BINS_16(0u), BINS_16(16u), BINS_16(32u), BINS_16(48u)};
#endif

void df_bins_insert(defrag_pool *pool, df_granules o, df_granules size)
{
    df_map map = pool->map;
    bins_link(pool, &map, o, size);
    pool->map = map;
}

df_granules df_bins_remove(defrag_pool *pool, df_granules o, df_word header)
{
    df_map map = pool->map;
    df_granules size = bins_unlink(pool, &map, o, header);
    pool->map = map;
    return size;
}
