/* SPDX-License-Identifier: MIT */
/*
 * No program fragments a pool: those that force non-moving heaps to many times
 * what is live need exactly the live blocks and their overhead, which is the
 * rounding to granules, a header a block, a slot for each number up to the
 * highest in use, and control.
 */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#include "tools/adversary.h"

/* An adversary's pool; a unit is the least that all builds can have as a block. */
struct arena {
    const struct defrag_build *build;
    const struct inside *inside;
    struct support_buffer buffer;
    defrag_pool *pool;
    defrag_handle *handles; /* by object; null: not live */
    size_t *granules;       /* by object */
    size_t objects;
    size_t needed; /* most granules that were needed by what was live, and control, at any time */
};

enum { UNIT = 32 };

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

static size_t payload_of(const struct arena *arena, size_t units)
{
    return units * UNIT - arena->inside->header;
}

/* --- What is needed ---------------------------------------------------------------------- */

/* An entry more than slots and room for one slot always, in whole granules; and the word that ends the
 * blocks. */
static size_t table_bytes(const struct inside *inside, size_t highest)
{
    size_t slots = (highest ? highest : 1) + 1;
    return round_up(slots * inside->header, inside->granule) + inside->header;
}

static size_t needed_now(const struct arena *arena)
{
    size_t granules = 0, highest = 0;
    for (size_t i = 0; i < arena->objects; i++) {
        if (arena->handles[i].bits == 0)
            continue;
        size_t slot = arena->inside->slot_of(arena->handles[i]);
        highest = slot > highest ? slot : highest;
        granules += arena->granules[i];
    }
    size_t control = support_statistics(arena->build, arena->pool).control_bytes;
    return granules + (control + table_bytes(arena->inside, highest)) / arena->inside->granule;
}

/* --- The heap the adversary sees ----------------------------------------------------------- */

static void resized(struct arena *arena, uint32_t object, size_t units)
{
    arena->granules[object] = support_granules(arena->inside, payload_of(arena, units));
    size_t needed = needed_now(arena);
    arena->needed = needed > arena->needed ? needed : arena->needed;
}

static bool arena_alloc(void *context, uint32_t object, size_t units)
{
    struct arena *arena = context;
    defrag_status status =
        arena->build->alloc(arena->pool, payload_of(arena, units), &arena->handles[object]);
    if (status != DEFRAG_OK) {
        EXPECT_STATUS(status, DEFRAG_NO_MEMORY);
        return false;
    }
    resized(arena, object, units);
    return true;
}

static void arena_free(void *context, uint32_t object)
{
    struct arena *arena = context;
    EXPECT_STATUS(arena->build->free(arena->pool, &arena->handles[object]), DEFRAG_OK);
}

static void arena_shrink(void *context, uint32_t object, size_t units)
{
    struct arena *arena = context;
    EXPECT_STATUS(arena->build->resize(arena->pool, arena->handles[object], payload_of(arena, units)),
                  DEFRAG_OK);
    resized(arena, object, units);
}

static size_t arena_place(void *context, uint32_t object)
{
    struct arena *arena = context;
    const unsigned char *payload = arena->build->lock_shared(arena->pool, arena->handles[object]);
    EXPECT(payload, "a live block cannot be locked");
    EXPECT_STATUS(arena->build->unlock(arena->pool, arena->handles[object]), DEFRAG_OK);
    size_t control = support_statistics(arena->build, arena->pool).control_bytes;
    return ((size_t)(payload - arena->buffer.bytes) - control) / UNIT;
}

/* --- Playing --------------------------------------------------------------------------------- */

