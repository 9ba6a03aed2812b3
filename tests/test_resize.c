/* SPDX-License-Identifier: MIT */
/*
 * Which way defrag_resize() goes: for each way a heap in which it is the cheapest; in
 * small heaps, against the least that any rearrangement at all would move; in pools that
 * are churned nearly full, against tests/growth.c, event by event.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Heaps that are built -------------------------------------------------------------- */

#define ITEMS 12

enum { PIN = 100 }; /* added to a size: the block is locked */

/* Blocks from the bottom up, gaps as negative sizes, and last the wilderness; one block is to grow. */
struct shape {
    const char *name;
    int items[ITEMS];
    size_t wilderness;
    unsigned block; /* its item */
    size_t granules;
    int status;
    enum growth_way way;
    int places[ITEMS]; /* of the items, in granules from the bottom; those of gaps are of no account */
};

static const struct shape shapes[] = {
    {"in place", {4, -2, 4}, 3, 0, 6, DEFRAG_OK, GROWTH_IN_PLACE, {0, 0, 6}},
    {"in place, over the wilderness", {4, -2, 4}, 3, 2, 6, DEFRAG_OK, GROWTH_IN_PLACE, {0, 0, 6}},
    {"the block above slides up", {10, 4, -3, 5}, 0, 0, 13, DEFRAG_OK, GROWTH_LIFT, {0, 13, 0, 17}},
    {"two of them do, and the gap above leaves a rest", {10, 3, -2, 4, -2, 5}, 0, 0, 13, DEFRAG_OK, GROWTH_LIFT,
     {0, 14, 0, 17, 0, 21}},
    {"they slide into the wilderness", {10, 4, -2, 5}, 2, 0, 14, DEFRAG_OK, GROWTH_LIFT, {0, 14, 0, 18}},
    {"of ways as dear, the one that slides", {10, 4, -3, 5, -4, 5}, 0, 0, 13, DEFRAG_OK, GROWTH_LIFT,
     {0, 13, 0, 17, 0, 26}},
    {"the block above leaves", {10, 4, 5, -6, 5}, 0, 0, 13, DEFRAG_OK, GROWTH_EVICT, {0, 19, 14, 0, 25}},
    {"it leaves for the wilderness", {10, 4, 5}, 9, 0, 12, DEFRAG_OK, GROWTH_EVICT, {0, 19, 14}},
    {"several leave", {12, 3, 2, 8, -3, PIN + 4, -2, 5}, 0, 0, 16, DEFRAG_OK, GROWTH_EVICT,
     {0, 25, 32, 17, 0, 28, 0, 34}},
    {"the block above is locked", {10, PIN + 4, 5}, 20, 0, 14, DEFRAG_OK, GROWTH_ELSEWHERE, {19, 10, 14}},
    {"over the gap below", {-4, 4, 8, 9, -3, 2}, 0, 1, 8, DEFRAG_OK, GROWTH_BACKWARD, {0, 0, 8, 16, 0, 28}},
    {"no dearer than the block above", {-4, 4, 4, -4, 2}, 0, 1, 8, DEFRAG_OK, GROWTH_BACKWARD, {0, 0, 8, 0, 16}},
    {"elsewhere", {4, 8, 9, -8, 2}, 0, 0, 8, DEFRAG_OK, GROWTH_ELSEWHERE, {21, 4, 12, 0, 29}},
    {"all around is gathered", {5, -3, 4, -2, 4, 6, -3, 5}, 0, 4, 12, DEFRAG_OK, GROWTH_GATHER,
     {0, 0, 5, 0, 9, 21, 0, 27}},
    {"above it, though that costs more than itself", {PIN + 4, 3, 9, -4, 5}, 0, 1, 7, DEFRAG_OK, GROWTH_GATHER,
     {0, 4, 11, 0, 20}},
    {"the block above leaves and it slides down", {PIN + 2, -3, 5, 4, PIN + 2, -4, PIN + 2}, 0, 2, 12, DEFRAG_OK,
     GROWTH_AROUND, {0, 0, 2, 16, 14, 0, 20}},
    {"room is made", {3, PIN + 12, -4, 2, -4, PIN + 3}, 0, 0, 8, DEFRAG_OK, GROWTH_ROOM, {17, 3, 0, 15, 0, 25}},
    {"it is made right above the block", {PIN + 2, 3, 4, 2, -3, PIN + 2, -3, PIN + 2}, 0, 3, 6, DEFRAG_OK, GROWTH_ROOM,
     {0, 16, 2, 6, 0, 14, 0, 19}},
    {"locked blocks keep it apart", {3, PIN + 12, -4, PIN + 2, -4, PIN + 3}, 0, 0, 8, DEFRAG_PINNED, GROWTH_NONE,
     {0, 3, 0, 19, 0, 25}},
    {"too little", {3, 12, -2, 2, -2, 3}, 0, 0, 8, DEFRAG_NO_MEMORY, GROWTH_NONE, {0, 3, 0, 17, 0, 21}},
};

