/* SPDX-License-Identifier: MIT */
/*
 * Where a block is placed among free blocks of its own bin and of the next: the
 * head of its own bin, for defrag_alloc() up to four blocks of it, then the next.
 */
#include "support.h"

#include <stdlib.h>
#include <string.h>

/* Granules of one bin, of a request in it that the smaller do not hold, and of the next bin. */
enum { SMALL = 13, WANTED = 14, FITTING = 16, NEXT = 17 };

struct shelf {
    const struct defrag_build *b;
    struct support_buffer buffer;
    defrag_pool *pool;
    size_t fitting; /* offsets of the free blocks */
    size_t next;
    defrag_handle block; /* of 2 granules, between others */
};

static size_t offset_of(struct shelf *shelf, defrag_handle handle)
{
    const unsigned char *address = shelf->b->lock(shelf->pool, handle);
    EXPECT(address, "no lock");
    EXPECT_STATUS(shelf->b->unlock(shelf->pool, handle), DEFRAG_OK);
    return (size_t)(address - (const unsigned char *)shelf->pool);
}

static defrag_handle take(struct shelf *shelf, size_t granules)
{
    defrag_handle handle;
    size_t bytes = support_payload(inside_of(shelf->b->name), granules);
    EXPECT_STATUS(shelf->b->alloc(shelf->pool, bytes, &handle), DEFRAG_OK);
    return handle;
}

/* A block to be freed, and one behind it that stays. */
static defrag_handle take_apart(struct shelf *shelf, size_t granules)
{
    defrag_handle handle = take(shelf, granules);
    (void)take(shelf, 2);
    return handle;
}

/* Frees the fitting block, then `small` small ones, which go before it, and one of the next bin. */
static void shelf_open(struct shelf *shelf, const struct defrag_build *b, size_t small)
{
    const struct inside *inside = inside_of(b->name);
    defrag_handle blocks[8];
    EXPECT(inside->bin_of(SMALL) == inside->bin_of(FITTING) && inside->bin_of(WANTED) == inside->bin_of(SMALL)
               && inside->bin_of(NEXT) > inside->bin_of(FITTING),
           "the sizes are not of these bins");
    shelf->b = b;
    shelf->pool = support_pool_of(b, &shelf->buffer, 200, NULL);
    defrag_handle fitting = take_apart(shelf, FITTING);
    for (size_t i = 0; i < small; i++)
        blocks[i] = take_apart(shelf, SMALL);
    defrag_handle next = take_apart(shelf, NEXT);
    shelf->block = take_apart(shelf, 2);
    shelf->fitting = offset_of(shelf, fitting);
    shelf->next = offset_of(shelf, next);
    EXPECT_STATUS(b->free(shelf->pool, &fitting), DEFRAG_OK);
    for (size_t i = 0; i < small; i++)
        EXPECT_STATUS(b->free(shelf->pool, &blocks[i]), DEFRAG_OK);
    EXPECT_STATUS(b->free(shelf->pool, &next), DEFRAG_OK);
}

enum form { ALLOC, SLICE, FAST, SLICE_FAST, RESIZE };
static const char *const forms[] = {"alloc", "alloc_slice", "alloc_fast", "alloc_slice_fast", "resize"};

/* Makes a block of the wanted size in that way; for resize there is one that has to move. */
static defrag_handle place(struct shelf *shelf, enum form form)
{
    defrag_handle handle = shelf->block;
    const struct defrag_build *b = shelf->b;
    size_t bytes = support_payload(inside_of(b->name), WANTED);
    defrag_status status = DEFRAG_OK;
    switch (form) {
    case ALLOC: status = b->alloc(shelf->pool, bytes, &handle); break;
    case SLICE: status = b->alloc_slice(shelf->pool, bytes, 1, &handle); break;
    case FAST: status = b->alloc_fast(shelf->pool, bytes, &handle); break;
    case SLICE_FAST: status = b->alloc_slice_fast(shelf->pool, 1, bytes, &handle); break;
    case RESIZE: status = b->resize(shelf->pool, handle, bytes); break;
    }
    EXPECT_STATUS(status, DEFRAG_OK);
    return handle;
}

/* With so many small blocks before the fitting one, whether it is found. */
static void expect_placed(const struct defrag_build *b, size_t small, enum form form, bool in_own_bin)
{
    struct shelf shelf;
    support_context("%s, %zu before it, %s", b->name, small, forms[form]);
    shelf_open(&shelf, b, small);
    defrag_handle handle = place(&shelf, form);
    EXPECT(offset_of(&shelf, handle) == (in_own_bin ? shelf.fitting : shelf.next), "placed elsewhere");
    support_buffer_free(&shelf.buffer);
}

