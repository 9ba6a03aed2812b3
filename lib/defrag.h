/* SPDX-License-Identifier: MIT */
/*
 * libdefrag - a heap that cannot be killed by fragmentation.
 *
 * The caller gives a buffer, the *pool*. An allocation answers with a
 * *handle*, a value that names a *block* of the pool wherever it lies. To
 * reach the bytes the caller *locks* the handle, which yields a pointer and
 * pins the block; *unlocking* gives the block back to the heap, which may then
 * move it to bring free memory together.
 *
 *     DEFRAG_POOL_DEFINE(memory, 16384);
 *     defrag_pool *pool;
 *     defrag_handle message;
 *     if (defrag_init(&pool, memory, sizeof memory, NULL) == DEFRAG_OK
 *         && defrag_alloc(pool, 100, &message) == DEFRAG_OK) {
 *         DEFRAG_WITH(char, text, pool, message) { text[0] = '\0'; }
 *         defrag_free(pool, &message);
 *     }
 *
 * WORDS
 *   granule     the unit of size, offset and alignment of a build: 8 bytes
 *               unless the library was configured otherwise.
 *   block       a header and a payload, together whole granules; used or free.
 *   handle      32 bits: a slot of the handle table, and a generation that
 *               tells this use of the slot from the earlier ones.
 *   wilderness  the free memory between the last block and the handle table.
 *   pinned      locked; a pinned block does not move.
 *
 * RULES THAT HOLD FOR EVERY FUNCTION, unless its own text says otherwise
 *   - A call that fails changes nothing but the counters of failures, the empty
 *     slots at the end of the handle table, and bytes of free memory.
 *   - Errors are looked for in this order: DEFRAG_BAD_ARGUMENT, DEFRAG_STALE,
 *     the lock errors, DEFRAG_CORRUPT, then the rest. defrag_resize(), whose lock
 *     error depends on the block's size, looks for DEFRAG_CORRUPT first.
 *   - A null pool, and a null pointer where the text does not allow one, is
 *     DEFRAG_BAD_ARGUMENT.
 *   - A pointer got by locking stays valid until that lock is released; no
 *     other pointer into the pool is ever valid.
 *   - Threads and interrupts: a pool is not synchronised by itself. Either one
 *     context owns it, or the configuration has `enter` and `leave`, and then
 *     any context that they exclude may call any function on it at any time.
 *     Different pools are independent.
 *   - No function may be called on a pool from that pool's own `on_move` or
 *     from a visitor of defrag_walk(). A library that was configured with
 *     --enable-debug answers DEFRAG_BAD_ARGUMENT there (while a callback runs,
 *     to any context); in any other it is undefined.
 *   - Each call holds the critical section from its first look at the pool to its
 *     last, and only once, unless its text says otherwise; so its cost is also
 *     how long others wait.
 *   - The functions rely on a pool that defrag_check() finds in order. What is
 *     promised about a damaged one is said at DEFRAG_CORRUPT, defrag_check(),
 *     defrag_walk() and defrag_attach(); nothing is promised for the rest.
 *   - A library that was configured with --enable-hardening relies on nothing of
 *     the pool but its length and the host word. Whatever the other bytes are, no
 *     call reads or writes outside the pool or runs for ever, and the address that
 *     a lock gives has defrag_size() bytes inside the pool, clear of the control
 *     block and the table. Besides what its own text lists, every function that
 *     returns a status fails with DEFRAG_CORRUPT where it sees that the control
 *     block (before it looks at anything but a null pointer), the block, its
 *     neighbours, or a list it would use is damaged: nothing is written then.
 *     defrag_size() answers 0, a lock NULL; the statistics are all 0. Damage
 *     that a call need not look at it does not see: defrag_check() does.
 *     defrag_make_room(), defrag_clean(), defrag_compact(), defrag_scramble() and the
 *     statistics begin with defrag_check(), and so do defrag_alloc() where it finds no hole at
 *     once and defrag_resize() where the block has to go elsewhere; all else costs
 *     a constant more.
 *   - Costs: B is the number of blocks, used and free, in the pool; S the
 *     number of slots of the handle table. No function uses recursion, or
 *     stack that grows with either.
 */
#ifndef DEFRAG_H
#define DEFRAG_H

#include <stddef.h>
#include <stdint.h>

#define DEFRAG_VERSION_MAJOR 0
#define DEFRAG_VERSION_MINOR 1
#define DEFRAG_VERSION_PATCH 0
#define DEFRAG_VERSION_STRING "0.1.0"
#define DEFRAG_VERSION \
    (DEFRAG_VERSION_MAJOR * 10000 + DEFRAG_VERSION_MINOR * 100 + DEFRAG_VERSION_PATCH)

/*
 * Several builds of the library (layout x alignment) can be linked into one
 * program: compile each with another DEFRAG_PREFIX, and each file that calls
 * one of them with the same. An installed library has no prefix.
 */
