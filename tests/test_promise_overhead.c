/* SPDX-License-Identifier: MIT */
/*
 * Promise 4: header and table entry are 64 bits a block (narrow; 128 wide), all
 * told, and the table is as long as its highest live slot asks for.
 */
#include "support.h"

#include <string.h>

#define BLOCKS 600

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* The pool's bytes that `BLOCKS` blocks of that payload take away, over their payload. */
static size_t overhead(const struct defrag_build *build, size_t payload)
{
    static defrag_handle handles[BLOCKS];
    struct support_buffer buffer;
    defrag_pool *pool = support_pool_of(build, &buffer, BLOCKS * 40, NULL);
    size_t empty = support_statistics(build, pool).free_bytes;
    for (size_t i = 0; i < BLOCKS; i++)
        EXPECT_STATUS(build->alloc(pool, payload, &handles[i]), DEFRAG_OK);
    size_t taken = empty - support_statistics(build, pool).free_bytes;
    support_buffer_free(&buffer);
    /* Slot 1 is part of the empty pool's table, and the last granule of it may be begun. */
    size_t table = taken - BLOCKS * (round_up(payload + inside_of(build->name)->header, build->alignment));
    EXPECT(table <= BLOCKS * inside_of(build->name)->header, "the table takes %zu bytes for %d blocks", table,
           BLOCKS);
    return (taken + inside_of(build->name)->header + build->alignment - 1) / BLOCKS - payload;
}

static void bytes_beyond_the_payload(const struct defrag_build *build)
{
    static const size_t payloads[] = {20, 24, 100};
    static const struct {
        const char *name;
        size_t bytes[3];
    } promised[] = {
        {"n4", {8, 8, 8}}, {"n8", {8, 12, 8}}, {"n16", {16, 12, 16}}, {"w8", {20, 16, 20}}, {"w16", {20, 16, 20}},
    };
    for (size_t b = 0; b < sizeof promised / sizeof promised[0]; b++) {
        if (strcmp(promised[b].name, inside_of(build->name)->name) != 0)
            continue;
        for (size_t i = 0; i < 3; i++) {
            size_t bytes = overhead(build, payloads[i]);
            EXPECT(bytes == promised[b].bytes[i], "%zu bytes beyond a payload of %zu, not %zu", bytes,
                   payloads[i], promised[b].bytes[i]);
        }
        return;
    }
    EXPECT(false, "no promise is known for this build");
}

static void header_and_slot_have_32_bits(const struct defrag_build *build)
{
    struct support_buffer buffer;
    defrag_pool *pool = support_pool_of(build, &buffer, 20, NULL);
    defrag_statistics s = support_statistics(build, pool);
    size_t word = strcmp(build->layout, "narrow") == 0 ? 4 : 8;
    EXPECT(s.header_bytes == word && s.slot_bytes == word, "a header of %zu and a slot of %zu bytes",
           s.header_bytes, s.slot_bytes);
    support_buffer_free(&buffer);
}

static size_t table_bytes(const struct defrag_build *build, const defrag_pool *pool)
{
    return support_statistics(build, pool).table_bytes;
}

/* Grows with each slot that is needed, and no sooner. */
static void table_grows_on_demand(const struct defrag_build *build)
{
    static defrag_handle handles[BLOCKS];
    struct support_buffer buffer;
    defrag_pool *pool = support_pool_of(build, &buffer, BLOCKS * 10, NULL);
    size_t word = support_statistics(build, pool).slot_bytes;
    size_t start = table_bytes(build, pool);
    EXPECT(start <= round_up(2 * word, build->alignment) + word, "an empty pool has a table of %zu bytes",
           start);
    for (size_t i = 0; i < BLOCKS; i++) {
        size_t before = table_bytes(build, pool);
        EXPECT_STATUS(build->alloc(pool, 1, &handles[i]), DEFRAG_OK);
        size_t expected = round_up((i + 2) * word, build->alignment) - round_up(2 * word, build->alignment);
        EXPECT(table_bytes(build, pool) == start + expected, "%zu blocks: a table of %zu bytes, it was %zu",
               i + 1, table_bytes(build, pool), before);
    }
    /* Slots below the highest live one are used again before the table grows. */
    size_t full = table_bytes(build, pool);
    for (size_t i = 0; i < BLOCKS; i += 3)
        EXPECT_STATUS(build->free(pool, &handles[i]), DEFRAG_OK);
    for (size_t i = 0; i < BLOCKS; i += 3)
        EXPECT_STATUS(build->alloc(pool, 1, &handles[i]), DEFRAG_OK);
    EXPECT(table_bytes(build, pool) == full, "the table grew where empty slots were");
    support_buffer_free(&buffer);
}