static void alloc_tries_four_of_its_own_bin(const struct defrag_build *b)
{
    for (enum form form = ALLOC; form <= SLICE; form++) {
        for (size_t small = 0; small < 4; small++)
            expect_placed(b, small, form, true);
        expect_placed(b, 4, form, false);
    }
}

static void the_others_try_the_head_of_their_own_bin(const struct defrag_build *b)
{
    for (enum form form = FAST; form <= RESIZE; form++) {
        expect_placed(b, 0, form, true);
        expect_placed(b, 1, form, false);
    }
}

/* Fills the pool so that nothing is free in it but what is freed later. */
static void fill(struct shelf *shelf)
{
    size_t free = support_statistics(shelf->b, shelf->pool).largest_fast;
    while (free > 0) {
        defrag_handle handle;
        EXPECT_STATUS(shelf->b->alloc_fast(shelf->pool, free, &handle), DEFRAG_OK);
        free = support_statistics(shelf->b, shelf->pool).largest_fast;
    }
}

/* The last of some blocks of a bin is the only one that holds the request. */
static void make_room_moves_nothing_where_a_block_fits(const struct defrag_build *b)
{
    for (size_t small = 1; small <= 4; small++) {
        struct shelf shelf = {.b = b};
        defrag_handle blocks[5], handle;
        size_t bytes = support_payload(inside_of(b->name), WANTED);
        support_context("%s, %zu before it", b->name, small);
        shelf.pool = support_pool_of(b, &shelf.buffer, 200, NULL);
        blocks[small] = take_apart(&shelf, FITTING);
        for (size_t i = 0; i < small; i++)
            blocks[i] = take_apart(&shelf, SMALL);
        size_t fitting = offset_of(&shelf, blocks[small]);
        fill(&shelf);
        for (size_t i = small + 1; i-- > 0;)
            EXPECT_STATUS(b->free(shelf.pool, &blocks[i]), DEFRAG_OK);
        EXPECT_STATUS(b->alloc_fast(shelf.pool, bytes, &handle), DEFRAG_FRAGMENTED);
        EXPECT_STATUS(b->make_room(shelf.pool, bytes), DEFRAG_OK);
        EXPECT(support_statistics(b, shelf.pool).moved_blocks == 0, "make_room moved a block");
        EXPECT_STATUS(b->check(shelf.pool), DEFRAG_OK);
        EXPECT_STATUS(b->alloc_fast(shelf.pool, bytes, &handle), DEFRAG_OK);
        EXPECT(offset_of(&shelf, handle) == fitting, "placed elsewhere");
        support_buffer_free(&shelf.buffer);
    }
}

/* A block can grow by what lies below, sliding down itself, or above, where a small one makes way: that is cheaper. */
static void growth_moves_the_fewest_bytes(const struct defrag_build *b)
{
    struct shelf shelf = {.b = b};
    shelf.pool = support_pool_of(b, &shelf.buffer, 200, NULL);
    defrag_handle gaps[3];
    gaps[0] = take_apart(&shelf, 2);
    gaps[1] = take(&shelf, 2);
    defrag_handle growing = take_apart(&shelf, 10);
    gaps[2] = take_apart(&shelf, 4);
    fill(&shelf);
    for (size_t i = 0; i < 3; i++)
        EXPECT_STATUS(b->free(shelf.pool, &gaps[i]), DEFRAG_OK);
    EXPECT_STATUS(b->resize(shelf.pool, growing, support_payload(inside_of(b->name), 14)), DEFRAG_OK);
    uint64_t moved = support_statistics(b, shelf.pool).moved_bytes;
    EXPECT(moved == 2 * b->alignment, "%llu bytes moved", (unsigned long long)moved);
    support_buffer_free(&shelf.buffer);
}

/* Below are a block of 2 and the one that grows itself, of 3; above is one block, smaller or larger than both. */
static void growth_counts_the_block_itself(const struct defrag_build *b)
{
    for (size_t alone = 3; alone <= 7; alone++) {
        struct shelf shelf = {.b = b};
        support_context("%s, %zu granules above", b->name, alone);
        shelf.pool = support_pool_of(b, &shelf.buffer, 200, NULL);
        defrag_handle below = take_apart(&shelf, 2);
        defrag_handle growing = take(&shelf, 3);
        (void)take(&shelf, alone);
        defrag_handle above = take_apart(&shelf, 2);
        fill(&shelf);
        EXPECT_STATUS(b->free(shelf.pool, &below), DEFRAG_OK);
        EXPECT_STATUS(b->free(shelf.pool, &above), DEFRAG_OK);
        EXPECT_STATUS(b->resize(shelf.pool, growing, support_payload(inside_of(b->name), 5)), DEFRAG_OK);
        uint64_t moved = support_statistics(b, shelf.pool).moved_bytes;
        EXPECT(moved == (alone < 5 ? alone : 5) * b->alignment, "%llu bytes moved",
               (unsigned long long)moved);
        support_buffer_free(&shelf.buffer);
    }
}

