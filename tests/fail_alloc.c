/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into defrag-bench: lets its FAIL_AT-th allocation fail, and with
 * FAIL_ON all that follow. Leaves the file FAIL_MARK behind once it has; so a
 * run without that file had no such allocation.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *old, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);

static unsigned long fail_at; /* 0: never */
static bool fail_on;
static atomic_ulong count;

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("FAIL_AT");
    size_t length = strlen(program_invocation_short_name);
    /* What `record` runs is not the tool. */
    if (at && length >= 12 && strcmp(program_invocation_short_name + length - 12, "defrag-bench") == 0)
        fail_at = strtoul(at, NULL, 10);
    fail_on = getenv("FAIL_ON") != NULL;
}

static void leave_mark(void)
{
    const char *mark = getenv("FAIL_MARK");
    int fd = mark ? open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (fd >= 0)
        close(fd);
}

static bool fails(void)
{
    if (fail_at == 0)
        return false;
    unsigned long now = atomic_fetch_add(&count, 1) + 1;
    if (now < fail_at || (now > fail_at && !fail_on))
        return false;
    if (now == fail_at)
        leave_mark();
    errno = ENOMEM;
    return true;
}

/* A trace tells the day of its recording, and no day ends between two runs that are compared. */
time_t time(time_t *now)
{
    if (now)
        *now = 0;
    return 0;
}

void *malloc(size_t bytes)
{
    return fails() ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t number, size_t bytes)
{
    return fails() ? NULL : __libc_calloc(number, bytes);
}

void *realloc(void *old, size_t bytes)
{
    return fails() ? NULL : __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails() ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    if (fails())
        return ENOMEM;
    *out = __libc_memalign(alignment, bytes);
    return *out ? 0 : ENOMEM;
}
