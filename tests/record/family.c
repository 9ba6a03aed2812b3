/* SPDX-License-Identifier: MIT */
/* Each function of the malloc family, with the arguments that are special. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keep.h"

static void require(int condition)
{
    if (!condition)
        abort();
}

static void plain(void)
{
    char *a = keep(malloc(size(100)));
    char *b = keep(calloc(size(3), 50));
    char *zero = keep(malloc(size(0)));
    require(malloc_usable_size(a) >= 100 && zero);
    for (int i = 0; i < 150; i++)
        require(b[i] == 0);
    free(a);
    free(b);
    free(zero);
    free(keep(NULL));
}

static void resizing(void)
{
    char *a = keep(realloc(NULL, size(10)));
    a = keep(realloc(a, size(100000)));
    a = keep(realloc(a, size(20)));
    require(!keep(realloc(a, size(-1ul / 2 + 1)))); /* fails: the block stays */
    a = keep(reallocarray(a, size(6), 5));
    require(!keep(reallocarray(a, size(-1ul / 2), 4)));
    require(!keep(realloc(a, size(0)))); /* frees */
    a = keep(reallocarray(NULL, size(7), 3));
    free(a);
}

static void failing(void)
{
    void *out = NULL;
    require(!keep(malloc(size(-1ul / 2 + 1))));
    require(!keep(calloc(size(-1ul / 2), 4)));
    require(posix_memalign(&out, size(3), 10) != 0 && !out);
}

static void aligned(void)
{
    void *out = NULL;
    require(posix_memalign(&out, size(64), 1000) == 0);
    require((unsigned long)out % 64 == 0);
    free(out);
    free(keep(aligned_alloc(size(32), 320)));
    free(keep(memalign(size(128), 129)));
    free(keep(valloc(size(10))));
    free(keep(pvalloc(size(10))));
    out = keep(memalign(size(256), 30));
    free(keep(realloc(out, size(60))));
}

int main(void)
{
    plain();
    resizing();
    failing();
    aligned();
    _exit(0);
}
