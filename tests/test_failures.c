/* SPDX-License-Identifier: MIT */
/*
 * Every n-th allocation failing in turn: a sequence of calls is made again and
 * again, and each time its n-th call that asks for memory meets a full pool. That
 * call fails in all its forms and leaves the image as it is; once there is memory
 * again the sequence goes on, and ends with the contents it always ends with.
 */
#include "layout.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS  24
#define CALLS   120
#define FILLERS 4000

struct block {
    defrag_handle handle;
    size_t bytes;
    unsigned char value;
};

struct sequence {
    const struct defrag_build *build;
    const struct inside *inside;
    struct support_buffer buffer;
    defrag_pool *pool;
    struct block blocks[BLOCKS];
    uint64_t random;
    unsigned long asked; /* calls that asked for memory */
    unsigned long fails; /* which of them meets a full pool; 0: none */
    size_t filler_count;
    defrag_handle fillers[FILLERS];
    struct layout layout;
};

static void check_contents(struct sequence *s)
{
    unsigned char bytes[200];
    EXPECT_STATUS(s->build->check(s->pool), DEFRAG_OK);
    for (size_t i = 0; i < BLOCKS; i++) {
        const struct block *block = &s->blocks[i];
        if (block->handle.bits == 0)
            continue;
        EXPECT_STATUS(s->build->read(s->pool, block->handle, 0, bytes, block->bytes), DEFRAG_OK);
        for (size_t b = 0; b < block->bytes; b++)
            EXPECT(bytes[b] == block->value, "byte %zu of block %zu is %u, not %u", b, i, bytes[b],
                   block->value);
    }
}

/* Nothing that would be a block is left. */
static void fill_pool(struct sequence *s)
{
    for (;;) {
        size_t largest = support_statistics(s->build, s->pool).largest_certain;
        if (largest == 0)
            break;
        EXPECT(s->filler_count < FILLERS, "the pool is not full after %d blocks", FILLERS);
        EXPECT_STATUS(s->build->alloc(s->pool, largest, &s->fillers[s->filler_count++]), DEFRAG_OK);
    }
    /* A failed call may give empty slots back; so none are left. */
    EXPECT_STATUS(s->build->clean(s->pool), DEFRAG_OK);
}

static void empty_pool(struct sequence *s)
{
    while (s->filler_count)
        EXPECT_STATUS(s->build->free(s->pool, &s->fillers[--s->filler_count]), DEFRAG_OK);
}

/* The image is `before`, all but the counters of failures. */
static void expect_same(const struct sequence *s, const unsigned char *before, size_t bytes, const char *call)
{
    size_t first, end;
    const unsigned char *now = (const unsigned char *)s->pool;
    s->inside->failure_counters(&first, &end);
    EXPECT(memcmp(now, before, first) == 0 && memcmp(now + end, before + end, bytes - end) == 0,
           "%s failed and changed the image", call);
}

static bool is_refusal(int status)
{
    return status == DEFRAG_NO_MEMORY || status == DEFRAG_FRAGMENTED || status == DEFRAG_NO_HANDLES;
}

