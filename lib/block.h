/* SPDX-License-Identifier: MIT */
/*
 * Blocks: the only place that knows the bits of headers, links and footers.
 *
 * A block of n granules at offset o takes the bytes from the header, one word
 * below o, up to the header of the next block. Two blocks that follow each
 * other are never both free, and the block below the wilderness is never free.
 *
 *                  high half                     low half
 *   header, used   owner slot | previous free:1  size in granules
 *   header, free   0                             previous free block of the bin
 *   links, free    size in granules              next free block of the bin
 *   footer, free   size in granules              0
 *   header at top  0                             0
 *
 *   used   [ header | payload ......................... ]
 *   free   [ header | links | ................ | footer ]
 *   two words, free   [ header | links = footer ]
 *   one word, free    [ header = BLOCK_BARE = footer ]
 *
 * A block of a single word, which exists where a granule is a word, has no
 * place for links and is in no bin; its header doubles as the footer, whose
 * size 0 stands for 1. "Previous free" is thus needed in used blocks alone, and
 * a high half of 0 marks what is not used.
 */
#ifndef DF_BLOCK_H
#define DF_BLOCK_H

#include "control.h"

#define BLOCK_PREV_FREE   ((df_word)1 << DF_HALF_BITS)
#define BLOCK_OWNER_SHIFT (DF_HALF_BITS + 1)
#define BLOCK_BARE        ((df_word)1)
#define BLOCK_HAS_BARE    (DF_GRANULE == DF_WORD)

/* The smallest used block: one that can be freed into a bin. */
#define BLOCK_MIN ((df_granules)(BLOCK_HAS_BARE ? 2 : 1))

DF_INLINE size_t block_bytes(df_granules granules)
{
    return (size_t)granules * DF_GRANULE;
}

DF_INLINE uint8_t *block_payload(const defrag_pool *pool, df_granules o)
{
    return (uint8_t *)(uintptr_t)pool + block_bytes(o);
}

/* Granules of a block with a payload of `bytes`, which do not overflow. */
DF_INLINE df_granules block_granules(size_t bytes)
{
    df_granules granules = (df_granules)((bytes + DF_WORD + DF_GRANULE - 1) / DF_GRANULE);
    return granules < BLOCK_MIN ? BLOCK_MIN : granules;
}

DF_INLINE size_t block_payload_bytes(df_granules granules)
{
    return block_bytes(granules) - DF_WORD;
}

/* Whether a block can begin at `o`. */
DF_INLINE bool block_is_inside(const defrag_pool *pool, df_granules o)
{
    return o - DF_FIRST < (df_granules)pool->top - DF_FIRST;
}

/* --- Headers ------------------------------------------------------------------ */

DF_INLINE df_word block_header(const defrag_pool *pool, df_granules o)
{
    return word_load(pool, block_bytes(o) - DF_WORD);
}

DF_INLINE void block_set_header(defrag_pool *pool, df_granules o, df_word header)
{
    word_store(pool, block_bytes(o) - DF_WORD, header);
}

DF_INLINE df_word header_used(df_granules size, uint32_t owner)
{
    return (df_word)owner << BLOCK_OWNER_SHIFT | size;
}

DF_INLINE bool header_is_used(df_word header)
{
    return header > DF_HALF_MAX;
}

DF_INLINE df_granules header_size(df_word header)
{
    return (df_granules)(header & DF_HALF_MAX);
}

DF_INLINE uint32_t header_owner(df_word header)
{
    return (uint32_t)(header >> BLOCK_OWNER_SHIFT);
}

DF_INLINE df_word header_with_size(df_word header, df_granules size)
{
    return (header & ~DF_HALF_MAX) | size;
}

/* The end of the chain: the wilderness begins here. */
DF_INLINE bool header_is_top(df_word header)
{
    return header == 0;
}

DF_INLINE void block_set_top(defrag_pool *pool, df_granules o)
{
    pool->top = (df_half)o;
    block_set_header(pool, o, 0);
}

/* Tells the used block at `o` about the block before it. */
DF_INLINE void block_set_prev_free(defrag_pool *pool, df_granules o)
{
    block_set_header(pool, o, block_header(pool, o) | BLOCK_PREV_FREE);
}

DF_INLINE void block_set_prev_used(defrag_pool *pool, df_granules o)
{
    block_set_header(pool, o, block_header(pool, o) & ~BLOCK_PREV_FREE);
}

/* --- Free blocks ---------------------------------------------------------------- */

DF_INLINE df_word block_links(const defrag_pool *pool, df_granules o)
{
    return word_load(pool, block_bytes(o));
}

DF_INLINE df_granules links_next(df_word links)
{
    return (df_granules)(links & DF_HALF_MAX);
}

DF_INLINE df_granules links_size(df_word links)
{
    return (df_granules)(links >> DF_HALF_BITS);
}

DF_INLINE void block_set_next(defrag_pool *pool, df_granules o, df_granules next)
{
    word_store_low(pool, block_bytes(o), next);
}

DF_INLINE bool header_is_bare(df_word header)
{
    return BLOCK_HAS_BARE && header == BLOCK_BARE;
}

/* The size of the free block at `o`, whose header is at hand. */
DF_INLINE df_granules block_free_size(const defrag_pool *pool, df_granules o, df_word header)
{
    return header_is_bare(header) ? 1 : links_size(block_links(pool, o));
}

/* The size of the free block that ends where the block at `o` begins. */
DF_INLINE df_granules block_size_before(const defrag_pool *pool, df_granules o)
{
    df_granules size = (df_granules)(word_load(pool, block_bytes(o) - 2 * DF_WORD) >> DF_HALF_BITS);
    return BLOCK_HAS_BARE && size == 0 ? 1 : size;
}

/* Writes header, footer and links of a free block that stands between `previous` and `next` in its bin. */
DF_INLINE void block_set_free(defrag_pool *pool, df_granules o, df_granules size, df_granules previous,
                              df_granules next)
{
    df_word high = (df_word)size << DF_HALF_BITS;
    block_set_header(pool, o, previous);
    word_store(pool, block_bytes(o + size) - 2 * DF_WORD, high);
    word_store(pool, block_bytes(o), high | next);
}

/* The size of any block. */
DF_INLINE df_granules block_size(const defrag_pool *pool, df_granules o, df_word header)
{
    return header_is_used(header) ? header_size(header) : block_free_size(pool, o, header);
}

#endif
