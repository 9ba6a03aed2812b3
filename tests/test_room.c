/* SPDX-License-Identifier: MIT */
/*
 * Making room. The cheapest slide is what brute force finds, in every small heap, and what
 * theory says of its cost and of what is certain is never violated. In pools that are
 * churned nearly full, locked blocks among them, each event moves what
 * tests/planner.c plans, which looks at as much; a plan that is left leaves the
 * pool as it was, and a request is PINNED only where the search has no end but
 * having looked at everything.
 */
#include "arrange.h"
#include "planner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- Brute force ------------------------------------------------------------------- */

enum { CELLS = 20, FEW = 6 };

/* A pool with few blocks, drawn at random; what it looks like goes to `heap`. */
static defrag_pool *small_pool(const struct defrag_build *b, uint64_t *random, struct support_buffer *buffer,
                               struct arrange_heap *heap)
{
    const struct inside *inside = inside_of(b->name);
    static struct layout layout;
    size_t granules = 8 + support_below(random, CELLS - 8);
    defrag_pool *pool = support_pool_of(b, buffer, granules, NULL);
    defrag_handle handles[2 * FEW];
    size_t count = 0;
    while (count < 2 * FEW - 1
           && b->alloc_fast(pool, support_payload(inside, inside->smallest + support_below(random, 4)),
                            &handles[count]) == DEFRAG_OK)
        count++;
    size_t live = count;
    for (size_t i = 0; i < count; i++) {
        if (live > FEW || support_below(random, 3) == 0) {
            EXPECT_STATUS(b->free(pool, &handles[i]), DEFRAG_OK);
            live--;
        } else if (support_below(random, 4) == 0) {
            EXPECT(b->lock(pool, handles[i]), "no lock");
        }
    }
    EXPECT_STATUS(b->clean(pool), DEFRAG_OK);
    layout_read(&layout, b, pool);
    arrange_read(heap, &layout);
    return pool;
}

static void the_cheapest_slide_is_the_cheapest(const struct defrag_build *b)
{
    const struct inside *inside = inside_of(b->name);
    uint64_t random = 4;
    unsigned long heaps = 0, possible = 0;
    for (unsigned turns = 20 * support_effort(); heaps < turns; heaps++) {
        struct support_buffer buffer;
        struct arrange_heap heap;
        size_t fewest[ARRANGE_CELLS + 1];
        defrag_pool *pool = small_pool(b, &random, &buffer, &heap);
        support_context("%s, heap %lu", b->name, heaps);
        arrange_fewest_moved(&heap, fewest);
        for (size_t need = 1; need <= heap.cells; need++) {
            size_t touched = arrange_fewest_touched(&heap, need);
            EXPECT(inside->cheapest_run(pool, need, false) == fewest[need],
                   "a gap of %zu: a slide moves %zu, not %zu", need, inside->cheapest_run(pool, need, false),
                   fewest[need]);
            EXPECT(inside->cheapest_run(pool, need, true) == touched,
                   "a gap of %zu: the least is said to be %zu, not %zu", need,
                   inside->cheapest_run(pool, need, true), touched);
            possible += fewest[need] != SIZE_MAX && fewest[need] > 0;
        }
        support_buffer_free(&buffer);
    }
    printf("# %s: %lu heaps, %lu slides\n", b->name, heaps, possible);
    EXPECT(possible > heaps / 4, "hardly anything slides");
}

/* --- Every small heap ---------------------------------------------------------------- */

enum { EVERY_CELLS = 12, EVERY_IMAGE = 4096 };

/* All heaps over so many cells: blocks from the bottom up, each free, used or locked, and last the
 * wilderness. */
struct every {
    const struct defrag_build *b;
    const struct inside *inside;
    struct support_buffer buffer;
    defrag_pool *pool;
    size_t cells, bytes;
    unsigned char fresh[EVERY_IMAGE]; /* no block, and slots for as many as there can be */
    unsigned char image[EVERY_IMAGE]; /* the blocks, all of them used                    */
    size_t blocks, sizes[EVERY_CELLS + 1], at[EVERY_CELLS + 1];
    defrag_handle handles[EVERY_CELLS];
    enum { KIND_FREE, KIND_USED, KIND_LOCKED } kinds[EVERY_CELLS];
    unsigned long heaps, slides, bounds;
};

