/* SPDX-License-Identifier: MIT */
/* What libdefrag moves stays within what doc/workloads.md claims, and nothing that fits is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "support.h"
#include "tools/churn.h"
#include "tools/duel.h"

static struct contender libdefrag(void)
{
    return (struct contender){
        .name = CONTENDER_DEFRAG, .build = defrag_build_find("narrow", 8), .alignment = 8};
}

/* Bytes moved for a thousand allocated, at most. */
struct limit {
    unsigned percent;
    unsigned moved;
};

static void expect_within(enum workload_kind kind, const struct limit *limits, size_t count)
{
    const struct contender contender = libdefrag();

    for (size_t i = 0; i < count; i++) {
        struct churn churn = {kind,   65536, limits[i].percent, WORKLOAD_OPERATIONS, WORKLOAD_SEED,
                              {0, 0}, NULL};
        struct churn_result result;
        assert_true(churn_run(&churn, &contender, &result));
        const struct gauge_sums *sums = &result.sums;
        assert_null(result.broken_reason);
        assert_int_equal(sums->refused + sums->full, 0);
        EXPECT(sums->moved * 1000 <= sums->allocated * limits[i].moved,
               "%s at %u %%: %llu bytes moved for %llu, more than %u in a thousand", workload_names[kind],
               limits[i].percent, (unsigned long long)sums->moved, (unsigned long long)sums->allocated,
               limits[i].moved);
        assert_true(sums->moved >= sums->floors);
    }
}

static void test_uniform(void **state)
{
    static const struct limit limits[] = {{70, 0}, {80, 10}, {85, 40}, {90, 130}, {92, 220}};
    (void)state;
    expect_within(WORKLOAD_UNIFORM, limits, sizeof limits / sizeof *limits);
}

/* The goal at 85 % is 100, and missed. */
static void test_bimodal(void **state)
{
    static const struct limit limits[] = {{80, 40}, {85, 110}, {90, 310}, {92, 650}};
    (void)state;
    expect_within(WORKLOAD_BIMODAL, limits, sizeof limits / sizeof *limits);
}

static void test_sawtooth(void **state)
{
    static const size_t freed[] = {48, 96, 191};
    const struct contender contender = libdefrag();
    const struct adversary *adversary = adversaries;

    (void)state;
    while (strcmp(adversary->name, "sawtooth") != 0) {
        adversary++;
    }
    for (size_t i = 0; i < sizeof freed / sizeof *freed; i++) {
        struct duel duel = {adversary, adversary->most, freed[i], adversary->unit, NULL};
        struct duel_result result;
        duel_run(&duel, &contender, &result);
        assert_null(result.broken_reason);
        assert_true(result.sums.floors > 0);
        assert_true(result.sums.moved * 100 <= result.sums.floors * 102);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_bimodal),
        cmocka_unit_test(test_sawtooth),
    };
    return cmocka_run_group_tests_name("moves", tests, NULL, NULL);
}
