/* SPDX-License-Identifier: MIT */
/*
 * The allocators that the toolchain brings: newlib's, under its own name, and
 * picolibc's, all of whose symbols have been given the prefix pico_; what it needs of a
 * C library is here. Its locks do nothing, as in picolibc itself.
 */
#include "counts.h"

#include <stdlib.h>
#include <string.h>

#define HEAP_BYTES (1u << 20)

void *pico_malloc(size_t bytes);
void *pico_realloc(void *block, size_t bytes);
void pico_free(void *block);

const struct other others[2] = {{"newlib", malloc, realloc, free},
                                {"picolibc", pico_malloc, pico_realloc, pico_free}};

void *pico_sbrk(ptrdiff_t bytes);
void *pico_memset(void *to, int value, size_t bytes);
void *pico_memcpy(void *to, const void *from, size_t bytes);
void pico___retarget_lock_acquire_recursive(void *lock);
void pico___retarget_lock_release_recursive(void *lock);
void pico___aeabi_read_tp(void);
extern char pico___lock___libc_recursive_mutex[4];
extern _Thread_local int pico_errno;

char pico___lock___libc_recursive_mutex[4];
_Thread_local int pico_errno;

void *pico_sbrk(ptrdiff_t bytes)
{
    static _Alignas(8) unsigned char heap[HEAP_BYTES];
    static size_t used;
    unsigned char *at = heap + used;
    counts_demand((size_t)bytes <= HEAP_BYTES - used, "picolibc's heap is too small");
    used += (size_t)bytes;
    return at;
}

void *pico_memset(void *to, int value, size_t bytes)
{
    return memset(to, value, bytes);
}

void *pico_memcpy(void *to, const void *from, size_t bytes)
{
    return memcpy(to, from, bytes);
}

void pico___retarget_lock_acquire_recursive(void *lock)
{
    (void)lock;
}

void pico___retarget_lock_release_recursive(void *lock)
{
    (void)lock;
}

/* Only a refused request sets errno, and there is none. */
void pico___aeabi_read_tp(void)
{
    counts_demand(0, "picolibc sets errno");
}
