/* SPDX-License-Identifier: MIT */
#include "growth.h"

#include <stdlib.h>
#include <string.h>

static void layout_add(struct layout *layout, const struct stretch *stretch)
{
    if (layout->count == layout->room) {
        layout->room = layout->room ? 2 * layout->room : 32;
        layout->stretches = realloc(layout->stretches, layout->room * sizeof *layout->stretches);
        if (!layout->stretches)
            abort();
    }
    layout->stretches[layout->count++] = *stretch;
}

/* Notes where the block of a slot is shown; no slot may be shown twice. */
static void index_slot(struct layout *layout, uint32_t slot)
{
    if (slot >= layout->by_slot_room) {
        size_t room = 2 * (size_t)slot + 64;
        layout->by_slot = realloc(layout->by_slot, room * sizeof *layout->by_slot);
        if (!layout->by_slot)
            abort();
        memset(layout->by_slot + layout->by_slot_room, 0,
               (room - layout->by_slot_room) * sizeof *layout->by_slot);
        layout->by_slot_room = room;
    }
    EXPECT(layout->by_slot[slot] == 0, "walk: slot %u is shown twice", (unsigned)slot);
    layout->by_slot[slot] = layout->count + 1;
}

static void check_used(const struct layout *layout, const defrag_block *block, const struct stretch *s)
{
    EXPECT(block->handle.bits != 0, "walk: a used block without a handle");
    EXPECT(s->granules >= layout->inside->smallest + s->padding, "walk: a used block of %zu granules",
           s->granules);
    size_t alignment = s->padding + 1;
    EXPECT(block->payload_bytes == support_payload(layout->inside, s->granules - s->padding)
               && alignment <= 128 && (alignment & (alignment - 1)) == 0,
           "walk: %zu bytes of payload in a block of %zu", block->payload_bytes, block->bytes);
    EXPECT(block->payload, "walk: a used block without payload");
    EXPECT((uintptr_t)block->payload % (alignment * layout->inside->granule) == 0,
           "walk: a payload at %p is not aligned to %zu granules", block->payload, alignment);
    EXPECT(block->exclusive <= 1 && block->shared_locks <= 14 && !(block->exclusive && block->shared_locks),
           "walk: lock state %u, %u", block->exclusive, block->shared_locks);
}

static void check_unused(const struct layout *layout, const defrag_block *block)
{
    EXPECT(block->handle.bits == 0, "walk: free memory with a handle");
    EXPECT(!block->payload && block->payload_bytes == 0, "walk: free memory with a payload");
    EXPECT(block->shared_locks == 0 && block->exclusive == 0, "walk: free memory with a lock");
    if (block->region == DEFRAG_REGION_FREE)
        EXPECT(block->bytes > 0, "walk: an empty free block");
    if (layout->count && layout->stretches[layout->count - 1].region == DEFRAG_REGION_FREE)
        support_fail(__FILE__, __LINE__, "walk: two stretches of free memory side by side");
}

static defrag_status read_stretch(void *context, const defrag_block *block)
{
    struct layout *layout = context;
    size_t g = layout->inside->granule;
    struct stretch stretch = {.region = block->region,
                              .start = block->offset,
                              .granules = block->bytes / g,
                              .handle = block->handle,
                              .shared = block->shared_locks,
                              .exclusive = block->exclusive != 0,
                              .pinned = block->shared_locks || block->exclusive,
                              .payload_bytes = block->payload_bytes,
                              .payload = block->payload};
    EXPECT(block->bytes % g == 0, "walk: %zu bytes are no whole granules", block->bytes);
    if (layout->count) {
        const struct stretch *last = &layout->stretches[layout->count - 1];
        EXPECT(last->region != DEFRAG_REGION_WILDERNESS, "walk: something after the wilderness");
        EXPECT(block->offset == last->start + last->granules * g, "walk: a gap at byte %zu", block->offset);
    }
    if (block->region == DEFRAG_REGION_USED) {
        stretch.padding = (block->bytes - block->payload_bytes) / g - (layout->inside->header == g);
        check_used(layout, block, &stretch);
        layout->live += stretch.granules;
        layout->blocks++;
        layout->locked += stretch.pinned;
        uint32_t slot = layout->inside->slot_of(block->handle);
        if (slot > layout->highest)
            layout->highest = slot;
        index_slot(layout, slot);
    } else {
        check_unused(layout, block);
        layout->free += stretch.granules;
    }
    layout_add(layout, &stretch);
    return DEFRAG_OK;
}

