/* SPDX-License-Identifier: MIT */
/* Compiled once for each build, with its DEFRAG_PREFIX; see inside.h. */
#include "lib/bins.h"
#include "lib/plan.h"
#include "lib/slide.h"
#include "lib/table.h"

#include "inside.h"

static uint32_t slot_of(defrag_handle handle)
{
    return handle_slot(handle.bits);
}

static unsigned generation_of(defrag_handle handle)
{
    return handle.bits >> TABLE_GEN_SHIFT & 0xff;
}

static defrag_handle handle_of(uint32_t slot, unsigned generation)
{
    return handle_make(slot, (df_word)generation << TABLE_GEN_SHIFT);
}

static unsigned seed(const defrag_pool *pool)
{
    return pool->seed;
}

static unsigned bin_of(size_t granules)
{
    return bins_of((df_granules)granules);
}

static void failure_counters(size_t *first, size_t *end)
{
    *first = offsetof(defrag_pool, failed);
    *end = *first + sizeof ((defrag_pool *)0)->failed;
}

/* --- Plans -------------------------------------------------------------------------- */

static size_t cheapest_run(const defrag_pool *pool, size_t granules, bool leave)
{
    struct slide_run run;
    df_cheapest_run(pool, (df_granules)granules, pool->top, heap_wilderness(pool), leave, &run);
    return run.found ? run.live : SIZE_MAX;
}

static bool plan(defrag_pool *pool, size_t granules, size_t grow, bool commit, struct inside_plan *out)
{
    struct df_plan plan;
    if (!df_plan_make(pool, (df_granules)granules, (df_granules)grow, &plan))
        return false;
    *out = (struct inside_plan){plan.cost, plan.places, plan.visits};
    if (commit)
        df_plan_commit(pool, &plan);
    else
        df_plan_release(pool, &plan);
    return true;
}

static bool clear_at(defrag_pool *pool, size_t start, size_t granules, size_t grow, size_t *moved)
{
    df_granules place = (df_granules)((start + DF_WORD) / DF_GRANULE);
    uint32_t before = pool->moved_granules;
    bool clears = df_clear_place(pool, place, (df_granules)granules, (df_granules)grow, UINT32_MAX);
    *moved = pool->moved_granules - before;
    return clears;
}

/* --- What the checker guards ------------------------------------------------------- */

struct list {
    struct inside_field *fields;
    size_t count, room;
};

static void add(struct list *list, const char *name, size_t byte, size_t bytes, unsigned shift, unsigned bits)
{
    if (list->count < list->room)
        list->fields[list->count] =
            (struct inside_field){name, byte, 8 * (unsigned)bytes, shift, bits};
    list->count++;
}

#define MEMBER(member) \
    offsetof(defrag_pool, member), sizeof ((defrag_pool *)0)->member, 0, 8 * sizeof ((defrag_pool *)0)->member
#define FIELD(member)                                                                            \
    {                                                                                            \
        "control." #member, offsetof(defrag_pool, member), 8 * sizeof ((defrag_pool *)0)->member, 0, \
            8 * sizeof ((defrag_pool *)0)->member                                                \
    }

static void add_word(struct list *list, const char *name, size_t byte)
{
    add(list, name, byte, DF_WORD, 0, 8 * DF_WORD);
}

static void add_bytes(struct list *list, const char *name, size_t byte, size_t end)
{
    for (; byte < end; byte++)
        add(list, name, byte, 1, 0, 8);
}

/* What fills the control block up: in it, between its fields, and behind it. */
static void add_unused(struct list *list)
{
#if DEFRAG_WIDE
    size_t back = offsetof(defrag_pool, unused_back);
    add_bytes(list, "control.unused_back", back, back + sizeof ((defrag_pool *)0)->unused_back);
#endif
#if !DEFRAG_WIDE && DEFRAG_ALIGNMENT > 8
    add_bytes(list, "control.unused_front", offsetof(defrag_pool, unused_front), offsetof(defrag_pool, bins));
#endif
    add_bytes(list, "control.behind", sizeof(defrag_pool), block_bytes(DF_FIRST) - DF_WORD);
}

