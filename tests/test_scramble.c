/* SPDX-License-Identifier: MIT */
/*
 * Scrambling, in every state of a small pool: what certainly moves does, a
 * pointer that was kept sees something else at once, and every promise holds. A
 * block's bytes all tell its slot.
 */
#include "planner.h"
#include "states.h"

#include <stdlib.h>
#include <string.h>

/* The states are built without the flag; a visitor sets it while it calls. */
static defrag_config config;
static struct layout now;

/* What is at the old place is not the block any more. */
static void expect_gone(const struct state *s, const struct stretch *old)
{
    size_t same = 0;
    while (same < old->payload_bytes && old->payload[same] == s->inside->slot_of(old->handle))
        same++;
    EXPECT(same < old->payload_bytes, "a pointer kept to block %08x still sees it",
           (unsigned)old->handle.bits);
}

static bool has_moved(const struct stretch *old)
{
    return layout_find(&now, old->handle)->start != old->start;
}

static void look(struct state *s)
{
    state_expect_intact(s);
    layout_read(&now, s->build, s->pool);
}

/* Calls `certain` with each unlocked block's index before; where it says so, the block has moved. */
static void expect_moved(struct state *s, bool (*certain)(const struct state *s, size_t index))
{
    look(s);
    for (size_t i = 0; i < s->layout.count; i++) {
        const struct stretch *old = &s->layout.stretches[i];
        if (old->region != DEFRAG_REGION_USED || old->pinned || !certain(s, i))
            continue;
        EXPECT(has_moved(old), "block %08x is where it was", (unsigned)old->handle.bits);
        expect_gone(s, old);
    }
}

static void expect_still(struct state *s, defrag_handle except)
{
    look(s);
    for (size_t i = 0; i < s->layout.count; i++) {
        const struct stretch *old = &s->layout.stretches[i];
        if (old->region == DEFRAG_REGION_USED && old->handle.bits != except.bits)
            EXPECT(!has_moved(old), "block %08x moved", (unsigned)old->handle.bits);
    }
}

/* --- The call itself ------------------------------------------------------------------ */

static bool can_lie_elsewhere(const struct state *s, size_t i)
{
    return layout_has_company(&s->layout, i)
           || s->layout.stretches[i].granules <= layout_largest_gap(&s->layout, 0, 0);
}

/* Every byte of an old place that is in no block now has the pattern, but for a free block's own words. */
static void expect_filled(const struct state *s, const struct stretch *old)
{
    size_t header = s->inside->header;
    for (size_t i = 0; i < now.count; i++) {
        const struct stretch *at = &now.stretches[i];
        size_t end = at->start + at->granules * s->inside->granule;
        size_t first = at->start + (at->region == DEFRAG_REGION_FREE ? 2 : 1) * header;
        size_t last = at->region == DEFRAG_REGION_FREE ? end - header : end;
        for (size_t b = 0; b < old->payload_bytes; b++) {
            size_t place = old->start + header + b;
            if (at->region != DEFRAG_REGION_USED && place >= first && place < last)
                EXPECT(old->payload[b] == DEFRAG_SCRAMBLE_BYTE, "byte %zu of block %08x's old place is %02x",
                       b, (unsigned)old->handle.bits, old->payload[b]);
        }
    }
}

static void try_seed(struct state *s, uint32_t seed)
{
    unsigned char *image = malloc(s->image_bytes);
    if (!image)
        abort();
    EXPECT_STATUS(s->build->scramble(s->pool, seed), DEFRAG_OK);
    memcpy(image, s->pool, s->image_bytes);
    expect_moved(s, can_lie_elsewhere);
    EXPECT(now.free == s->layout.free && now.table == s->layout.table, "free granules or slots changed");
    for (size_t i = 0; i < s->layout.count; i++) {
        const struct stretch *old = &s->layout.stretches[i];
        if (old->region != DEFRAG_REGION_USED)
            continue;
        EXPECT(has_moved(old) == (!old->pinned && can_lie_elsewhere(s, i)), "block %08x moved",
               (unsigned)old->handle.bits);
        if (has_moved(old))
            expect_filled(s, old);
    }
    state_restore(s);
    EXPECT_STATUS(s->build->scramble(s->pool, seed), DEFRAG_OK);
    EXPECT(memcmp(image, s->pool, s->image_bytes) == 0, "the same seed gives another image");
    state_restore(s);
    free(image);
}

