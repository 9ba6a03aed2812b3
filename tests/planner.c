/* SPDX-License-Identifier: MIT */
#include "planner.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/*
 * Block i lies between gap i and gap i + 1, which may be empty; so there is a gap
 * more than there are blocks. The last gap is the wilderness without what the table
 * takes. Where that is too short, blocks must come down for the table: those above the
 * last free block, which then is the last gap, or those above one that leaves, and then
 * what that leaves is. Either is less what the table takes.
 */
struct heap {
    const struct inside *inside;
    size_t blocks;
    size_t *size;
    bool *stays;
    size_t *gap;
    bool sinks;   /* the last gap holds no block           */
    bool leaves;  /* it is no free block yet               */
    size_t live;
    size_t above; /* granules that leave it, or come down  */
    size_t taken; /* granules of the last gap for the table */
    size_t need;
    size_t keep; /* a block that neither leaves nor costs anything; SIZE_MAX: none */
    uint64_t visits, visits_max;
    size_t *trial; /* the gaps, as far as they are not taken */
};

/* The blocks from `begin` up to, but not including, `end`; and what they cost. */
struct interval {
    bool found;
    size_t begin, end, cost, leave;
};

/* --- The heap ----------------------------------------------------------------------- */

static void *array(size_t count, size_t size)
{
    void *items = calloc(count + 1, size);
    if (!items)
        abort();
    return items;
}

static void heap_open(struct heap *heap, const struct layout *layout, size_t need)
{
    memset(heap, 0, sizeof *heap);
    heap->inside = layout->inside;
    heap->need = need;
    heap->keep = SIZE_MAX;
    /* A block that leaves is in two places. */
    heap->size = array(layout->count + 1, sizeof *heap->size);
    heap->stays = array(layout->count + 1, sizeof *heap->stays);
    heap->gap = array(layout->count + 1, sizeof *heap->gap);
    heap->trial = array(layout->count + 1, sizeof *heap->trial);
    for (size_t i = 0; i < layout->count; i++) {
        const struct stretch *s = &layout->stretches[i];
        if (s->region == DEFRAG_REGION_USED) {
            heap->size[heap->blocks] = s->granules;
            heap->live += s->granules;
            heap->stays[heap->blocks++] = s->pinned;
        } else {
            heap->gap[heap->blocks] = s->granules;
        }
    }
    heap->gap[heap->blocks] += layout_trim(layout);
}

static void heap_close(struct heap *heap)
{
    free(heap->size);
    free(heap->stays);
    free(heap->gap);
    free(heap->trial);
}

/* Keeps what the table takes; false where no gap in the last stretch has it. */
static bool heap_keep(struct heap *heap, size_t taken)
{
    if (heap->gap[heap->blocks] < taken) {
        heap->sinks = true;
        while (heap->gap[heap->blocks] < taken) {
            if (heap->blocks == 0 || heap->stays[heap->blocks - 1])
                return false;
            heap->above += heap->size[--heap->blocks];
        }
    }
    heap->gap[heap->blocks] -= taken;
    heap->taken = taken;
    return true;
}

/* --- What is known before -------------------------------------------------------------- */

/* The least live granules of an interval whose gaps suffice; if `leave`, its whole length counts. */
static size_t cheapest(const struct heap *heap, bool leave)
{
    size_t best = SIZE_MAX;
    for (size_t begin = 0; begin <= heap->blocks; begin++) {
        size_t cost = 0;
        size_t length = heap->gap[begin];
        for (size_t i = begin; length < heap->need && i < heap->blocks && !heap->stays[i]; i++) {
            cost += heap->size[i];
            length += heap->gap[i + 1] + (leave ? heap->size[i] : 0);
        }
        if (length >= heap->need && cost < best)
            best = cost;
    }
    return best;
}

/* --- A trial ------------------------------------------------------------------------------ */

/* Whether a gap of so many granules is in a bin: it has room for two words. */
static bool is_linked(const struct heap *heap, size_t gap)
{
    return gap * heap->inside->granule >= 2 * heap->inside->header;
}

/* Counts the free blocks seen: all of each size class from the block's own to the hole's. */
static void count_visits(struct heap *heap, size_t size, size_t hole)
{
    unsigned lowest = heap->inside->bin_of(size);
    unsigned highest = hole == SIZE_MAX ? UINT_MAX : heap->inside->bin_of(heap->trial[hole]);
    for (size_t i = 0; i < heap->blocks + (heap->sinks && !heap->leaves); i++) {
        size_t gap = heap->trial[i] + (i == heap->blocks ? heap->taken : 0);
        unsigned bin = is_linked(heap, gap) ? heap->inside->bin_of(gap) : 0;
        heap->visits += bin >= lowest && bin <= highest;
    }
}

/* The smallest gap outside the interval that holds a block of so many granules, the lowest of equals; SIZE_MAX: none. */
static size_t hole_for(struct heap *heap, const struct interval *interval, size_t size)
{
    const size_t *gap = heap->trial;
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < heap->blocks + !heap->sinks; i++) {
        bool outside = i < interval->begin || i > interval->end;
        if (outside && gap[i] >= size && (best == SIZE_MAX || gap[i] < gap[best]))
            best = i;
    }
    count_visits(heap, size, best);
    return best;
}

