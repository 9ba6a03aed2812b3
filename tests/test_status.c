/* SPDX-License-Identifier: MIT */
/*
 * Promise 5, as far as statuses go: every status from every function that can
 * return it, with nothing changed, and the table of doc/statuses.md.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A pool, and its image before the call under test. */
struct bench {
    const struct defrag_build *b;
    const struct inside *inside;
    struct support_buffer buffer;
    defrag_pool *pool;
    unsigned char *image;
    size_t bytes;
};

static void bench_open(struct bench *t, const struct defrag_build *build, size_t granules,
                       const defrag_config *config)
{
    t->b = build;
    t->inside = inside_of(build->name);
    t->pool = support_pool_of(build, &t->buffer, granules, config);
    t->bytes = support_statistics(build, t->pool).pool_bytes;
    t->image = malloc(t->bytes);
    EXPECT(t->image, "out of memory");
}

static void bench_close(struct bench *t)
{
    free(t->image);
    support_buffer_free(&t->buffer);
}

static void note(struct bench *t)
{
    memcpy(t->image, t->pool, t->bytes);
}

/* Whether the image is what it was, but for failure counters if `counted`. */
static bool is_same(const struct bench *t, const unsigned char *now, bool counted)
{
    size_t first, end;
    t->inside->failure_counters(&first, &end);
    if (!counted)
        first = end = 0;
    return memcmp(t->image, now, first) == 0 && memcmp(t->image + end, now + end, t->bytes - end) == 0;
}

/* The same, or what else a failed call may do: use free bytes, and give empty slots at the table's end back. */
static void expect_same(const struct bench *t, const char *call, bool counted)
{
    if (is_same(t, (const unsigned char *)t->pool, counted))
        return;
    EXPECT(counted, "%s changed the pool", call);
    struct layout layout = {0};
    unsigned char *now = malloc(t->bytes);
    EXPECT(now, "out of memory");
    memcpy(now, t->pool, t->bytes);
    memcpy(t->pool, t->image, t->bytes);
    EXPECT_STATUS(t->b->clean(t->pool), DEFRAG_OK);
    layout_read(&layout, t->b, t->pool);
    memcpy(t->image, t->pool, t->bytes);
    memcpy(t->pool, now, t->bytes);
    layout_copy_idle(&layout, now, t->image);
    EXPECT(is_same(t, now, true), "%s failed and changed the pool", call);
    layout_free(&layout);
    free(now);
}

