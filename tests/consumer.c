/* SPDX-License-Identifier: MIT */
/* A program of somebody else's; it prints the version of the library. */
#include <defrag.h>
#include <stdio.h>
#include <string.h>

DEFRAG_POOL_DEFINE(memory, 2048);

int main(void)
{
    defrag_pool *pool;
    defrag_handle text;
    char copy[6] = "";
    if (defrag_version() != DEFRAG_VERSION || defrag_init(&pool, memory, sizeof memory, NULL) != DEFRAG_OK
        || defrag_alloc(pool, sizeof copy, &text) != DEFRAG_OK)
        return 1;
    DEFRAG_WITH(char, t, pool, text) {
        memcpy(t, "hello", sizeof copy);
    }
    if (defrag_compact(pool) != DEFRAG_OK || defrag_read(pool, text, 0, copy, sizeof copy) != DEFRAG_OK
        || strcmp(copy, "hello") != 0 || defrag_free(pool, &text) != DEFRAG_OK)
        return 1;
    printf("%d.%d.%d\n", DEFRAG_VERSION_MAJOR, DEFRAG_VERSION_MINOR, DEFRAG_VERSION_PATCH);
    return 0;
}
