/* SPDX-License-Identifier: MIT */
#include "room.h"
#include "mover.h"
#include "plan.h"

defrag_status df_make_room(defrag_pool *pool, df_granules size, df_granules grow)
{
    struct df_plan plan;
    if (!df_plan_make(pool, size, grow, &plan))
        return DEFRAG_PINNED;
    df_plan_commit(pool, &plan);
    return DEFRAG_OK;
}

df_granules df_largest_sum(const defrag_pool *pool, df_granules spare, df_granules grow)
{
    bool manual = heap_is_manual(pool);
    df_granules largest = 0;
    df_granules sum = 0;
    for (df_granules o = DF_FIRST; o < pool->top;) {
        df_word header = block_header(pool, o);
        df_granules size = block_size(pool, o, header);
        if (!header_is_used(header)) {
            sum += size;
        } else if (manual || mover_stays(pool, o, header)) {
            largest = sum > largest ? sum : largest;
            sum = 0;
        }
        o += size;
    }
    sum += heap_wilderness(pool) + spare;
    if (sum < grow)
        return 0;
    return sum - grow > largest ? sum - grow : largest;
}
