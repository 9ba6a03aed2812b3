/* SPDX-License-Identifier: MIT */
#include "growth.h"

/* The layout, as if empty slots had been given back or as it is. */
struct heap {
    const struct layout *layout;
    struct layout kept; /* in which no slot can be given back */
    size_t index;
    size_t own;
    size_t more;
    size_t given;
};

static struct heap heap_of(const struct layout *layout, size_t index, size_t granules, bool trimmed)
{
    struct heap heap = {.layout = layout, .kept = *layout, .index = index};
    heap.own = layout->stretches[index].granules;
    heap.more = granules - heap.own;
    heap.given = trimmed ? layout_trim(layout) : 0;
    if (!trimmed)
        heap.kept.table -= layout_trim(layout);
    return heap;
}

static size_t gap_of(const struct heap *heap, size_t i)
{
    const struct stretch *s = &heap->layout->stretches[i];
    if (s->region == DEFRAG_REGION_USED)
        return 0;
    return s->granules + (s->region == DEFRAG_REGION_WILDERNESS ? heap->given : 0);
}

static size_t gap_below(const struct heap *heap)
{
    return heap->index ? gap_of(heap, heap->index - 1) : 0;
}

/* --- The ways, each the granules that move or SIZE_MAX --------------------------------------- */

static size_t slide_above(const struct heap *heap, size_t left)
{
    size_t gaps = 0;
    size_t live = left < heap->index ? heap->own : 0;
    for (size_t i = left; i < heap->layout->count; i++) {
        const struct stretch *s = &heap->layout->stretches[i];
        if (i > heap->index && gaps >= heap->more)
            break;
        if (s->pinned)
            return SIZE_MAX;
        gaps += gap_of(heap, i);
        if (s->region == DEFRAG_REGION_USED && i != heap->index)
            live += s->granules;
    }
    return gaps >= heap->more ? live : SIZE_MAX;
}

static size_t slide_around(const struct heap *heap)
{
    size_t best = SIZE_MAX;
    for (size_t left = 0; left <= heap->index; left++) {
        size_t cost = slide_above(heap, left);
        best = cost < best ? cost : best;
    }
    return best;
}

/* The granules of the blocks above that are in the way. */
static size_t in_the_way(const struct heap *heap)
{
    size_t length = 0;
    size_t live = 0;
    for (size_t i = heap->index + 1; i < heap->layout->count && length < heap->more; i++) {
        const struct stretch *s = &heap->layout->stretches[i];
        bool used = s->region == DEFRAG_REGION_USED;
        length += used ? s->granules : gap_of(heap, i);
        live += used ? s->granules : 0;
    }
    return live;
}

/* The number of the block among all. */
static size_t number_of(const struct heap *heap)
{
    size_t number = 0;
    for (size_t i = 0; i < heap->index; i++)
        number += heap->layout->stretches[i].region == DEFRAG_REGION_USED;
    return number;
}

/* As many blocks and holes are looked at as granules may move. */
static size_t evict_above(const struct heap *heap, size_t limit)
{
    if (in_the_way(heap) >= limit)
        return SIZE_MAX;
    struct planned plan = planner_clear(&heap->kept, number_of(heap) + 1, heap->more, 0, limit);
    return plan.found ? plan.moved : SIZE_MAX;
}

static size_t evict_around(const struct heap *heap, size_t limit, uint32_t visits)
{
    struct planned plan =
        planner_around(heap->layout, number_of(heap), heap->own + heap->more, limit, visits);
    return plan.found ? plan.moved : SIZE_MAX;
}

static size_t make_room(const struct heap *heap, uint32_t visits)
{
    if (heap->layout->free + heap->given < heap->own + heap->more)
        return SIZE_MAX;
    struct planned plan = planner_plan(heap->layout, heap->own + heap->more, 0, visits);
    return plan.found ? plan.moved + heap->own : SIZE_MAX;
}

/* --- The rule ------------------------------------------------------------------------------------ */

static void consider(struct growth *best, enum growth_way way, size_t moved)
{
    if (moved < best->moved)
        *best = (struct growth){.way = way, .moved = moved, .trimmed = best->trimmed};
}

/* What moves no more than the block's own granules. */
static struct growth cheap(const struct heap *heap, bool manual)
{
    struct growth best = {.way = GROWTH_NONE, .moved = heap->own};
    size_t above = gap_of(heap, heap->index + 1);
    if (above >= heap->more)
        return (struct growth){.way = GROWTH_IN_PLACE};
    if (!manual) {
        consider(&best, GROWTH_LIFT, slide_above(heap, heap->index));
        consider(&best, GROWTH_EVICT, evict_above(heap, best.moved));
    }
    if (best.way == GROWTH_NONE && gap_below(heap) > 0 && gap_below(heap) + above >= heap->more)
        best.way = GROWTH_BACKWARD;
    if (best.way == GROWTH_NONE && layout_largest_gap(heap->layout, heap->given, 0) >= heap->own + heap->more)
        best.way = GROWTH_ELSEWHERE;
    return best;
}

static struct growth dear(const struct heap *heap, uint32_t visits)
{
    struct growth best = {.way = GROWTH_NONE, .moved = SIZE_MAX};
    consider(&best, GROWTH_GATHER, slide_around(heap));
    consider(&best, GROWTH_AROUND, evict_around(heap, best.moved, visits));
    if (best.moved > heap->own)
        consider(&best, GROWTH_ROOM, make_room(heap, visits));
    best.own = best.way == GROWTH_ROOM ? heap->own : 0;
    return best;
}

struct growth growth_plan(const struct layout *layout, size_t index, size_t granules, bool manual,
                          uint32_t visits)
{
    struct heap heap = heap_of(layout, index, granules, false);
    struct growth growth = cheap(&heap, manual);
    if (growth.way != GROWTH_NONE)
        return growth;
    heap = heap_of(layout, index, granules, true);
    growth = cheap(&heap, manual);
    if (growth.way == GROWTH_NONE && !manual)
        growth = dear(&heap, visits);
    growth.trimmed = true;
    return growth;
}

size_t growth_gather(const struct layout *layout, size_t index, size_t granules)
{
    struct heap heap = heap_of(layout, index, granules, false);
    return slide_around(&heap);
}
