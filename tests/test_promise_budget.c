/* SPDX-License-Identifier: MIT */
/*
 * Promise 3, bounded time, as far as bytes tell: a step of compaction keeps to
 * its budget, all steps together move each block at most once, and a pool that
 * is compact costs nothing.
 */
#include "states.h"

#include <stdlib.h>
#include <string.h>

static struct watch {
    const struct defrag_build *build;
    unsigned long moves, bytes;
    defrag_handle moved[STATE_PIECES];
} watch;

static void on_move(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    struct watch *w = context;
    EXPECT((char *)to < (char *)from, "compaction moves a block up");
    for (unsigned long i = 0; i < w->moves && i < STATE_PIECES; i++)
        EXPECT(w->moved[i].bits != handle.bits, "block %08x moves twice", (unsigned)handle.bits);
    if (w->moves < STATE_PIECES)
        w->moved[w->moves] = handle;
    w->moves++;
    w->bytes += bytes + inside_of(w->build->name)->header;
}

static const defrag_config watched = {.on_move = on_move, .move_context = &watch};

static void watch_begin(const struct defrag_build *build)
{
    memset(&watch, 0, sizeof watch);
    watch.build = build;
}

/* One step, held against its budget; returns whether there is more to do. */
static bool step(const struct state *s, size_t budget)
{
    unsigned long moves = watch.moves;
    unsigned long bytes = watch.bytes;
    size_t moved = SIZE_MAX;
    defrag_status status = s->build->compact_step(s->pool, budget, &moved);
    EXPECT(status == DEFRAG_OK || status == DEFRAG_MORE, "compact_step answers %d", (int)status);
    EXPECT(watch.bytes - bytes == moved, "a step moved %lu bytes and says %zu", watch.bytes - bytes, moved);
    EXPECT(moved <= budget || watch.moves - moves == 1, "a step of %zu moved %zu bytes in %lu blocks", budget,
           moved, watch.moves - moves);
    return status == DEFRAG_MORE;
}

static void expect_compact(struct state *s)
{
    static struct layout now;
    state_expect_intact(s);
    layout_read(&now, s->build, s->pool);
    EXPECT(layout_is_compact(&now), "the steps are done, but more can slide");
    EXPECT(layout_is_settled(&now), "the steps are done, but a block fits into a hole below it");
    layout_predict_compact(&s->layout);
    for (size_t i = 0; i < s->layout.count; i++) {
        const struct stretch *old = &s->layout.stretches[i];
        if (old->region != DEFRAG_REGION_USED)
            continue;
        const struct stretch *block = layout_find(&now, old->handle);
        EXPECT(block->start == old->compacted, "block %08x is at %zu, not %zu", (unsigned)old->handle.bits,
               block->start, old->compacted);
    }
}

/* An idle step: done, nothing moved, not a byte of the pool changed. */
static void expect_idle(const struct state *s)
{
    unsigned char *image = malloc(s->image_bytes);
    EXPECT(image, "out of memory");
    memcpy(image, s->pool, s->image_bytes);
    unsigned long moves = watch.moves;
    EXPECT(!step(s, 1000), "an idle step says MORE");
    EXPECT(watch.moves == moves, "an idle step moves a block");
    EXPECT(memcmp(image, s->pool, s->image_bytes) == 0, "an idle step changes the pool");
    free(image);
}

static void visit_steps(struct state *s, void *context)
{
    (void)context;
    const size_t budgets[] = {0, 1, 8, 16, 3 * s->inside->granule, 64, SIZE_MAX};
    for (size_t i = 0; i < sizeof budgets / sizeof budgets[0]; i++) {
        watch_begin(s->build);
        /* Each step at least looks at a block; a second pass may follow an unlock. */
        size_t limit = 2 * s->layout.count + 3;
        while (step(s, budgets[i]))
            EXPECT(limit-- > 0, "steps of %zu make no progress", budgets[i]);
        expect_compact(s);
        expect_idle(s);
        state_restore(s);
    }
    watch_begin(s->build);
    EXPECT_STATUS(s->build->compact(s->pool), DEFRAG_OK);
    expect_compact(s);
    state_restore(s);
}