static size_t table_granules(const struct layout *layout, size_t slots)
{
    const struct inside *inside = layout->inside;
    size_t held = slots < 1 ? 1 : slots;
    return ((held + 1) * inside->header + inside->granule - 1) / inside->granule;
}

void layout_read(struct layout *layout, const struct defrag_build *build, const defrag_pool *pool)
{
    layout->build = build;
    layout->inside = inside_of(build->name);
    layout->count = layout->free = layout->live = layout->blocks = layout->locked = layout->highest = 0;
    if (layout->by_slot)
        memset(layout->by_slot, 0, layout->by_slot_room * sizeof *layout->by_slot);
    EXPECT_STATUS(build->walk(pool, read_stretch, layout), DEFRAG_OK);
    EXPECT(layout->count && layout->stretches[layout->count - 1].region == DEFRAG_REGION_WILDERNESS,
           "walk: the last stretch is not the wilderness");
    defrag_statistics statistics = support_statistics(build, pool);
    /* Below the table's whole granules stands one more word, the end of the chain of blocks. */
    size_t g = layout->inside->granule;
    size_t table_bytes = statistics.table_bytes - layout->inside->header;
    EXPECT(table_bytes % g == 0, "the table is no whole granules");
    layout->table = table_bytes / g;
    layout->capacity = (statistics.pool_bytes - statistics.control_bytes) / g - table_granules(layout, 1)
                       - (layout->inside->header == g);
}

void layout_free(struct layout *layout)
{
    free(layout->stretches);
    free(layout->by_slot);
    memset(layout, 0, sizeof *layout);
}

const struct stretch *layout_find(const struct layout *layout, defrag_handle handle)
{
    uint32_t slot = layout->inside->slot_of(handle);
    if (slot >= layout->by_slot_room || layout->by_slot[slot] == 0)
        return NULL;
    const struct stretch *s = &layout->stretches[layout->by_slot[slot] - 1];
    return s->handle.bits == handle.bits ? s : NULL;
}

/* --- The table ---------------------------------------------------------------- */

static size_t slots_held(const struct layout *layout, size_t table)
{
    return table * layout->inside->granule / layout->inside->header - 1;
}

size_t layout_trim(const struct layout *layout)
{
    return layout->table - table_granules(layout, layout->highest);
}

size_t layout_need(const struct layout *layout)
{
    return layout->blocks == slots_held(layout, layout->table);
}

size_t layout_need_trimmed(const struct layout *layout)
{
    return layout->blocks == slots_held(layout, layout->table - layout_trim(layout));
}

/* --- Gaps and segments ------------------------------------------------------------ */

size_t layout_wilderness(const struct layout *layout)
{
    return layout->stretches[layout->count - 1].granules;
}

static size_t gap_at(const struct layout *layout, size_t index, size_t given, size_t taken)
{
    const struct stretch *s = &layout->stretches[index];
    if (s->region == DEFRAG_REGION_USED)
        return 0;
    if (s->region == DEFRAG_REGION_FREE)
        return s->granules;
    return s->granules + given > taken ? s->granules + given - taken : 0;
}

size_t layout_largest_gap(const struct layout *layout, size_t given, size_t taken)
{
    size_t largest = 0;
    for (size_t i = 0; i < layout->count; i++) {
        size_t gap = gap_at(layout, i, given, taken);
        if (gap > largest)
            largest = gap;
    }
    return largest;
}

size_t layout_segment_of(const struct layout *layout, size_t index, size_t given)
{
    size_t from = index;
    while (from > 0 && !layout->stretches[from - 1].pinned)
        from--;
    size_t sum = 0;
    for (size_t i = from; i < layout->count && (i <= index || !layout->stretches[i].pinned); i++)
        sum += gap_at(layout, i, given, 0);
    return sum;
}

