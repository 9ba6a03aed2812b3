/* SPDX-License-Identifier: MIT */
#include "policy_heap.h"

#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

/* --- Blocks ---------------------------------------------------------------- */

static void block_set(policy_heap *heap, uint32_t block, size_t units, bool is_free)
{
    heap->size[block] = (uint32_t)units;
    heap->start[block + units - 1] = block;
    heap->is_free[block] = is_free;
}

static uint32_t block_before(const policy_heap *heap, uint32_t block)
{
    return block == 0 ? HEAP_NO_BLOCK : heap->start[block - 1];
}

static bool block_is_last(const policy_heap *heap, uint32_t block)
{
    return block + heap->size[block] == heap->end;
}

static size_t block_payload(const policy_heap *heap, uint32_t block)
{
    return heap->layout.arena_offset + block * heap->layout.unit_bytes;
}

static uint32_t block_at(const policy_heap *heap, size_t offset)
{
    return (uint32_t)((offset - heap->layout.arena_offset) / heap->layout.unit_bytes);
}

/* --- The wilderness --------------------------------------------------------- */

/* Whether its size is in [low, high); notes the pools in which the answer is the same. */
static bool wilderness_is_within(policy_heap *heap, size_t low, size_t high)
{
    struct policy_range *range = &heap->range;
    size_t wild = heap->units - heap->end;
    size_t from = 0;
    size_t to = POLICY_NONE;

    if (wild < low) {
        to = heap->end + low;
    } else if (wild >= high) {
        from = heap->end + high;
    } else {
        from = heap->end + low;
        to = high == POLICY_NONE ? POLICY_NONE : heap->end + high;
    }
    range->low = from > range->low ? from : range->low;
    range->high = to < range->high ? to : range->high;
    return wild >= low && wild < high;
}

static void arena_reserve(policy_heap *heap)
{
    if (heap->end <= heap->capacity) {
        return;
    }
    while (heap->capacity < heap->end) {
        heap->capacity = heap->capacity ? heap->capacity * 2 : 1024;
    }
    heap->size = xrealloc(heap->size, heap->capacity, sizeof *heap->size);
    heap->start = xrealloc(heap->start, heap->capacity, sizeof *heap->start);
    heap->is_free = xrealloc(heap->is_free, heap->capacity, sizeof *heap->is_free);
    heap->kind->reserve(heap, heap->index, heap->capacity);
}

static void wilderness_set(policy_heap *heap, size_t end)
{
    heap->end = end;
    heap->wild_clock = ++heap->clock;
    arena_reserve(heap);
}

/* --- Free blocks ------------------------------------------------------------ */

static void index_insert(policy_heap *heap, uint32_t block)
{
    heap->clock++;
    heap->kind->insert(heap, heap->index, block);
}

static void index_remove(policy_heap *heap, uint32_t block)
{
    heap->kind->remove(heap, heap->index, block);
}

/*   [ free ][ this ][ free ]  ->  [ ------ free ------ ] */
static void stretch_release(policy_heap *heap, uint32_t block, size_t units)
{
    uint32_t before = block_before(heap, block);
    if (before != HEAP_NO_BLOCK && heap->is_free[before]) {
        index_remove(heap, before);
        units += heap->size[before];
        block = before;
    }

    uint32_t after = (uint32_t)(block + units);
    if (after == heap->end) {
        wilderness_set(heap, block);
        return;
    }
    if (heap->is_free[after]) {
        index_remove(heap, after);
        units += heap->size[after];
    }
    block_set(heap, block, units, true);
    index_insert(heap, block);
}

/* Of the `held` units from `block` on, `units` become its own; a rest too small for a block goes with them.
 */
static void stretch_take(policy_heap *heap, uint32_t block, size_t held, size_t units)
{
    size_t rest = held - units;
    if (rest < heap->layout.min_units) {
        block_set(heap, block, held, false);
        return;
    }
    block_set(heap, block, units, false);
    stretch_release(heap, (uint32_t)(block + units), rest);
}

static uint32_t wilderness_take(policy_heap *heap, uint32_t block, size_t units)
{
    wilderness_set(heap, block + units);
    block_set(heap, block, units, false);
    return block;
}

static uint32_t block_take(policy_heap *heap, size_t units)
{
    struct heap_rivalry rivalry = {units, POLICY_NONE};
    uint32_t block = heap->kind->find(heap, heap->index, units, &rivalry);

    if (rivalry.low < rivalry.high && wilderness_is_within(heap, rivalry.low, rivalry.high)) {
        return wilderness_take(heap, (uint32_t)heap->end, units);
    }
    if (block != HEAP_NO_BLOCK) {
        index_remove(heap, block);
        stretch_take(heap, block, heap->size[block], units);
    }
    return block;
}

static void block_release(policy_heap *heap, uint32_t block)
{
    stretch_release(heap, block, heap->size[block]);
}

/* --- Resizing ---------------------------------------------------------------- */

/*
 * A wilderness smaller than a block is in a real heap the end of the last
 * block, and counts when that block is cut.
 */
static bool trim_makes_block(policy_heap *heap, uint32_t block, size_t rest)
{
    size_t least = heap->layout.min_units;
    return rest >= least || (block_is_last(heap, block) && wilderness_is_within(heap, least - rest, least));
}