#define REFUSED(t, call, status)               \
    do {                                       \
        note(t);                               \
        EXPECT_STATUS(call, status);           \
        expect_same(t, #call, true);           \
    } while (0)

static size_t payload(const struct bench *t, size_t granules)
{
    return support_payload(t->inside, granules);
}

static defrag_handle allocate(struct bench *t, size_t granules)
{
    defrag_handle handle;
    EXPECT_STATUS(t->b->alloc(t->pool, payload(t, granules), &handle), DEFRAG_OK);
    return handle;
}

/* --- init ----------------------------------------------------------------------------- */

static void nothing(void *context)
{
    (void)context;
}

static void init_refuses_bad_arguments(const struct defrag_build *b)
{
    static unsigned char memory[4096];
    const defrag_config unknown = {.flags = 1u << 31};
    const defrag_config no_leave = {.enter = nothing};
    const defrag_config no_enter = {.leave = nothing};
    const defrag_config *bad[] = {&unknown, &no_leave, &no_enter};
    defrag_pool *pool = (defrag_pool *)(void *)memory;
    memset(memory, 0xa5, sizeof memory);
    EXPECT_STATUS(b->init(NULL, memory, sizeof memory, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->init(&pool, NULL, sizeof memory, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT(!pool, "init failed and gave a pool");
    for (size_t i = 0; i < 3; i++) {
        pool = (defrag_pool *)(void *)memory;
        EXPECT_STATUS(b->init(&pool, memory, sizeof memory, bad[i]), DEFRAG_BAD_ARGUMENT);
        EXPECT(!pool, "init failed and gave a pool");
    }
    for (size_t i = 0; i < sizeof memory; i++)
        EXPECT(memory[i] == 0xa5, "init failed and wrote byte %zu", i);
}

/* From some size on every buffer holds a pool, and that pool a block. */
static void init_refuses_small_buffers(const struct defrag_build *b)
{
    bool fits = false;
    for (size_t bytes = 0; bytes < 1200; bytes++) {
        struct support_buffer buffer = support_buffer_new(bytes, 0);
        defrag_pool *pool = (defrag_pool *)(void *)&buffer;
        defrag_status status = b->init(&pool, buffer.bytes, bytes, NULL);
        EXPECT(status == DEFRAG_OK || (status == DEFRAG_BAD_SIZE && !fits), "%zu bytes: status %d", bytes,
               (int)status);
        EXPECT((pool != NULL) == (status == DEFRAG_OK), "%zu bytes: the pool", bytes);
        if (status == DEFRAG_OK) {
            defrag_handle handle;
            size_t smallest = inside_of(b->name)->smallest * b->alignment;
            EXPECT(fits || support_statistics(b, pool).free_bytes == smallest,
                   "the first pool could be smaller");
            EXPECT_STATUS(b->alloc(pool, 1, &handle), DEFRAG_OK);
            EXPECT_STATUS(b->check(pool), DEFRAG_OK);
            EXPECT_STATUS(b->attach(&pool, buffer.bytes, bytes, NULL), DEFRAG_OK);
            fits = true;
        }
        support_buffer_free(&buffer);
    }
    EXPECT(fits, "no buffer is large enough");
    /* Not even the bytes that have to be skipped. */
    for (size_t bytes = 0; bytes < 4; bytes++) {
        struct support_buffer buffer = support_buffer_new(bytes, 1);
        defrag_pool *pool;
        EXPECT_STATUS(b->init(&pool, buffer.bytes, bytes, NULL), DEFRAG_BAD_SIZE);
        EXPECT_STATUS(b->attach(&pool, buffer.bytes, bytes, NULL), DEFRAG_BAD_SIZE);
        support_buffer_free(&buffer);
    }
}

/* What says whose image a buffer holds ends 16 bytes behind those that are skipped. */
static void attach_looks_at_no_less(const struct defrag_build *b)
{
    const size_t skipped = inside_of(b->name)->granule - 1;
    defrag_pool *pool;
    struct support_buffer buffer = support_buffer_new(skipped + 64, 1);
    memset(buffer.bytes, 0x5a, buffer.size);
    for (size_t bytes = 0; bytes < 16; bytes++)
        EXPECT_STATUS(b->attach(&pool, buffer.bytes, skipped + bytes, NULL), DEFRAG_BAD_SIZE);
    EXPECT_STATUS(b->attach(&pool, buffer.bytes, skipped + 16, NULL), DEFRAG_CORRUPT);
    support_buffer_free(&buffer);
}

static void init_refuses_large_buffers(const struct defrag_build *b)
{
    const struct inside *inside = inside_of(b->name);
    static unsigned char memory[64];
    defrag_pool *pool;
    /* With addresses of 32 bits the wide layout can count whatever there is. */
    if ((SIZE_MAX - 4096) / inside->granule > inside->granules_max) {
        EXPECT_STATUS(b->init(&pool, memory, SIZE_MAX - 4096, NULL), DEFRAG_BAD_SIZE);
        EXPECT(!pool, "init failed and gave a pool");
    }
    if (inside->granules_max > 65535)
        return;
    size_t most = 65535 * inside->granule + inside->granule - 1;
    struct support_buffer buffer = support_buffer_new(most + 1, 0);
    EXPECT_STATUS(b->init(&pool, buffer.bytes, most + 1, NULL), DEFRAG_BAD_SIZE);
    EXPECT_STATUS(b->init(&pool, buffer.bytes, most, NULL), DEFRAG_OK);
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    defrag_statistics s = support_statistics(b, pool);
    EXPECT(s.pool_bytes == 65535 * inside->granule, "the largest pool has %zu bytes", s.pool_bytes);
    defrag_handle whole;
    EXPECT_STATUS(b->alloc(pool, s.largest_certain, &whole), DEFRAG_OK);
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    support_buffer_free(&buffer);
}

/* Used from the first aligned byte, whole granules only, and nothing else is touched. */
static void init_aligns_the_buffer(const struct defrag_build *b)
{
    const struct inside *inside = inside_of(b->name);
    for (size_t skew = 0; skew < 33; skew++) {
        for (size_t bytes = 2000; bytes < 2000 + inside->granule; bytes++) {
            struct support_buffer buffer = support_buffer_new(bytes, skew);
            defrag_pool *pool;
            EXPECT_STATUS(b->init(&pool, buffer.bytes, bytes, NULL), DEFRAG_OK);
            defrag_statistics s = support_statistics(b, pool);
            size_t skipped = (inside->granule - skew % inside->granule) % inside->granule;
            EXPECT(s.skipped_bytes == skipped, "skew %zu: %zu bytes skipped", skew, s.skipped_bytes);
            EXPECT((unsigned char *)pool == buffer.bytes + skipped, "skew %zu: the pool is elsewhere", skew);
            EXPECT(s.pool_bytes == (bytes - skipped) / inside->granule * inside->granule,
                   "skew %zu: %zu of %zu bytes", skew, s.pool_bytes, bytes);
            for (size_t i = 0; i < skipped; i++)
                EXPECT(buffer.bytes[i] == 0xa5, "init wrote before the pool");
            for (size_t i = skipped + s.pool_bytes; i < bytes; i++)
                EXPECT(buffer.bytes[i] == 0xa5, "init wrote behind the pool");
            /* The first word behind the control block ends the chain of blocks. */
            for (size_t i = s.control_bytes + inside->header; i < s.control_bytes + s.free_bytes; i++)
                EXPECT(buffer.bytes[skipped + i] == 0xa5, "init wrote to byte %zu", i);
            support_buffer_free(&buffer);
        }
    }
}

/* --- Null pointers ------------------------------------------------------------------------ */

static defrag_status visit_nothing(void *context, const defrag_block *block)
{
    (void)context;
    (void)block;
    return DEFRAG_OK;
}

static void null_pool(const struct defrag_build *b)
{
    defrag_handle h = {0x00010000};
    defrag_handle out = {7};
    const defrag_request request = {.bytes = 8};
    unsigned char byte = 0;
    void *p = &byte;
    const void *cp = &byte;
    size_t moved = 7;
    defrag_statistics s;
    memset(&s, 0x77, sizeof s);
    EXPECT_STATUS(b->alloc(NULL, 8, &out), DEFRAG_BAD_ARGUMENT);
    EXPECT(out.bits == 0, "a failed alloc gave a handle");
    EXPECT_STATUS(b->alloc_fast(NULL, 8, &out), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_slice(NULL, 1, 8, &out), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_slice_fast(NULL, 1, 8, &out), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_request(NULL, &request, &out), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->resize(NULL, h, 8), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->free(NULL, &h), DEFRAG_BAD_ARGUMENT);
    EXPECT(h.bits == 0x00010000, "a failed free changed the handle");
    h.bits = 0;
    EXPECT_STATUS(b->free(NULL, &h), DEFRAG_BAD_ARGUMENT);
    EXPECT(b->size(NULL, h) == 0, "a null pool has a block");
    EXPECT(!b->lock(NULL, h) && !b->lock_shared(NULL, h), "a null pool has a block");
    EXPECT_STATUS(b->try_lock(NULL, h, &p), DEFRAG_BAD_ARGUMENT);
    EXPECT(!p, "a failed lock gave an address");
    EXPECT_STATUS(b->try_lock_shared(NULL, h, &cp), DEFRAG_BAD_ARGUMENT);
    EXPECT(!cp, "a failed lock gave an address");
    EXPECT_STATUS(b->unlock(NULL, h), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->read(NULL, h, 0, &byte, 1), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->write(NULL, h, 0, &byte, 1), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->detach(NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->clean(NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->compact(NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->compact_step(NULL, 1, &moved), DEFRAG_BAD_ARGUMENT);
    EXPECT(moved == 0, "a refused step says that it moved %zu bytes", moved);
    EXPECT_STATUS(b->make_room(NULL, 8), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->check(NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->walk(NULL, visit_nothing, NULL), DEFRAG_BAD_ARGUMENT);
    b->statistics_get(NULL, &s);
    const defrag_statistics none = {0};
    EXPECT(memcmp(&s, &none, sizeof s) == 0, "a null pool has statistics");
}

static void null_arguments(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 40, NULL);
    const defrag_request request = {.bytes = 8};
    defrag_handle out;
    defrag_handle h = allocate(&t, 2);
    const defrag_handle stale = {0xffffffffu};
    defrag_handle freed = allocate(&t, 2); /* so that a slot is empty */
    EXPECT_STATUS(b->free(t.pool, &freed), DEFRAG_OK);
    REFUSED(&t, b->alloc(t.pool, 8, NULL), DEFRAG_BAD_ARGUMENT);
    REFUSED(&t, b->alloc_fast(t.pool, 8, NULL), DEFRAG_BAD_ARGUMENT);
    REFUSED(&t, b->alloc_slice(t.pool, 1, 8, NULL), DEFRAG_BAD_ARGUMENT);
    REFUSED(&t, b->alloc_slice_fast(t.pool, 1, 8, NULL), DEFRAG_BAD_ARGUMENT);
    REFUSED(&t, b->alloc_request(t.pool, &request, NULL), DEFRAG_BAD_ARGUMENT);
    out.bits = 7;
    REFUSED(&t, b->alloc_request(t.pool, NULL, &out), DEFRAG_BAD_ARGUMENT);
    EXPECT(out.bits == 0, "a failed alloc gave a handle");
    REFUSED(&t, b->free(t.pool, NULL), DEFRAG_BAD_ARGUMENT);
    REFUSED(&t, b->try_lock(t.pool, h, NULL), DEFRAG_BAD_ARGUMENT);
    REFUSED(&t, b->try_lock_shared(t.pool, h, NULL), DEFRAG_BAD_ARGUMENT);
    REFUSED(&t, b->read(t.pool, h, 0, NULL, 1), DEFRAG_BAD_ARGUMENT);
    REFUSED(&t, b->write(t.pool, h, 0, NULL, 1), DEFRAG_BAD_ARGUMENT);
    /* Arguments are looked at before the handle. */
    REFUSED(&t, b->read(t.pool, stale, 0, NULL, 1), DEFRAG_BAD_ARGUMENT);
    REFUSED(&t, b->write(t.pool, stale, 0, NULL, 1), DEFRAG_BAD_ARGUMENT);
    REFUSED(&t, b->try_lock(t.pool, stale, NULL), DEFRAG_BAD_ARGUMENT);
    REFUSED(&t, b->walk(t.pool, NULL, NULL), DEFRAG_BAD_ARGUMENT);
    note(&t);
    b->statistics_get(t.pool, NULL);
    expect_same(&t, "statistics_get", false);
    /* Where null is allowed. */
    EXPECT_STATUS(b->read(t.pool, h, 0, NULL, 0), DEFRAG_OK);
    EXPECT_STATUS(b->write(t.pool, h, 0, NULL, 0), DEFRAG_OK);
    EXPECT_STATUS(b->compact_step(t.pool, 100, NULL), DEFRAG_OK);
    defrag_handle null = {0};
    REFUSED(&t, b->free(t.pool, &null), DEFRAG_OK);
    bench_close(&t);
}

/* --- Sizes ------------------------------------------------------------------------------------ */

static void impossible_sizes(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 40, NULL);
    defrag_handle out;
    defrag_handle h = allocate(&t, 2);
    size_t capacity = payload(&t, 40);
    for (size_t below = 0; below < 70; below++) {
        size_t sizes[] = {SIZE_MAX - below, SIZE_MAX / 2 + below, UINT32_MAX - (size_t)below,
                          (size_t)65536 * t.inside->granule - below, capacity + 1 + below};
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            defrag_request request = {.bytes = sizes[i]};
            REFUSED(&t, b->alloc(t.pool, sizes[i], &out), DEFRAG_BAD_SIZE);
            EXPECT(out.bits == 0, "a failed alloc gave a handle");
            REFUSED(&t, b->alloc_fast(t.pool, sizes[i], &out), DEFRAG_BAD_SIZE);
            REFUSED(&t, b->alloc_slice(t.pool, 1, sizes[i], &out), DEFRAG_BAD_SIZE);
            REFUSED(&t, b->alloc_slice(t.pool, sizes[i], 1, &out), DEFRAG_BAD_SIZE);
            REFUSED(&t, b->alloc_slice_fast(t.pool, 1, sizes[i], &out), DEFRAG_BAD_SIZE);
            REFUSED(&t, b->alloc_slice_fast(t.pool, sizes[i], 1, &out), DEFRAG_BAD_SIZE);
            REFUSED(&t, b->alloc_request(t.pool, &request, &out), DEFRAG_BAD_SIZE);
            REFUSED(&t, b->resize(t.pool, h, sizes[i]), DEFRAG_BAD_SIZE);
            note(&t);
            EXPECT_STATUS(b->make_room(t.pool, sizes[i]), DEFRAG_BAD_SIZE);
            expect_same(&t, "make_room", false);
            EXPECT_STATUS(b->compact_step(t.pool, sizes[i], NULL), DEFRAG_OK);
            REFUSED(&t, b->read(t.pool, h, sizes[i], NULL, 0), DEFRAG_OUT_OF_RANGE);
            REFUSED(&t, b->write(t.pool, h, sizes[i], NULL, 0), DEFRAG_OUT_OF_RANGE);
        }
    }
    EXPECT(support_statistics(b, t.pool).failed_bad_size == 70 * 5 * 8, "failed_bad_size is %u",
           (unsigned)support_statistics(b, t.pool).failed_bad_size);
    bench_close(&t);
}

static void products_that_overflow(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 40, NULL);
    size_t half = (size_t)1 << (sizeof(size_t) * 4);
    const size_t factors[][2] = {
        {half, half}, {half + 1, half}, {SIZE_MAX, 2}, {2, SIZE_MAX}, {SIZE_MAX, SIZE_MAX},
        {SIZE_MAX / 2 + 1, 2}, {SIZE_MAX / 3 + 1, 3}, {half * 8, half / 8},
    };
    defrag_handle out;
    for (size_t i = 0; i < sizeof factors / sizeof factors[0]; i++) {
        defrag_request request = {.bytes = factors[i][1], .count = factors[i][0]};
        REFUSED(&t, b->alloc_slice(t.pool, factors[i][0], factors[i][1], &out), DEFRAG_BAD_SIZE);
        REFUSED(&t, b->alloc_slice_fast(t.pool, factors[i][0], factors[i][1], &out), DEFRAG_BAD_SIZE);
        REFUSED(&t, b->alloc_request(t.pool, &request, &out), DEFRAG_BAD_SIZE);
    }
    /* Empty slices are fine. */
    const size_t empty[][2] = {{0, 0}, {0, SIZE_MAX}, {SIZE_MAX, 0}, {0, 8}, {8, 0}};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        EXPECT_STATUS(b->alloc_slice(t.pool, empty[i][0], empty[i][1], &out), DEFRAG_OK);
        EXPECT_STATUS(b->free(t.pool, &out), DEFRAG_OK);
        EXPECT_STATUS(b->alloc_slice_fast(t.pool, empty[i][0], empty[i][1], &out), DEFRAG_OK);
        EXPECT_STATUS(b->free(t.pool, &out), DEFRAG_OK);
    }
    bench_close(&t);
}

static void empty_blocks(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 40, NULL);
    defrag_handle h;
    EXPECT_STATUS(b->alloc(t.pool, 0, &h), DEFRAG_OK);
    EXPECT(h.bits != 0, "an empty block has the null handle");
    EXPECT(b->size(t.pool, h) == payload(&t, t.inside->smallest), "an empty block has %zu usable bytes",
           b->size(t.pool, h));
    EXPECT(b->lock(t.pool, h), "an empty block has no address");
    EXPECT_STATUS(b->unlock(t.pool, h), DEFRAG_OK);
    EXPECT_STATUS(b->resize(t.pool, h, 100), DEFRAG_OK);
    EXPECT_STATUS(b->resize(t.pool, h, 0), DEFRAG_OK);
    EXPECT_STATUS(b->free(t.pool, &h), DEFRAG_OK);
    bench_close(&t);
}

/* --- Requests ------------------------------------------------------------------------------------- */

static void requests(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 200, NULL);
    defrag_handle out;
    const size_t granule = t.inside->granule;
    const size_t most = granule * 128;
    const size_t bad[] = {3,           5,        6,        7,        12,          granule + 1,
                          granule * 3, most - 1, most + 1, most * 2, SIZE_MAX / 2 + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        defrag_request request = {.bytes = 8, .alignment = bad[i]};
        REFUSED(&t, b->alloc_request(t.pool, &request, &out), DEFRAG_BAD_ARGUMENT);
    }
    for (unsigned bit = 2; bit < 32; bit++) {
        defrag_request request = {.bytes = 8, .flags = 1u << bit};
        REFUSED(&t, b->alloc_request(t.pool, &request, &out), DEFRAG_BAD_ARGUMENT);
    }
    for (size_t alignment = 0; alignment <= most; alignment = alignment ? 2 * alignment : 1) {
        defrag_request request = {.bytes = 8, .count = 2, .alignment = alignment, .flags = DEFRAG_ZERO};
        unsigned char bytes[64];
        EXPECT_STATUS(b->alloc_request(t.pool, &request, &out), DEFRAG_OK);
        size_t size = b->size(t.pool, out);
        EXPECT(size >= 16 && size < 16 + granule, "a request for 2 x 8 has %zu bytes", size);
        EXPECT_STATUS(b->read(t.pool, out, 0, bytes, size), DEFRAG_OK);
        for (size_t i = 0; i < size; i++)
            EXPECT(bytes[i] == 0, "byte %zu is not zero", i);
        EXPECT((uintptr_t)b->lock(t.pool, out) % (alignment ? alignment : 1) == 0, "not aligned to %zu",
               alignment);
        EXPECT_STATUS(b->unlock(t.pool, out), DEFRAG_OK);
        EXPECT_STATUS(b->free(t.pool, &out), DEFRAG_OK);
    }
    /* Without a count it is one element. */
    defrag_request one = {.bytes = 24};
    EXPECT_STATUS(b->alloc_request(t.pool, &one, &out), DEFRAG_OK);
    EXPECT(b->size(t.pool, out) >= 24, "a request for one element has %zu bytes", b->size(t.pool, out));
    bench_close(&t);
}

/* Without the flag no time is spent on the payload: it stays as it was, but for the links at both ends. */
static void requests_without_zeroes(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    defrag_handle out = allocate(&t, 30);
    unsigned char bytes[480];
    size_t size = payload(&t, 30);
    memset(bytes, 0xa5, sizeof bytes);
    EXPECT_STATUS(b->write(t.pool, out, 0, bytes, size), DEFRAG_OK);
    EXPECT_STATUS(b->free(t.pool, &out), DEFRAG_OK);
    defrag_request request = {.bytes = size};
    EXPECT_STATUS(b->alloc_request(t.pool, &request, &out), DEFRAG_OK);
    EXPECT_STATUS(b->read(t.pool, out, 0, bytes, size), DEFRAG_OK);
    for (size_t i = 2 * t.inside->header; i < size - 2 * t.inside->header; i++)
        EXPECT(bytes[i] == 0xa5, "byte %zu was written", i);
    bench_close(&t);
}

/* --- Memory ------------------------------------------------------------------------------------------- */

/* [gap 3][locked][gap 3][locked] and a wilderness of 3: enough for 4 in total, nowhere together. */
static void make_pins(struct bench *t, defrag_handle *pins, bool locked)
{
    defrag_handle gaps[2];
    for (size_t i = 0; i < 2; i++) {
        gaps[i] = allocate(t, 3);
        pins[i] = allocate(t, 4);
    }
    /* None that could leave for a gap. */
    defrag_handle last = {0};
    while (support_statistics(t->b, t->pool).largest_fast >= payload(t, 4 + 4))
        last = allocate(t, 4);
    size_t rest = (support_statistics(t->b, t->pool).free_bytes / t->inside->granule) - 3;
    EXPECT_STATUS(t->b->resize(t->pool, last, payload(t, 4 + rest)), DEFRAG_OK);
    for (size_t i = 0; i < 2; i++) {
        EXPECT_STATUS(t->b->free(t->pool, &gaps[i]), DEFRAG_OK);
        if (locked)
            EXPECT(t->b->lock(t->pool, pins[i]), "no lock");
    }
}

static void pinned(const struct defrag_build *b)
{
    struct bench t;
    defrag_handle pins[2], out;
    bench_open(&t, b, 41, NULL);
    make_pins(&t, pins, true);
    defrag_statistics s = support_statistics(b, t.pool);
    size_t bytes = s.largest_certain + t.inside->granule;
    defrag_request request = {.bytes = bytes};
    EXPECT(s.free_bytes >= bytes + t.inside->header + t.inside->granule, "the pins leave %zu bytes",
           s.free_bytes);
    REFUSED(&t, b->alloc(t.pool, bytes, &out), DEFRAG_PINNED);
    REFUSED(&t, b->alloc_slice(t.pool, 1, bytes, &out), DEFRAG_PINNED);
    REFUSED(&t, b->alloc_request(t.pool, &request, &out), DEFRAG_PINNED);
    REFUSED(&t, b->make_room(t.pool, bytes), DEFRAG_PINNED);
    EXPECT(support_statistics(b, t.pool).failed_pinned == s.failed_pinned + 3, "failed_pinned");
    REFUSED(&t, b->alloc_fast(t.pool, bytes, &out), DEFRAG_FRAGMENTED);
    REFUSED(&t, b->alloc_slice_fast(t.pool, 1, bytes, &out), DEFRAG_FRAGMENTED);
    EXPECT_STATUS(b->unlock(t.pool, pins[0]), DEFRAG_OK);
    /* The block between the pins cannot become longer than its own gaps allow. */
    REFUSED(&t, b->resize(t.pool, pins[1], payload(&t, 20)), DEFRAG_LOCKED);
    EXPECT_STATUS(b->alloc(t.pool, bytes, &out), DEFRAG_OK);
    bench_close(&t);
}

/* A block between two locked ones that would need more than its gap. */
static void pinned_resize(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    defrag_handle low = allocate(&t, 2);
    defrag_handle block = allocate(&t, 4);
    defrag_handle gap = allocate(&t, 3);
    defrag_handle high = allocate(&t, 2);
    size_t rest = support_statistics(b, t.pool).largest_fast;
    defrag_handle fill, middle;
    EXPECT_STATUS(b->alloc(t.pool, rest - 8 * t.inside->granule, &fill), DEFRAG_OK);
    EXPECT_STATUS(b->alloc(t.pool, 0, &middle), DEFRAG_OK);
    EXPECT_STATUS(b->free(t.pool, &gap), DEFRAG_OK);
    EXPECT(b->lock(t.pool, low) && b->lock(t.pool, high) && b->lock(t.pool, middle), "no lock");
    defrag_statistics s = support_statistics(b, t.pool);
    size_t most = s.free_bytes / t.inside->granule + 4;
    REFUSED(&t, b->resize(t.pool, block, payload(&t, most)), DEFRAG_PINNED);
    REFUSED(&t, b->resize(t.pool, block, payload(&t, most + 1)), DEFRAG_NO_MEMORY);
    s = support_statistics(b, t.pool);
    EXPECT(s.failed_pinned == 1 && s.failed_no_memory == 1, "refused growths are counted");
    EXPECT_STATUS(b->resize(t.pool, block, payload(&t, 7)), DEFRAG_OK);
    bench_close(&t);
}

static void no_memory(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 40, NULL);
    defrag_handle h = allocate(&t, 20);
    defrag_handle out;
    defrag_statistics s = support_statistics(b, t.pool);
    size_t bytes = s.free_bytes + 1;
    defrag_request request = {.bytes = bytes};
    REFUSED(&t, b->alloc(t.pool, bytes, &out), DEFRAG_NO_MEMORY);
    REFUSED(&t, b->alloc_fast(t.pool, bytes, &out), DEFRAG_NO_MEMORY);
    REFUSED(&t, b->alloc_slice(t.pool, 1, bytes, &out), DEFRAG_NO_MEMORY);
    REFUSED(&t, b->alloc_slice_fast(t.pool, 1, bytes, &out), DEFRAG_NO_MEMORY);
    REFUSED(&t, b->alloc_request(t.pool, &request, &out), DEFRAG_NO_MEMORY);
    EXPECT(support_statistics(b, t.pool).failed_no_memory == 5, "failed_no_memory");
    note(&t);
    EXPECT_STATUS(b->make_room(t.pool, bytes), DEFRAG_NO_MEMORY);
    expect_same(&t, "make_room", false);
    defrag_handle more = allocate(&t, 2);
    size_t left = support_statistics(b, t.pool).free_bytes / t.inside->granule;
    REFUSED(&t, b->resize(t.pool, more, payload(&t, left + 3)), DEFRAG_NO_MEMORY);
    EXPECT_STATUS(b->resize(t.pool, more, payload(&t, left + 2)), DEFRAG_OK);
    EXPECT_STATUS(b->free(t.pool, &h), DEFRAG_OK);
    bench_close(&t);
}