/* Whether all requests were served in a pool of so many granules; what they needed is put into `*needed`. */
static bool is_served(const struct defrag_build *build, const struct adversary *adversary, size_t most,
                      size_t largest, size_t granules, size_t *needed)
{
    struct arena arena = {.build = build, .inside = inside_of(build->name), .objects = most + 1};
    const struct adversary_heap heap = {&arena, arena_alloc, arena_free, arena_shrink, arena_place};
    struct adversary_piece *pieces = calloc(most + 1, sizeof *pieces);
    arena.handles = calloc(arena.objects, sizeof *arena.handles);
    arena.granules = calloc(arena.objects, sizeof *arena.granules);
    EXPECT(pieces && arena.handles && arena.granules, "no memory");
    arena.buffer = support_buffer_new(granules * build->alignment, 0);
    EXPECT_STATUS(build->init(&arena.pool, arena.buffer.bytes, arena.buffer.size, NULL), DEFRAG_OK);
    bool served = adversary_play(adversary, &heap, most, largest, pieces);
    EXPECT_STATUS(build->check(arena.pool), DEFRAG_OK);
    *needed = arena.needed;
    support_buffer_free(&arena.buffer);
    free(arena.handles);
    free(arena.granules);
    free(pieces);
    return served;
}

/* Pools that are just what was needed, until what is needed is all of the pool. */
static void needs_what_is_live(const struct defrag_build *build, const struct adversary *adversary,
                               size_t most, size_t largest)
{
    size_t granules = (2 * most * UNIT + 4096) / build->alignment, needed = 0;
    while (granules != needed) {
        EXPECT(is_served(build, adversary, most, largest, granules, &needed),
               "%s is refused a request in %zu granules", adversary->name, granules);
        EXPECT(needed <= granules, "%s needs %zu granules of a pool of %zu", adversary->name, needed,
               granules);
        if (needed < granules) {
            granules = needed;
            needed = 0;
        }
    }
    EXPECT(!is_served(build, adversary, most, largest, granules - 1, &needed),
           "%s is served in %zu granules, which is less than it needs", adversary->name, granules - 1);
}

static const struct adversary *adversary_find(const char *name)
{
    const struct adversary *adversary = adversaries;
    while (strcmp(adversary->name, name) != 0)
        adversary++;
    return adversary;
}

/* Also by the formula, where the peak of everything is in one moment. */
static void needs_so_many_blocks(const struct defrag_build *build, const char *name, size_t most,
                                 size_t largest, size_t blocks)
{
    struct support_buffer buffer;
    defrag_pool *pool = support_pool_of(build, &buffer, 8, NULL);
    size_t control = support_statistics(build, pool).control_bytes;
    size_t table = table_bytes(inside_of(build->name), blocks);
    size_t granules = (control + most * UNIT + table) / build->alignment, needed;
    support_buffer_free(&buffer);
    EXPECT(is_served(build, adversary_find(name), most, largest, granules, &needed) && needed == granules,
           "%s needs %zu granules, not %zu", name, needed, granules);
}

/* A quarter of the units where less effort is asked for. */
static size_t units(size_t most)
{
    return support_effort() < 100 ? most / 4 : most;
}

static void robson(const struct defrag_build *build)
{
    size_t most = units(512);
    needs_what_is_live(build, adversary_find("robson"), most, most / 8);
    needs_so_many_blocks(build, "robson", most, most / 8, most);
}

static void best_fit(const struct defrag_build *build)
{
    needs_what_is_live(build, adversary_find("best-fit"), 30 + units(60), 8 + units(8));
}

static void shrink(const struct defrag_build *build)
{
    size_t most = units(256);
    needs_what_is_live(build, adversary_find("shrink"), most, 16);
    /* When the last block comes, of 16 like the one before, all others have one unit. */
    needs_so_many_blocks(build, "shrink", most, 16, most - 2 * 16 + 2);
}

static void sawtooth(const struct defrag_build *build)
{
    size_t most = units(200);
    needs_what_is_live(build, adversary_find("sawtooth"), most, most / 10);
    needs_so_many_blocks(build, "sawtooth", most, most / 10, most);
}

int main(void)
{
    static const struct support_test tests[] = {
        {"Robson's program needs what is live", robson},
        {"the best-fit adversary needs what is live", best_fit},
        {"the shrink adversary needs what is live", shrink},
        {"the sawtooth needs what is live", sawtooth},
    };
    return support_run("promise: adversaries", tests, sizeof tests / sizeof tests[0]);
}
