/* SPDX-License-Identifier: MIT */
/*
 * DEFRAG_PLACE_LOW: where such blocks come to lie, and what that does to the largest
 * request that is certain to be served. The figures of DESIGN.md are what
 * `BUILD=n8 tests/test_place_low` prints.
 */
#include "layout.h"

#include <stdio.h>
#include <string.h>

static defrag_status place(const struct defrag_build *b, defrag_pool *pool, size_t bytes, uint32_t flags,
                           defrag_handle *out)
{
    const defrag_request wanted = {.bytes = bytes, .flags = flags};
    return b->alloc_request(pool, &wanted, out);
}

static const unsigned char *lock(const struct defrag_build *b, defrag_pool *pool, defrag_handle handle)
{
    const unsigned char *at = b->lock_shared(pool, handle);
    EXPECT(at, "no lock");
    return at;
}

static defrag_handle take(const struct defrag_build *b, defrag_pool *pool, size_t granules)
{
    defrag_handle handle;
    EXPECT_STATUS(b->alloc(pool, support_payload(inside_of(b->name), granules), &handle), DEFRAG_OK);
    return handle;
}

/* --- Where they lie ---------------------------------------------------------------------------------- */

/* Each next one right behind the last, what lay there having left for the holes; the contents of all are kept. */
static void side_by_side(const struct defrag_build *b)
{
    const struct inside *inside = inside_of(b->name);
    struct support_buffer buffer;
    defrag_pool *pool = support_pool_of(b, &buffer, 400, NULL);
    const unsigned char *last = NULL;
    defrag_handle others[20];
    for (unsigned i = 0; i < 20; i++) {
        unsigned char byte = (unsigned char)(i + 1);
        others[i] = take(b, pool, 3 + i % 5);
        EXPECT_STATUS(b->write(pool, others[i], 0, &byte, 1), DEFRAG_OK);
    }
    const unsigned char *bottom = lock(b, pool, others[0]);
    EXPECT_STATUS(b->unlock(pool, others[0]), DEFRAG_OK);
    for (unsigned i = 0; i < 6; i++) {
        defrag_handle pin;
        uint64_t moved = support_statistics(b, pool).moved_bytes;
        EXPECT_STATUS(place(b, pool, support_payload(inside, 10), DEFRAG_PLACE_LOW | DEFRAG_ZERO, &pin),
                      DEFRAG_OK);
        const unsigned char *at = lock(b, pool, pin);
        EXPECT(at == (last ? last + 10 * inside->granule : bottom), "pin %u is not the lowest that can be",
               i);
        EXPECT(support_statistics(b, pool).moved_bytes - moved < (10 + 8) * inside->granule,
               "pin %u cost %llu bytes", i,
               (unsigned long long)(support_statistics(b, pool).moved_bytes - moved));
        last = at;
    }
    for (unsigned i = 0; i < 20; i++) {
        unsigned char byte;
        EXPECT_STATUS(b->read(pool, others[i], 0, &byte, 1), DEFRAG_OK);
        EXPECT(byte == i + 1, "block %u lost its contents", i);
    }
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    support_buffer_free(&buffer);
}

/* Behind a block that no hole holds: it moves up, if it is not locked. Then the next place will do. */
static void next_best(const struct defrag_build *b)
{
    const struct inside *inside = inside_of(b->name);
    struct support_buffer buffer;
    defrag_handle pin, low;
    defrag_pool *pool = support_pool_of(b, &buffer, 100, NULL);
    defrag_handle large = take(b, pool, 60);
    const unsigned char *bottom = lock(b, pool, large);
    pin = take(b, pool, 3);
    const unsigned char *at = lock(b, pool, pin);
    EXPECT_STATUS(place(b, pool, support_payload(inside, 8), DEFRAG_PLACE_LOW, &low), DEFRAG_OK);
    EXPECT(lock(b, pool, low) == at + 3 * inside->granule, "not right behind the locked block");
    EXPECT_STATUS(b->unlock(pool, pin), DEFRAG_OK);
    EXPECT_STATUS(b->unlock(pool, low), DEFRAG_OK);
    EXPECT_STATUS(b->unlock(pool, large), DEFRAG_OK);
    EXPECT_STATUS(b->free(pool, &low), DEFRAG_OK);
    /* It is done with all that is about to move. */
    EXPECT_STATUS(b->compact(pool), DEFRAG_OK);
    EXPECT_STATUS(b->write(pool, large, 0, "large", 5), DEFRAG_OK);
    EXPECT_STATUS(place(b, pool, support_payload(inside, 8), DEFRAG_PLACE_LOW, &low), DEFRAG_OK);
    EXPECT(lock(b, pool, low) == bottom, "the block is not at the bottom");
    EXPECT(lock(b, pool, large) == bottom + 8 * inside->granule
               && memcmp(bottom + 8 * inside->granule, "large", 5) == 0,
           "what lay there has not moved up");
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    support_buffer_free(&buffer);
}