size_t layout_top_segment(const struct layout *layout, size_t given)
{
    return layout_segment_of(layout, layout->count - 1, given);
}

size_t layout_largest_segment(const struct layout *layout, size_t given, size_t taken)
{
    size_t largest = 0;
    size_t sum = 0;
    for (size_t i = 0; i < layout->count; i++) {
        if (layout->stretches[i].pinned)
            sum = 0;
        sum += gap_at(layout, i, given, 0);
        size_t usable = i + 1 == layout->count ? (sum > taken ? sum - taken : 0) : sum;
        /* In the top segment what is taken for the table is missing, wherever the gap lies. */
        if (i + 1 == layout->count || layout->stretches[i + 1].pinned)
            if (usable > largest)
                largest = usable;
    }
    return largest;
}

size_t layout_largest_certain(const struct layout *layout, bool manual)
{
    size_t given = layout_trim(layout);
    size_t need = layout_need_trimmed(layout);
    size_t top = manual ? layout_wilderness(layout) + given : layout_top_segment(layout, given);
    if (top < need)
        return 0;
    size_t granules = manual ? layout_largest_gap(layout, given, need)
                             : layout_largest_segment(layout, given, need);
    return granules < layout->inside->smallest ? 0 : support_payload(layout->inside, granules);
}

size_t layout_cheapest_slide(const struct layout *layout, size_t granules, size_t given, size_t taken)
{
    size_t cheapest = SIZE_MAX;
    for (size_t left = 0; left < layout->count; left++) {
        size_t sum = 0;
        size_t cost = 0;
        if (layout->stretches[left].region == DEFRAG_REGION_USED)
            continue;
        for (size_t i = left; i < layout->count && !layout->stretches[i].pinned; i++) {
            sum += gap_at(layout, i, given, taken);
            if (sum >= granules) {
                if (cost < cheapest)
                    cheapest = cost;
                break;
            }
            if (layout->stretches[i].region == DEFRAG_REGION_USED)
                cost += layout->stretches[i].granules;
        }
    }
    return cheapest;
}

/* --- Predictions ---------------------------------------------------------------------- */

static struct verdict only(int status)
{
    return (struct verdict){status, status, false};
}

static struct verdict planned(const struct planned *plan)
{
    int status = plan->found ? DEFRAG_OK : DEFRAG_PINNED;
    return (struct verdict){status, status, true};
}

static struct verdict either(int status, int also)
{
    return (struct verdict){status, also, false};
}

struct verdict layout_predict_alloc_fast(const struct layout *layout, size_t bytes)
{
    const struct inside *inside = layout->inside;
    size_t s = support_granules(inside, bytes);
    size_t t = layout_need(layout);
    if (s > layout->capacity)
        return only(DEFRAG_BAD_SIZE);
    if (layout->blocks == inside->slots_max)
        return only(DEFRAG_NO_HANDLES);
    if (layout->free < s + t)
        return only(DEFRAG_NO_MEMORY);
    size_t wilderness = layout_wilderness(layout);
    if (wilderness < t)
        return only(DEFRAG_FRAGMENTED);
    if (wilderness - t >= s)
        return only(DEFRAG_OK);
    bool fits = false;
    for (size_t i = 0; i + 1 < layout->count; i++) {
        size_t gap = gap_at(layout, i, 0, 0);
        if (gap < s)
            continue;
        if (inside->bin_of(gap) > inside->bin_of(s))
            return only(DEFRAG_OK);
        fits = true;
    }
    return fits ? either(DEFRAG_OK, DEFRAG_FRAGMENTED) : only(DEFRAG_FRAGMENTED);
}

struct verdict layout_predict_place(const struct layout *layout, size_t s, bool manual)
{
    size_t given = layout_trim(layout);
    size_t t = layout_need_trimmed(layout);
    if (s > layout->capacity)
        return only(DEFRAG_BAD_SIZE);
    if (layout->blocks == layout->inside->slots_max)
        return only(DEFRAG_NO_HANDLES);
    if (layout->free + given < s + t)
        return only(DEFRAG_NO_MEMORY);
    if (manual) {
        bool grows = layout_wilderness(layout) + given >= t;
        bool fits = layout_largest_gap(layout, given, t) >= s;
        return only(grows && fits ? DEFRAG_OK : DEFRAG_FRAGMENTED);
    }
    if (layout_top_segment(layout, given) >= t && layout_largest_segment(layout, given, t) >= s)
        return only(DEFRAG_OK);
    struct planned plan = planner_plan(layout, s, t, 0);
    return planned(&plan);
}