static void visit_seeds(struct state *s, void *context)
{
    (void)context;
    try_seed(s, 0);
    try_seed(s, 0x12345678);
}

static void all_that_can_moves(const struct defrag_build *build)
{
    (void)states_each(build, states_granules(build, 8), NULL, visit_seeds, NULL);
}

/* Seeds differ in where they put things, from the same pool on. */
static void seeds_matter(const struct defrag_build *b)
{
    struct support_buffer buffer;
    defrag_pool *pool = support_pool_of(b, &buffer, 200, NULL);
    defrag_handle handles[20];
    size_t places[20] = {0};
    size_t kinds = 0;
    for (size_t i = 0; i < 20; i++)
        EXPECT_STATUS(b->alloc(pool, 20, &handles[i]), DEFRAG_OK);
    unsigned char *image = malloc(buffer.size);
    EXPECT(image, "out of memory");
    memcpy(image, buffer.bytes, buffer.size);
    for (uint32_t seed = 1; seed <= 20; seed++) {
        memcpy(buffer.bytes, image, buffer.size);
        EXPECT_STATUS(b->scramble(pool, seed), DEFRAG_OK);
        const unsigned char *at = b->lock(pool, handles[7]);
        EXPECT(at, "no lock");
        EXPECT_STATUS(b->unlock(pool, handles[7]), DEFRAG_OK);
        size_t i = 0;
        while (i < kinds && places[i] != (size_t)(at - buffer.bytes))
            i++;
        places[i] = (size_t)(at - buffer.bytes);
        kinds += i == kinds;
    }
    EXPECT(kinds >= 8, "20 seeds put a block among 20 at %zu places", kinds);
    free(image);
    support_buffer_free(&buffer);
}

/* --- The flag --------------------------------------------------------------------------- */

/* What is alone after the call was so before, or a table that grew took its last free granule. */
static bool has_company_now(const struct state *s, size_t i)
{
    defrag_handle handle = s->layout.stretches[i].handle;
    return layout_has_company(&now, (size_t)(layout_find(&now, handle) - now.stretches));
}

static bool is_in_low_run(const struct state *s, size_t i)
{
    return layout_has_neighbour(&s->layout, i) && !layout_is_above_gap(&s->layout, i);
}

/* What leaves for a hole leaves room to those behind it, who may slide back to where they were. */
static bool is_scrambled_by_step(const struct state *s, size_t i)
{
    return layout_has_neighbour(&s->layout, i) && !layout_is_above_hole(&s->layout, i);
}

static bool is_moved_by_compact(const struct state *s, size_t i)
{
    return is_scrambled_by_step(s, i) || layout_is_above_gap(&s->layout, i);
}

static void try_allocs(struct state *s, size_t granules)
{
    const struct defrag_build *b = s->build;
    size_t bytes = support_payload(s->inside, granules);
    int expected = layout_predict_alloc(&s->layout, bytes, config.flags & DEFRAG_MANUAL).status;
    size_t t = layout_need(&s->layout);
    bool hole = layout_wilderness(&s->layout) >= t && layout_largest_gap(&s->layout, 0, t) >= granules;
    defrag_request request = {.bytes = bytes};
    for (int form = 0; form < 3; form++) {
        defrag_handle handle;
        int status = form == 0   ? b->alloc(s->pool, bytes, &handle)
                     : form == 1 ? b->alloc_slice(s->pool, 1, bytes, &handle)
                                 : b->alloc_request(s->pool, &request, &handle);
        EXPECT_STATUS(status, expected);
        if (status != DEFRAG_OK || config.flags & DEFRAG_MANUAL)
            expect_still(s, (defrag_handle){0});
        else if (hole)
            expect_moved(s, has_company_now);
        else
            look(s);
        state_restore(s);
    }
    defrag_handle handle;
    (void)!b->alloc_fast(s->pool, bytes, &handle);
    expect_still(s, (defrag_handle){0});
    state_restore(s);
}

