/* SPDX-License-Identifier: MIT */
/*
 * The longest pauses of a workload: the request that moves most bytes, together with what
 * compaction in advance of it moves, and the one whose plans look at most. For callgrind
 * one of all is made in pause_of_one(), with the compaction in advance of it; that is then
 * the last.
 *
 *   pauses WORKLOAD PERCENT SEED PART OF [ONE]
 *
 * For each byte of a request PART/OF bytes are moved in advance; 0 0: none.
 */
#include "watched.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-*) */
defrag_status __real_n8_defrag_alloc(defrag_pool *pool, size_t bytes, defrag_handle *out);
defrag_status __wrap_n8_defrag_alloc(defrag_pool *pool, size_t bytes, defrag_handle *out);
defrag_status __real_n8_defrag_compact_step(defrag_pool *pool, size_t max_bytes, size_t *moved);
defrag_status __wrap_n8_defrag_compact_step(defrag_pool *pool, size_t max_bytes, size_t *moved);
/* NOLINTEND(bugprone-reserved-identifier,cert-*) */
defrag_status pause_of_one(defrag_pool *pool, size_t bytes, size_t *moved, defrag_handle *out);

/* The most that any request has, and which does. */
struct most {
    uint64_t amount, at;
};

static struct most moved_most, looked_most;
static uint64_t requests, one;
static uint64_t moved_now, looked_now; /* since the request before */
static atomic_size_t operations;

static void most_note(struct most *most, uint64_t amount)
{
    bool counts = operations >= churn_warm_up(WORKLOAD_OPERATIONS);
    if (counts && amount > most->amount)
        *most = (struct most){amount, requests};
}

/* Compaction in advance, if `out` is null, or the request. */
DF_NOINLINE defrag_status pause_of_one(defrag_pool *pool, size_t bytes, size_t *moved, defrag_handle *out)
{
    return out ? __real_n8_defrag_alloc(pool, bytes, out) : __real_n8_defrag_compact_step(pool, bytes, moved);
}

bool __wrap_n8_df_plan_make(defrag_pool *pool, df_granules size, df_granules grow, struct df_plan *plan)
{
    bool found = __real_n8_df_plan_make(pool, size, grow, plan);
    looked_now += plan->visits;
    return found;
}

defrag_status __wrap_n8_defrag_compact_step(defrag_pool *pool, size_t max_bytes, size_t *moved)
{
    bool is_one = requests + 1 == one;
    defrag_status status = is_one ? pause_of_one(pool, max_bytes, moved, NULL)
                                  : __real_n8_defrag_compact_step(pool, max_bytes, moved);
    moved_now += *moved;
    return status;
}

static uint64_t moved_bytes(const defrag_pool *pool)
{
    defrag_statistics statistics;
    defrag_build_find("narrow", 8)->statistics_get(pool, &statistics);
    return statistics.moved_bytes;
}

defrag_status __wrap_n8_defrag_alloc(defrag_pool *pool, size_t bytes, defrag_handle *out)
{
    uint64_t before = moved_bytes(pool);
    if (++requests == one) {
        (void)pause_of_one(pool, bytes, NULL, out);
        exit(0);
    }
    defrag_status status = __real_n8_defrag_alloc(pool, bytes, out);
    most_note(&moved_most, moved_now + moved_bytes(pool) - before);
    most_note(&looked_most, looked_now);
    moved_now = looked_now = 0;
    return status;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    struct churn churn = {.pace.part = (unsigned)strtoul(argv[4], NULL, 10),
                          .pace.of = (unsigned)strtoul(argv[5], NULL, 10),
                          .done = &operations};
    struct churn_result result;
    one = argc > 6 ? strtoull(argv[6], NULL, 10) : 0;
    int status = watched_run(argv, churn, &result);
    if (status != 0)
        return status;
    if (result.sums.longest_pause != moved_most.amount)
        return 1;
    printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", moved_most.amount, moved_most.at,
           looked_most.amount, looked_most.at);
    return 0;
}