struct verdict layout_predict_alloc(const struct layout *layout, size_t bytes, bool manual)
{
    return layout_predict_place(layout, support_granules(layout->inside, bytes), manual);
}

/* Granules right after the block at `index`, and right before it. */
static size_t gap_after(const struct layout *layout, size_t index, size_t given)
{
    return gap_at(layout, index + 1, given, 0);
}

static size_t gap_before(const struct layout *layout, size_t index)
{
    return index ? gap_at(layout, index - 1, 0, 0) : 0;
}

size_t layout_resized(const struct layout *layout, size_t index, size_t bytes)
{
    return support_granules(layout->inside, bytes) + layout->stretches[index].padding;
}

enum resize_way layout_resize_way(const struct layout *layout, size_t index, size_t bytes, bool manual)
{
    size_t s = layout_resized(layout, index, bytes);
    if (s <= layout->stretches[index].granules + gap_after(layout, index, 0))
        return RESIZE_IN_PLACE;
    switch (growth_plan(layout, index, s, manual, 0).way) {
    case GROWTH_IN_PLACE:
    case GROWTH_BACKWARD:
    case GROWTH_ELSEWHERE: return RESIZE_ALONE;
    default: return RESIZE_WITH_OTHERS;
    }
}

/* To `s` granules, where `given` granules of empty slots can be given back. */
static struct verdict predict_growth(const struct layout *layout, size_t index, size_t s, size_t given,
                                     bool manual)
{
    size_t own = layout->stretches[index].granules;
    size_t before = gap_before(layout, index);
    size_t after = gap_after(layout, index, given);
    if (own + after + before >= s || layout_largest_gap(layout, given, 0) >= s)
        return only(DEFRAG_OK);
    if (layout->free + given + own < s)
        return only(DEFRAG_NO_MEMORY);
    if (manual)
        return only(DEFRAG_FRAGMENTED);
    if (layout_largest_segment(layout, given, 0) >= s || layout_segment_of(layout, index, given) + own >= s)
        return only(DEFRAG_OK);
    int status = growth_plan(layout, index, s, false, 0).way == GROWTH_NONE ? DEFRAG_PINNED : DEFRAG_OK;
    return (struct verdict){status, status, true};
}

struct verdict layout_predict_resize(const struct layout *layout, size_t index, size_t bytes, bool manual)
{
    const struct stretch *block = &layout->stretches[index];
    size_t s = layout_resized(layout, index, bytes);
    size_t trim = layout_trim(layout);
    if (s == block->granules)
        return only(DEFRAG_OK);
    if (block->pinned) {
        size_t given = s > block->granules ? s - block->granules : SIZE_MAX;
        if (given <= gap_after(layout, index, 0))
            return only(DEFRAG_OK);
        return given <= gap_after(layout, index, trim) ? either(DEFRAG_LOCKED, DEFRAG_OK)
                                                       : only(DEFRAG_LOCKED);
    }
    if (s > layout->capacity)
        return only(DEFRAG_BAD_SIZE);
    if (s < block->granules)
        return only(DEFRAG_OK);
    return predict_growth(layout, index, s, trim, manual);
}

/* --- Free bytes ------------------------------------------------------------------------------- */

bool layout_is_idle(const struct layout *layout, const struct stretch *s, size_t at)
{
    size_t header = layout->inside->header;
    size_t end = s->start + s->granules * layout->inside->granule;
    /* The word that ends the blocks is below the table; it counts only where the wilderness is empty. */
    if (s->region == DEFRAG_REGION_WILDERNESS)
        return at >= s->start + header && at < end + header;
    return s->region == DEFRAG_REGION_FREE && at >= s->start + 2 * header && at + header < end;
}