static void steps_keep_to_their_budget(const struct defrag_build *build)
{
    (void)states_each(build, states_granules(build, 8), &watched, visit_steps, NULL);
}

/* After any number of steps one call comes between; from then on each block moves at most once. */
static void visit_calls_between(struct state *s, void *context)
{
    (void)context;
    for (size_t before = 0; before < s->layout.count; before++) {
        for (size_t i = 0; i < s->layout.count; i++) {
            const struct stretch *block = &s->layout.stretches[i];
            if (block->region != DEFRAG_REGION_USED)
                continue;
            watch_begin(s->build);
            for (size_t n = 0; n < before; n++)
                (void)step(s, 8);
            defrag_handle handle = block->handle;
            if (block->pinned)
                EXPECT_STATUS(s->build->unlock(s->pool, handle), DEFRAG_OK);
            else
                EXPECT_STATUS(s->build->free(s->pool, &handle), DEFRAG_OK);
            watch_begin(s->build);
            size_t limit = 3 * s->layout.count + 3;
            while (step(s, 8))
                EXPECT(limit-- > 0, "no progress after a call between");
            EXPECT_STATUS(s->build->check(s->pool), DEFRAG_OK);
            static struct layout now;
            layout_read(&now, s->build, s->pool);
            EXPECT(layout_is_compact(&now), "done after a call between, but more can slide");
            state_restore(s);
        }
    }
}

static void calls_may_come_between(const struct defrag_build *build)
{
    (void)states_each(build, states_granules(build, 7), &watched, visit_calls_between, NULL);
}

/* Where something was unlocked below a cursor that stands in the middle. */
static void unlock_and_free_before_the_first_step(const struct defrag_build *build)
{
    struct support_buffer buffer;
    defrag_handle h[8];
    defrag_pool *pool = support_pool_of(build, &buffer, 60, &watched);
    for (size_t i = 0; i < 8; i++)
        EXPECT_STATUS(build->alloc(pool, 20, &h[i]), DEFRAG_OK);
    EXPECT(build->lock(pool, h[1]), "no lock");
    EXPECT_STATUS(build->free(pool, &h[0]), DEFRAG_OK);
    watch_begin(build);
    EXPECT_STATUS(build->compact(pool), DEFRAG_OK);
    EXPECT_STATUS(build->unlock(pool, h[1]), DEFRAG_OK);
    EXPECT_STATUS(build->free(pool, &h[4]), DEFRAG_OK);
    watch_begin(build);
    defrag_status status;
    do {
        status = build->compact_step(pool, 24, NULL);
    } while (status == DEFRAG_MORE);
    EXPECT_STATUS(status, DEFRAG_OK);
    EXPECT(support_statistics(build, pool).free_blocks == 0, "free blocks are left");
    support_buffer_free(&buffer);
}

/* Compaction has passed the block by; it stays where it is until the last of its locks is gone. */
static void unlock_of_one_lock_of_some(const struct defrag_build *build, unsigned locks)
{
    struct support_buffer buffer;
    defrag_handle h[3];
    defrag_pool *pool = support_pool_of(build, &buffer, 60, NULL);
    for (size_t i = 0; i < 3; i++)
        EXPECT_STATUS(build->alloc(pool, 20 + 40 * i, &h[i]), DEFRAG_OK);
    for (unsigned i = 0; i < locks; i++)
        EXPECT(build->lock_shared(pool, h[1]), "no lock");
    EXPECT_STATUS(build->free(pool, &h[0]), DEFRAG_OK);
    EXPECT_STATUS(build->compact(pool), DEFRAG_OK);
    const struct inside_field *cursor = &inside_of(build->name)->cursor;
    uint64_t done = inside_load(pool, cursor);
    for (unsigned i = 1; i < locks; i++) {
        EXPECT_STATUS(build->unlock(pool, h[1]), DEFRAG_OK);
        EXPECT(inside_load(pool, cursor) == done, "compaction begins anew at a block that is still locked");
    }
    EXPECT_STATUS(build->unlock(pool, h[1]), DEFRAG_OK);
    EXPECT(inside_load(pool, cursor) < done, "compaction does not begin anew");
    EXPECT_STATUS(build->unlock(pool, h[1]), DEFRAG_NOT_LOCKED);
    support_buffer_free(&buffer);
}

