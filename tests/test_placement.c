/* SPDX-License-Identifier: MIT */
/*
 * Where a block is placed among free blocks of its own bin and of the next: the
 * head of its own bin, for defrag_alloc() up to four blocks of it, then the next.
 */
#include "support.h"

/* Granules of one bin, of a request in it that the smaller do not hold, and of the next bin. */
enum { SMALL = 13, WANTED = 14, FITTING = 16, NEXT = 17 };

struct shelf {
    const struct defrag_build *b;
    struct support_buffer buffer;
    defrag_pool *pool;
    size_t fitting; /* offsets of the free blocks */
    size_t next;
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
    shelf->fitting = offset_of(shelf, fitting);
    shelf->next = offset_of(shelf, next);
    EXPECT_STATUS(b->free(shelf->pool, &fitting), DEFRAG_OK);
    for (size_t i = 0; i < small; i++)
        EXPECT_STATUS(b->free(shelf->pool, &blocks[i]), DEFRAG_OK);
    EXPECT_STATUS(b->free(shelf->pool, &next), DEFRAG_OK);
}

/* With so many small blocks before the fitting one, whether alloc and alloc_fast find it. */
static void expect_placed(const struct defrag_build *b, size_t small, bool fast, bool in_own_bin)
{
    struct shelf shelf;
    defrag_handle handle;
    support_context("%s, %zu before it, %s", b->name, small, fast ? "alloc_fast" : "alloc");
    shelf_open(&shelf, b, small);
    size_t bytes = support_payload(inside_of(b->name), WANTED);
    EXPECT_STATUS(fast ? b->alloc_fast(shelf.pool, bytes, &handle) : b->alloc(shelf.pool, bytes, &handle),
                  DEFRAG_OK);
    EXPECT(offset_of(&shelf, handle) == (in_own_bin ? shelf.fitting : shelf.next), "placed elsewhere");
    support_buffer_free(&shelf.buffer);
}

static void alloc_tries_four_of_its_own_bin(const struct defrag_build *b)
{
    for (size_t small = 0; small < 4; small++)
        expect_placed(b, small, false, true);
    expect_placed(b, 4, false, false);
}

static void alloc_fast_tries_the_head_of_its_own_bin(const struct defrag_build *b)
{
    expect_placed(b, 0, true, true);
    expect_placed(b, 1, true, false);
}

int main(void)
{
    static const struct support_test tests[] = {
        {"alloc tries four blocks of its own bin", alloc_tries_four_of_its_own_bin},
        {"alloc_fast tries the head of its own bin", alloc_fast_tries_the_head_of_its_own_bin},
    };
    return support_run("placement", tests, sizeof tests / sizeof tests[0]);
}
