/* SPDX-License-Identifier: MIT */
/*
 * The handle table: slot -> offset, generation, alignment, lock state. The only
 * place that knows the bits of entries and handles.
 *
 * The table grows down from the end of the pool. Entry 0 belongs to no block:
 * its link is the head of the list of empty slots, and no handle matches it, so
 * that the null handle needs no test of its own.
 *
 *               narrow                          wide
 *   entry       31   16 15     8 7  5   4  3..0    63    32 31  16 15 13  12  11..8 7..0
 *   in use      offset  generation align m  lock   offset   0      align  m   lock  generation
 *   empty       next    generation 0     1  0      next     0      0      1   0     generation
 *
 *   handle      31   16 15     8 7..0              31     8                    7..0
 *               slot    generation 0               slot                        generation
 *
 * `align` is the k of an alignment of g * 2^k. `lock`: 0 none, 1 to 14 shared
 * locks, 15 exclusive. The mark m, in a locked entry: compaction has left a gap
 * below the block and passed it by; see compact.c. An entry that is neither
 * locked, aligned nor empty has no mark, so that unlock's test for the common case
 * finds the marked ones at no cost. An aligned one (k > 0) always has it: so it
 * differs from every handle in a bit that no forged one brings as far, and the hot
 * paths leave such blocks to others; and unlocking one looks below it each time. The
 * generation of an empty slot is that of its next use.
 */
#ifndef DF_TABLE_H
#define DF_TABLE_H

#include "control.h"

#if DEFRAG_WIDE
#define TABLE_SLOT_SHIFT  8
#define TABLE_KEY_SHIFT   8 /* of the slot in handle_key() */
#define TABLE_SLOTS_MAX   0xffffffu
#define TABLE_GEN_SHIFT   0
#define TABLE_ALIGN_SHIFT 13
#define TABLE_MARK        0x1000u
#define TABLE_LOCK_SHIFT  8
#else
#define TABLE_SLOT_SHIFT  16
#define TABLE_KEY_SHIFT   8
#define TABLE_SLOTS_MAX   0x7fffu
#define TABLE_GEN_SHIFT   8
#define TABLE_ALIGN_SHIFT 5
#define TABLE_MARK        0x10u
#define TABLE_LOCK_SHIFT  0
#endif

#define TABLE_LOW_MASK    0xffffu /* all of an entry but its offset */
#define TABLE_GEN_MASK    (0xffu << TABLE_GEN_SHIFT)
#define TABLE_LOCK_ONE    (1u << TABLE_LOCK_SHIFT)
#define TABLE_LOCK_SHARED 14u
#define TABLE_LOCK_ALONE  15u
#define TABLE_LOCK_MASK   (15u << TABLE_LOCK_SHIFT)
#define TABLE_ALIGN_MASK  (7u << TABLE_ALIGN_SHIFT)
#define TABLE_PER_GRANULE ((uint32_t)(DF_GRANULE / DF_WORD))

/* Entries by the place of entry 0, for callers that have loaded it already. */
DF_INLINE df_word table_entry_at(const defrag_pool *pool, df_word table, uint32_t slot)
{
    return word_load(pool, (size_t)table - (size_t)slot * DF_WORD);
}

DF_INLINE void table_set_entry_at(defrag_pool *pool, df_word table, uint32_t slot, df_word entry)
{
    word_store(pool, (size_t)table - (size_t)slot * DF_WORD, entry);
}

DF_INLINE df_word table_entry(const defrag_pool *pool, uint32_t slot)
{
    return table_entry_at(pool, pool->table, slot);
}

DF_INLINE void table_set_entry(defrag_pool *pool, uint32_t slot, df_word entry)
{
    table_set_entry_at(pool, pool->table, slot, entry);
}

/* Where entry 0 lies: the last word of the pool. */
DF_INLINE df_word table_place(const defrag_pool *pool)
{
    return (df_word)(pool->granules * DF_GRANULE - DF_WORD);
}

/* Granules of the shortest table: entry 0 and slot 1. */
#define TABLE_GRANULES_MIN ((df_granules)((2 * DF_WORD + DF_GRANULE - 1) / DF_GRANULE))

DF_INLINE uint32_t table_slots(const defrag_pool *pool)
{
    return pool->slots;
}

/*
 * A handle's bits turned so that the slot stands above the generation, and any
 * spare bit that is set, which no handle has, above both; and the most that this
 * can be for slots up to `slots`.
 */