static void unlock_of_one_of_several_locks(const struct defrag_build *build)
{
    for (unsigned locks = 1; locks <= 14; locks++) {
        support_context("%s, %u locks", build->name, locks);
        unlock_of_one_lock_of_some(build, locks);
    }
}

/* A step of 72 bytes looks at nine blocks, which stay where they are: below every gap, or locked. */
static void looking_at_a_block_costs_eight_bytes(const struct defrag_build *build)
{
    struct support_buffer buffer;
    defrag_handle h[47];
    size_t moved;
    defrag_pool *pool = support_pool_of(build, &buffer, 400, NULL);
    for (size_t i = 0; i < 47; i++)
        EXPECT_STATUS(build->alloc(pool, 12, &h[i]), DEFRAG_OK);
    EXPECT_STATUS(build->free(pool, &h[45]), DEFRAG_OK);
    for (size_t step = 0; step < 5; step++) {
        EXPECT_STATUS(build->compact_step(pool, 72, &moved), DEFRAG_MORE);
        EXPECT(moved == 0, "step %zu moves a block already", step);
    }
    EXPECT_STATUS(build->compact_step(pool, 1, &moved), DEFRAG_OK);
    EXPECT(moved > 0, "five steps of nine blocks do not get past 45");
    for (size_t i = 0; i < 44; i += 2) {
        EXPECT_STATUS(build->free(pool, &h[i]), DEFRAG_OK);
        EXPECT(build->lock(pool, h[i + 1]), "no lock");
    }
    EXPECT(build->lock(pool, h[46]), "no lock");
    EXPECT_STATUS(build->free(pool, &h[44]), DEFRAG_OK);
    for (size_t step = 0; step < 2; step++)
        EXPECT_STATUS(build->compact_step(pool, 72, NULL), DEFRAG_MORE);
    EXPECT_STATUS(build->compact_step(pool, 72, NULL), DEFRAG_OK);
    support_buffer_free(&buffer);
}

/* [ gap ][ locked ][ block ][ block ], each of the smallest size: the first block goes into the gap. */
static defrag_pool *pool_with_a_hole(const struct defrag_build *build, struct support_buffer *buffer,
                                     defrag_handle h[4])
{
    defrag_pool *pool = support_pool_of(build, buffer, 60, NULL);
    for (size_t i = 0; i < 4; i++)
        EXPECT_STATUS(build->alloc(pool, 0, &h[i]), DEFRAG_OK);
    EXPECT(build->lock(pool, h[1]), "no lock");
    EXPECT_STATUS(build->free(pool, &h[0]), DEFRAG_OK);
    return pool;
}

/* Going by the locked block, a look at the hole and one at the end of its list cost 24 bytes; then the block moves. */
static void looking_at_a_hole_costs_eight_bytes(const struct defrag_build *build)
{
    const struct inside *inside = inside_of(build->name);
    size_t block = inside->smallest * inside->granule;
    for (size_t more = 0; more <= 1; more++) {
        struct support_buffer buffer;
        defrag_handle h[4];
        size_t moved;
        defrag_pool *pool = pool_with_a_hole(build, &buffer, h);
        EXPECT_STATUS(build->compact_step(pool, 24 + block - 1 + more, &moved), DEFRAG_MORE);
        EXPECT(moved == more * block, "%zu bytes move, of %zu that are left", moved, block - 1 + more);
        uint64_t bound = inside_load(pool, &inside->hole_bound);
        EXPECT(!more || bound == inside->smallest - 1,
               "the only hole is filled, and holes of %u granules looked for", (unsigned)bound);
        support_buffer_free(&buffer);
    }
}