#ifdef DEFRAG_PREFIX
#define DEFRAG_PASTE_(prefix, name) prefix##name
#define DEFRAG_PASTE(prefix, name)  DEFRAG_PASTE_(prefix, name)
#define DEFRAG_NAME(name)           DEFRAG_PASTE(DEFRAG_PREFIX, name)
#define defrag_init                 DEFRAG_NAME(defrag_init)
#define defrag_attach               DEFRAG_NAME(defrag_attach)
#define defrag_detach               DEFRAG_NAME(defrag_detach)
#define defrag_alloc                DEFRAG_NAME(defrag_alloc)
#define defrag_alloc_fast           DEFRAG_NAME(defrag_alloc_fast)
#define defrag_alloc_slice          DEFRAG_NAME(defrag_alloc_slice)
#define defrag_alloc_slice_fast     DEFRAG_NAME(defrag_alloc_slice_fast)
#define defrag_alloc_request        DEFRAG_NAME(defrag_alloc_request)
#define defrag_resize               DEFRAG_NAME(defrag_resize)
#define defrag_free                 DEFRAG_NAME(defrag_free)
#define defrag_size                 DEFRAG_NAME(defrag_size)
#define defrag_lock                 DEFRAG_NAME(defrag_lock)
#define defrag_lock_shared          DEFRAG_NAME(defrag_lock_shared)
#define defrag_try_lock             DEFRAG_NAME(defrag_try_lock)
#define defrag_try_lock_shared      DEFRAG_NAME(defrag_try_lock_shared)
#define defrag_unlock               DEFRAG_NAME(defrag_unlock)
#define defrag_read                 DEFRAG_NAME(defrag_read)
#define defrag_write                DEFRAG_NAME(defrag_write)
#define defrag_clean                DEFRAG_NAME(defrag_clean)
#define defrag_compact              DEFRAG_NAME(defrag_compact)
#define defrag_compact_step         DEFRAG_NAME(defrag_compact_step)
#define defrag_make_room            DEFRAG_NAME(defrag_make_room)
#define defrag_scramble             DEFRAG_NAME(defrag_scramble)
#define defrag_statistics_get       DEFRAG_NAME(defrag_statistics_get)
#define defrag_check                DEFRAG_NAME(defrag_check)
#define defrag_walk                 DEFRAG_NAME(defrag_walk)
#define defrag_status_string        DEFRAG_NAME(defrag_status_string)
#define defrag_version              DEFRAG_NAME(defrag_version)
#endif

/* --- What the compilers can check -------------------------------------- */

/*
 * With Clang a handle is a capability: -Wthread-safety reports a lock that is
 * not released on some path, an unlock without a lock, a free while locked. In
 * C only; C++ passes a handle by a constructor call, which hides its identity.
 * It understands `if (p)`, `if (!p)` and a status compared with 0 or DEFRAG_OK.
 * A function of the program that is called with a block locked, or leaves one
 * locked, or unlocks one, says so to it with the same words.
 */
#if defined(__clang__) && !defined(__cplusplus)
#define DEFRAG_CAPABILITY(name)               __attribute__((capability(name)))
#define DEFRAG_TRY_ACQUIRE(result, h)         __attribute__((try_acquire_capability(result, h)))
#define DEFRAG_TRY_ACQUIRE_SHARED(result, h)  __attribute__((try_acquire_shared_capability(result, h)))
#define DEFRAG_RELEASE(h)                     __attribute__((release_generic_capability(h)))
#define DEFRAG_REQUIRES(h)                    __attribute__((requires_capability(h)))
#define DEFRAG_REQUIRES_SHARED(h)             __attribute__((requires_shared_capability(h)))
#define DEFRAG_EXCLUDES(h)                    __attribute__((locks_excluded(h)))
#define DEFRAG_NO_THREAD_SAFETY_ANALYSIS      __attribute__((no_thread_safety_analysis))
#else
#define DEFRAG_CAPABILITY(name)
#define DEFRAG_TRY_ACQUIRE(result, h)
#define DEFRAG_TRY_ACQUIRE_SHARED(result, h)
#define DEFRAG_RELEASE(h)
#define DEFRAG_REQUIRES(h)
#define DEFRAG_REQUIRES_SHARED(h)
#define DEFRAG_EXCLUDES(h)
#define DEFRAG_NO_THREAD_SAFETY_ANALYSIS
#endif

#if defined(__GNUC__)
#define DEFRAG_MUST_CHECK __attribute__((warn_unused_result))
#define DEFRAG_UNUSED     __attribute__((unused))
#else
#define DEFRAG_MUST_CHECK
#define DEFRAG_UNUSED
#endif

#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 10
#define DEFRAG_READS(pointer, bytes)   __attribute__((access(read_only, pointer, bytes)))
#define DEFRAG_WRITES(pointer, bytes)  __attribute__((access(write_only, pointer, bytes)))
#define DEFRAG_UPDATES(pointer, bytes) __attribute__((access(read_write, pointer, bytes)))
#else
#define DEFRAG_READS(pointer, bytes)
#define DEFRAG_WRITES(pointer, bytes)
#define DEFRAG_UPDATES(pointer, bytes)
#endif

/* Inside the library `nonnull` would delete the very checks it promises. */
#if defined(__GNUC__) && !defined(DEFRAG_BUILDING)
#define DEFRAG_NONNULL(...) __attribute__((nonnull(__VA_ARGS__)))
#else
#define DEFRAG_NONNULL(...)
#endif

#if defined(__GNUC__) && defined(DEFRAG_BUILDING)
#define DEFRAG_API __attribute__((visibility("default")))
#else
#define DEFRAG_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* --- Types --------------------------------------------------------------- */

/* A heap. It lives in the caller's buffer; only the library looks inside. */
typedef struct defrag_pool defrag_pool;

/*
 * The name of a block: a value, copied freely, always 32 bits. All zero
 * (DEFRAG_NULL) names nothing. A handle outlives every move and resize of its
 * block and ends with defrag_free(); afterwards every call answers
 * DEFRAG_STALE. That is certain for the next 255 uses of the slot as long as
 * the slot stays in the table. Slots at the end of the table are given back
 * when they are empty; a slot taken anew starts at the furthest generation of
 * all. That is certain to be new to it as long as no slot of the pool has been
 * used 128 times more often than another, and probably new otherwise. Handles do
 * not tell pools apart: one of another pool is stale unless slot and generation
 * happen to match.
 */
typedef struct DEFRAG_CAPABILITY("block") {
    uint32_t bits;
} defrag_handle;

#ifdef __cplusplus
#define DEFRAG_NULL (defrag_handle{})
#else
#define DEFRAG_NULL ((defrag_handle){0})
#endif

