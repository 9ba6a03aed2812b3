/* SPDX-License-Identifier: MIT */
/* What any strategy whatever has to move to make room, and what sliding does, told from what lies where. */
#ifndef DEFRAG_TOOLS_FLOOR_H
#define DEFRAG_TOOLS_FLOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A block, used or free. A heap is an array of them in address order, without gaps. */
struct stretch {
    size_t bytes;
    bool is_used;
    bool stays; /* it is locked */
};

#define FLOOR_NONE UINT64_MAX

/*
 * The least total size of blocks that touch a window of `need` bytes with no locked
 * block in it, the window and all blocks lying below `end` afterwards: whoever wants
 * `need` bytes in one piece there moves that much. FLOOR_NONE: nobody can. O(count).
 */
uint64_t floor_bytes(const struct stretch *stretches, size_t count, size_t need, size_t end);

/* A stretch of the heap that begins and ends with a free block; `end` 0: there is none. */
struct floor_run {
    size_t begin;
    size_t end;
    uint64_t cost; /* bytes of the blocks in it */
};

/* The cheapest in which sliding the blocks together, none locked, makes `need` bytes free in one piece. */
struct floor_run floor_slide(const struct stretch *stretches, size_t count, size_t need);

#endif
