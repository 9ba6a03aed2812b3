/* SPDX-License-Identifier: MIT */
/* One run of a workload through one contender. */
#ifndef DEFRAG_TOOLS_CHURN_H
#define DEFRAG_TOOLS_CHURN_H

#include <stdatomic.h>

#include "gauge.h"
#include "workload.h"

struct churn {
    enum workload_kind kind;
    size_t pool_bytes;
    unsigned percent; /* of the pool, to be live payload */
    uint32_t operations;
    uint32_t seed;
    struct pace pace;
    atomic_size_t *done; /* counts operations for somebody who watches; or NULL */
};

struct churn_result {
    struct gauge_sums sums; /* without the first eleventh of the operations */
    uint64_t peak_payload;
    const char *broken_reason; /* the heap gave a senseless answer or damaged a block; or NULL */
};

/* Operations that are run before anything is counted. */
uint32_t churn_warm_up(uint32_t operations);

/* Every block is filled, and verified when it is freed. Returns false if there is no such pool. */
bool churn_run(const struct churn *churn, const struct contender *contender, struct churn_result *result);

#endif
