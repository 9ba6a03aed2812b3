/* SPDX-License-Identifier: MIT */
/*
 * The smallest pool is the smallest from which every larger one does, not the
 * smallest that happens to do: compared with trying every pool, one by one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "tools/size.h"
#include "tools/xalloc.h"

static uint32_t random_state;

static uint32_t next(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % below;
}

/* --- Traces made here --------------------------------------------------------------- */

static void trace_add(struct trace *trace, enum trace_kind kind, uint32_t object, uint64_t size)
{
    trace->ops = xrealloc(trace->ops, trace->count + 1, sizeof *trace->ops);
    trace->ops[trace->count] = (struct trace_op){
        .size = size & TRACE_SIZE_MAX,
        .kind = kind & 0xff,
        .object = object,
        .line = (uint32_t)trace->count + 2,
    };
    trace->count++;
    if (kind == TRACE_ALLOC) {
        trace->summary.objects = object + 1;
    }
    trace->summary.operations++;
}

static void trace_drop(struct trace *trace)
{
    free(trace->ops);
    memset(trace, 0, sizeof *trace);
}

/* Up to `live` objects of up to `most` bytes, freed and resized at random. */
static struct trace trace_random(uint32_t seed, size_t count, uint32_t live, uint32_t most)
{
    struct trace trace = {0};
    uint32_t *objects = xcalloc(live, sizeof *objects);
    uint32_t held = 0, made = 0;

    random_state = seed * 2654435761u + 1;
    while (trace.count < count) {
        uint32_t draw = next(8);
        uint32_t which = held ? next(held) : 0;
        if (held < live && (draw < 4 || held == 0)) {
            objects[held++] = made;
            trace_add(&trace, TRACE_ALLOC, made++, next(most + 1));
        } else if (draw == 7) {
            trace_add(&trace, TRACE_RESIZE, objects[which], next(most + 1));
        } else {
            trace_add(&trace, TRACE_FREE, objects[which], 0);
            objects[which] = objects[--held];
        }
    }
    free(objects);
    return trace;
}

static struct contender contender_of(const char *name, const char *layout, unsigned alignment)
{
    struct contender contender = {.name = name, .alignment = alignment};
    contender.policy = policy_find(name);
    contender.build = contender.policy ? NULL : defrag_build_find(layout, alignment);
    assert_true(contender.policy || contender.build);
    return contender;
}

/* --- Trying every pool ---------------------------------------------------------------- */

static bool serves(const struct trace *trace, const struct contender *contender, size_t units,
                   unsigned lock_percent)
{
    struct replay_options options = {.until_refused = true, .lock_percent = lock_percent};
    struct replay_result result;

    return replay_run(trace, contender, units, &options, &result) && result.refused == 0 &&
           result.broken_line == 0;
}

/* Of the pools up to `most` units, the smallest from which all do. */
static size_t brute_force(const struct trace *trace, const struct contender *contender, size_t most,
                          unsigned lock_percent)
{
    size_t units = most + 1;
    while (units > 0 && serves(trace, contender, units - 1, lock_percent)) {
        units--;
    }
    return units;
}

static size_t found_units(const struct trace *trace, const struct contender *contender, unsigned lock_percent)
{
    struct size_options options = {.lock_percent = lock_percent};
    struct size_result result;

    size_find(trace, contender, &options, &result);
    assert_int_equal(result.outcome, SIZE_FOUND);
    assert_int_equal(result.bytes, contender_pool_bytes(contender, result.units));
    if (result.reach_bytes) {
        assert_int_equal(result.reach_bytes, contender_pool_bytes(contender, 2 * result.units));
    }
    return result.units;
}