static size_t count_of(const struct shape *shape)
{
    size_t count = ITEMS;
    while (count > 0 && shape->items[count - 1] == 0)
        count--;
    return count;
}

/* Allocates the items and then frees the gaps; returns the granules that are left above them. */
static size_t fill(const struct defrag_build *b, defrag_pool *pool, const struct shape *shape,
                   defrag_handle *handles)
{
    const struct inside *inside = inside_of(b->name);
    size_t count = count_of(shape);
    unsigned char bytes[256];
    for (size_t i = 0; i < count; i++) {
        size_t payload = support_payload(inside, (size_t)(abs(shape->items[i]) % PIN));
        EXPECT_STATUS(b->alloc_fast(pool, payload, &handles[i]), DEFRAG_OK);
        memset(bytes, (int)(i + 1), sizeof bytes);
        EXPECT_STATUS(b->write(pool, handles[i], 0, bytes, payload), DEFRAG_OK);
        if (shape->items[i] > PIN)
            EXPECT(b->lock_shared(pool, handles[i]), "no lock");
    }
    size_t left = support_statistics(b, pool).free_bytes / inside->granule;
    for (size_t i = 0; i < count; i++) {
        defrag_handle gone = handles[i];
        if (shape->items[i] < 0)
            EXPECT_STATUS(b->free(pool, &gone), DEFRAG_OK);
    }
    return left;
}

/* The pool of the shape, to the granule. */
static defrag_pool *build_shape(const struct defrag_build *b, const struct shape *shape, uint32_t flags,
                                struct support_buffer *buffer, defrag_handle *handles)
{
    static defrag_config config;
    size_t ample = 400;
    config = (defrag_config){.flags = flags};
    defrag_pool *pool = support_pool_of(b, buffer, ample, &config);
    size_t left = fill(b, pool, shape, handles);
    support_buffer_free(buffer);
    pool = support_pool_of(b, buffer, ample - left + shape->wilderness, &config);
    left = fill(b, pool, shape, handles);
    EXPECT(left == shape->wilderness, "%s: %zu granules are left", shape->name, left);
    return pool;
}

static void check_item(const struct defrag_build *b, const struct shape *shape, size_t i,
                       const struct stretch *s, size_t bottom)
{
    const struct inside *inside = inside_of(b->name);
    size_t payload = support_payload(inside, (size_t)(shape->items[i] % PIN));
    EXPECT((s->start - bottom) / inside->granule == (size_t)shape->places[i],
           "%s: item %zu is at %zu, not %d", shape->name, i, (s->start - bottom) / inside->granule,
           shape->places[i]);
    for (size_t at = 0; at < payload; at++)
        EXPECT(s->payload[at] == i + 1, "%s: item %zu lost its contents", shape->name, i);
}

/* Granules of the items that are not where they were. */
static size_t displaced(const struct shape *shape)
{
    size_t sum = 0;
    int at = 0;
    for (size_t i = 0; i < count_of(shape); i++) {
        if (shape->items[i] > 0 && shape->places[i] != at)
            sum += (size_t)(shape->items[i] % PIN);
        at += abs(shape->items[i]) % PIN;
    }
    return sum;
}

