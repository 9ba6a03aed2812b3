/* SPDX-License-Identifier: MIT */
/*
 * The functions that walk or move, on heaps whose blocks and holes alternate: of 10,
 * 100, 1,000 and 5,000 together. And the constant ones that a program calls once.
 */
#include "counts.h"

#include <stdio.h>

#define BLOCKS_MAX 5000u
#define BLOCK      28u /* with its header four granules of 8 */

static defrag_handle blocks[BLOCKS_MAX];

/* `count` blocks of `bytes` and nothing else but the wilderness. */
static void fill(unsigned count, size_t bytes)
{
    counts_demand(!defrag_init(&pool, memory, sizeof memory, NULL), "init");
    for (unsigned i = 0; i < count; i++)
        counts_demand(!defrag_alloc_fast(pool, bytes, &blocks[i]), "fill");
}

/* Then every other is freed. */
static void build(unsigned count, size_t bytes)
{
    fill(count, bytes);
    for (unsigned i = 0; i < count; i += 2)
        counts_demand(!defrag_free(pool, &blocks[i]), "build");
}

/* Nothing is left above the last block but what the table needs for the next. */
static void close_wilderness(void)
{
    defrag_statistics statistics;
    defrag_handle handle;
    defrag_statistics_get(pool, &statistics);
    while (statistics.largest_fast > BLOCK) {
        counts_demand(!defrag_alloc_fast(pool, statistics.largest_fast, &handle), "the wilderness");
        defrag_statistics_get(pool, &statistics);
    }
}

static void print(unsigned count, const char *what, uint32_t instructions)
{
    printf("%u\t%s\t%lu\n", count, what, (unsigned long)instructions);
}

static defrag_status visit(void *context, const defrag_block *block)
{
    *(size_t *)context += block->bytes;
    return DEFRAG_OK;
}

/* Those that only look. */
static void look(unsigned count)
{
    defrag_statistics statistics;
    defrag_status status;
    uint32_t instructions;
    size_t bytes = 0;
    build(count, BLOCK);
    status = (defrag_status)COUNTED(instructions, defrag_check, pool);
    print(count, "defrag_check", instructions);
    counts_demand(!status, "check");
    (void)COUNTED(instructions, defrag_statistics_get, pool, &statistics);
    print(count, "defrag_statistics_get", instructions);
    status = (defrag_status)COUNTED(instructions, defrag_walk, pool, visit, &bytes);
    print(count, "defrag_walk, and a visitor that adds sizes", instructions);
    counts_demand(!status && bytes > 0, "walk");
    status = (defrag_status)COUNTED(instructions, defrag_attach, &pool, memory, sizeof memory, NULL);
    print(count, "defrag_attach", instructions);
    counts_demand(!status, "attach");
}

/* Those that bring in order. */
static void tidy(unsigned count)
{
    defrag_status status;
    uint32_t instructions;
    fill(count, BLOCK);
    for (unsigned i = 1; i < count; i++)
        counts_demand(!defrag_free(pool, &blocks[i]), "free");
    status = (defrag_status)COUNTED(instructions, defrag_clean, pool);
    print(count, "defrag_clean, all slots but one given back", instructions);
    counts_demand(!status, "clean");
    build(count, BLOCK);
    status = (defrag_status)COUNTED(instructions, defrag_compact, pool);
    print(count, "defrag_compact, blocks of 32 bytes", instructions);
    counts_demand(!status, "compact");
    build(count, BLOCK + 64);
    status = (defrag_status)COUNTED(instructions, defrag_compact, pool);
    print(count, "defrag_compact, blocks of 96 bytes", instructions);
    counts_demand(!status, "compact");
    build(count, BLOCK);
    status = (defrag_status)COUNTED(instructions, defrag_scramble, pool, 1);
    print(count, "defrag_scramble, blocks of 32 bytes in a pool of 512 KiB", instructions);
    counts_demand(!status, "scramble");
}

