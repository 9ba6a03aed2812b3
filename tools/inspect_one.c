/* SPDX-License-Identifier: MIT */
/*
 * Compiled once for each build, with its DEFRAG_PREFIX: what an image of that
 * build says. The length was compared with the bytes that are there; all else may
 * be anything, and is looked at only where it lies between control block and end.
 *
 * The walk goes on where it meets damage, as far as that makes sense; what it
 * notes then is not the first fault, and so is dropped.
 */
#include "heap.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

struct look {
    const defrag_pool *pool;
    struct inspection *out;
    uint32_t slots;    /* that can be read                            */
    df_granules floor; /* where the table of so many slots begins     */
    df_granules end;   /* of the blocks: top, or floor if top is none */
    uint32_t used_blocks;
    df_granules free; /* in free blocks */
    bool cursor_seen;
    size_t claim; /* the first of an offset not yet passed */
};

#define NOTE(look, at, ...)    inspect_note((look)->out, at, __VA_ARGS__)
#define AT(member)             offsetof(defrag_pool, member)
#define FIELD(look, name, ...) inspect_add_field((look)->out, name, __VA_ARGS__)

static uint64_t payload_at(df_granules o)
{
    return block_bytes(o);
}

static uint64_t header_at(df_granules o)
{
    return block_bytes(o) - DF_WORD;
}

static uint64_t entry_at(const struct look *look, uint32_t slot)
{
    return (uint64_t)table_place(look->pool) - (uint64_t)slot * DF_WORD;
}

static df_word entry_of(const struct look *look, uint32_t slot)
{
    return word_load(look->pool, (size_t)entry_at(look, slot));
}

/* --- Whose it is -------------------------------------------------------------------- */

static enum inspect_origin origin(const uint8_t *bytes, size_t count)
{
    struct defrag_pool front;
    if (count < AT(hot_limit))
        return ORIGIN_NONE;
    (void)memcpy(&front, bytes, AT(hot_limit));
    if (front.magic == __builtin_bswap32(DF_MAGIC))
        return ORIGIN_SWAPPED;
    if (front.magic != DF_MAGIC)
        return ORIGIN_NONE;
    if (front.version != DF_IMAGE_VERSION)
        return ORIGIN_VERSION;
    return front.wide == DEFRAG_WIDE && front.alignment == DEFRAG_ALIGNMENT ? ORIGIN_OURS : ORIGIN_OTHER;
}

static void settle(defrag_pool *pool)
{
    (void)memset(pool->host, 0, sizeof pool->host);
    pool->hot_limit = heap_hot_limit(pool);
}

static uint64_t length(const defrag_pool *pool)
{
    return block_bytes(pool->granules);
}

static uint64_t base(const defrag_pool *pool, uint64_t *modulus)
{
    *modulus = DF_LARGEST_ALIGNMENT;
    return pool->base;
}

/* --- The control block ----------------------------------------------------------------- */

static void list_control(struct look *look)
{
    const defrag_pool *pool = look->pool;
    FIELD(look, "image_version", pool->version);
    FIELD(look, "busy", pool->busy);
    FIELD(look, "pool_bytes", length(pool));
    FIELD(look, "skipped_bytes", pool->skipped);
    FIELD(look, "base", pool->base);
    FIELD(look, "top_offset", header_at(pool->top));
    FIELD(look, "floor_offset", payload_at(pool->floor));
    FIELD(look, "cursor_offset", header_at(pool->cursor));
    FIELD(look, "hole_bound_bytes", block_bytes(pool->hole_bound));
    FIELD(look, "slots", table_slots(pool));
    FIELD(look, "first_empty_slot", entry_offset(entry_of(look, 0)));
    FIELD(look, "last_empty_slot", pool->free_tail);
    FIELD(look, "seed", pool->seed);
    FIELD(look, "free_bytes", block_bytes(pool->free));
    FIELD(look, "fewest_free_bytes", block_bytes(heap_fewest_free(pool)));
    FIELD(look, "peak_live_blocks", pool->peak_blocks);
    FIELD(look, "failed_no_memory", pool->failed[0]);
    FIELD(look, "failed_fragmented", pool->failed[1]);
    FIELD(look, "failed_pinned", pool->failed[2]);
    FIELD(look, "failed_no_handles", pool->failed[3]);
    FIELD(look, "failed_bad_size", pool->failed[4]);
    FIELD(look, "moved_blocks", pool->moved_blocks);
    FIELD(look, "moved_bytes", (uint64_t)pool->moved_granules * DF_GRANULE);
}