/* Resizes the block of the shape. */
static void run_shape(const struct defrag_build *b, const struct shape *shape, uint32_t flags)
{
    const struct inside *inside = inside_of(b->name);
    static struct layout layout;
    struct support_buffer buffer;
    defrag_handle handles[ITEMS];
    defrag_pool *pool = build_shape(b, shape, flags, &buffer, handles);
    layout_read(&layout, b, pool);
    size_t bottom = layout.stretches[0].start;
    size_t index = (size_t)(layout_find(&layout, handles[shape->block]) - layout.stretches);
    struct growth growth = growth_plan(&layout, index, shape->granules, flags != 0, 0);
    EXPECT(growth.way == shape->way, "%s: way %d is the cheapest, not %d", shape->name, (int)growth.way,
           (int)shape->way);
    uint64_t moved = support_statistics(b, pool).moved_bytes;
    EXPECT_STATUS(b->resize(pool, handles[shape->block], support_payload(inside, shape->granules)),
                  shape->status);
    moved = support_statistics(b, pool).moved_bytes - moved;
    EXPECT(moved == displaced(shape) * inside->granule, "%s: %llu bytes moved", shape->name,
           (unsigned long long)moved);
    EXPECT(shape->way == GROWTH_NONE || displaced(shape) == growth.moved
               || displaced(shape) + growth.own == growth.moved,
           "%s: %zu granules planned", shape->name, growth.moved);
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    layout_read(&layout, b, pool);
    for (size_t i = 0; i < count_of(shape); i++)
        if (shape->items[i] > 0)
            check_item(b, shape, i, layout_find(&layout, handles[i]), bottom);
    support_buffer_free(&buffer);
}

static void each_way(const struct defrag_build *b)
{
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        run_shape(b, &shapes[i], 0);
}

/* With DEFRAG_MANUAL the block itself moves, or nothing does. */
static void manual(const struct defrag_build *b)
{
    static const struct shape alone[] = {
        {"elsewhere, and not the block above", {10, 4, -3, 5}, 13, 0, 13, DEFRAG_OK, GROWTH_ELSEWHERE, {22, 10, 0, 17}},
        {"nowhere", {10, 4, -3, 5}, 12, 0, 13, DEFRAG_FRAGMENTED, GROWTH_NONE, {0, 10, 0, 17}},
        {"backward", {-4, 10, 4, -3, 5}, 0, 1, 13, DEFRAG_OK, GROWTH_BACKWARD, {0, 0, 14, 0, 21}},
    };
    for (size_t i = 0; i < sizeof alone / sizeof alone[0]; i++)
        run_shape(b, &alone[i], DEFRAG_MANUAL);
}

/* --- Small heaps, and all that could be done ---------------------------------------------- */

#define CELLS  18
#define BLOCKS 5

/* A heap of a few blocks over cells; `own` is to grow to `want`. */
struct small {
    size_t cells, blocks;
    size_t size[BLOCKS], at[BLOCKS];
    bool pinned[BLOCKS];
    size_t own, want;
};

/* Whether blocks of such sizes, those of `moving` from `i` on, fit into what is not taken. */
static bool fit(const struct small *heap, unsigned moving, size_t i, uint32_t taken)
{
    if (i == heap->blocks)
        return true;
    if (!(moving >> i & 1))
        return fit(heap, moving, i + 1, taken);
    size_t size = i == heap->own ? heap->want : heap->size[i];
    uint32_t cells = (1u << size) - 1;
    for (size_t at = 0; at + size <= heap->cells; at++)
        if (!(taken & cells << at) && fit(heap, moving, i + 1, taken | cells << at))
            return true;
    return false;
}

/* Whether the others can stay where they are, the block that grows among them, or not, if these move anywhere. */
static bool possible(const struct small *heap, unsigned moving)
{
    uint32_t taken = 0;
    for (size_t i = 0; i < heap->blocks; i++) {
        size_t size = i == heap->own ? heap->want : heap->size[i];
        uint32_t cells = ((1u << size) - 1) << heap->at[i];
        if (moving >> i & 1)
            continue;
        if (heap->at[i] + size > heap->cells || (taken & cells))
            return false;
        taken |= cells;
    }
    return fit(heap, moving, 0, taken);
}

/* The fewest cells that any rearrangement moves, whatever it does; SIZE_MAX if there is none. */
static size_t fewest_moved(const struct small *heap)
{
    size_t fewest = SIZE_MAX;
    for (unsigned moving = 0; moving < 1u << heap->blocks; moving++) {
        size_t moved = 0;
        bool pinned = false;
        for (size_t i = 0; i < heap->blocks; i++) {
            moved += moving >> i & 1 ? heap->size[i] : 0;
            pinned |= heap->pinned[i] && (moving >> i & 1);
        }
        if (!pinned && moved < fewest && possible(heap, moving))
            fewest = moved;
    }
    return fewest;
}

