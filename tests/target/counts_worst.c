/* SPDX-License-Identifier: MIT */
/*
 * The O(1) functions on heaps built to be bad: of 10, 100, 1,000 and 5,000
 * blocks, every bin of the sizes that are there in use, every split and merge
 * taken, the table growing, each free on the point of pulling the generation of new
 * slots along. The maximum must not depend on the number of blocks.
 */
#include "counts.h"

#include <stdio.h>
#include <string.h>

#define BLOCKS_MAX 7000u
#define CALLS      30000u /* of alloc_fast and of free on heaps of a size, about */

enum {
    ALLOC_FAST,
    NEW_SLOT,
    REFUSED,
    FREE,
    LOCK,
    UNLOCK,
    LOCK_SHARED,
    UNLOCK_SHARED,
    UNLOCK_PASSED,
    SIZE,
    READ,
    WRITE,
    SHRINK,
    GROW,
    STEP_IDLE,
    FUNCTIONS
};

static const char *const names[FUNCTIONS] = {"defrag_alloc_fast",
                                             "defrag_alloc_fast, a new slot",
                                             "defrag_alloc_fast, refused",
                                             "defrag_free",
                                             "defrag_lock",
                                             "defrag_unlock",
                                             "defrag_lock_shared",
                                             "defrag_unlock, shared",
                                             "defrag_unlock, compaction waits for it",
                                             "defrag_size",
                                             "defrag_read, 16 bytes",
                                             "defrag_write, 16 bytes",
                                             "defrag_resize in place, shorter",
                                             "defrag_resize in place, longer",
                                             "defrag_compact_step, nothing to do"};

static struct figure figures[FUNCTIONS];
static defrag_handle blocks[BLOCKS_MAX];
static unsigned live;
static uint32_t slots; /* of the table, since it was last trimmed */
static uint32_t random_state;

static unsigned below(unsigned limit)
{
    return counts_random(&random_state) % limit;
}

/* Bytes of a block: uniform in the logarithm, so that all bins are met; now and then one for the last bin. */
static size_t draw(void)
{
    return below(64) == 0 ? 1024 + below(4096) : below(4u << below(6));
}

/* New slots begin in the generation from which each 64th use pulls that along. */
static void age(void)
{
    for (int i = 0; i < 63; i++) {
        defrag_handle handle;
        counts_demand(!defrag_alloc(pool, 1, &handle) && !defrag_free(pool, &handle) && !defrag_clean(pool),
                      "age");
    }
}

static bool add(size_t bytes)
{
    defrag_status status =
        counts_alloc_fast(&figures[ALLOC_FAST], &figures[NEW_SLOT], &slots, bytes, &blocks[live]);
    if (status != DEFRAG_OK) {
        status = (defrag_status)MEASURED(&figures[REFUSED], defrag_alloc_fast, pool, bytes, &blocks[live]);
    }
    live += status == DEFRAG_OK;
    return status == DEFRAG_OK;
}

static void drop(unsigned i)
{
    defrag_status status;
    status = (defrag_status)MEASURED(&figures[FREE], defrag_free, pool, &blocks[i]);
    counts_demand(status == DEFRAG_OK, "a free is refused");
    blocks[i] = blocks[--live];
}

