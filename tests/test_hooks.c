/* SPDX-License-Identifier: MIT */
/*
 * The hooks of a configuration: enter and leave are balanced and never nested,
 * whatever a call answers, and others may work in between; on_move tells the
 * truth.
 */
#include "support.h"

#include <string.h>

static struct hooks {
    const struct defrag_build *b;
    defrag_pool *pool;
    int depth;
    unsigned entered;
    unsigned moves;
} hooks;

static void enter(void *context)
{
    struct hooks *h = context;
    EXPECT(h->depth == 0, "the critical section is nested");
    h->depth = 1;
    h->entered++;
}

static void leave(void *context)
{
    struct hooks *h = context;
    EXPECT(h->depth == 1, "the critical section is left twice");
    h->depth = 0;
}

static defrag_status visit_nothing(void *context, const defrag_block *block)
{
    (void)context;
    (void)block;
    return DEFRAG_OK;
}

static void on_move(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    struct hooks *h = context;
    (void)handle;
    EXPECT(h->depth == 1, "on_move outside the critical section");
    EXPECT(from != to && bytes > 0, "on_move of nothing");
    h->moves++;
}

static const defrag_config config = {.enter = enter,
                                     .leave = leave,
                                     .section_context = &hooks,
                                     .on_move = on_move,
                                     .move_context = &hooks};

static void begin(const struct defrag_build *b, struct support_buffer *buffer, size_t granules)
{
    memset(&hooks, 0, sizeof hooks);
    hooks.b = b;
    /* So many granules of 8 bytes, or larger ones. */
    hooks.pool = support_pool_of(b, buffer, b->alignment == 4 ? 2 * granules : granules, &config);
    EXPECT(hooks.depth == 0, "init leaves the critical section held");
    hooks.entered = 0;
}

/* The call before this entered so often, and left. */
static void expect_entered(const char *call, unsigned least)
{
    EXPECT(hooks.depth == 0, "%s leaves the critical section held", call);
    EXPECT(hooks.entered >= least, "%s does not enter the critical section", call);
    hooks.entered = 0;
}

#define CALL(least, call)             \
    do {                              \
        (void)!(call);                \
        expect_entered(#call, least); \
    } while (0)

/* Each function, with every kind of argument: right, stale, locked, too large. */
static void balanced_in_every_function(const struct defrag_build *b)
{
    struct support_buffer buffer;
    begin(b, &buffer, 50);
    defrag_pool *pool = hooks.pool;
    defrag_handle h, locked, stale, out;
    EXPECT_STATUS(b->alloc(pool, 20, &h), DEFRAG_OK);
    EXPECT_STATUS(b->alloc(pool, 20, &locked), DEFRAG_OK);
    EXPECT_STATUS(b->alloc(pool, 20, &out), DEFRAG_OK);
    stale = out;
    EXPECT_STATUS(b->free(pool, &out), DEFRAG_OK);
    EXPECT(b->lock(pool, locked), "no lock");
    expect_entered("set-up", 5);

    const defrag_handle handles[] = {h, locked, stale, {0}, {0xffffffffu}};
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
        defrag_handle handle = handles[i];
        unsigned char byte = 0;
        void *p;
        const void *cp;
        CALL(1, b->size(pool, handle));
        CALL(1, b->try_lock(pool, handle, &p));
        CALL(1, b->try_lock(pool, handle, &p));
        if (handle.bits != locked.bits)
            CALL(1, b->unlock(pool, handle));
        CALL(1, b->lock(pool, handle) != NULL);
        if (handle.bits != locked.bits)
            CALL(1, b->unlock(pool, handle));
        CALL(1, b->try_lock_shared(pool, handle, &cp));
        if (handle.bits != locked.bits)
            CALL(1, b->unlock(pool, handle));
        CALL(1, b->lock_shared(pool, handle) != NULL);
        if (handle.bits != locked.bits)
            CALL(1, b->unlock(pool, handle));
        CALL(1, b->read(pool, handle, 0, &byte, 1));
        CALL(1, b->read(pool, handle, SIZE_MAX, &byte, 1));
        CALL(1, b->write(pool, handle, 0, &byte, 1));
        CALL(1, b->write(pool, handle, SIZE_MAX, &byte, 1));
        CALL(0, b->read(pool, handle, 0, NULL, 1));
        CALL(0, b->write(pool, handle, 0, NULL, 1));
        CALL(0, b->try_lock(pool, handle, NULL));
        CALL(0, b->try_lock_shared(pool, handle, NULL));
        const size_t sizes[] = {20, 1, 60, 2000, SIZE_MAX, 20};
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
            CALL(1, b->resize(pool, handle, sizes[s]));
    }
    const size_t sizes[] = {0, 10, 150, 400, 100000, SIZE_MAX};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        defrag_request request = {.bytes = sizes[s]};
        defrag_handle made[5];
        memset(made, 0, sizeof made);
        CALL(1, b->alloc(pool, sizes[s], &made[0]));
        CALL(1, b->alloc_fast(pool, sizes[s], &made[1]));
        CALL(1, b->alloc_slice(pool, 1, sizes[s], &made[2]));
        CALL(1, b->alloc_slice_fast(pool, 1, sizes[s], &made[3]));
        CALL(1, b->alloc_request(pool, &request, &made[4]));
        request.alignment = 3;
        CALL(0, b->alloc_request(pool, &request, &out));
        CALL(0, b->alloc(pool, sizes[s], NULL));
        CALL(1, b->make_room(pool, sizes[s]));
        CALL(1, b->compact_step(pool, sizes[s], NULL));
        for (size_t i = 0; i < 5; i++)
            CALL(0, b->free(pool, &made[i]));
    }
    defrag_statistics statistics;
    hooks.entered = 0;
    CALL(1, b->clean(pool));
    CALL(1, b->compact(pool));
    CALL(1, b->check(pool));
    CALL(1, b->walk(pool, visit_nothing, NULL));
    CALL(0, b->walk(pool, NULL, NULL));
    b->statistics_get(pool, &statistics);
    expect_entered("statistics_get", 1);
    out = locked;
    CALL(1, b->free(pool, &out));
    out = stale;
    CALL(1, b->free(pool, &out));
    CALL(0, b->free(pool, NULL));
    CALL(1, b->unlock(pool, locked));
    CALL(1, b->free(pool, &locked));
    support_buffer_free(&buffer);
}