/* The costliest step of a whole compaction. */
static void steps(unsigned count, size_t budget, const char *what)
{
    uint32_t instructions, most = 0;
    defrag_status status;
    build(count, BLOCK);
    do {
        status = (defrag_status)COUNTED(instructions, defrag_compact_step, pool, budget, NULL);
        most = instructions > most ? instructions : most;
    } while (status == DEFRAG_MORE);
    counts_demand(!status, "a step");
    print(count, what, most);
}

/* No hole is large enough, and all of the pool is to be looked at. */
static void room(unsigned count)
{
    const defrag_request low = {3 * BLOCK, 1, 0, DEFRAG_PLACE_LOW};
    defrag_handle handle;
    defrag_status status;
    uint32_t instructions;
    build(count, BLOCK);
    close_wilderness();
    status = (defrag_status)COUNTED(instructions, defrag_make_room, pool, 3 * BLOCK);
    print(count, "defrag_make_room for three holes", instructions);
    counts_demand(!status, "room");
    build(count, BLOCK);
    close_wilderness();
    status = (defrag_status)COUNTED(instructions, defrag_alloc, pool, 3 * BLOCK, &handle);
    print(count, "defrag_alloc of three holes", instructions);
    counts_demand(!status, "alloc");
    status = (defrag_status)COUNTED(instructions, defrag_resize, pool, handle.bits, 4 * BLOCK + 4);
    print(count, "defrag_resize where room must be made", instructions);
    counts_demand(!status, "resize");
    build(count, BLOCK);
    close_wilderness();
    status = (defrag_status)COUNTED(instructions, defrag_alloc_request, pool, &low, &handle);
    print(count, "defrag_alloc_request, DEFRAG_PLACE_LOW, of three holes", instructions);
    counts_demand(!status, "request");
}

/* Every eighth block locked, so that no stretch between locked ones holds the request: planning has no limit.
 */
static void room_between_pins(unsigned count)
{
    defrag_status status;
    uint32_t instructions;
    build(count, BLOCK);
    close_wilderness();
    for (unsigned i = 1; i < count; i += 8)
        counts_demand(defrag_lock(pool, blocks[i]) != NULL, "lock");
    status = (defrag_status)COUNTED(instructions, defrag_make_room, pool, 5 * (BLOCK + 4) - 4);
    print(count, "defrag_make_room for five holes where four lie between two locked blocks", instructions);
    counts_demand(!status, "room between pins");
}

static void constants(void)
{
    defrag_statistics statistics;
    static unsigned char small[1024];
    defrag_pool *made;
    defrag_status status;
    uint32_t instructions;
    const char *text;
    status = (defrag_status)COUNTED(instructions, defrag_init, &made, small, sizeof small, NULL);
    print(0, "defrag_init, 1 KiB", instructions);
    status = (defrag_status)COUNTED(instructions, defrag_detach, made);
    print(0, "defrag_detach", instructions);
    text = (const char *)COUNTED(instructions, defrag_status_string, status);
    print(0, "defrag_status_string", instructions);
    counts_demand(text[0] == 'O', "a name");
    status = (defrag_status)COUNTED(instructions, defrag_init, &pool, memory, sizeof memory, NULL);
    print(0, "defrag_init, 512 KiB", instructions);
    defrag_statistics_get(pool, &statistics);
    print(0, "control block, bytes", (uint32_t)statistics.control_bytes);
    print(0, "header and slot of a block, bytes",
          (uint32_t)(statistics.header_bytes + statistics.slot_bytes));
    status = (defrag_status)COUNTED(instructions, defrag_version, 0);
    print(0, "defrag_version", instructions);
    counts_demand(status == DEFRAG_VERSION, "a version");
}

void walk_counts(void)
{
    static const unsigned counts[] = {10, 100, 1000, 5000};
    constants();
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        look(counts[i]);
        tidy(counts[i]);
        steps(counts[i], 1, "defrag_compact_step of 1 byte, the most: one block of 32 bytes");
        steps(counts[i], 1024, "defrag_compact_step of 1,024 bytes, the most");
        room(counts[i]);
        if (counts[i] >= 100)
            room_between_pins(counts[i]);
    }
}
