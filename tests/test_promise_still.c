/* SPDX-License-Identifier: MIT */
/*
 * Promise 2, nothing moves behind your back: only the calls documented as
 * moving move a block, and those never a locked one. Every call in every state
 * of a small pool.
 */
#include "states.h"

#include <string.h>

static const defrag_config manual = {.flags = DEFRAG_MANUAL};

/* Every block but those in `except` is where it was. */
static void expect_still(const struct state *s, defrag_handle except)
{
    static struct layout now;
    EXPECT_STATUS(s->build->check(s->pool), DEFRAG_OK);
    layout_read(&now, s->build, s->pool);
    for (size_t i = 0; i < s->layout.count; i++) {
        const struct stretch *old = &s->layout.stretches[i];
        if (old->region != DEFRAG_REGION_USED || old->handle.bits == except.bits)
            continue;
        const struct stretch *block = layout_find(&now, old->handle);
        EXPECT(block, "block %08x is gone", (unsigned)old->handle.bits);
        EXPECT(block->start == old->start, "block %08x moved", (unsigned)old->handle.bits);
    }
}

static void settle(struct state *s)
{
    expect_still(s, (defrag_handle){0});
    state_restore(s);
}

static void try_handle_calls(struct state *s, const struct stretch *block)
{
    const struct defrag_build *b = s->build;
    defrag_handle handle = block->handle;
    unsigned char byte = 0;
    (void)!b->lock(s->pool, handle);
    settle(s);
    (void)!b->lock_shared(s->pool, handle);
    settle(s);
    (void)b->unlock(s->pool, handle);
    settle(s);
    (void)b->read(s->pool, handle, 0, &byte, 1);
    settle(s);
    (void)b->write(s->pool, handle, 0, &byte, 1);
    settle(s);
    (void)b->size(s->pool, handle);
    settle(s);
    if (b->free(s->pool, &handle) == DEFRAG_OK)
        expect_still(s, block->handle);
    else
        expect_still(s, (defrag_handle){0});
    state_restore(s);
}

/* In place or not at all, as far as the gap behind the block goes. */
static void try_resizes(struct state *s, size_t index)
{
    const struct stretch *block = &s->layout.stretches[index];
    for (size_t granules = s->inside->smallest; granules <= s->layout.capacity; granules++) {
        size_t bytes = support_payload(s->inside, granules);
        bool in_place = layout_resize_way(&s->layout, index, bytes, false) == RESIZE_IN_PLACE;
        bool alone = layout_resize_way(&s->layout, index, bytes, false) == RESIZE_ALONE;
        defrag_status status = s->build->resize(s->pool, block->handle, bytes);
        if (in_place || status != DEFRAG_OK || block->pinned)
            expect_still(s, (defrag_handle){0});
        else if (alone || s->build->check(s->pool) != DEFRAG_OK)
            expect_still(s, block->handle);
        if (in_place && !block->pinned)
            EXPECT_STATUS(status, DEFRAG_OK);
        state_restore(s);
    }
}

static void visit_still_calls(struct state *s, void *context)
{
    const struct defrag_build *b = s->build;
    defrag_statistics statistics;
    defrag_handle handle;
    (void)context;
    for (size_t i = 0; i < s->layout.count; i++) {
        if (s->layout.stretches[i].region != DEFRAG_REGION_USED)
            continue;
        try_handle_calls(s, &s->layout.stretches[i]);
        try_resizes(s, i);
    }
    for (size_t granules = s->inside->smallest; granules <= s->layout.capacity + 1; granules++) {
        size_t bytes = support_payload(s->inside, granules);
        (void)b->alloc_fast(s->pool, bytes, &handle);
        settle(s);
        (void)b->alloc_slice_fast(s->pool, 1, bytes, &handle);
        settle(s);
        /* The moving ones: nothing where there is a hole already, or no way at all. */
        size_t t = layout_need(&s->layout);
        bool hole = layout_wilderness(&s->layout) >= t && layout_largest_gap(&s->layout, 0, t) >= granules;
        if (b->alloc(s->pool, bytes, &handle) != DEFRAG_OK || hole)
            expect_still(s, (defrag_handle){0});
        state_expect_intact(s);
        state_restore(s);
        if (b->make_room(s->pool, bytes) != DEFRAG_OK || hole)
            expect_still(s, (defrag_handle){0});
        state_expect_intact(s);
        state_restore(s);
    }
    EXPECT_STATUS(b->clean(s->pool), DEFRAG_OK);
    settle(s);
    b->statistics_get(s->pool, &statistics);
    settle(s);
    EXPECT_STATUS(b->compact(s->pool), DEFRAG_OK);
    state_expect_intact(s);
    state_restore(s);
    while (b->compact_step(s->pool, 1, NULL) == DEFRAG_MORE)
        state_expect_intact(s);
    state_expect_intact(s);
    state_restore(s);
}

static void only_moving_calls_move(const struct defrag_build *build)
{
    (void)states_each(build, states_granules(build, 8), NULL, visit_still_calls, NULL);
}

/* With DEFRAG_MANUAL alloc moves nothing, and resize nothing but its own block. */
static void visit_manual(struct state *s, void *context)
{
    (void)context;
    defrag_handle handle;
    for (size_t granules = s->inside->smallest; granules <= s->layout.capacity + 1; granules++) {
        size_t bytes = support_payload(s->inside, granules);
        defrag_status status = s->build->alloc(s->pool, bytes, &handle);
        EXPECT_STATUS(status, layout_predict_alloc(&s->layout, bytes, true).status);
        settle(s);
        for (size_t i = 0; i < s->layout.count; i++) {
            const struct stretch *block = &s->layout.stretches[i];
            if (block->region != DEFRAG_REGION_USED)
                continue;
            struct verdict verdict = layout_predict_resize(&s->layout, i, bytes, true);
            status = s->build->resize(s->pool, block->handle, bytes);
            EXPECT(status == (defrag_status)verdict.status || status == (defrag_status)verdict.also,
                   "resize answers %d, not %d", (int)status, verdict.status);
            expect_still(s, block->pinned ? (defrag_handle){0} : block->handle);
            state_restore(s);
        }
    }
}

static void manual_moves_no_other_block(const struct defrag_build *build)
{
    (void)states_each(build, states_granules(build, 8), &manual, visit_manual, NULL);
}

int main(void)
{
    static const struct support_test tests[] = {
        {"only the moving calls move, and never a locked block", only_moving_calls_move},
        {"MANUAL moves no other block", manual_moves_no_other_block},
    };
    return support_run("promise 2: nothing moves behind your back", tests, sizeof tests / sizeof tests[0]);
}