/* The estimate does, and the pool a unit smaller does not. */
static void test_estimates(void **state)
{
    static const char *const names[] = {"libdefrag", "first-fit", "best-fit", "tlsf", "half-fit", "buddy"};

    (void)state;
    for (uint32_t seed = 1; seed <= 30 * support_effort() / 100 + 1; seed++) {
        struct trace trace = trace_random(seed, 40 + seed * 3, 4 + seed % 20, seed % 2 ? 120 : 900);
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            struct contender contender = contender_of(names[i], "narrow", 8);
            struct size_options options = {.lock_percent = seed % 3 ? 0 : 10};
            unsigned lock_percent = contender.policy ? 0 : options.lock_percent;
            struct size_result result;
            size_estimate(&trace, &contender, &options, &result);
            assert_int_equal(result.outcome, SIZE_FOUND);
            assert_int_equal(result.bytes, contender_pool_bytes(&contender, result.units));
            assert_true(serves(&trace, &contender, result.units, lock_percent));
            assert_true(result.units == 1 || !serves(&trace, &contender, result.units - 1, lock_percent));
        }
        trace_drop(&trace);
    }
}

static void test_policies_agree_with_brute_force(void **state)
{
    static const unsigned alignments[] = {4, 8, 16};

    (void)state;
    for (uint32_t seed = 1; seed <= 60 * support_effort() / 100 + 1; seed++) {
        struct trace trace = trace_random(seed, 40 + seed * 3, 4 + seed % 20, seed % 2 ? 120 : 900);
        for (size_t i = 0; policies[i]; i++) {
            struct contender contender = contender_of(policies[i]->name, NULL, alignments[seed % 3]);
            size_t units = found_units(&trace, &contender, 0);
            size_t expected = brute_force(&trace, &contender, 2 * units + 50, 0);
            assert_int_equal(units, expected);
        }
        trace_drop(&trace);
    }
}

static void test_libdefrag_agrees_with_brute_force(void **state)
{
    (void)state;
    for (size_t i = 0; defrag_builds[i]; i++) {
        struct contender contender =
            contender_of(CONTENDER_DEFRAG, defrag_builds[i]->layout, defrag_builds[i]->alignment);
        for (uint32_t seed = 1; seed <= 20 * support_effort() / 100 + 1; seed++) {
            struct trace trace = trace_random(seed, 60 + seed * 10, 4 + seed % 20, seed % 2 ? 60 : 700);
            size_t units = found_units(&trace, &contender, 0);
            assert_int_equal(units, brute_force(&trace, &contender, units + 300, 0));
            struct size_bounds bounds = size_bounds_get(&trace, &contender);
            assert_in_range(units, bounds.least, bounds.certain);
            trace_drop(&trace);
        }
    }
}

static void test_libdefrag_with_locks_agrees_with_brute_force(void **state)
{
    struct contender contender = contender_of(CONTENDER_DEFRAG, "narrow", 8);
    size_t dearer = 0;

    (void)state;
    for (uint32_t seed = 1; seed <= 8 * support_effort() / 100 + 5; seed++) {
        struct trace trace = trace_random(seed, 120, 12, 200);
        size_t units = found_units(&trace, &contender, 30);
        assert_int_equal(units, brute_force(&trace, &contender, 2 * units, 30));
        dearer += units > found_units(&trace, &contender, 0);
        trace_drop(&trace);
    }
    assert_true(dearer > 0);
}

/* --- Known cases --------------------------------------------------------------------------- */

/*
 * Best-fit in units of 16 bytes, w of them behind what is drawn:
 *
 *     [ A 4 ][ B 1 ][ C 1 ] w      A is freed; D takes 2; B is freed; E takes 5.
 *
 * With w = 2 or 3, D goes behind C, and A and B together hold E. With w = 4 D
 * goes into A's place, which is no larger than the rest and lies lower, and E
 * finds 3 below C and 4 above it.
 */