void layout_copy_idle(const struct layout *layout, unsigned char *to, const unsigned char *from)
{
    for (size_t i = 0; i < layout->count; i++) {
        const struct stretch *s = &layout->stretches[i];
        size_t end = s->start + s->granules * layout->inside->granule;
        for (size_t at = s->start; at < end + layout->inside->header; at++)
            if (layout_is_idle(layout, s, at))
                to[at] = from[at];
    }
}

/* --- Comparing ------------------------------------------------------------------------------- */

static bool same_stretch(const struct stretch *a, const struct stretch *b)
{
    return a->region == b->region && a->start == b->start && a->handle.bits == b->handle.bits
           && a->shared == b->shared && a->exclusive == b->exclusive
           && (a->granules == b->granules || a->region == DEFRAG_REGION_WILDERNESS);
}

bool layout_same_blocks(const struct layout *a, const struct layout *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!same_stretch(&a->stretches[i], &b->stretches[i]))
            return false;
    return true;
}

/* Takes the lowest of the holes that holds so many granules; returns where, SIZE_MAX: none does. */
static size_t take_lowest(const struct layout *layout, struct stretch *holes, size_t count, size_t granules)
{
    for (size_t i = 0; i < count; i++) {
        if (holes[i].granules >= granules) {
            size_t place = holes[i].start;
            holes[i].start += granules * layout->inside->granule;
            holes[i].granules -= granules;
            return place;
        }
    }
    return SIZE_MAX;
}

void layout_predict_compact(struct layout *layout)
{
    size_t g = layout->inside->granule;
    size_t at = layout->stretches[0].start;
    size_t count = 0;
    struct stretch *holes = calloc(layout->count, sizeof *holes);
    if (!holes)
        abort();
    for (size_t i = 0; i < layout->count; i++) {
        struct stretch *s = &layout->stretches[i];
        if (s->region != DEFRAG_REGION_USED)
            continue;
        size_t hole = SIZE_MAX;
        if (s->pinned) {
            if (at < s->start)
                holes[count++] = (struct stretch){.start = at, .granules = (s->start - at) / g};
            at = s->start;
        } else {
            hole = take_lowest(layout, holes, count, s->granules);
        }
        s->compacted = hole == SIZE_MAX ? at : hole;
        at += hole == SIZE_MAX ? s->granules * g : 0;
    }
    free(holes);
}

/* Whether the stretch is a used block that may move. */
static bool is_loose(const struct stretch *s)
{
    return s->region == DEFRAG_REGION_USED && !s->pinned;
}

bool layout_is_compact(const struct layout *layout)
{
    for (size_t i = 1; i < layout->count; i++)
        if (is_loose(&layout->stretches[i]) && layout->stretches[i - 1].region == DEFRAG_REGION_FREE)
            return false;
    return true;
}

bool layout_is_settled(const struct layout *layout)
{
    size_t largest = 0;
    for (size_t i = 0; i < layout->count; i++) {
        const struct stretch *s = &layout->stretches[i];
        if (s->region == DEFRAG_REGION_FREE && s->granules > largest)
            largest = s->granules;
        if (is_loose(s) && s->granules <= largest)
            return false;
    }
    return layout_is_compact(layout);
}

bool layout_has_neighbour(const struct layout *layout, size_t index)
{
    return (index > 0 && is_loose(&layout->stretches[index - 1])) || is_loose(&layout->stretches[index + 1]);
}

bool layout_has_company(const struct layout *layout, size_t index)
{
    const struct stretch *s = &layout->stretches[index];
    return layout_has_neighbour(layout, index) || (index > 0 && s[-1].region == DEFRAG_REGION_FREE)
           || (s[1].region != DEFRAG_REGION_USED && s[1].granules > 0);
}

bool layout_is_above_gap(const struct layout *layout, size_t index)
{
    for (size_t i = index; i > 0 && !layout->stretches[i - 1].pinned; i--)
        if (layout->stretches[i - 1].region == DEFRAG_REGION_FREE)
            return true;
    return false;
}

bool layout_is_above_hole(const struct layout *layout, size_t index)
{
    for (size_t i = index; i > 0; i--)
        if (layout->stretches[i - 1].region == DEFRAG_REGION_FREE)
            return true;
    return false;
}
