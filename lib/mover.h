/* SPDX-License-Identifier: MIT */
/*
 * Moving a block: its words, its entry, the counters, the caller's hook. What
 * its old place becomes is up to who moves it.
 */
#ifndef DF_MOVER_H
#define DF_MOVER_H

#include "heap.h"

/* Between these the image may be inconsistent; a dump of it says so. */
DF_INLINE void mover_begin(defrag_pool *pool)
{
    pool->busy |= DF_BUSY_MOVING;
}

DF_INLINE void mover_end(defrag_pool *pool)
{
    pool->busy &= (uint8_t)~DF_BUSY_MOVING;
}

/* Whether the used block at `o` stays: it is locked; or it is damaged, and nothing may rely on it. */
DF_INLINE bool mover_stays(const defrag_pool *pool, df_granules o, df_word header)
{
    return !heap_is_owned(pool, o, header) || entry_lock(table_entry(pool, header_owner(header))) != 0;
}

/*
 * Moves the used block at `from`, whose header is `header`, down to `to`. The
 * places may overlap. The block before it is taken to be used.
 */
void df_move_down(defrag_pool *pool, df_granules from, df_granules to, df_word header);

/* The same upward. */
void df_move_up(defrag_pool *pool, df_granules from, df_granules to, df_word header);

/* Moves the used block at `from` to `to`, which was taken for it but is still counted as free, and frees its place. */
void df_move_into(defrag_pool *pool, df_granules from, df_granules to);

/* The same to a free block, or the top, of which it takes `want` granules, no fewer than it has. */
void df_move_away(defrag_pool *pool, df_granules from, df_granules to, df_granules want);

/*
 * The rest of a move, header and payload being at `to`: the entry, the counters, the hook.
 * Valgrind knows already.
 */
void df_moved(defrag_pool *pool, df_granules from, df_granules to, df_word header);

#endif