static void add_control(struct list *list)
{
    add(list, "control.slots", MEMBER(slots));
    add(list, "control.table", MEMBER(table));
    add(list, "control.map", MEMBER(map));
    add(list, "control.top", MEMBER(top));
    add(list, "control.floor", MEMBER(floor));
    add(list, "control.free", MEMBER(free));
    add(list, "control.free_tail", MEMBER(free_tail));
    add(list, "control.magic", MEMBER(magic));
    add(list, "control.version", MEMBER(version));
    add(list, "control.wide", MEMBER(wide));
    add(list, "control.alignment", MEMBER(alignment));
    add(list, "control.busy", MEMBER(busy));
    for (unsigned bin = DF_BIN_FIRST; bin <= DF_BIN_LAST; bin++) {
        add_word(list, "bin.previous", block_bytes(bins_sentinel(bin)) - DF_WORD);
        add_word(list, "bin.next", block_bytes(bins_sentinel(bin)));
        for (size_t i = 2; i < DF_BIN_WORDS; i++)
            add_word(list, "bin.unused", block_bytes(bins_sentinel(bin)) + (i - 1) * DF_WORD);
    }
    add_unused(list);
}

static void add_used(struct list *list, df_granules o)
{
    size_t byte = block_bytes(o) - DF_WORD;
    add(list, "header.size", byte, DF_WORD, 0, DF_HALF_BITS);
    add(list, "header.previous is free", byte, DF_WORD, DF_HALF_BITS, 1);
    add(list, "header.owner", byte, DF_WORD, BLOCK_OWNER_SHIFT, DF_HALF_BITS - 1);
}

static void add_free(struct list *list, const defrag_pool *pool, df_granules o)
{
    df_word header = block_header(pool, o);
    size_t byte = block_bytes(o);
    add_word(list, "free.header", byte - DF_WORD);
    if (header_is_bare(header))
        return;
    add(list, "free.next", byte, DF_WORD, 0, DF_HALF_BITS);
    add(list, "free.size", byte, DF_WORD, DF_HALF_BITS, DF_HALF_BITS);
    size_t footer = block_bytes(o + block_free_size(pool, o, header)) - 2 * DF_WORD;
    add(list, "free.footer", footer, DF_WORD, DF_HALF_BITS, DF_HALF_BITS);
    if (footer != byte)
        add(list, "free.footer unused", footer, DF_WORD, 0, DF_HALF_BITS);
}

/*
 * Generations may be any, and the lock state of a used block too; where the mark is set, its alignment,
 * if it is long enough for that; and the mark of a locked one that has none.
 */
static void add_entry(struct list *list, const defrag_pool *pool, uint32_t slot)
{
    size_t byte = (size_t)pool->table - slot * DF_WORD;
    df_word entry = table_entry(pool, slot);
    df_word open = TABLE_GEN_MASK | (entry_is_empty(entry) ? 0 : TABLE_LOCK_MASK);
    if (entry_lock(entry) != 0 && entry_align(entry) == 0)
        open |= TABLE_MARK;
    if (!entry_is_empty(entry) && (entry & TABLE_MARK))
        open |= TABLE_ALIGN_MASK;
    if (slot == 0)
        open = 0;
    add(list, entry_is_empty(entry) ? "entry.next" : "entry.offset", byte, DF_WORD, DF_HALF_BITS,
        DF_HALF_BITS);
    for (unsigned bit = 0; bit < DF_HALF_BITS; bit++)
        if (!(open >> bit & 1))
            add(list, "entry.bit", byte, DF_WORD, bit, 1);
}

static size_t guarded(const defrag_pool *pool, struct inside_field *fields, size_t room)
{
    struct list list = {fields, 0, room};
    add_control(&list);
    for (df_granules o = DF_FIRST; o < pool->top;) {
        df_word header = block_header(pool, o);
        if (header_is_used(header))
            add_used(&list, o);
        else
            add_free(&list, pool, o);
        o += block_size(pool, o, header);
    }
    add_word(&list, "top", block_bytes(pool->top) - DF_WORD);
    for (uint32_t slot = 0; slot <= table_slots(pool); slot++)
        add_entry(&list, pool, slot);
    return list.count;
}

static struct inside_field offset_of(const defrag_pool *pool, defrag_handle handle)
{
    size_t byte = (size_t)pool->table - handle_slot(handle.bits) * DF_WORD;
    return (struct inside_field){"entry.offset", byte, 8 * DF_WORD, DF_HALF_BITS, DF_HALF_BITS};
}