/*
 * [ large ][ gap ][ small ][ gap ][ locked ][ gap ][ locked ][ large ]: no hole holds a large block, and the
 * gaps between two locked ones do not suffice. An ordinary allocation finds something: the small one leaves.
 */
static void anywhere_else(const struct defrag_build *b)
{
    static const unsigned char sizes[] = {20, 4, 3, 4, 2, 5, 2};
    const struct inside *inside = inside_of(b->name);
    struct support_buffer buffer;
    defrag_handle blocks[sizeof sizes], low;
    defrag_pool *pool = support_pool_of(b, &buffer, 100, NULL);
    for (size_t i = 0; i < sizeof sizes; i++)
        blocks[i] = take(b, pool, sizes[i]);
    (void)take(b, pool, support_statistics(b, pool).free_bytes / inside->granule - 1);
    EXPECT_STATUS(b->write(pool, blocks[2], 0, "small", 5), DEFRAG_OK);
    const unsigned char *gap = lock(b, pool, blocks[1]);
    EXPECT_STATUS(b->unlock(pool, blocks[1]), DEFRAG_OK);
    (void)lock(b, pool, blocks[4]);
    (void)lock(b, pool, blocks[6]);
    for (size_t i = 1; i <= 5; i += 2)
        EXPECT_STATUS(b->free(pool, &blocks[i]), DEFRAG_OK);
    uint32_t moved = support_statistics(b, pool).moved_blocks;
    EXPECT_STATUS(place(b, pool, support_payload(inside, 12), DEFRAG_PLACE_LOW, &low), DEFRAG_PINNED);
    EXPECT(low.bits == 0 && support_statistics(b, pool).moved_blocks == moved, "something came of it");
    EXPECT_STATUS(place(b, pool, support_payload(inside, 11), DEFRAG_PLACE_LOW, &low), DEFRAG_OK);
    EXPECT(lock(b, pool, low) == gap, "not where the small block can make room");
    EXPECT(support_statistics(b, pool).moved_blocks == moved + 1, "more than the small block moved");
    EXPECT(memcmp(lock(b, pool, blocks[2]), "small", 5) == 0, "the small block lost its contents");
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    support_buffer_free(&buffer);
}

/* Takes blocks of these sizes, and one of all that is left; locks and frees those that the masks name. */
static void lay_out(const struct defrag_build *b, defrag_pool *pool, const unsigned char *sizes, size_t count,
                    unsigned locked, unsigned freed, defrag_handle *blocks)
{
    for (size_t i = 0; i < count; i++)
        blocks[i] = take(b, pool, sizes[i]);
    (void)take(b, pool, support_statistics(b, pool).free_bytes / inside_of(b->name)->granule - 1);
    for (size_t i = 0; i < count; i++) {
        if (locked >> i & 1)
            (void)lock(b, pool, blocks[i]);
        if (freed >> i & 1)
            EXPECT_STATUS(b->free(pool, &blocks[i]), DEFRAG_OK);
    }
}

static const unsigned char *place_of(const struct defrag_build *b, defrag_pool *pool, defrag_handle handle)
{
    const unsigned char *at = lock(b, pool, handle);
    EXPECT_STATUS(b->unlock(pool, handle), DEFRAG_OK);
    return at;
}

/*
 * [ large ][ gap ][ 3 ][ gap ][ locked ][ large ][ gap ][ 2 ][ gap ][ locked ][ large ]: nothing can be
 * cleared at the bottom or behind a locked block, so that it is not the lowest gap that grows, but the one
 * that costs least.
 */
