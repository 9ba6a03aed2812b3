/* SPDX-License-Identifier: MIT */
#include "watched.h"

#include <stdlib.h>

int watched_run(char **argv, struct churn churn, struct churn_result *result)
{
    const struct contender contender = {
        .name = CONTENDER_DEFRAG, .build = defrag_build_find("narrow", 8), .alignment = 8};
    churn.kind = workload_find(argv[1]);
    if (churn.kind == WORKLOAD_KINDS)
        return 2;
    churn.pool_bytes = 65536;
    churn.percent = (unsigned)strtoul(argv[2], NULL, 10);
    churn.operations = WORKLOAD_OPERATIONS;
    churn.seed = (uint32_t)strtoul(argv[3], NULL, 10);
    return churn_run(&churn, &contender, result) && !result->broken_reason ? 0 : 1;
}
