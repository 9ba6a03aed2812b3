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

/* At most so many bytes are moved for a thousand allocated, and in one request; 0: any. */
struct limit {
    unsigned percent;
    unsigned moved;
    unsigned pause;
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
        EXPECT(limits[i].pause == 0 || sums->longest_pause <= limits[i].pause,
               "%s at %u %%: a pause of %llu bytes", workload_names[kind], limits[i].percent,
               (unsigned long long)sums->longest_pause);
    }
}

static void test_uniform(void **state)
{
    static const struct limit limits[] = {{70, 0, 4096},
                                          {80, 10, 4096},
                                          {85, 40, 4096},
                                          {90, 130, 4096},
                                          {92, 220, 0}};
    (void)state;
    expect_within(WORKLOAD_UNIFORM, limits, sizeof limits / sizeof *limits);
}

static void test_bimodal(void **state)
{
    static const struct limit limits[] = {{80, 40, 0}, {85, 100, 0}, {90, 310, 0}, {92, 650, 0}};
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
