/* SPDX-License-Identifier: MIT */
/*
 * Two-level segregated fit and half-fit: free blocks in lists by class of
 * size, last in first out; a request takes the head of the first non-empty
 * list of which every member is sure to hold it.
 *
 * TLSF is laid out like Matthew Conte's on 32 bits: one size word in front of a
 * used block (the link to the block before it lies in that block while it is
 * free), 16 bytes the smallest block, 32 second-level lists to each power of
 * two. Its control block has only the first-level rows that the pool needs,
 * which is kinder than the original's fixed 3,188 bytes. At alignment 4 classes
 * are those of the payload's size, as in the original; above that, where the
 * original does not go on 32 bits, those of the whole block's, so that a freed
 * block serves a request of its own size wherever the alignment allows it.
 * A resize is done in place where the block or the one behind it allows, else
 * by allocation, copy and free.
 *
 * Half-fit is laid out like o1heap on 32 bits: a header of 16 bytes, which is
 * also the alignment, fragments of powers of two from 32 bytes on, 160 bytes of
 * control. A resize is o1heapReallocate(): in place; else allocation, copy and
 * free; else over the fragments freed before and behind. A fragment does not
 * shrink. (Where that last step fails the original loses the block; here it
 * stays.)
 */
#include "policy_heap.h"

#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

/* --- Lists --------------------------------------------------------------------- */

enum { MOST_CLASSES = 64 * 32, MAP_BITS = 64 };

struct classes {
    size_t (*of_block)(const policy_heap *heap, size_t units);   /* the class a free block belongs to     */
    size_t (*of_request)(const policy_heap *heap, size_t units); /* the first class that is sure to serve */
    size_t (*least_units)(const policy_heap *heap, size_t class);
};

struct lists {
    const struct classes *classes;
    uint64_t map[MOST_CLASSES / MAP_BITS];
    uint32_t head[MOST_CLASSES];
    uint32_t *next; /* by block */
    uint32_t *previous;
    uint64_t *clock; /* when the block was put in */
};

static void *lists_create(const struct classes *classes)
{
    struct lists *lists = xcalloc(1, sizeof *lists);
    lists->classes = classes;
    return lists;
}

static void lists_destroy(void *index)
{
    struct lists *lists = index;
    free(lists->next);
    free(lists->previous);
    free(lists->clock);
    free(lists);
}

static void lists_reserve(policy_heap *heap, void *index, size_t capacity)
{
    struct lists *lists = index;
    (void)heap;
    lists->next = xrealloc(lists->next, capacity, sizeof *lists->next);
    lists->previous = xrealloc(lists->previous, capacity, sizeof *lists->previous);
    lists->clock = xrealloc(lists->clock, capacity, sizeof *lists->clock);
}

static bool lists_has(const struct lists *lists, size_t class)
{
    return lists->map[class / MAP_BITS] >> (class % MAP_BITS) & 1;
}

static void lists_insert(policy_heap *heap, void *index, uint32_t block)
{
    struct lists *lists = index;
    size_t class = lists->classes->of_block(heap, heap->size[block]);
    uint32_t next = lists_has(lists, class) ? lists->head[class] : HEAP_NO_BLOCK;

    lists->next[block] = next;
    lists->previous[block] = HEAP_NO_BLOCK;
    lists->clock[block] = heap->clock;
    if (next != HEAP_NO_BLOCK) {
        lists->previous[next] = block;
    }
    lists->head[class] = block;
    lists->map[class / MAP_BITS] |= UINT64_C(1) << (class % MAP_BITS);
}

static void lists_remove(policy_heap *heap, void *index, uint32_t block)
{
    struct lists *lists = index;
    size_t class = lists->classes->of_block(heap, heap->size[block]);
    uint32_t next = lists->next[block];
    uint32_t previous = lists->previous[block];

    if (next != HEAP_NO_BLOCK) {
        lists->previous[next] = previous;
    }
    if (previous != HEAP_NO_BLOCK) {
        lists->next[previous] = next;
    } else if (next != HEAP_NO_BLOCK) {
        lists->head[class] = next;
    } else {
        lists->map[class / MAP_BITS] &= ~(UINT64_C(1) << (class % MAP_BITS));
    }
}