static struct inside_field owner_of(const defrag_pool *pool, defrag_handle handle)
{
    df_granules o = entry_offset(table_entry(pool, handle_slot(handle.bits)));
    return (struct inside_field){"header.owner", block_bytes(o) - DF_WORD, 8 * DF_WORD, BLOCK_OWNER_SHIFT,
                                 DF_HALF_BITS - 1};
}

/* --- Frauds -------------------------------------------------------------------------- */

/* A free block that is alone in its bin; 0: there is none. */
static df_granules find_lone(const defrag_pool *pool, unsigned *bin)
{
    for (*bin = DF_BIN_FIRST; *bin <= DF_BIN_LAST; ++*bin) {
        df_granules sentinel = bins_sentinel(*bin);
        df_granules head = bins_head(pool, *bin);
        if (head != sentinel && links_next(block_links(pool, head)) == sentinel)
            return head;
    }
    return 0;
}

static bool orphan(defrag_pool *pool)
{
    unsigned bin;
    df_granules o = find_lone(pool, &bin);
    if (o)
        (void)df_bins_remove(pool, o, block_header(pool, o));
    return o;
}

/* The bin's ring is then `o` alone. */
static void ring_of_one(defrag_pool *pool, unsigned bin, df_granules o, df_granules size)
{
    df_granules sentinel = bins_sentinel(bin);
    block_set_next(pool, sentinel, o);
    block_set_header(pool, sentinel, o);
    block_set_header(pool, o, sentinel);
    word_store(pool, block_bytes(o), (df_word)size << DF_HALF_BITS | sentinel);
    pool->map |= bins_bit(bin);
}

static bool misfile(defrag_pool *pool)
{
    unsigned bin;
    df_granules o = find_lone(pool, &bin);
    if (o == 0)
        return false;
    unsigned other = DF_BIN_LAST;
    while (pool->map & bins_bit(other))
        other--;
    df_granules size = df_bins_remove(pool, o, block_header(pool, o));
    ring_of_one(pool, other, o, size);
    return true;
}

static bool below_wilderness(defrag_pool *pool)
{
    df_granules o = pool->top;
    if (o == pool->floor)
        return false;
    block_set_top(pool, o + 1);
    df_bins_insert(pool, o, 1);
    return true;
}

/* The last free block that belongs into a bin, below `end`; 0: there is none. */
static df_granules last_free(const defrag_pool *pool, df_granules end)
{
    df_granules last = 0;
    for (df_granules o = DF_FIRST; o < end; o += block_size(pool, o, block_header(pool, o))) {
        df_word header = block_header(pool, o);
        if (!header_is_used(header) && !header_is_bare(header))
            last = o;
    }
    return last;
}

static void link_both(defrag_pool *pool, df_granules previous, df_granules next)
{
    block_set_next(pool, previous, next);
    block_set_header(pool, next, previous);
}

static bool ring(defrag_pool *pool, unsigned count)
{
    df_granules first = last_free(pool, pool->top);
    df_granules lowest = first;
    for (unsigned i = 1; lowest != 0 && i < count; i++)
        lowest = last_free(pool, lowest);
    if (lowest == 0)
        return false;
    df_granules o = first;
    for (unsigned i = 1; i < count; i++) {
        df_granules below = last_free(pool, o);
        link_both(pool, o, below);
        o = below;
    }
    link_both(pool, o, first);
    return true;
}

/* A free block behind a used one that has granules to spare; 0: there is none. */
static df_granules find_behind_used(const defrag_pool *pool)
{
    df_granules before = 0;
    for (df_granules o = DF_FIRST; o < pool->top;) {
        df_word header = block_header(pool, o);
        df_granules size = block_size(pool, o, header);
        if (!header_is_used(header) && !header_is_bare(header) && before >= 2 * BLOCK_MIN)
            return o;
        before = header_is_used(header) ? size : 0;
        o += size;
    }
    return 0;
}

/* The pretended block reaches over a real free one to its end. */
static bool forge_overlap(defrag_pool *pool, unsigned bin)
{
    df_granules real = find_behind_used(pool);
    if (real == 0)
        return false;
    df_granules size = block_free_size(pool, real, block_header(pool, real));
    ring_of_one(pool, bin, real - BLOCK_MIN, size + BLOCK_MIN);
    return true;
}

