/* SPDX-License-Identifier: MIT */
/*
 * Promise 1, no fragmentation failure: with nothing locked defrag_alloc succeeds
 * exactly when F >= s + t; among locked blocks when T3 says so, and whenever the
 * gaps of one segment sum up to s. Tried in every state of a small pool with
 * every size, so on both sides of every boundary.
 */
#include "states.h"

#include <stdio.h>
#include <string.h>

/* How often each boundary was met; each must have been. */
static struct tally {
    unsigned long exact;       /* F = s + t, nothing locked: served          */
    unsigned long one_short;   /* F = s + t - 1, nothing locked: NO_MEMORY   */
    unsigned long bound;       /* F - t = (P + 1)(s - 1) + 1, P > 0: served  */
    unsigned long bound_tight; /* one granule less, and refused              */
    unsigned long grown;       /* served with t = 1                          */
    unsigned long top_full;    /* t = 1, nothing free above the last pin     */
    unsigned long moved;       /* served by moving blocks                    */
} tally;

/* The promise itself, in the words of its contract. */
static void expect_promise(const struct state *s, size_t granules, int status)
{
    const struct layout *layout = &s->layout;
    size_t t = layout_need_trimmed(layout);
    size_t given = layout_trim(layout);
    size_t free = layout->free + given;
    size_t pins = layout->locked;
    bool top = t == 0 || layout_top_segment(layout, given) > 0;
    if (pins == 0) {
        EXPECT((status == DEFRAG_OK) == (free >= granules + t), "F = %zu, s = %zu, t = %zu: status %d", free,
               granules, t, status);
        EXPECT(status == DEFRAG_OK || status == DEFRAG_NO_MEMORY, "nothing is locked: status %d", status);
        tally.exact += free == granules + t;
        tally.one_short += free + 1 == granules + t;
    }
    EXPECT((status == DEFRAG_NO_MEMORY) == (free < granules + t), "F = %zu, s = %zu, t = %zu: status %d",
           free, granules, t, status);
    size_t bound = (pins + 1) * (granules - 1) + 1 + t;
    if (top && free >= bound)
        EXPECT(status == DEFRAG_OK, "T3 promises %zu granules, status %d", granules, status);
    tally.bound += pins && top && free == bound;
    tally.bound_tight += pins && top && free + 1 == bound && status == DEFRAG_PINNED;
    tally.grown += t && status == DEFRAG_OK;
    tally.top_full += !top && status == DEFRAG_PINNED;
}

static void expect_one_of(struct verdict verdict, int status)
{
    EXPECT(status == verdict.status || status == verdict.also, "status %d, not %d", status, verdict.status);
}

/* As many bytes as the cheapest slide, where one slide is all that is needed. */
static void expect_cheap(const struct state *s, size_t granules, uint64_t moved_before)
{
    const struct layout *layout = &s->layout;
    size_t t = layout_need_trimmed(layout);
    size_t given = layout_trim(layout);
    uint64_t moved = support_statistics(s->build, s->pool).moved_bytes - moved_before;
    tally.moved += moved > 0;
    if (layout_wilderness(layout) + given < t)
        return;
    size_t slide = layout_cheapest_slide(layout, granules, given, t);
    if (slide != SIZE_MAX)
        EXPECT(moved <= slide * s->inside->granule, "%llu bytes moved, the cheapest slide moves %zu",
               (unsigned long long)moved, slide * s->inside->granule);
}

static void try_alloc(struct state *s, size_t granules, uint64_t moved, size_t *served)
{
    size_t bytes = support_payload(s->inside, granules);
    defrag_handle handle;
    defrag_status status = s->build->alloc(s->pool, bytes, &handle);
    expect_one_of(layout_predict_alloc(&s->layout, bytes, false), status);
    if (granules <= s->layout.capacity)
        expect_promise(s, granules, status);
    else
        EXPECT_STATUS(status, DEFRAG_BAD_SIZE);
    if (status == DEFRAG_OK) {
        EXPECT(s->build->size(s->pool, handle) == bytes, "the block has another size");
        expect_cheap(s, granules, moved);
        *served = bytes;
    }
    state_expect_intact(s);
    state_restore(s);
}

static void try_alloc_fast(struct state *s, size_t granules, size_t *served)
{
    size_t bytes = support_payload(s->inside, granules);
    defrag_handle handle;
    defrag_status status = s->build->alloc_fast(s->pool, bytes, &handle);
    expect_one_of(layout_predict_alloc_fast(&s->layout, bytes), status);
    if (status == DEFRAG_OK)
        *served = bytes;
    state_expect_intact(s);
    state_restore(s);
}