static void fragmented_under_manual(const struct defrag_build *b)
{
    static const defrag_config manual = {.flags = DEFRAG_MANUAL};
    struct bench t;
    defrag_handle pins[2], out;
    bench_open(&t, b, 41, &manual);
    make_pins(&t, pins, false);
    size_t bytes = support_statistics(b, t.pool).largest_fast + t.inside->granule;
    defrag_request request = {.bytes = bytes};
    REFUSED(&t, b->alloc(t.pool, bytes, &out), DEFRAG_FRAGMENTED);
    REFUSED(&t, b->alloc_slice(t.pool, 1, bytes, &out), DEFRAG_FRAGMENTED);
    REFUSED(&t, b->alloc_request(t.pool, &request, &out), DEFRAG_FRAGMENTED);
    REFUSED(&t, b->alloc_fast(t.pool, bytes, &out), DEFRAG_FRAGMENTED);
    EXPECT(support_statistics(b, t.pool).failed_fragmented == 4, "failed_fragmented");
    size_t all = support_statistics(b, t.pool).free_bytes / t.inside->granule + 4;
    REFUSED(&t, b->resize(t.pool, pins[0], payload(&t, all)), DEFRAG_FRAGMENTED);
    /* make_room does not heed the flag. */
    EXPECT_STATUS(b->make_room(t.pool, bytes), DEFRAG_OK);
    EXPECT_STATUS(b->alloc_fast(t.pool, bytes, &out), DEFRAG_OK);
    bench_close(&t);
}

