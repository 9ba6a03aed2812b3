/* SPDX-License-Identifier: MIT */
/* Making room by brute force: every arrangement of blocks over few cells that keeps their order. */
#ifndef TESTS_ARRANGE_H
#define TESTS_ARRANGE_H

#include "layout.h"

enum { ARRANGE_CELLS = 40, ARRANGE_BLOCKS = 12 };

/* The blocks of a heap over its cells, the granules from the first block to the table. */
struct arrange_heap {
    size_t cells, blocks;
    size_t size[ARRANGE_BLOCKS], at[ARRANGE_BLOCKS];
    bool pinned[ARRANGE_BLOCKS];
};

/* A pool that has no more cells and blocks than there is room for. */
void arrange_read(struct arrange_heap *heap, const struct layout *layout);

/* For a gap of each length up to the number of cells the fewest cells moved; SIZE_MAX: no arrangement has
 * one. */
void arrange_fewest_moved(const struct arrange_heap *heap, size_t fewest[ARRANGE_CELLS + 1]);

/* The smallest total size of the blocks that a window of `need` cells without a pin touches. */
size_t arrange_fewest_touched(const struct arrange_heap *heap, size_t need);

#endif