typedef enum defrag_status {
    DEFRAG_OK = 0,
    DEFRAG_MORE = 1,          /* defrag_compact_step: there is more to do                      */
    DEFRAG_NO_MEMORY = -1,    /* too few granules are free in total                            */
    DEFRAG_FRAGMENTED = -2,   /* enough is free, but no hole was found, and nothing may move   */
    DEFRAG_PINNED = -3,       /* enough is free, but locked blocks keep it apart               */
    DEFRAG_NO_HANDLES = -4,   /* every slot number of the layout is in use                     */
    DEFRAG_BAD_SIZE = -5,     /* more than this pool holds when it is empty; an overflow       */
    DEFRAG_BAD_ARGUMENT = -6, /* a null pointer, an unknown flag, a call from a callback       */
    DEFRAG_STALE = -7,        /* the handle is null, or names no block of the pool             */
    DEFRAG_LOCKED = -8,       /* the lock that is held forbids this                            */
    DEFRAG_NOT_LOCKED = -9,   /* an unlock too many                                            */
    DEFRAG_LOCK_LIMIT = -10,  /* 14 shared locks are held already                              */
    DEFRAG_OUT_OF_RANGE = -11,/* offset and length reach past the end of the block             */
    DEFRAG_CORRUPT = -12      /* header and entry disagree: the pool was overwritten; nothing
                                 was written. With --enable-hardening: any damage found        */
} defrag_status;

/* Clang's analysis follows `defrag_try_lock(...) == 0`, but not a comparison with an enumerator. */
#ifndef __cplusplus
#define DEFRAG_OK 0
#endif

enum {
    DEFRAG_MANUAL = 1u << 0,  /* only explicit calls compact: alloc and resize never move another block */
    DEFRAG_SCRAMBLE = 1u << 1 /* for tests: calls that may move blocks do; see defrag_scramble(). A
                                 library configured with --disable-scramble does not know it        */
};

/*
 * Called after a block has moved, when header and table agree again. The bytes at
 * `to` are valid until it returns, those at `from` no longer. A block aligned to
 * more than a granule can move and have its bytes where they were; nobody is told.
 */
typedef void defrag_move_hook(void *context, defrag_handle handle, void *from, void *to, size_t bytes);

/*
 * What a pool may be told. All zero means the defaults. It stays the caller's
 * and must outlive the pool; the pool keeps a pointer to it. Without a
 * configuration the fast calls are a few instructions shorter.
 */
typedef struct defrag_config {
    uint32_t flags;                /* DEFRAG_MANUAL, DEFRAG_SCRAMBLE, both or 0                   */
    void (*enter)(void *context);  /* begin a critical section; NULL: none. Never nested           */
    void (*leave)(void *context);  /* end it; set exactly when enter is                           */
    void *section_context;         /* handed to enter and leave                                   */
    defrag_move_hook *on_move;     /* NULL: none. For what must follow a move, a DMA address say  */
    void *move_context;            /* handed to on_move                                           */
    uint32_t plan_visits;          /* what planning may cost: blocks and holes looked at, for each slot
                                      of the handle table; 0 means 64. See defrag_make_room()
                                      and defrag_resize()                                         */
} defrag_config;

enum {
    DEFRAG_ZERO = 1u << 0,     /* every byte of the payload is zero                             */
    DEFRAG_PLACE_LOW = 1u << 1 /* the block is going to be locked for long: put it out of the way */
};

/* A request in full, for defrag_alloc_request(). All zero but `bytes` is defrag_alloc(). */
typedef struct defrag_request {
    size_t bytes;     /* of one element                                                         */
    size_t count;     /* elements; 0 means 1 element (an empty slice is `bytes` 0)              */
    size_t alignment; /* a power of two, at most 128 granules; 0 means 1                        */
    uint32_t flags;   /* DEFRAG_ZERO, DEFRAG_PLACE_LOW, both or 0                               */
} defrag_request;

/*
 * What defrag_statistics_get() tells. Bytes of blocks are whole granules,
 * headers included, unless the text says payload; so live + free + table +
 * control bytes are the pool's bytes.
 */
typedef struct defrag_statistics {
    size_t pool_bytes;           /* of the buffer, used by the pool                             */
    size_t skipped_bytes;        /* of the buffer, before its first aligned byte                */
    size_t control_bytes;        /* in front of the first block, fixed                          */
    size_t table_bytes;          /* of the handle table, now, and the word that ends the blocks */
    size_t granule_bytes;        /* 4, 8 or 16                                                  */
    size_t header_bytes;         /* of one block: 4 (narrow) or 8 (wide)                        */
    size_t slot_bytes;           /* of one slot of the handle table: 4 (narrow) or 8 (wide)     */
    size_t live_bytes;           /* in used blocks                                              */
    size_t live_blocks;          /* used blocks = handles in use                                */
    size_t locked_blocks;        /* of them, pinned                                             */
    size_t free_bytes;           /* in free blocks and the wilderness                           */
    size_t free_blocks;          /* the wilderness not counted                                  */
    size_t largest_fast;         /* payload: the largest request alloc_fast serves now; 0: none */
    size_t largest_certain;      /* payload: every request up to this alloc serves now; 0: none.
                                    Aligned to more than a granule, see defrag_alloc_request()  */
    size_t peak_live_bytes;      /* most live_bytes ever                                        */
    size_t fewest_free_bytes;    /* least free_bytes ever                                       */
    size_t peak_live_blocks;     /* most live_blocks ever                                       */
    size_t slots;                /* of the handle table, used or empty                          */
    uint32_t failed_no_memory;   /* allocations and growths refused, by status; these six       */
    uint32_t failed_fragmented;  /* stop at UINT32_MAX                                          */
    uint32_t failed_pinned;
    uint32_t failed_no_handles;
    uint32_t failed_bad_size;
    uint32_t moved_blocks;
    uint64_t moved_bytes;        /* headers included; counted in granules, modulo 2^32          */
} defrag_statistics;

typedef enum defrag_region {
    DEFRAG_REGION_USED,       /* a used block                     */
    DEFRAG_REGION_FREE,       /* a free block                     */
    DEFRAG_REGION_WILDERNESS  /* always the last one; may be empty */
} defrag_region;

