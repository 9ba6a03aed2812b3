/* SPDX-License-Identifier: MIT */
/*
 * What first-fit, best-fit, TLSF and half-fit have in common: blocks side by
 * side in an arena of units, split, coalesced with both neighbours, resized in
 * place where that is possible. They differ in how a free block is found: the
 * index, one for each policy.
 *
 *     [ used ][ free ][ used ][ used ] wilderness ...
 *                                    ^ end           ^ units
 *
 * The last free block, the wilderness, is the only one whose size depends on
 * the size of the pool, so it is kept apart from the index: whenever its size
 * decides something, the heap notes for which pool sizes the decision would
 * have been the same. That is how one replay answers for a whole range of
 * pools (policy_range). In every other respect it is a free block like others.
 */
#ifndef DEFRAG_TOOLS_POLICY_HEAP_H
#define DEFRAG_TOOLS_POLICY_HEAP_H

#include "policy.h"

/* No block: units are numbered in 32 bits. */
#define HEAP_NO_BLOCK UINT32_MAX

/* The sizes of wilderness, low to high - 1, that are taken rather than the block found. */
struct heap_rivalry {
    size_t low;
    size_t high;
};

struct heap_index {
    void *(*create)(policy_heap *heap);
    void (*destroy)(void *index);

    /* The arena has grown to `capacity` units. */
    void (*reserve)(policy_heap *heap, void *index, size_t capacity);

    void (*insert)(policy_heap *heap, void *index, uint32_t block);
    void (*remove)(policy_heap *heap, void *index, uint32_t block);

    /*
     * The block the policy takes for a request of `units`, the wilderness
     * apart; HEAP_NO_BLOCK if there is none. Says which sizes of wilderness
     * would be taken instead.
 */
    uint32_t (*find)(policy_heap *heap, void *index, size_t units, struct heap_rivalry *rivalry);
};

struct heap_layout {
    size_t unit_bytes;
    size_t min_units;    /* of a block */
    size_t arena_offset; /* of the payload of a block at unit 0, from the pool start */
    size_t header_bytes;
    size_t control_bytes; /* everything in the pool that is not in a block */
    bool trims;           /* a block that shrinks gives its end back */
    bool slides;          /* a resize with nowhere to go may slide over a free block before it */
};

struct policy_heap {
    const struct policy *policy;
    const struct heap_index *kind;
    void *index;
    struct heap_layout layout;
    unsigned alignment;
    unsigned char *memory;
    size_t units;        /* of the pool */
    size_t end;          /* first unit of the wilderness */
    size_t capacity;     /* units the three arrays have room for */
    uint32_t *size;      /* at a block's first unit: its units */
    uint32_t *start;     /* at a block's last unit: its first */
    bool *is_free;       /* at a block's first unit */
    uint64_t clock;      /* counts the insertions */
    uint64_t wild_clock; /* when the wilderness was put back last */
    struct policy_range range;
    size_t live_blocks;
    uint64_t moved_bytes;
    uint64_t moved_blocks;
};

policy_heap *heap_open(const struct policy *policy, const struct heap_index *kind,
                       const struct heap_layout *layout, unsigned alignment, size_t units,
                       unsigned char *memory);
void heap_close(policy_heap *heap);
size_t heap_alloc(policy_heap *heap, size_t bytes);
size_t heap_resize(policy_heap *heap, size_t offset, size_t bytes);
void heap_free(policy_heap *heap, size_t offset);
void heap_counters(const policy_heap *heap, struct policy_counters *out);
struct policy_range heap_range(const policy_heap *heap);

/* Round up to a multiple of a power of two; for sizes far from SIZE_MAX. */
static inline size_t heap_round_up(size_t bytes, size_t multiple)
{
    return (bytes + multiple - 1) & ~(multiple - 1);
}

/* Position of the highest bit that is set; `number` is not 0. */
static inline unsigned heap_log2(size_t number)
{
    return 63u - (unsigned)__builtin_clzll(number);
}

#endif