static void anywhere_at_the_least_cost(const struct defrag_build *b)
{
    static const unsigned char sizes[] = {20, 4, 3, 4, 2, 20, 4, 2, 4, 2};
    const struct inside *inside = inside_of(b->name);
    struct support_buffer buffer;
    defrag_handle blocks[sizeof sizes], low;
    defrag_pool *pool = support_pool_of(b, &buffer, 120, NULL);
    lay_out(b, pool, sizes, sizeof sizes, 1u << 4 | 1u << 9, 1u << 1 | 1u << 3 | 1u << 6 | 1u << 8, blocks);
    const unsigned char *large = place_of(b, pool, blocks[5]);
    EXPECT_STATUS(place(b, pool, support_payload(inside, 10), DEFRAG_PLACE_LOW, &low), DEFRAG_OK);
    EXPECT(lock(b, pool, low) == large + 20 * inside->granule, "not where the smallest block leaves");
    EXPECT(support_statistics(b, pool).moved_bytes == 2 * inside->granule, "more than that moved");
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    support_buffer_free(&buffer);
}

/* [ large ][ gap ][ locked ][ gap ][ locked ][ large ]: what lies below moves up, though a gap would do. */
static void below_a_hole_that_fits(const struct defrag_build *b)
{
    static const unsigned char sizes[] = {20, 12, 2, 8, 2};
    const struct inside *inside = inside_of(b->name);
    struct support_buffer buffer;
    defrag_handle blocks[sizeof sizes], low;
    defrag_pool *pool = support_pool_of(b, &buffer, 100, NULL);
    lay_out(b, pool, sizes, sizeof sizes, 1u << 2 | 1u << 4, 1u << 1 | 1u << 3, blocks);
    const unsigned char *bottom = place_of(b, pool, blocks[0]);
    EXPECT_STATUS(place(b, pool, support_payload(inside, 8), DEFRAG_PLACE_LOW, &low), DEFRAG_OK);
    EXPECT(lock(b, pool, low) == bottom, "the block is not at the bottom");
    EXPECT(place_of(b, pool, blocks[0]) == bottom + 12 * inside->granule, "what lay there has not moved up");
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    support_buffer_free(&buffer);
}

/* All that is free, to the last granule: still at the bottom. */
static void all_that_is_free(const struct defrag_build *b)
{
    static const unsigned char sizes[] = {3, 5, 20};
    const struct inside *inside = inside_of(b->name);
    struct support_buffer buffer;
    defrag_handle blocks[sizeof sizes], low;
    defrag_pool *pool = support_pool_of(b, &buffer, 40, NULL);
    for (size_t i = 0; i < sizeof sizes; i++)
        blocks[i] = take(b, pool, sizes[i]);
    const unsigned char *bottom = place_of(b, pool, blocks[0]);
    EXPECT_STATUS(b->free(pool, &blocks[1]), DEFRAG_OK);
    size_t rest = support_statistics(b, pool).free_bytes / inside->granule;
    EXPECT_STATUS(place(b, pool, support_payload(inside, rest), DEFRAG_PLACE_LOW, &low), DEFRAG_OK);
    EXPECT(lock(b, pool, low) == bottom, "the block is not at the bottom");
    EXPECT(place_of(b, pool, blocks[0]) == bottom + rest * inside->granule,
           "what lay there has not moved up");
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    support_buffer_free(&buffer);
}

/* What the image says while a block moves. */
struct watched {
    const struct inside_field *busy;
    const defrag_pool *pool;
    unsigned moves;
};

static void watch_move(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    struct watched *w = context;
    (void)handle;
    (void)bytes;
    EXPECT((char *)to > (char *)from, "a block moves down");
    EXPECT(inside_load(w->pool, w->busy) != 0, "the image does not say that a block moves");
    w->moves++;
}

