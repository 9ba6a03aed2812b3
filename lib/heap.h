/* SPDX-License-Identifier: MIT */
/*
 * The private heap: granules taken and given back, with split and coalesce, the
 * counters that go with it, and the way into and out of the critical section.
 * It knows neither requests nor handles' locks.
 */
#ifndef DF_HEAP_H
#define DF_HEAP_H

#include "bins.h"
#include "table.h"

/* --- Entering and leaving ---------------------------------------------------------- */

/* Every pool is aligned to that much, and on some machines a pointer to no more. */
typedef const defrag_config *heap_config_alias __attribute__((may_alias, aligned(4)));

DF_INLINE const defrag_config *heap_config(const defrag_pool *pool)
{
    return *(const heap_config_alias *)(const void *)pool->host;
}

/*
 * What the hot paths ask first: whether the pool is plain, which is one without a
 * configuration: no hooks to call, no flag to heed. `hot_limit` is 0 in any other,
 * so that one comparison tells; a null pool is not plain, nor is any where each
 * call has to look at more. Limit and table stand side by side and are loaded
 * together, where a machine can do that.
 */
DF_INLINE bool heap_load_limit(const defrag_pool *pool, uint32_t *limit, df_word *table)
{
    /* NOLINTNEXTLINE(misc-redundant-expression): two macros that happen to be both 0 or both 1 */
    if (DEFRAG_DEBUG || DEFRAG_HARDENING || DF_UNLIKELY(pool == NULL))
        return false;
    *limit = pool->hot_limit;
    *table = pool->table;
    return true;
}

/* What it is by rights. */
DF_INLINE uint32_t heap_hot_limit(const defrag_pool *pool)
{
    return heap_config(pool) == NULL ? table_limit(table_slots(pool)) : 0;
}

DF_INLINE bool heap_is_plain(const defrag_pool *pool, df_word *table)
{
    uint32_t limit;
    return heap_load_limit(pool, &limit, table) && limit != 0;
}

/* The same, and the handle's slot is in the table. The null handle may pass; it matches no entry. */
DF_INLINE bool heap_is_hot(const defrag_pool *pool, uint32_t bits, df_word *table)
{
    uint32_t limit;
    return heap_load_limit(pool, &limit, table) && handle_key(bits) <= limit;
}

/*
 * Begins a call: DEFRAG_BAD_ARGUMENT for a null pool, or from inside a callback;
 * DEFRAG_CORRUPT, in a hardened build, if the control block is damaged.
 */
defrag_status df_heap_enter(const defrag_pool *pool);

DF_INLINE void heap_leave(const defrag_pool *pool)
{
    const defrag_config *config = heap_config(pool);
    if (config && config->leave)
        config->leave(config->section_context);
}

DF_INLINE bool heap_is_manual(const defrag_pool *pool)
{
    const defrag_config *config = heap_config(pool);
    return config && (config->flags & DEFRAG_MANUAL);
}

/*
 * Says that a callback runs, in which no call is legal. Only a debug build looks:
 * before entering the critical section others may be in it, and a callback of
 * theirs must not refuse a call that is only waiting.
 */
DF_INLINE void heap_set_callback(const defrag_pool *pool, bool on)
{
#if DEFRAG_DEBUG
    defrag_pool *writable = (defrag_pool *)(uintptr_t)pool;
    writable->busy = (uint8_t)(on ? pool->busy | DF_BUSY_CALLBACK : pool->busy & ~DF_BUSY_CALLBACK);
#else
    (void)pool;
    (void)on;
#endif
}

/* --- Measures ------------------------------------------------------------------------ */

DF_INLINE df_granules heap_wilderness(const defrag_pool *pool)
{
    return (df_granules)pool->floor - pool->top;
}

/* The largest block of an empty pool. */
DF_INLINE df_granules heap_capacity(const defrag_pool *pool)
{
    return (df_granules)pool->granules - TABLE_GRANULES_MIN - DF_FIRST;
}

/* The size of a block with `bytes` of payload; 0 if no pool of this length holds it. */
DF_INLINE df_granules heap_granules(const defrag_pool *pool, size_t bytes)
{
    if (bytes > block_bytes(heap_capacity(pool)))
        return 0;
    df_granules size = block_granules(bytes);
    return size <= heap_capacity(pool) ? size : 0;
}

/* Whether all free memory is in one piece already. */
DF_INLINE bool heap_is_compact(const defrag_pool *pool)
{
    return pool->free == heap_wilderness(pool);
}

/* Whether the used block at `o` and an entry in use point at each other. */
DF_INLINE bool heap_is_owned(const defrag_pool *pool, df_granules o, df_word header)
{
    uint32_t slot = header_owner(header);
    if (slot == 0 || slot > table_slots(pool))
        return false;
    df_word entry = table_entry(pool, slot);
    return !entry_is_empty(entry) && entry_offset(entry) == o;
}