static void test_best_fit_is_not_monotone(void **state)
{
    struct contender contender = contender_of("best-fit", NULL, 16);
    struct trace trace = {0};

    (void)state;
    trace_add(&trace, TRACE_ALLOC, 0, 60);
    trace_add(&trace, TRACE_ALLOC, 1, 12);
    trace_add(&trace, TRACE_ALLOC, 2, 12);
    trace_add(&trace, TRACE_FREE, 0, 0);
    trace_add(&trace, TRACE_ALLOC, 3, 28);
    trace_add(&trace, TRACE_FREE, 1, 0);
    trace_add(&trace, TRACE_ALLOC, 4, 76);
    for (size_t units = 0; units < 100; units++) {
        assert_int_equal(serves(&trace, &contender, units, 0), units == 8 || units == 9 || units >= 11);
    }
    assert_int_equal(found_units(&trace, &contender, 0), 11);
    trace_drop(&trace);
}

/* The figure of first-fit is where the highest block ever ends. */
static void test_first_fit_needs_its_high_water_mark(void **state)
{
    struct contender contender = contender_of("first-fit", NULL, 8);
    struct trace trace = {0};

    (void)state;
    trace_add(&trace, TRACE_ALLOC, 0, 100); /* 13 units */
    trace_add(&trace, TRACE_ALLOC, 1, 12);  /* 2        */
    trace_add(&trace, TRACE_FREE, 0, 0);
    trace_add(&trace, TRACE_ALLOC, 2, 108); /* 14, behind the rest */
    assert_int_equal(found_units(&trace, &contender, 0), 13 + 2 + 14);
    trace_drop(&trace);
}

static void test_empty_trace_needs_next_to_nothing(void **state)
{
    struct trace trace = {0};

    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        struct contender contender = contender_of(policies[i]->name, NULL, 8);
        assert_in_range(found_units(&trace, &contender, 0), 0, 1);
    }
    struct contender defrag = contender_of(CONTENDER_DEFRAG, "narrow", 8);
    assert_int_equal(found_units(&trace, &defrag, 0), brute_force(&trace, &defrag, 1000, 0));
}

static void test_too_big_is_said(void **state)
{
    struct contender narrow = contender_of(CONTENDER_DEFRAG, "narrow", 8);
    struct contender wide = contender_of(CONTENDER_DEFRAG, "wide", 8);
    struct trace trace = {0};
    struct size_options options = {0};
    struct size_result result;

    (void)state;
    trace_add(&trace, TRACE_ALLOC, 0, 65535 * 8);
    size_find(&trace, &narrow, &options, &result);
    assert_int_equal(result.outcome, SIZE_TOO_BIG);
    assert_int_equal(result.units, 65535);
    size_find(&trace, &wide, &options, &result);
    assert_int_equal(result.outcome, SIZE_FOUND);
    trace.ops[0].size = TRACE_SIZE_MAX;
    for (size_t i = 0; policies[i]; i++) {
        struct contender contender = contender_of(policies[i]->name, NULL, 8);
        size_find(&trace, &contender, &options, &result);
        assert_int_equal(result.outcome, SIZE_TOO_BIG);
    }
    size_find(&trace, &wide, &options, &result);
    assert_int_equal(result.outcome, SIZE_TOO_BIG);
    trace_drop(&trace);
}

static defrag_status refuse(defrag_pool *pool, size_t bytes, defrag_handle *out)
{
    (void)pool;
    (void)bytes;
    *out = DEFRAG_NULL;
    return DEFRAG_NO_MEMORY;
}

static defrag_status forget(defrag_pool *pool, defrag_handle *handle)
{
    (void)pool;
    (void)handle;
    return DEFRAG_CORRUPT;
}

/* A library that does not keep promise 1, or answers nonsense, has no size. */
static void test_a_broken_library_is_said(void **state)
{
    struct contender contender = contender_of(CONTENDER_DEFRAG, "narrow", 8);
    struct defrag_build build = *contender.build;
    struct size_options options = {0};
    struct size_result result;
    struct trace trace = {0};

    (void)state;
    trace_add(&trace, TRACE_ALLOC, 0, 10);
    trace_add(&trace, TRACE_FREE, 0, 0);
    contender.build = &build;
    build.alloc = refuse;
    size_find(&trace, &contender, &options, &result);
    assert_int_equal(result.outcome, SIZE_BROKEN);
    assert_string_equal(result.broken_reason, "refused a request that it promises to serve");

    build = *contender_of(CONTENDER_DEFRAG, "narrow", 8).build;
    build.free = forget;
    size_find(&trace, &contender, &options, &result);
    assert_int_equal(result.outcome, SIZE_BROKEN);
    assert_int_equal(result.broken_line, 3);
    assert_string_equal(result.broken_reason, "CORRUPT");
    options.lock_percent = 10;
    size_find(&trace, &contender, &options, &result);
    assert_int_equal(result.outcome, SIZE_BROKEN);
    trace_drop(&trace);
}