/* The counters of failures stop at their largest number. */
static void failure_counters_stop(const struct defrag_build *b)
{
    struct bench t;
    size_t first, end;
    defrag_handle out;
    bench_open(&t, b, 40, NULL);
    (void)allocate(&t, 20);
    t.inside->failure_counters(&first, &end);
    const uint32_t last_but_one = UINT32_MAX - 1;
    memset((unsigned char *)t.pool + first, 0xff, end - first);
    memcpy((unsigned char *)t.pool + first, &last_but_one, sizeof last_but_one);
    EXPECT_STATUS(b->check(t.pool), DEFRAG_OK);
    for (int i = 0; i < 3; i++) {
        EXPECT_STATUS(b->alloc(t.pool, payload(&t, 30), &out), DEFRAG_NO_MEMORY);
        EXPECT_STATUS(b->alloc(t.pool, SIZE_MAX, &out), DEFRAG_BAD_SIZE);
        defrag_statistics s = support_statistics(b, t.pool);
        EXPECT(s.failed_no_memory == UINT32_MAX && s.failed_bad_size == UINT32_MAX,
               "a counter is %u and one %u", (unsigned)s.failed_no_memory, (unsigned)s.failed_bad_size);
    }
    bench_close(&t);
}

/* --- Handles ------------------------------------------------------------------------------------------- */

static void no_handles(const struct defrag_build *b)
{
    const struct inside *inside = inside_of(b->name);
    /* Where each block and its slot take three granules, memory ends before the numbers do. */
    if (inside->slots_max > 0x7fff || inside->smallest > 1)
        return;
    struct bench t;
    bench_open(&t, b, 60000, NULL);
    static defrag_handle handles[0x8000];
    for (size_t i = 0; i < 0x7fff; i++)
        EXPECT_STATUS(b->alloc_fast(t.pool, 1, &handles[i]), DEFRAG_OK);
    EXPECT_STATUS(b->check(t.pool), DEFRAG_OK);
    defrag_handle out = {7};
    defrag_request request = {.bytes = 1};
    REFUSED(&t, b->alloc(t.pool, 1, &out), DEFRAG_NO_HANDLES);
    EXPECT(out.bits == 0, "a failed alloc gave a handle");
    REFUSED(&t, b->alloc_fast(t.pool, 1, &out), DEFRAG_NO_HANDLES);
    REFUSED(&t, b->alloc_slice(t.pool, 1, 1, &out), DEFRAG_NO_HANDLES);
    REFUSED(&t, b->alloc_slice_fast(t.pool, 1, 1, &out), DEFRAG_NO_HANDLES);
    REFUSED(&t, b->alloc_request(t.pool, &request, &out), DEFRAG_NO_HANDLES);
    request.flags = DEFRAG_PLACE_LOW;
    REFUSED(&t, b->alloc_request(t.pool, &request, &out), DEFRAG_NO_HANDLES);
    note(&t);
    EXPECT_STATUS(b->make_room(t.pool, 1), DEFRAG_NO_HANDLES);
    expect_same(&t, "make_room", false);
    defrag_statistics s = support_statistics(b, t.pool);
    EXPECT(s.failed_no_handles == 6, "failed_no_handles is %u", (unsigned)s.failed_no_handles);
    EXPECT(s.largest_fast == 0 && s.largest_certain == 0, "no handle is left, and %zu bytes are served",
           s.largest_certain);
    EXPECT(s.slots == 0x7fff && s.live_blocks == 0x7fff && s.peak_live_blocks == 0x7fff, "%zu slots",
           s.slots);
    EXPECT_STATUS(b->resize(t.pool, handles[5], 100), DEFRAG_OK);
    /* Every one of them works, the last too. */
    for (size_t i = 0; i < 0x7fff; i++)
        EXPECT(b->size(t.pool, handles[i]) > 0, "handle %zu is stale", i);
    EXPECT_STATUS(b->free(t.pool, &handles[0x7ffe]), DEFRAG_OK);
    EXPECT_STATUS(b->alloc_fast(t.pool, 1, &out), DEFRAG_OK);
    EXPECT_STATUS(b->check(t.pool), DEFRAG_OK);
    for (size_t i = 0; i < 0x7ffe; i++)
        EXPECT_STATUS(b->free(t.pool, &handles[i]), DEFRAG_OK);
    EXPECT_STATUS(b->free(t.pool, &out), DEFRAG_OK);
    EXPECT_STATUS(b->clean(t.pool), DEFRAG_OK);
    EXPECT(support_statistics(b, t.pool).free_bytes == 60000 * t.inside->granule,
           "something is not given back");
    bench_close(&t);
}

