/* SPDX-License-Identifier: MIT */
/*
 * Binary buddies: blocks of powers of two from 16 bytes on, each at a multiple
 * of its size; two halves of one block merge when both are free. A request
 * takes the lowest of the smallest free blocks that hold it. The pool may have
 * any size: what does not fill a block of a power of two is served in smaller
 * ones.
 *
 * Nothing stands in front of a block. One byte for each 16 of the pool says
 * how a block begins there, and each order has the head of its list; the links
 * lie in the free blocks. This is kinder than a header in each block wherever
 * requests are powers of two, and never costs more than a sixteenth.
 *
 * A resize stays where it is when the block has the right order, can give
 * halves back or can grow upwards; else another block is taken and the contents
 * are copied; else they slide down to where the block and its free buddies
 * begin together.
 */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

enum { UNIT_BYTES = 16, MOST_ORDERS = 32, MAP_BITS = 64, HEAD_BYTES = 4, NO_BLOCK_BYTE = 0xff };

struct policy_heap {
    unsigned alignment;
    unsigned char *memory;
    size_t units;
    unsigned orders;                 /* of the largest block that fits in the pool, plus 1 */
    uint64_t *free_map[MOST_ORDERS]; /* a bit for each place where a block of that order can begin */
    size_t lowest[MOST_ORDERS];      /* no bit is set in the words of the map before this one */
    unsigned char *order;            /* of the used block that begins at a unit; NO_BLOCK_BYTE: none */
    unsigned least_order;            /* of all that were asked for */
    size_t live_blocks;
    uint64_t moved_bytes;
    uint64_t moved_blocks;
};

/* --- The layout ------------------------------------------------------------------ */

/* The least order whose block has that many units. */
static unsigned order_of(size_t units)
{
    unsigned order = 0;
    while ((size_t)1 << order < units) {
        order++;
    }
    return order;
}

/* Never none: a pool too small for a block has the head of a list all the same. */
static unsigned orders_of_pool(size_t units)
{
    if (units == 0) {
        return 1;
    }
    unsigned order = order_of(units);
    return (size_t)1 << order > units ? order : order + 1;
}

static size_t control_bytes(size_t units)
{
    size_t bytes = (size_t)orders_of_pool(units) * HEAD_BYTES + units;
    return (bytes + UNIT_BYTES - 1) / UNIT_BYTES * UNIT_BYTES;
}

static size_t buddy_pool_bytes(unsigned alignment, size_t units)
{
    (void)alignment;
    return control_bytes(units) + units * UNIT_BYTES;
}

/* More units than any pool has for what is out of reach. */
static size_t buddy_block_units(unsigned alignment, size_t bytes)
{
    size_t units = bytes / UNIT_BYTES + (bytes % UNIT_BYTES != 0);
    (void)alignment;
    if (units > (size_t)1 << (MOST_ORDERS - 1)) {
        return POLICY_ENDLESS;
    }
    return (size_t)1 << order_of(units);
}

static size_t block_payload(const policy_heap *heap, size_t block)
{
    return control_bytes(heap->units) + block * UNIT_BYTES;
}

static size_t block_at(const policy_heap *heap, size_t offset)
{
    return (offset - control_bytes(heap->units)) / UNIT_BYTES;
}

/* --- Free blocks -------------------------------------------------------------------- */

static size_t map_words(size_t units, unsigned order)
{
    return (units >> order) / MAP_BITS + 1;
}

static bool free_has(const policy_heap *heap, size_t block, unsigned order)
{
    size_t bit = block >> order;
    return heap->free_map[order][bit / MAP_BITS] >> (bit % MAP_BITS) & 1;
}

static void free_insert(policy_heap *heap, size_t block, unsigned order)
{
    size_t bit = block >> order;
    heap->free_map[order][bit / MAP_BITS] |= UINT64_C(1) << (bit % MAP_BITS);
    if (bit / MAP_BITS < heap->lowest[order]) {
        heap->lowest[order] = bit / MAP_BITS;
    }
}

static void free_remove(policy_heap *heap, size_t block, unsigned order)
{
    size_t bit = block >> order;
    heap->free_map[order][bit / MAP_BITS] &= ~(UINT64_C(1) << (bit % MAP_BITS));
}