/* One stretch of a pool as defrag_walk() shows it. Stretches come in address order without gaps. */
typedef struct defrag_block {
    defrag_region region;
    defrag_handle handle;  /* of a used block, else DEFRAG_NULL                                  */
    size_t offset;         /* bytes from the start of the pool to the first byte of the header    */
    size_t bytes;          /* of the stretch, header and what alignment costs included           */
    const void *payload;   /* of a used block, else NULL; valid until the visitor returns        */
    size_t payload_bytes;  /* defrag_size()                                                      */
    unsigned shared_locks; /* 0 to 14                                                            */
    unsigned exclusive;    /* 1 if locked exclusively                                            */
} defrag_block;

/* Returns DEFRAG_OK to go on; anything else ends the walk, which then returns it. */
typedef defrag_status defrag_visitor(void *context, const defrag_block *block);

/* --- A pool ---------------------------------------------------------------- */

/*
 * Makes a pool of `buffer`. An unaligned buffer is used from its first byte
 * aligned to a granule on, and whole granules only. `or_null` may be null.
 * Bytes outside the control block, the first header and the table are not touched.
 *
 * Moves blocks: no. Cost: O(1). Invalidates whatever lived in the buffer.
 * Fails iff: DEFRAG_BAD_ARGUMENT, `out` or `buffer` is null, a flag of the
 * configuration is unknown, or only one of enter and leave is set;
 * DEFRAG_BAD_SIZE, the buffer holds no pool with a single block, or has more
 * granules than the layout can count (65,535 narrow). `*out` is then null.
 */
DEFRAG_API defrag_status defrag_init(defrag_pool **out, void *buffer, size_t bytes,
                                     const defrag_config *or_null)
    DEFRAG_MUST_CHECK DEFRAG_NONNULL(1) DEFRAG_WRITES(2, 3);

/*
 * Adopts the pool whose image the buffer holds: one that was copied, restored
 * or kept over a reset. Handles and locks are as they were in the image. The
 * buffer is skipped to its first aligned byte as defrag_init() does. Any bytes
 * whatever are safe to pass.
 *
 * Moves blocks: no. Cost: that of defrag_check().
 * Fails iff: DEFRAG_BAD_ARGUMENT, as defrag_init(), or the image is of another
 * layout, alignment, byte order or version; DEFRAG_BAD_SIZE, the buffer is smaller than the
 * image; DEFRAG_CORRUPT, it is no image, was taken in the middle of a move, or
 * defrag_check() finds an invariant broken; last, DEFRAG_BAD_ARGUMENT again, a block
 * is aligned to more than a granule, and the address of the pool is another than that
 * of the image was, modulo the largest such alignment. Nothing is written then, and
 * `*out` is null.
 */
DEFRAG_API defrag_status defrag_attach(defrag_pool **out, void *buffer, size_t bytes,
                                       const defrag_config *or_null)
    DEFRAG_MUST_CHECK DEFRAG_NONNULL(1) DEFRAG_UPDATES(2, 3);

/*
 * Gives the buffer back: its bytes are the caller's, to copy, dump, hash or use
 * for something else. The image in them is whole, and defrag_attach() adopts it
 * again, here or in a copy; until then no call may be made on the pool, and no
 * pointer into it is valid.
 *
 * AddressSanitizer and Valgrind, in a library compiled for them, report whoever
 * touches bytes of a pool besides locked payloads; this ends that. In any other
 * build nothing changes. A buffer that is freed, or goes out of scope, or becomes
 * a pool again with defrag_init() that is no shorter, need not be given back.
 *
 * Moves blocks: no; writes nothing. Cost: O(1). Fails iff: DEFRAG_BAD_ARGUMENT; a
 * damaged pool is given back too, in a hardened build as well.
 */
DEFRAG_API defrag_status defrag_detach(defrag_pool *pool) DEFRAG_NONNULL(1);

/* --- Allocation -------------------------------------------------------------- */

/*
 * Allocates a block of at least `bytes` bytes (0 is allowed) at a multiple of
 * the granule. The payload is not initialised.
 *
 * With s = granules of header and payload, t = granules the table has to grow
 * by (0 or 1, after empty slots at its end are given back) and F = free
 * granules: with nothing locked it succeeds iff F >= s + t. With P blocks
 * locked it is certain to succeed if F - t >= (P + 1)(s - 1) + 1 and, when
 * t = 1, a free granule lies above the last locked block. `largest_certain` of
 * the statistics is this for the locks as they lie now.
 *
 * Moves blocks: if it must, never a locked one, and then as few bytes as
 * defrag_make_room() finds a way to; a request that cannot be served moves
 * nothing. With DEFRAG_MANUAL: never.
 * Cost: O(1) if a hole is found at once; else that of defrag_make_room().
 * Fails iff: DEFRAG_BAD_ARGUMENT; DEFRAG_BAD_SIZE, the block is larger than the
 * pool when empty; DEFRAG_NO_HANDLES; DEFRAG_NO_MEMORY, F < s + t;
 * DEFRAG_PINNED, as defrag_make_room() says; DEFRAG_FRAGMENTED, with
 * DEFRAG_MANUAL set: no hole, the wilderness included, has s granules, t taken
 * from the wilderness, or that has none to take. `*out` is then DEFRAG_NULL.
 */
DEFRAG_API defrag_status defrag_alloc(defrag_pool *pool, size_t bytes,
                                      defrag_handle *out) DEFRAG_MUST_CHECK DEFRAG_NONNULL(1, 3);

/*
 * The same in bounded time: it looks at the head of the request's own bin, at
 * the head of the next bin that is not empty, and at the wilderness.
 *
 * Moves blocks: never. Cost: O(1).
 * Fails iff: DEFRAG_BAD_ARGUMENT; DEFRAG_BAD_SIZE; DEFRAG_NO_HANDLES;
 * DEFRAG_NO_MEMORY, F < s + t, t for the table as it is; DEFRAG_FRAGMENTED, the
 * search found nothing, or the wilderness has not t granules. After
 * defrag_make_room(pool, bytes) it succeeds.
 */
DEFRAG_API defrag_status defrag_alloc_fast(defrag_pool *pool, size_t bytes,
                                           defrag_handle *out) DEFRAG_MUST_CHECK DEFRAG_NONNULL(1, 3);

