/* SPDX-License-Identifier: MIT */
#include "table.h"

void df_table_format(defrag_pool *pool)
{
    pool->table = table_place(pool);
    pool->floor = (df_half)(pool->granules - TABLE_GRANULES_MIN);
    table_set_entry(pool, 0, TABLE_MARK);
}

int df_table_need(const defrag_pool *pool)
{
    if (table_first_empty(pool))
        return 0;
    if (table_slots(pool) == TABLE_SLOTS_MAX)
        return -1;
    return table_slots(pool) < table_capacity(pool) ? 0 : 1;
}

bool df_table_knows(uint32_t bits, df_word entry)
{
    return entry_is_used(entry) && (((uint32_t)entry ^ bits) & TABLE_GEN_MASK) == 0;
}

df_word df_table_take_new(defrag_pool *pool, uint32_t *slot)
{
    uint32_t slots = table_slots(pool) + 1;
    table_set_slots(pool, slots);
    /* Every slot below is in use, so this is the number of blocks as well. */
    if (slots > pool->peak_blocks)
        pool->peak_blocks = (df_half)slots;
    *slot = slots;
    return (df_word)pool->seed << TABLE_GEN_SHIFT;
}

uint32_t df_table_used(const defrag_pool *pool, uint32_t *highest)
{
    uint32_t used = 0;
    *highest = 0;
    for (uint32_t slot = 1; slot <= table_slots(pool); slot++) {
        if (entry_is_empty(table_entry(pool, slot)))
            continue;
        used++;
        *highest = slot;
    }
    return used;
}

/*
 * Slots above `last` are forgotten. So that none of them comes back with a
 * generation it had before, new slots begin at the furthest of the generations
 * they would have had next.
 */
static void forget_generations(defrag_pool *pool, uint32_t last)
{
    for (uint32_t slot = table_slots(pool); slot > last; slot--)
        table_pull_seed(pool, entry_generation(table_entry(pool, slot)));
}

/* The list of empty slots without those above `last`; the order of the others stays. */
static void forget_links(defrag_pool *pool, uint32_t last)
{
    uint32_t kept = 0;
    for (uint32_t slot = table_first_empty(pool); slot != 0;) {
        uint32_t next = entry_offset(table_entry(pool, slot));
        if (slot <= last) {
            table_set_entry(pool, kept, entry_with_offset(table_entry(pool, kept), slot));
            kept = slot;
        }
        slot = next;
    }
    table_set_entry(pool, kept, entry_with_offset(table_entry(pool, kept), 0));
    pool->free_tail = (df_half)kept;
}

df_granules df_table_trim(defrag_pool *pool)
{
    uint32_t last = table_slots(pool);
    while (last > 0 && entry_is_empty(table_entry(pool, last)))
        last--;
    if (last == table_slots(pool))
        return 0;
    forget_generations(pool, last);
    forget_links(pool, last);
    table_set_slots(pool, last);
    df_granules floor = pool->granules - table_granules(last);
    df_granules given = floor - pool->floor;
    pool->floor = (df_half)floor;
    pool->free = (df_half)(pool->free + given);
    return given;
}