/* Three of 50 granules; when the outer ones are gone, 100 are asked for, and the middle one moves. */
static void test_the_cost_of_the_smallest_pool(void **state)
{
    struct contender contender = contender_of(CONTENDER_DEFRAG, "narrow", 8);
    struct contender_costs costs;
    struct size_options options = {0};
    struct size_result result;
    struct trace trace = {0};

    (void)state;
    trace_add(&trace, TRACE_ALLOC, 0, 396);
    trace_add(&trace, TRACE_ALLOC, 1, 396);
    trace_add(&trace, TRACE_ALLOC, 2, 396);
    trace_add(&trace, TRACE_FREE, 0, 0);
    trace_add(&trace, TRACE_FREE, 2, 0);
    trace_add(&trace, TRACE_RESIZE, 1, 100);
    trace_add(&trace, TRACE_RESIZE, 1, 396);
    trace_add(&trace, TRACE_ALLOC, 3, 796);
    contender_costs_get(&contender, 0, &costs);
    size_find(&trace, &contender, &options, &result);
    assert_int_equal(result.bytes, costs.control_bytes + 150 * 8 + 8);
    assert_int_equal(result.costs[SIZE_COST_SMALLEST].pool_bytes, result.bytes);
    assert_int_equal(result.costs[SIZE_COST_SMALLEST].moved_bytes, 396);
    assert_int_equal(result.costs[SIZE_COST_SMALLEST].longest_pause, 396);
    assert_int_equal(result.costs[SIZE_COST_TENTH_MORE].pool_bytes, (result.units + result.units / 10) * 8);
    assert_int_equal(size_allocated(&trace), 3 * 396 + 296 + 796);
    trace_drop(&trace);
}

/* Where the bounds come from: a block's units, and the control block's, as the library has them. */
static void test_costs_are_the_librarys(void **state)
{
    (void)state;
    for (size_t i = 0; defrag_builds[i]; i++) {
        const struct defrag_build *build = defrag_builds[i];
        struct contender contender = contender_of(CONTENDER_DEFRAG, build->layout, build->alignment);
        unsigned char *buffer = xaligned(16, 16384);
        for (size_t bytes = 0; bytes < 100; bytes++) {
            defrag_pool *pool;
            defrag_handle handle;
            defrag_statistics statistics;
            assert_int_equal(build->init(&pool, buffer, 16384, NULL), DEFRAG_OK);
            assert_int_equal(build->alloc(pool, bytes, &handle), DEFRAG_OK);
            build->statistics_get(pool, &statistics);
            assert_int_equal(statistics.live_bytes,
                             contender_block_units(&contender, bytes) * build->alignment);
        }
        free(buffer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policies_agree_with_brute_force),
        cmocka_unit_test(test_libdefrag_agrees_with_brute_force),
        cmocka_unit_test(test_libdefrag_with_locks_agrees_with_brute_force),
        cmocka_unit_test(test_estimates),
        cmocka_unit_test(test_best_fit_is_not_monotone),
        cmocka_unit_test(test_first_fit_needs_its_high_water_mark),
        cmocka_unit_test(test_empty_trace_needs_next_to_nothing),
        cmocka_unit_test(test_too_big_is_said),
        cmocka_unit_test(test_a_broken_library_is_said),
        cmocka_unit_test(test_the_cost_of_the_smallest_pool),
        cmocka_unit_test(test_costs_are_the_librarys),
    };
    return cmocka_run_group_tests_name("size", tests, NULL, NULL);
}
