/* SPDX-License-Identifier: MIT */
#include "churn.h"

#include <stdlib.h>

#include "xalloc.h"

struct run {
    struct gauge gauge;
    struct workload workload;
    bool is_locked[WORKLOAD_LIVE_MAX]; /* by block */
    struct churn_result *result;
};

uint32_t churn_warm_up(uint32_t operations)
{
    return (uint32_t)((uint64_t)operations * WORKLOAD_WARM_UP / WORKLOAD_OPERATIONS);
}

static void run_break(struct run *run, const char *reason)
{
    if (!run->result->broken_reason) {
        run->result->broken_reason = reason;
    }
}

/* --- Contents -------------------------------------------------------------------------- */

static unsigned char pattern(size_t block, size_t bytes, size_t i)
{
    return (unsigned char)(block * 37 + bytes + i);
}

static unsigned char *block_view(struct run *run, size_t block)
{
    unsigned char *view = arena_view(run->gauge.arena, (uint32_t)block);
    if (!view) {
        run_break(run, arena_reason(run->gauge.arena));
    }
    return view;
}

/* What is locked stays locked from here on. */
static void block_fill(struct run *run, const struct workload_step *step)
{
    unsigned char *view = block_view(run, step->block);

    for (size_t i = 0; view && i < step->bytes; i++) {
        view[i] = pattern(step->block, step->bytes, i);
    }
    run->is_locked[step->block] = step->locks;
    if (view && !step->locks) {
        arena_view_end(run->gauge.arena, (uint32_t)step->block);
    }
}

static void block_verify(struct run *run, const struct workload_step *step)
{
    const unsigned char *view = block_view(run, step->block);

    for (size_t i = 0; view && i < step->bytes; i++) {
        if (view[i] != pattern(step->block, step->bytes, i)) {
            run_break(run, "damaged a block");
        }
    }
    arena_view_end(run->gauge.arena, (uint32_t)step->block);
    if (run->is_locked[step->block]) {
        arena_view_end(run->gauge.arena, (uint32_t)step->block);
    }
}

/* --- Steps ----------------------------------------------------------------------------------- */

static void allocate(struct run *run, const struct workload_step *step)
{
    switch (gauge_alloc(&run->gauge, (uint32_t)step->block, step->bytes)) {
    case OUTCOME_SERVED:
        block_fill(run, step);
        workload_served(&run->workload);
        break;
    case OUTCOME_REFUSED:
        workload_refused(&run->workload, false);
        break;
    case OUTCOME_BROKEN:
        run_break(run, arena_reason(run->gauge.arena));
    }
    if (run->workload.payload > run->result->peak_payload) {
        run->result->peak_payload = run->workload.payload;
    }
}

static void release(struct run *run, const struct workload_step *step)
{
    block_verify(run, step);
    if (arena_free(run->gauge.arena, (uint32_t)step->block) != OUTCOME_SERVED) {
        run_break(run, arena_reason(run->gauge.arena));
    }
}

static void run_all(struct run *run, const struct churn *churn)
{
    uint32_t warm_up = churn_warm_up(churn->operations);

    for (uint32_t i = 0; i < churn->operations && !run->result->broken_reason; i++) {
        if (i == warm_up) {
            run->gauge.sums = (struct gauge_sums){0};
        }
        struct workload_step step = workload_next(&run->workload);
        if (step.allocates) {
            allocate(run, &step);
        } else {
            release(run, &step);
        }
        if (churn->done) {
            atomic_fetch_add_explicit(churn->done, 1, memory_order_relaxed);
        }
    }
    if (arena_check(run->gauge.arena) != OUTCOME_SERVED) {
        run_break(run, arena_reason(run->gauge.arena));
    }
}

bool churn_run(const struct churn *churn, const struct contender *contender, struct churn_result *result)
{
    struct run *run = xcalloc(1, sizeof *run);
    size_t units = contender_units(contender, churn->pool_bytes);

    *result = (struct churn_result){0};
    run->result = result;
    workload_begin(&run->workload, churn->kind, churn->pool_bytes, churn->percent, churn->operations,
                   churn->seed);
    gauge_open(&run->gauge, contender, units, WORKLOAD_LIVE_MAX, true);
    run->gauge.pace = churn->pace;
    bool opened = run->gauge.arena != NULL;
    if (opened) {
        run_all(run, churn);
        result->sums = run->gauge.sums;
    }
    gauge_close(&run->gauge);
    free(run);
    return opened;
}