/* A gap left below a locked block closes when that is unlocked; from then on nobody looks for holes. */
static void no_hole_is_looked_for_when_none_is_left(const struct defrag_build *build)
{
    const struct inside_field *bound = &inside_of(build->name)->hole_bound;
    struct support_buffer buffer;
    defrag_handle h[3];
    defrag_pool *pool = support_pool_of(build, &buffer, 60, NULL);
    for (size_t i = 0; i < 3; i++)
        EXPECT_STATUS(build->alloc(pool, 60, &h[i]), DEFRAG_OK);
    EXPECT(build->lock(pool, h[1]), "no lock");
    EXPECT_STATUS(build->free(pool, &h[0]), DEFRAG_OK);
    EXPECT_STATUS(build->compact_step(pool, 1, NULL), DEFRAG_MORE);
    EXPECT(inside_load(pool, bound) > 0, "the gap below the locked block is no hole");
    EXPECT_STATUS(build->unlock(pool, h[1]), DEFRAG_OK);
    EXPECT_STATUS(build->compact_step(pool, SIZE_MAX, NULL), DEFRAG_OK);
    EXPECT(inside_load(pool, bound) == 0, "holes of %u granules are looked for",
           (unsigned)inside_load(pool, bound));
    support_buffer_free(&buffer);
}

/*
 * Steps of b bytes without calls in between, nothing locked: W is 8 bytes for each block
 * that they go past and the bytes of each that they move. A step that is not the last
 * spends b, or less than that because the block with which the next begins does not fit;
 * so any two that follow each other spend b together, and there are at most
 * 2 * floor(W / b) + 1. And W is at most 8 bytes for each block and the bytes moved.
 */
static void expect_few_steps(const struct defrag_build *build, defrag_pool *pool, size_t budget)
{
    size_t blocks = support_statistics(build, pool).live_blocks;
    size_t steps = 1;
    watch_begin(build);
    struct state s = {.build = build, .pool = pool};
    while (step(&s, budget))
        steps++;
    EXPECT(watch.moves <= blocks, "%lu moves of %zu blocks", watch.moves, blocks);
    size_t most = 2 * ((8 * (blocks - watch.moves) + watch.bytes) / budget) + 1;
    EXPECT(steps <= most,
           "%zu steps of %zu bytes for %zu blocks, %lu of which move with %lu bytes: more than %zu", steps,
           budget, blocks, watch.moves, watch.bytes, most);
}

static void steps_are_as_few_as_work_and_budget_say(const struct defrag_build *build)
{
    static defrag_handle handles[256];
    const size_t most = sizeof handles / sizeof handles[0];
    uint64_t random = 7;
    for (unsigned heap = 0; heap < 10 * support_effort(); heap++) {
        struct support_buffer buffer;
        defrag_pool *pool = support_pool_of(build, &buffer, 40 + support_below(&random, 400), &watched);
        size_t largest = (size_t)1 << (3 + support_below(&random, 6));
        size_t count = 0;
        support_context("%s, heap %u", build->name, heap);
        while (count < most
               && build->alloc_fast(pool, support_below(&random, largest), &handles[count]) == DEFRAG_OK)
            count++;
        size_t kept = support_below(&random, 100);
        for (size_t i = 0; i < count; i++)
            if (support_below(&random, 100) >= kept)
                EXPECT_STATUS(build->free(pool, &handles[i]), DEFRAG_OK);
        expect_few_steps(build, pool, 1 + support_below(&random, (size_t)1 << support_below(&random, 12)));
        support_buffer_free(&buffer);
    }
}

