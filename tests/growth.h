/* SPDX-License-Identifier: MIT */
/*
 * What growing an unlocked block moves: each way to do it is costed over the plain
 * array of the layout, and the rule of defrag_resize() applied. No code of the library.
 */
#ifndef TESTS_GROWTH_H
#define TESTS_GROWTH_H

#include "planner.h"

enum growth_way {
    GROWTH_NONE,      /* no way is found                                       */
    GROWTH_IN_PLACE,
    GROWTH_LIFT,      /* blocks above it slide up into the next gaps           */
    GROWTH_EVICT,     /* blocks above it leave for holes                       */
    GROWTH_BACKWARD,  /* over the free block below it                          */
    GROWTH_ELSEWHERE, /* to another hole                                       */
    GROWTH_GATHER,    /* blocks below it slide down, blocks above it slide up  */
    GROWTH_AROUND,    /* blocks around it leave for holes, and it slides down  */
    GROWTH_ROOM,      /* to a hole that is made                                */
    GROWTH_WAYS
};

struct growth {
    enum growth_way way;
    size_t moved; /* granules */
    size_t own;   /* of them, those that need not move where the room made turned out to be at the block itself */
    bool trimmed; /* after empty slots were given back */
};

/* The block at `index` is to have `granules`, more than it has. */
struct growth growth_plan(const struct layout *layout, size_t index, size_t granules, bool manual,
                          uint32_t visits);

/* What the gaps of the block's segment cost, where nothing leaves; SIZE_MAX if they do not suffice. */
size_t growth_gather(const struct layout *layout, size_t index, size_t granules);

#endif