static void try_make_room(struct state *s, size_t granules, uint64_t moved)
{
    size_t bytes = support_payload(s->inside, granules);
    defrag_handle handle;
    defrag_status status = s->build->make_room(s->pool, bytes);
    expect_one_of(layout_predict_alloc(&s->layout, bytes, false), status);
    state_expect_intact(s);
    if (status == DEFRAG_OK) {
        expect_cheap(s, granules, moved);
        EXPECT_STATUS(s->build->alloc_fast(s->pool, bytes, &handle), DEFRAG_OK);
        state_expect_intact(s);
    }
    state_restore(s);
}

static void visit_allocations(struct state *s, void *context)
{
    (void)context;
    size_t certain = 0;
    size_t fast = 0;
    defrag_statistics statistics = support_statistics(s->build, s->pool);
    for (size_t granules = s->inside->smallest; granules <= s->layout.capacity + 1; granules++) {
        try_alloc(s, granules, statistics.moved_bytes, &certain);
        try_alloc_fast(s, granules, &fast);
        try_make_room(s, granules, statistics.moved_bytes);
    }
    EXPECT(statistics.largest_fast == fast, "largest_fast is %zu, the largest served is %zu",
           statistics.largest_fast, fast);
    EXPECT(statistics.largest_certain == layout_largest_certain(&s->layout, false),
           "largest_certain is %zu, the gaps make %zu", statistics.largest_certain,
           layout_largest_certain(&s->layout, false));
    EXPECT(certain >= statistics.largest_certain, "largest_certain is %zu, the largest served is %zu",
           statistics.largest_certain, certain);
}

static void every_allocation_in_every_state(const struct defrag_build *build)
{
    memset(&tally, 0, sizeof tally);
    unsigned long states =
        states_each(build, states_granules(build, 9), NULL, visit_allocations, NULL);
    support_context("%s", build->name);
    printf("# %s: %lu states; F = s + t %lu times, F = s + t - 1 %lu times; T3's bound %lu times, missed by one "
           "and refused %lu times; blocks moved %lu times\n",
           build->name, states, tally.exact, tally.one_short, tally.bound, tally.bound_tight, tally.moved);
    EXPECT(tally.exact && tally.one_short && tally.bound && tally.bound_tight && tally.grown && tally.top_full
               && tally.moved,
           "a boundary was never met");
}

/* Resize: with nothing locked it succeeds iff free granules and its own hold the new block. */
static void try_resize(struct state *s, size_t index, size_t granules)
{
    const struct stretch *block = &s->layout.stretches[index];
    size_t bytes = support_payload(s->inside, granules);
    defrag_handle handle = block->handle;
    unsigned char value = (unsigned char)s->inside->slot_of(handle);
    unsigned char contents[512];
    defrag_status status = s->build->resize(s->pool, handle, bytes);
    expect_one_of(layout_predict_resize(&s->layout, index, bytes, false), status);
    if (s->layout.locked == 0 && granules <= s->layout.capacity)
        EXPECT((status == DEFRAG_OK)
                   == (s->layout.free + layout_trim(&s->layout) + block->granules >= granules),
               "%zu free, %zu its own, %zu wanted: status %d", s->layout.free, block->granules, granules,
               (int)status);
    if (status != DEFRAG_OK) {
        state_expect_intact(s);
        state_restore(s);
        return;
    }
    size_t kept = granules < block->granules ? bytes : block->payload_bytes;
    if (!block->exclusive) {
        EXPECT_STATUS(s->build->read(s->pool, handle, 0, contents, kept), DEFRAG_OK);
        for (size_t i = 0; i < kept; i++)
            EXPECT(contents[i] == value, "byte %zu of a resized block is lost", i);
    }
    EXPECT(s->build->size(s->pool, handle) == bytes, "resize gives another size");
    EXPECT_STATUS(s->build->check(s->pool), DEFRAG_OK);
    /* Back to its size, so that everything can be compared as for the others. */
    if (!block->pinned) {
        EXPECT_STATUS(s->build->resize(s->pool, handle, block->payload_bytes), DEFRAG_OK);
        unsigned char pattern[512];
        memset(pattern, value, sizeof pattern);
        EXPECT_STATUS(s->build->write(s->pool, handle, 0, pattern, block->payload_bytes), DEFRAG_OK);
        state_expect_intact(s);
    }
    state_restore(s);
}

static void visit_resizes(struct state *s, void *context)
{
    (void)context;
    for (size_t i = 0; i < s->layout.count; i++)
        if (s->layout.stretches[i].region == DEFRAG_REGION_USED)
            for (size_t granules = s->inside->smallest; granules <= s->layout.capacity + 1; granules++)
                try_resize(s, i, granules);
}

static void every_resize_in_every_state(const struct defrag_build *build)
{
    unsigned long states = states_each(build, states_granules(build, 8), NULL, visit_resizes, NULL);
    printf("# %s: %lu states\n", build->name, states);
}

