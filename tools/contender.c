/* SPDX-License-Identifier: MIT */
#include "contender.h"

#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

struct arena {
    const struct contender *contender;
    size_t units;
    const char *reason;
    bool was_full;
    unsigned char *memory; /* NULL for a policy without contents */

    policy_heap *heap; /* of a policy  */
    size_t *offset;    /* by object    */

    defrag_pool *pool; /* of libdefrag */
    defrag_handle *handle;
    defrag_config config;

    uint64_t moved_bytes;
    uint64_t moved_blocks;
    uint64_t moved_taken; /* of the bytes, asked for already */
};

/* --- Libdefrag, what it costs ------------------------------------------------ */

enum { PROBE_BYTES = 4096, BUFFER_ALIGNMENT = 16 };

/* An empty pool and one block of no bytes tell all there is to know. */
static void build_probe(const struct contender *contender, defrag_statistics *empty, defrag_statistics *one)
{
    static const defrag_statistics none;
    void *buffer = xaligned(BUFFER_ALIGNMENT, PROBE_BYTES);
    const struct defrag_build *build = contender->build;
    defrag_pool *pool;
    defrag_handle handle;

    *empty = none;
    *one = none;
    if (build->init(&pool, buffer, PROBE_BYTES, NULL) == DEFRAG_OK) {
        build->statistics_get(pool, empty);
        if (build->alloc(pool, 0, &handle) == DEFRAG_OK) {
            build->statistics_get(pool, one);
        }
    }
    free(buffer);
}

static void build_costs(const struct contender *contender, struct contender_costs *out)
{
    defrag_statistics empty, one;

    build_probe(contender, &empty, &one);
    out->alignment = (unsigned)empty.granule_bytes;
    out->header_bytes = empty.header_bytes;
    out->slot_bytes = empty.slot_bytes;
    out->least_block_bytes = one.live_bytes;
    out->control_bytes = empty.control_bytes + empty.table_bytes;
}

static size_t build_most_units(const struct contender *contender)
{
    size_t layout = strcmp(contender->build->layout, "narrow") == 0 ? 65535 : SIZE_MAX;
    size_t most = CONTENDER_POOL_MAX / contender->alignment;
    return layout < most ? layout : most;
}

static size_t build_header_bytes(const struct contender *contender)
{
    return strcmp(contender->build->layout, "narrow") == 0 ? 4 : 8;
}

static size_t build_block_units(const struct contender *contender, size_t bytes)
{
    size_t header = build_header_bytes(contender);
    size_t least = header == contender->alignment ? 2 : 1;
    if (bytes > SIZE_MAX / 2) {
        return SIZE_MAX / 2;
    }
    size_t units = (bytes + header + contender->alignment - 1) / contender->alignment;
    return units < least ? least : units;
}

/* --- What it is ---------------------------------------------------------------- */

void contender_costs_get(const struct contender *contender, size_t units, struct contender_costs *out)
{
    const struct policy *policy = contender->policy;
    unsigned alignment = contender->alignment;

    if (!policy) {
        build_costs(contender, out);
        return;
    }
    size_t unit = policy_unit_bytes(policy, alignment);
    out->alignment = policy_alignment(policy, alignment);
    out->header_bytes = policy->header_bytes;
    out->slot_bytes = 0;
    out->least_block_bytes = policy->block_units(alignment, 0) * unit;
    out->control_bytes = policy->pool_bytes(alignment, units) - units * unit;
}

size_t contender_unit_bytes(const struct contender *contender)
{
    return contender->policy ? policy_unit_bytes(contender->policy, contender->alignment)
                             : contender->alignment;
}

size_t contender_pool_bytes(const struct contender *contender, size_t units)
{
    return contender->policy ? contender->policy->pool_bytes(contender->alignment, units)
                             : units * contender->alignment;
}

size_t contender_units(const struct contender *contender, size_t bytes)
{
    return contender->policy ? policy_units(contender->policy, contender->alignment, bytes)
                             : bytes / contender->alignment;
}

size_t contender_most_units(const struct contender *contender)
{
    return contender->policy ? contender_units(contender, CONTENDER_POOL_MAX) : build_most_units(contender);
}

size_t contender_most_blocks(const struct contender *contender)
{
    if (contender->policy) {
        return SIZE_MAX;
    }
    return strcmp(contender->build->layout, "narrow") == 0 ? 0x7fff : 0xffffff;
}

size_t contender_block_units(const struct contender *contender, size_t bytes)
{
    return contender->policy ? contender->policy->block_units(contender->alignment, bytes)
                             : build_block_units(contender, bytes);
}

/* --- Opening and closing --------------------------------------------------------- */