/* Two holes of neighbouring bins, the smaller one freed last: it does not stand before the other. */
static void each_bin_is_one_of_its_own(const struct defrag_build *b)
{
    const struct inside *inside = inside_of(b->name);
    for (size_t size = inside->smallest + 1; size < 600; size++) {
        struct shelf shelf = {.b = b};
        defrag_handle handle;
        if (inside->bin_of(size) == inside->bin_of(size - 1))
            continue;
        support_context("%s, %zu granules", b->name, size);
        shelf.pool = support_pool_of(b, &shelf.buffer, 2 * size + 20, NULL);
        defrag_handle small = take_apart(&shelf, size - 1);
        defrag_handle fitting = take_apart(&shelf, size);
        size_t place = offset_of(&shelf, fitting);
        fill(&shelf);
        EXPECT_STATUS(b->free(shelf.pool, &fitting), DEFRAG_OK);
        EXPECT_STATUS(b->free(shelf.pool, &small), DEFRAG_OK);
        EXPECT_STATUS(b->alloc_fast(shelf.pool, support_payload(inside, size), &handle), DEFRAG_OK);
        EXPECT(offset_of(&shelf, handle) == place, "placed elsewhere");
        support_buffer_free(&shelf.buffer);
    }
}

/* The smallest request finds the only hole, whichever bin has it. */
static void every_bin_above_is_found(const struct defrag_build *b)
{
    const struct inside *inside = inside_of(b->name);
    for (size_t size = inside->smallest; size < 1600; size++) {
        struct shelf shelf = {.b = b};
        if (inside->bin_of(size) == inside->bin_of(size + 1))
            continue;
        support_context("%s, %zu granules", b->name, size);
        shelf.pool = support_pool_of(b, &shelf.buffer, size + 20, NULL);
        defrag_handle hole = take_apart(&shelf, size);
        size_t place = offset_of(&shelf, hole);
        fill(&shelf);
        EXPECT_STATUS(b->free(shelf.pool, &hole), DEFRAG_OK);
        defrag_handle handle = take(&shelf, inside->smallest);
        EXPECT(offset_of(&shelf, handle) == place, "placed elsewhere");
        support_buffer_free(&shelf.buffer);
    }
}

/* Under DEFRAG_MANUAL nothing moves, so a block deep in its bin has to be found; it fits exactly. */
static void all_of_the_own_bin_is_searched(const struct defrag_build *b)
{
    static const defrag_config manual = {.flags = DEFRAG_MANUAL};
    for (size_t small = 0; small < 8; small++) {
        struct shelf shelf = {.b = b};
        defrag_handle blocks[9], handle;
        support_context("%s, %zu before it", b->name, small);
        shelf.pool = support_pool_of(b, &shelf.buffer, 200, &manual);
        blocks[0] = take_apart(&shelf, WANTED);
        for (size_t i = 1; i <= small; i++)
            blocks[i] = take_apart(&shelf, SMALL);
        size_t fitting = offset_of(&shelf, blocks[0]);
        fill(&shelf);
        for (size_t i = 0; i <= small; i++)
            EXPECT_STATUS(b->free(shelf.pool, &blocks[i]), DEFRAG_OK);
        EXPECT_STATUS(b->alloc(shelf.pool, support_payload(inside_of(b->name), WANTED), &handle), DEFRAG_OK);
        EXPECT(offset_of(&shelf, handle) == fitting, "placed elsewhere");
        support_buffer_free(&shelf.buffer);
    }
}

/* Where there is room already: at the head of the own bin, in another bin, in the wilderness. */
static void make_room_changes_nothing_where_there_is_room(const struct defrag_build *b)
{
    static const size_t requests[] = {FITTING, WANTED, SMALL, SMALL - 1, NEXT, 40};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        struct shelf shelf;
        support_context("%s, %zu granules", b->name, requests[i]);
        shelf_open(&shelf, b, 0);
        size_t bytes = support_statistics(b, shelf.pool).pool_bytes;
        if (requests[i] == NEXT) /* All that the wilderness has. */
            (void)take(&shelf, support_statistics(b, shelf.pool).largest_fast / b->alignment - NEXT);
        /* Empty slots at the end, which nobody has to give back. */
        defrag_handle last = take(&shelf, 2);
        EXPECT_STATUS(b->free(shelf.pool, &last), DEFRAG_OK);
        unsigned char *before = malloc(bytes);
        EXPECT(before, "out of memory");
        memcpy(before, shelf.pool, bytes);
        EXPECT_STATUS(b->make_room(shelf.pool, support_payload(inside_of(b->name), requests[i])), DEFRAG_OK);
        EXPECT(memcmp(before, shelf.pool, bytes) == 0, "make_room changed the pool");
        EXPECT_STATUS(b->make_room(shelf.pool, support_statistics(b, shelf.pool).largest_fast), DEFRAG_OK);
        EXPECT(memcmp(before, shelf.pool, bytes) == 0, "make_room changed the pool for all there is");
        free(before);
        support_buffer_free(&shelf.buffer);
    }
}

