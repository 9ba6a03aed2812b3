/* SPDX-License-Identifier: MIT */
/*
 * Non-moving allocation policies as reference simulators, each laid out as it
 * would be on a 32-bit microcontroller: real headers, real alignment, real
 * smallest block, and what it keeps per pool inside the pool. The bookkeeping
 * itself stands in ordinary host memory.
 *
 * A pool has `units`, the steps in which its size matters to the policy; bytes
 * that do not fill a unit are of no use to it.
 *
 * A request of no bytes is served like one of one byte, as malloc's callers
 * expect; a request the policy cannot serve fails and changes nothing.
 */
#ifndef DEFRAG_TOOLS_POLICY_H
#define DEFRAG_TOOLS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No such block; a request that failed. */
#define POLICY_NONE SIZE_MAX

/* A number of units above every that occurs: the pool that never ends. */
#define POLICY_ENDLESS (SIZE_MAX / 64)

typedef struct policy_heap policy_heap;

/*
 * All pools of low to high - 1 units would have gone through exactly the same
 * allocations up to now: the same offsets, the same failures.
 */
struct policy_range {
    size_t low;
    size_t high;
};

struct policy_counters {
    size_t live_blocks;
    size_t metadata_bytes; /* now: control, and the headers of the live blocks */
    uint64_t moved_bytes;  /* copied by resizes that found no room in place */
    uint64_t moved_blocks;
};

struct policy {
    const char *name;
    const char *model; /* what it is laid out like, in a few words */
    bool endless;      /* whether a pool of POLICY_ENDLESS units can be opened */

    unsigned alignment;  /* of payloads; 0: the one asked for, 4, 8 or 16 */
    size_t unit_bytes;   /* 0: the alignment */
    size_t header_bytes; /* in front of each block */

    /* The bytes of a pool of `units`, everything included; grows with `units`. */
    size_t (*pool_bytes)(unsigned alignment, size_t units);

    /* The units of the block that a request of `bytes` takes. */
    size_t (*block_units)(unsigned alignment, size_t bytes);

    /* `memory` is where payload bytes really are, pool_bytes() of them; or null: nothing is copied then. */
    policy_heap *(*open)(const struct policy *policy, unsigned alignment, size_t units,
                         unsigned char *memory);
    void (*close)(policy_heap *heap);

    /* Blocks are named by the offset of their payload in the pool. */
    size_t (*alloc)(policy_heap *heap, size_t bytes);
    size_t (*resize)(policy_heap *heap, size_t offset, size_t bytes);
    void (*free)(policy_heap *heap, size_t offset);

    void (*counters)(const policy_heap *heap, struct policy_counters *out);
    struct policy_range (*range)(const policy_heap *heap);
};

extern const struct policy policy_first_fit;
extern const struct policy policy_best_fit;
extern const struct policy policy_tlsf;
extern const struct policy policy_half_fit;
extern const struct policy policy_buddy;

/* All of them, in the order in which they are shown; ends in NULL. */
extern const struct policy *const policies[];

static inline unsigned policy_alignment(const struct policy *policy, unsigned alignment)
{
    return policy->alignment ? policy->alignment : alignment;
}

static inline size_t policy_unit_bytes(const struct policy *policy, unsigned alignment)
{
    return policy->unit_bytes ? policy->unit_bytes : policy_alignment(policy, alignment);
}

/* NULL if there is none of that name. */
const struct policy *policy_find(const char *name);

/* The most units a pool of `bytes` holds. */
size_t policy_units(const struct policy *policy, unsigned alignment, size_t bytes);

#endif
