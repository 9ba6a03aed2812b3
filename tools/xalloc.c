/* SPDX-License-Identifier: MIT */
#include "xalloc.h"

#include <errno.h>
#include <error.h>
#include <stdint.h>
#include <stdlib.h>

static void *present(void *memory)
{
    if (!memory) {
        error(2, ENOMEM, "cannot go on");
    }
    return memory;
}

void *xcalloc(size_t count, size_t bytes)
{
    return present(calloc(count ? count : 1, bytes ? bytes : 1));
}

void *xrealloc(void *old, size_t count, size_t bytes)
{
    if (bytes && count > SIZE_MAX / bytes) {
        errno = ENOMEM;
        return present(NULL);
    }
    size_t total = count * bytes;
    return present(realloc(old, total ? total : 1));
}

void *xaligned(size_t alignment, size_t bytes)
{
    void *memory = NULL;
    return present(posix_memalign(&memory, alignment, bytes) == 0 ? memory : NULL);
}
