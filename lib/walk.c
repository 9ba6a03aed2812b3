/* SPDX-License-Identifier: MIT */
#include "heap.h"

/* Fills in the used block at `o`; false if its header and its entry disagree. */
static bool describe_used(const defrag_pool *pool, df_granules o, df_word header, defrag_block *block)
{
    if (!heap_is_owned(pool, o, header))
        return false;
    uint32_t slot = header_owner(header);
    df_word entry = table_entry(pool, slot);
    if (!heap_is_roomy(entry, header_size(header)))
        return false;
    bool exclusive = entry_lock(entry) == TABLE_LOCK_ALONE;
    block->region = DEFRAG_REGION_USED;
    block->handle = handle_make(slot, entry);
    block->payload = heap_payload(pool, entry, o);
    block->payload_bytes = heap_payload_bytes(entry, header_size(header));
    block->exclusive = exclusive;
    block->shared_locks = exclusive ? 0 : entry_lock(entry);
    return true;
}

static defrag_block region(df_granules o, df_granules size, defrag_region kind)
{
    defrag_block block = {kind, {0}, block_bytes(o) - DF_WORD, block_bytes(size), NULL, 0, 0, 0};
    return block;
}

/* Calls the visitor, which may read the payload as long as it runs. */
static defrag_status show(const defrag_pool *pool, defrag_visitor *visitor, void *context,
                          const defrag_block *block, df_word header)
{
    bool watched = DF_WATCHED && block->region == DEFRAG_REGION_USED;
    if (watched)
        watch_open(block->payload, block->payload_bytes);
    defrag_status status = visitor(context, block);
    if (watched)
        heap_watch(pool, table_entry(pool, header_owner(header)));
    return status;
}

static defrag_status walk(const defrag_pool *pool, defrag_visitor *visitor, void *context)
{
    for (df_granules o = DF_FIRST; o < pool->top;) {
        df_word header = block_header(pool, o);
        df_granules size = block_size(pool, o, header);
        if (size == 0 || size > pool->top - o)
            return DEFRAG_CORRUPT;
        defrag_block block = region(o, size, DEFRAG_REGION_FREE);
        if (header_is_used(header) && !describe_used(pool, o, header, &block))
            return DEFRAG_CORRUPT;
        defrag_status status = show(pool, visitor, context, &block, header);
        if (status != DEFRAG_OK)
            return status;
        o += size;
    }
    defrag_block block = region(pool->top, heap_wilderness(pool), DEFRAG_REGION_WILDERNESS);
    return visitor(context, &block);
}

defrag_status defrag_walk(const defrag_pool *pool, defrag_visitor *visitor, void *context)
{
    if (visitor == NULL)
        return DEFRAG_BAD_ARGUMENT;
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    heap_set_callback(pool, true);
    status = df_heap_marks_are_sound(pool) ? walk(pool, visitor, context) : DEFRAG_CORRUPT;
    heap_set_callback(pool, false);
    heap_leave(pool);
    return status;
}
