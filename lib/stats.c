/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "room.h"

/* The largest payload of a block of `size` granules, 0 if that is less than a block. */
static size_t largest_payload(df_granules size)
{
    return size < BLOCK_MIN ? 0 : block_payload_bytes(size);
}

/* What defrag_alloc_fast() serves: the head of the fullest bin, or the wilderness. */
static size_t largest_fast(const defrag_pool *pool)
{
    int grow = df_table_need(pool);
    df_granules wilderness = heap_wilderness(pool);
    if (grow < 0 || wilderness < (df_granules)grow)
        return 0;
    df_granules largest = wilderness - (df_granules)grow;
    if (pool->map) {
        unsigned last = DF_BIN_LAST;
        while (!(pool->map & bins_bit(last)))
            last--;
        df_granules head = links_size(block_links(pool, bins_head(pool, last)));
        largest = head > largest ? head : largest;
    }
    return largest_payload(largest);
}

/*
 * What defrag_alloc() serves: the largest sum of gaps between locked blocks,
 * with the table as it will be once its empty end is given back.
 */
static size_t largest_certain(const defrag_pool *pool, uint32_t used, uint32_t highest)
{
    if (used == TABLE_SLOTS_MAX)
        return 0;
    df_granules table = (df_granules)pool->granules - pool->floor;
    df_granules trimmed = table_granules(highest);
    uint32_t capacity = trimmed * TABLE_PER_GRANULE - 1;
    df_granules grow = 0;
    if (used == capacity)
        grow = 1;
    return largest_payload(df_largest_sum(pool, table - trimmed, grow));
}

static size_t count_locked(const defrag_pool *pool)
{
    size_t locked = 0;
    for (uint32_t slot = 1; slot <= table_slots(pool); slot++)
        locked += entry_lock(table_entry(pool, slot)) != 0 ? 1u : 0u;
    return locked;
}

static size_t count_free_blocks(const defrag_pool *pool)
{
    size_t blocks = 0;
    for (df_granules o = DF_FIRST; o < pool->top;) {
        df_word header = block_header(pool, o);
        blocks += header_is_used(header) ? 0u : 1u;
        o += block_size(pool, o, header);
    }
    return blocks;
}

static void fill_in(const defrag_pool *pool, defrag_statistics *out)
{
    uint32_t highest;
    uint32_t used = df_table_used(pool, &highest);

    out->pool_bytes = block_bytes(pool->granules);
    out->skipped_bytes = pool->skipped;
    out->control_bytes = block_bytes(DF_FIRST) - DF_WORD;
    out->table_bytes = block_bytes((df_granules)pool->granules - pool->floor) + DF_WORD;
    out->granule_bytes = DF_GRANULE;
    out->header_bytes = DF_WORD;
    out->slot_bytes = DF_WORD;
    out->live_bytes = block_bytes((df_granules)pool->floor - DF_FIRST - pool->free);
    out->live_blocks = used;
    out->locked_blocks = count_locked(pool);
    out->free_bytes = block_bytes(pool->free);
    out->free_blocks = count_free_blocks(pool);
    out->largest_fast = largest_fast(pool);
    out->largest_certain = largest_certain(pool, used, highest);
    out->peak_live_bytes = block_bytes(heap_peak_live(pool));
    out->fewest_free_bytes = block_bytes(heap_fewest_free(pool));
    out->peak_live_blocks = pool->peak_blocks;
    out->slots = table_slots(pool);
    out->failed_no_memory = pool->failed[0];
    out->failed_fragmented = pool->failed[1];
    out->failed_pinned = pool->failed[2];
    out->failed_no_handles = pool->failed[3];
    out->failed_bad_size = pool->failed[4];
    out->moved_blocks = pool->moved_blocks;
    out->moved_bytes = (uint64_t)pool->moved_granules * DF_GRANULE;
}

void defrag_statistics_get(const defrag_pool *pool, defrag_statistics *out)
{
    if (out == NULL)
        return;
    (void)memset(out, 0, sizeof *out);
    if (df_heap_enter(pool) != DEFRAG_OK)
        return;
    if (check_is_passed(pool))
        fill_in(pool, out);
    heap_leave(pool);
}