/* A pool of so many granules when the table has a slot for each block; returns those that are left then. */
static size_t every_pool(struct every *e, size_t granules)
{
    size_t count = e->cells / e->inside->smallest;
    e->pool = support_pool_of(e->b, &e->buffer, granules, NULL);
    for (size_t i = 0; i < count; i++)
        EXPECT_STATUS(e->b->alloc_fast(e->pool, 0, &e->handles[i]), DEFRAG_OK);
    for (size_t i = 0; i < count; i++)
        EXPECT_STATUS(e->b->free(e->pool, &e->handles[i]), DEFRAG_OK);
    return support_statistics(e->b, e->pool).free_bytes / e->inside->granule;
}

static void every_open(struct every *e, const struct defrag_build *b, size_t cells)
{
    *e = (struct every){.b = b, .inside = inside_of(b->name), .cells = cells};
    size_t more = every_pool(e, 3 * cells) - cells;
    support_buffer_free(&e->buffer);
    EXPECT(every_pool(e, 3 * cells - more) == cells, "the pool has another number of cells");
    e->bytes = support_statistics(b, e->pool).pool_bytes;
    EXPECT(e->bytes <= EVERY_IMAGE, "the pool has %zu bytes", e->bytes);
    memcpy(e->fresh, e->pool, e->bytes);
}

/*
 * With nothing locked, F granules free and none of the gaps longer than g, there are ceil((F - need + 1) /
 * (need + g - 1)) runs that do and have no block in common. So the cheapest moves no more than that part of
 * what is live.
 */
static void expect_bound(const struct arrange_heap *heap, size_t live, size_t longest, size_t need,
                         size_t moved)
{
    size_t over = heap->cells - live - need + 1;
    size_t runs = (over + need + longest - 2) / (need + longest - 1);
    EXPECT(moved * runs <= live, "a gap of %zu: %zu of %zu granules move, and there are %zu runs", need,
           moved, live, runs);
}

/* What is certain where so many blocks are locked: a gap of so many granules. With none locked that is all
 * there can be. */
static void expect_certain(const struct arrange_heap *heap, size_t live, size_t pins, size_t need,
                           bool is_served)
{
    bool certain = heap->cells - live >= (pins + 1) * (need - 1) + 1;
    EXPECT(pins ? is_served || !certain : is_served == certain, "a gap of %zu with %zu locked: %s", need,
           pins, is_served ? "a slide makes one" : "no slide does");
}

/* The heap in hand. */
static struct arrange_heap every_arrange(const struct every *e)
{
    struct arrange_heap heap = {.cells = e->cells};
    for (size_t i = 0; i < e->blocks; i++) {
        if (e->kinds[i] == KIND_FREE)
            continue;
        heap.size[heap.blocks] = e->sizes[i];
        heap.pinned[heap.blocks] = e->kinds[i] == KIND_LOCKED;
        heap.at[heap.blocks++] = e->at[i];
    }
    return heap;
}

/* Against all its arrangements. */
static void every_look(struct every *e)
{
    struct arrange_heap heap = every_arrange(e);
    size_t fewest[ARRANGE_CELLS + 1];
    size_t live = 0, pins = 0, longest = 0, end = 0;
    for (size_t i = 0; i < heap.blocks; i++) {
        longest = heap.at[i] - end > longest ? heap.at[i] - end : longest;
        end = heap.at[i] + heap.size[i];
        live += heap.size[i];
        pins += heap.pinned[i];
    }
    longest = heap.cells - end > longest ? heap.cells - end : longest;
    arrange_fewest_moved(&heap, fewest);
    for (size_t need = 1; need <= heap.cells; need++) {
        size_t slide = e->inside->cheapest_run(e->pool, need, false);
        EXPECT(slide == fewest[need], "a gap of %zu: a slide moves %zu, not %zu", need, slide, fewest[need]);
        expect_certain(&heap, live, pins, need, slide != SIZE_MAX);
        if (slide == SIZE_MAX || need <= longest)
            continue;
        e->slides++;
        if (pins == 0) {
            expect_bound(&heap, live, longest, need, slide);
            e->bounds++;
        }
    }
    e->heaps++;
}

/* Each kind for the blocks from `i` on; free ones are no neighbours of each other, nor of the wilderness. */
static void every_kind(struct every *e, size_t i)
{
    if (i < e->blocks) {
        bool may_be_free = i + 1 < e->blocks && (i == 0 || e->kinds[i - 1] != KIND_FREE);
        for (e->kinds[i] = may_be_free ? KIND_FREE : KIND_USED; e->kinds[i] <= KIND_LOCKED; e->kinds[i]++)
            every_kind(e, i + 1);
        return;
    }
    memcpy(e->pool, e->image, e->bytes);
    for (size_t k = 0; k < e->blocks; k++) {
        defrag_handle handle = e->handles[k];
        if (e->kinds[k] == KIND_FREE)
            EXPECT_STATUS(e->b->free(e->pool, &handle), DEFRAG_OK);
        else if (e->kinds[k] == KIND_LOCKED)
            EXPECT(e->b->lock(e->pool, handle), "no lock");
    }
    every_look(e);
}