/*
 * Allocates `count` elements of `elem_bytes` bytes each, all bytes zero. As
 * defrag_alloc() and defrag_alloc_fast(), and the bytes zeroed besides; a
 * product over SIZE_MAX is DEFRAG_BAD_SIZE.
 */
DEFRAG_API defrag_status defrag_alloc_slice(defrag_pool *pool, size_t count, size_t elem_bytes,
                                            defrag_handle *out) DEFRAG_MUST_CHECK DEFRAG_NONNULL(1, 4);
DEFRAG_API defrag_status defrag_alloc_slice_fast(defrag_pool *pool, size_t count, size_t elem_bytes,
                                                 defrag_handle *out) DEFRAG_MUST_CHECK DEFRAG_NONNULL(1, 4);

/*
 * Allocates what the request describes. As defrag_alloc(), and besides:
 * DEFRAG_BAD_ARGUMENT, the alignment is no power of two or more than 128 granules,
 * or a flag is unknown; DEFRAG_BAD_SIZE, bytes x count overflows.
 *
 * The payload lies at a multiple of the alignment as long as the block lives,
 * whatever moves or resizes it. With an alignment a of more than a granule g that
 * costs a - g bytes, wherever the block lies: s, and what `live_bytes` counts, is
 * a/g - 1 granules more than without, and largest_certain serves requests that are
 * a - g bytes smaller, as does defrag_make_room(). Locking, unlocking and freeing such
 * a block is O(1) as ever, but never the shortest way.
 *
 * DEFRAG_PLACE_LOW changes where the block lies: at the bottom of the pool or right
 * behind a locked block, the lowest such place that can be cleared; where an ordinary
 * one would lie if there is none, and with DEFRAG_MANUAL. All that is served without it
 * is served with it, and some of what would be DEFRAG_PINNED too. What lies there
 * moves into holes elsewhere, less than the block's own bytes and one block; or, where
 * they do not hold it, all up to the nearest gaps that together do moves up. Locked
 * blocks side by side keep no free memory apart, so that more stays certain to be
 * served. Lock it before the next call that may move it. Cost, besides: O(B + S), for
 * each place tried O(blocks to move x holes), and the bytes moved.
 */
DEFRAG_API defrag_status defrag_alloc_request(defrag_pool *pool, const defrag_request *request,
                                              defrag_handle *out) DEFRAG_MUST_CHECK DEFRAG_NONNULL(1, 2, 3);

/*
 * Gives the block another size. The handle stays, and the alignment; the bytes up
 * to the smaller of the two sizes stay; bytes gained are not initialised.
 *
 * A block that is not locked grows the way that moves the fewest bytes; all is known
 * before the first of them moves. In place, none does. Else, of these:
 *   - blocks right above it make way, if they are fewer bytes than it is: they leave for
 *     holes, or slide up into the next gaps; of equals the latter;
 *   - it moves down over the free block before it; or to another hole, or the wilderness.
 * Where none of them will do, empty slots are given back and all is tried again; then the
 * cheapest of these:
 *   - the gaps between it and the next locked blocks are gathered at it, blocks below
 *     it sliding down and blocks above it sliding up;
 *   - blocks around it leave for holes, and it slides down to where they lay;
 *   - a hole is made as defrag_make_room() would, and it moves there.
 *
 * With nothing locked it succeeds iff the block's own granules and the free
 * ones, after empty slots are given back, hold the new block. A locked block
 * grows in place or not at all. A request that cannot be served moves nothing.
 *
 * Moves blocks: if it must, this one and others, never a locked one; with
 * DEFRAG_MANUAL only this one. Cost: to shrink and in place, O(1). Else the bytes moved;
 * a look at fewer blocks above than the block has granules; and O(blocks of two bins), to
 * find holes. Where all is tried again O(S) besides; and for the ways that come last, at
 * most three times that of defrag_make_room().
 * Fails iff: DEFRAG_BAD_ARGUMENT; DEFRAG_STALE; DEFRAG_CORRUPT;
 * DEFRAG_BAD_SIZE; DEFRAG_LOCKED, the block is locked and would have to shrink
 * or to move; DEFRAG_NO_MEMORY, too few granules are free in total;
 * DEFRAG_PINNED, locked blocks keep them apart: none of these ways was found, where blocks
 * that leave from around it are looked for only as long as `plan_visits` of the
 * configuration allows; DEFRAG_FRAGMENTED, other blocks would have to move and
 * DEFRAG_MANUAL forbids it.
 */
DEFRAG_API defrag_status defrag_resize(defrag_pool *pool, defrag_handle handle,
                                       size_t bytes) DEFRAG_MUST_CHECK DEFRAG_NONNULL(1);

/*
 * Frees the block and sets the handle to DEFRAG_NULL. A null handle in
 * `*handle` is no error and does nothing.
 *
 * Moves blocks: never. Cost: O(1).
 * Fails iff: DEFRAG_BAD_ARGUMENT; DEFRAG_STALE; DEFRAG_LOCKED, any lock is
 * held; DEFRAG_CORRUPT. The handle is then left as it is.
 */
DEFRAG_API defrag_status defrag_free(defrag_pool *pool, defrag_handle *handle)
    DEFRAG_NONNULL(1, 2) DEFRAG_EXCLUDES(*handle);

/*
 * The usable bytes of a block: the size asked for, rounded up. 0 where another
 * call would answer DEFRAG_BAD_ARGUMENT, DEFRAG_STALE or DEFRAG_CORRUPT; never for
 * a block, however little was asked for. Cost: O(1).
 */
DEFRAG_API size_t defrag_size(const defrag_pool *pool, defrag_handle handle) DEFRAG_NONNULL(1);

/* --- Access -------------------------------------------------------------------- */

/*
 * Locks the block exclusively and returns its address, a multiple of the
 * granule, and of the alignment that was asked for. defrag_size() bytes may be used
 * there, of a block of size 0 as well. The block stays where it is until
 * defrag_unlock(). Locks do not nest. Returns NULL on any error; defrag_try_lock() says
 * which.
 *
 * Moves blocks: never. Cost: O(1).
 * Fails iff (defrag_try_lock): DEFRAG_BAD_ARGUMENT; DEFRAG_STALE;
 * DEFRAG_LOCKED, any lock is held. `*out` is then NULL.
 */