/* The same, of the offset that the entry of `slot` holds. */
DF_INLINE bool heap_is_owner(const defrag_pool *pool, df_granules o, uint32_t slot)
{
    return block_is_inside(pool, o) && header_owner(block_header(pool, o)) == slot;
}

/* --- Payloads --------------------------------------------------------------------------- */

/*
 * A block aligned to g * 2^k has 2^k - 1 granules more than its payload needs, as
 * long as it lives: so wherever it lies, the payload has room from the first aligned
 * address on. What is left of them is behind it.
 *
 *   [ header | lead | payload ................ | rest ]
 *            o      aligned
 *
 * So blocks of any alignment are placed, moved and counted alike, and only who
 * touches a payload knows the difference.
 */

/* Bytes from the offset `o` of a block with such an entry to its payload. */
DF_INLINE size_t heap_lead(const defrag_pool *pool, df_word entry, df_granules o)
{
    return (0u - (uintptr_t)block_payload(pool, o)) & (((uintptr_t)DF_GRANULE << entry_align(entry)) - 1);
}

/* The payload of a block with such an entry, if it is at `o` and has `size` granules: where, and its bytes. */
DF_INLINE uint8_t *heap_payload(const defrag_pool *pool, df_word entry, df_granules o)
{
    uint8_t *payload = block_payload(pool, o);
    return DF_LIKELY(!entry_is_aligned(entry)) ? payload : payload + heap_lead(pool, entry, o);
}

DF_INLINE size_t heap_payload_bytes(df_word entry, df_granules size)
{
    return block_payload_bytes(DF_LIKELY(!entry_is_aligned(entry)) ? size : size - entry_padding(entry));
}

/* Whether a block of `size` granules has room for the payload that its entry asks for. */
DF_INLINE bool heap_is_roomy(df_word entry, df_granules size)
{
    return size >= BLOCK_MIN + entry_padding(entry);
}

/* Whether the payload, as an entry and a header say that may be damaged, lies in the pool. */
DF_INLINE bool heap_payload_fits(const defrag_pool *pool, df_word entry, df_granules o, df_granules size)
{
    return size - 1 < (df_granules)pool->granules - o && heap_is_roomy(entry, size);
}

/* Opens it to the user, or closes it: see watch.h. */
DF_INLINE void heap_open(const defrag_pool *pool, df_word entry, df_granules o, df_granules size)
{
    if (DF_WATCHED && heap_payload_fits(pool, entry, o, size))
        watch_open(heap_payload(pool, entry, o), heap_payload_bytes(entry, size));
}

DF_INLINE void heap_close(const defrag_pool *pool, df_word entry, df_granules o, df_granules size)
{
    if (DF_WATCHED && heap_payload_fits(pool, entry, o, size)) {
        const uint8_t *payload = heap_payload(pool, entry, o);
        /* Together with a header that shares 8 bytes with the first of the payload. */
        size_t shared = DF_GRANULE < 8 ? (uintptr_t)payload % 8 : 0;
        watch_close(payload - shared, heap_payload_bytes(entry, size) + shared);
    }
}

/* Opens the block of this entry to the user if it is locked, else closes it. */
DF_INLINE void heap_watch(const defrag_pool *pool, df_word entry)
{
    df_granules o = entry_offset(entry); /* NOLINT(*DeadStores): only where the pool is watched it is read */
    if (DF_WATCHED && block_is_inside(pool, o) && o < pool->granules) {
        df_granules size = header_size(block_header(pool, o));
        if (entry_lock(entry) != 0)
            heap_open(pool, entry, o, size);
        else
            heap_close(pool, entry, o, size);
    }
}

/* `size` more granules are used now. */
DF_INLINE void heap_note_used(defrag_pool *pool, df_granules size)
{
    df_granules free = (df_granules)pool->free - size;
    pool->free = (df_half)free;
    if (free < pool->free_lowest)
        pool->free_lowest = (df_half)free;
}

/* Compaction must look again from `o` on: something there changed. See compact.c. */
DF_INLINE void heap_lower_cursor(defrag_pool *pool, df_granules o)
{
    if (o < pool->cursor)
        pool->cursor = (df_half)o;
}

/* Counts a refused request. */
void df_heap_refuse(defrag_pool *pool, defrag_status status);

/*
 * Whether the marks lie in order inside the pool's length, which is trusted.
 * Where they do not, no block and no entry can be looked at.
 */
bool df_heap_marks_are_sound(const defrag_pool *pool);

/* --- Taking and giving ----------------------------------------------------------------- */

/* A free block in a bin, and its links. */
struct heap_hole {
    df_granules o;
    df_word links;
};

/*
 * Whether there is a free block of `size` granules: in the request's own bin among
 * the first `tries`, then the head of the next bin that is not empty.
 */