static size_t free_lowest(policy_heap *heap, unsigned order)
{
    size_t words = map_words(heap->units, order);
    size_t *word = &heap->lowest[order];

    while (*word < words && heap->free_map[order][*word] == 0) {
        ++*word;
    }
    if (*word == words) {
        return POLICY_NONE;
    }
    return (*word * MAP_BITS + (size_t)__builtin_ctzll(heap->free_map[order][*word])) << order;
}

static size_t buddy_of(size_t block, unsigned order)
{
    return block ^ ((size_t)1 << order);
}

/* Whether the other half is free, as one block; beyond the pool's end nothing is. */
static bool buddy_is_free(const policy_heap *heap, size_t block, unsigned order)
{
    size_t buddy = buddy_of(block, order);
    return order + 1 < heap->orders && buddy + ((size_t)1 << order) <= heap->units &&
           free_has(heap, buddy, order);
}

/*   [ this ][ buddy ]  ->  [ ---- free ---- ], and so on upwards */
static void block_release(policy_heap *heap, size_t block, unsigned order)
{
    while (buddy_is_free(heap, block, order)) {
        free_remove(heap, buddy_of(block, order), order);
        block &= ~((size_t)1 << order);
        order++;
    }
    free_insert(heap, block, order);
}

/* Cuts a block that is out of the map from order `from` down to `to`, giving back the upper halves. */
static void block_split(policy_heap *heap, size_t block, unsigned from, unsigned to)
{
    while (from > to) {
        from--;
        free_insert(heap, buddy_of(block, from), from);
    }
    heap->order[block] = (unsigned char)to;
}

static size_t block_take(policy_heap *heap, unsigned order)
{
    if (order < heap->least_order) {
        heap->least_order = order;
    }
    for (unsigned from = order; from < heap->orders; from++) {
        size_t block = free_lowest(heap, from);
        if (block != POLICY_NONE) {
            free_remove(heap, block, from);
            block_split(heap, block, from, order);
            return block;
        }
    }
    return POLICY_NONE;
}

/* --- Resizing -------------------------------------------------------------------------- */

/* Upwards only: at each step the block is the lower half and the upper one is free. */
static bool block_extend(policy_heap *heap, size_t block, unsigned order)
{
    unsigned reached = heap->order[block];
    while (reached < order && (block >> reached & 1) == 0 && buddy_is_free(heap, block, reached)) {
        reached++;
    }
    if (reached < order) {
        return false;
    }
    for (unsigned i = heap->order[block]; i < order; i++) {
        free_remove(heap, buddy_of(block, i), i);
    }
    heap->order[block] = (unsigned char)order;
    return true;
}

static void payload_move(policy_heap *heap, size_t from, size_t to, size_t bytes)
{
    if (heap->memory) {
        memmove(heap->memory + block_payload(heap, to), heap->memory + block_payload(heap, from), bytes);
    }
    heap->moved_bytes += bytes;
    heap->moved_blocks++;
}

/* Over the free buddies, if they and the block make a whole of the order wanted. */
static size_t block_slide(policy_heap *heap, size_t block, unsigned order)
{
    unsigned own = heap->order[block];
    size_t whole = block;

    for (unsigned i = own; i < order; i++) {
        if (!buddy_is_free(heap, whole, i)) {
            return POLICY_NONE;
        }
        whole &= ~((size_t)1 << i);
    }
    size_t part = block;
    for (unsigned i = own; i < order; i++) {
        free_remove(heap, buddy_of(part, i), i);
        part &= ~((size_t)1 << i);
    }
    heap->order[block] = NO_BLOCK_BYTE;
    heap->order[whole] = (unsigned char)order;
    payload_move(heap, block, whole, (size_t)UNIT_BYTES << own);
    return whole;
}

static size_t block_move(policy_heap *heap, size_t block, unsigned order)
{
    unsigned own = heap->order[block];
    size_t to = block_take(heap, order);

    if (to == POLICY_NONE) {
        return block_slide(heap, block, order);
    }
    payload_move(heap, block, to, (size_t)UNIT_BYTES << own);
    heap->order[block] = NO_BLOCK_BYTE;
    block_release(heap, block, own);
    return to;
}