static void note_move(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    struct arena *arena = context;
    (void)handle;
    (void)from;
    (void)to;
    arena->moved_bytes += bytes;
    arena->moved_blocks++;
}

static bool build_open(struct arena *arena, size_t units, size_t objects, bool contents)
{
    const struct contender *contender = arena->contender;
    size_t bytes = units * contender->alignment;

    /* A buffer of whole multiples of its alignment, never empty. */
    size_t room = (bytes / BUFFER_ALIGNMENT + 1) * BUFFER_ALIGNMENT;
    arena->memory = xaligned(BUFFER_ALIGNMENT, room);
    arena->handle = xcalloc(objects, sizeof *arena->handle);
    bool manual = contender->manual || contender->compaction != COMPACTION_BEST;
    arena->config.flags = manual ? DEFRAG_MANUAL : 0;
    arena->config.on_move = contents ? note_move : NULL;
    arena->config.move_context = arena;
    return contender->build->init(&arena->pool, arena->memory, bytes, &arena->config) == DEFRAG_OK;
}

static bool policy_arena_open(struct arena *arena, size_t units, size_t objects, bool contents)
{
    const struct contender *contender = arena->contender;

    arena->offset = xcalloc(objects, sizeof *arena->offset);
    if (contents) {
        arena->memory = xcalloc(contender_pool_bytes(contender, units), 1);
    }
    arena->heap = contender->policy->open(contender->policy, contender->alignment, units, arena->memory);
    return true;
}

struct arena *arena_open(const struct contender *contender, size_t units, size_t objects, bool contents)
{
    struct arena *arena = xcalloc(1, sizeof *arena);

    arena->contender = contender;
    arena->units = units;
    arena->reason = "";
    bool opened = contender->policy ? policy_arena_open(arena, units, objects, contents)
                                    : build_open(arena, units, objects, contents);
    if (!opened) {
        arena_close(arena);
        return NULL;
    }
    return arena;
}

void arena_close(struct arena *arena)
{
    if (arena->heap) {
        arena->contender->policy->close(arena->heap);
    }
    free(arena->memory);
    free(arena->offset);
    free(arena->handle);
    free(arena);
}

/* --- Libdefrag, its calls ----------------------------------------------------------- */

static enum outcome outcome_of(struct arena *arena, defrag_status status)
{
    arena->reason = arena->contender->build->status_string(status);
    arena->was_full = status == DEFRAG_NO_MEMORY;
    switch (status) {
    case DEFRAG_OK:
        return OUTCOME_SERVED;
    case DEFRAG_NO_MEMORY:
    case DEFRAG_FRAGMENTED:
    case DEFRAG_PINNED:
    case DEFRAG_NO_HANDLES:
    case DEFRAG_BAD_SIZE:
        return OUTCOME_REFUSED;
    default:
        return OUTCOME_BROKEN;
    }
}

static defrag_status build_alloc(struct arena *arena, size_t bytes, defrag_handle *out)
{
    const struct defrag_build *build = arena->contender->build;
    defrag_status status = build->alloc(arena->pool, bytes, out);

    if (status == DEFRAG_FRAGMENTED && arena->contender->compaction == COMPACTION_FULL_SLIDE) {
        status = build->compact(arena->pool);
        return status == DEFRAG_OK ? build->alloc(arena->pool, bytes, out) : status;
    }
    return status;
}

/* Pool offsets in a policy's memory stand for addresses that are multiples of the alignment. */
static enum outcome outcome_at(struct arena *arena, uint32_t object, size_t offset)
{
    if (offset == POLICY_NONE) {
        arena->reason = "no block large enough";
        return OUTCOME_REFUSED;
    }
    arena->offset[object] = offset;
    return OUTCOME_SERVED;
}

/* --- Objects ---------------------------------------------------------------------------- */

enum outcome arena_alloc(struct arena *arena, uint32_t object, size_t bytes)
{
    const struct contender *contender = arena->contender;
    if (contender->policy) {
        return outcome_at(arena, object, contender->policy->alloc(arena->heap, bytes));
    }
    return outcome_of(arena, build_alloc(arena, bytes, &arena->handle[object]));
}

enum outcome arena_resize(struct arena *arena, uint32_t object, size_t bytes)
{
    const struct contender *contender = arena->contender;
    if (contender->policy) {
        return outcome_at(arena, object,
                          contender->policy->resize(arena->heap, arena->offset[object], bytes));
    }
    return outcome_of(arena, contender->build->resize(arena->pool, arena->handle[object], bytes));
}

