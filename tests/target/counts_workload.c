/* SPDX-License-Identifier: MIT */
/* The benchmarks' workload: a churn at 70 % of 64 KiB, payloads written and verified. */
#include "counts.h"

#include <stdio.h>
#include <string.h>

#include "tools/workload.h"

#define POOL_BYTES 65536u
#define ACCESS     16u

static struct figure alloc_fast, new_slot, alloc, slice, slice_fast, request, release, grown, shrunk, size;
static struct figure lock, unlock, lock_shared, unlock_shared, try_lock, try_lock_shared, reads, writes;
static struct figure check, statistics, walk, attach, clean, room, one_step, compact, scramble;
static struct figure ignored;

static bool counting; /* the warm-up is over */
static struct workload workload;
static defrag_handle blocks[WORKLOAD_LIVE_MAX];
static void *other_blocks[WORKLOAD_LIVE_MAX];
static uint32_t refused, asked, slots;

/* During the warm-up nothing is noted. */
#define NOTED(figure, ...) MEASURED(counting ? (figure) : &ignored, __VA_ARGS__)

/* The contents of a block of that size, and whether they are its. */
static void write_payload(unsigned char *payload, size_t bytes)
{
    memset(payload, (int)(bytes & 0xff), bytes);
}

static bool is_payload(const unsigned char *payload, size_t bytes)
{
    uint32_t expected = (uint32_t)(bytes & 0xff) * 0x01010101u;
    size_t i = 0;
    for (; i + 4 <= bytes; i += 4) {
        uint32_t word;
        memcpy(&word, __builtin_assume_aligned(payload + i, 4), 4);
        if (word != expected)
            return false;
    }
    for (; i < bytes; i++) {
        if (payload[i] != (bytes & 0xff))
            return false;
    }
    return true;
}

static void write_block(defrag_handle handle, size_t bytes)
{
    unsigned char *payload, data[ACCESS];
    void *same;
    defrag_status status;
    payload = (void *)NOTED(&lock, defrag_lock, pool, handle.bits);
    counts_demand(payload != NULL, "a lock is refused");
    write_payload(payload, bytes);
    status = (defrag_status)NOTED(&unlock, defrag_unlock, pool, handle.bits);
    counts_demand(status == DEFRAG_OK, "an unlock is refused");
    status = (defrag_status)NOTED(&try_lock, defrag_try_lock, pool, handle.bits, &same);
    counts_demand(status == DEFRAG_OK && same == payload && !defrag_unlock(pool, handle),
                  "a lock is refused");
    memset(data, (int)(bytes & 0xff), sizeof data);
    if (bytes >= ACCESS)
        status = (defrag_status)NOTED(&writes, defrag_write, pool, handle.bits, 0, data, ACCESS);
    counts_demand(status == DEFRAG_OK, "a write is refused");
}

static void verify_block(defrag_handle handle, size_t bytes)
{
    const unsigned char *payload;
    const void *same;
    unsigned char data[ACCESS];
    size_t usable;
    defrag_status status;
    usable = NOTED(&size, defrag_size, pool, handle.bits);
    payload = (const void *)NOTED(&lock_shared, defrag_lock_shared, pool, handle.bits);
    counts_demand(payload != NULL && usable >= bytes, "a shared lock is refused");
    counts_demand(is_payload(payload, bytes), "a block lost its contents");
    status = (defrag_status)NOTED(&try_lock_shared, defrag_try_lock_shared, pool, handle.bits, &same);
    counts_demand(status == DEFRAG_OK && !defrag_unlock(pool, handle), "a shared lock is refused");
    status = (defrag_status)NOTED(&unlock_shared, defrag_unlock, pool, handle.bits);
    if (status == DEFRAG_OK && bytes >= ACCESS)
        status = (defrag_status)NOTED(&reads, defrag_read, pool, handle.bits, 0, data, ACCESS);
    counts_demand(status == DEFRAG_OK, "an unlock or a read is refused");
}

/* Shrinks a block by half and lets it grow back, which it can where it is. */
static void resize_block(defrag_handle handle, size_t bytes)
{
    defrag_status status;
    status = (defrag_status)NOTED(&shrunk, defrag_resize, pool, handle.bits, bytes / 2);
    counts_demand(status == DEFRAG_OK, "a block does not shrink");
    status = (defrag_status)NOTED(&grown, defrag_resize, pool, handle.bits, bytes);
    counts_demand(status == DEFRAG_OK, "a block does not grow back");
}