static void try_make_room(struct state *s, size_t granules)
{
    size_t bytes = support_payload(s->inside, granules);
    defrag_handle handle;
    int status = s->build->make_room(s->pool, bytes);
    EXPECT_STATUS(status, layout_predict_alloc(&s->layout, bytes, false).status);
    if (status != DEFRAG_OK) {
        expect_still(s, (defrag_handle){0});
    } else {
        /* What had to make room first may come back to where it was. */
        size_t t = layout_need_trimmed(&s->layout);
        if (planner_plan(&s->layout, granules, t, 0).moved == 0)
            expect_moved(s, is_in_low_run);
        EXPECT_STATUS(s->build->alloc_fast(s->pool, bytes, &handle), DEFRAG_OK);
    }
    state_restore(s);
}

/* To the same size: nothing but the flag moves anything. */
static void try_resizes(struct state *s)
{
    for (size_t i = 0; i < s->layout.count; i++) {
        const struct stretch *block = &s->layout.stretches[i];
        if (block->region != DEFRAG_REGION_USED)
            continue;
        EXPECT_STATUS(s->build->resize(s->pool, block->handle, block->payload_bytes), DEFRAG_OK);
        if (config.flags & DEFRAG_MANUAL)
            expect_still(s, (defrag_handle){0});
        else
            expect_moved(s, has_company_now);
        state_restore(s);
    }
}

static void try_compaction(struct state *s)
{
    static const size_t budgets[] = {0, 20, SIZE_MAX};
    EXPECT_STATUS(s->build->compact(s->pool), DEFRAG_OK);
    expect_moved(s, is_moved_by_compact);
    EXPECT(layout_is_settled(&now), "compact leaves something that can slide, or fits into a hole below it");
    state_restore(s);
    for (size_t i = 0; i < sizeof budgets / sizeof budgets[0]; i++) {
        size_t steps = 1;
        int status = s->build->compact_step(s->pool, budgets[i], NULL);
        expect_moved(s, is_scrambled_by_step);
        for (; status == DEFRAG_MORE; steps++) {
            EXPECT(steps <= 4 * s->layout.count, "%zu steps of %zu bytes do not end", steps, budgets[i]);
            status = s->build->compact_step(s->pool, budgets[i], NULL);
        }
        EXPECT_STATUS(status, DEFRAG_OK);
        look(s);
        EXPECT(layout_is_compact(&now), "the steps leave something that can slide");
        state_restore(s);
    }
}

static void visit_flag(struct state *s, void *context)
{
    config.flags = *(const uint32_t *)context;
    for (size_t granules = s->inside->smallest; granules <= s->layout.capacity; granules++) {
        try_allocs(s, granules);
        try_make_room(s, granules);
    }
    try_resizes(s);
    try_compaction(s);
    config.flags = 0;
}

static void the_flag(const struct defrag_build *build)
{
    uint32_t flags = DEFRAG_SCRAMBLE;
    (void)states_each(build, states_granules(build, 7), &config, visit_flag, &flags);
}

static void the_flag_with_manual(const struct defrag_build *build)
{
    uint32_t flags = DEFRAG_SCRAMBLE | DEFRAG_MANUAL;
    (void)states_each(build, states_granules(build, 7), &config, visit_flag, &flags);
}

/* The first program that anybody tries: one block, a pointer to it kept over the next allocation. */
static void a_kept_pointer(const struct defrag_build *b)
{
    static const defrag_config scrambling = {.flags = DEFRAG_SCRAMBLE};
    struct support_buffer buffer;
    defrag_pool *pool = support_pool_of(b, &buffer, 40, &scrambling);
    defrag_handle first, second;
    char text[] = "kept too long";
    EXPECT_STATUS(b->alloc(pool, sizeof text, &first), DEFRAG_OK);
    EXPECT_STATUS(b->write(pool, first, 0, text, sizeof text), DEFRAG_OK);
    const char *kept = b->lock(pool, first);
    EXPECT(kept, "no lock");
    EXPECT_STATUS(b->unlock(pool, first), DEFRAG_OK);
    EXPECT_STATUS(b->alloc(pool, 1, &second), DEFRAG_OK);
    EXPECT(memcmp(kept, text, sizeof text) != 0, "the pointer still sees the block");
    EXPECT_STATUS(b->read(pool, first, 0, text, sizeof text), DEFRAG_OK);
    EXPECT(strcmp(text, "kept too long") == 0, "the block says \"%s\"", text);
    support_buffer_free(&buffer);
}

