/* SPDX-License-Identifier: MIT */
/* A workload of doc/workloads.md on the build n8, of whose calls the linker puts the program's own in between. */
#ifndef DEFRAG_BENCH_WATCHED_H
#define DEFRAG_BENCH_WATCHED_H

#include "churn.h"
#include "plan.h"

/* The linker calls the one in place of the other. NOLINTBEGIN(bugprone-reserved-identifier,cert-*) */
bool __real_n8_df_plan_make(defrag_pool *pool, df_granules size, df_granules grow, struct df_plan *plan);
bool __wrap_n8_df_plan_make(defrag_pool *pool, df_granules size, df_granules grow, struct df_plan *plan);
/* NOLINTEND(bugprone-reserved-identifier,cert-*) */

/*
 * Runs the workload, with the occupancy and the seed, that the first three arguments of the program name; pace and
 * counter are the caller's. Returns the program's exit status: 0 if all went well, 2 if there is no such workload.
 */
int watched_run(char **argv, struct churn churn, struct churn_result *result);

#endif