#define REFUSED(s, before, bytes, call)                                \
    do {                                                               \
        int status_ = (call);                                          \
        EXPECT(is_refusal(status_), #call " answers %d", status_);     \
        expect_same(s, before, bytes, #call);                          \
    } while (0)

static void try_allocations(struct sequence *s, const unsigned char *before, size_t bytes, size_t size)
{
    const struct defrag_build *b = s->build;
    defrag_handle out;
    defrag_request request = {.bytes = size, .flags = DEFRAG_ZERO};
    REFUSED(s, before, bytes, b->alloc(s->pool, size, &out));
    EXPECT(out.bits == 0, "a failed alloc gives a handle");
    REFUSED(s, before, bytes, b->alloc_fast(s->pool, size, &out));
    REFUSED(s, before, bytes, b->alloc_slice(s->pool, size, 1, &out));
    REFUSED(s, before, bytes, b->alloc_slice_fast(s->pool, 1, size, &out));
    REFUSED(s, before, bytes, b->alloc_request(s->pool, &request, &out));
    REFUSED(s, before, bytes, b->make_room(s->pool, size));
}

/* Each block, to any size that nothing holds. */
static void try_resizes(struct sequence *s, const unsigned char *before, size_t bytes, size_t size)
{
    layout_read(&s->layout, s->build, s->pool);
    for (size_t i = 0; i < s->layout.count; i++) {
        const struct stretch *block = &s->layout.stretches[i];
        if (block->region != DEFRAG_REGION_USED)
            continue;
        size_t larger = block->payload_bytes + size;
        if (is_refusal(layout_predict_resize(&s->layout, i, larger, false).status))
            REFUSED(s, before, bytes, s->build->resize(s->pool, block->handle, larger));
    }
}

/* All forms of failing, in a pool that is full. */
static void fail_here(struct sequence *s)
{
    size_t bytes = support_statistics(s->build, s->pool).pool_bytes;
    unsigned char *before = malloc(bytes);
    if (!before)
        abort();
    fill_pool(s);
    memcpy(before, s->pool, bytes);
    try_allocations(s, before, bytes, 0);
    try_allocations(s, before, bytes, 100);
    try_resizes(s, before, bytes, 1);
    try_resizes(s, before, bytes, 60);
    check_contents(s);
    empty_pool(s);
    free(before);
}

static void set_contents(struct sequence *s, struct block *block)
{
    unsigned char bytes[200];
    memset(bytes, block->value, sizeof bytes);
    EXPECT_STATUS(s->build->write(s->pool, block->handle, 0, bytes, block->bytes), DEFRAG_OK);
}

static void call(struct sequence *s)
{
    struct block *block = &s->blocks[support_below(&s->random, BLOCKS)];
    size_t bytes = support_below(&s->random, 120);
    size_t kind = support_below(&s->random, 8);
    if (kind == 0) {
        EXPECT_STATUS(s->build->compact(s->pool), DEFRAG_OK);
    } else if (block->handle.bits && kind < 5) {
        EXPECT_STATUS(s->build->free(s->pool, &block->handle), DEFRAG_OK);
    } else {
        if (++s->asked == s->fails)
            fail_here(s);
        if (block->handle.bits)
            EXPECT_STATUS(s->build->resize(s->pool, block->handle, bytes), DEFRAG_OK);
        else
            EXPECT_STATUS(s->build->alloc(s->pool, bytes, &block->handle), DEFRAG_OK);
        block->bytes = bytes;
        block->value = (unsigned char)support_random(&s->random);
        set_contents(s, block);
    }
}

/* Returns how many calls asked for memory. The pool holds what the sequence needs, and little more. */
static unsigned long run(const struct defrag_build *build, uint32_t flags, uint64_t seed, unsigned long fails)
{
    static struct sequence s;
    const defrag_config config = {.flags = flags};
    s = (struct sequence){.build = build, .inside = inside_of(build->name), .random = seed, .fails = fails};
    support_context("%s, flags %u, seed %u, request %lu fails", build->name, (unsigned)flags, (unsigned)seed,
                    fails);
    s.pool = support_pool_of(build, &s.buffer, 4000 / build->alignment, flags ? &config : NULL);
    for (size_t i = 0; i < CALLS; i++)
        call(&s);
    check_contents(&s);
    support_buffer_free(&s.buffer);
    layout_free(&s.layout);
    return s.asked;
}

static void every_request_fails(const struct defrag_build *build)
{
    static const uint32_t flags[] = {0, DEFRAG_SCRAMBLE};
    for (size_t f = 0; f < sizeof flags / sizeof flags[0]; f++) {
        for (uint64_t seed = 1; seed <= 2; seed++) {
            unsigned long requests = run(build, flags[f], seed, 0);
            EXPECT(requests > CALLS / 4, "%lu requests", requests);
            for (unsigned long n = 1; n <= requests; n++)
                EXPECT(run(build, flags[f], seed, n) == requests, "the sequence asks for other things");
        }
    }
}

int main(void)
{
    static const struct support_test tests[] = {
        {"every n-th request meets a full pool", every_request_fails}};
    return support_run("failures", tests, sizeof tests / sizeof tests[0]);
}