/*
 * T3 is tight for any number of pins: gaps of s - 1 between P locked blocks are
 * refused, one granule more in any one of them is served.
 */
static void tight_among_pins(const struct defrag_build *build)
{
    const struct inside *inside = inside_of(build->name);
    for (size_t pins = 1; pins <= 12; pins++) {
        for (size_t granules = inside->smallest + 1; granules < 9; granules++) {
            for (size_t wide = 0; wide <= pins; wide++) {
                struct support_buffer buffer;
                defrag_pool *pool = support_pool_of(build, &buffer, 400, NULL);
                defrag_handle gaps[16], locked[16], rest, out;
                for (size_t i = 0; i < pins; i++) {
                    size_t gap = granules - 1 + (wide == i + 1);
                    EXPECT_STATUS(build->alloc(pool, support_payload(inside, gap), &gaps[i]), DEFRAG_OK);
                    EXPECT_STATUS(build->alloc(pool, 0, &locked[i]), DEFRAG_OK);
                    EXPECT(build->lock(pool, locked[i]), "no lock");
                }
                /* What is left above the last pin is granules - 1 long, and the table has an empty slot. */
                EXPECT_STATUS(build->alloc(pool, 0, &rest), DEFRAG_OK);
                EXPECT_STATUS(build->free(pool, &rest), DEFRAG_OK);
                size_t left = support_statistics(build, pool).largest_fast + inside->header;
                size_t take = left / inside->granule - (granules - 1);
                EXPECT_STATUS(build->alloc(pool, support_payload(inside, take), &rest), DEFRAG_OK);
                for (size_t i = 0; i < pins; i++)
                    EXPECT_STATUS(build->free(pool, &gaps[i]), DEFRAG_OK);
                support_context("%s, %zu pins, %zu granules, gap %zu", build->name, pins, granules, wide);
                EXPECT_STATUS(build->alloc(pool, support_payload(inside, granules), &out),
                              wide ? DEFRAG_OK : DEFRAG_PINNED);
                EXPECT_STATUS(build->check(pool), DEFRAG_OK);
                support_buffer_free(&buffer);
            }
        }
    }
}

/*
 * A block that grows by what slides to it from below alone leaves the gap above:
 *
 *   [ gap ][ X ][ A ][ gap ][ locked ]  ->  [ X ][ A    ][ gap  ][ locked ]
 */
static void gathered_from_below(const struct defrag_build *build)
{
    static const size_t sizes[] = {6, 2, 6, 2, 2};
    const struct inside *inside = inside_of(build->name);
    struct support_buffer buffer;
    defrag_pool *pool = support_pool_of(build, &buffer, 40, NULL);
    defrag_handle handles[5], rest;
    unsigned char bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8}, now[8];
    for (size_t i = 0; i < 5; i++)
        EXPECT_STATUS(build->alloc(pool, support_payload(inside, sizes[i]), &handles[i]), DEFRAG_OK);
    size_t left = support_statistics(build, pool).largest_fast;
    EXPECT_STATUS(build->alloc(pool, left, &rest), DEFRAG_OK);
    EXPECT(support_statistics(build, pool).free_bytes == 0, "not all is taken");
    EXPECT_STATUS(build->write(pool, handles[2], 0, bytes, sizeof bytes), DEFRAG_OK);
    EXPECT_STATUS(build->free(pool, &handles[0]), DEFRAG_OK);
    EXPECT_STATUS(build->free(pool, &handles[3]), DEFRAG_OK);
    EXPECT(build->lock(pool, handles[4]), "no lock");
    EXPECT_STATUS(build->resize(pool, handles[2], support_payload(inside, 10)), DEFRAG_OK);
    EXPECT_STATUS(build->check(pool), DEFRAG_OK);
    EXPECT(build->size(pool, handles[2]) == support_payload(inside, 10), "the size is another one");
    EXPECT_STATUS(build->read(pool, handles[2], 0, now, sizeof now), DEFRAG_OK);
    EXPECT(memcmp(bytes, now, sizeof now) == 0, "the contents changed");
    EXPECT(support_statistics(build, pool).moved_blocks == 2, "more moved than what lies below");
    support_buffer_free(&buffer);
}

int main(void)
{
    static const struct support_test tests[] = {
        {"alloc succeeds iff F >= s + t, and as T3 says among pins", every_allocation_in_every_state},
        {"resize succeeds iff free and own granules hold the block", every_resize_in_every_state},
        {"T3 is tight for many pins", tight_among_pins},
        {"a block grows by what lies below it", gathered_from_below},
    };
    return support_run("promise 1: no fragmentation failure", tests, sizeof tests / sizeof tests[0]);
}