/* The same where the blocks keep their order. */
static size_t fewest_in_order(const struct small *heap, size_t i, size_t lowest, size_t moved)
{
    if (i == heap->blocks)
        return moved;
    size_t fewest = SIZE_MAX;
    size_t size = i == heap->own ? heap->want : heap->size[i];
    for (size_t at = lowest; at + size <= heap->cells; at++) {
        bool stays = at == heap->at[i];
        if (heap->pinned[i] && !stays)
            continue;
        size_t all = fewest_in_order(heap, i + 1, at + size, moved + (stays ? 0 : heap->size[i]));
        fewest = all < fewest ? all : fewest;
    }
    return fewest;
}

static void see(struct small *heap, const struct layout *layout)
{
    *heap = (struct small){.blocks = 0};
    for (size_t i = 0; i < layout->count; i++) {
        const struct stretch *s = &layout->stretches[i];
        if (s->region == DEFRAG_REGION_USED) {
            heap->size[heap->blocks] = s->granules;
            heap->pinned[heap->blocks] = s->pinned;
            heap->at[heap->blocks++] = heap->cells;
        }
        heap->cells += s->granules;
    }
}

/* A pool with a few blocks, drawn at random. */
static defrag_pool *small_pool(const struct defrag_build *b, uint64_t *random, struct support_buffer *buffer)
{
    const struct inside *inside = inside_of(b->name);
    size_t granules = 8 + support_below(random, CELLS - 8);
    defrag_pool *pool = support_pool_of(b, buffer, granules, NULL);
    defrag_handle handles[2 * BLOCKS];
    size_t count = 0;
    while (count < 2 * BLOCKS - 1
           && b->alloc_fast(pool, support_payload(inside, inside->smallest + support_below(random, 4)),
                            &handles[count]) == DEFRAG_OK)
        count++;
    size_t live = count;
    for (size_t i = 0; i < count; i++) {
        if (live > BLOCKS || support_below(random, 3) == 0) {
            EXPECT_STATUS(b->free(pool, &handles[i]), DEFRAG_OK);
            live--;
        } else if (support_below(random, 4) == 0) {
            EXPECT(b->lock(pool, handles[i]), "no lock");
        }
    }
    EXPECT_STATUS(b->clean(pool), DEFRAG_OK);
    return pool;
}

static struct {
    unsigned long heaps, served, least, refused, unpinned;
    size_t moved, fewest;
} small_tally;

/* Grows one block to the size of the heap, compares, and puts the pool back. */
static void grow_small(const struct defrag_build *b, defrag_pool *pool, const struct layout *layout,
                       const struct small *heap, size_t index, const unsigned char *image, size_t bytes)
{
    const struct inside *inside = inside_of(b->name);
    struct growth growth = growth_plan(layout, index, heap->want, false, 0);
    size_t fewest = fewest_moved(heap);
    uint64_t before = support_statistics(b, pool).moved_bytes;
    defrag_status status =
        b->resize(pool, layout->stretches[index].handle, support_payload(inside, heap->want));
    size_t moved = (size_t)(support_statistics(b, pool).moved_bytes - before) / inside->granule;
    bool served = status == DEFRAG_OK;
    EXPECT(served == (growth.way != GROWTH_NONE), "growing to %zu answers %d", heap->want, (int)status);
    EXPECT(!served || moved == growth.moved || moved + growth.own == growth.moved,
           "%zu granules moved where %zu should have been", moved, growth.moved);
    EXPECT(served || moved == 0, "a refused request moved something");
    EXPECT(!served || moved >= fewest, "%zu granules moved, and no rearrangement moves fewer than %zu", moved,
           fewest);
    EXPECT(growth_gather(layout, index, heap->want) == fewest_in_order(heap, 0, 0, 0),
           "gathering is not the cheapest");
    if (layout->locked == 0)
        EXPECT(served == (layout->free + heap->size[heap->own] >= heap->want),
               "nothing is locked, and it answers %d", (int)status);
    small_tally.served += served;
    small_tally.refused += !served && fewest != SIZE_MAX;
    small_tally.least += served && moved == fewest;
    small_tally.moved += moved;
    small_tally.fewest += served ? fewest : 0;
    memcpy(pool, image, bytes);
}