static void look_at_identity(struct look *look)
{
    const defrag_pool *pool = look->pool;
    if (pool->busy & DF_BUSY_MOVING)
        NOTE(look, AT(busy), "blocks were on their way: the image was taken in the middle of a move");
    else if (pool->busy & DF_BUSY_CALLBACK)
        NOTE(look, AT(busy), "a callback was running when the image was taken");
    else if (pool->busy)
        NOTE(look, AT(busy), "the busy mark is %u, which means nothing", pool->busy);
    if (pool->skipped >= DF_GRANULE)
        NOTE(look, AT(skipped), "%u bytes skipped in front of the pool are a granule or more", pool->skipped);
    if (pool->base >= DF_LARGEST_ALIGNMENT || pool->base % DF_GRANULE != 0)
        NOTE(look, AT(base), "the pool's address modulo %zu cannot be %" PRIu32, DF_LARGEST_ALIGNMENT,
             (uint32_t)pool->base);
}

static void look_at_zeros(struct look *look, size_t from, size_t end)
{
    for (size_t at = from; at < end; at++) {
        unsigned byte = ((const uint8_t *)look->pool)[at];
        if (byte != 0)
            NOTE(look, at, "a byte that nothing uses is 0x%02x, not 0", byte);
    }
}

static void look_at_unused(struct look *look)
{
#if DEFRAG_WIDE
    look_at_zeros(look, AT(unused_back), AT(unused_back) + sizeof look->pool->unused_back);
#endif
#if !DEFRAG_WIDE && DEFRAG_ALIGNMENT > 8
    look_at_zeros(look, AT(unused_front), AT(bins));
#endif
    look_at_zeros(look, sizeof(defrag_pool), (size_t)header_at(DF_FIRST));
}

/* The number of slots, from which floor follows; 0 where so many leave no room for a block. */
static void look_at_slots(struct look *look)
{
    const defrag_pool *pool = look->pool;
    uint32_t slots = table_slots(pool);
    if (slots > TABLE_SLOTS_MAX || pool->granules < DF_FIRST + table_granules(slots)) {
        NOTE(look, AT(slots), "a table of %" PRIu32 " slots does not fit into the pool", slots);
        slots = 0;
    }
    look->slots = slots;
    look->floor = pool->granules - table_granules(slots);
}

static void look_at_marks(struct look *look)
{
    const defrag_pool *pool = look->pool;
    look_at_slots(look);
    if (pool->table != table_place(pool))
        NOTE(look, AT(table), "entry 0 of the table is said to be at 0x%" PRIx64 ", not in the last word",
             (uint64_t)pool->table);
    if (pool->floor != look->floor)
        NOTE(look, AT(floor),
             "the table is said to begin at 0x%" PRIx64 "; with %" PRIu32 " slots it does at 0x%" PRIx64,
             payload_at(pool->floor), look->slots, payload_at(look->floor));
    look->end = pool->top;
    if (pool->top < DF_FIRST || pool->top > look->floor) {
        NOTE(look, AT(top),
             "the wilderness is said to begin at 0x%" PRIx64 ", which is not between the control "
             "block and the table",
             header_at(pool->top));
        look->end = look->floor;
    }
    look->out->blocks_offset = header_at(DF_FIRST);
    look->out->table_offset = header_at(look->floor);
}

/* --- Slots -------------------------------------------------------------------------------- */