static void block_trim(policy_heap *heap, uint32_t block, size_t units)
{
    size_t rest = heap->size[block] - units;
    if (rest && heap->layout.trims && trim_makes_block(heap, block, rest)) {
        block_set(heap, block, units, false);
        stretch_release(heap, (uint32_t)(block + units), rest);
    }
}

/*   [ this ][ free ]  ->  [ --- this --- ][ ] */
static bool block_extend(policy_heap *heap, uint32_t block, size_t units)
{
    size_t held = heap->size[block];
    uint32_t after = (uint32_t)(block + held);

    if (after == heap->end) {
        if (!wilderness_is_within(heap, units - held, POLICY_NONE)) {
            return false;
        }
        wilderness_take(heap, block, units);
        return true;
    }
    if (!heap->is_free[after] || held + heap->size[after] < units) {
        return false;
    }
    index_remove(heap, after);
    stretch_take(heap, block, held + heap->size[after], units);
    return true;
}

static void payload_move(policy_heap *heap, uint32_t from, uint32_t to, size_t bytes)
{
    if (heap->memory) {
        memmove(heap->memory + block_payload(heap, to), heap->memory + block_payload(heap, from), bytes);
    }
    heap->moved_bytes += bytes;
    heap->moved_blocks++;
}

/*   [ free ][ this ][ free ]  ->  [ --- this --- ][ ] */
static uint32_t block_slide(policy_heap *heap, uint32_t block, size_t units, size_t payload)
{
    uint32_t before = block_before(heap, block);
    uint32_t after = (uint32_t)(block + heap->size[block]);
    bool at_end = after == heap->end;

    if (before == HEAP_NO_BLOCK || !heap->is_free[before]) {
        return HEAP_NO_BLOCK;
    }
    size_t held = heap->size[before] + heap->size[block];
    if (!at_end && heap->is_free[after]) {
        held += heap->size[after];
    }
    if (held < units && !(at_end && wilderness_is_within(heap, units - held, POLICY_NONE))) {
        return HEAP_NO_BLOCK;
    }

    index_remove(heap, before);
    payload_move(heap, block, before, payload);
    if (at_end) {
        return wilderness_take(heap, before, units);
    }
    if (heap->is_free[after]) {
        index_remove(heap, after);
    }
    stretch_take(heap, before, held, units);
    return before;
}

static uint32_t block_move(policy_heap *heap, uint32_t block, size_t units)
{
    size_t payload = heap->size[block] * heap->layout.unit_bytes - heap->layout.header_bytes;
    uint32_t to = block_take(heap, units);

    if (to != HEAP_NO_BLOCK) {
        payload_move(heap, block, to, payload);
        block_release(heap, block);
        return to;
    }
    return heap->layout.slides ? block_slide(heap, block, units, payload) : HEAP_NO_BLOCK;
}

/* --- The interface ------------------------------------------------------------- */

policy_heap *heap_open(const struct policy *policy, const struct heap_index *kind,
                       const struct heap_layout *layout, unsigned alignment, size_t units,
                       unsigned char *memory)
{
    policy_heap *heap = xcalloc(1, sizeof *heap);

    heap->policy = policy;
    heap->kind = kind;
    heap->layout = *layout;
    heap->alignment = alignment;
    heap->memory = memory;
    heap->units = units;
    heap->range.high = POLICY_NONE;
    heap->index = kind->create(heap);
    return heap;
}

void heap_close(policy_heap *heap)
{
    heap->kind->destroy(heap->index);
    free(heap->size);
    free(heap->start);
    free(heap->is_free);
    free(heap);
}

/* Offsets from `block` to the end stay far below what 32 bits hold. */
static bool request_is_sane(const policy_heap *heap, size_t units)
{
    return units < UINT32_MAX / 2 && heap->end + units < UINT32_MAX;
}

size_t heap_alloc(policy_heap *heap, size_t bytes)
{
    size_t units = heap->policy->block_units(heap->alignment, bytes);
    if (!request_is_sane(heap, units)) {
        return POLICY_NONE;
    }
    uint32_t block = block_take(heap, units);
    if (block == HEAP_NO_BLOCK) {
        return POLICY_NONE;
    }
    heap->live_blocks++;
    return block_payload(heap, block);
}

size_t heap_resize(policy_heap *heap, size_t offset, size_t bytes)
{
    uint32_t block = block_at(heap, offset);
    size_t units = heap->policy->block_units(heap->alignment, bytes);

    if (!request_is_sane(heap, units)) {
        return POLICY_NONE;
    }
    if (units <= heap->size[block]) {
        block_trim(heap, block, units);
        return offset;
    }
    if (block_extend(heap, block, units)) {
        return offset;
    }
    block = block_move(heap, block, units);
    return block == HEAP_NO_BLOCK ? POLICY_NONE : block_payload(heap, block);
}

void heap_free(policy_heap *heap, size_t offset)
{
    block_release(heap, block_at(heap, offset));
    heap->live_blocks--;
}

void heap_counters(const policy_heap *heap, struct policy_counters *out)
{
    out->live_blocks = heap->live_blocks;
    out->metadata_bytes = heap->layout.control_bytes + heap->live_blocks * heap->layout.header_bytes;
    out->moved_bytes = heap->moved_bytes;
    out->moved_blocks = heap->moved_blocks;
}

struct policy_range heap_range(const policy_heap *heap)
{
    return heap->range;
}