/* The first class from `class` on with a block in it; MOST_CLASSES if there is none. */
static size_t lists_search(const struct lists *lists, size_t class)
{
    size_t word = class / MAP_BITS;
    if (class >= MOST_CLASSES) {
        return MOST_CLASSES;
    }
    uint64_t map = lists->map[word] >> (class % MAP_BITS) << (class % MAP_BITS);
    while (map == 0) {
        if (++word == MOST_CLASSES / MAP_BITS) {
            return MOST_CLASSES;
        }
        map = lists->map[word];
    }
    return word * MAP_BITS + (size_t)__builtin_ctzll(map);
}

/*
 * The wilderness stands in the list of its own class, and there before the
 * blocks that were put in earlier.
 */
static uint32_t lists_find(policy_heap *heap, void *index, size_t units, struct heap_rivalry *rivalry)
{
    const struct lists *lists = index;
    size_t least = lists->classes->of_request(heap, units);
    size_t class = lists_search(lists, least);

    rivalry->low = lists->classes->least_units(heap, least);
    if (class == MOST_CLASSES) {
        return HEAP_NO_BLOCK;
    }
    uint32_t block = lists->head[class];
    bool wild_is_first = heap->wild_clock > lists->clock[block];
    rivalry->high = lists->classes->least_units(heap, wild_is_first ? class + 1 : class);
    return block;
}

/* --- TLSF ------------------------------------------------------------------------- */

enum {
    TLSF_HEADER_BYTES = 4,
    TLSF_LEAST_BLOCK_BYTES = 16,
    TLSF_LISTS = 32, /* second-level lists in a row               */
    TLSF_LISTS_LOG2 = 5,
    TLSF_CONTROL_BYTES = 20, /* the null block, and the map of the rows   */
    TLSF_ROW_BYTES = 4 + 4 * TLSF_LISTS
};

/* What is not part of the size that decides the class: the header at alignment 4, else nothing. */
static size_t tlsf_uncounted(unsigned alignment)
{
    return alignment == 4 ? TLSF_HEADER_BYTES : 0;
}

static size_t tlsf_class_bytes(const policy_heap *heap, size_t units)
{
    return units * heap->alignment - tlsf_uncounted(heap->alignment);
}

/* Sizes below this are in row 0, one list for each multiple of the alignment. */
static size_t tlsf_small_bytes(unsigned alignment)
{
    return (size_t)alignment * TLSF_LISTS;
}

static size_t tlsf_class(unsigned alignment, size_t bytes)
{
    size_t small = tlsf_small_bytes(alignment);
    if (bytes < small) {
        return bytes / alignment;
    }
    unsigned log2 = heap_log2(bytes);
    size_t row = log2 - heap_log2(small) + 1;
    return row * TLSF_LISTS + ((bytes >> (log2 - TLSF_LISTS_LOG2)) ^ TLSF_LISTS);
}

static size_t tlsf_of_block(const policy_heap *heap, size_t units)
{
    return tlsf_class(heap->alignment, tlsf_class_bytes(heap, units));
}

static size_t tlsf_of_request(const policy_heap *heap, size_t units)
{
    size_t bytes = tlsf_class_bytes(heap, units);
    if (bytes >= tlsf_small_bytes(heap->alignment)) {
        bytes += ((size_t)1 << (heap_log2(bytes) - TLSF_LISTS_LOG2)) - 1;
    }
    return tlsf_class(heap->alignment, bytes);
}

static size_t tlsf_least_units(const policy_heap *heap, size_t class)
{
    size_t row = class / TLSF_LISTS;
    size_t list = class % TLSF_LISTS;
    size_t bytes = row == 0 ? list * heap->alignment : (TLSF_LISTS + list) * heap->alignment << (row - 1);
    return (bytes + tlsf_uncounted(heap->alignment)) / heap->alignment;
}

static size_t tlsf_block_units(unsigned alignment, size_t bytes)
{
    if (bytes > SIZE_MAX / 2) {
        return SIZE_MAX / 2;
    }
    size_t block = heap_round_up(bytes + TLSF_HEADER_BYTES, alignment);
    return (block < TLSF_LEAST_BLOCK_BYTES ? TLSF_LEAST_BLOCK_BYTES : block) / alignment;
}

static size_t tlsf_control_bytes(unsigned alignment, size_t units)
{
    size_t bytes = units * alignment;
    size_t rows = bytes < tlsf_small_bytes(alignment) ? 1 : tlsf_class(alignment, bytes) / TLSF_LISTS + 1;
    return heap_round_up(TLSF_CONTROL_BYTES + rows * TLSF_ROW_BYTES, alignment);
}