static void expect_stale(struct bench *t, defrag_handle h)
{
    void *p = t;
    const void *cp = t;
    unsigned char byte = 0;
    defrag_handle copy = h;
    REFUSED(t, t->b->try_lock(t->pool, h, &p), DEFRAG_STALE);
    REFUSED(t, t->b->try_lock_shared(t->pool, h, &cp), DEFRAG_STALE);
    EXPECT(!p && !cp, "a failed lock gave an address");
    note(t);
    EXPECT(!t->b->lock(t->pool, h) && !t->b->lock_shared(t->pool, h), "a stale handle was locked");
    EXPECT(t->b->size(t->pool, h) == 0, "a stale handle has a size");
    expect_same(t, "lock", false);
    REFUSED(t, t->b->unlock(t->pool, h), DEFRAG_STALE);
    REFUSED(t, t->b->read(t->pool, h, SIZE_MAX, &byte, 1), DEFRAG_STALE);
    REFUSED(t, t->b->write(t->pool, h, SIZE_MAX, &byte, 1), DEFRAG_STALE);
    REFUSED(t, t->b->resize(t->pool, h, SIZE_MAX), DEFRAG_STALE);
    if (h.bits != 0)
        REFUSED(t, t->b->free(t->pool, &copy), DEFRAG_STALE);
    EXPECT(copy.bits == h.bits, "a failed free changed the handle");
}

/* Every handle that differs from a live one in any bit, every slot beyond the table. */
static void stale_handles(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 40, NULL);
    expect_stale(&t, (defrag_handle){0});
    expect_stale(&t, (defrag_handle){0xffffffffu});
    defrag_handle live = allocate(&t, 2);
    defrag_handle dead = allocate(&t, 2);
    defrag_handle last = allocate(&t, 2);
    defrag_handle copy = dead;
    EXPECT_STATUS(b->free(t.pool, &copy), DEFRAG_OK);
    expect_stale(&t, dead);
    for (unsigned bit = 0; bit < 32; bit++) {
        defrag_handle forged = {live.bits ^ 1u << bit};
        if (forged.bits != last.bits)
            expect_stale(&t, forged);
    }
    for (unsigned generation = 0; generation < 256; generation++) {
        for (uint32_t slot = 0; slot < 8; slot++) {
            defrag_handle forged = t.inside->handle_of(slot, generation);
            if (forged.bits != live.bits && forged.bits != last.bits)
                expect_stale(&t, forged);
        }
    }
    EXPECT_STATUS(b->free(t.pool, &last), DEFRAG_OK);
    EXPECT_STATUS(b->free(t.pool, &live), DEFRAG_OK);
    EXPECT_STATUS(b->clean(t.pool), DEFRAG_OK);
    expect_stale(&t, dead);
    bench_close(&t);
}

/* In each state of the lock, of any other generation than the block's own. */
static void stale_handles_in(const struct defrag_build *b, unsigned own)
{
    struct bench t;
    bench_open(&t, b, 40, NULL);
    defrag_handle h = allocate(&t, 2);
    for (unsigned i = 0; i < 256 && t.inside->generation_of(h) != own; i++) {
        EXPECT_STATUS(b->free(t.pool, &h), DEFRAG_OK);
        h = allocate(&t, 2);
    }
    unsigned char byte = 0;
    for (unsigned locks = 0; locks <= 15; locks++) {
        support_context("%s, generation %u, %u locks", b->name, t.inside->generation_of(h), locks);
        EXPECT(locks != 15 || b->lock(t.pool, h), "no lock");
        note(&t);
        for (unsigned generation = 0; generation < 256; generation++) {
            defrag_handle other = t.inside->handle_of(t.inside->slot_of(h), generation), copy = other;
            if (other.bits == h.bits)
                continue;
            EXPECT_STATUS(b->unlock(t.pool, other), DEFRAG_STALE);
            EXPECT(!b->lock(t.pool, other) && !b->lock_shared(t.pool, other), "a stale handle was locked");
            EXPECT_STATUS(b->read(t.pool, other, 0, &byte, 1), DEFRAG_STALE);
            EXPECT_STATUS(b->free(t.pool, &copy), DEFRAG_STALE);
        }
        expect_same(&t, "a stale handle", false);
        if (locks < 14)
            EXPECT(b->lock_shared(t.pool, h), "no shared lock");
        for (unsigned i = 0; locks == 14 && i < 14; i++)
            EXPECT_STATUS(b->unlock(t.pool, h), DEFRAG_OK);
    }
    bench_close(&t);
}

/* The last generation is the one whose bits are all set. */
static void stale_handles_of_locked_blocks(const struct defrag_build *b)
{
    stale_handles_in(b, 0);
    stale_handles_in(b, 255);
}

/* A slot that stays in the table tells each of its handles from the next 255. */
static void generations_of_a_kept_slot(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    defrag_handle used[600];
    defrag_handle slot = allocate(&t, 2);
    defrag_handle keeper = allocate(&t, 2);
    for (size_t i = 0; i < 600; i++) {
        used[i] = slot;
        EXPECT_STATUS(b->free(t.pool, &slot), DEFRAG_OK);
        slot = allocate(&t, 2);
        EXPECT(t.inside->slot_of(slot) == t.inside->slot_of(used[i]), "the only empty slot is not used");
        for (size_t age = 0; age < 255 && age <= i; age++)
            EXPECT(b->size(t.pool, used[i - age]) == 0, "a handle is live again after %zu uses of its slot",
                   age + 1);
    }
    EXPECT(b->size(t.pool, keeper) > 0, "the other block is gone");
    bench_close(&t);
}

/* A slot given back and taken anew does not begin with an old generation. */
static void generations_of_a_slot_given_back(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    defrag_handle used[120];
    for (size_t i = 0; i < 120; i++) {
        used[i] = allocate(&t, 2);
        for (size_t j = 0; j < i; j++)
            EXPECT(used[j].bits != used[i].bits, "handle %zu comes again after %zu slots given back", j,
                   i - j);
        defrag_handle copy = used[i];
        EXPECT_STATUS(b->free(t.pool, &copy), DEFRAG_OK);
        EXPECT_STATUS(b->clean(t.pool), DEFRAG_OK);
        EXPECT(b->size(t.pool, used[i]) == 0, "a freed handle is live");
    }
    bench_close(&t);
}

/* Nor where the slot was used any number of times before it was given back. */
static void generations_of_a_slot_used_often(const struct defrag_build *b)
{
    for (size_t uses = 1; uses < 256; uses++) {
        struct bench t;
        defrag_handle used[256];
        bench_open(&t, b, 30, NULL);
        support_context("%s, %zu uses", b->name, uses);
        for (size_t i = 0; i < uses; i++) {
            used[i] = allocate(&t, 2);
            defrag_handle copy = used[i];
            EXPECT_STATUS(b->free(t.pool, &copy), DEFRAG_OK);
        }
        EXPECT_STATUS(b->clean(t.pool), DEFRAG_OK);
        defrag_handle anew = allocate(&t, 2);
        for (size_t i = 0; i < uses; i++)
            EXPECT(b->size(t.pool, used[i]) == 0 && used[i].bits != anew.bits, "handle %zu is live again", i);
        bench_close(&t);
    }
}

/* Frees and allocates `*slot`, the only empty slot then, so many times; notes each handle in used[]. */
static void use_slot(struct bench *t, defrag_handle *slot, size_t times, defrag_handle *used, size_t *count)
{
    for (size_t i = 0; i < times; i++) {
        used[(*count)++] = *slot;
        EXPECT_STATUS(t->b->free(t->pool, slot), DEFRAG_OK);
        *slot = allocate(t, 2);
    }
}