/* The last granules of a long block that another used one follows. */
static bool forge_end(defrag_pool *pool)
{
    for (df_granules o = DF_FIRST; o < pool->top;) {
        df_word header = block_header(pool, o);
        df_granules end = o + block_size(pool, o, header);
        if (header_is_used(header) && end - o >= 2 * BLOCK_MIN && header_is_used(block_header(pool, end))) {
            df_bins_insert(pool, end - BLOCK_MIN, BLOCK_MIN);
            return true;
        }
        o = end;
    }
    return false;
}

/*
 * Kinds 0 to 2: what follows the pretended block is nothing, not told, of another
 * place. 3: it reaches over a real one. 4: it has no length. 5 and 6 take the place of a free
 * block that no bin has then: one that leads far out of the pool, and the end of the payload of a block
 * before a used one, which does not tell of it.
 */
static bool forge(defrag_pool *pool, defrag_handle handle, unsigned kind)
{
    unsigned bin;
    uint32_t slot = handle_slot(handle.bits);
    df_granules o = entry_offset(table_entry(pool, slot));
    df_granules lone = find_lone(pool, &bin);
    if (lone == 0)
        return false;
    df_granules size = block_free_size(pool, lone, block_header(pool, lone));
    if (kind == 3)
        return forge_overlap(pool, bin);
    df_granules at = o + BLOCK_MIN;
    if (kind == 4) {
        ring_of_one(pool, bin, at, 0);
        return true;
    }
    if (kind > 4)
        (void)df_bins_remove(pool, lone, block_header(pool, lone));
    if (kind == 5 && !(pool->map & bins_bit(DF_BIN_LAST))) {
        ring_of_one(pool, DF_BIN_LAST, at, DF_HALF_MAX / 2);
        return true;
    }
    if (kind > 4)
        return kind == 6 && forge_end(pool);
    if (size + 2 * BLOCK_MIN > header_size(block_header(pool, o)))
        return false;
    const df_word above[] = {0, header_used(BLOCK_MIN, slot), header_used(BLOCK_MIN, slot) | BLOCK_PREV_FREE};
    word_store(pool, block_bytes(at + size) - 2 * DF_WORD, (df_word)size << DF_HALF_BITS);
    ring_of_one(pool, bin, at, size);
    block_set_header(pool, at + size, above[kind]);
    return true;
}

static void set_limit(defrag_pool *pool)
{
    pool->hot_limit = heap_hot_limit(pool);
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
#if DEFRAG_WIDE
#define NAME "w" TEXT(DEFRAG_ALIGNMENT)
#else
#define NAME "n" TEXT(DEFRAG_ALIGNMENT)
#endif

const struct inside DEFRAG_NAME(inside) = {
    .name = NAME,
    .granule = DF_GRANULE,
    .header = DF_WORD,
    .smallest = BLOCK_MIN,
    .granules_max = DF_HALF_MAX,
    .slots_max = TABLE_SLOTS_MAX,
    .host_bytes = DF_HOST_BYTES,
    .limit_at = offsetof(defrag_pool, hot_limit),
    .set_limit = set_limit,
    .debug = DEFRAG_DEBUG,
    .slot_of = slot_of,
    .generation_of = generation_of,
    .handle_of = handle_of,
    .seed = seed,
    .bin_of = bin_of,
    .failure_counters = failure_counters,
    .cheapest_run = cheapest_run,
    .plan = plan,
    .clear_at = clear_at,
    .guarded = guarded,
    .offset_of = offset_of,
    .owner_of = owner_of,
    .orphan = orphan,
    .misfile = misfile,
    .below_wilderness = below_wilderness,
    .ring = ring,
    .forge = forge,
    .busy = FIELD(busy),
    .cursor = FIELD(cursor),
    .hole_bound = FIELD(hole_bound),
    .skipped = FIELD(skipped),
    .base = FIELD(base),
    .free_lowest = FIELD(free_lowest),
    .peak_live = FIELD(peak_live),
    .peak_blocks = FIELD(peak_blocks),
    .fewest_free = FIELD(fewest_free),
    .granules = FIELD(granules),
};