DEFRAG_API void *defrag_lock(defrag_pool *pool, defrag_handle handle)
    DEFRAG_MUST_CHECK DEFRAG_NONNULL(1) DEFRAG_TRY_ACQUIRE(1, handle);
DEFRAG_API defrag_status defrag_try_lock(defrag_pool *pool, defrag_handle handle, void **out)
    DEFRAG_MUST_CHECK DEFRAG_NONNULL(1, 3) DEFRAG_TRY_ACQUIRE(0, handle);

/*
 * Locks the block for reading, up to 14 times at once; each needs its
 * defrag_unlock().
 *
 * Moves blocks: never. Cost: O(1).
 * Fails iff (defrag_try_lock_shared): DEFRAG_BAD_ARGUMENT; DEFRAG_STALE;
 * DEFRAG_LOCKED, an exclusive lock is held; DEFRAG_LOCK_LIMIT. `*out` is then NULL.
 */
DEFRAG_API const void *defrag_lock_shared(defrag_pool *pool, defrag_handle handle)
    DEFRAG_MUST_CHECK DEFRAG_NONNULL(1) DEFRAG_TRY_ACQUIRE_SHARED(1, handle);
DEFRAG_API defrag_status defrag_try_lock_shared(defrag_pool *pool, defrag_handle handle, const void **out)
    DEFRAG_MUST_CHECK DEFRAG_NONNULL(1, 3) DEFRAG_TRY_ACQUIRE_SHARED(0, handle);

/*
 * Releases one lock, exclusive or shared. The pointers it gave are invalid
 * afterwards; after the last one the block may move again.
 *
 * Moves blocks: never. Cost: O(1).
 * Fails iff: DEFRAG_BAD_ARGUMENT; DEFRAG_STALE; DEFRAG_NOT_LOCKED.
 */
DEFRAG_API defrag_status defrag_unlock(defrag_pool *pool, defrag_handle handle)
    DEFRAG_NONNULL(1) DEFRAG_RELEASE(handle);

/*
 * Copies `bytes` bytes from, or to, the block at `offset`, without a lock of
 * the caller's. `to` and `from` may be null when `bytes` is 0, and must not
 * overlap the block.
 *
 * Moves blocks: never. Cost: the bytes copied.
 * Fails iff: DEFRAG_BAD_ARGUMENT; DEFRAG_STALE; DEFRAG_LOCKED (read: an
 * exclusive lock is held; write: any lock is held); DEFRAG_CORRUPT;
 * DEFRAG_OUT_OF_RANGE, offset + bytes is more than defrag_size(). Nothing is
 * copied then.
 */
DEFRAG_API defrag_status defrag_read(defrag_pool *pool, defrag_handle handle, size_t offset, void *to,
                                     size_t bytes) DEFRAG_MUST_CHECK DEFRAG_NONNULL(1) DEFRAG_WRITES(4, 5);
DEFRAG_API defrag_status defrag_write(defrag_pool *pool, defrag_handle handle, size_t offset,
                                      const void *from, size_t bytes)
    DEFRAG_MUST_CHECK DEFRAG_NONNULL(1) DEFRAG_READS(4, 5) DEFRAG_EXCLUDES(handle);

/* --- Keeping the pool in order ---------------------------------------------------- */

/*
 * Gives the empty slots at the end of the handle table back to the wilderness.
 * (Free neighbours are merged at once by every call; nothing is left to merge.)
 *
 * Moves blocks: never. Cost: O(S). Fails iff: DEFRAG_BAD_ARGUMENT.
 */
DEFRAG_API defrag_status defrag_clean(defrag_pool *pool) DEFRAG_NONNULL(1);

/*
 * Brings every block that is not locked down past the locked ones, and gives
 * empty slots back as defrag_clean() does. In address order each such block moves
 * into the lowest hole below a locked block that holds it; where there is none it
 * slides down as far as it can. Afterwards none of them can slide, and none would
 * fit into a hole below it. With nothing locked all free memory is then one piece.
 * No block moves twice.
 *
 * Moves blocks: yes. Cost: O(B + S) and the bytes moved; besides, where P locked
 * blocks have a gap below them, for each block no larger than the largest of those
 * gaps a look at those of them that are not of much smaller sizes, P at most. It
 * leaves the critical section between blocks; where other calls come in there, a
 * block may be left above a hole that would hold it. Fails iff: DEFRAG_BAD_ARGUMENT.
 */
DEFRAG_API defrag_status defrag_compact(defrag_pool *pool) DEFRAG_NONNULL(1);

/*
 * A part of defrag_compact(). Each block looked at costs 8 bytes of
 * `max_bytes`, each hole and each list looked at in search of one too, each block moved
 * its size; the step ends when they are spent, having moved at most `max_bytes`
 * bytes or one block, and always having made some progress. A search that began
 * is finished; there is none until a gap was left below a locked block. Any other
 * call may come between two steps; without such calls no block moves twice until
 * the step that returns DEFRAG_OK. `moved` may be null; else it receives the bytes
 * moved.
 *
 * Without other calls in between steps end where defrag_compact() does. With them,
 * a block may stay above a hole that would hold it: steps do not go back, and a block
 * freed meanwhile may hide the holes of its size. defrag_compact() begins anew at the
 * bottom and finds them all.
 *
 * Moves blocks: yes. Cost: O(max_bytes + one block), and with P locked blocks one
 * search, O(P); O(1) if nothing is to do. With nothing locked, no other call in between
 * and `max_bytes` = b, there are at most 2 * floor(W / b) + 1 steps, W being the bytes that
 * move and 8 for each block that stays. Returns DEFRAG_MORE until nothing is left to
 * do. Fails iff: DEFRAG_BAD_ARGUMENT.
 */
DEFRAG_API defrag_status defrag_compact_step(defrag_pool *pool, size_t max_bytes,
                                             size_t *moved) DEFRAG_MUST_CHECK DEFRAG_NONNULL(1);

