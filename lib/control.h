/* SPDX-License-Identifier: MIT */
/*
 * The control block: the fixed part of a pool's image.
 *
 *   pool ─► ┌───────────┬─────────┬────────────┬────────────┬─────────────────┐
 *           │ host word │ control │ blocks ──► │ wilderness │ ◄── handle table │
 *           └───────────┴─────────┴────────────┴────────────┴─────────────────┘
 *           0           8         DF_FIRST     top          floor     granules
 *
 * The four marks are offsets in granules. An offset o names the payload at
 * byte o * DF_GRANULE; its header is the word just below. Everything in the
 * image is an offset or a count, so that the image can be moved; the host word
 * alone is a pointer. It is no part of the image, nor is `hot_limit`, which says
 * whether there is one; defrag_init() and defrag_attach() write both.
 *
 * What says whose image this is stands at the same place in every layout, and
 * next to it what lock and unlock need.
 */
#ifndef DF_CONTROL_H
#define DF_CONTROL_H

#include "bits.h"
#include "watch.h"

#define DF_HOST_BYTES 8

/*
 * A bin is the sentinel of a ring of free blocks: the two words that a free
 * block has at its offset, so that linking needs no special case. Bins are
 * numbered from 4 on, and bin b stands at offset b * DF_BIN_STEP.
 */
#define DF_BIN_FIRST 4u
#define DF_BIN_LAST  (DF_MAP_BITS - 1)
#define DF_BINS      (DF_MAP_BITS - DF_BIN_FIRST)
#define DF_BIN_STEP  (DF_GRANULE == DF_WORD ? 2u : 1u)
#define DF_BIN_WORDS (DF_BIN_STEP * DF_GRANULE / DF_WORD)
#define DF_BINS_AT   (DF_BIN_FIRST * DF_BIN_WORDS * DF_WORD - DF_WORD)

/* What stands in front of the bins in the narrow layout. */
#define DF_FRONT_BYTES 28u

#define DF_MAGIC         0x44465247u /* "DFRG"; reads otherwise in the other byte order */
#define DF_IMAGE_VERSION 2u

/* What `busy` says. */
#define DF_BUSY_MOVING   1u /* blocks are on their way: the image is not consistent */
#define DF_BUSY_CALLBACK 2u /* in a debug build: on_move or a visitor runs           */

struct DF_MAY_ALIAS defrag_pool {
    uint8_t host[DF_HOST_BYTES]; /* holds the address of the configuration, or null */

    uint32_t magic;
    uint8_t version;
    uint8_t wide;
    uint8_t alignment;
    uint8_t busy;

    uint32_t hot_limit; /* what no handle_key() exceeds; 0 if there is a configuration: no part of the image */
#if DEFRAG_WIDE
    uint32_t free_tail; /* slot at the end of the list of empty slots; 0: it is empty */
#endif
    df_word table; /* bytes from the pool to entry 0; entry n lies n words below */
    df_map map;    /* bin b holds a block: bit DF_MAP_BITS - 1 - b */
#if DEFRAG_WIDE
    df_half top;
    df_half floor;
    df_half free;
    df_half free_lowest;
#elif DEFRAG_ALIGNMENT > 8
    uint8_t unused_front[DF_BINS_AT - DF_FRONT_BYTES];
#endif

    df_word bins[DF_BINS][DF_BIN_WORDS];

#if !DEFRAG_WIDE
    df_half top;
    df_half floor;
    df_half free;        /* granules in free blocks and the wilderness       */
    df_half free_lowest; /* the least of it since the table's length changed */
    df_half free_tail;
#endif
    df_half cursor;   /* compaction: a boundary between blocks; see compact.c   */
    df_half granules; /* the length: whole granules from the pool on            */
    df_half base;     /* address of the pool modulo DF_LARGEST_ALIGNMENT        */

    uint8_t skipped; /* bytes of the buffer below the pool, less than a granule */
    uint8_t seed;    /* generation that a new slot begins with                  */
#if DEFRAG_WIDE
    uint8_t unused_back[2];
#endif
    df_half slots; /* of the table */

    /* Statistics. The first two are of the time before the table's length last changed. */
    df_half peak_live;
    df_half fewest_free;
    df_half peak_blocks;
    df_half hole_bound; /* compaction looks for no larger hole below the cursor; see compact.c */
    uint32_t failed[5];
    uint32_t moved_blocks;
    uint32_t moved_granules;
};

/* Payloads are aligned to g * 2^7 at most; an image keeps its address modulo this. */
#define DF_LARGEST_ALIGNMENT (DF_GRANULE << 7)

/* The first block: its header is the first word behind the control block that can be one. */
#define DF_FIRST ((df_granules)((sizeof(struct defrag_pool) + DF_WORD + DF_GRANULE - 1) / DF_GRANULE))

DF_STATIC_ASSERT(offsetof(struct defrag_pool, bins) == DF_BINS_AT, "a bin stands where its number says");
DF_STATIC_ASSERT(sizeof(struct defrag_pool) == offsetof(struct defrag_pool, moved_granules) + sizeof(uint32_t),
                 "no bytes behind the last field, which the checker would not see");

/* --- Words of the image, by byte offset -------------------------------------- */

/*
 * In a hardened build these are what makes every call safe whatever the image
 * says: a word outside the pool reads as 0, and what is stored to one, or to any
 * field of the control block but the bins, is dropped. Entry 0 is the last word of
 * the pool; that it is where `table` says is the first thing each call makes sure of.
 */
DF_INLINE bool word_is_inside(const defrag_pool *pool, size_t at)
{
    return at <= pool->table;
}

DF_INLINE bool word_is_writable(const defrag_pool *pool, size_t at)
{
    size_t blocks = DF_FIRST * DF_GRANULE - DF_WORD;
    /* coverage: what the guards let pass stays inside; this holds should they miss something */
    return at - DF_BINS_AT < sizeof pool->bins || (at >= blocks && word_is_inside(pool, at));
}

DF_UNWATCHED df_word word_load(const defrag_pool *pool, size_t at)
{
    if (DEFRAG_HARDENING && DF_UNLIKELY(!word_is_inside(pool, at)))
        return 0;
    watch_pause();
    df_word value = *(const df_word_alias *)(const void *)((const uint8_t *)pool + at);
    watch_resume();
    return value;
}

DF_UNWATCHED void word_store(defrag_pool *pool, size_t at, df_word value)
{
    /* coverage: the same as in word_is_writable() */
    if (DEFRAG_HARDENING && DF_UNLIKELY(!word_is_writable(pool, at)))
        return;
    watch_pause();
    *(df_word_alias *)(void *)((uint8_t *)pool + at) = value;
    watch_resume();
}

DF_UNWATCHED void word_store_low(defrag_pool *pool, size_t at, df_granules value)
{
    /* coverage: the same as in word_is_writable() */
    if (DEFRAG_HARDENING && DF_UNLIKELY(!word_is_writable(pool, at)))
        return;
    watch_pause();
    *(df_half_alias *)(void *)((uint8_t *)pool + at + DF_LOW_HALF) = (df_half)value;
    watch_resume();
}

#endif