/* defrag_compact() lets others in between blocks; the others hold the section throughout. */
static void compact_leaves_between_blocks(const struct defrag_build *b)
{
    struct support_buffer buffer;
    begin(b, &buffer, 100);
    support_make_gaps(b, hooks.pool);
    hooks.entered = 0;
    EXPECT_STATUS(b->compact(hooks.pool), DEFRAG_OK);
    EXPECT(hooks.moves == 6, "compact moved %u blocks", hooks.moves);
    EXPECT(hooks.entered >= hooks.moves, "%u blocks in %u critical sections", hooks.moves, hooks.entered);
    expect_entered("compact", 1);
    support_make_gaps(b, hooks.pool);
    hooks.entered = 0;
    while (b->compact_step(hooks.pool, 10, NULL) == DEFRAG_MORE) {
        EXPECT(hooks.entered == 1, "a step enters %u times", hooks.entered);
        hooks.entered = 0;
    }
    support_buffer_free(&buffer);
}

/* None is lost in search of a hole: for the smallest blocks, nor for what was one while its neighbour was locked. */
static void each_section_moves_a_block(const struct defrag_build *b)
{
    for (unsigned locked = 0; locked <= 1; locked++) {
        struct support_buffer buffer;
        defrag_handle h[6];
        begin(b, &buffer, 100);
        for (size_t i = 0; i < 6; i++)
            EXPECT_STATUS(b->alloc(hooks.pool, 0, &h[i]), DEFRAG_OK);
        EXPECT_STATUS(b->free(hooks.pool, &h[0]), DEFRAG_OK);
        if (locked) {
            EXPECT(b->lock(hooks.pool, h[1]), "no lock");
            EXPECT_STATUS(b->compact_step(hooks.pool, 1, NULL), DEFRAG_MORE);
            EXPECT_STATUS(b->unlock(hooks.pool, h[1]), DEFRAG_OK);
        }
        hooks.entered = 0;
        EXPECT_STATUS(b->compact(hooks.pool), DEFRAG_OK);
        EXPECT(hooks.moves == 5 && hooks.entered == 1 + hooks.moves, "%u blocks in %u critical sections",
               hooks.moves, hooks.entered);
        support_buffer_free(&buffer);
    }
}

/* --- Others at work while defrag_compact() is outside the critical section ------------------- */

#define OTHERS 40

static struct others {
    const struct defrag_build *b;
    defrag_pool *pool;
    uint64_t random;
    bool inside, busy;
    unsigned left; /* calls that they still make */
    defrag_handle handles[OTHERS];
    bool locked[OTHERS];
    unsigned char contents[OTHERS];
} others;

static void expect_contents(struct others *o, size_t i)
{
    unsigned char bytes[60];
    size_t size = o->b->size(o->pool, o->handles[i]);
    EXPECT(size > 0 && size <= sizeof bytes, "block %zu has %zu bytes", i, size);
    if (o->b->read(o->pool, o->handles[i], 0, bytes, size) == DEFRAG_LOCKED)
        return;
    for (size_t at = 0; at < size; at++)
        EXPECT(bytes[at] == o->contents[i], "block %zu lost byte %zu", i, at);
}