/* [ A ][ 2 ][ B ][ 2 ][ C ][ 3 ][ large ]: no hole holds A, B and C; gaps of four make way, and C stays. */
static void no_more_gaps_than_needed(const struct defrag_build *b)
{
    static const unsigned char sizes[] = {5, 2, 5, 2, 5, 3};
    const struct inside *inside = inside_of(b->name);
    struct watched watched = {.busy = &inside->busy};
    const defrag_config config = {.on_move = watch_move, .move_context = &watched};
    struct support_buffer buffer;
    defrag_handle blocks[sizeof sizes], low;
    defrag_pool *pool = support_pool_of(b, &buffer, 60, &config);
    watched.pool = pool;
    lay_out(b, pool, sizes, sizeof sizes, 0, 1u << 1 | 1u << 3 | 1u << 5, blocks);
    EXPECT_STATUS(place(b, pool, support_payload(inside, 4), DEFRAG_PLACE_LOW, &low), DEFRAG_OK);
    EXPECT(watched.moves == 2, "%u blocks moved", watched.moves);
    EXPECT(lock(b, pool, blocks[0]) == lock(b, pool, low) + 4 * inside->granule, "A is not right behind it");
    EXPECT(lock(b, pool, blocks[4]) == lock(b, pool, blocks[2]) + 5 * inside->granule,
           "C is not right behind B");
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    support_buffer_free(&buffer);
}

/* Neither a slot nor a granule for the table to grow is left: what lies above the hole slides for both. */
static void table_has_to_grow(const struct defrag_build *b)
{
    const struct inside *inside = inside_of(b->name);
    struct support_buffer buffer;
    defrag_handle low;
    defrag_pool *pool = support_pool_of(b, &buffer, 100, NULL);
    defrag_handle below = take(b, pool, 14);
    defrag_statistics s;
    for (s = support_statistics(b, pool); (s.slots + 2) % (s.granule_bytes / s.slot_bytes) != 0;
         s = support_statistics(b, pool))
        (void)take(b, pool, 2);
    defrag_handle above = take(b, pool, 5);
    EXPECT_STATUS(b->write(pool, above, 0, "above", 5), DEFRAG_OK);
    size_t rest = support_statistics(b, pool).free_bytes / inside->granule;
    EXPECT_STATUS(b->resize(pool, above, support_payload(inside, 5 + rest)), DEFRAG_OK);
    EXPECT_STATUS(b->resize(pool, below, support_payload(inside, 3)), DEFRAG_OK);
    size_t table = support_statistics(b, pool).table_bytes;

    EXPECT_STATUS(place(b, pool, support_payload(inside, 11), DEFRAG_PLACE_LOW, &low), DEFRAG_NO_MEMORY);
    EXPECT_STATUS(place(b, pool, support_payload(inside, 10), DEFRAG_PLACE_LOW, &low), DEFRAG_OK);
    s = support_statistics(b, pool);
    EXPECT(s.table_bytes > table && s.free_bytes == 0, "%zu bytes are free", s.free_bytes);
    const unsigned char *at = lock(b, pool, above);
    EXPECT(memcmp(at, "above", 5) == 0, "what slid lost its contents");
    EXPECT(lock(b, pool, low) == at + (5 + rest) * inside->granule, "not behind what slid");
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    support_buffer_free(&buffer);
}

/*
 * [ locked ] ... [ 6 ][ 3 ][ locked ][ 5 ][ 2 ][ large ][ 2 ] table: between locked blocks, or above them, are four
 * granules at most, of which the table takes one. False if it has a slot to spare.
 */
static bool none_is_lifted_over_the_table(const struct defrag_build *b, size_t pins)
{
    static const unsigned char sizes[] = {9, 2, 7, 5};
    const struct inside *inside = inside_of(b->name);
    static struct layout layout;
    struct support_buffer buffer;
    defrag_handle blocks[sizeof sizes], low;
    defrag_pool *pool = support_pool_of(b, &buffer, 100, NULL);
    for (size_t i = 0; i < pins; i++)
        (void)lock(b, pool, take(b, pool, 2));
    for (size_t i = 0; i < sizeof sizes; i++)
        blocks[i] = take(b, pool, sizes[i]);
    (void)lock(b, pool, blocks[1]);
    layout_read(&layout, b, pool);
    bool full = layout_need(&layout) != 0;
    if (full) {
        size_t large = 5 + layout_wilderness(&layout) - 2;
        EXPECT_STATUS(b->resize(pool, blocks[3], support_payload(inside, large)), DEFRAG_OK);
        EXPECT_STATUS(b->resize(pool, blocks[0], support_payload(inside, 6)), DEFRAG_OK);
        EXPECT_STATUS(b->resize(pool, blocks[2], support_payload(inside, 5)), DEFRAG_OK);
        EXPECT_STATUS(place(b, pool, support_payload(inside, 4), DEFRAG_PLACE_LOW, &low), DEFRAG_PINNED);
        EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    }
    support_buffer_free(&buffer);
    return full;
}