static void read_slot(const struct look *look, uint32_t number)
{
    df_word entry = entry_of(look, number);
    struct inspect_slot *slot = &look->out->slots[number - 1];
    bool exclusive = entry_lock(entry) == TABLE_LOCK_ALONE;
    slot->entry_offset = entry_at(look, number);
    slot->handle = handle_make(number, entry).bits;
    slot->generation = entry_generation(entry);
    if (entry_is_empty(entry)) {
        slot->next = entry_offset(entry);
        return;
    }
    slot->is_used = true;
    slot->begin_offset = payload_at(entry_offset(entry));
    slot->payload_offset = slot->begin_offset + heap_lead(look->pool, entry, entry_offset(entry));
    slot->alignment = DF_GRANULE << entry_align(entry);
    slot->is_exclusive = exclusive;
    slot->shared_locks = exclusive ? 0 : entry_lock(entry);
    slot->is_passed = entry_is_passed(entry);
}

static void read_slots(struct look *look)
{
    inspect_make_slots(look->out, look->slots);
    for (uint32_t number = 1; number <= look->slots; number++)
        read_slot(look, number);
    inspect_sort_claims(look->out);
}

static void look_at_entry(struct look *look, uint32_t number)
{
    df_word known = TABLE_GEN_MASK | TABLE_MARK | TABLE_LOCK_MASK | TABLE_ALIGN_MASK;
    df_word entry = entry_of(look, number);
    const struct inspect_slot *slot = &look->out->slots[number - 1];
    if (entry & DF_HALF_MAX & ~known)
        NOTE(look, slot->entry_offset, "slot %" PRIu32 " has bits set that no slot has", number);
    if (slot->is_used && !entry_is_used(entry))
        NOTE(look, slot->entry_offset, "slot %" PRIu32 " has an alignment without its mark", number);
    if (slot->is_used && !slot->is_seen)
        NOTE(look, slot->entry_offset,
             "slot %" PRIu32 " is in use for a block at 0x%" PRIx64 ", where it has none", number,
             slot->begin_offset);
}

/* The list of empty slots; returns the last of them. */
static uint32_t follow_list(struct look *look)
{
    uint32_t last = 0;
    uint64_t at = entry_at(look, 0);
    for (uint32_t number = entry_offset(entry_of(look, 0)); number != 0;) {
        if (number > look->slots) {
            NOTE(look, at, "the list of empty slots goes on to slot %" PRIu32 " of %" PRIu32, number,
                 look->slots);
            break;
        }
        struct inspect_slot *slot = &look->out->slots[number - 1];
        if (slot->is_used || slot->is_seen) {
            NOTE(look, at, "the list of empty slots goes on to slot %" PRIu32 ", which is %s", number,
                 slot->is_used ? "in use" : "on it already");
            break;
        }
        slot->is_seen = true;
        at = slot->entry_offset;
        last = number;
        number = slot->next;
    }
    return last;
}

static void look_at_list(struct look *look)
{
    uint32_t last = follow_list(look);
    if ((entry_of(look, 0) & DF_HALF_MAX) != TABLE_MARK)
        NOTE(look, entry_at(look, 0), "entry 0, which belongs to no block, is 0x%" PRIx64,
             (uint64_t)entry_of(look, 0));
    for (uint32_t number = 1; number <= look->slots; number++) {
        const struct inspect_slot *slot = &look->out->slots[number - 1];
        if (!slot->is_used && !slot->is_seen)
            NOTE(look, slot->entry_offset, "slot %" PRIu32 " is empty, and not on the list of empty slots",
                 number);
    }
    if (look->pool->free_tail != last)
        NOTE(look, AT(free_tail),
             "the list of empty slots is said to end with slot %" PRIu32 ", not %" PRIu32,
             (uint32_t)look->pool->free_tail, last);
}

static void look_at_table(struct look *look)
{
    for (uint32_t number = 1; number <= look->slots; number++)
        look_at_entry(look, number);
    look_at_list(look);
}

/* --- Blocks ---------------------------------------------------------------------------------- */