static void the_least_that_can_be(const struct defrag_build *b)
{
    static struct layout layout;
    static unsigned char image[8192];
    uint64_t random = 11;
    memset(&small_tally, 0, sizeof small_tally);
    for (unsigned turns = 20 * support_effort(); small_tally.heaps < turns; small_tally.heaps++) {
        struct support_buffer buffer;
        struct small heap;
        defrag_pool *pool = small_pool(b, &random, &buffer);
        size_t bytes = support_statistics(b, pool).pool_bytes;
        support_context("%s, heap %lu", b->name, small_tally.heaps);
        layout_read(&layout, b, pool);
        see(&heap, &layout);
        EXPECT(bytes <= sizeof image, "the pool has %zu bytes", bytes);
        memcpy(image, pool, bytes);
        for (size_t i = 0, own = 0; i < layout.count; i++) {
            const struct stretch *s = &layout.stretches[i];
            if (s->region != DEFRAG_REGION_USED)
                continue;
            heap.own = own++;
            for (heap.want = s->granules + 1; !s->pinned && heap.want <= layout.capacity && heap.want < CELLS;
                 heap.want += 1 + support_below(&random, 4))
                grow_small(b, pool, &layout, &heap, i, image, bytes);
        }
        support_buffer_free(&buffer);
    }
    printf("# %s: %lu small heaps, %lu growths served, %lu with the least that any rearrangement moves, "
           "%zu granules where %zu would do; %lu refused that were possible\n",
           b->name, small_tally.heaps, small_tally.served, small_tally.least, small_tally.moved,
           small_tally.fewest, small_tally.refused);
}

/* --- Pools that are churned nearly full ------------------------------------------------------ */

#define LIVE_MOST 64

static struct {
    unsigned long ways[GROWTH_WAYS];
    unsigned long trimmed, at_itself;
    size_t moved, alone;
} tally;

static void grow_one(struct model *m, uint64_t *random, defrag_handle handle)
{
    const struct stretch *s = layout_find(&m->now, handle);
    size_t index = (size_t)(s - m->now.stretches);
    size_t largest = s->granules < 16 ? 16 : s->granules;
    size_t granules = s->granules + 1 + support_below(random, support_below(random, 4) ? 4 : largest);
    if (!s->pinned && granules <= m->now.capacity) {
        struct growth growth = growth_plan(&m->now, index, granules, false, m->config.plan_visits);
        tally.ways[growth.way]++;
        tally.trimmed += growth.trimmed && growth.way != GROWTH_NONE && growth.moved <= s->granules;
        uint64_t moved = m->last.moved_bytes;
        model_resize(m, handle, support_payload(m->inside, granules));
        moved = (m->last.moved_bytes - moved) / m->inside->granule;
        tally.at_itself += growth.way == GROWTH_ROOM && moved < growth.moved;
    }
}

static void run_churn(const struct defrag_build *b, uint64_t seed)
{
    uint64_t random = seed;
    struct model m;
    defrag_handle handles[LIVE_MOST];
    size_t live = 0;
    size_t fill = 80 + support_below(&random, 20);
    size_t pins = support_below(&random, 3) * 10;
    support_context("%s, churn %llu", b->name, (unsigned long long)seed);
    EXPECT(model_open(&m, b, 2000 + support_below(&random, 3000), 0, 0, true), "no pool");
    for (unsigned i = 0; i < 400; i++) {
        size_t all = m.last.live_bytes + m.last.free_bytes;
        size_t which = live ? support_below(&random, live) : 0;
        if (live > 0 && support_below(&random, 3) == 0) {
            grow_one(&m, &random, handles[which]);
        } else if (live == LIVE_MOST || (live > 0 && m.last.live_bytes * 100 > all * fill)) {
            const struct stretch *s = layout_find(&m.now, handles[which]);
            if (s->pinned)
                model_unlock(&m, handles[which]);
            model_free(&m, handles[which]);
            handles[which] = handles[--live];
        } else {
            const defrag_request request = {
                .bytes = 1 + support_below(&random, support_below(&random, 4) ? 40 : 400)};
            handles[live] = model_alloc(&m, FORM_ALLOC, &request);
            if (handles[live].bits && support_below(&random, 100) < pins)
                model_lock_shared(&m, handles[live], true);
            live += handles[live].bits != 0;
        }
    }
    model_close(&m);
}

