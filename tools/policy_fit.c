/* SPDX-License-Identifier: MIT */
/*
 * First-fit in address order and best-fit. Both are laid out with boundary
 * tags as in dlmalloc: one size word in front of a used block; a free block
 * holds two links and its size again at its end, so 16 bytes are the smallest
 * block. A size word closes the arena, and the list head and the end of the
 * pool are all that is kept besides.
 *
 * Resizing is in place where the block or the free block behind it allows;
 * else another block is taken and the contents are copied; else they slide
 * over the free block in front.
 */
#include "policy_heap.h"

#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

enum { HEADER_BYTES = 4, LEAST_BLOCK_BYTES = 16, CONTROL_BYTES = 8 };

/* The first header lies right below an aligned address, the closing word behind the last block. */
static size_t fit_pool_bytes(unsigned alignment, size_t units)
{
    return heap_round_up(CONTROL_BYTES, alignment) + alignment + units * alignment;
}

static size_t fit_block_units(unsigned alignment, size_t bytes)
{
    if (bytes > SIZE_MAX / 2) {
        return SIZE_MAX / 2;
    }
    size_t block = heap_round_up(bytes + HEADER_BYTES, alignment);
    return (block < LEAST_BLOCK_BYTES ? LEAST_BLOCK_BYTES : block) / alignment;
}

static policy_heap *fit_open(const struct policy *policy, const struct heap_index *kind, unsigned alignment,
                             size_t units, unsigned char *memory)
{
    struct heap_layout layout = {
        .unit_bytes = alignment,
        .min_units = LEAST_BLOCK_BYTES / alignment,
        .arena_offset = heap_round_up(CONTROL_BYTES, alignment) + alignment,
        .header_bytes = HEADER_BYTES,
        .control_bytes = fit_pool_bytes(alignment, 0),
        .trims = true,
        .slides = true,
    };
    return heap_open(policy, kind, &layout, alignment, units, memory);
}

/* --- First-fit: a tree over the units that knows the largest free block below each node ------- */

struct address_tree {
    size_t leaves;
    uint32_t *most; /* node 1 is the root, children of n are 2n and 2n + 1 */
};

static void *address_create(policy_heap *heap)
{
    (void)heap;
    return xcalloc(1, sizeof(struct address_tree));
}

static void address_destroy(void *index)
{
    struct address_tree *tree = index;
    free(tree->most);
    free(tree);
}

static void address_set(struct address_tree *tree, uint32_t block, uint32_t units)
{
    size_t node = tree->leaves + block;
    tree->most[node] = units;
    while (node > 1) {
        node /= 2;
        uint32_t left = tree->most[2 * node];
        uint32_t right = tree->most[2 * node + 1];
        tree->most[node] = left > right ? left : right;
    }
}

static void address_reserve(policy_heap *heap, void *index, size_t capacity)
{
    struct address_tree *tree = index;
    struct address_tree old = *tree;

    (void)heap;
    tree->leaves = capacity;
    tree->most = xcalloc(2 * capacity, sizeof *tree->most);
    for (size_t i = 0; i < old.leaves; i++) {
        if (old.most[old.leaves + i]) {
            address_set(tree, (uint32_t)i, old.most[old.leaves + i]);
        }
    }
    free(old.most);
}

static void address_insert(policy_heap *heap, void *index, uint32_t block)
{
    address_set(index, block, heap->size[block]);
}

static void address_remove(policy_heap *heap, void *index, uint32_t block)
{
    (void)heap;
    address_set(index, block, 0);
}

/* The wilderness has the highest address of all: any block comes first. */
static uint32_t address_find(policy_heap *heap, void *index, size_t units, struct heap_rivalry *rivalry)
{
    const struct address_tree *tree = index;
    size_t node = 1;

    (void)heap;
    if (tree->leaves == 0 || tree->most[1] < units) {
        return HEAP_NO_BLOCK;
    }
    while (node < tree->leaves) {
        node = tree->most[2 * node] >= units ? 2 * node : 2 * node + 1;
    }
    rivalry->high = rivalry->low;
    return (uint32_t)(node - tree->leaves);
}

static const struct heap_index first_fit_index = {
    .create = address_create,
    .destroy = address_destroy,
    .reserve = address_reserve,
    .insert = address_insert,
    .remove = address_remove,
    .find = address_find,
};

static policy_heap *first_fit_open(const struct policy *policy, unsigned alignment, size_t units,
                                   unsigned char *memory)
{
    return fit_open(policy, &first_fit_index, alignment, units, memory);
}

const struct policy policy_first_fit = {
    .name = "first-fit",
    .model = "dlmalloc's blocks, in address order",
    .endless = true,
    .header_bytes = HEADER_BYTES,
    .pool_bytes = fit_pool_bytes,
    .block_units = fit_block_units,
    .open = first_fit_open,
    .close = heap_close,
    .alloc = heap_alloc,
    .resize = heap_resize,
    .free = heap_free,
    .counters = heap_counters,
    .range = heap_range,
};