/* Every number of blocks of every size behind those that there are, which end at `end`. */
static void every_block(struct every *e, size_t end)
{
    memcpy(e->pool, e->fresh, e->bytes);
    for (size_t i = 0; i < e->blocks; i++)
        EXPECT_STATUS(e->b->alloc_fast(e->pool, support_payload(e->inside, e->sizes[i]), &e->handles[i]),
                      DEFRAG_OK);
    memcpy(e->image, e->pool, e->bytes);
    every_kind(e, 0);
    size_t i = e->blocks++;
    e->at[i] = end;
    for (e->sizes[i] = e->inside->smallest; end + e->sizes[i] <= e->cells; e->sizes[i]++)
        every_block(e, end + e->sizes[i]);
    e->blocks--;
}

/*
 * As many granules as are done soon: where the smallest block is two, all twelve are; where it is one, there are
 * many heaps, and one of the builds has them all.
 */
static size_t every_cells(const struct defrag_build *b)
{
    if (inside_of(b->name)->smallest > 1)
        return EVERY_CELLS;
    if (support_effort() < 100)
        return support_effort() < 20 ? 6 : 8;
    return strcmp(b->name, "n8") == 0 ? EVERY_CELLS : 8;
}

static void every_heap(const struct defrag_build *b)
{
    static struct every e;
    support_context("%s", b->name);
    every_open(&e, b, every_cells(b));
    every_block(&e, 0);
    printf("# %s: %lu heaps of %zu granules, %lu slides, %lu of them with nothing locked\n", b->name, e.heaps,
           e.cells, e.slides, e.bounds);
    EXPECT(e.bounds > 0 && e.slides > e.bounds, "nothing slides");
    support_buffer_free(&e.buffer);
}

/* --- Churn -------------------------------------------------------------------------- */

static struct tally {
    unsigned long slides, evacuations, sinks, leaves, refused, unpromised, cut, cleared, kept;
    unsigned long between; /* of the leaves, those where others leave as well, or slide elsewhere */
} tally;

struct churn {
    const struct defrag_build *b;
    const struct inside *inside;
    struct support_buffer buffer;
    defrag_config config;
    defrag_pool *pool;
    size_t bytes;
    unsigned char *image;
    struct layout layout;
    defrag_handle *handles;
    size_t live, room;
    unsigned fill, pins; /* percent */
    uint64_t random;
};

static void churn_open(struct churn *c, const struct defrag_build *b, uint64_t seed)
{
    *c = (struct churn){.b = b, .inside = inside_of(b->name), .random = seed};
    size_t granules = 60 + support_below(&c->random, 400);
    static const uint32_t visits[] = {0, 1, 3, UINT32_MAX};
    c->config.plan_visits = visits[seed % 4];
    c->fill = 80 + (unsigned)support_below(&c->random, 20);
    c->pins = seed % 3 == 0 ? 0 : (unsigned)support_below(&c->random, 30);
    c->pool = support_pool_of(b, &c->buffer, granules, &c->config);
    c->bytes = support_statistics(b, c->pool).pool_bytes;
    c->image = malloc(c->bytes);
    c->room = granules;
    c->handles = malloc(granules * sizeof *c->handles);
    EXPECT(c->image && c->handles, "out of memory");
}

static void churn_close(struct churn *c)
{
    free(c->image);
    free(c->handles);
    layout_free(&c->layout);
    support_buffer_free(&c->buffer);
}

static size_t draw(struct churn *c)
{
    size_t octave = (size_t)1 << support_below(&c->random, 6);
    return support_payload(c->inside, c->inside->smallest + support_below(&c->random, octave));
}

static void free_one(struct churn *c)
{
    size_t i = support_below(&c->random, c->live);
    while (c->b->unlock(c->pool, c->handles[i]) == DEFRAG_OK)
        continue;
    EXPECT_STATUS(c->b->free(c->pool, &c->handles[i]), DEFRAG_OK);
    c->handles[i] = c->handles[--c->live];
}

