/* SPDX-License-Identifier: MIT */
/*
 * The time of the calls of the library, as it is configured here, against size
 * of blocks, occupancy of the pool and number of blocks; for `make bench`.
 */
#include <defrag.h>

#include <stdlib.h>

#include "google.h"

#define POOL_BYTES   65536
#define SMALL_BYTES  16u
#define LARGE_BYTES  64u
#define ROOM_A_BLOCK (LARGE_BYTES + 32u)
#define STEP_BYTES   1024u
#define MANY         16384u /* bytes of pool around the blocks whose size is the argument */

static const int64_t sizes[] = {8, 32, 128, 512, 2048, 8192, 0};
static const int64_t large_sizes[] = {2048, 4096, 8192, 16384, 32768, 65536, 0};
static const int64_t budgets[] = {512, 1024, 2048, 4096, 8192, 16384, 0};
static const int64_t occupancies[] = {10, 30, 50, 70, 80, 90, 95, 0};
static const int64_t counts[] = {64, 128, 256, 512, 1024, 2048, 4096, 0};

/* A pool, and the blocks that were put into it. */
struct heap {
    struct bench_state *state;
    void *buffer;
    defrag_pool *pool;
    defrag_handle *handles;
    size_t count;
    size_t payload;
    uint32_t random;
};

static uint32_t draw(struct heap *heap)
{
    heap->random ^= heap->random << 13;
    heap->random ^= heap->random >> 17;
    heap->random ^= heap->random << 5;
    return heap->random;
}

static bool heap_open(struct heap *heap, struct bench_state *state, size_t bytes)
{
    *heap = (struct heap){.state = state, .random = 1};
    heap->buffer = malloc(bytes);
    heap->handles = calloc(bytes / SMALL_BYTES + 1, sizeof *heap->handles);
    if (heap->buffer && heap->handles && defrag_init(&heap->pool, heap->buffer, bytes, NULL) == DEFRAG_OK)
        return true;
    bench_fail(state, "no pool of that size");
    return false;
}

static void heap_close(struct heap *heap)
{
    free(heap->buffer);
    free(heap->handles);
}

static void demand(const struct heap *heap, bool holds, const char *what)
{
    if (!holds)
        bench_fail(heap->state, what);
}

static size_t any_size(struct heap *heap)
{
    return SMALL_BYTES + draw(heap) % (LARGE_BYTES - SMALL_BYTES + 1);
}

static bool block_add(struct heap *heap, size_t bytes)
{
    if (defrag_alloc_fast(heap->pool, bytes, &heap->handles[heap->count]) != DEFRAG_OK)
        return false;
    heap->payload += defrag_size(heap->pool, heap->handles[heap->count]);
    heap->count++;
    return true;
}

static void block_remove(struct heap *heap, size_t index)
{
    heap->payload -= defrag_size(heap->pool, heap->handles[index]);
    defrag_free(heap->pool, &heap->handles[index]);
    heap->handles[index] = heap->handles[--heap->count];
}

/* Twice as many blocks as wanted, of which any half is freed: holes between all that is left. */
static void heap_fill(struct heap *heap, size_t blocks)
{
    for (size_t i = 0; i < 2 * blocks; i++)
        demand(heap, block_add(heap, any_size(heap)), "the pool is too small");
    while (heap->count > blocks)
        block_remove(heap, draw(heap) % (uint32_t)heap->count);
}

/* Full, and then any blocks freed until so many percent of the pool are payload. */
static void heap_fill_percent(struct heap *heap, size_t percent)
{
    while (block_add(heap, any_size(heap))) {
    }
    size_t most = heap->payload;
    while (heap->payload > most * percent / 100)
        block_remove(heap, draw(heap) % (uint32_t)heap->count);
}

static size_t room_for(size_t blocks)
{
    return 2 * blocks * ROOM_A_BLOCK + POOL_BYTES / 16;
}

/* --- Pairs of alloc_fast and free ------------------------------------------------------- */

static void pairs(struct heap *heap, size_t bytes)
{
    defrag_handle handle;
    while (bench_goes_on(heap->state)) {
        demand(heap, defrag_alloc_fast(heap->pool, bytes, &handle) == DEFRAG_OK, "no hole");
        defrag_free(heap->pool, &handle);
    }
}