/* Nor where another slot, given back with it, was used up to 127 times more often. */
static void generations_of_slots_used_unevenly(const struct defrag_build *b)
{
    static const size_t leads[] = {0, 1, 63, 64, 65, 126};
    for (size_t l = 0; l < sizeof leads / sizeof leads[0]; l++) {
        for (size_t uses = 0; uses < 300; uses += 7) {
            struct bench t;
            defrag_handle used[1000];
            size_t count = 0;
            bench_open(&t, b, 60, NULL);
            support_context("%s, %zu uses and %zu more", b->name, uses, leads[l]);
            defrag_handle slots[2] = {allocate(&t, 2), allocate(&t, 2)};
            for (size_t i = 0; i < uses; i++) {
                use_slot(&t, &slots[0], 1, used, &count);
                use_slot(&t, &slots[1], 1, used, &count);
            }
            size_t recent = count > 200 ? count - 200 : 0; /* 100 uses of each */
            use_slot(&t, &slots[uses & 1], leads[l], used, &count);
            for (size_t i = 0; i < 2; i++) {
                used[count++] = slots[i];
                EXPECT_STATUS(b->free(t.pool, &slots[i]), DEFRAG_OK);
            }
            EXPECT_STATUS(b->clean(t.pool), DEFRAG_OK);
            (void)allocate(&t, 2);
            (void)allocate(&t, 2);
            for (size_t i = recent; i < count; i++)
                EXPECT(b->size(t.pool, used[i]) == 0, "handle %zu of %zu is live again", i, count);
            bench_close(&t);
        }
    }
}

/* --- Locks ------------------------------------------------------------------------------------ */

static void lock_limit(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 40, NULL);
    defrag_handle h = allocate(&t, 3);
    const void *address;
    const void *first = b->lock_shared(t.pool, h);
    for (int i = 1; i < 14; i++) {
        EXPECT_STATUS(b->try_lock_shared(t.pool, h, &address), DEFRAG_OK);
        EXPECT(address == first, "a shared lock gives another address");
    }
    REFUSED(&t, b->try_lock_shared(t.pool, h, &address), DEFRAG_LOCK_LIMIT);
    EXPECT(!address && !b->lock_shared(t.pool, h), "a fifteenth shared lock");
    EXPECT(support_statistics(b, t.pool).locked_blocks == 1, "locked_blocks");
    for (int i = 0; i < 14; i++)
        EXPECT_STATUS(b->unlock(t.pool, h), DEFRAG_OK);
    REFUSED(&t, b->unlock(t.pool, h), DEFRAG_NOT_LOCKED);
    bench_close(&t);
}

/* Brings the block into a state; the handle that is then to be passed. */
static defrag_handle enter_state(struct bench *t, enum handle_state state, defrag_handle h)
{
    static const unsigned shared[] = {[STATE_SHARED] = 1, [STATE_SHARED_FULL] = 14};
    defrag_handle copy = h;
    switch (state) {
    case STATE_SHARED:
    case STATE_SHARED_FULL:
        for (unsigned i = 0; i < shared[state]; i++)
            EXPECT(t->b->lock_shared(t->pool, h), "no shared lock");
        return h;
    case STATE_EXCLUSIVE:
        EXPECT(t->b->lock(t->pool, h), "no lock");
        return h;
    case STATE_STALE:
        EXPECT_STATUS(t->b->free(t->pool, &copy), DEFRAG_OK);
        return h;
    case STATE_NULL:
        return (defrag_handle){0};
    default:
        return h;
    }
}

static int make_call(struct bench *t, enum handle_call call, defrag_handle h)
{
    unsigned char byte = 0;
    void *p;
    const void *cp;
    switch (call) {
    case CALL_LOCK:
        return t->b->try_lock(t->pool, h, &p);
    case CALL_LOCK_SHARED:
        return t->b->try_lock_shared(t->pool, h, &cp);
    case CALL_UNLOCK:
        return t->b->unlock(t->pool, h);
    case CALL_READ:
        return t->b->read(t->pool, h, 0, &byte, 1);
    case CALL_WRITE:
        return t->b->write(t->pool, h, 0, &byte, 1);
    case CALL_FREE:
        return t->b->free(t->pool, &h);
    case CALL_RESIZE_SAME:
        return t->b->resize(t->pool, h, payload(t, 4));
    case CALL_RESIZE_SHRINK:
        return t->b->resize(t->pool, h, payload(t, 2));
    case CALL_RESIZE_GROW_IN_PLACE:
        return t->b->resize(t->pool, h, payload(t, 6));
    default:
        return t->b->resize(t->pool, h, payload(t, 7));
    }
}

/* Every call in every state, with two granules free behind the block. */
static void table_of_statuses(const struct defrag_build *b)
{
    for (int call = 0; call < HANDLE_CALLS; call++) {
        for (int state = 0; state < HANDLE_STATES; state++) {
            struct bench t;
            bench_open(&t, b, 60, NULL);
            (void)allocate(&t, 3);
            defrag_handle h = allocate(&t, 4);
            defrag_handle gap = allocate(&t, 2);
            (void)allocate(&t, 3);
            EXPECT_STATUS(b->free(t.pool, &gap), DEFRAG_OK);
            h = enter_state(&t, (enum handle_state)state, h);
            note(&t);
            int status = make_call(&t, (enum handle_call)call, h);
            EXPECT(status == statuses_of((enum handle_call)call, (enum handle_state)state),
                   "%s in state %d answers %d, not %d", statuses_table[call].call, state, status,
                   statuses_of((enum handle_call)call, (enum handle_state)state));
            if (status != DEFRAG_OK)
                expect_same(&t, statuses_table[call].call, true);
            EXPECT_STATUS(b->check(t.pool), DEFRAG_OK);
            bench_close(&t);
        }
    }
}

/* A locked block that can never grow so far is LOCKED: lock errors come before sizes. */
static void lock_errors_come_first(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    defrag_handle h = allocate(&t, 3);
    unsigned char byte = 0;
    EXPECT(b->lock(t.pool, h), "no lock");
    REFUSED(&t, b->resize(t.pool, h, SIZE_MAX), DEFRAG_LOCKED);
    REFUSED(&t, b->read(t.pool, h, SIZE_MAX, &byte, 1), DEFRAG_LOCKED);
    REFUSED(&t, b->write(t.pool, h, SIZE_MAX, &byte, 1), DEFRAG_LOCKED);
    bench_close(&t);
}

/* --- Access ----------------------------------------------------------------------------------- */

static void ranges(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    defrag_handle h = allocate(&t, 5);
    size_t size = b->size(t.pool, h);
    unsigned char bytes[128];
    for (size_t offset = 0; offset <= size + 2; offset++) {
        for (size_t count = 0; count <= size + 2; count++) {
            int expected = offset + count <= size ? DEFRAG_OK : DEFRAG_OUT_OF_RANGE;
            memset(bytes, 0x11, sizeof bytes);
            note(&t);
            EXPECT_STATUS(b->read(t.pool, h, offset, bytes, count), expected);
            expect_same(&t, "read", false);
            EXPECT_STATUS(b->write(t.pool, h, offset, bytes, count), expected);
            if (expected != DEFRAG_OK)
                expect_same(&t, "write", false);
        }
    }
    for (size_t below = 0; below < 40; below++) {
        REFUSED(&t, b->read(t.pool, h, SIZE_MAX - below, bytes, 20), DEFRAG_OUT_OF_RANGE);
        REFUSED(&t, b->read(t.pool, h, 4, bytes, SIZE_MAX - below), DEFRAG_OUT_OF_RANGE);
        REFUSED(&t, b->write(t.pool, h, SIZE_MAX - below, bytes, 20), DEFRAG_OUT_OF_RANGE);
        REFUSED(&t, b->write(t.pool, h, 4, bytes, SIZE_MAX - below), DEFRAG_OUT_OF_RANGE);
    }
    bench_close(&t);
}

static bool is_big_endian(void)
{
    const uint16_t one = 1;
    return *(const unsigned char *)&one == 0;
}

/* The i-th byte, from the most significant on, of the header of the block with this payload. */
static unsigned char *header_byte(const struct bench *t, unsigned char *payload, size_t i)
{
    return is_big_endian() ? payload - t->inside->header + i : payload - 1 - i;
}