DF_INLINE uint32_t handle_key(uint32_t bits)
{
#if DEFRAG_WIDE
    return bits;
#else
    return bits >> TABLE_GEN_SHIFT | bits << (32 - TABLE_GEN_SHIFT);
#endif
}

DF_INLINE uint32_t table_limit(uint32_t slots)
{
    return ((slots + 1) << TABLE_KEY_SHIFT) - 1;
}

DF_INLINE void table_set_slots(defrag_pool *pool, uint32_t slots)
{
    pool->slots = (df_half)slots;
    if (pool->hot_limit != 0)
        pool->hot_limit = table_limit(slots);
}

/* Slots that the table can hold at its present length. */
DF_INLINE uint32_t table_capacity(const defrag_pool *pool)
{
    return ((df_granules)pool->granules - pool->floor) * TABLE_PER_GRANULE - 1;
}

/* --- Entries ------------------------------------------------------------------ */

DF_INLINE df_granules entry_offset(df_word entry)
{
    return (df_granules)(entry >> DF_HALF_BITS);
}

DF_INLINE bool entry_is_empty(df_word entry)
{
    return (entry & (TABLE_MARK | TABLE_LOCK_MASK | TABLE_ALIGN_MASK)) == TABLE_MARK;
}

/* Whether its payload is aligned to more than a granule. */
DF_INLINE bool entry_is_aligned(df_word entry)
{
    return entry & TABLE_ALIGN_MASK;
}

/* Whether it is an entry in use: neither empty, nor aligned without the mark, which none is. */
DF_INLINE bool entry_is_used(df_word entry)
{
    return entry & TABLE_MARK ? !entry_is_empty(entry) : !entry_is_aligned(entry);
}

DF_INLINE unsigned entry_lock(df_word entry)
{
    return (unsigned)(entry >> TABLE_LOCK_SHIFT) & 15u;
}

/* Whether compaction passed the block of this entry in use by, or may have, while it was locked. */
DF_INLINE bool entry_is_passed(df_word entry)
{
    return (entry & TABLE_MARK) && entry_lock(entry) != 0;
}

DF_INLINE unsigned entry_generation(df_word entry)
{
    return (unsigned)(entry >> TABLE_GEN_SHIFT) & 0xffu;
}

/* The k of the alignment. */
DF_INLINE unsigned entry_align(df_word entry)
{
    return (unsigned)(entry >> TABLE_ALIGN_SHIFT) & 7u;
}

/* Granules that a block with that alignment has more than its payload needs; see heap.h. */
DF_INLINE df_granules entry_padding(df_word entry)
{
    return ((df_granules)1 << entry_align(entry)) - 1;
}

/* The bits of an entry for an alignment of so many bytes, a power of two up to DF_LARGEST_ALIGNMENT. */
DF_INLINE df_word entry_of_alignment(size_t alignment)
{
    df_word entry = 0;
    for (size_t kept = DF_GRANULE; kept < alignment; kept *= 2)
        entry = (entry + (1u << TABLE_ALIGN_SHIFT)) | TABLE_MARK;
    return entry;
}

/* The same entry, which is locked no longer, without what only locked ones have. */
DF_INLINE df_word entry_without_mark(df_word entry)
{
    return entry_is_aligned(entry) ? entry : entry & ~(df_word)TABLE_MARK;
}

/* The same entry with another offset, or another link. */
DF_INLINE df_word entry_with_offset(df_word entry, df_granules offset)
{
    /* Clang 14 doubts that an unsigned shift is defined. */
    return (entry & TABLE_LOW_MASK) | (df_word)offset << DF_HALF_BITS; /* NOLINT(*BinaryOperatorResult) */
}

/* --- Handles ------------------------------------------------------------------- */

DF_INLINE uint32_t handle_slot(uint32_t bits)
{
    return bits >> TABLE_SLOT_SHIFT;
}

DF_INLINE defrag_handle handle_make(uint32_t slot, df_word entry)
{
    defrag_handle handle;
    handle.bits = slot << TABLE_SLOT_SHIFT | ((uint32_t)entry & TABLE_GEN_MASK);
    return handle;
}

/*
 * What the entry's low half and the handle disagree about, in the high bits of
 * the result, where a test for 0 is one instruction: 0 iff the handle is current
 * and its block is neither locked nor aligned; its lock field alone iff it is
 * current, locked, not aligned and without the mark. A forged handle must be kept
 * out by handle_is_outside() first.
 */
DF_INLINE uint32_t handle_difference(uint32_t bits, df_word entry)
{
#if DEFRAG_WIDE
    bits &= TABLE_GEN_MASK;
#endif
    uint32_t difference = (uint32_t)entry ^ bits;
    DF_ASIDE(difference);
    return difference << 16;
}

