/* SPDX-License-Identifier: MIT */
/*
 * What a user may touch, as AddressSanitizer and Valgrind are told. In a build
 * for neither, all of this is nothing.
 *
 * Memory of a pool is open or closed. Open are the control block, the payloads of
 * locked blocks up to their usable size, and what is the user's for the duration
 * of a callback or a copy. Closed is all else: unlocked payloads, headers, free
 * memory, the handle table. Touching it is reported. The accessors of words in
 * control.h alone reach closed memory.
 *
 * AddressSanitizer knows for each 8 bytes how many of the first are open. So two
 * payloads must not share 8 bytes; they do not, for a header lies between them.
 * Where a granule has 4 bytes, a header can share 8 bytes with the first 4 of its
 * payload; it is open then while its block is locked.
 */
#ifndef DF_WATCH_H
#define DF_WATCH_H

#include "port.h"

/* 0: a sanitizer is to look at what the library does, not at what its users do; see word_load(). */
#ifndef DEFRAG_WATCH
#define DEFRAG_WATCH 1
#endif

#if !DEFRAG_WATCH
#define DF_ASAN 0
#elif defined(__SANITIZE_ADDRESS__)
#define DF_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DF_ASAN 1
#endif
#endif
#ifndef DF_ASAN
#define DF_ASAN 0
#endif

#ifndef DEFRAG_VALGRIND
#define DEFRAG_VALGRIND 0
#endif

#if DF_ASAN && DEFRAG_VALGRIND
#error "a program with AddressSanitizer does not run under Valgrind: build for one of them"
#endif

#define DF_WATCHED (DF_ASAN || DEFRAG_VALGRIND)

#if DF_ASAN
#include <sanitizer/asan_interface.h>
#endif
#if DEFRAG_VALGRIND
#include <valgrind/memcheck.h>
#endif

/* A function that may reach closed memory, between watch_pause() and watch_resume(). */
#if DF_ASAN
/* Compilers do not inline such a function, or check it all the same where they do. */
#define DF_UNWATCHED __attribute__((no_sanitize_address, noinline, unused)) static
#else
#define DF_UNWATCHED DF_INLINE
#endif

/* Let this thread reach closed memory, and no longer. */
DF_INLINE void watch_pause(void)
{
#if DEFRAG_VALGRIND
    VALGRIND_DISABLE_ERROR_REPORTING;
#endif
}

DF_INLINE void watch_resume(void)
{
#if DEFRAG_VALGRIND
    VALGRIND_ENABLE_ERROR_REPORTING;
#endif
}

/* --- Open and closed ------------------------------------------------------------ */

DF_INLINE void watch_open(const void *at, size_t bytes)
{
    (void)at;
    (void)bytes;
#if DF_ASAN
    __asan_unpoison_memory_region(at, bytes);
#endif
#if DEFRAG_VALGRIND
    (void)VALGRIND_MAKE_MEM_DEFINED(at, bytes);
#endif
}

DF_INLINE void watch_close(const void *at, size_t bytes)
{
    (void)at;
    (void)bytes;
#if DF_ASAN
    __asan_poison_memory_region(at, bytes); /* coverage: in no build that is counted */
#endif
#if DEFRAG_VALGRIND
    (void)VALGRIND_MAKE_MEM_NOACCESS(at, bytes);
#endif
}

/* --- Blocks, which Valgrind describes an address by ------------------------------ */

/* All of [pool, pool + bytes) is an empty pool now, whose blocks lie from `first` on. */
DF_INLINE void watch_begin(const defrag_pool *pool, size_t first, size_t bytes)
{
    (void)pool;
    (void)first;
    (void)bytes;
#if DEFRAG_VALGRIND
    /* coverage: it exists under Valgrind alone, where nothing is counted */
    if (VALGRIND_MEMPOOL_EXISTS(pool))
        VALGRIND_DESTROY_MEMPOOL(pool);
    VALGRIND_CREATE_MEMPOOL(pool, 0, 0);
    (void)VALGRIND_MAKE_MEM_DEFINED(pool, first);
#endif
#if DF_WATCHED
    watch_close((const char *)pool + first, bytes - first);
#endif
}

/* The memory of the pool is the user's again. */
DF_INLINE void watch_end(const defrag_pool *pool, size_t bytes)
{
    (void)pool;
    (void)bytes;
#if DEFRAG_VALGRIND
    /* coverage: it exists under Valgrind alone, where nothing is counted */
    if (VALGRIND_MEMPOOL_EXISTS(pool))
        VALGRIND_DESTROY_MEMPOOL(pool);
#endif
    watch_open(pool, bytes);
}

/* There is a block with this payload, which is closed. */
DF_INLINE void watch_born(const defrag_pool *pool, const void *payload, size_t bytes)
{
    (void)pool;
    (void)payload;
    (void)bytes;
#if DEFRAG_VALGRIND
    VALGRIND_MEMPOOL_ALLOC(pool, payload, bytes);
    (void)VALGRIND_MAKE_MEM_NOACCESS(payload, bytes);
#endif
}

/* It has this address and size now. */
DF_INLINE void watch_changed(const defrag_pool *pool, const void *from, const void *to, size_t bytes)
{
    (void)pool;
    (void)from;
    (void)to;
    (void)bytes;
#if DEFRAG_VALGRIND
    VALGRIND_MEMPOOL_CHANGE(pool, from, to, bytes);
#endif
}

/* It is no more. */
DF_INLINE void watch_died(const defrag_pool *pool, const void *payload)
{
    (void)pool;
    (void)payload;
#if DEFRAG_VALGRIND
    VALGRIND_MEMPOOL_FREE(pool, payload);
#endif
}

#endif
