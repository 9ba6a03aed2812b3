/* SPDX-License-Identifier: MIT */
/* The floor and the cheapest slide are what brute force finds: every window at every place, every run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "support.h"
#include "tools/floor.h"

enum { MOST_BYTES = 120, MOST_STRETCHES = 24 };

struct heap {
    struct stretch stretches[MOST_STRETCHES];
    size_t count;
    size_t bytes;
};

/* Free stretches are never neighbours; the last one is free, and may be empty. */
static void heap_draw(struct heap *heap, uint64_t *seed, bool locks)
{
    *heap = (struct heap){0};
    size_t count = 2 + support_below(seed, MOST_STRETCHES - 3);
    for (size_t i = 0; i < count; i++) {
        bool was_free = i > 0 && !heap->stretches[i - 1].is_used;
        struct stretch *stretch = &heap->stretches[heap->count++];
        stretch->is_used = was_free || support_below(seed, 2);
        stretch->stays = locks && stretch->is_used && support_below(seed, 6) == 0;
        stretch->bytes = 1 + support_below(seed, 6);
    }
    if (heap->stretches[heap->count - 1].is_used) {
        heap->stretches[heap->count++].bytes = support_below(seed, 3);
    }
    for (size_t i = 0; i < heap->count; i++) {
        heap->bytes += heap->stretches[i].bytes;
    }
}

/* The bytes of blocks in [begin, end) or reaching beyond `limit`; FLOOR_NONE: one of them is locked. */
static uint64_t touching(const struct heap *heap, size_t begin, size_t end, size_t limit)
{
    uint64_t sum = 0;
    size_t at = 0;
    for (size_t i = 0; i < heap->count; i++) {
        const struct stretch *stretch = &heap->stretches[i];
        size_t behind = at + stretch->bytes;
        if (stretch->is_used && ((at < end && behind > begin) || behind > limit)) {
            if (stretch->stays) {
                return FLOOR_NONE;
            }
            sum += stretch->bytes;
        }
        at = behind;
    }
    return sum;
}

static uint64_t brute(const struct heap *heap, size_t need, size_t limit)
{
    uint64_t best = FLOOR_NONE;
    for (size_t begin = 0; begin + need <= limit; begin++) {
        uint64_t cost = touching(heap, begin, begin + need, limit);
        best = cost < best ? cost : best;
    }
    return best;
}

static void test_floor_is_that_of_brute_force(void **state)
{
    uint64_t seed = 1;
    size_t none = 0, some = 0;

    (void)state;
    for (unsigned i = 0; i < 40000 * support_effort() / 100 + 100; i++) {
        struct heap heap;
        heap_draw(&heap, &seed, i % 2);
        size_t need = 1 + support_below(&seed, heap.bytes);
        /* The table may have taken a granule from the end. */
        size_t limit = heap.bytes - support_below(&seed, 2);
        uint64_t expected = brute(&heap, need, limit);
        uint64_t found = floor_bytes(heap.stretches, heap.count, need, limit);
        EXPECT(found == expected, "heap %u: %llu bytes, not %llu", i, (unsigned long long)found,
               (unsigned long long)expected);
        none += expected == FLOOR_NONE;
        some += expected != FLOOR_NONE && expected > 0;
    }
    assert_true(none > 20 && some > 50);
}

/* The same, of all runs of stretches that begin and end with a free one and have no locked block in them. */
static uint64_t brute_slide(const struct heap *heap, size_t need)
{
    uint64_t best = FLOOR_NONE;
    for (size_t i = 0; i < heap->count; i++) {
        size_t gaps = 0;
        uint64_t cost = 0;
        for (size_t j = i; j < heap->count && !heap->stretches[i].is_used && !heap->stretches[j].stays; j++) {
            gaps += heap->stretches[j].is_used ? 0 : heap->stretches[j].bytes;
            cost += heap->stretches[j].is_used ? heap->stretches[j].bytes : 0;
            if (gaps >= need && !heap->stretches[j].is_used && cost < best) {
                best = cost;
            }
        }
    }
    return best;
}

/* What the run says of itself is so. */
static void expect_run(const struct heap *heap, const struct floor_run *run, size_t need)
{
    size_t at = 0, gaps = 0;
    uint64_t cost = 0;
    for (size_t i = 0; i < heap->count; at += heap->stretches[i++].bytes) {
        if (at >= run->begin && at < run->end) {
            assert_false(heap->stretches[i].stays);
            gaps += heap->stretches[i].is_used ? 0 : heap->stretches[i].bytes;
            cost += heap->stretches[i].is_used ? heap->stretches[i].bytes : 0;
        }
    }
    assert_true(gaps >= need);
    assert_int_equal(cost, run->cost);
}

static void test_slide_is_that_of_brute_force(void **state)
{
    uint64_t seed = 2;

    (void)state;
    for (unsigned i = 0; i < 40000 * support_effort() / 100 + 100; i++) {
        struct heap heap;
        heap_draw(&heap, &seed, i % 2);
        size_t need = 1 + support_below(&seed, heap.bytes / 2);
        struct floor_run run = floor_slide(heap.stretches, heap.count, need);
        assert_int_equal(run.cost, brute_slide(&heap, need));
        assert_int_equal(run.end == 0, run.cost == FLOOR_NONE);
        if (run.end) {
            expect_run(&heap, &run, need);
        }
        assert_true(run.cost >= floor_bytes(heap.stretches, heap.count, need, heap.bytes));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floor_is_that_of_brute_force),
        cmocka_unit_test(test_slide_is_that_of_brute_force),
    };
    return cmocka_run_group_tests_name("floor", tests, NULL, NULL);
}
