/* SPDX-License-Identifier: MIT */
/* A plugin that hands out memory from below and never takes it back; what WRONG says, it does wrong. */
#include <defrag_plugin.h>

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    NOTHING,
    OVERLAP, /* a block within the one before */
    MISALIGN,
    BELOW, /* of the pool */
    ABOVE,
    ASTRIDE, /* the pool's end */
    CRASH,
    CRASH_INIT,
    CRASH_LOADING,
    ABORT,
    HANG,
    HANG_LOADING,
    EXIT,
    SCRIBBLE,         /* over a block in use */
    SCRIBBLE_OUTSIDE, /* right behind the pool */
    FORGET,           /* contents, in a resize */
    TINY,             /* no heap */
    REFUSE,           /* every request */
    RUDE_NAME
};

static unsigned char *begin, *end, *last;
static size_t size_of_last;
static unsigned calls;

/* For ever; the file `hangs` tells from when on. */
static void hang(void)
{
    close(open("hangs", O_WRONLY | O_CREAT, 0666));
    for (;;)
        pause();
}

__attribute__((constructor)) static void loading(void)
{
    if (WRONG == CRASH_LOADING)
        abort();
    if (WRONG == HANG_LOADING)
        hang();
}

const char *defrag_plugin_name(void)
{
    return WRONG == RUDE_NAME ? "a\033[31m very long name, with what a terminal may not see" : "bad";
}

void *defrag_plugin_init(void *memory, size_t size)
{
    begin = last = memory;
    end = begin + size;
    if (WRONG == CRASH_INIT)
        *(volatile int *)16 = 1;
    return WRONG == TINY ? NULL : memory;
}

static unsigned char *next(size_t size)
{
    unsigned char *block = last + (size_of_last + 15) / 16 * 16;
    if ((size_t)(end - block) < size)
        return NULL;
    last = block;
    size_of_last = size;
    return block;
}

/* From the third request on. */
void *defrag_plugin_alloc(void *heap, size_t size)
{
    (void)heap;
    if (WRONG == REFUSE)
        return NULL;
    unsigned char *before = last;
    unsigned char *block = next(size);
    if (++calls < 3 || !block)
        return block;
    switch (WRONG) {
    case OVERLAP:
        return before + 8;
    case MISALIGN:
        return block + 4;
    case BELOW:
        return begin - 64;
    case ABOVE:
        return end + 64;
    case ASTRIDE:
        return end - size / 16 * 8;
    case CRASH:
        *(volatile int *)16 = 1;
        break;
    case ABORT:
        abort();
    case HANG:
        hang();
        break;
    case EXIT:
        exit(0);
    case SCRIBBLE:
        before[0] ^= 1;
        break;
    case SCRIBBLE_OUTSIDE:
        begin[-1] = 0;
        break;
    default:
        break;
    }
    return block;
}

void defrag_plugin_free(void *heap, void *block)
{
    (void)heap;
    (void)block;
}

void *defrag_plugin_resize(void *heap, void *block, size_t size)
{
    unsigned char *elsewhere = next(size);
    (void)heap;
    if (elsewhere && WRONG != FORGET)
        memmove(elsewhere, block, size); /* more than was there, perhaps; it is all in the pool */
    return elsewhere;
}
