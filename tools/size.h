/* SPDX-License-Identifier: MIT */
/*
 * The smallest pool in which a contender runs a whole trace.
 *
 * Success does not always grow with the pool: a larger one may put a block
 * where it is in the way later. So the figure is the smallest pool from which
 * every larger one succeeds. How far "every" goes, and why that is known:
 *
 *   first-fit, best-fit, TLSF, half-fit   without end. A replay tells in which
 *       other pools it would have gone in the same way, down to the last
 *       placement; the search goes from the endless pool downwards, from one
 *       such range to the next, until a range fails.
 *   libdefrag, nothing locked   without end. Arithmetic gives a pool in which
 *       every request is certain to be served: at each point of the trace the
 *       granules of the live blocks and those of a table for as many blocks as
 *       were ever live. Below it each granule is tried, downwards, until one
 *       fails.
 *   buddy, and libdefrag with locks   to a limit: every pool up to twice the
 *       figure, or SIZE_REACH_UNITS steps above it if that is less, is tried.
 */
#ifndef DEFRAG_TOOLS_SIZE_H
#define DEFRAG_TOOLS_SIZE_H

#include "replay.h"

/* The most steps above the figure that are tried where nothing is proved. */
#define SIZE_REACH_UNITS 4096

struct size_options {
    unsigned lock_percent;
    atomic_size_t *operations; /* counts them for somebody who watches; or NULL */
};

enum size_outcome {
    SIZE_FOUND,
    SIZE_TOO_BIG,  /* no pool of the layout is large enough: `units` is the most it has */
    SIZE_TOO_MANY, /* more blocks are live at once than the layout has handles          */
    SIZE_BROKEN    /* the heap gave a senseless answer, or refused what it promises     */
};

/* What libdefrag moves in a pool of that size; see struct replay_result. */
struct size_cost {
    size_t pool_bytes;
    uint64_t moved_bytes;
    uint64_t longest_pause;
};

/* The pools in which that is measured: the smallest, and one a tenth larger. */
enum { SIZE_COST_SMALLEST, SIZE_COST_TENTH_MORE, SIZE_COSTS };

struct size_result {
    enum size_outcome outcome;
    size_t units;
    size_t bytes;
    size_t blocks;      /* if there are too many: live at once */
    size_t reach_bytes; /* the largest pool that was tried; 0: every larger one succeeds */
    size_t replays;
    struct size_cost costs[SIZE_COSTS]; /* of libdefrag, if there is a size */
    uint32_t broken_line;
    const char *broken_reason;
};

/* Whether no pool can do, and then why, as far as can be told without a search. */
bool size_is_too_big(const struct trace *trace, const struct contender *contender,
                     struct size_result *result);

void size_find(const struct trace *trace, const struct contender *contender,
               const struct size_options *options, struct size_result *result);

/*
 * The same by bisection, in some ten to twenty replays: a pool that does, and one
 * that is smaller by a step, or in a trace of more than SIZE_EXACT_OPERATIONS by a
 * SIZE_COARSE_PART of it, and does not. Costs are not measured.
 */
enum { SIZE_EXACT_OPERATIONS = 100000, SIZE_COARSE_PART = 256 };
void size_estimate(const struct trace *trace, const struct contender *contender,
                   const struct size_options *options, struct size_result *result);

/* The bytes that a trace asks for in all: by allocations, and by resizes that grow a block. */
uint64_t size_allocated(const struct trace *trace);

/*
 * For libdefrag with nothing locked, from the trace alone: the units that any
 * pool needs, and those with which every request is certain to be served.
 */
struct size_bounds {
    size_t least;
    size_t certain;
    size_t blocks; /* live at once */
};

struct size_bounds size_bounds_get(const struct trace *trace, const struct contender *contender);

#endif
