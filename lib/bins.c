/* SPDX-License-Identifier: MIT */
#include "bins.h"

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
