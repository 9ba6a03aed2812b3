/* SPDX-License-Identifier: MIT */
/* What libdefrag's pool looks like at a moment. */
#ifndef DEFRAG_TOOLS_LOOK_H
#define DEFRAG_TOOLS_LOOK_H

#include "contender.h"
#include "heap_map.h"

/* Zeroed, it is empty. Bytes of blocks with their headers. */
struct look {
    struct heap_map map;
    defrag_statistics statistics;
    uint64_t live_bytes, free_bytes;
    uint64_t largest_free; /* stretch; the wilderness continues a free block below it */
};

/* False, and nothing, of a policy's heap. O(blocks). */
bool look_take(struct look *look, const struct arena *arena);

void look_release(struct look *look);

#endif
