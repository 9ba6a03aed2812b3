/* SPDX-License-Identifier: MIT */
/*
 * What an inspection is tried on, on the host and on a Cortex-M: a pool with used,
 * free and locked blocks, at ready(). With an argument the bytes of its buffer go
 * to that file, as a debugger dumps them.
 */
#include <stdio.h>

#include <defrag.h>

/* Aligned to what an image keeps of its address, so that every dump is the same. */
static _Alignas(2048) unsigned char memory[4096];

extern defrag_pool *pool;
extern defrag_handle message, locked, shared, gone;
__attribute__((noinline)) void ready(void);

defrag_pool *pool;
defrag_handle message, locked, shared, gone;

void ready(void)
{
    __asm__ volatile("");
}

static int fill(void)
{
    if (defrag_init(&pool, memory, sizeof memory, NULL) != DEFRAG_OK
        || defrag_alloc(pool, 40, &gone) != DEFRAG_OK || defrag_alloc(pool, 100, &message) != DEFRAG_OK
        || defrag_alloc(pool, 24, &locked) != DEFRAG_OK || defrag_alloc(pool, 200, &shared) != DEFRAG_OK)
        return 1;
    defrag_handle copy = gone;
    if (defrag_free(pool, &copy) != DEFRAG_OK || !defrag_lock(pool, locked)
        || !defrag_lock_shared(pool, shared) || !defrag_lock_shared(pool, shared))
        return 1;
    return defrag_write(pool, message, 0, "hello", 6) != DEFRAG_OK;
}

static int dump(const char *path)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return 1;
    size_t written = fwrite(memory, 1, sizeof memory, file);
    return fclose(file) != 0 || written != sizeof memory;
}

int main(int argc, char **argv)
{
    if (fill() != 0)
        return 1;
    ready();
    return argc > 1 ? dump(argv[1]) : 0;
}