static void each_event_is_the_cheapest(const struct defrag_build *b)
{
    memset(&tally, 0, sizeof tally);
    unsigned runs = support_effort() < 20 ? 20 : support_effort();
    for (uint64_t seed = 1; seed <= runs; seed++)
        run_churn(b, seed);
    printf("# %s: growths in place %lu, blocks above slide %lu or leave %lu, backward %lu, elsewhere %lu, gathered %lu, "
           "evacuated around %lu, room made %lu (%lu at the block itself), refused %lu; %lu after slots were given back\n",
           b->name, tally.ways[GROWTH_IN_PLACE], tally.ways[GROWTH_LIFT], tally.ways[GROWTH_EVICT],
           tally.ways[GROWTH_BACKWARD], tally.ways[GROWTH_ELSEWHERE], tally.ways[GROWTH_GATHER],
           tally.ways[GROWTH_AROUND],
           tally.ways[GROWTH_ROOM], tally.at_itself, tally.ways[GROWTH_NONE], tally.trimmed);
    for (size_t way = 0; way < GROWTH_WAYS; way++)
        EXPECT(tally.ways[way] || support_effort() < 100, "way %zu was never gone", way);
}

/* --- As many visits as are allowed ----------------------------------------------------------- */

/*
 * [ k small blocks ][ small ][ locked ][ wilderness of k ]: the second one can have all the room of the
 * first ones if these leave for the wilderness. That takes a look at each block, and each slot allows one.
 */
static bool grow_by_the_last_visit(const struct defrag_build *b, size_t k)
{
    static const defrag_config config = {.plan_visits = 1};
    const struct inside *inside = inside_of(b->name);
    struct support_buffer buffer;
    defrag_handle small, locked;
    defrag_pool *pool = support_pool_of(b, &buffer, 100, &config);
    for (size_t i = 0; i <= k; i++)
        EXPECT_STATUS(b->alloc(pool, 0, &small), DEFRAG_OK);
    EXPECT_STATUS(b->alloc(pool, 0, &locked), DEFRAG_OK);
    EXPECT(b->lock(pool, locked), "no lock");
    defrag_statistics s = support_statistics(b, pool);
    bool full = s.slots == s.live_blocks;
    if (full) {
        size_t room = s.free_bytes / inside->granule - (k - 1) * inside->smallest;
        EXPECT_STATUS(b->resize(pool, locked, support_payload(inside, room)), DEFRAG_OK);
        EXPECT_STATUS(b->resize(pool, small, support_payload(inside, (k + 1) * inside->smallest)), DEFRAG_OK);
        s = support_statistics(b, pool);
        EXPECT(s.moved_blocks == k + 1 && s.free_bytes == 0, "%u blocks moved, %zu bytes are free",
               (unsigned)s.moved_blocks, s.free_bytes);
        EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    }
    support_buffer_free(&buffer);
    return full;
}

static void the_last_visit_counts(const struct defrag_build *b)
{
    bool done = false;
    for (size_t k = 1; k < 12; k++)
        done |= grow_by_the_last_visit(b, k);
    EXPECT(done, "the table is never full");
}

/* [ 8 ][ 2 ][ 8 ]: the first grows by the place of the second, which leaves; nothing below the third can slide. */
static void compaction_goes_on_behind_it(const struct defrag_build *b)
{
    static const unsigned char sizes[] = {8, 2, 8};
    const struct inside *inside = inside_of(b->name);
    struct support_buffer buffer;
    defrag_handle h[3];
    defrag_pool *pool = support_pool_of(b, &buffer, 60, NULL);
    for (size_t i = 0; i < 3; i++)
        EXPECT_STATUS(b->alloc(pool, support_payload(inside, sizes[i]), &h[i]), DEFRAG_OK);
    EXPECT_STATUS(b->compact(pool), DEFRAG_OK);
    EXPECT_STATUS(b->resize(pool, h[0], support_payload(inside, 10)), DEFRAG_OK);
    EXPECT(support_statistics(b, pool).moved_bytes == 2 * inside->granule, "another block has moved");
    struct inside_field third = inside->offset_of(pool, h[2]);
    EXPECT(inside_load(pool, &inside->cursor) == inside_load(pool, &third), "compaction does not go on there");
    support_buffer_free(&buffer);
}

int main(void)
{
    static const struct support_test tests[] = {
        {"each way, in a heap where it is the cheapest", each_way},
        {"with DEFRAG_MANUAL no other block moves", manual},
        {"beside the least that can be", the_least_that_can_be},
        {"the last visit counts", the_last_visit_counts},
        {"each event is the cheapest", each_event_is_the_cheapest},
        {"compaction goes on behind it", compaction_goes_on_behind_it},
    };
    return support_run("resize", tests, sizeof tests / sizeof tests[0]);
}