/* As in the original two words more: in front of the first payload, and a block of no size at the end. */
static size_t tlsf_pool_bytes(unsigned alignment, size_t units)
{
    return tlsf_control_bytes(alignment, units) + alignment + units * alignment;
}

static const struct classes tlsf_classes = {tlsf_of_block, tlsf_of_request, tlsf_least_units};

static void *tlsf_create(policy_heap *heap)
{
    (void)heap;
    return lists_create(&tlsf_classes);
}

static const struct heap_index tlsf_index = {
    .create = tlsf_create,
    .destroy = lists_destroy,
    .reserve = lists_reserve,
    .insert = lists_insert,
    .remove = lists_remove,
    .find = lists_find,
};

static policy_heap *tlsf_open(const struct policy *policy, unsigned alignment, size_t units,
                              unsigned char *memory)
{
    struct heap_layout layout = {
        .unit_bytes = alignment,
        .min_units = TLSF_LEAST_BLOCK_BYTES / alignment,
        .arena_offset = tlsf_control_bytes(alignment, units) + alignment,
        .header_bytes = TLSF_HEADER_BYTES,
        .control_bytes = tlsf_control_bytes(alignment, units) + alignment,
        .trims = true,
        .slides = false,
    };
    return heap_open(policy, &tlsf_index, &layout, alignment, units, memory);
}

const struct policy policy_tlsf = {
    .name = "tlsf",
    .model = "mattconte/tlsf",
    .endless = true,
    .header_bytes = TLSF_HEADER_BYTES,
    .pool_bytes = tlsf_pool_bytes,
    .block_units = tlsf_block_units,
    .open = tlsf_open,
    .close = heap_close,
    .alloc = heap_alloc,
    .resize = heap_resize,
    .free = heap_free,
    .counters = heap_counters,
    .range = heap_range,
};

/* --- Half-fit ---------------------------------------------------------------------- */

enum { HALF_HEADER_BYTES = 16, HALF_LEAST_BLOCK_BYTES = 32, HALF_CONTROL_BYTES = 160 };

static size_t half_pool_bytes(unsigned alignment, size_t units)
{
    (void)alignment;
    return HALF_CONTROL_BYTES + units * HALF_LEAST_BLOCK_BYTES;
}

static size_t half_block_units(unsigned alignment, size_t bytes)
{
    (void)alignment;
    if (bytes > SIZE_MAX / 4) {
        return SIZE_MAX / 2;
    }
    size_t least = bytes + HALF_HEADER_BYTES;
    if (least <= HALF_LEAST_BLOCK_BYTES) {
        return 1;
    }
    return ((size_t)2 << heap_log2(least - 1)) / HALF_LEAST_BLOCK_BYTES;
}

static size_t half_of_units(const policy_heap *heap, size_t units)
{
    (void)heap;
    return heap_log2(units);
}

static size_t half_least_units(const policy_heap *heap, size_t class)
{
    (void)heap;
    return (size_t)1 << class;
}

/* A request is a power of two already, so its own class serves it. */
static const struct classes half_classes = {half_of_units, half_of_units, half_least_units};

static void *half_create(policy_heap *heap)
{
    (void)heap;
    return lists_create(&half_classes);
}

static const struct heap_index half_index = {
    .create = half_create,
    .destroy = lists_destroy,
    .reserve = lists_reserve,
    .insert = lists_insert,
    .remove = lists_remove,
    .find = lists_find,
};

static policy_heap *half_open(const struct policy *policy, unsigned alignment, size_t units,
                              unsigned char *memory)
{
    static const struct heap_layout layout = {
        .unit_bytes = HALF_LEAST_BLOCK_BYTES,
        .min_units = 1,
        .arena_offset = HALF_CONTROL_BYTES + HALF_HEADER_BYTES,
        .header_bytes = HALF_HEADER_BYTES,
        .control_bytes = HALF_CONTROL_BYTES,
        .trims = false,
        .slides = true,
    };
    return heap_open(policy, &half_index, &layout, alignment, units, memory);
}

const struct policy policy_half_fit = {
    .name = "half-fit",
    .model = "o1heap",
    .endless = true,
    .alignment = HALF_HEADER_BYTES,
    .unit_bytes = HALF_LEAST_BLOCK_BYTES,
    .header_bytes = HALF_HEADER_BYTES,
    .pool_bytes = half_pool_bytes,
    .block_units = half_block_units,
    .open = half_open,
    .close = heap_close,
    .alloc = heap_alloc,
    .resize = heap_resize,
    .free = heap_free,
    .counters = heap_counters,
    .range = heap_range,
};