/* All blocks lie above one gap, and there is room already: they change places even so. */
static void make_room_turns_what_lies_above_a_gap(const struct defrag_build *b)
{
    static const defrag_config scrambling = {.flags = DEFRAG_SCRAMBLE};
    struct support_buffer buffer;
    defrag_pool *pool = support_pool_of(b, &buffer, 100, NULL);
    defrag_handle h[4];
    for (size_t i = 0; i < 4; i++)
        EXPECT_STATUS(b->alloc(pool, 20, &h[i]), DEFRAG_OK);
    EXPECT_STATUS(b->free(pool, &h[0]), DEFRAG_OK);
    EXPECT_STATUS(b->detach(pool), DEFRAG_OK);
    EXPECT_STATUS(b->attach(&pool, buffer.bytes, buffer.size, &scrambling), DEFRAG_OK);
    EXPECT_STATUS(b->make_room(pool, 1), DEFRAG_OK);
    EXPECT(support_statistics(b, pool).moved_blocks == 3, "not every block has moved");
    support_buffer_free(&buffer);
}

/* A step slides one block; two that lie above a gap that is left change places. */
static void a_step_turns_what_lies_above_a_gap(const struct defrag_build *b)
{
    static const defrag_config scrambling = {.flags = DEFRAG_SCRAMBLE};
    struct support_buffer buffer;
    struct layout before = {0};
    defrag_pool *pool = support_pool_of(b, &buffer, 100, NULL);
    defrag_handle h[7];
    for (size_t i = 0; i < 7; i++)
        EXPECT_STATUS(b->alloc(pool, 20, &h[i]), DEFRAG_OK);
    EXPECT_STATUS(b->free(pool, &h[1]), DEFRAG_OK);
    EXPECT_STATUS(b->free(pool, &h[4]), DEFRAG_OK);
    EXPECT_STATUS(b->detach(pool), DEFRAG_OK);
    EXPECT_STATUS(b->attach(&pool, buffer.bytes, buffer.size, &scrambling), DEFRAG_OK);
    layout_read(&before, b, pool);
    EXPECT_STATUS(b->compact_step(pool, 1, NULL), DEFRAG_MORE);
    layout_read(&now, b, pool);
    EXPECT(has_moved(layout_find(&before, h[5])) && has_moved(layout_find(&before, h[6])),
           "they lie where they lay");
    layout_free(&before);
    support_buffer_free(&buffer);
}

/* A program that reads what it never wrote does not see what was there before. */
static void a_new_block_is_filled(const struct defrag_build *b)
{
    static const defrag_config scrambling = {.flags = DEFRAG_SCRAMBLE};
    struct support_buffer buffer;
    defrag_pool *pool = support_pool_of(b, &buffer, 40, &scrambling);
    defrag_handle other, handle;
    unsigned char bytes[60];
    EXPECT_STATUS(b->alloc(pool, 20, &other), DEFRAG_OK);
    EXPECT_STATUS(b->alloc(pool, sizeof bytes, &handle), DEFRAG_OK);
    memset(bytes, 0x55, sizeof bytes);
    EXPECT_STATUS(b->write(pool, handle, 0, bytes, sizeof bytes), DEFRAG_OK);
    EXPECT_STATUS(b->free(pool, &handle), DEFRAG_OK);
    EXPECT_STATUS(b->alloc(pool, sizeof bytes, &handle), DEFRAG_OK);
    EXPECT_STATUS(b->read(pool, handle, 0, bytes, sizeof bytes), DEFRAG_OK);
    for (size_t i = 0; i < sizeof bytes; i++)
        EXPECT(bytes[i] == DEFRAG_SCRAMBLE_BYTE, "byte %zu of a new block is %02x", i, bytes[i]);
    support_buffer_free(&buffer);
}