static size_t length_of(const struct heap *heap, const struct interval *interval)
{
    size_t length = heap->gap[interval->begin];
    for (size_t i = interval->begin; i < interval->end; i++)
        length += heap->size[i] + heap->gap[i + 1];
    return length;
}

/* Whether every block of the interval finds a hole or may stay. Those at its begin that need not even slide leave it. */
static bool try_interval(struct heap *heap, struct interval *interval)
{
    size_t room = length_of(heap, interval) - heap->need;
    memcpy(heap->trial, heap->gap, (heap->blocks + 1) * sizeof *heap->trial);
    for (size_t i = interval->begin; i < interval->end; i++) {
        if (i == heap->keep)
            continue;
        size_t hole = hole_for(heap, interval, heap->size[i]);
        if (heap->visits > heap->visits_max)
            return false;
        if (hole != SIZE_MAX) {
            heap->trial[hole] -= heap->size[i];
            interval->leave++;
        } else if (heap->size[i] > room) {
            return false;
        } else {
            room -= heap->size[i];
            if (i == interval->begin && heap->gap[i] == 0) {
                interval->begin++;
                interval->cost -= heap->size[i];
            }
        }
    }
    return true;
}

/* --- Room for the table --------------------------------------------------------------- */

/* Puts a block that stays at the low end of a gap. */
static void insert(struct heap *heap, size_t gap, size_t size)
{
    size_t behind = heap->blocks - gap;
    memmove(heap->size + gap + 1, heap->size + gap, behind * sizeof *heap->size);
    memmove(heap->stays + gap + 1, heap->stays + gap, behind * sizeof *heap->stays);
    memmove(heap->gap + gap + 1, heap->gap + gap, (behind + 1) * sizeof *heap->gap);
    heap->size[gap] = size;
    heap->stays[gap] = true;
    heap->gap[gap] = 0;
    heap->gap[gap + 1] -= size;
    heap->blocks++;
}

/*
 * Lets the last block leave that lies above the last locked block and a gap is large
 * enough for, if it is above the last gap and not the first there. False if there is none.
 */
static bool heap_leave(struct heap *heap, size_t taken)
{
    size_t last = heap->blocks;
    while (last > 0 && heap->gap[last] == 0 && !heap->stays[last - 1]) {
        struct interval itself = {.begin = last - 1, .end = last};
        last--;
        heap->above += heap->size[last];
        memcpy(heap->trial, heap->gap, (heap->blocks + 1) * sizeof *heap->trial);
        uint64_t visits = heap->visits;
        size_t hole = hole_for(heap, &itself, heap->size[last]);
        if (heap->gap[last] == 0 && hole != SIZE_MAX) {
            size_t size = heap->size[last];
            heap->blocks = last;
            heap->gap[last] = 0;
            insert(heap, hole, size);
            heap->gap[heap->blocks] = size - taken;
            heap->taken = taken;
            heap->sinks = heap->leaves = true;
            return true;
        }
        heap->visits = visits;
    }
    return false;
}

/* --- The search ---------------------------------------------------------------------------- */

/* The first interval from `begin` on whose cost is within the limit. */
static struct interval search_from(struct heap *heap, size_t begin, size_t limit)
{
    struct interval interval = {false, begin, begin, 0, 0};
    size_t next = begin;
    unsigned tries = 0;
    do {
        heap->visits++;
        if (interval.end >= next && length_of(heap, &interval) >= heap->need) {
            struct interval trial = interval;
            if (try_interval(heap, &trial)) {
                trial.found = true;
                return trial;
            }
            tries++;
            next = interval.end + ((size_t)1 << (tries - 1));
        }
        if (heap->visits > heap->visits_max || interval.end == heap->blocks || heap->stays[interval.end])
            break;
        interval.cost += heap->size[interval.end++];
    } while (interval.cost <= limit);
    return interval;
}

/* The cheapest of those found with a limit, which doubles until there is one. */
static struct interval search(struct heap *heap, size_t floor, size_t highest)
{
    struct interval best = {false, 0, 0, 0, 0};
    for (size_t limit = floor;; limit *= 2) {
        size_t cost = limit < highest ? limit : highest;
        for (size_t begin = 0; begin < heap->blocks && heap->visits <= heap->visits_max; begin++) {
            struct interval found = search_from(heap, begin, best.found ? best.cost - 1 : cost);
            if (found.found)
                best = found;
        }
        if (best.found || limit >= highest)
            return best;
    }
}