static void the_table_keeps_its_granule(const struct defrag_build *b)
{
    bool done = false;
    for (size_t pins = 1; pins <= 12; pins++)
        done |= none_is_lifted_over_the_table(b, pins);
    EXPECT(done, "the table is never full");
}

/* A damaged pool is left as it is by whoever sees the damage. */
static void damaged(const struct defrag_build *b)
{
    const struct inside *inside = inside_of(b->name);
    struct support_buffer buffer;
    defrag_handle low;
    if (b->name[0] != 'h')
        return;
    defrag_pool *pool = support_pool_of(b, &buffer, 100, NULL);
    defrag_handle first = take(b, pool, 10);
    defrag_handle second = take(b, pool, 10);
    struct inside_field owner = inside->owner_of(pool, first);
    uint64_t slot = inside_load(pool, &owner);
    inside_store(pool, &owner, inside->slot_of(second));
    EXPECT_STATUS(place(b, pool, support_payload(inside, 5), DEFRAG_PLACE_LOW, &low), DEFRAG_CORRUPT);
    EXPECT(low.bits == 0 && support_statistics(b, pool).moved_blocks == 0, "something came of it");
    inside_store(pool, &owner, slot);
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    EXPECT_STATUS(place(b, pool, support_payload(inside, 5), DEFRAG_PLACE_LOW, &low), DEFRAG_OK);
    support_buffer_free(&buffer);
}

/* The flag makes no request fail that is served without it, nor the other way round. */
static void refused_as_ever(const struct defrag_build *b)
{
    const struct inside *inside = inside_of(b->name);
    struct support_buffer buffer;
    defrag_handle low;
    defrag_pool *pool = support_pool_of(b, &buffer, 40, NULL);
    EXPECT_STATUS(place(b, pool, support_payload(inside, 41), DEFRAG_PLACE_LOW, &low), DEFRAG_BAD_SIZE);
    EXPECT_STATUS(place(b, pool, SIZE_MAX, DEFRAG_PLACE_LOW, &low), DEFRAG_BAD_SIZE);
    (void)take(b, pool, 20);
    EXPECT_STATUS(place(b, pool, support_payload(inside, 21), DEFRAG_PLACE_LOW, &low), DEFRAG_NO_MEMORY);
    EXPECT(low.bits == 0, "a handle of nothing");
    EXPECT_STATUS(place(b, pool, support_payload(inside, 14), DEFRAG_PLACE_LOW, &low), DEFRAG_OK);
    support_buffer_free(&buffer);
}

/* Nothing moves where it must not; with scrambling all is as sound as ever. */
static void with_flags(const struct defrag_build *b)
{
    const struct inside *inside = inside_of(b->name);
    for (uint32_t flags = DEFRAG_MANUAL; flags <= (DEFRAG_MANUAL | DEFRAG_SCRAMBLE); flags++) {
        const defrag_config config = {.flags = flags};
        struct support_buffer buffer;
        defrag_handle low;
        defrag_pool *pool = support_pool_of(b, &buffer, 100, &config);
        unsigned char bytes[5 * 16];
        memset(bytes, 1, sizeof bytes);
        for (unsigned i = 0; i < 5; i++) {
            defrag_handle other = take(b, pool, 5);
            EXPECT_STATUS(b->write(pool, other, 0, bytes, b->size(pool, other)), DEFRAG_OK);
        }
        uint32_t moved = support_statistics(b, pool).moved_blocks;
        EXPECT_STATUS(place(b, pool, support_payload(inside, 8), DEFRAG_PLACE_LOW, &low), DEFRAG_OK);
        if (flags & DEFRAG_MANUAL)
            EXPECT(support_statistics(b, pool).moved_blocks == moved, "blocks moved");
        const unsigned char *at = lock(b, pool, low);
        for (size_t i = 0; flags == DEFRAG_SCRAMBLE && i < b->size(pool, low); i++)
            EXPECT(at[i] == DEFRAG_SCRAMBLE_BYTE, "byte %zu of the new block is what was there", i);
        EXPECT_STATUS(b->check(pool), DEFRAG_OK);
        support_buffer_free(&buffer);
    }
}

/* --- What it is for ------------------------------------------------------------------------------------ */

