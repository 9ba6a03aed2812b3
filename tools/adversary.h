/* SPDX-License-Identifier: MIT */
/*
 * Programs that are as unkind to a heap as is known. They count in units, blocks
 * with their headers being whole units, never keep more than `most` units live,
 * and ask for blocks of 1 to `largest`. They call the heap through a table of
 * functions and allocate no memory themselves.
 *
 *   robson    sizes double; what is kept occupies each place where one of the new
 *             size would fit (Robson 1971, 1974)
 *   best-fit  leads best-fit to leave a hole that is a unit too small for anything
 *             that comes, again and again (Robson 1977; Knuth 2.5, exercise 42)
 *   shrink    shrinks each block to one unit once another lies behind it
 *   sawtooth  fills, frees evenly spread blocks of one unit, `largest` of them, and
 *             wants one block of that; frees it and fills again, fifty times
 */
#ifndef TOOLS_ADVERSARY_H
#define TOOLS_ADVERSARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Objects have the numbers 0 to most; a number is free again when its object is. */
struct adversary_heap {
    void *context;
    bool (*alloc)(void *context, uint32_t object, size_t units); /* false ends the program: refused */
    void (*free)(void *context, uint32_t object);
    void (*shrink)(void *context, uint32_t object, size_t units);
    size_t (*place)(void *context, uint32_t object); /* now; units above any that stays the same */
};

/* The program's own. */
struct adversary_piece {
    uint32_t object;
    uint32_t units;
    uint32_t spare; /* a stack of numbers without an object, apart from the pieces */
};

struct adversary {
    const char *name;
    size_t most; /* what is customary */
    size_t largest;
    size_t unit; /* bytes */

    bool (*play)(const struct adversary_heap *heap, size_t most, size_t largest,
                 struct adversary_piece *pieces);

    /*
     * The units that the heaps which it is made for need at least, if the answer is not 0:
     * those that never move a block and, for `best-fit`, always take the smallest hole.
     */
    size_t (*bound)(size_t most, size_t largest);
};

/* By name; ends in one without. */
extern const struct adversary adversaries[];

/* Whether the program can be played with these. */
bool adversary_takes(const struct adversary *adversary, size_t most, size_t largest);

/* Room for most + 1 pieces. Returns false if the heap refused. */
bool adversary_play(const struct adversary *adversary, const struct adversary_heap *heap, size_t most,
                    size_t largest, struct adversary_piece *pieces);

#endif
