/* SPDX-License-Identifier: MIT */
/*
 * Bins: rings of free blocks by size, under a bitmap of the bins that are not
 * empty. Sizes up to 4 granules have a bin each, larger ones share four bins an
 * octave (the two-level segregated fit of Masmano et al. 2004, in one level);
 * the last bin takes all that is larger.
 */
#ifndef DF_BINS_H
#define DF_BINS_H

#include "block.h"

/* From this size on, blocks are in the last bin. */
#define BINS_LAST_SIZE ((7u << (DF_BIN_LAST / 4 - 1)) - 3u)

DF_STATIC_ASSERT(DF_BIN_LAST % 4 == 3, "the last bin is the last of its octave");

/* Whether bins are looked up: without an instruction that counts zeros, that takes a third of the time. */
#if defined(DF_NO_CLZ) && !DEFRAG_WIDE
#define BINS_LISTED 64u
/* The bins of the sizes below BINS_LISTED - 3, each at size + 3; those of 16 times as much are 16 further. */
extern const uint8_t df_bins_listed[BINS_LISTED];
#else
#define BINS_LISTED 0
#endif

/* The bin of blocks of `size` granules, at most BINS_LAST_SIZE. */
DF_INLINE unsigned bins_of_small(df_granules size)
{
    uint32_t x = size + 3;
#if BINS_LISTED
    return x < BINS_LISTED ? df_bins_listed[x] : df_bins_listed[x >> 4] + 16u;
#else
    unsigned shift = 29 - bits_clz32(x);
    return (x >> shift) + 4 * shift;
#endif
}

/* The bin of any block, or of a size a little larger. */
DF_INLINE unsigned bins_of(df_granules size)
{
#if BINS_LISTED
    return size < BINS_LAST_SIZE ? bins_of_small(size) : DF_BIN_LAST;
#else
    return bits_at_most(bins_of_small(size), DF_BIN_LAST);
#endif
}

DF_INLINE df_map bins_bit(unsigned bin)
{
    return (df_map)1 << (DF_MAP_BITS - 1 - bin);
}

/* The sentinel of a bin, as the offset its two words have. */
DF_INLINE df_granules bins_sentinel(unsigned bin)
{
    return bin * DF_BIN_STEP;
}

DF_INLINE df_granules bins_head(const defrag_pool *pool, unsigned bin)
{
    return links_next(block_links(pool, bins_sentinel(bin)));
}

/* The first bin above `bin` that is not empty, or 0. */
DF_INLINE unsigned bins_above(df_map map, unsigned bin)
{
    map = map << bin << 1;
    return map ? bin + 1 + bits_clz_map(map) : 0;
}

/* Makes all bins empty; the map is so already. */
DF_INLINE void bins_format(defrag_pool *pool)
{
    for (unsigned bin = DF_BIN_FIRST; bin <= DF_BIN_LAST; bin++) {
        df_granules sentinel = bins_sentinel(bin);
        block_set_header(pool, sentinel, sentinel);
        word_store(pool, block_bytes(sentinel), sentinel);
    }
}

/*
 * Linking and unlinking. The map is passed by the caller, who loads and stores
 * it once where several of these follow each other.
 */

/* Makes a free block of [o, o + size) and puts it at the head of its bin. */
DF_INLINE void bins_link(defrag_pool *pool, df_map *map, df_granules o, df_granules size)
{
    if (BLOCK_HAS_BARE && size == 1) {
        block_set_header(pool, o, BLOCK_BARE);
        return;
    }
    unsigned bin = bins_of(size);
    df_granules sentinel = bins_sentinel(bin);
    df_granules head = links_next(block_links(pool, sentinel));
    *map |= bins_bit(bin);
    block_set_free(pool, o, size, sentinel, head);
    block_set_header(pool, head, o);
    block_set_next(pool, sentinel, o);
}

/* Takes a free block out of its bin, whose header and links are at hand. */
DF_INLINE void bins_unlink_node(defrag_pool *pool, df_map *map, df_word header, df_word links)
{
    df_granules next = links_next(links);
    df_granules previous = (df_granules)header;
    block_set_next(pool, previous, next);
    block_set_header(pool, next, previous);
    /* Only the sentinel can be both neighbours, and its offset tells the bin; damage can make other rings. */
    if (next == previous && (!DEFRAG_HARDENING || next <= bins_sentinel(DF_BIN_LAST)))
        *map &= ~bins_bit(next / DF_BIN_STEP);
}

/* Takes the free block at `o` out of its bin; returns its size. */
DF_INLINE df_granules bins_unlink(defrag_pool *pool, df_map *map, df_granules o, df_word header)
{
    if (header_is_bare(header))
        return 1;
    df_word links = block_links(pool, o);
    bins_unlink_node(pool, map, header, links);
    return links_size(links);
}

/* The same two with the pool's map, shared by everything but the hot paths. */
void df_bins_insert(defrag_pool *pool, df_granules o, df_granules size);
df_granules df_bins_remove(defrag_pool *pool, df_granules o, df_word header);

#endif