static void pairs_by_bytes(struct bench_state *state)
{
    struct heap heap;
    if (heap_open(&heap, state, bench_argument(state) + POOL_BYTES)) {
        heap_fill(&heap, 128);
        pairs(&heap, bench_argument(state));
    }
    heap_close(&heap);
}

static void pairs_by_occupancy(struct bench_state *state)
{
    struct heap heap;
    if (heap_open(&heap, state, POOL_BYTES)) {
        heap_fill_percent(&heap, bench_argument(state));
        pairs(&heap, SMALL_BYTES);
    }
    heap_close(&heap);
}

static void pairs_by_blocks(struct bench_state *state)
{
    struct heap heap;
    if (heap_open(&heap, state, room_for(bench_argument(state)))) {
        heap_fill(&heap, bench_argument(state));
        pairs(&heap, SMALL_BYTES);
    }
    heap_close(&heap);
}

/* --- Pairs of lock and unlock -------------------------------------------------------------- */

static void lock_by_blocks(struct bench_state *state)
{
    struct heap heap;
    if (heap_open(&heap, state, room_for(bench_argument(state)))) {
        heap_fill(&heap, bench_argument(state));
        for (size_t i = 0; bench_goes_on(state); i = (i + 1) % 64) {
            void *payload;
            demand(&heap, defrag_try_lock(heap.pool, heap.handles[i], &payload) == DEFRAG_OK, "no lock");
            demand(&heap, defrag_unlock(heap.pool, heap.handles[i]) == DEFRAG_OK, "no unlock");
        }
    }
    heap_close(&heap);
}

static void lock_by_bytes(struct bench_state *state)
{
    struct heap heap;
    if (heap_open(&heap, state, bench_argument(state) + POOL_BYTES)) {
        demand(&heap, block_add(&heap, bench_argument(state)), "no block");
        while (bench_goes_on(state)) {
            void *payload;
            demand(&heap, defrag_try_lock(heap.pool, heap.handles[0], &payload) == DEFRAG_OK, "no lock");
            demand(&heap, defrag_unlock(heap.pool, heap.handles[0]) == DEFRAG_OK, "no unlock");
        }
    }
    heap_close(&heap);
}

/* --- Resizes ---------------------------------------------------------------------------------- */

/* In place, into the free block behind and back. */
static void resize_in_place(struct bench_state *state)
{
    struct heap heap;
    size_t bytes = bench_argument(state);
    if (heap_open(&heap, state, 2 * bytes + MANY)) {
        demand(&heap, block_add(&heap, bytes), "no block");
        while (bench_goes_on(state)) {
            demand(&heap, defrag_resize(heap.pool, heap.handles[0], 2 * bytes) == DEFRAG_OK, "no growth");
            demand(&heap, defrag_resize(heap.pool, heap.handles[0], bytes) == DEFRAG_OK, "no shrinking");
        }
    }
    heap_close(&heap);
}

/* To another place, for a block lies close behind; then back into the first. */
static void resize_elsewhere(struct bench_state *state)
{
    struct heap heap;
    size_t bytes = bench_argument(state);
    if (heap_open(&heap, state, 4 * bytes + MANY)) {
        demand(&heap, block_add(&heap, bytes) && block_add(&heap, SMALL_BYTES), "no block");
        while (bench_goes_on(state)) {
            demand(&heap, defrag_resize(heap.pool, heap.handles[0], bytes + 64) == DEFRAG_OK, "no growth");
            bench_pause(state);
            defrag_free(heap.pool, &heap.handles[0]);
            defrag_free(heap.pool, &heap.handles[1]);
            heap.count = 0;
            demand(&heap, block_add(&heap, bytes) && block_add(&heap, SMALL_BYTES), "no block");
            bench_resume(state);
        }
    }
    heap_close(&heap);
}

/* --- Compaction ---------------------------------------------------------------------------------- */

static void heap_refill(struct heap *heap, size_t blocks)
{
    while (heap->count > 0)
        block_remove(heap, heap->count - 1);
    heap_fill(heap, blocks);
}

/* All of it, in steps. */
static void compact_by_blocks(struct bench_state *state)
{
    struct heap heap;
    if (heap_open(&heap, state, room_for(bench_argument(state)))) {
        while (bench_goes_on(state)) {
            bench_pause(state);
            heap_refill(&heap, bench_argument(state));
            bench_resume(state);
            while (defrag_compact_step(heap.pool, STEP_BYTES, NULL) == DEFRAG_MORE) {
            }
        }
    }
    heap_close(&heap);
}

