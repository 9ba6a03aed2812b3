/* SPDX-License-Identifier: MIT */
#include "floor.h"

/*
 * The cheapest window lies between two blocks that stay where they are, or reaches
 * the end of the heap. For each right one the nearest left one is best that is far
 * enough, and the left one never has to go back:
 *
 *     [ left ][ used ][ free ][ used ][ right ]
 *             ^ from          ... cost        ^ to
 */
struct window {
    const struct stretch *stretches;
    size_t first; /* the first stretch inside */
    size_t from;  /* where it begins */
    uint64_t cost;
};

static size_t cost_of(const struct stretch *stretch)
{
    return stretch->is_used ? stretch->bytes : 0;
}

/* Leaves out stretches on the left while the rest is large enough. */
static void window_narrow(struct window *window, size_t to, size_t need)
{
    const struct stretch *first = &window->stretches[window->first];
    while (window->from + first->bytes + need <= to) {
        window->from += first->bytes;
        window->cost -= cost_of(first);
        first++;
        window->first++;
    }
}

/* What it costs to clear the window, which ends there; `beyond` is moved in any case, inside or not. */
static uint64_t window_cost(struct window *window, size_t to, size_t need, size_t beyond)
{
    if (window->from + need > to) {
        return FLOOR_NONE;
    }
    window_narrow(window, to, need);
    return window->cost + beyond;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The size of the last block if it reaches beyond the end, else 0. Only it can. */
static size_t bytes_beyond(const struct stretch *stretches, size_t count, size_t end)
{
    size_t at = 0, beyond = 0;
    for (size_t i = 0; i < count; i++) {
        at += stretches[i].bytes;
        if (stretches[i].is_used && at > end) {
            beyond = stretches[i].bytes;
        }
    }
    return beyond;
}

uint64_t floor_bytes(const struct stretch *stretches, size_t count, size_t need, size_t end)
{
    struct window window = {.stretches = stretches};
    size_t beyond = bytes_beyond(stretches, count, end);
    uint64_t best = FLOOR_NONE;
    size_t at = 0;

    for (size_t i = 0; i < count; at += stretches[i++].bytes) {
        if (stretches[i].is_used) {
            best = lesser(best, window_cost(&window, at, need, beyond));
        }
        if (stretches[i].stays) {
            if (at + stretches[i].bytes > end) {
                return FLOOR_NONE;
            }
            window = (struct window){stretches, i + 1, at + stretches[i].bytes, 0};
        } else {
            window.cost += cost_of(&stretches[i]);
        }
    }
    /* The last window has the block beyond the end in it. */
    return lesser(best, window_cost(&window, end, need, 0));
}

/* --- Slides ---------------------------------------------------------------------- */

/* The run that ends at the mark, as the search carries it along. */
struct slide {
    struct floor_run run;
    size_t first; /* the free block that it begins with */
    size_t gaps;  /* bytes of its free blocks; 0: there is no run */
};

/* Begins with the next free block instead of the first, as long as the others are enough. */
static void slide_shorten(struct slide *slide, const struct stretch *stretches, size_t need)
{
    const struct stretch *first = &stretches[slide->first];

    while (slide->gaps >= need + first->bytes) {
        slide->gaps -= first->bytes;
        do {
            slide->run.begin += first->bytes;
            slide->run.cost -= cost_of(first);
            first++;
        } while (first->is_used);
    }
    slide->first = (size_t)(first - stretches);
}

static void slide_add_gap(struct slide *slide, size_t index, size_t at, size_t bytes)
{
    if (slide->gaps == 0) {
        *slide = (struct slide){.run.begin = at, .first = index};
    }
    slide->gaps += bytes;
    slide->run.end = at + bytes;
}

struct floor_run floor_slide(const struct stretch *stretches, size_t count, size_t need)
{
    struct floor_run best = {0, 0, FLOOR_NONE};
    struct slide slide = {.gaps = 0};
    size_t at = 0;

    for (size_t i = 0; i < count; at += stretches[i++].bytes) {
        if (stretches[i].stays) {
            slide.gaps = 0;
        } else if (stretches[i].is_used) {
            slide.run.cost += stretches[i].bytes;
        } else {
            slide_add_gap(&slide, i, at, stretches[i].bytes);
            slide_shorten(&slide, stretches, need);
            if (slide.gaps >= need && slide.run.cost < best.cost) {
                best = slide.run;
            }
        }
    }
    return best;
}
