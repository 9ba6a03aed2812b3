/* SPDX-License-Identifier: MIT */
/* The workloads are what they are said to be, and the same on every machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "support.h"
#include "tools/workload.h"

enum { POOL = 65536, PERCENT = 90 };

static struct workload workload;

/* FNV-1a of all steps, of which every hundredth request is refused. */
static uint64_t hash_of(enum workload_kind kind, unsigned percent)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    workload_begin(&workload, kind, POOL, percent, WORKLOAD_OPERATIONS, WORKLOAD_SEED);
    for (uint32_t i = 0; i < WORKLOAD_OPERATIONS; i++) {
        struct workload_step step = workload_next(&workload);
        hash = (hash ^ (step.allocates + 2 * step.bytes + 10000 * (uint64_t)step.block)) *
               UINT64_C(0x100000001b3);
        if (step.allocates && i % 100 == 99) {
            workload_refused(&workload, i % 200 == 99);
        } else if (step.allocates) {
            workload_served(&workload);
        }
    }
    return hash;
}

static void test_sequences(void **state)
{
    static const uint64_t expected[WORKLOAD_KINDS] = {
        [WORKLOAD_UNIFORM] = 0x2e9ecec520078bbf, [WORKLOAD_LOCKED] = 0x2e9ecec520078bbf,
        [WORKLOAD_BIMODAL] = 0x027b78d775325733, [WORKLOAD_SKEWED] = 0x7f1641fff6d81607,
        [WORKLOAD_PHASES] = 0x6df9f2008cff61ba,  [WORKLOAD_LARSON] = 0x9ae4577e22749fdf,
    };

    (void)state;
    for (enum workload_kind kind = 0; kind < WORKLOAD_KINDS; kind++) {
        uint64_t hash = hash_of(kind, PERCENT);
        EXPECT(hash == expected[kind], "%s: 0x%llx", workload_names[kind], (unsigned long long)hash);
    }
}

/* --- The rules of the driver ---------------------------------------------------------------- */

struct tally {
    bool live[WORKLOAD_LIVE_MAX];
    size_t sizes[WORKLOAD_LIVE_MAX];
    uint32_t born[WORKLOAD_LIVE_MAX];
    size_t payload, blocks, most_blocks;
    uint32_t requests, frees, locks, young;
    size_t least, most;
};

static struct tally tally;

static size_t younger(size_t block)
{
    size_t count = 0;
    for (size_t i = 0; i < WORKLOAD_LIVE_MAX; i++) {
        count += tally.live[i] && tally.born[i] > tally.born[block];
    }
    return count;
}

static void allocate(const struct workload_step *step, uint32_t now)
{
    assert_false(tally.live[step->block]);
    tally.live[step->block] = true;
    tally.sizes[step->block] = step->bytes;
    tally.born[step->block] = now;
    tally.payload += step->bytes;
    tally.requests++;
    tally.locks += step->locks;
    tally.least = step->bytes < tally.least ? step->bytes : tally.least;
    tally.most = step->bytes > tally.most ? step->bytes : tally.most;
    tally.blocks++;
    tally.most_blocks = tally.blocks > tally.most_blocks ? tally.blocks : tally.most_blocks;
    workload_served(&workload);
}

static void release(const struct workload_step *step)
{
    assert_true(tally.live[step->block]);
    assert_int_equal(tally.sizes[step->block], step->bytes);
    assert_false(step->locks);
    tally.young += younger(step->block) < 16;
    tally.live[step->block] = false;
    tally.payload -= step->bytes;
    tally.frees++;
    tally.blocks--;
}

static void run(enum workload_kind kind, uint32_t operations)
{
    tally = (struct tally){.least = SIZE_MAX};
    workload_begin(&workload, kind, POOL, PERCENT, operations, 1);
    for (uint32_t i = 0; i < operations; i++) {
        struct workload_step step = workload_next(&workload);
        assert_true(step.block < WORKLOAD_LIVE_MAX);
        if (step.allocates) {
            allocate(&step, i);
        } else {
            release(&step);
        }
        assert_true(tally.payload <= POOL * PERCENT / 100);
    }
}

static void test_sizes(void **state)
{
    static const size_t ends[WORKLOAD_KINDS][2] = {
        [WORKLOAD_UNIFORM] = {8, 1024}, [WORKLOAD_LOCKED] = {8, 1024}, [WORKLOAD_BIMODAL] = {16, 4096},
        [WORKLOAD_SKEWED] = {16, 1024}, [WORKLOAD_PHASES] = {8, 1024}, [WORKLOAD_LARSON] = {8, 1024},
    };

    (void)state;
    for (enum workload_kind kind = 0; kind < WORKLOAD_KINDS; kind++) {
        run(kind, 20000);
        assert_int_equal(tally.least, ends[kind][0]);
        assert_in_range(tally.most, ends[kind][1] * 98 / 100, ends[kind][1]);
    }
}

static void test_every_tenth_is_locked(void **state)
{
    (void)state;
    run(WORKLOAD_LOCKED, 20000);
    assert_int_equal(tally.locks, tally.requests / WORKLOAD_LOCK_EVERY);
    run(WORKLOAD_UNIFORM, 20000);
    assert_int_equal(tally.locks, 0);
}

/* Seven of ten and, of what is freed at random among some five hundred, a few. */
static void test_the_young_die(void **state)
{
    (void)state;
    run(WORKLOAD_SKEWED, 20000);
    assert_in_range(tally.young * 100 / tally.frees, 69, 74);
    run(WORKLOAD_UNIFORM, 20000);
    assert_in_range(tally.young * 100 / tally.frees, 0, 14);
}

/* The number of places is the part of the pool in blocks of the mean size. */
static void test_larson_has_places(void **state)
{
    (void)state;
    run(WORKLOAD_LARSON, 20000);
    assert_int_equal(tally.most_blocks, POOL * PERCENT / 100 / 516);
}

static void test_phases_change(void **state)
{
    (void)state;
    run(WORKLOAD_PHASES, 20000);
    uint32_t small = 0;
    workload_begin(&workload, WORKLOAD_PHASES, POOL, PERCENT, 20000, 1);
    for (uint32_t i = 0; i < 20000; i++) {
        struct workload_step step = workload_next(&workload);
        if (step.allocates) {
            small += i >= 10000 && step.bytes < 256;
            assert_true(i >= 10000 || step.bytes <= 64);
            workload_served(&workload);
        }
    }
    /* The one that was pending. */
    assert_in_range(small, 0, 1);
}

/* Whoever can give nothing is asked again, and has nothing to free. */
static void test_nothing_is_served(void **state)
{
    (void)state;
    for (enum workload_kind kind = 0; kind < WORKLOAD_KINDS; kind++) {
        workload_begin(&workload, kind, 100, 1, 1000, 7);
        for (uint32_t i = 0; i < 1000; i++) {
            assert_true(workload_next(&workload).allocates);
            workload_refused(&workload, i % 2);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_every_tenth_is_locked),
        cmocka_unit_test(test_the_young_die),
        cmocka_unit_test(test_larson_has_places),
        cmocka_unit_test(test_phases_change),
        cmocka_unit_test(test_nothing_is_served),
    };
    return cmocka_run_group_tests_name("workload", tests, NULL, NULL);
}