/* The first step, of a budget; the pool holds more than any of them moves. */
static void step_by_budget(struct bench_state *state)
{
    struct heap heap;
    if (heap_open(&heap, state, room_for(1024))) {
        while (bench_goes_on(state)) {
            bench_pause(state);
            heap_refill(&heap, 1024);
            bench_resume(state);
            demand(&heap, defrag_compact_step(heap.pool, bench_argument(state), NULL) == DEFRAG_MORE,
                   "nothing to do");
        }
    }
    heap_close(&heap);
}

/* A step when all is done already. */
static void idle_step_by_blocks(struct bench_state *state)
{
    struct heap heap;
    if (heap_open(&heap, state, room_for(bench_argument(state)))) {
        heap_fill(&heap, bench_argument(state));
        demand(&heap, defrag_compact(heap.pool) == DEFRAG_OK, "no compaction");
        while (bench_goes_on(state))
            demand(&heap, defrag_compact_step(heap.pool, STEP_BYTES, NULL) == DEFRAG_OK, "something to do");
    }
    heap_close(&heap);
}

/* --- Churn --------------------------------------------------------------------------------------- */

/* Any block is freed, and a block of any size takes its place among the handles if it finds a hole. */
static void churn(struct heap *heap)
{
    while (bench_goes_on(heap->state)) {
        block_remove(heap, draw(heap) % (uint32_t)heap->count);
        demand(heap, block_add(heap, SMALL_BYTES), "no hole where a block was");
    }
}

static void churn_by_occupancy(struct bench_state *state)
{
    struct heap heap;
    if (heap_open(&heap, state, POOL_BYTES)) {
        heap_fill_percent(&heap, bench_argument(state));
        churn(&heap);
    }
    heap_close(&heap);
}

static void churn_by_blocks(struct bench_state *state)
{
    struct heap heap;
    if (heap_open(&heap, state, room_for(bench_argument(state)))) {
        heap_fill(&heap, bench_argument(state));
        churn(&heap);
    }
    heap_close(&heap);
}

/* --- The heap as a whole ---------------------------------------------------------------------------- */

static void statistics_by_blocks(struct bench_state *state)
{
    struct heap heap;
    if (heap_open(&heap, state, room_for(bench_argument(state)))) {
        defrag_statistics statistics;
        heap_fill(&heap, bench_argument(state));
        while (bench_goes_on(state))
            defrag_statistics_get(heap.pool, &statistics);
    }
    heap_close(&heap);
}

static void check_by_blocks(struct bench_state *state)
{
    struct heap heap;
    if (heap_open(&heap, state, room_for(bench_argument(state)))) {
        heap_fill(&heap, bench_argument(state));
        while (bench_goes_on(state))
            demand(&heap, defrag_check(heap.pool) == DEFRAG_OK, "damaged");
    }
    heap_close(&heap);
}

static const struct bench benches[] = {
    {"alloc_fast_free/bytes", pairs_by_bytes, BENCH_CONSTANT, sizes},
    {"alloc_fast_free/occupancy", pairs_by_occupancy, BENCH_CONSTANT, occupancies},
    {"alloc_fast_free/blocks", pairs_by_blocks, BENCH_CONSTANT, counts},
    {"lock_unlock/bytes", lock_by_bytes, BENCH_CONSTANT, sizes},
    {"lock_unlock/blocks", lock_by_blocks, BENCH_CONSTANT, counts},
    {"resize_in_place/bytes", resize_in_place, BENCH_CONSTANT, sizes},
    {"resize_elsewhere/bytes", resize_elsewhere, BENCH_LINEAR, large_sizes},
    {"compact/blocks", compact_by_blocks, BENCH_LINEAR, counts},
    {"compact_step/budget", step_by_budget, BENCH_LINEAR, budgets},
    {"compact_step_idle/blocks", idle_step_by_blocks, BENCH_CONSTANT, counts},
    {"churn/occupancy", churn_by_occupancy, BENCH_CONSTANT, occupancies},
    {"churn/blocks", churn_by_blocks, BENCH_CONSTANT, counts},
    {"statistics/blocks", statistics_by_blocks, BENCH_LINEAR, counts},
    {"check/blocks", check_by_blocks, BENCH_LINEAR, counts},
    {NULL, NULL, BENCH_CONSTANT, NULL},
};

int main(int argc, char **argv)
{
    return bench_main(benches, argc, argv);
}