/* The owner in a header, its upper half, is overwritten, as by a neighbour that wrote too far. */
static void corrupt_blocks(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    unsigned char byte = 0;
    (void)allocate(&t, 3);
    defrag_handle h = allocate(&t, 4);
    (void)allocate(&t, 3);
    unsigned char *address = b->lock(t.pool, h);
    EXPECT(address, "no lock");
    EXPECT_STATUS(b->unlock(t.pool, h), DEFRAG_OK);
    for (size_t i = 0; i < 2; i++) {
        *header_byte(&t, address, i) ^= 0x18;
        defrag_handle copy = h;
        if (i == 0) {
            REFUSED(&t, b->free(t.pool, &copy), DEFRAG_CORRUPT);
            EXPECT(copy.bits == h.bits, "a failed free changed the handle");
            REFUSED(&t, b->read(t.pool, h, 0, &byte, 1), DEFRAG_CORRUPT);
            REFUSED(&t, b->write(t.pool, h, 0, &byte, 1), DEFRAG_CORRUPT);
            REFUSED(&t, b->resize(t.pool, h, payload(&t, 2)), DEFRAG_CORRUPT);
            REFUSED(&t, b->resize(t.pool, h, payload(&t, 20)), DEFRAG_CORRUPT);
            REFUSED(&t, b->resize(t.pool, h, SIZE_MAX), DEFRAG_CORRUPT);
        }
        note(&t);
        EXPECT_STATUS(b->check(t.pool), DEFRAG_CORRUPT);
        EXPECT_STATUS(b->walk(t.pool, visit_nothing, NULL), DEFRAG_CORRUPT);
        expect_same(&t, "check", false);
        *header_byte(&t, address, i) ^= 0x18;
        EXPECT_STATUS(b->check(t.pool), DEFRAG_OK);
    }
    bench_close(&t);
}

static bool is_hardened(const struct defrag_build *b)
{
    return b->name[0] == 'h';
}

/* Locks look at the entry alone, and lead nowhere then; but in a hardened build. */
static void expect_locks(struct bench *t, defrag_handle h)
{
    void *p;
    if (is_hardened(t->b)) {
        REFUSED(t, t->b->try_lock(t->pool, h, &p), DEFRAG_CORRUPT);
    } else {
        EXPECT_STATUS(t->b->try_lock(t->pool, h, &p), DEFRAG_OK);
        EXPECT_STATUS(t->b->unlock(t->pool, h), DEFRAG_OK);
    }
}

/* A block that reaches out of the pool is locked all the same: nobody looks at its size. */
static void corrupt_sizes(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    defrag_handle h = allocate(&t, 4);
    struct inside_field size = t.inside->owner_of(t.pool, h);
    size.bits = size.shift - 1;
    size.shift = 0;
    uint64_t right = inside_load(t.pool, &size);
    EXPECT(right == 4, "the size is elsewhere");
    inside_store(t.pool, &size, UINT64_MAX);
    expect_locks(&t, h);
    inside_store(t.pool, &size, 0);
    expect_locks(&t, h);
    inside_store(t.pool, &size, right);
    EXPECT_STATUS(b->check(t.pool), DEFRAG_OK);
    bench_close(&t);
}

static struct inside_field field_named(const struct bench *t, const char *name)
{
    struct inside_field fields[400];
    size_t count = t->inside->guarded(t->pool, fields, 400);
    for (size_t i = 0; i < count && i < 400; i++)
        if (strcmp(fields[i].name, name) == 0)
            return fields[i];
    support_fail(__FILE__, __LINE__, "no field %s", name);
}

/* So does one that lies beyond the pool, where the top of the blocks does as well. */
static void corrupt_tops(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    defrag_handle h = allocate(&t, 4);
    struct inside_field top = field_named(&t, "control.top");
    struct inside_field offset = t.inside->offset_of(t.pool, h);
    inside_store(t.pool, &top, UINT64_MAX);
    inside_store(t.pool, &offset, UINT64_MAX - 1);
    expect_locks(&t, h);
    bench_close(&t);
}

/* The offset in an entry leads to where no block can begin. */
static void corrupt_offsets(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    unsigned char byte = 0;
    (void)allocate(&t, 3);
    defrag_handle h = allocate(&t, 4);
    struct inside_field offset = t.inside->offset_of(t.pool, h);
    uint64_t right = inside_load(t.pool, &offset);
    uint64_t granules = inside_load(t.pool, &t.inside->granules);
    const uint64_t wrong[] = {0,        1,         inside_load(t.pool, &t.inside->cursor) - 1, granules - 4,
                              granules, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        defrag_handle copy = h;
        inside_store(t.pool, &offset, wrong[i]);
        REFUSED(&t, b->free(t.pool, &copy), DEFRAG_CORRUPT);
        REFUSED(&t, b->read(t.pool, h, 0, &byte, 1), DEFRAG_CORRUPT);
        REFUSED(&t, b->write(t.pool, h, 0, &byte, 1), DEFRAG_CORRUPT);
        REFUSED(&t, b->resize(t.pool, h, payload(&t, 5)), DEFRAG_CORRUPT);
        EXPECT(b->size(t.pool, h) == 0, "a block without a place has a size");
        expect_locks(&t, h);
        inside_store(t.pool, &offset, right);
    }
    EXPECT_STATUS(b->check(t.pool), DEFRAG_OK);
    /* Nor can one at the top, though the header there be the block's own. */
    struct inside_field top = field_named(&t, "top"), owner = t.inside->owner_of(t.pool, h);
    owner.shift = 0;
    owner.bits = owner.width;
    inside_store(t.pool, &top, inside_load(t.pool, &owner));
    inside_store(t.pool, &offset, right + 4);
    defrag_handle copy = h;
    REFUSED(&t, b->free(t.pool, &copy), DEFRAG_CORRUPT);
    REFUSED(&t, b->write(t.pool, h, 0, &byte, 1), DEFRAG_CORRUPT);
    REFUSED(&t, b->resize(t.pool, h, payload(&t, 5)), DEFRAG_CORRUPT);
    bench_close(&t);
}

/* A block whose header was overwritten: whatever else moves, it does not. A hardened build moves nothing. */
static void compaction_leaves_damaged_blocks(const struct defrag_build *b)
{
    struct bench t;
    unsigned char before[16], after[16];
    bench_open(&t, b, 60, NULL);
    defrag_handle low = allocate(&t, 4), damaged = allocate(&t, 4), middle = allocate(&t, 4);
    defrag_handle high = allocate(&t, 4);
    memset(before, 0x5a, sizeof before);
    size_t bytes = payload(&t, 4) < sizeof before ? payload(&t, 4) : sizeof before;
    EXPECT_STATUS(b->write(t.pool, damaged, 0, before, bytes), DEFRAG_OK);
    EXPECT_STATUS(b->write(t.pool, high, 0, before, bytes), DEFRAG_OK);
    EXPECT_STATUS(b->free(t.pool, &low), DEFRAG_OK);
    EXPECT_STATUS(b->free(t.pool, &middle), DEFRAG_OK);

    struct inside_field owner = t.inside->owner_of(t.pool, damaged);
    uint64_t right = inside_load(t.pool, &owner);
    inside_store(t.pool, &owner, right + 20);
    if (is_hardened(b)) {
        REFUSED(&t, b->compact(t.pool), DEFRAG_CORRUPT);
    } else {
        EXPECT_STATUS(b->compact(t.pool), DEFRAG_OK);
        EXPECT(support_statistics(b, t.pool).moved_blocks == 1, "not only the last block moved");
    }
    inside_store(t.pool, &owner, right);
    EXPECT_STATUS(b->read(t.pool, damaged, 0, after, bytes), DEFRAG_OK);
    EXPECT(memcmp(before, after, bytes) == 0, "the damaged block's payload changed");
    EXPECT_STATUS(b->read(t.pool, high, 0, after, bytes), DEFRAG_OK);
    EXPECT(memcmp(before, after, bytes) == 0, "another block's payload changed");
    bench_close(&t);
}

/* Compaction has passed a locked block by; when it is unlocked its header no longer tells of the gap below. */
static void unlock_of_a_damaged_block(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    defrag_handle low = allocate(&t, 4), pin = allocate(&t, 4);
    EXPECT(b->lock(t.pool, pin), "no lock");
    EXPECT_STATUS(b->free(t.pool, &low), DEFRAG_OK);
    EXPECT_STATUS(b->compact(t.pool), DEFRAG_OK);
    struct inside_field owner = t.inside->owner_of(t.pool, pin);
    uint64_t right = inside_load(t.pool, &owner);
    uint64_t cursor = inside_load(t.pool, &t.inside->cursor);
    inside_store(t.pool, &owner, right + 20);
    if (is_hardened(b))
        REFUSED(&t, b->unlock(t.pool, pin), DEFRAG_CORRUPT);
    else
        EXPECT_STATUS(b->unlock(t.pool, pin), DEFRAG_OK);
    EXPECT(inside_load(t.pool, &t.inside->cursor) == cursor,
           "the cursor was lowered to what a damaged header says");
    inside_store(t.pool, &owner, right);
    EXPECT_STATUS(b->unlock(t.pool, pin), is_hardened(b) ? DEFRAG_OK : DEFRAG_NOT_LOCKED);
    bench_close(&t);
}