static void plan(struct heap *heap, uint64_t visits, bool is_other, struct planned *planned)
{
    size_t slide = cheapest(heap, false);
    bool slides = slide != SIZE_MAX;
    planned->slide = slides ? slide + heap->above : SIZE_MAX;
    planned->floor = cheapest(heap, true);
    planned->visits = heap->visits;
    if (planned->floor == SIZE_MAX)
        return;
    heap->visits_max = slides || is_other ? visits : UINT64_MAX;
    if (planned->floor < slide) {
        struct interval found = search(heap, planned->floor, slides ? slide - 1 : heap->live - heap->above);
        planned->leave = found.leave;
        planned->found = found.found;
        planned->moved = found.cost;
        planned->cut = heap->visits > heap->visits_max;
        /* The places of the best are reserved once more. */
        heap->visits_max = UINT64_MAX;
        if (found.found)
            (void)try_interval(heap, &found);
    }
    if (slides && !planned->found) {
        planned->found = true;
        planned->moved = slide;
    }
    planned->above = heap->above;
    planned->moved += heap->above;
    planned->leave += heap->leaves;
    planned->top_leaves = heap->leaves;
    planned->visits = heap->visits;
}

/* What the plan is where the table takes granules and the last gap has none. */
static void plan_top(const struct layout *layout, size_t granules, size_t taken, uint64_t visits,
                     struct planned *planned)
{
    struct heap sinks, leaves;
    struct planned other = {.slide = SIZE_MAX};
    heap_open(&sinks, layout, granules);
    heap_open(&leaves, layout, granules);
    bool can_sink = heap_keep(&sinks, taken);
    size_t slide = can_sink ? cheapest(&sinks, false) : SIZE_MAX;
    size_t most = slide == SIZE_MAX ? SIZE_MAX : slide + sinks.above;
    if (heap_leave(&leaves, taken))
        plan(&leaves, visits, most != SIZE_MAX, &other);
    if (other.found && other.moved <= most) {
        *planned = other;
        planned->slide = most;
    } else if (can_sink) {
        sinks.visits = other.visits;
        plan(&sinks, visits, false, planned);
    }
    heap_close(&sinks);
    heap_close(&leaves);
}

struct planned planner_plan(const struct layout *layout, size_t granules, size_t taken, uint32_t visits)
{
    struct planned planned = {.slide = SIZE_MAX, .floor = SIZE_MAX};
    struct heap heap;
    size_t given = layout_trim(layout);
    uint64_t visits_max = (uint64_t)(visits ? visits : PLANNER_VISITS) * layout->highest;
    bool grows = layout_wilderness(layout) + given >= taken;
    if (grows && layout_largest_gap(layout, given, taken) >= granules) {
        planned.found = true;
        planned.slide = planned.floor = 0;
        return planned;
    }
    if (!grows) {
        plan_top(layout, granules, taken, visits_max, &planned);
        return planned;
    }
    heap_open(&heap, layout, granules);
    (void)heap_keep(&heap, taken);
    plan(&heap, visits_max, false, &planned);
    heap_close(&heap);
    return planned;
}

/* All that lies in so many granules from gap `begin` on leaves, if that is less than `limit`. */
static struct interval clear(struct heap *heap, size_t begin, size_t granules, size_t limit)
{
    struct interval interval = {false, begin, begin, 0, 0};
    for (; interval.cost < limit && length_of(heap, &interval) < granules; interval.end++) {
        if (++heap->visits > heap->visits_max || interval.end == heap->blocks || heap->stays[interval.end])
            return interval;
        interval.cost += interval.end == heap->keep ? 0 : heap->size[interval.end];
    }
    heap->need = length_of(heap, &interval);
    interval.found = interval.cost < limit && try_interval(heap, &interval);
    return interval;
}

struct planned planner_clear(const struct layout *layout, size_t block, size_t granules, size_t taken,
                             size_t limit)
{
    struct planned planned = {.slide = SIZE_MAX, .floor = SIZE_MAX};
    struct heap heap;
    heap_open(&heap, layout, granules);
    heap.visits_max = limit;
    if (heap_keep(&heap, taken) && !heap.sinks) {
        struct interval interval = clear(&heap, block, granules, limit);
        planned.found = interval.found;
        planned.moved = interval.cost;
    }
    heap_close(&heap);
    return planned;
}

/* The granules from the beginning of gap `begin` to block `block`. */
static size_t distance(const struct heap *heap, size_t begin, size_t block)
{
    size_t sum = 0;
    for (size_t i = begin; i <= block; i++)
        sum += heap->gap[i] + (i < block ? heap->size[i] : 0);
    return sum;
}

struct planned planner_around(const struct layout *layout, size_t block, size_t granules, size_t limit,
                              uint32_t visits)
{
    struct planned planned = {.moved = limit, .slide = SIZE_MAX, .floor = SIZE_MAX};
    struct heap heap;
    heap_open(&heap, layout, granules);
    size_t own = heap.size[block];
    heap.visits_max = (uint64_t)(visits ? visits : PLANNER_VISITS) * layout->highest;
    struct interval above = clear(&heap, block + 1, granules - own, limit);
    if (above.found) {
        planned.found = true;
        planned.moved = above.cost;
    }
    heap.keep = block;
    for (size_t begin = 0; begin <= block && own < planned.moved; begin++) {
        size_t below = distance(&heap, begin, block);
        if (below == 0 || below >= granules)
            continue;
        struct interval around = clear(&heap, begin, granules, planned.moved - own);
        if (around.found) {
            planned.found = true;
            planned.moved = around.cost + own;
        }
    }
    heap_close(&heap);
    return planned;
}