/* The plan alone, and that nothing is left of it. */
static void expect_plan(struct churn *c, size_t granules, size_t grow, const struct planned *expected)
{
    struct inside_plan plan;
    memcpy(c->image, c->pool, c->bytes);
    bool found = c->inside->plan(c->pool, granules, grow, false, &plan);
    layout_copy_idle(&c->layout, c->image, (const unsigned char *)c->pool);
    EXPECT(memcmp(c->image, c->pool, c->bytes) == 0, "a plan that was left changed the pool");
    EXPECT(found == expected->found, "%s plan", found ? "a" : "no");
    EXPECT(!found || (plan.moved == expected->moved && plan.leave == expected->leave),
           "%zu granules and %zu leave, not %zu and %zu", plan.moved, plan.leave, expected->moved, expected->leave);
    EXPECT(!found || plan.visits == expected->visits, "%llu visits, not %llu",
           (unsigned long long)plan.visits, (unsigned long long)expected->visits);
}

static void note(const struct planned *plan)
{
    bool leaves = plan->leave > 0;
    tally.cut += plan->cut;
    tally.refused += !plan->found;
    tally.unpromised += plan->found && plan->slide == SIZE_MAX;
    tally.sinks += plan->found && plan->above > 0 && !plan->top_leaves;
    tally.leaves += plan->found && plan->top_leaves;
    tally.between += plan->found && plan->top_leaves && plan->moved > plan->above;
    tally.evacuations += plan->found && leaves;
    tally.slides += plan->found && !leaves;
}

/* An allocation, or making room for one. */
static void ask(struct churn *c)
{
    bool alone = support_below(&c->random, 8) == 0;
    unsigned k = alone || support_below(&c->random, 4) ? 0 : (unsigned)support_below(&c->random, 4);
    defrag_request request = {.bytes = draw(c), .alignment = c->inside->granule << k};
    size_t granules = support_granules(c->inside, request.bytes) + ((size_t)1 << k) - 1;
    EXPECT_STATUS(c->b->clean(c->pool), DEFRAG_OK);
    layout_read(&c->layout, c->b, c->pool);
    int expected = layout_predict_place(&c->layout, granules, false).status;
    struct planned plan = {.found = false};
    if (expected == DEFRAG_OK || expected == DEFRAG_PINNED)
        plan = planner_plan(&c->layout, granules, layout_need_trimmed(&c->layout), c->config.plan_visits);
    if (plan.floor > 0) {
        expect_plan(c, granules, layout_need_trimmed(&c->layout), &plan);
        note(&plan);
    }
    uint64_t moved = support_statistics(c->b, c->pool).moved_bytes;
    defrag_handle handle;
    int status =
        alone ? c->b->make_room(c->pool, request.bytes) : c->b->alloc_request(c->pool, &request, &handle);
    EXPECT_STATUS(status, expected);
    moved = support_statistics(c->b, c->pool).moved_bytes - moved;
    EXPECT(moved == (status == DEFRAG_OK ? plan.moved : 0) * c->inside->granule,
           "%llu bytes moved, %zu granules planned", (unsigned long long)moved, plan.moved);
    EXPECT_STATUS(c->b->check(c->pool), DEFRAG_OK);
    if (status != DEFRAG_OK || alone)
        return;
    c->handles[c->live++] = handle;
    if (support_below(&c->random, 100) < c->pins)
        EXPECT(c->b->lock(c->pool, handle), "no lock");
}

/* The index of the stretch that the gap below the block of this number begins with, or that block. */
static size_t index_of(const struct layout *layout, size_t block)
{
    size_t i = 0;
    for (size_t blocks = 0; blocks < block; i++)
        blocks += layout->stretches[i].region == DEFRAG_REGION_USED;
    return i;
}

/* Makes a gap at some place, as it was planned, and puts the pool back. */
static void clear(struct churn *c)
{
    EXPECT_STATUS(c->b->clean(c->pool), DEFRAG_OK);
    layout_read(&c->layout, c->b, c->pool);
    size_t block = support_below(&c->random, c->layout.blocks + 1);
    size_t start = c->layout.stretches[index_of(&c->layout, block)].start;
    size_t granules = support_granules(c->inside, draw(c));
    size_t grow = support_below(&c->random, 2);
    struct planned plan = planner_clear(&c->layout, block, granules, grow, SIZE_MAX);
    size_t moved = 0;
    memcpy(c->image, c->pool, c->bytes);
    bool found = c->inside->clear_at(c->pool, start, granules, grow, &moved);
    EXPECT(found == plan.found && (!found || moved == plan.moved), "%s and %zu granules, not %s and %zu",
           found ? "cleared" : "left", moved, plan.found ? "cleared" : "left", plan.moved);
    EXPECT_STATUS(c->b->check(c->pool), DEFRAG_OK);
    layout_read(&c->layout, c->b, c->pool);
    if (found) {
        const struct stretch *s = c->layout.stretches;
        while (s->start < start)
            s++;
        EXPECT(s->region != DEFRAG_REGION_USED && s->start == start && s->granules >= granules,
               "no gap there");
        tally.cleared += moved > 0;
    } else {
        layout_copy_idle(&c->layout, c->image, (const unsigned char *)c->pool);
        EXPECT(memcmp(c->image, c->pool, c->bytes) == 0, "what could not be cleared was changed");
        tally.kept++;
    }
    memcpy(c->pool, c->image, c->bytes);
}