DF_INLINE bool heap_find_hole(const defrag_pool *pool, df_granules size, unsigned bin, unsigned tries,
                              struct heap_hole *hole)
{
    df_granules sentinel = bins_sentinel(bin);
    hole->o = bins_head(pool, bin);
    for (unsigned i = 0; i < tries && hole->o != sentinel; i++) {
        hole->links = block_links(pool, hole->o);
        if (links_size(hole->links) >= size)
            return true;
        hole->o = links_next(hole->links);
    }
    unsigned above = bins_above(pool->map, bin);
    if (above == 0)
        return false;
    hole->o = bins_head(pool, above);
    hole->links = block_links(pool, hole->o);
    return true;
}

/* The same; where it is, or 0. */
DF_INLINE df_granules heap_find(const defrag_pool *pool, df_granules size, unsigned bin, unsigned tries)
{
    struct heap_hole hole;
    return heap_find_hole(pool, size, bin, tries, &hole) ? hole.o : 0;
}

/* Makes what is left behind the taken [o, o + size) of a hole a free block. */
DF_INLINE void heap_take_rest(defrag_pool *pool, df_map map, df_granules o, df_granules size,
                              df_granules rest)
{
    if (rest)
        bins_link(pool, &map, o + size, rest);
    else
        block_set_prev_used(pool, o + size);
    pool->map = map;
    heap_note_used(pool, size);
}

/*
 * Takes the first `size` granules of the free block at `o`, which is at least as
 * large; the rest becomes a free block. The caller writes the header.
 *
 *   [ free             ][ used ]  ->  [ taken ][ free ][ used ]
 */
DF_INLINE void heap_take(defrag_pool *pool, df_granules o, df_granules size)
{
    df_map map = pool->map;
    df_granules rest = bins_unlink(pool, &map, o, block_header(pool, o)) - size;
    heap_take_rest(pool, map, o, size, rest);
}

/* The same of a hole in a bin, whose former header is at hand and may be overwritten already. */
DF_INLINE void heap_take_hole(defrag_pool *pool, const struct heap_hole *hole, df_word header,
                              df_granules size)
{
    df_map map = pool->map;
    bins_unlink_node(pool, &map, header, hole->links);
    heap_take_rest(pool, map, hole->o, size, links_size(hole->links) - size);
}

/* Takes `size` granules of the wilderness, which has as many; returns where. */
DF_INLINE df_granules heap_take_top(defrag_pool *pool, df_granules size)
{
    df_granules o = pool->top;
    block_set_top(pool, o + size);
    heap_note_used(pool, size);
    return o;
}

/*
 * Makes [o, o + size) free, where a used block or a part of one ended; the
 * block before it is free iff `header`, that of the used block at `o`, says so.
 *
 *   [ free ][ o ][ free ]  ->  [ free             ]
 *   [ free ][ o ] top      ->  top
 */
DF_INLINE void heap_give(defrag_pool *pool, df_granules o, df_granules size, df_word header)
{
    df_map map = pool->map;
    df_granules next = o + size;
    pool->free = (df_half)(pool->free + size);
    if (header & BLOCK_PREV_FREE) {
        o -= block_size_before(pool, o);
        size += bins_unlink(pool, &map, o, block_header(pool, o));
    }
    heap_lower_cursor(pool, o);
    /* Only now: unlinking may have changed it. */
    df_word next_header = block_header(pool, next);
    if (header_is_used(next_header)) {
        block_set_header(pool, next, next_header | BLOCK_PREV_FREE);
    } else if (header_is_top(next_header)) {
        block_set_top(pool, o);
        pool->map = map;
        return;
    } else {
        size += bins_unlink(pool, &map, next, next_header);
    }
    bins_link(pool, &map, o, size);
    pool->map = map;
}

/* The same, shared by everything but the hot paths; what is taken at the top is of the wilderness. */
void df_heap_take(defrag_pool *pool, df_granules o, df_granules size);
void df_heap_give(defrag_pool *pool, df_granules o, df_granules size, df_word header);

/*
 * A free block of `size` granules wherever there is one: heap_find(), and then
 * all of the request's own bin. 0 if there is none. O(blocks of that bin).
 */
df_granules df_heap_search(const defrag_pool *pool, df_granules size);

/* The same, or the top if the wilderness has as many. */
df_granules df_heap_room(const defrag_pool *pool, df_granules size);

/* df_table_trim(), and what the counters make of it. O(S). */
void df_heap_trim(defrag_pool *pool);

/*
 * Takes a slot; returns its entry, without offset. If df_table_need() is 1 the
 * wilderness must have a granule to give.
 */
df_word df_heap_take_slot(defrag_pool *pool, uint32_t *slot);

/* The most live granules and the least free ones, ever. */
DF_INLINE df_granules heap_peak_live(const defrag_pool *pool)
{
    df_granules peak = (df_granules)pool->floor - DF_FIRST - pool->free_lowest;
    return peak > pool->peak_live ? peak : pool->peak_live;
}

DF_INLINE df_granules heap_fewest_free(const defrag_pool *pool)
{
    return pool->free_lowest < pool->fewest_free ? pool->free_lowest : pool->fewest_free;
}

#endif