/*
 * Sees to it that the next defrag_alloc_fast(pool, bytes) succeeds. It moves
 * nothing if a hole is there already. Else it looks for the run of blocks between
 * two that stay that costs the fewest live bytes: blocks of it leave for holes elsewhere,
 * each for the smallest that holds it, and the others slide together. All is
 * planned before the first byte moves.
 *
 * It never moves more bytes than the cheapest slide: of all runs of blocks
 * between locked ones whose gaps add up, the one with the fewest live bytes
 * strictly inside. No rearrangement that keeps the blocks' order moves less. (Where
 * the table has to grow and the wilderness has no granule for it, this is so of
 * what lies below the last gap; what lies above it slides besides, or a block of it
 * leaves for a hole if that costs less.)
 *
 * Moves blocks: yes. Cost: O(B + S), the bytes moved, and planning: up to
 * `plan_visits` of the configuration times S blocks and holes are looked at, those of two
 * bins besides, and once more as many as the plan chosen needs. Where the cheapest slide
 * is the least that any way can move, nothing is planned; where no slide will do for locked
 * blocks, as many are looked at as it takes: usually O(B^2), at worst O(B^3 log B).
 * Fails iff: as defrag_alloc(), whose DEFRAG_MANUAL it does not heed. It counts
 * no failure. DEFRAG_PINNED means: no stretch between locked blocks has s granules
 * free, and in none was a run found whose blocks have other places; or t = 1, no
 * free granule lies above the last locked block, and no hole for a block from there
 * was found that leaves such a run.
 */
DEFRAG_API defrag_status defrag_make_room(defrag_pool *pool,
                                          size_t bytes) DEFRAG_MUST_CHECK DEFRAG_NONNULL(1);

/*
 * For tests: puts every block that can lie elsewhere elsewhere, so that a
 * pointer kept after the unlock is found out at its first use. The same pool and
 * seed give the same result.
 *
 * Certainly moved: each unlocked block but the one that fills all between two
 * locked blocks (or an end of the pool) alone; and that one too, if some hole or
 * the wilderness holds it. Afterwards every byte of the free memory is
 * DEFRAG_SCRAMBLE_BYTE but for the first two words and the last of a free block,
 * and the first of the wilderness; what is not free of the old places belongs to
 * other blocks. A later call may bring a block back to a place that it left. One that
 * is aligned to more than a granule may move by less, and keep its address.
 *
 * No free memory is needed, none is lost, and what lies between two locked
 * blocks has as much of it as before unless a block that was alone there left. No
 * hole gets smaller but by such a block, and the wilderness by an eighth, rounded up.
 *
 * DEFRAG_SCRAMBLE does this in every call that may move blocks and succeeds, after
 * the call's own work and within each stretch between locked blocks, with a seed
 * from the statistics:
 *   - defrag_alloc(), defrag_alloc_slice(), defrag_alloc_request(),
 *     defrag_resize(): each unlocked block moves that has a free granule or
 *     another unlocked block between the locked ones; and a new block that is not
 *     zeroed is filled as free memory is. With DEFRAG_MANUAL, which lets them move
 *     no other block, they scramble nothing.
 *   - defrag_compact(), defrag_compact_step(), defrag_make_room(), with
 *     DEFRAG_MANUAL too: blocks that lie side by side change places, and no hole
 *     changes. What has no neighbour is not moved, nor what defrag_compact() and a step
 *     slide; so after defrag_compact() each unlocked block lies elsewhere but one
 *     that was alone at the bottom of its stretch, below a gap or the end of it, and
 *     but those that slid back because others left for a hole in a lower stretch.
 *     The bytes are neither counted nor limited by the budget of a step.
 * What moves is counted from where the call's own work left it: a block that
 * defrag_make_room(), an allocation or defrag_resize() had to move first may come
 * back to where it was.
 * All that the calls promise holds, except what they say of the bytes they move,
 * of their cost, of blocks that move once, and of where DEFRAG_PLACE_LOW puts a block,
 * which then may lie elsewhere. defrag_alloc_fast() never scrambles.
 *
 * Moves blocks: yes. Cost: O(B) for each block that fills its stretch alone, and
 * twice the bytes of the pool. Fails iff: DEFRAG_BAD_ARGUMENT.
 */
#define DEFRAG_SCRAMBLE_BYTE 0xDB
DEFRAG_API defrag_status defrag_scramble(defrag_pool *pool, uint32_t seed) DEFRAG_NONNULL(1);

/* --- Looking at it ---------------------------------------------------------------- */

/*
 * Fills in the statistics. The counters are kept by the calls they count;
 * blocks, slots, locks and the largest requests are found here.
 *
 * Moves blocks: never. Cost: O(B + S). A null `out` does nothing; where
 * the pool is null or busy with a callback, or a hardened build finds it damaged,
 * all is 0.
 */
DEFRAG_API void defrag_statistics_get(const defrag_pool *pool, defrag_statistics *out);

/*
 * Checks every invariant of the pool: the chain of blocks, the table against
 * the headers, the bins against their map and the free blocks, the list of
 * empty slots, the counters. Only the control block's length field and the host
 * word are trusted; whatever the other bytes are, it neither crashes nor reads
 * outside the pool nor runs for ever.
 *
 * Moves blocks: never; writes nothing. Cost: O(B + S).
 * Fails iff: DEFRAG_BAD_ARGUMENT; DEFRAG_CORRUPT, an invariant is broken.
 */
DEFRAG_API defrag_status defrag_check(const defrag_pool *pool) DEFRAG_MUST_CHECK DEFRAG_NONNULL(1);

/*
 * Shows every block, and last the wilderness, to the visitor, in address order.
 *
 * Moves blocks: never. Cost: O(B), and the visitor's.
 * Fails iff: DEFRAG_BAD_ARGUMENT; DEFRAG_CORRUPT, the chain of blocks leaves
 * the pool; else what the visitor returned last.
 */