/* No slot of the table, or bits that no handle has. */
DF_INLINE bool handle_is_outside(const defrag_pool *pool, uint32_t bits)
{
    return handle_key(bits) > table_limit(table_slots(pool));
}

/* Whether the entry is in use, in the handle's generation. */
bool df_table_knows(uint32_t bits, df_word entry);

/* Whether the handle names a block, however locked and aligned; `*entry` is then its entry. */
DF_INLINE bool handle_is_current(const defrag_pool *pool, defrag_handle handle, df_word *entry)
{
    if (handle_is_outside(pool, handle.bits))
        return false;
    *entry = table_entry(pool, handle_slot(handle.bits));
    uint32_t allowed = entry_lock(*entry) ? TABLE_LOCK_MASK | TABLE_MARK : 0;
    return (handle_difference(handle.bits, *entry) & ~(allowed << 16)) == 0
           || df_table_knows(handle.bits, *entry); /* it is aligned */
}

/* --- The list of empty slots: first in, first out --------------------------------- */

/* The slot to be used next, or 0. */
DF_INLINE uint32_t table_first_empty(const defrag_pool *pool)
{
    return (uint32_t)entry_offset(table_entry(pool, 0));
}

/* Takes the first empty slot, which is `slot`, off the list; returns its entry without mark and link. */
DF_INLINE df_word table_take(defrag_pool *pool, df_word table, uint32_t slot)
{
    df_word entry = table_entry_at(pool, table, slot);
    /* An empty entry is a link, a generation and the mark: without the generation it is entry 0's. */
    table_set_entry_at(pool, table, 0, entry & ~(df_word)TABLE_GEN_MASK);
    if (entry_offset(entry) == 0)
        pool->free_tail = 0;
    return entry & TABLE_GEN_MASK;
}

/*
 * New slots begin at the furthest generation that any slot has reached. Each
 * slot sees to it every 64 generations, so that none gets further ahead of the
 * seed than that, and what is ahead can be told from what is behind.
 */
#define TABLE_SEED_MASK (0x3fu << TABLE_GEN_SHIFT)

DF_INLINE void table_pull_seed(defrag_pool *pool, unsigned generation)
{
    if (((generation - pool->seed) & 0xffu) < 128)
        pool->seed = (uint8_t)generation;
}

/* Puts a slot at the end of the list; its handle's generation has ended. */
DF_INLINE void table_give(defrag_pool *pool, df_word table, uint32_t slot, df_word entry)
{
    uint32_t tail = pool->free_tail;
    df_word next_use = (entry + ((df_word)1 << TABLE_GEN_SHIFT)) & TABLE_GEN_MASK;
    table_set_entry_at(pool, table, slot, next_use | TABLE_MARK);
    /* The last entry of the list has no link, nor has entry 0 when the list is empty. */
    table_set_entry_at(pool, table, tail, table_entry_at(pool, table, tail) | (df_word)slot << DF_HALF_BITS);
    pool->free_tail = (df_half)slot;
    if (DF_UNLIKELY((next_use & TABLE_SEED_MASK) == 0))
        table_pull_seed(pool, entry_generation(next_use));
}

/* Makes the shortest table; `slots`, `hot_limit` and `free_tail` are 0 already. */
void df_table_format(defrag_pool *pool);

/*
 * Granules that the table must grow by before a slot can be taken: 0 or 1; or
 * -1 if the layout has no further slot number.
 */
int df_table_need(const defrag_pool *pool);

/*
 * Takes a slot that was never in use since the table was last trimmed; there is
 * no empty slot, and the table is long enough. Returns the entry as table_take() does.
 */
df_word df_table_take_new(defrag_pool *pool, uint32_t *slot);

/*
 * The slots that are in use, and in `*highest` the last of them. O(S).
 */
uint32_t df_table_used(const defrag_pool *pool, uint32_t *highest);

/*
 * Gives the empty slots above the last one in use back, and the granules they
 * fill to the wilderness. Returns the number of granules. O(S).
 */
df_granules df_table_trim(defrag_pool *pool);

/* Granules of a table with that many slots. */
DF_INLINE df_granules table_granules(uint32_t slots)
{
    df_granules granules = (slots + TABLE_PER_GRANULE) / TABLE_PER_GRANULE;
    return granules < TABLE_GRANULES_MIN ? TABLE_GRANULES_MIN : granules;
}

#endif
