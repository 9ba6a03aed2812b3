/* SPDX-License-Identifier: MIT */
/*
 * The canonical form of a small pool: all that a call can depend on or change,
 * and nothing else.
 *
 * It is read from an image and drawn into one. A block is told by the gap below
 * it, its size and its slot; a gap, by the next one in its bin; a slot, by its
 * lock or by the next empty slot; the rest is the cursor and the table's length.
 * Every other word of the image that means anything (top, floor, free, the map,
 * the bins, headers, footers, back links, offsets, the list's tail) follows, or is
 * what no call changes, and drawing writes it. So an image is told by its canonical form exactly iff
 * drawing the form over the image changes no byte.
 *
 * Not in it, and not drawn: the statistics, the payloads, free bytes. Not in it but
 * drawn as the caller of draw() chooses: the generations, and the bound of the holes
 * below the cursor, a hint, which is read, and not packed.
 */
#ifndef TESTS_CANON_H
#define TESTS_CANON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "defrag.h"

#define CANON_BLOCKS   6  /* the most blocks and slots that a form has room for */
#define CANON_GRANULES 31 /* the longest block or gap                           */
#define CANON_LAST     7  /* in `next`: no gap of this bin follows               */

/*
 * The state of a slot whose block lives; of an empty one, `slot` has the next empty slot. The last three are of
 * blocks aligned to two granules.
 */
enum canon_lock {
    CANON_UNLOCKED,
    CANON_SHARED,
    CANON_SHARED_PASSED,
    CANON_ALONE,
    CANON_ALONE_PASSED,
    CANON_ALIGNED,
    CANON_ALIGNED_SHARED,
    CANON_ALIGNED_ALONE
};

struct canon_block {
    uint8_t gap;  /* granules free just below it                               */
    uint8_t size; /* granules                                                  */
    uint8_t slot;
    uint8_t next; /* the block above the gap that follows this gap in its bin  */
    uint8_t at;   /* granules from the first block's place; follows from these */
};

struct canon {
    uint8_t slots;       /* of the table, used or empty        */
    uint8_t first_empty; /* the slot to be used next; 0: none  */
    uint8_t blocks;      /* used ones, in address order:       */
    uint8_t hole_bound;  /* granules; a hint */
    uint8_t cursor;      /* 2i: the gap below block i; 2i + 1: block i; 2 * blocks: the top */
    struct canon_block block[CANON_BLOCKS];
    uint8_t slot[CANON_BLOCKS + 1];
};

/* A canonical form in 128 bits. */
struct canon_key {
    uint64_t low, high;
};

struct canon_key canon_pack(const struct canon *canon);
void canon_unpack(struct canon_key key, struct canon *canon);

/* The generations of the slots, and in [0] the seed. */
typedef uint8_t canon_generations[CANON_BLOCKS + 1];

/* One build's way to and from images. */
struct canon_build {
    const char *name;
    size_t first;  /* granules from the pool to the payload of a block at 0 */

    /* Of a pool that defrag_check() finds in order; false if the form has no room for it. */
    bool (*read)(const defrag_pool *pool, struct canon *canon, canon_generations generations);
    /* Over any bytes; `fresh` is an empty pool of that length, which has what no call changes. */
    void (*draw)(defrag_pool *pool, const defrag_pool *fresh, const struct canon *canon,
                 const canon_generations generations);
    /* Makes the statistics of a pool just drawn such as the checker accepts. */
    void (*draw_statistics)(defrag_pool *pool);
    /* Whether two images of `bytes` bytes differ in statistics alone. */
    bool (*same)(const defrag_pool *a, const defrag_pool *b, size_t bytes);
};

const struct canon_build *canon_of(const char *name);

#endif
