/* SPDX-License-Identifier: MIT */
/* What any strategy whatever has to move to make room, told from what lies where. */
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

/* Free bytes in total. */
size_t floor_free(const struct stretch *stretches, size_t count);

/* Whether sliding blocks together, between the locked ones, makes so many bytes free in one piece. */
bool floor_slides(const struct stretch *stretches, size_t count, size_t need);

#endif
