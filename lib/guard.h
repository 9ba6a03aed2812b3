/* SPDX-License-Identifier: MIT */
/*
 * What a hardened build looks at before a call of bounded cost writes anything:
 * every link that the call is about to follow must agree with what it leads to.
 * Calls that cost O(B + S) anyway demand check_is_passed() instead. In any other
 * build each of these is true and costs nothing.
 *
 * They find damage; that what they miss does no harm outside the pool is the
 * business of word_load(), word_store() and the mover.
 */
#ifndef DF_GUARD_H
#define DF_GUARD_H

#include "heap.h"

bool df_guard_block(const defrag_pool *pool, df_granules o, uint32_t slot);
bool df_guard_below(const defrag_pool *pool, df_granules o, uint32_t slot);
bool df_guard_free(const defrag_pool *pool, df_granules o, uint32_t slot);
bool df_guard_resize(const defrag_pool *pool, df_granules o, uint32_t slot);
bool df_guard_place(const defrag_pool *pool, df_granules o, df_granules size);
bool df_guard_step(const defrag_pool *pool, df_granules o);
bool df_guard_slide(const defrag_pool *pool, df_granules o);
bool df_guard_fill(const defrag_pool *pool, df_granules hole, df_granules o);

/* Whether the block at `o` is the slot's and ends below the top. */
DF_INLINE bool guard_block(const defrag_pool *pool, df_granules o, uint32_t slot)
{
    return !DEFRAG_HARDENING || df_guard_block(pool, o, slot);
}

/* The same, and what it says about a free block before it is so. */
DF_INLINE bool guard_below(const defrag_pool *pool, df_granules o, uint32_t slot)
{
    return !DEFRAG_HARDENING || df_guard_below(pool, o, slot);
}

/* Whether the slot's block at `o`, its neighbours, and where they will be listed are in order. */
DF_INLINE bool guard_free(const defrag_pool *pool, df_granules o, uint32_t slot)
{
    return !DEFRAG_HARDENING || df_guard_free(pool, o, slot);
}

/* Whether the slot's block at `o`, its neighbours and all bins are. */
DF_INLINE bool guard_resize(const defrag_pool *pool, df_granules o, uint32_t slot)
{
    return !DEFRAG_HARDENING || df_guard_resize(pool, o, slot);
}

/* Whether `size` granules can be taken at the free block `o`, or of the wilderness if `o` is 0, and a slot. */
DF_INLINE bool guard_place(const defrag_pool *pool, df_granules o, df_granules size)
{
    return !DEFRAG_HARDENING || df_guard_place(pool, o, size);
}

/* Whether compaction can go on at `o`, below the top: at the block there and, if it is free, the next one. */
DF_INLINE bool guard_step(const defrag_pool *pool, df_granules o)
{
    return !DEFRAG_HARDENING || df_guard_step(pool, o);
}

/* Whether the used block at `o`, below the top, can slide with the free block above it, if there is one. */
DF_INLINE bool guard_slide(const defrag_pool *pool, df_granules o)
{
    return !DEFRAG_HARDENING || df_guard_slide(pool, o);
}

/* Whether the used block at `o` can move into the free block at `hole`, and leave a gap. */
DF_INLINE bool guard_fill(const defrag_pool *pool, df_granules hole, df_granules o)
{
    return !DEFRAG_HARDENING || df_guard_fill(pool, hole, o);
}

#endif
