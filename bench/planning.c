/* SPDX-License-Identifier: MIT */
/*
 * A workload whose plans for making room are counted: how many there are, what they
 * look at together and at most, and which of them looks at most. For callgrind that
 * one is made in planning_one(), all others in planning_other().
 *
 *   planning WORKLOAD PERCENT SEED [ONE]
 */
#include "watched.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

bool planning_one(defrag_pool *pool, df_granules size, df_granules grow, struct df_plan *plan);
bool planning_other(defrag_pool *pool, df_granules size, df_granules grow, struct df_plan *plan);

static uint64_t plans, visits, visits_of_one, most, most_at, one;

DF_NOINLINE bool planning_one(defrag_pool *pool, df_granules size, df_granules grow, struct df_plan *plan)
{
    bool found = __real_n8_df_plan_make(pool, size, grow, plan);
    visits_of_one = plan->visits;
    return found;
}

DF_NOINLINE bool planning_other(defrag_pool *pool, df_granules size, df_granules grow, struct df_plan *plan)
{
    bool found = __real_n8_df_plan_make(pool, size, grow, plan);
    visits += plan->visits;
    return found;
}

bool __wrap_n8_df_plan_make(defrag_pool *pool, df_granules size, df_granules grow, struct df_plan *plan)
{
    plans++;
    bool found = plans == one ? planning_one(pool, size, grow, plan) : planning_other(pool, size, grow, plan);
    if (plan->visits > most) {
        most = plan->visits;
        most_at = plans;
    }
    return found;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    struct churn_result result;
    one = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
    int status = watched_run(argv, (struct churn){0}, &result);
    if (status != 0)
        return status;
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", plans, visits + visits_of_one, most, most_at);
    return 0;
}
