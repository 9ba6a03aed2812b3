/* SPDX-License-Identifier: MIT */
/*
 * One full compaction of a pool with so many blocks, for linear.sh to count the
 * instructions of: every second of twice as many blocks is freed, and of those
 * that are left some in a thousand are locked.
 *
 *   linear BLOCKS LOCKED-PER-THOUSAND BUDGET     a budget of 0: defrag_compact()
 */
#include <defrag.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BYTES_MIN 8u
#define BYTES_MAX 120u

static uint32_t draw(uint32_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    return *random;
}

static size_t number(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text == '\0' || *end != '\0')
        exit(2);
    return value;
}

static void demand(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "linear: %s\n", what);
        exit(1);
    }
}

static void fill(defrag_pool *pool, defrag_handle *handles, size_t blocks, size_t locked)
{
    uint32_t random = 1;
    for (size_t i = 0; i < 2 * blocks; i++)
        demand(defrag_alloc(pool, BYTES_MIN + draw(&random) % (BYTES_MAX - BYTES_MIN + 1), &handles[i])
                   == DEFRAG_OK,
               "no memory");
    for (size_t i = 0; i < 2 * blocks; i += 2)
        demand(defrag_free(pool, &handles[i]) == DEFRAG_OK, "a block cannot be freed");
    for (size_t i = 1; i < 2 * blocks; i += 2)
        if (draw(&random) % 1000 < locked)
            demand(defrag_lock(pool, handles[i]) != NULL, "a block cannot be locked");
}

/* What is counted. Returns the number of steps. */
__attribute__((noinline)) static size_t compaction(defrag_pool *pool, size_t budget)
{
    size_t steps = 1;
    if (budget == 0)
        demand(defrag_compact(pool) == DEFRAG_OK, "no compaction");
    else
        while (defrag_compact_step(pool, budget, NULL) == DEFRAG_MORE)
            steps++;
    return steps;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    size_t blocks = number(argv[1]);
    size_t bytes = 4096 + 2 * blocks * (BYTES_MAX + 32);
    void *buffer = malloc(bytes);
    defrag_handle *handles = calloc(2 * blocks, sizeof *handles);
    defrag_pool *pool;
    demand(buffer && handles && defrag_init(&pool, buffer, bytes, NULL) == DEFRAG_OK, "no pool");
    fill(pool, handles, blocks, number(argv[2]));
    size_t steps = compaction(pool, number(argv[3]));
    defrag_statistics statistics;
    defrag_statistics_get(pool, &statistics);
    printf("%zu %" PRIu64 " %zu\n", steps, statistics.moved_bytes, statistics.free_blocks);
    free(handles);
    free(buffer);
    return 0;
}