/* --- Best-fit: a treap ordered by size, then address ------------------------------------------- */

struct size_tree {
    uint32_t root;
    uint32_t *left; /* by block */
    uint32_t *right;
};

static void *size_create(policy_heap *heap)
{
    struct size_tree *tree = xcalloc(1, sizeof *tree);
    (void)heap;
    tree->root = HEAP_NO_BLOCK;
    return tree;
}

static void size_destroy(void *index)
{
    struct size_tree *tree = index;
    free(tree->left);
    free(tree->right);
    free(tree);
}

static void size_reserve(policy_heap *heap, void *index, size_t capacity)
{
    struct size_tree *tree = index;
    (void)heap;
    tree->left = xrealloc(tree->left, capacity, sizeof *tree->left);
    tree->right = xrealloc(tree->right, capacity, sizeof *tree->right);
}

static uint32_t size_priority(uint32_t block)
{
    block = (block ^ (block >> 16)) * 0x7feb352du;
    block = (block ^ (block >> 15)) * 0x846ca68bu;
    return block ^ (block >> 16);
}

static bool size_is_less(const policy_heap *heap, uint32_t a, uint32_t b)
{
    return heap->size[a] != heap->size[b] ? heap->size[a] < heap->size[b] : a < b;
}

/* What is less than `block` goes to *low, the rest to *high; the links are filled in from the top down. */
static void size_split(policy_heap *heap, struct size_tree *tree, uint32_t node, uint32_t block,
                       uint32_t *low, uint32_t *high)
{
    while (node != HEAP_NO_BLOCK) {
        if (size_is_less(heap, node, block)) {
            *low = node;
            low = &tree->right[node];
            node = tree->right[node];
        } else {
            *high = node;
            high = &tree->left[node];
            node = tree->left[node];
        }
    }
    *low = HEAP_NO_BLOCK;
    *high = HEAP_NO_BLOCK;
}

static void size_insert(policy_heap *heap, void *index, uint32_t block)
{
    struct size_tree *tree = index;
    uint32_t *link = &tree->root;

    while (*link != HEAP_NO_BLOCK && size_priority(*link) >= size_priority(block)) {
        link = size_is_less(heap, *link, block) ? &tree->right[*link] : &tree->left[*link];
    }
    uint32_t below = *link;
    *link = block;
    size_split(heap, tree, below, block, &tree->left[block], &tree->right[block]);
}

static void size_join(struct size_tree *tree, uint32_t low, uint32_t high, uint32_t *link)
{
    while (low != HEAP_NO_BLOCK && high != HEAP_NO_BLOCK) {
        if (size_priority(low) >= size_priority(high)) {
            *link = low;
            link = &tree->right[low];
            low = tree->right[low];
        } else {
            *link = high;
            link = &tree->left[high];
            high = tree->left[high];
        }
    }
    *link = low != HEAP_NO_BLOCK ? low : high;
}

static void size_remove(policy_heap *heap, void *index, uint32_t block)
{
    struct size_tree *tree = index;
    uint32_t *link = &tree->root;

    while (*link != block) {
        link = size_is_less(heap, *link, block) ? &tree->right[*link] : &tree->left[*link];
    }
    size_join(tree, tree->left[block], tree->right[block], link);
}

/* Of equals the lowest address; the wilderness, higher than all, only where it is smaller than the best
 * block. */
static uint32_t size_find(policy_heap *heap, void *index, size_t units, struct heap_rivalry *rivalry)
{
    const struct size_tree *tree = index;
    uint32_t best = HEAP_NO_BLOCK;

    for (uint32_t node = tree->root; node != HEAP_NO_BLOCK;) {
        if (heap->size[node] >= units) {
            best = node;
            node = tree->left[node];
        } else {
            node = tree->right[node];
        }
    }
    if (best != HEAP_NO_BLOCK) {
        rivalry->high = heap->size[best];
    }
    return best;
}

static const struct heap_index best_fit_index = {
    .create = size_create,
    .destroy = size_destroy,
    .reserve = size_reserve,
    .insert = size_insert,
    .remove = size_remove,
    .find = size_find,
};

static policy_heap *best_fit_open(const struct policy *policy, unsigned alignment, size_t units,
                                  unsigned char *memory)
{
    return fit_open(policy, &best_fit_index, alignment, units, memory);
}

const struct policy policy_best_fit = {
    .name = "best-fit",
    .model = "dlmalloc's blocks, lowest of equals",
    .endless = true,
    .header_bytes = HEADER_BYTES,
    .pool_bytes = fit_pool_bytes,
    .block_units = fit_block_units,
    .open = best_fit_open,
    .close = heap_close,
    .alloc = heap_alloc,
    .resize = heap_resize,
    .free = heap_free,
    .counters = heap_counters,
    .range = heap_range,
};
