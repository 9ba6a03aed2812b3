/* SPDX-License-Identifier: MIT */
#include "xalloc.h"

#include <errno.h>
#include <error.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

void end_once(void)
{
    static atomic_flag ending = ATOMIC_FLAG_INIT;

    while (atomic_flag_test_and_set(&ending)) {
        pause();
    }
}

static void *present(void *memory)
{
    if (!memory) {
        end_once();
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
