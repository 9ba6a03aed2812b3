/* SPDX-License-Identifier: MIT */
/* A malloc that never gives anything back; with requests of 300 bytes it does wrong what WRONG says. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NOTHING, OVERLAP, MISALIGN, CRASH, REFUSE, CRASH_ALWAYS };

static _Alignas(16) unsigned char memory[64 << 20];
static size_t used;
static unsigned char *last;

static size_t *size_of(void *block)
{
    return (size_t *)block - 1;
}

void *malloc(size_t size)
{
    if (WRONG == CRASH_ALWAYS || (WRONG == CRASH && size == 300))
        abort();
    if ((WRONG == REFUSE && size == 300) || size > sizeof memory / 2 || used + size > sizeof memory - 64)
        return NULL;
    if (WRONG == OVERLAP && size == 300)
        return last;
    last = memory + used + 16;
    used += (size + 16 + 15) / 16 * 16;
    last += WRONG == MISALIGN && size == 300 ? 4 : 0;
    memcpy(last - sizeof size, &size, sizeof size);
    return last;
}

void free(void *block)
{
    (void)block;
}

void *calloc(size_t count, size_t size)
{
    return malloc(count * size); /* fresh memory is zero */
}

void *realloc(void *block, size_t size)
{
    void *elsewhere = malloc(size);
    if (elsewhere && block)
        memcpy(elsewhere, block, *size_of(block) < size ? *size_of(block) : size);
    return elsewhere;
}
