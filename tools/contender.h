/* SPDX-License-Identifier: MIT */
/*
 * What a trace is replayed through: libdefrag in one of its builds, or one of
 * the non-moving policies; and a heap of such a contender, the arena, in which
 * the objects of a trace are allocated.
 */
#ifndef DEFRAG_TOOLS_CONTENDER_H
#define DEFRAG_TOOLS_CONTENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "builds.h"
#include "policy.h"

#define CONTENDER_DEFRAG "libdefrag"

/* And with less clever ways of compaction, to compare. */
#define CONTENDER_SLIDE      "slide"
#define CONTENDER_FULL_SLIDE "full-slide"

/* No pool of more bytes is ever made. */
#define CONTENDER_POOL_MAX ((size_t)UINT32_MAX)

enum compaction {
    COMPACTION_BEST,      /* libdefrag's own */
    COMPACTION_SLIDE,     /* the cheapest slide, where one makes room */
    COMPACTION_FULL_SLIDE /* defrag_compact() */
};

struct contender {
    const char *name;
    const struct policy *policy;      /* NULL: libdefrag */
    const struct defrag_build *build; /* NULL: a policy */
    unsigned alignment;               /* asked for */
    bool manual;                      /* libdefrag: DEFRAG_MANUAL */
    enum compaction compaction;       /* libdefrag: when a request finds no hole */
};

/* --- What it is ------------------------------------------------------------ */

/* What its blocks cost, for the legend and for arithmetic. */
struct contender_costs {
    unsigned alignment;
    size_t header_bytes;      /* in front of each block */
    size_t slot_bytes;        /* in the handle table for each block, else 0 */
    size_t least_block_bytes; /* header included */
    size_t control_bytes;     /* of the pool asked about: what is in it for good */
};

/* O(1); of a pool of `units`. */
void contender_costs_get(const struct contender *contender, size_t units, struct contender_costs *out);

/* The step in which the size of a pool matters. */
size_t contender_unit_bytes(const struct contender *contender);

/* Bytes of a pool of `units`, and the most units in a pool of `bytes`. */
size_t contender_pool_bytes(const struct contender *contender, size_t units);
size_t contender_units(const struct contender *contender, size_t bytes);

/* The most units any pool of its kind may have, and the most blocks. */
size_t contender_most_units(const struct contender *contender);
size_t contender_most_blocks(const struct contender *contender);

/* The units that a block of `bytes` takes; huge for what no pool holds. */
size_t contender_block_units(const struct contender *contender, size_t bytes);

/* --- A heap ------------------------------------------------------------------ */

struct arena;

enum outcome {
    OUTCOME_SERVED,
    OUTCOME_REFUSED, /* there was no room, and nothing has changed */
    OUTCOME_BROKEN   /* an answer that a sound heap never gives */
};

/*
 * Opens a heap for the objects 0 to `objects` - 1. Without `contents` payloads
 * may not be touched and moves are not counted, which is cheaper. NULL: there
 * is no pool of so few, or so many, units.
 */
struct arena *arena_open(const struct contender *contender, size_t units, size_t objects, bool contents);
void arena_close(struct arena *arena);

enum outcome arena_alloc(struct arena *arena, uint32_t object, size_t bytes);
enum outcome arena_resize(struct arena *arena, uint32_t object, size_t bytes);
enum outcome arena_free(struct arena *arena, uint32_t object);

/* A shared lock; where no block ever moves there is nothing to do. */
enum outcome arena_lock(struct arena *arena, uint32_t object);
enum outcome arena_unlock(struct arena *arena, uint32_t object);

/* The payload, where it lies until arena_view_end(). NULL: the heap is broken. */
unsigned char *arena_view(struct arena *arena, uint32_t object);
enum outcome arena_view_end(struct arena *arena, uint32_t object);

/* The heap's check of itself; policies have none. O(blocks). */
enum outcome arena_check(struct arena *arena);

/* Why the last outcome was not OUTCOME_SERVED, in a word or two. */
const char *arena_reason(const struct arena *arena);

/* Whether the last refusal was for want of memory in total; a policy does not know. */
bool arena_was_full(const struct arena *arena);

/* Where the payload lies, in bytes from the beginning of the heap. */
size_t arena_place(struct arena *arena, uint32_t object);

/* Moves at most so many bytes in advance, or one block. A policy moves nothing. */
enum outcome arena_compact_step(struct arena *arena, size_t bytes);

/* All of it. A policy moves nothing. */
enum outcome arena_compact(struct arena *arena);

/*
 * libdefrag alone: slides the blocks from `begin`, where a free block begins, to `end` together, none of
 * them locked. Both are places of headers, in bytes from the beginning of the pool; an end above all blocks
 * is where they end.
 */
void arena_slide(struct arena *arena, size_t begin, size_t end);

/* What defrag_statistics_get() and defrag_walk() tell; false, and nothing, of a policy. O(blocks). */
bool arena_statistics(const struct arena *arena, defrag_statistics *out);
bool arena_walk(const struct arena *arena, defrag_visitor *visitor, void *context);

/* Bytes moved since the last call. */
uint64_t arena_take_moved(struct arena *arena);

/* Bytes and blocks moved since the heap was opened. */
void arena_moved(const struct arena *arena, uint64_t *bytes, uint64_t *blocks);

/* Control, table and headers, now. O(blocks). */
size_t arena_metadata_bytes(const struct arena *arena);

/* The numbers of units for which everything up to now would have gone in the same way. */
struct policy_range arena_range(const struct arena *arena);

#endif