/* What gives empty slots back: clean, compact, and the slow path of alloc. */
static void table_shrinks(const struct defrag_build *build)
{
    static defrag_handle handles[BLOCKS];
    for (int how = 0; how < 3; how++) {
        struct support_buffer buffer;
        defrag_pool *pool = support_pool_of(build, &buffer, BLOCKS * 10, NULL);
        defrag_statistics fresh = support_statistics(build, pool);
        for (size_t i = 0; i < BLOCKS; i++)
            EXPECT_STATUS(build->alloc(pool, 1, &handles[i]), DEFRAG_OK);
        size_t full = table_bytes(build, pool);
        for (size_t i = BLOCKS; i-- > 2;) {
            EXPECT_STATUS(build->free(pool, &handles[i]), DEFRAG_OK);
            EXPECT(table_bytes(build, pool) == full, "free gives slots back");
        }
        EXPECT_STATUS(build->free(pool, &handles[0]), DEFRAG_OK);
        if (how == 0)
            EXPECT_STATUS(build->clean(pool), DEFRAG_OK);
        else if (how == 1)
            EXPECT_STATUS(build->compact(pool), DEFRAG_OK);
        else
            EXPECT_STATUS(build->alloc(pool, fresh.largest_certain, &handles[3]), DEFRAG_NO_MEMORY);
        defrag_statistics s = support_statistics(build, pool);
        size_t word = s.slot_bytes;
        EXPECT(s.slots == 2 && s.table_bytes == round_up(3 * word, build->alignment) + word,
               "one block in slot 2: %zu slots, a table of %zu bytes", s.slots, s.table_bytes);
        EXPECT_STATUS(build->free(pool, &handles[1]), DEFRAG_OK);
        EXPECT_STATUS(build->clean(pool), DEFRAG_OK);
        s = support_statistics(build, pool);
        EXPECT(s.free_bytes == fresh.free_bytes && s.table_bytes == fresh.table_bytes && s.slots == 0,
               "all is free and clean, and %zu of %zu bytes are free", s.free_bytes, fresh.free_bytes);
        support_buffer_free(&buffer);
    }
}

/* The pool filled to the last granule holds exactly what the arithmetic says. */
static void payload_in_a_full_pool(const struct defrag_build *build)
{
    struct support_buffer buffer;
    const struct inside *inside = inside_of(build->name);
    defrag_pool *pool = support_pool_of(build, &buffer, 1000, NULL);
    size_t blocks = 0;
    defrag_handle handle;
    while (build->alloc(pool, 20, &handle) == DEFRAG_OK)
        blocks++;
    size_t block = round_up(20 + inside->header, build->alignment);
    size_t fits = 0;
    while ((fits + 1) * block + round_up((fits + 2) * inside->header, build->alignment)
           <= 1000 * build->alignment + round_up(2 * inside->header, build->alignment))
        fits++;
    EXPECT(blocks == fits, "%zu blocks of 20 bytes where %zu fit", blocks, fits);
    support_buffer_free(&buffer);
}

int main(void)
{
    static const struct support_test tests[] = {
        {"bytes beyond a payload of 20, 24 and 100", bytes_beyond_the_payload},
        {"header and slot have a word each", header_and_slot_have_32_bits},
        {"the table grows on demand", table_grows_on_demand},
        {"the table shrinks to its highest live slot", table_shrinks},
        {"a full pool holds all that is physically possible", payload_in_a_full_pool},
    };
    return support_run("promise 4: 64 bits a block", tests, sizeof tests / sizeof tests[0]);
}
