/* SPDX-License-Identifier: MIT */
#include "heap.h"

/* What every call relies on: the marks, and what is computed with them. O(1). */
static bool control_is_sound(const defrag_pool *pool)
{
    df_granules blocks = (df_granules)pool->floor - DF_FIRST;
    return df_heap_marks_are_sound(pool) && pool->cursor >= DF_FIRST && pool->cursor <= pool->top
           && pool->hole_bound <= heap_capacity(pool) && pool->free >= heap_wilderness(pool)
           && pool->free <= blocks && pool->free_lowest <= pool->free && pool->free_tail <= table_slots(pool)
           && (table_entry(pool, 0) & DF_HALF_MAX) == TABLE_MARK;
}

defrag_status df_heap_enter(const defrag_pool *pool)
{
    if (pool == NULL || (DEFRAG_DEBUG && (pool->busy & DF_BUSY_CALLBACK)))
        return DEFRAG_BAD_ARGUMENT;
    const defrag_config *config = heap_config(pool);
    if (config && config->enter)
        config->enter(config->section_context);
    if (DEFRAG_HARDENING && !control_is_sound(pool)) {
        heap_leave(pool);
        return DEFRAG_CORRUPT;
    }
    return DEFRAG_OK;
}

/* The counter of a status; -1 for those that are not counted. */
static int failure_index(defrag_status status)
{
    switch (status) {
    case DEFRAG_NO_MEMORY: return 0;
    case DEFRAG_FRAGMENTED: return 1;
    case DEFRAG_PINNED: return 2;
    case DEFRAG_NO_HANDLES: return 3;
    case DEFRAG_BAD_SIZE: return 4;
    default: return -1;
    }
}

void df_heap_refuse(defrag_pool *pool, defrag_status status)
{
    int index = failure_index(status);
    if (index >= 0 && pool->failed[index] != UINT32_MAX)
        pool->failed[index]++;
}

void df_heap_take(defrag_pool *pool, df_granules o, df_granules size)
{
    if (o == pool->top)
        (void)heap_take_top(pool, size);
    else
        heap_take(pool, o, size);
}

void df_heap_give(defrag_pool *pool, df_granules o, df_granules size, df_word header)
{
    heap_give(pool, o, size, header);
}

df_granules df_heap_search(const defrag_pool *pool, df_granules size)
{
    unsigned bin = bins_of(size);
    df_granules o = heap_find(pool, size, bin, 1);
    if (o)
        return o;
    df_granules sentinel = bins_sentinel(bin);
    for (o = bins_head(pool, bin); o != sentinel; o = links_next(block_links(pool, o))) {
        if (links_size(block_links(pool, o)) >= size)
            return o;
    }
    return 0;
}

df_granules df_heap_room(const defrag_pool *pool, df_granules size)
{
    df_granules o = df_heap_search(pool, size);
    return o == 0 && heap_wilderness(pool) >= size ? pool->top : o;
}

/* Keeps the peaks before the table's length, which free_lowest is relative to, changes. */
static void fold_peaks(defrag_pool *pool)
{
    pool->peak_live = (df_half)heap_peak_live(pool);
    pool->fewest_free = (df_half)heap_fewest_free(pool);
}

void df_heap_trim(defrag_pool *pool)
{
    fold_peaks(pool);
    if (df_table_trim(pool))
        pool->free_lowest = pool->free;
}

df_word df_heap_take_slot(defrag_pool *pool, uint32_t *slot)
{
    *slot = table_first_empty(pool);
    if (*slot)
        return table_take(pool, pool->table, *slot);
    if (table_slots(pool) >= table_capacity(pool)) {
        fold_peaks(pool);
        pool->floor--;
        pool->free--;
        pool->free_lowest = pool->free;
    }
    return df_table_take_new(pool, slot);
}

bool df_heap_marks_are_sound(const defrag_pool *pool)
{
    df_granules granules = pool->granules;
    return table_slots(pool) <= TABLE_SLOTS_MAX && table_granules(table_slots(pool)) < granules
           && pool->floor == granules - table_granules(table_slots(pool)) && pool->top <= pool->floor
           && pool->top >= DF_FIRST && pool->table == table_place(pool);
}
