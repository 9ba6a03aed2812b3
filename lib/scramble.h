/* SPDX-License-Identifier: MIT */
/*
 * Moving what need not move, so that a pointer kept too long is found out. How
 * is told in scramble.c.
 */
#ifndef DF_SCRAMBLE_H
#define DF_SCRAMBLE_H

#include "mover.h"

/* Which runs of adjacent blocks df_scramble_runs() turns. */
#define SCRAMBLE_NONE 0u /* only what is free is filled                                                   */
#define SCRAMBLE_LOW  1u /* those with no gap below them in their stretch: compaction leaves them alone */
#define SCRAMBLE_HIGH 2u /* those with a gap below them                                                */

/* Whether explicit calls scramble. */
DF_INLINE bool scramble_is_on(const defrag_pool *pool)
{
    const defrag_config *config = heap_config(pool);
    return !DEFRAG_NO_SCRAMBLE && config && (config->flags & DEFRAG_SCRAMBLE);
}

/* Whether alloc and resize do: they may move other blocks besides. */
DF_INLINE bool scramble_is_free(const defrag_pool *pool)
{
    return scramble_is_on(pool) && !heap_is_manual(pool);
}

/*
 * Turns every stretch between locked blocks, and fills what is free. The block of
 * the slot `nameless`, if not 0, is new: it is filled as well, and its moves are
 * neither counted nor shown to on_move. O(B) and the bytes of the pool.
 */
void df_scramble_stretches(defrag_pool *pool, uint32_t seed, uint32_t nameless);

/*
 * Turns such runs, and fills what is free. Gaps stay as they are: no hole changes,
 * nor what compaction has yet to do.
 */
void df_scramble_runs(defrag_pool *pool, unsigned which);

#endif