/* Whether the slot that the header of a used block names says so too; notes what it says instead. */
static bool look_at_owner(struct look *look, df_granules o, df_word header)
{
    uint32_t owner = header_owner(header);
    if (owner == 0 || owner > look->slots) {
        NOTE(look, header_at(o), "the header names slot %" PRIu32 " as the owner; there are 1 to %" PRIu32,
             owner, look->slots);
        return false;
    }
    struct inspect_slot *slot = &look->out->slots[owner - 1];
    if (!slot->is_used) {
        NOTE(look, header_at(o), "the header names slot %" PRIu32 " as the owner, which is empty", owner);
        return false;
    }
    if (slot->begin_offset != payload_at(o)) {
        NOTE(look, header_at(o),
             "the header names slot %" PRIu32 " as the owner, whose block is at 0x%" PRIx64
             ", not 0x%" PRIx64,
             owner, slot->begin_offset, payload_at(o));
        return false;
    }
    slot->is_seen = true;
    return true;
}

/* Where the payload is, and how long; notes where the block is too short for the alignment its slot says. */
static void look_at_payload(struct look *look, struct inspect_block *block, df_granules size)
{
    const struct inspect_slot *slot = &look->out->slots[block->slot - 1];
    df_word entry = entry_of(look, block->slot);
    if (heap_is_roomy(entry, size)) {
        block->payload_offset = slot->payload_offset;
        block->payload_bytes = heap_payload_bytes(entry, size);
    } else {
        NOTE(look, block->offset, "the header of a block aligned to %" PRIu64 " says %" PRIu64 " bytes",
             slot->alignment, block->bytes);
    }
}

static df_granules look_at_used(struct look *look, df_granules o, df_word header, bool behind_free)
{
    df_granules size = header_size(header);
    if (size < BLOCK_MIN || size > look->end - o) {
        NOTE(look, header_at(o),
             "the header of a used block says %" PRIu64 " bytes; there are %zu to %" PRIu64,
             (uint64_t)block_bytes(size), block_bytes(BLOCK_MIN), (uint64_t)block_bytes(look->end - o));
        return 0;
    }
    bool owned = look_at_owner(look, o, header);
    if (!(header & BLOCK_PREV_FREE) != !behind_free)
        NOTE(look, header_at(o), "the header says that the block before is %s, and it is %s",
             behind_free ? "used" : "free", behind_free ? "free" : "used");
    if (owned && behind_free && o <= look->pool->cursor &&
        !look->out->slots[header_owner(header) - 1].is_passed)
        NOTE(look, header_at(o), "compaction is said to be beyond this block, and left a free one below it");
    struct inspect_block *block =
        inspect_add_block(look->out, INSPECT_USED, header_at(o), block_bytes(size));
    block->slot = header_owner(header);
    block->is_owned = owned;
    if (owned)
        look_at_payload(look, block, size);
    look->used_blocks++;
    return size;
}

/* What ends a free block, where it is not all in its first two words. */
static void look_at_footer(struct look *look, df_granules o, df_granules size)
{
    uint64_t at = header_at(o + size) - DF_WORD;
    df_word footer = word_load(look->pool, (size_t)at);
    if (block_bytes(size) <= DF_WORD)
        return;
    if (footer >> DF_HALF_BITS != size)
        NOTE(look, at, "the footer of the free block at 0x%" PRIx64 " says %" PRIu64 " bytes, not %" PRIu64,
             header_at(o), (uint64_t)block_bytes((df_granules)(footer >> DF_HALF_BITS)),
             (uint64_t)block_bytes(size));
    if (block_bytes(size) > 2 * DF_WORD && (footer & DF_HALF_MAX))
        NOTE(look, at, "the footer of the free block at 0x%" PRIx64 " has bits set that no footer has",
             header_at(o));
}

