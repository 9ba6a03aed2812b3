/* SPDX-License-Identifier: MIT */
/*
 * What a debug build says of calls from a callback: that they are refused, every
 * one, and change nothing. This program has a build of its own, with
 * DEFRAG_DEBUG, in the place of the usual ones.
 */
#include "support.h"

#include <string.h>

extern const struct defrag_build d8_build;
const struct defrag_build *const defrag_builds[] = {&d8_build, NULL};
const struct defrag_build *const support_hardened[] = {NULL};

static struct callback {
    const struct defrag_build *b;
    defrag_pool *pool;
    unsigned calls;
} callback;

static defrag_status visit_nothing(void *context, const defrag_block *block)
{
    (void)context;
    (void)block;
    return DEFRAG_OK;
}

/* No function of the pool may be called; the pool is as it is afterwards. */
static void intrude(struct callback *h, defrag_handle handle)
{
    const struct defrag_build *b = h->b;
    unsigned char before[2048], byte = 0;
    size_t size = 400;
    defrag_handle out = {1};
    const defrag_request request = {.bytes = 1};
    void *p = &byte;
    const void *cp = &byte;
    size_t moved;
    defrag_statistics statistics;
    memcpy(before, h->pool, size);
    EXPECT_STATUS(b->alloc(h->pool, 1, &out), DEFRAG_BAD_ARGUMENT);
    EXPECT(out.bits == 0, "a refused alloc gave a handle");
    EXPECT_STATUS(b->alloc_fast(h->pool, 1, &out), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_slice(h->pool, 1, 1, &out), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_slice_fast(h->pool, 1, 1, &out), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_request(h->pool, &request, &out), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->resize(h->pool, handle, 1), DEFRAG_BAD_ARGUMENT);
    out = handle;
    EXPECT_STATUS(b->free(h->pool, &out), DEFRAG_BAD_ARGUMENT);
    out.bits = 0;
    EXPECT_STATUS(b->free(h->pool, &out), DEFRAG_BAD_ARGUMENT);
    EXPECT(b->size(h->pool, handle) == 0, "size answers");
    EXPECT(!b->lock(h->pool, handle) && !b->lock_shared(h->pool, handle), "a lock from on_move");
    EXPECT_STATUS(b->try_lock(h->pool, handle, &p), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->try_lock_shared(h->pool, handle, &cp), DEFRAG_BAD_ARGUMENT);
    EXPECT(!p && !cp, "a refused lock gave an address");
    EXPECT_STATUS(b->unlock(h->pool, handle), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->read(h->pool, handle, 0, &byte, 1), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->write(h->pool, handle, 0, &byte, 1), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->clean(h->pool), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->compact(h->pool), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->compact_step(h->pool, 1, &moved), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->make_room(h->pool, 1), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->check(h->pool), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->walk(h->pool, visit_nothing, NULL), DEFRAG_BAD_ARGUMENT);
    memset(&statistics, 0x55, sizeof statistics);
    b->statistics_get(h->pool, &statistics);
    EXPECT(statistics.pool_bytes == 0 && statistics.moved_blocks == 0, "statistics from on_move");
    EXPECT(memcmp(before, h->pool, size) == 0, "a refused call changed the pool");
}

static void on_move(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    struct callback *c = context;
    (void)from;
    (void)to;
    (void)bytes;
    c->calls++;
    intrude(c, handle);
}

static const defrag_config config = {.on_move = on_move, .move_context = &callback};

/* Everything that moves: compact, steps, alloc, make_room, resize in each of its ways. */
static void every_call_from_on_move_is_refused(const struct defrag_build *b)
{
    struct support_buffer buffer;
    defrag_handle handle;
    callback.b = b;
    for (int how = 0; how < 6; how++) {
        callback.pool = support_pool_of(b, &buffer, how == 5 ? 74 : 60, &config);
        support_make_gaps(b, callback.pool);
        callback.calls = 0;
        defrag_statistics s = support_statistics(b, callback.pool);
        if (how == 0)
            EXPECT_STATUS(b->compact(callback.pool), DEFRAG_OK);
        if (how == 1)
            EXPECT_STATUS(b->compact_step(callback.pool, SIZE_MAX, NULL), DEFRAG_OK);
        if (how == 2)
            EXPECT_STATUS(b->alloc(callback.pool, s.largest_certain, &handle), DEFRAG_OK);
        if (how == 3)
            EXPECT_STATUS(b->make_room(callback.pool, s.largest_certain), DEFRAG_OK);
        if (how >= 4) {
            EXPECT_STATUS(b->alloc_fast(callback.pool, 1, &handle), DEFRAG_OK);
            s = support_statistics(b, callback.pool);
            size_t own = b->size(callback.pool, handle);
            EXPECT_STATUS(b->resize(callback.pool, handle, how == 4 ? own + 40 : s.free_bytes + own),
                          DEFRAG_OK);
        }
        EXPECT(callback.calls > 0, "way %d moves nothing", how);
        EXPECT_STATUS(b->check(callback.pool), DEFRAG_OK);
        support_buffer_free(&buffer);
    }
}

/* From a visitor the same. */
static defrag_status visit_and_intrude(void *context, const defrag_block *block)
{
    struct callback *c = context;
    c->calls++;
    intrude(c, block->handle);
    return DEFRAG_OK;
}

static void every_call_from_a_visitor_is_refused(const struct defrag_build *b)
{
    struct support_buffer buffer;
    for (int plain = 0; plain < 2; plain++) {
        callback.b = b;
        callback.calls = 0;
        callback.pool = support_pool_of(b, &buffer, 200, plain ? NULL : &config);
        support_make_gaps(b, callback.pool);
        EXPECT_STATUS(b->walk(callback.pool, visit_and_intrude, &callback), DEFRAG_OK);
        EXPECT(callback.calls == 13, "%u stretches", callback.calls);
        EXPECT_STATUS(b->check(callback.pool), DEFRAG_OK);
        support_buffer_free(&buffer);
    }
}

int main(void)
{
    static const struct support_test tests[] = {
        {"every call from on_move is refused", every_call_from_on_move_is_refused},
        {"every call from a visitor is refused", every_call_from_a_visitor_is_refused},
    };
    return support_run("callbacks", tests, sizeof tests / sizeof tests[0]);
}
