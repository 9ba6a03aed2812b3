/* SPDX-License-Identifier: MIT */
/*
 * A heap whose allocations are measured: what they moved, beside the least that
 * any strategy would have had to move, and what was refused.
 */
#ifndef DEFRAG_TOOLS_GAUGE_H
#define DEFRAG_TOOLS_GAUGE_H

#include "contender.h"
#include "floor.h"

/* Bytes moved are those of whole blocks, headers included. */
struct gauge_sums {
    uint64_t requests;
    uint64_t allocated;     /* bytes asked for and served */
    uint64_t moved;         /* by requests, and in advance of them */
    uint64_t paced;         /* of them, in advance */
    uint64_t events;        /* requests that moved anything */
    uint64_t floors;        /* what they had to move at least */
    uint64_t longest_pause; /* most bytes moved by one request, those in advance of it included */
    uint64_t refused;       /* requests, although enough was free in total */
    uint64_t full;          /* requests for which too little was free */
};

/* Bytes moved in advance for each byte that is asked for; `of` 0: none. */
struct pace {
    unsigned part;
    unsigned of;
};

/* What lies where. */
struct layout {
    struct stretch *stretches;
    size_t count, room;
    size_t origin; /* bytes of the pool in front of them */
};

struct gauge {
    const struct contender *contender;
    struct arena *arena;
    struct pace pace;
    size_t header_bytes; /* of a block */
    bool measures;
    struct layout before; /* the last request */
    struct layout now;
    struct gauge_sums sums;
};

/* NULL in `arena`: there is no such heap. Without `measures` moves are not counted, which is cheaper. */
void gauge_open(struct gauge *gauge, const struct contender *contender, size_t units, size_t objects,
                bool measures);
void gauge_close(struct gauge *gauge);

/* A refusal of what the heap has promised to serve is OUTCOME_BROKEN. */
enum outcome gauge_alloc(struct gauge *gauge, uint32_t object, size_t bytes);

#endif