#define BLOCKS_MAX 4096
#define CALLS      6000
#define SAMPLES    50 /* calls from one look at the statistics to the next */

struct churn {
    const struct defrag_build *b;
    defrag_pool *pool;
    size_t target; /* live bytes */
    uint64_t random;
    defrag_handle handles[BLOCKS_MAX];
    size_t count;
};

static void churn_step(struct churn *c)
{
    defrag_statistics s = support_statistics(c->b, c->pool);
    if (s.live_bytes < c->target && c->count < BLOCKS_MAX) {
        size_t bytes = 8 + support_below(&c->random, 249);
        if (c->b->alloc(c->pool, bytes, &c->handles[c->count]) == DEFRAG_OK) {
            c->count++;
            return;
        }
    }
    size_t i = support_below(&c->random, c->count);
    EXPECT_STATUS(c->b->free(c->pool, &c->handles[i]), DEFRAG_OK);
    c->handles[i] = c->handles[--c->count];
}

/*
 * The mean of largest_certain in thousandths of the free bytes, while a pool of 64 KiB churns at so many per cent
 * and `pins` blocks were locked for good, one after the other.
 */
static unsigned certain_part(const struct defrag_build *b, unsigned percent, unsigned pins, uint32_t flags)
{
    static struct churn c;
    struct support_buffer buffer = support_buffer_new(65536, 0);
    uint64_t parts = 0;
    unsigned samples = 0;
    c = (struct churn){.b = b, .random = percent};
    EXPECT_STATUS(b->init(&c.pool, buffer.bytes, buffer.size, NULL), DEFRAG_OK);
    c.target = support_statistics(b, c.pool).free_bytes / 100 * percent;
    for (unsigned call = 0; call < 2 * CALLS; call++) {
        churn_step(&c);
        if (call < CALLS && call % (CALLS / pins) == CALLS / pins / 2) {
            defrag_handle pin;
            EXPECT_STATUS(place(b, c.pool, 100 + support_below(&c.random, 200), flags, &pin), DEFRAG_OK);
            (void)lock(b, c.pool, pin);
        }
        if (call >= CALLS && call % SAMPLES == 0) {
            defrag_statistics s = support_statistics(b, c.pool);
            parts += s.largest_certain * UINT64_C(1000) / s.free_bytes;
            samples++;
        }
    }
    EXPECT_STATUS(b->check(c.pool), DEFRAG_OK);
    support_buffer_free(&buffer);
    return (unsigned)(parts / samples);
}

/* Whatever is free stays certain to be served, where it was a part of it that got smaller with each lock. */
static void what_stays_certain(const struct defrag_build *b)
{
    if (strcmp(b->name, "n8") != 0)
        return;
    bool all = support_effort() >= 20;
    printf("# largest_certain, per cent of the free bytes: ordinary / DEFRAG_PLACE_LOW\n");
    for (unsigned pins = all ? 1 : 32; pins <= 32; pins *= 2) {
        printf("# %2u locked for long", pins);
        for (unsigned percent = all ? 70 : 90; percent <= 90; percent += 20) {
            unsigned ordinary = certain_part(b, percent, pins, 0);
            unsigned low = certain_part(b, percent, pins, DEFRAG_PLACE_LOW);
            printf(", at %u %%: %u.%u / %u.%u", percent, ordinary / 10, ordinary % 10, low / 10, low % 10);
            EXPECT(low >= ordinary && low > 900, "%u of 1000 with the flag, %u without", low, ordinary);
        }
        printf("\n");
    }
}

int main(void)
{
    static const struct support_test tests[] = {
        {"side by side", side_by_side},
        {"the next best place", next_best},
        {"anywhere else", anywhere_else},
        {"anywhere at the least cost", anywhere_at_the_least_cost},
        {"below a hole that fits", below_a_hole_that_fits},
        {"all that is free", all_that_is_free},
        {"no more gaps than needed", no_more_gaps_than_needed},
        {"the table has to grow", table_has_to_grow},
        {"the table keeps its granule", the_table_keeps_its_granule},
        {"damaged", damaged},
        {"refused as ever", refused_as_ever},
        {"with other flags", with_flags},
        {"what stays certain to be served", what_stays_certain},
    };
    return support_run("blocks that are to lie low", tests, sizeof tests / sizeof tests[0]);
}