enum outcome arena_free(struct arena *arena, uint32_t object)
{
    const struct contender *contender = arena->contender;
    if (contender->policy) {
        contender->policy->free(arena->heap, arena->offset[object]);
        return OUTCOME_SERVED;
    }
    return outcome_of(arena, contender->build->free(arena->pool, &arena->handle[object]));
}

enum outcome arena_lock(struct arena *arena, uint32_t object)
{
    const struct contender *contender = arena->contender;
    const void *address;
    if (contender->policy) {
        return OUTCOME_SERVED;
    }
    return outcome_of(arena, contender->build->try_lock_shared(arena->pool, arena->handle[object], &address));
}

enum outcome arena_unlock(struct arena *arena, uint32_t object)
{
    const struct contender *contender = arena->contender;
    if (contender->policy) {
        return OUTCOME_SERVED;
    }
    return outcome_of(arena, contender->build->unlock(arena->pool, arena->handle[object]));
}

unsigned char *arena_view(struct arena *arena, uint32_t object)
{
    const struct contender *contender = arena->contender;
    const void *address;
    if (contender->policy) {
        return arena->memory + arena->offset[object];
    }
    if (outcome_of(arena, contender->build->try_lock_shared(arena->pool, arena->handle[object], &address)) !=
        OUTCOME_SERVED) {
        return NULL;
    }
    return (unsigned char *)(uintptr_t)address;
}

enum outcome arena_view_end(struct arena *arena, uint32_t object)
{
    return arena_unlock(arena, object);
}

/* --- The heap as a whole -------------------------------------------------------------------- */

enum outcome arena_check(struct arena *arena)
{
    const struct contender *contender = arena->contender;
    return contender->policy ? OUTCOME_SERVED : outcome_of(arena, contender->build->check(arena->pool));
}

const char *arena_reason(const struct arena *arena)
{
    return arena->reason;
}

bool arena_was_full(const struct arena *arena)
{
    return arena->was_full;
}

size_t arena_place(struct arena *arena, uint32_t object)
{
    if (arena->contender->policy) {
        return arena->offset[object];
    }
    const unsigned char *view = arena_view(arena, object);
    arena_view_end(arena, object);
    return (size_t)(view - arena->memory);
}

enum outcome arena_compact_step(struct arena *arena, size_t bytes)
{
    size_t moved;
    if (arena->contender->policy) {
        return OUTCOME_SERVED;
    }
    defrag_status status = arena->contender->build->compact_step(arena->pool, bytes, &moved);
    return outcome_of(arena, status == DEFRAG_MORE ? DEFRAG_OK : status);
}

enum outcome arena_compact(struct arena *arena)
{
    const struct contender *contender = arena->contender;
    return contender->policy ? OUTCOME_SERVED : outcome_of(arena, contender->build->compact(arena->pool));
}

void arena_slide(struct arena *arena, size_t begin, size_t end)
{
    arena->contender->build->slide(arena->pool, begin, end);
}

bool arena_statistics(const struct arena *arena, defrag_statistics *out)
{
    if (arena->contender->policy) {
        return false;
    }
    arena->contender->build->statistics_get(arena->pool, out);
    return true;
}

bool arena_walk(const struct arena *arena, defrag_visitor *visitor, void *context)
{
    return !arena->contender->policy &&
           arena->contender->build->walk(arena->pool, visitor, context) == DEFRAG_OK;
}

void arena_moved(const struct arena *arena, uint64_t *bytes, uint64_t *blocks)
{
    *bytes = arena->moved_bytes;
    *blocks = arena->moved_blocks;
    if (arena->contender->policy) {
        struct policy_counters counters;
        arena->contender->policy->counters(arena->heap, &counters);
        *bytes = counters.moved_bytes;
        *blocks = counters.moved_blocks;
    }
}

uint64_t arena_take_moved(struct arena *arena)
{
    uint64_t bytes, blocks;
    arena_moved(arena, &bytes, &blocks);
    uint64_t news = bytes - arena->moved_taken;
    arena->moved_taken = bytes;
    return news;
}

size_t arena_metadata_bytes(const struct arena *arena)
{
    const struct contender *contender = arena->contender;
    if (contender->policy) {
        struct policy_counters counters;
        contender->policy->counters(arena->heap, &counters);
        return counters.metadata_bytes;
    }
    defrag_statistics statistics;
    contender->build->statistics_get(arena->pool, &statistics);
    return statistics.control_bytes + statistics.table_bytes +
           statistics.live_blocks * statistics.header_bytes;
}

struct policy_range arena_range(const struct arena *arena)
{
    const struct contender *contender = arena->contender;
    if (contender->policy) {
        return contender->policy->range(arena->heap);
    }
    /* Which slots a pool gives back, and when, depends on its size. */
    return (struct policy_range){arena->units, arena->units + 1};
}
