/* SPDX-License-Identifier: MIT */
/* Making a gap of a given size where free memory is in pieces, and what is certain to be made. */
#ifndef DF_ROOM_H
#define DF_ROOM_H

#include "heap.h"

/*
 * Makes a gap of `size` granules, and room for the table to grow by `grow`
 * granules, by the cheapest plan found. DEFRAG_PINNED if locked blocks forbid it,
 * and nothing has moved then. At least size + grow granules are free.
 */
defrag_status df_make_room(defrag_pool *pool, df_granules size, df_granules grow);

/*
 * The largest sum of gaps between two blocks that stay (with DEFRAG_MANUAL all of
 * them do), after `spare` granules were added to the last sum and `grow` taken
 * from it; 0 if it has none to take.
 */
df_granules df_largest_sum(const defrag_pool *pool, df_granules spare, df_granules grow);

#endif