/* The functions that allocate, one after the other; what they zero is subtracted. */
static defrag_status allocate_in_turn(unsigned turn, size_t bytes, defrag_handle *out)
{
    static unsigned char zeroed[1024 + 8];
    const defrag_request aligned = {bytes, 1, 0, 0};
    uint32_t count, zeroing;
    defrag_status status;
    (void)COUNTED(zeroing, memset, zeroed, 0, (bytes + 4 + 7) / 8 * 8 - 4);
    switch (turn % 4) {
    case 0:
        status = (defrag_status)NOTED(&alloc, defrag_alloc, pool, bytes, out);
        return status;
    case 1:
        status = (defrag_status)COUNTED(count, defrag_alloc_slice, pool, bytes, 1, out);
        if (counting)
            counts_note(&slice, count - zeroing);
        return status;
    case 2:
        status = (defrag_status)COUNTED(count, defrag_alloc_slice_fast, pool, bytes, 1, out);
        if (counting && status == DEFRAG_OK)
            counts_note(&slice_fast, count - zeroing);
        return status;
    default:
        status = (defrag_status)NOTED(&request, defrag_alloc_request, pool, &aligned, out);
        return status;
    }
}

static defrag_status visit(void *context, const defrag_block *block)
{
    *(size_t *)context += block->bytes;
    return DEFRAG_OK;
}

/* Those that walk the pool or move its blocks, once in so many operations. */
static void look_around(unsigned operation)
{
    defrag_statistics now;
    size_t bytes = 0;
    defrag_status status = DEFRAG_OK;
    if (operation % 250 == 0) {
        status = (defrag_status)NOTED(&check, defrag_check, pool);
        (void)NOTED(&statistics, defrag_statistics_get, pool, &now);
        counts_demand(!status && !NOTED(&walk, defrag_walk, pool, visit, &bytes) && bytes > 0, "a walk");
        status = (defrag_status)NOTED(&attach, defrag_attach, &pool, memory, POOL_BYTES, NULL);
        counts_demand(!status && !NOTED(&clean, defrag_clean, pool), "what looks");
        status = (defrag_status)NOTED(&room, defrag_make_room, pool, now.free_bytes / 2);
    } else if (operation % 250 == 125) {
        status = (defrag_status)NOTED(&one_step, defrag_compact_step, pool, 1024, NULL);
        status = status == DEFRAG_MORE ? DEFRAG_OK : status;
    } else if (operation % 1000 == 1) {
        status = (defrag_status)NOTED(&compact, defrag_compact, pool);
    } else if (operation % 1000 == 501) {
        status = (defrag_status)NOTED(&scramble, defrag_scramble, pool, operation);
    }
    counts_demand(!status, "what moves");
}

/* What runs measure: the fast functions, those that allocate in turn, defrag_alloc() alone, or the rest. */
enum what { FAST, TURNS, ROOM, AROUND };

static void step(const struct workload_step *todo, unsigned turn, enum what what)
{
    bool fast = what == FAST;
    defrag_status status;
    if (!todo->allocates) {
        defrag_handle handle = blocks[todo->block];
        if (fast) {
            verify_block(handle, todo->bytes);
            status = (defrag_status)NOTED(&release, defrag_free, pool, &handle);
        } else {
            if (what == TURNS)
                resize_block(handle, todo->bytes);
            status = defrag_free(pool, &handle);
        }
        counts_demand(status == DEFRAG_OK, "a free is refused");
        return;
    }
    defrag_handle handle;
    if (fast)
        status = counts_alloc_fast(counting ? &alloc_fast : &ignored, counting ? &new_slot : &ignored, &slots,
                                   todo->bytes, &handle);
    else
        status = allocate_in_turn(what == TURNS ? turn : 0, todo->bytes, &handle);
    asked += counting;
    refused += counting && status != DEFRAG_OK;
    if (status != DEFRAG_OK) {
        workload_refused(&workload, true);
        return;
    }
    workload_served(&workload);
    blocks[todo->block] = handle;
    if (fast)
        write_block(handle, todo->bytes);
}