static df_granules look_at_free(struct look *look, df_granules o, df_word header, bool behind_free)
{
    if (header_is_top(header)) {
        NOTE(look, header_at(o), "the chain of blocks ends here, before the wilderness");
        return 0;
    }
    bool bare = header_is_bare(header);
    df_granules size = bare ? 1 : links_size(block_links(look->pool, o));
    if (size < (bare ? 1 : BLOCK_MIN) || size >= look->end - o) {
        NOTE(look, payload_at(o),
             "the header is that of a free block, which says %" PRIu64 " bytes; there are fewer "
             "than %" PRIu64,
             (uint64_t)block_bytes(size), (uint64_t)block_bytes(look->end - o));
        return 0;
    }
    if (behind_free)
        NOTE(look, header_at(o), "two free blocks lie side by side");
    look_at_footer(look, o, size);
    struct inspect_block *block =
        inspect_add_block(look->out, INSPECT_FREE, header_at(o), block_bytes(size));
    block->bin = bare ? 0 : bins_of(size);
    look->free += size;
    return size;
}

/* The first place behind `o` where a slot and a header agree that a block begins; or the end. */
static df_granules next_agreed(struct look *look, df_granules o)
{
    for (; look->claim < look->out->claim_count; look->claim++) {
        const struct inspect_claim *claim = &look->out->claims[look->claim];
        df_granules place = (df_granules)(claim->begin_offset / DF_GRANULE);
        if (place <= o || place >= look->end)
            continue;
        df_word header = block_header(look->pool, place);
        if (header_is_used(header) && header_owner(header) == claim->slot)
            return place;
    }
    return look->end;
}

static void look_at_blocks(struct look *look)
{
    bool free = false;
    df_granules o = DF_FIRST;
    while (o < look->end) {
        df_word header = block_header(look->pool, o);
        bool used = header_is_used(header);
        df_granules size = used ? look_at_used(look, o, header, free) : look_at_free(look, o, header, free);
        look->cursor_seen |= o == look->pool->cursor;
        free = size && !used;
        if (size == 0) {
            size = next_agreed(look, o) - o;
            inspect_add_block(look->out, INSPECT_UNREADABLE, header_at(o), block_bytes(size));
        }
        o += size;
    }
    look->cursor_seen |= o == look->pool->cursor;
    if (!header_is_top(block_header(look->pool, look->end)))
        NOTE(look, header_at(look->end), "the chain of blocks does not end where the wilderness begins");
    inspect_add_block(look->out, INSPECT_WILDERNESS, header_at(look->end),
                      block_bytes(look->floor - look->end));
}

/* --- Bins --------------------------------------------------------------------------------------- */