static void fill_block(struct others *o, size_t i)
{
    unsigned char bytes[60];
    size_t size = o->b->size(o->pool, o->handles[i]);
    o->contents[i] = (unsigned char)support_random(&o->random);
    memset(bytes, o->contents[i], sizeof bytes);
    EXPECT_STATUS(o->b->write(o->pool, o->handles[i], 0, bytes, size), DEFRAG_OK);
}

/* One call of another context: allocate, free, lock or unlock. */
static void others_act(struct others *o)
{
    size_t i = support_below(&o->random, OTHERS);
    if (o->handles[i].bits == 0) {
        if (o->b->alloc(o->pool, support_below(&o->random, 40), &o->handles[i]) == DEFRAG_OK)
            fill_block(o, i);
        return;
    }
    expect_contents(o, i);
    if (o->locked[i]) {
        EXPECT_STATUS(o->b->unlock(o->pool, o->handles[i]), DEFRAG_OK);
        o->locked[i] = false;
    } else if (support_below(&o->random, 2)) {
        EXPECT(o->b->lock(o->pool, o->handles[i]), "no lock");
        o->locked[i] = true;
    } else {
        EXPECT_STATUS(o->b->free(o->pool, &o->handles[i]), DEFRAG_OK);
    }
}

static void others_enter(void *context)
{
    struct others *o = context;
    EXPECT(!o->inside, "the critical section is nested");
    o->inside = true;
}

/* Where an interrupt would come in. */
static void others_leave(void *context)
{
    struct others *o = context;
    EXPECT(o->inside, "the critical section is left twice");
    o->inside = false;
    if (o->busy || o->left == 0)
        return;
    o->busy = true;
    o->left--;
    others_act(o);
    o->busy = false;
}

static void others_work_during_compaction(const struct defrag_build *b)
{
    static const defrag_config shared = {
        .enter = others_enter, .leave = others_leave, .section_context = &others};
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct support_buffer buffer;
        support_context("%s, seed %llu", b->name, (unsigned long long)seed);
        memset(&others, 0, sizeof others);
        others.b = b;
        others.random = seed;
        others.pool = support_pool_of(b, &buffer, 170, &shared);
        for (int i = 0; i < 60; i++)
            others_act(&others);
        for (int round = 0; round < 10; round++) {
            others.left = 20;
            if (round % 2)
                while (b->compact_step(others.pool, 16, NULL) == DEFRAG_MORE)
                    continue;
            else
                EXPECT_STATUS(b->compact(others.pool), DEFRAG_OK);
            others.left = 0;
            EXPECT_STATUS(b->check(others.pool), DEFRAG_OK);
            for (size_t i = 0; i < OTHERS; i++)
                if (others.handles[i].bits)
                    expect_contents(&others, i);
        }
        support_buffer_free(&buffer);
    }
}

/* Two pools: from on_move of one the other may be used. */
static struct other {
    const struct defrag_build *b;
    defrag_pool *pool;
    unsigned calls;
} other;

static void use_other(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    struct other *o = context;
    defrag_handle out;
    (void)handle;
    (void)from;
    (void)to;
    (void)bytes;
    EXPECT_STATUS(o->b->alloc(o->pool, 8, &out), DEFRAG_OK);
    EXPECT_STATUS(o->b->free(o->pool, &out), DEFRAG_OK);
    o->calls++;
}

static void other_pools_are_independent(const struct defrag_build *b)
{
    static const defrag_config uses = {.on_move = use_other, .move_context = &other};
    struct support_buffer first, second;
    defrag_pool *pool = support_pool_of(b, &first, 200, &uses);
    other.b = b;
    other.pool = support_pool_of(b, &second, 20, NULL);
    other.calls = 0;
    support_make_gaps(b, pool);
    EXPECT_STATUS(b->compact(pool), DEFRAG_OK);
    EXPECT(other.calls == 6, "%u moves", other.calls);
    EXPECT_STATUS(b->check(other.pool), DEFRAG_OK);
    support_buffer_free(&first);
    support_buffer_free(&second);
}

int main(void)
{
    static const struct support_test tests[] = {
        {"enter and leave are balanced in every function", balanced_in_every_function},
        {"compact leaves the section between blocks", compact_leaves_between_blocks},
        {"each section of compact moves a block", each_section_moves_a_block},
        {"others work while compaction is outside the section", others_work_during_compaction},
        {"another pool may be used from on_move", other_pools_are_independent},
    };
    return support_run("hooks", tests, sizeof tests / sizeof tests[0]);
}