static void run(unsigned percent, uint32_t seed, enum what what)
{
    counts_demand(defrag_init(&pool, memory, POOL_BYTES, NULL) == DEFRAG_OK, "init");
    workload_begin(&workload, WORKLOAD_UNIFORM, POOL_BYTES, percent, WORKLOAD_OPERATIONS, seed);
    refused = asked = slots = 0;
    for (unsigned i = 0; i < WORKLOAD_OPERATIONS; i++) {
        counting = i >= WORKLOAD_WARM_UP;
        struct workload_step todo = workload_next(&workload);
        step(&todo, i, what);
        if (what == AROUND)
            look_around(i);
    }
    counts_demand(defrag_check(pool) == DEFRAG_OK, "the pool is damaged");
}

static void run_other(const struct other *other, uint32_t seed)
{
    char name[64];
    workload_begin(&workload, WORKLOAD_UNIFORM, POOL_BYTES, 70, WORKLOAD_OPERATIONS, seed);
    for (unsigned i = 0; i < WORKLOAD_OPERATIONS; i++) {
        counting = i >= WORKLOAD_WARM_UP;
        struct workload_step todo = workload_next(&workload);
        void **block = &other_blocks[todo.block];
        if (todo.allocates) {
            *block = (void *)NOTED(&alloc, other->allocate, todo.bytes);
            counts_demand(*block != NULL, other->name);
            write_payload(*block, todo.bytes);
            workload_served(&workload);
        } else {
            counts_demand(is_payload(*block, todo.bytes), "another allocator's block lost its contents");
            (void)NOTED(&release, other->release, *block);
        }
    }
    snprintf(name, sizeof name, "malloc (%s)", other->name);
    counts_print(name, &alloc);
    snprintf(name, sizeof name, "free (%s)", other->name);
    counts_print(name, &release);
}

void workload_counts(uint32_t seed)
{
    run(70, seed, FAST);
    counts_print("defrag_alloc_fast", &alloc_fast);
    if (new_slot.calls != 0)
        counts_print("defrag_alloc_fast, a new slot", &new_slot);
    counts_print("defrag_free", &release);
    counts_print("defrag_lock", &lock);
    counts_print("defrag_unlock", &unlock);
    counts_print("defrag_try_lock", &try_lock);
    counts_print("defrag_lock_shared", &lock_shared);
    counts_print("defrag_try_lock_shared", &try_lock_shared);
    counts_print("defrag_unlock, shared", &unlock_shared);
    counts_print("defrag_size", &size);
    counts_print("defrag_read, 16 bytes", &reads);
    counts_print("defrag_write, 16 bytes", &writes);
    printf("refused by defrag_alloc_fast at 70 %%\t%lu\t%lu\n", (unsigned long)asked, (unsigned long)refused);
    run(70, seed, TURNS);
    counts_print("defrag_alloc", &alloc);
    counts_print("defrag_alloc_request", &request);
    counts_print("defrag_alloc_slice, less memset", &slice);
    counts_print("defrag_alloc_slice_fast, less memset", &slice_fast);
    counts_print("defrag_resize, to half", &shrunk);
    counts_print("defrag_resize, back", &grown);
    run(70, seed, AROUND);
    counts_print("defrag_check", &check);
    counts_print("defrag_statistics_get", &statistics);
    counts_print("defrag_walk, and a visitor that adds sizes", &walk);
    counts_print("defrag_attach", &attach);
    counts_print("defrag_clean", &clean);
    counts_print("defrag_make_room for half of what is free", &room);
    counts_print("defrag_compact_step of 1,024 bytes", &one_step);
    counts_print("defrag_compact", &compact);
    counts_print("defrag_scramble", &scramble);
    memset(&alloc, 0, sizeof alloc);
    run(80, seed, FAST);
    printf("refused by defrag_alloc_fast at 80 %%\t%lu\t%lu\n", (unsigned long)asked, (unsigned long)refused);
    memset(&release, 0, sizeof release);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        run_other(&others[i], seed);
}

void full_counts(uint32_t seed)
{
    run(90, seed, ROOM);
    counts_print("defrag_alloc at 90 %", &alloc);
}