/* The free block that the walk has found at `o`, or NULL. */
static struct inspect_block *free_block_at(const struct look *look, df_granules o)
{
    size_t low = 0, high = look->out->block_count;
    uint64_t at = header_at(o);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct inspect_block *block = &look->out->blocks[middle];
        if (block->offset == at)
            return block->kind == INSPECT_FREE ? block : NULL;
        if (block->offset < at)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* A link to `o`, stored at `at`, in the ring of `bin`; false where it leads nowhere. */
static bool follow_link(struct look *look, unsigned bin, df_granules o, df_granules previous, uint64_t at)
{
    struct inspect_block *block = o < DF_FIRST || o >= look->end ? NULL : free_block_at(look, o);
    if (!block) {
        NOTE(look, at, "the ring of bin %u goes on to 0x%" PRIx64 ", where no free block is", bin,
             header_at(o));
        return false;
    }
    if (block->bin != bin) {
        NOTE(look, at,
             "the ring of bin %u goes on to the free block at 0x%" PRIx64 ", which belongs into bin %u", bin,
             block->offset, block->bin);
        return false;
    }
    if (block->is_linked) {
        NOTE(look, at, "the ring of bin %u comes back to the free block at 0x%" PRIx64, bin, block->offset);
        return false;
    }
    block->is_linked = true;
    if (block_header(look->pool, o) != previous)
        NOTE(look, header_at(o), "the free block's link back in the ring of bin %u leads elsewhere", bin);
    return true;
}

static void look_at_ring(struct look *look, unsigned bin)
{
    df_granules sentinel = bins_sentinel(bin);
    df_granules previous = sentinel;
    df_granules o = bins_head(look->pool, bin);
    while (o != sentinel && follow_link(look, bin, o, previous, payload_at(previous))) {
        previous = o;
        o = links_next(block_links(look->pool, o));
    }
    if (block_header(look->pool, sentinel) != previous)
        NOTE(look, header_at(sentinel), "bin %u does not point back at the last free block of its ring", bin);
    if (links_size(block_links(look->pool, sentinel)) != 0)
        NOTE(look, payload_at(sentinel), "bin %u has bits set that no bin has", bin);
    look_at_zeros(look, (size_t)payload_at(sentinel) + DF_WORD,
                  (size_t)header_at(sentinel) + DF_BIN_WORDS * DF_WORD);
    bool empty = previous == sentinel;
    if (!(look->pool->map & bins_bit(bin)) != empty)
        NOTE(look, AT(map), "the map says that bin %u is %s", bin,
             empty ? "not empty, and it is" : "empty, and it is not");
}

static void look_at_bins(struct look *look)
{
    for (unsigned bin = DF_BIN_FIRST; bin <= DF_BIN_LAST; bin++)
        look_at_ring(look, bin);
    if (look->pool->map >> (DF_MAP_BITS - DF_BIN_FIRST) != 0)
        NOTE(look, AT(map), "the map has bits of bins that do not exist");
    for (size_t i = 0; i < look->out->block_count; i++) {
        const struct inspect_block *block = &look->out->blocks[i];
        if (block->kind == INSPECT_FREE && block->bin && !block->is_linked)
            NOTE(look, block->offset, "the free block is in no bin; it belongs into bin %u", block->bin);
    }
}

/* --- Counts ----------------------------------------------------------------------------------------- */

static void look_at_counts(struct look *look)
{
    const defrag_pool *pool = look->pool;
    df_granules free = look->free + (look->floor - look->end);
    df_granules most = pool->granules - TABLE_GRANULES_MIN - DF_FIRST;
    if (pool->free != free)
        NOTE(look, AT(free), "%" PRIu64 " bytes are said to be free, and %" PRIu64 " are",
             (uint64_t)block_bytes(pool->free), (uint64_t)block_bytes(free));
    if (pool->free_lowest > pool->free)
        NOTE(look, AT(free_lowest),
             "the fewest free bytes since the table's length changed are more than are free");
    if (heap_peak_live(pool) > most)
        NOTE(look, pool->peak_live > most ? AT(peak_live) : AT(free_lowest),
             "more bytes were live than the pool has");
    if (pool->fewest_free > most)
        NOTE(look, AT(fewest_free), "the fewest free bytes are more than the pool has");
    if (pool->peak_blocks < look->used_blocks || pool->peak_blocks > TABLE_SLOTS_MAX)
        NOTE(look, AT(peak_blocks), "the most blocks are said to be %" PRIu32 "; there are %" PRIu32 " now",
             (uint32_t)pool->peak_blocks, look->used_blocks);
    if (pool->hole_bound > most)
        NOTE(look, AT(hole_bound), "the holes that compaction left are said to be larger than the pool");
    if (!look->cursor_seen)
        NOTE(look, AT(cursor), "compaction is said to have come to 0x%" PRIx64 ", where no block begins",
             header_at(pool->cursor));
}

/* Each part can be judged only where the ones before it are sound. */
static void look_at_all(const defrag_pool *pool, struct inspection *out)
{
    struct look look = {.pool = pool, .out = out};
    const char *fault = out->fault.text;
    list_control(&look);
    look_at_identity(&look);
    look_at_unused(&look);
    look_at_marks(&look);
    read_slots(&look);
    look_at_blocks(&look);
    look_at_table(&look);
    if (!*fault)
        look_at_bins(&look);
    if (!*fault)
        look_at_counts(&look);
}

extern const struct defrag_build DEFRAG_NAME(build);
extern const struct inspector DEFRAG_NAME(inspector);

const struct inspector DEFRAG_NAME(inspector) = {
    .build = &DEFRAG_NAME(build),
    .control_bytes = sizeof(defrag_pool),
    .least_bytes = (DF_FIRST + BLOCK_MIN + TABLE_GRANULES_MIN) * DF_GRANULE,
    .origin = origin,
    .length = length,
    .base = base,
    .settle = settle,
    .look = look_at_all,
};