/* --- The interface ------------------------------------------------------------------------ */

/* The largest aligned blocks that fit, from the low end up. */
static void arena_fill(policy_heap *heap)
{
    size_t block = 0;
    for (unsigned order = heap->orders; order-- > 0;) {
        if (heap->units >> order & 1) {
            free_insert(heap, block, order);
            block += (size_t)1 << order;
        }
    }
}

static policy_heap *buddy_open(const struct policy *policy, unsigned alignment, size_t units,
                               unsigned char *memory)
{
    policy_heap *heap = xcalloc(1, sizeof *heap);

    (void)policy;
    heap->alignment = alignment;
    heap->memory = memory;
    heap->units = units;
    heap->orders = orders_of_pool(units);
    heap->least_order = MOST_ORDERS;
    heap->order = xcalloc(units, 1);
    memset(heap->order, NO_BLOCK_BYTE, units);
    for (unsigned order = 0; order < heap->orders; order++) {
        heap->free_map[order] = xcalloc(map_words(units, order), sizeof(uint64_t));
        heap->lowest[order] = map_words(units, order);
    }
    arena_fill(heap);
    return heap;
}

static void buddy_close(policy_heap *heap)
{
    for (unsigned order = 0; order < heap->orders; order++) {
        free(heap->free_map[order]);
    }
    free(heap->order);
    free(heap);
}

static size_t buddy_alloc(policy_heap *heap, size_t bytes)
{
    size_t units = buddy_block_units(heap->alignment, bytes);
    size_t block = units > heap->units ? POLICY_NONE : block_take(heap, order_of(units));

    if (block == POLICY_NONE) {
        return POLICY_NONE;
    }
    heap->live_blocks++;
    return block_payload(heap, block);
}

static size_t buddy_resize(policy_heap *heap, size_t offset, size_t bytes)
{
    size_t block = block_at(heap, offset);
    size_t units = buddy_block_units(heap->alignment, bytes);
    unsigned own = heap->order[block];

    if (units > heap->units) {
        return POLICY_NONE;
    }
    unsigned order = order_of(units);
    if (order <= own) {
        heap->least_order = order < heap->least_order ? order : heap->least_order;
        block_split(heap, block, own, order);
        return offset;
    }
    if (block_extend(heap, block, order)) {
        return offset;
    }
    block = block_move(heap, block, order);
    return block == POLICY_NONE ? POLICY_NONE : block_payload(heap, block);
}

static void buddy_free(policy_heap *heap, size_t offset)
{
    size_t block = block_at(heap, offset);
    unsigned order = heap->order[block];

    heap->order[block] = NO_BLOCK_BYTE;
    block_release(heap, block, order);
    heap->live_blocks--;
}

static void buddy_counters(const policy_heap *heap, struct policy_counters *out)
{
    out->live_blocks = heap->live_blocks;
    out->metadata_bytes = control_bytes(heap->units);
    out->moved_bytes = heap->moved_bytes;
    out->moved_blocks = heap->moved_blocks;
}

/*
 * Every size of pool has its own odd blocks at the end. Those that are smaller
 * than all that was asked for can be neither taken nor merged.
 */
static struct policy_range buddy_range(const policy_heap *heap)
{
    size_t step = heap->least_order == MOST_ORDERS ? 1 : (size_t)1 << heap->least_order;
    size_t low = heap->units - heap->units % step;
    return (struct policy_range){low, low + step};
}

const struct policy policy_buddy = {
    .name = "buddy",
    .model = "binary buddies with a side table",
    .endless = false,
    .alignment = UNIT_BYTES,
    .unit_bytes = UNIT_BYTES,
    .header_bytes = 0,
    .pool_bytes = buddy_pool_bytes,
    .block_units = buddy_block_units,
    .open = buddy_open,
    .close = buddy_close,
    .alloc = buddy_alloc,
    .resize = buddy_resize,
    .free = buddy_free,
    .counters = buddy_counters,
    .range = buddy_range,
};
