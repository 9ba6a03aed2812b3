/* SPDX-License-Identifier: MIT */
/* What the programs of misuse_run.txt stand on; they follow it in one file. */
#include <defrag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

DEFRAG_POOL_DEFINE(memory, 8192);
static char large[8192];
static volatile char sink;
static const char *new_place;
static defrag_pool *volatile nothing;

static defrag_handle new_block(defrag_pool *pool, size_t bytes)
{
    defrag_handle handle;
    if (defrag_alloc(pool, bytes, &handle) != DEFRAG_OK)
        exit(99);
    return handle;
}

/* The bytes of the pool, as a pointer that compilers know nothing about. */
static unsigned char *bytes_of(defrag_pool *pool)
{
    unsigned char *volatile bytes = (unsigned char *)pool;
    return bytes;
}

static size_t largest_certain(const defrag_pool *pool)
{
    defrag_statistics statistics;
    defrag_statistics_get(pool, &statistics);
    return statistics.largest_certain;
}

/* The answer to what the program did wrong. */
static void refused(int status)
{
    if (status != DEFRAG_OK)
        printf("status %s\n", defrag_status_string((defrag_status)status));
}

static void fill(defrag_pool *pool, defrag_handle handle, char byte)
{
    memset(large, byte, sizeof large);
    if (defrag_write(pool, handle, 0, large, defrag_size(pool, handle)) != DEFRAG_OK)
        exit(99);
}

/* Whether a program that looks at its data would notice. */
static void seen(char byte, char expected)
{
    if (byte != expected)
        puts("other contents");
}

/* A second lock of one block is more than the analysis follows. */
DEFRAG_NO_THREAD_SAFETY_ANALYSIS static const void *lock_again(defrag_pool *pool, defrag_handle handle)
{
    return defrag_lock_shared(pool, handle);
}

DEFRAG_NO_THREAD_SAFETY_ANALYSIS static void unlock_again(defrag_pool *pool, defrag_handle handle)
{
    (void)defrag_unlock(pool, handle);
}

DEFRAG_NO_THREAD_SAFETY_ANALYSIS static int answer_of_lock(defrag_pool *pool, defrag_handle handle)
{
    void *address;
    return defrag_try_lock(pool, handle, &address);
}

static void read_old_place(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    (void)context, (void)handle, (void)to, (void)bytes;
    sink = ((char *)from)[bytes - 1]; /* WRONG */
}

static void read_new_place(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    (void)context, (void)handle, (void)from;
    memset(to, 1, bytes);
    sink = ((char *)to)[bytes - 1];
    new_place = to;
}

static defrag_status read_payload(void *context, const defrag_block *block)
{
    (void)context;
    if (block->payload)
        memcpy(large, block->payload, block->payload_bytes);
    return DEFRAG_OK;
}

/* Uses the stack where a pool has been. */
static void use_stack(void)
{
    volatile char local[8192];
    for (size_t i = 0; i < sizeof local; i++)
        local[i] = 0;
}

static void run_case(void (*one)(defrag_pool *), uint32_t flags)
{
    defrag_pool *pool;
    defrag_config config = {0};
    config.flags = flags;
    if (defrag_init(&pool, memory, sizeof memory, flags ? &config : NULL) != DEFRAG_OK)
        exit(99);
    one(pool);
}

/* All cases, or the one of that number; with another argument the pool scrambles. */
static int run_cases(int argc, char **argv, void (*const cases[])(defrag_pool *), unsigned count)
{
    unsigned number = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
    for (unsigned i = 0; i < count; i++)
        if (number == 0 || number == i + 1)
            run_case(cases[i], argc > 2 ? DEFRAG_SCRAMBLE : 0);
    puts("all done");
    return 0;
}