/* --- Looking at it ---------------------------------------------------------------------------- */

static defrag_status stop_at_third(void *context, const defrag_block *block)
{
    int *seen = context;
    (void)block;
    return ++*seen == 3 ? (defrag_status)42 : DEFRAG_OK;
}

static void walk_stops_where_told(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    for (int i = 0; i < 5; i++)
        (void)allocate(&t, 3);
    int seen = 0;
    REFUSED(&t, (int)b->walk(t.pool, stop_at_third, &seen), 42);
    EXPECT(seen == 3, "the walk went on for %d", seen);
    seen = -100;
    EXPECT_STATUS(b->walk(t.pool, stop_at_third, &seen), DEFRAG_OK);
    EXPECT(seen == -94, "the walk shows %d stretches", seen + 100);
    bench_close(&t);
}

/* The peaks are those of what was, and of a new pool there are none. */
static void peaks(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    defrag_statistics fresh = support_statistics(b, t.pool);
    EXPECT(fresh.peak_live_bytes == 0 && fresh.fewest_free_bytes == fresh.free_bytes, "a new pool has peaks");
    defrag_handle block = allocate(&t, 10);
    EXPECT_STATUS(b->free(t.pool, &block), DEFRAG_OK);
    defrag_statistics s = support_statistics(b, t.pool);
    EXPECT(s.peak_live_bytes == 10 * b->alignment
               && s.fewest_free_bytes == fresh.free_bytes - s.peak_live_bytes,
           "%zu bytes at most", (size_t)s.peak_live_bytes);
    bench_close(&t);
}

/* Without gaps there is nothing to do, so that no budget is too small for it. */
static void a_compact_pool_takes_one_step(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 60, NULL);
    for (int i = 0; i < 5; i++)
        (void)allocate(&t, 3);
    EXPECT_STATUS(b->compact_step(t.pool, 0, NULL), DEFRAG_OK);
    bench_close(&t);
}

static void more_and_ok(const struct defrag_build *b)
{
    struct bench t;
    bench_open(&t, b, 100, NULL);
    defrag_handle h[10];
    for (size_t i = 0; i < 10; i++)
        h[i] = allocate(&t, 4);
    for (size_t i = 0; i < 10; i += 2)
        EXPECT_STATUS(b->free(t.pool, &h[i]), DEFRAG_OK);
    size_t moved = 7;
    EXPECT_STATUS(b->compact_step(t.pool, 1, &moved), DEFRAG_MORE);
    EXPECT(moved <= 4 * t.inside->granule, "a step of one byte moved %zu", moved);
    EXPECT_STATUS(b->compact_step(t.pool, SIZE_MAX, &moved), DEFRAG_OK);
    REFUSED(&t, b->compact_step(t.pool, 0, &moved), DEFRAG_OK);
    EXPECT(moved == 0, "an idle step moved %zu bytes", moved);
    bench_close(&t);
}

static void names_of_statuses(const struct defrag_build *b)
{
    static const struct {
        int status;
        const char *name;
    } names[] = {
        {DEFRAG_OK, "OK"},
        {DEFRAG_MORE, "MORE"},
        {DEFRAG_NO_MEMORY, "NO_MEMORY"},
        {DEFRAG_FRAGMENTED, "FRAGMENTED"},
        {DEFRAG_PINNED, "PINNED"},
        {DEFRAG_NO_HANDLES, "NO_HANDLES"},
        {DEFRAG_BAD_SIZE, "BAD_SIZE"},
        {DEFRAG_BAD_ARGUMENT, "BAD_ARGUMENT"},
        {DEFRAG_STALE, "STALE"},
        {DEFRAG_LOCKED, "LOCKED"},
        {DEFRAG_NOT_LOCKED, "NOT_LOCKED"},
        {DEFRAG_LOCK_LIMIT, "LOCK_LIMIT"},
        {DEFRAG_OUT_OF_RANGE, "OUT_OF_RANGE"},
        {DEFRAG_CORRUPT, "CORRUPT"},
    };
    for (int status = -100; status <= 100; status++) {
        const char *expected = "unknown status";
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (names[i].status == status)
                expected = names[i].name;
        const char *name = b->status_string((defrag_status)status);
        EXPECT(name && strcmp(name, expected) == 0, "status %d is called %s, not %s", status,
               name ? name : "(null)", expected);
    }
    EXPECT(b->version() == DEFRAG_VERSION, "the library is version %u", (unsigned)b->version());
}

/* --- doc/statuses.md -------------------------------------------------------------------------- */

/* Compares one line "| call | OK | … |" of the document with its row; false if it is no such line. */
static bool compare_row(const struct defrag_build *b, char *line, size_t *rows)
{
    char *cell = strtok(line, "|");
    if (!cell || *rows == HANDLE_CALLS)
        return false;
    while (*cell == ' ')
        cell++;
    const struct statuses_row *row = &statuses_table[*rows];
    if (strncmp(cell, row->call, strlen(row->call)) != 0 || cell[strlen(row->call)] != ' ')
        return false;
    for (size_t i = 0; i < HANDLE_STATES; i++) {
        char name[32] = "";
        cell = strtok(NULL, "|");
        EXPECT(cell && sscanf(cell, " %31s", name) == 1, "doc/statuses.md: %s has too few cells", row->call);
        EXPECT(strcmp(name, b->status_string((defrag_status)row->status[i])) == 0,
               "doc/statuses.md: %s in state %zu is %s, the model says %s", row->call, i, name,
               b->status_string((defrag_status)row->status[i]));
    }
    ++*rows;
    return true;
}

static void document_agrees(const struct defrag_build *b)
{
    const char *top = getenv("top_srcdir");
    char path[1024], line[512];
    snprintf(path, sizeof path, "%s/doc/statuses.md", top ? top : ".");
    FILE *file = fopen(path, "r");
    EXPECT(file, "%s cannot be opened; top_srcdir says where the sources are", path);
    size_t rows = 0;
    while (fgets(line, sizeof line, file))
        (void)compare_row(b, line, &rows);
    fclose(file);
    EXPECT(rows == HANDLE_CALLS, "doc/statuses.md has %zu rows of %d", rows, HANDLE_CALLS);
}

int main(void)
{
    static const struct support_test tests[] = {
        {"init refuses bad arguments", init_refuses_bad_arguments},
        {"init refuses small buffers", init_refuses_small_buffers},
        {"attach looks at no less than whose image it is", attach_looks_at_no_less},
        {"init refuses large buffers", init_refuses_large_buffers},
        {"init aligns the buffer", init_aligns_the_buffer},
        {"BAD_ARGUMENT for a null pool", null_pool},
        {"BAD_ARGUMENT for a null pointer", null_arguments},
        {"BAD_SIZE for impossible sizes", impossible_sizes},
        {"BAD_SIZE for products that overflow", products_that_overflow},
        {"size 0 is a block", empty_blocks},
        {"requests", requests},
        {"requests without zeroes", requests_without_zeroes},
        {"PINNED", pinned},
        {"PINNED from resize", pinned_resize},
        {"NO_MEMORY", no_memory},
        {"FRAGMENTED under MANUAL", fragmented_under_manual},
        {"counters of failures stop", failure_counters_stop},
        {"NO_HANDLES", no_handles},
        {"STALE", stale_handles},
        {"stale handles of locked blocks", stale_handles_of_locked_blocks},
        {"generations of a slot that is kept", generations_of_a_kept_slot},
        {"generations of a slot given back", generations_of_a_slot_given_back},
        {"generations of a slot used often and given back", generations_of_a_slot_used_often},
        {"generations of slots used unevenly and given back", generations_of_slots_used_unevenly},
        {"LOCK_LIMIT and NOT_LOCKED", lock_limit},
        {"LOCKED and all of the table of statuses", table_of_statuses},
        {"lock errors come before sizes and ranges", lock_errors_come_first},
        {"OUT_OF_RANGE", ranges},
        {"CORRUPT", corrupt_blocks},
        {"CORRUPT: offsets", corrupt_offsets},
        {"CORRUPT: sizes", corrupt_sizes},
        {"CORRUPT: tops", corrupt_tops},
        {"compaction leaves damaged blocks", compaction_leaves_damaged_blocks},
        {"unlock of a damaged block", unlock_of_a_damaged_block},
        {"walk stops where it is told to", walk_stops_where_told},
        {"peaks", peaks},
        {"a compact pool takes one step", a_compact_pool_takes_one_step},
        {"MORE", more_and_ok},
        {"names of the statuses, version", names_of_statuses},
        {"the document agrees with the model", document_agrees},
    };
    return support_run("statuses", tests, sizeof tests / sizeof tests[0]);
}