/* Blocks take all of the wilderness; false if they cannot. */
static bool fill_top(struct churn *c)
{
    for (unsigned tries = 0; tries < 8; tries++) {
        defrag_handle handle;
        EXPECT_STATUS(c->b->clean(c->pool), DEFRAG_OK);
        layout_read(&c->layout, c->b, c->pool);
        size_t granules = layout_wilderness(&c->layout);
        if (granules == 0)
            return true;
        granules = support_below(&c->random, 2) ? granules : c->inside->smallest;
        if (c->b->alloc_fast(c->pool, support_payload(c->inside, granules), &handle) != DEFRAG_OK)
            return false;
    }
    return false;
}

/* Room for the table as well where there is no wilderness, as it was planned, and puts the pool back. */
static void make_top(struct churn *c)
{
    unsigned char *kept = malloc(c->bytes);
    EXPECT(kept, "out of memory");
    memcpy(kept, c->pool, c->bytes);
    size_t granules = support_granules(c->inside, draw(c));
    if (fill_top(c) && c->layout.free > granules) {
        struct inside_plan plan = {0};
        struct planned expected = planner_plan(&c->layout, granules, 1, c->config.plan_visits);
        expect_plan(c, granules, 1, &expected);
        note(&expected);
        uint64_t moved = support_statistics(c->b, c->pool).moved_bytes;
        bool found = c->inside->plan(c->pool, granules, 1, true, &plan);
        moved = support_statistics(c->b, c->pool).moved_bytes - moved;
        EXPECT(found == expected.found && moved == (found ? expected.moved : 0) * c->inside->granule,
               "%llu bytes moved, %zu granules planned", (unsigned long long)moved, expected.moved);
        EXPECT_STATUS(c->b->check(c->pool), DEFRAG_OK);
        layout_read(&c->layout, c->b, c->pool);
        EXPECT(!found || layout_wilderness(&c->layout) >= 1, "no room for the table");
        EXPECT(!found || layout_largest_gap(&c->layout, 0, 1) >= granules, "no gap");
    }
    memcpy(c->pool, kept, c->bytes);
    free(kept);
}

static void run_churn(const struct defrag_build *b, uint64_t seed)
{
    struct churn c;
    support_context("%s, churn %llu", b->name, (unsigned long long)seed);
    churn_open(&c, b, seed);
    for (unsigned i = 0; i < 600; i++) {
        defrag_statistics s = support_statistics(b, c.pool);
        size_t all = s.live_bytes + s.free_bytes;
        if (c.live > 0 && (s.live_bytes * 100 > all * c.fill || support_below(&c.random, 10) == 0))
            free_one(&c);
        else
            ask(&c);
        if (i % 8 == 0)
            clear(&c);
        if (i % 4 == 1)
            make_top(&c);
    }
    churn_close(&c);
}

static void each_event_is_as_planned(const struct defrag_build *b)
{
    memset(&tally, 0, sizeof tally);
    unsigned runs = support_effort() < 20 ? 20 : support_effort();
    for (uint64_t seed = 1; seed <= runs; seed++)
        run_churn(b, seed);
    printf("# %s: %lu events that evacuate, %lu that slide, %lu served that T3 does not promise, %lu refused; "
           "for the table %lu sink and %lu let a block leave, %lu of them among others; %lu are cut short; "
           "%lu places cleared, %lu not\n",
           b->name, tally.evacuations, tally.slides, tally.unpromised, tally.refused, tally.sinks,
           tally.leaves, tally.between, tally.cut, tally.cleared, tally.kept);
    bool all = tally.evacuations && tally.slides && tally.refused && tally.unpromised && tally.sinks
               && tally.between && tally.cut && tally.cleared && tally.kept;
    EXPECT(all || support_effort() < 100, "a kind of event never happened");
}

int main(void)
{
    static const struct support_test tests[] = {
        {"the cheapest slide is the cheapest", the_cheapest_slide_is_the_cheapest},
        {"so it is in every small heap, and theory holds", every_heap},
        {"each event is as planned", each_event_is_as_planned},
    };
    return support_run("room", tests, sizeof tests / sizeof tests[0]);
}