/* Nor where the head of the own bin is all there is. */
static void make_room_finds_the_head_of_the_own_bin(const struct defrag_build *b)
{
    struct shelf shelf = {.b = b};
    shelf.pool = support_pool_of(b, &shelf.buffer, 200, NULL);
    defrag_handle hole = take_apart(&shelf, FITTING);
    (void)take(&shelf, support_statistics(b, shelf.pool).largest_fast / b->alignment - 6);
    defrag_handle last = take(&shelf, 2);
    EXPECT_STATUS(b->free(shelf.pool, &hole), DEFRAG_OK);
    EXPECT_STATUS(b->free(shelf.pool, &last), DEFRAG_OK);
    size_t bytes = support_statistics(b, shelf.pool).pool_bytes;
    unsigned char *before = malloc(bytes);
    EXPECT(before, "out of memory");
    memcpy(before, shelf.pool, bytes);
    EXPECT_STATUS(b->make_room(shelf.pool, support_payload(inside_of(b->name), WANTED)), DEFRAG_OK);
    EXPECT(memcmp(before, shelf.pool, bytes) == 0, "make_room changed the pool");
    free(before);
    support_buffer_free(&shelf.buffer);
}

/* The same in a pool whose wilderness is used up, the table's end being empty slots. */
static void make_room_needs_no_wilderness(const struct defrag_build *b)
{
    struct shelf shelf;
    shelf_open(&shelf, b, 0);
    defrag_handle top = take(&shelf, 2), last = take(&shelf, 2);
    EXPECT_STATUS(b->free(shelf.pool, &last), DEFRAG_OK);
    size_t left = support_statistics(b, shelf.pool).free_bytes / b->alignment - FITTING - NEXT;
    EXPECT_STATUS(b->resize(shelf.pool, top, support_payload(inside_of(b->name), 2 + left)), DEFRAG_OK);
    size_t bytes = support_statistics(b, shelf.pool).pool_bytes;
    unsigned char *before = malloc(bytes);
    EXPECT(before, "out of memory");
    memcpy(before, shelf.pool, bytes);
    EXPECT_STATUS(b->make_room(shelf.pool, support_payload(inside_of(b->name), WANTED)), DEFRAG_OK);
    EXPECT(memcmp(before, shelf.pool, bytes) == 0, "make_room changed the pool");
    free(before);
    support_buffer_free(&shelf.buffer);
}

/* However far above its own bin the only free block is. */
static void the_smallest_request_finds_any_hole(const struct defrag_build *b)
{
    for (size_t granules = inside_of(b->name)->smallest; granules <= 20000; granules += granules / 2 + 1) {
        struct shelf shelf = {.b = b};
        defrag_handle handle;
        support_context("%s, a hole of %zu granules", b->name, granules);
        shelf.pool = support_pool_of(b, &shelf.buffer, granules + 20, NULL);
        defrag_handle hole = take_apart(&shelf, granules);
        size_t place = offset_of(&shelf, hole);
        fill(&shelf);
        EXPECT_STATUS(b->free(shelf.pool, &hole), DEFRAG_OK);
        EXPECT_STATUS(b->alloc_fast(shelf.pool, 0, &handle), DEFRAG_OK);
        EXPECT(offset_of(&shelf, handle) == place, "placed elsewhere");
        EXPECT_STATUS(b->check(shelf.pool), DEFRAG_OK);
        support_buffer_free(&shelf.buffer);
    }
}

int main(void)
{
    static const struct support_test tests[] = {
        {"alloc tries four blocks of its own bin", alloc_tries_four_of_its_own_bin},
        {"alloc_fast and resize try the head of their own bin", the_others_try_the_head_of_their_own_bin},
        {"make_room moves nothing where a block fits", make_room_moves_nothing_where_a_block_fits},
        {"growth moves the fewest bytes", growth_moves_the_fewest_bytes},
        {"growth counts the block itself", growth_counts_the_block_itself},
        {"each bin is one of its own", each_bin_is_one_of_its_own},
        {"every bin above is found", every_bin_above_is_found},
        {"all of the own bin is searched", all_of_the_own_bin_is_searched},
        {"make_room changes nothing where there is room", make_room_changes_nothing_where_there_is_room},
        {"make_room finds the head of the own bin", make_room_finds_the_head_of_the_own_bin},
        {"make_room needs no wilderness", make_room_needs_no_wilderness},
        {"the smallest request finds any hole", the_smallest_request_finds_any_hole},
    };
    return support_run("placement", tests, sizeof tests / sizeof tests[0]);
}