/* Every way to reach a block, and a size that it can have where it is. */
static void use(defrag_handle handle)
{
    static unsigned char data[16];
    defrag_status status[2];
    const void *shared;
    void *alone;
    size_t size;
    size = MEASURED(&figures[SIZE], defrag_size, pool, handle.bits);
    shared = (const void *)MEASURED(&figures[LOCK_SHARED], defrag_lock_shared, pool, handle.bits);
    status[0] = (defrag_status)MEASURED(&figures[UNLOCK_SHARED], defrag_unlock, pool, handle.bits);
    alone = (void *)MEASURED(&figures[LOCK], defrag_lock, pool, handle.bits);
    status[1] = (defrag_status)MEASURED(&figures[UNLOCK], defrag_unlock, pool, handle.bits);
    counts_demand(alone != NULL && alone == shared && !status[0] && !status[1], "a lock is refused");
    if (size < sizeof data)
        return;
    status[0] =
        (defrag_status)MEASURED(&figures[WRITE], defrag_write, pool, handle.bits, 0, data, sizeof data);
    status[1] = (defrag_status)MEASURED(&figures[READ], defrag_read, pool, handle.bits, 0, data, sizeof data);
    counts_demand(!status[0] && !status[1], "an access is refused");
    status[0] =
        (defrag_status)MEASURED(&figures[SHRINK], defrag_resize, pool, handle.bits, below((unsigned)size));
    status[1] = (defrag_status)MEASURED(&figures[GROW], defrag_resize, pool, handle.bits, size);
    counts_demand(!status[0] && !status[1], "a resize is refused");
}

static void for_all(void (*visit)(defrag_handle))
{
    for (unsigned i = 0; i < live; i++)
        visit(blocks[i]);
}

static void lock_one(defrag_handle handle)
{
    counts_demand(defrag_lock(pool, handle) != NULL, "a lock is refused");
}

static void unlock_passed(defrag_handle handle)
{
    defrag_status status;
    status = (defrag_status)MEASURED(&figures[UNLOCK_PASSED], defrag_unlock, pool, handle.bits);
    counts_demand(status == DEFRAG_OK, "an unlock is refused");
}

static void step_in_vain(void)
{
    defrag_status status =
        (defrag_status)MEASURED(&figures[STEP_IDLE], defrag_compact_step, pool, 1000, NULL);
    counts_demand(status == DEFRAG_OK, "there is nothing to do");
}

static uint32_t slots_now(void)
{
    defrag_statistics statistics;
    defrag_statistics_get(pool, &statistics);
    return (uint32_t)statistics.slots;
}

static void compact_all_locked(void)
{
    for_all(lock_one);
    counts_demand(defrag_compact(pool) == DEFRAG_OK, "compact");
    slots = slots_now();
    step_in_vain();
    for_all(unlock_passed);
}

/* More than there is, and more than is in one piece; and any size in a pool that is as good as full. */
static void refuse(void)
{
    defrag_statistics statistics;
    defrag_statistics_get(pool, &statistics);
    counts_demand(!add(sizeof memory - statistics.control_bytes - 64), "more than is free is served");
    (void)add(statistics.free_bytes - statistics.granule_bytes);
    for (size_t bytes = 65536; bytes > 0; bytes /= 2) {
        while (add(bytes)) {
        }
    }
}

/* A heap of so many blocks, built, used, and taken down again. */
static void round_of(unsigned count)
{
    counts_demand(!defrag_init(&pool, memory, sizeof memory, NULL), "init");
    live = 0;
    age();
    slots = slots_now();
    while (live < count && add(draw())) {
    }
    counts_demand(live == count, "the pool is too small");
    while (live > count / 2)
        drop(below(live));
    for_all(use);
    compact_all_locked();
    /* Into the holes; then slots are missing, and the table grows. */
    while (live < count + count / 4 + 8 && add(draw())) {
    }
    refuse();
    while (live > count / 2)
        drop(below(live));
    refuse();
    while (live > 0)
        drop(below(live));
    step_in_vain();
    counts_demand(!defrag_check(pool), "the pool is damaged");
}

void worst_counts(void)
{
    static const unsigned counts[] = {10, 100, 1000, 5000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        random_state = 2463534242u;
        for (unsigned rounds = CALLS / counts[i] + 6; rounds > 0; rounds--)
            round_of(counts[i]);
        for (unsigned f = 0; f < FUNCTIONS; f++) {
            char name[96];
            snprintf(name, sizeof name, "%u\t%s", counts[i], names[f]);
            counts_print(name, &figures[f]);
        }
    }
}
