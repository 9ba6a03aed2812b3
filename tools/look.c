/* SPDX-License-Identifier: MIT */
#include "look.h"

struct tally {
    struct look *look;
    uint64_t stretch; /* free bytes up to here */
};

static enum heap_kind kind_of(const defrag_block *block)
{
    if (block->region != DEFRAG_REGION_USED) {
        return HEAP_FREE;
    }
    return block->shared_locks || block->exclusive ? HEAP_LOCKED : heap_kind_of(block->bytes);
}

static defrag_status visit(void *context, const defrag_block *block)
{
    struct tally *tally = context;
    struct look *look = tally->look;
    enum heap_kind kind = kind_of(block);

    heap_map_add(&look->map, block->offset, block->bytes, kind);
    if (kind != HEAP_FREE) {
        look->live_bytes += block->bytes;
        tally->stretch = 0;
        return DEFRAG_OK;
    }
    look->free_bytes += block->bytes;
    tally->stretch += block->bytes;
    if (tally->stretch > look->largest_free) {
        look->largest_free = tally->stretch;
    }
    return DEFRAG_OK;
}

bool look_take(struct look *look, const struct arena *arena)
{
    defrag_statistics *statistics = &look->statistics;
    struct tally tally = {look, 0};

    if (!arena_statistics(arena, statistics)) {
        return false;
    }
    heap_map_clear(&look->map);
    look->live_bytes = look->free_bytes = look->largest_free = 0;
    look->map.bytes = statistics->pool_bytes;
    look->map.granule = (unsigned)statistics->granule_bytes;
    heap_map_add(&look->map, 0, statistics->control_bytes, HEAP_OVERHEAD);
    arena_walk(arena, visit, &tally);
    heap_map_add(&look->map, statistics->pool_bytes - statistics->table_bytes, statistics->table_bytes,
                 HEAP_OVERHEAD);
    return true;
}

void look_release(struct look *look)
{
    heap_map_release(&look->map);
}