DEFRAG_API defrag_status defrag_walk(const defrag_pool *pool, defrag_visitor *visitor,
                                     void *context) DEFRAG_NONNULL(1, 2);

/* The name of a status without its prefix, as "NO_MEMORY"; "unknown status" for any other number. */
DEFRAG_API const char *defrag_status_string(defrag_status status);

/* DEFRAG_VERSION of the library that is linked, for comparison with the header's. */
DEFRAG_API uint32_t defrag_version(void);

#ifdef __cplusplus
}
#endif

/* --- Macros on top ----------------------------------------------------------------- */

/* Defines the buffer of a pool at file or block scope, static and aligned for every build. */
#if defined(__cplusplus)
#define DEFRAG_POOL_DEFINE(name, bytes) alignas(16) static unsigned char name[bytes]
#define DEFRAG_ALIGNOF(type)            alignof(type)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define DEFRAG_POOL_DEFINE(name, bytes) static _Alignas(16) unsigned char name[bytes]
#define DEFRAG_ALIGNOF(type)            _Alignof(type)
#else
#define DEFRAG_POOL_DEFINE(name, bytes) static unsigned char name[bytes] __attribute__((aligned(16)))
#define DEFRAG_ALIGNOF(type)            __alignof__(type)
#endif

/*
 * Typed allocation: one object, or `count` of them, all bytes zero, aligned
 * for the type; statuses of defrag_alloc_request(), among them
 * DEFRAG_BAD_ARGUMENT where the type needs more alignment than 128 granules.
 */
#define DEFRAG_NEW(type, pool, out)              DEFRAG_NEW_SLICE(type, pool, 1, out)
#define DEFRAG_NEW_SLICE(type, pool, count, out) \
    defrag_new_((pool), (count), sizeof(type), DEFRAG_ALIGNOF(type), (out))

/*
 * Typed locks: defrag_lock() and defrag_lock_shared() as pointers to `type`.
 * Clang's analysis does not look through a cast, so in C it is left to the
 * assignment there; gcc sees the cast and checks the type.
 */
#if defined(__clang__) && !defined(__cplusplus)
#define DEFRAG_LOCK(type, pool, handle)        defrag_lock((pool), (handle))
#define DEFRAG_LOCK_SHARED(type, pool, handle) defrag_lock_shared((pool), (handle))
#else
#define DEFRAG_LOCK(type, pool, handle)        DEFRAG_POINTER_(type, defrag_lock((pool), (handle)))
#define DEFRAG_LOCK_SHARED(type, pool, handle) \
    DEFRAG_POINTER_(const type, defrag_lock_shared((pool), (handle)))
#endif

/*
 * A scoped lock: `DEFRAG_WITH(struct point, p, pool, handle) { p->x = 1; }`
 * runs its body with `p` locked, exclusively or (DEFRAG_WITH_SHARED) for
 * reading, and unlocks on every way out: the end, `break`, `continue`, and,
 * where the compiler has the cleanup attribute (gcc, clang), `return` and
 * `goto`. If the lock fails the body does not run.
 */
#define DEFRAG_WITH(type, name, pool, handle) \
    DEFRAG_WITH_(type, name, defrag_guard_take_((pool), (handle)))
#define DEFRAG_WITH_SHARED(type, name, pool, handle) \
    DEFRAG_WITH_(const type, name, defrag_guard_take_shared_((pool), (handle)))

/* Private parts of the macros above; names that end in _ are not for users. */
#ifdef __cplusplus
#define DEFRAG_POINTER_(type, address) static_cast<type *>(address)
#define DEFRAG_MUTABLE_(address)       const_cast<void *>(address)
#else
#define DEFRAG_POINTER_(type, address) ((type *)(address))
#define DEFRAG_MUTABLE_(address)       ((void *)(uintptr_t)(address))
#endif

#if defined(__GNUC__)
#define DEFRAG_CLEANUP_ __attribute__((cleanup(defrag_guard_release_)))
#else
#define DEFRAG_CLEANUP_
#endif

#define DEFRAG_WITH_(type, name, take)                                             \
    for (defrag_guard_ name##_guard_ DEFRAG_CLEANUP_ = take; name##_guard_.address; \
         defrag_guard_release_(&name##_guard_))                                    \
        for (type *name = DEFRAG_POINTER_(type, name##_guard_.address); name; name = NULL)

typedef struct defrag_guard_ {
    defrag_pool *pool;
    defrag_handle handle;
    void *address;
} defrag_guard_;

/* The guards take and release on behalf of the scope, which the analysis cannot follow. */
DEFRAG_UNUSED DEFRAG_NO_THREAD_SAFETY_ANALYSIS static inline defrag_guard_
defrag_guard_take_(defrag_pool *pool, defrag_handle handle)
{
    defrag_guard_ guard;
    guard.pool = pool;
    guard.handle = handle;
    guard.address = defrag_lock(pool, handle);
    return guard;
}

DEFRAG_UNUSED DEFRAG_NO_THREAD_SAFETY_ANALYSIS static inline defrag_guard_
defrag_guard_take_shared_(defrag_pool *pool, defrag_handle handle)
{
    defrag_guard_ guard;
    guard.pool = pool;
    guard.handle = handle;
    guard.address = DEFRAG_MUTABLE_(defrag_lock_shared(pool, handle));
    return guard;
}

DEFRAG_UNUSED DEFRAG_NO_THREAD_SAFETY_ANALYSIS static inline void defrag_guard_release_(defrag_guard_ *guard)
{
    if (guard->address) {
        (void)defrag_unlock(guard->pool, guard->handle);
        guard->address = NULL;
    }
}

DEFRAG_UNUSED DEFRAG_MUST_CHECK DEFRAG_NONNULL(1, 5) static inline defrag_status
defrag_new_(defrag_pool *pool, size_t count, size_t elem_bytes, size_t alignment, defrag_handle *out)
{
    defrag_request request;
    request.bytes = count ? elem_bytes : 0;
    request.count = count;
    request.alignment = alignment;
    request.flags = DEFRAG_ZERO;
    return defrag_alloc_request(pool, &request, out);
}

#endif
