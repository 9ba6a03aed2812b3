/* SPDX-License-Identifier: MIT */
#include "bins.h"

void df_bins_insert(defrag_pool *pool, df_granules o, df_granules size)
{
    bins_insert(pool, o, size);
}

df_granules df_bins_remove(defrag_pool *pool, df_granules o, df_word header)
{
    return bins_remove(pool, o, header);
}