/* A stretch without a gap borrows an eighth of the wilderness, rounded up, which becomes a hole in it. */
static void the_wilderness_gives_an_eighth(const struct defrag_build *b)
{
    for (size_t wilderness = 1; wilderness < 40; wilderness++) {
        struct support_buffer buffer;
        defrag_pool *pool = support_pool_of(b, &buffer, wilderness + 20, NULL);
        defrag_handle h[2];
        for (size_t i = 0; i < 2; i++)
            EXPECT_STATUS(b->alloc(pool, support_payload(inside_of(b->name), 4), &h[i]), DEFRAG_OK);
        layout_read(&now, b, pool);
        size_t before = layout_wilderness(&now);
        EXPECT_STATUS(b->scramble(pool, 1), DEFRAG_OK);
        layout_read(&now, b, pool);
        EXPECT(layout_wilderness(&now) == before - (before + 7) / 8, "%zu of %zu granules are left",
               layout_wilderness(&now), before);
        for (uint32_t seed = 2; seed < 8; seed++) {
            before = layout_wilderness(&now);
            bool gap = now.free > before;
            EXPECT_STATUS(b->scramble(pool, seed * 2654435761u), DEFRAG_OK);
            layout_read(&now, b, pool);
            EXPECT(!gap || layout_wilderness(&now) >= before, "a stretch with a gap borrows as well");
        }
        support_buffer_free(&buffer);
    }
}

/*
 * What lies behind the top is no block, whatever the bytes there say: of all that
 * a freed block has left, and of zeroes below it, which would be a size without end.
 */
static void the_wilderness_is_not_looked_at(const struct defrag_build *b)
{
    static const defrag_config scrambling = {.flags = DEFRAG_SCRAMBLE};
    for (int runs = 0; runs < 2; runs++) {
        struct support_buffer buffer;
        defrag_pool *pool = support_pool_of(b, &buffer, 60, runs ? &scrambling : NULL);
        defrag_handle low, high;
        unsigned char bytes[64] = {0};
        EXPECT_STATUS(b->alloc(pool, sizeof bytes, &low), DEFRAG_OK);
        EXPECT_STATUS(b->alloc_fast(pool, support_statistics(b, pool).largest_fast, &high), DEFRAG_OK);
        EXPECT_STATUS(b->write(pool, low, 0, bytes, sizeof bytes), DEFRAG_OK);
        void *p = b->lock(pool, high);
        EXPECT(p, "no lock");
        memset(p, 0xff, b->size(pool, high));
        EXPECT_STATUS(b->unlock(pool, high), DEFRAG_OK);
        EXPECT_STATUS(b->free(pool, &high), DEFRAG_OK);
        EXPECT_STATUS(runs ? b->make_room(pool, 1) : b->scramble(pool, 1), DEFRAG_OK);
        EXPECT_STATUS(b->check(pool), DEFRAG_OK);
        EXPECT(runs || support_statistics(b, pool).moved_blocks > 0, "nothing has moved");
        support_buffer_free(&buffer);
    }
}

int main(void)
{
    static const struct support_test tests[] = {
        {"all that can lie elsewhere does", all_that_can_moves},
        {"seeds matter", seeds_matter},
        {"calls under SCRAMBLE", the_flag},
        {"calls under SCRAMBLE and MANUAL", the_flag_with_manual},
        {"a pointer kept over an allocation", a_kept_pointer},
        {"make_room turns what lies above a gap", make_room_turns_what_lies_above_a_gap},
        {"a step turns what lies above a gap", a_step_turns_what_lies_above_a_gap},
        {"a new block is filled", a_new_block_is_filled},
        {"the wilderness gives an eighth", the_wilderness_gives_an_eighth},
        {"the wilderness is not looked at", the_wilderness_is_not_looked_at},
    };
    int failed = support_run("scramble", tests, sizeof tests / sizeof tests[0]);
    layout_free(&now);
    return failed;
}