/* Every second of n blocks is freed: compaction moves the others once, n / 2 blocks for any n. */
static void total_work_is_linear(const struct defrag_build *build)
{
    static defrag_handle handles[2000];
    for (size_t n = 10; n <= 2000; n *= 3) {
        struct support_buffer buffer;
        defrag_pool *pool = support_pool_of(build, &buffer, 8 * n, NULL);
        for (size_t i = 0; i < n; i++)
            EXPECT_STATUS(build->alloc(pool, 12, &handles[i]), DEFRAG_OK);
        for (size_t i = 0; i < n; i += 2)
            EXPECT_STATUS(build->free(pool, &handles[i]), DEFRAG_OK);
        size_t total = 0;
        size_t steps = 0;
        size_t moved;
        while (build->compact_step(pool, 256, &moved) == DEFRAG_MORE) {
            total += moved;
            steps++;
        }
        total += moved;
        defrag_statistics statistics = support_statistics(build, pool);
        EXPECT(statistics.moved_blocks == n / 2 && total == statistics.live_bytes
                   && statistics.moved_bytes == total,
               "%zu blocks: %zu bytes moved, %zu live", n, total, statistics.live_bytes);
        EXPECT(steps <= (total + 8 * n) / (256 - 32) + 2, "%zu blocks: %zu steps of 256 bytes", n, steps);
        support_buffer_free(&buffer);
    }
}

/*
 * The same with every tenth block of those that are left locked, and blocks of two
 * sizes. A step that may spend 1 byte does one thing: it goes by a block, moves one,
 * or finds that no hole holds it; the last at most twice for each gap that it leaves.
 */
static void work_with_pins_is_linear(const struct defrag_build *build)
{
    static defrag_handle handles[2000];
    for (size_t n = 20; n <= 2000; n *= 10) {
        struct support_buffer buffer;
        defrag_pool *pool = support_pool_of(build, &buffer, 12 * n, NULL);
        for (size_t i = 0; i < n; i++)
            EXPECT_STATUS(build->alloc(pool, i % 3 == 1 ? 44 : 12, &handles[i]), DEFRAG_OK);
        for (size_t i = 0; i < n; i += 2)
            EXPECT_STATUS(build->free(pool, &handles[i]), DEFRAG_OK);
        for (size_t i = 19; i < n; i += 20)
            EXPECT(build->lock(pool, handles[i]), "no lock");
        size_t steps = 1;
        size_t total = 0;
        size_t moved;
        for (; build->compact_step(pool, 1, &moved) == DEFRAG_MORE; steps++)
            total += moved;
        total += moved;
        defrag_statistics statistics = support_statistics(build, pool);
        EXPECT(statistics.moved_blocks <= statistics.live_blocks - statistics.locked_blocks
                   && statistics.moved_bytes == total,
               "%zu blocks: %u moved, %zu bytes", n, (unsigned)statistics.moved_blocks, total);
        EXPECT(steps <= statistics.live_blocks + 2 * statistics.locked_blocks + 1,
               "%zu blocks: %zu steps for %zu blocks, %zu of them locked", n, steps, statistics.live_blocks,
               statistics.locked_blocks);
        support_buffer_free(&buffer);
    }
}

int main(void)
{
    static const struct support_test tests[] = {
        {"an unlock that leaves a lock", unlock_of_one_of_several_locks},
        {"looking at a block costs eight bytes", looking_at_a_block_costs_eight_bytes},
        {"looking at a hole costs eight bytes", looking_at_a_hole_costs_eight_bytes},
        {"no hole is looked for when none is left", no_hole_is_looked_for_when_none_is_left},
        {"steps keep to their budget, move each block once, and then are idle", steps_keep_to_their_budget},
        {"a call between the steps", calls_may_come_between},
        {"unlock and free before the first step", unlock_and_free_before_the_first_step},
        {"as few steps as work and budget say", steps_are_as_few_as_work_and_budget_say},
        {"all steps together are linear", total_work_is_linear},
        {"all steps together are linear among locked blocks", work_with_pins_is_linear},
    };
    return support_run("promise 3: compaction takes a budget", tests, sizeof tests / sizeof tests[0]);
}
