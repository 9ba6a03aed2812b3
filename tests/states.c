/* SPDX-License-Identifier: MIT */
#include "states.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fill(const struct state *s, defrag_handle handle)
{
    unsigned char pattern[512];
    size_t size = s->build->size(s->pool, handle);
    memset(pattern, (int)s->inside->slot_of(handle), sizeof pattern);
    EXPECT(size <= sizeof pattern, "a state with a block of %zu bytes", size);
    EXPECT_STATUS(s->build->write(s->pool, handle, 0, pattern, size), DEFRAG_OK);
}

void state_restore(struct state *s)
{
    memcpy(s->pool, s->image, s->image_bytes);
}

static bool has_contents(const struct stretch *stretch, unsigned char value)
{
    for (size_t i = 0; i < stretch->payload_bytes; i++)
        if (stretch->payload[i] != value)
            return false;
    return true;
}

void state_expect_intact(const struct state *s)
{
    static struct layout now;
    EXPECT_STATUS(s->build->check(s->pool), DEFRAG_OK);
    layout_read(&now, s->build, s->pool);
    for (size_t i = 0; i < s->layout.count; i++) {
        const struct stretch *old = &s->layout.stretches[i];
        if (old->region != DEFRAG_REGION_USED)
            continue;
        const struct stretch *block = layout_find(&now, old->handle);
        EXPECT(block, "a block is gone");
        EXPECT(block->granules == old->granules, "a block has another size");
        EXPECT(block->shared == old->shared && block->exclusive == old->exclusive, "a lock state changed");
        EXPECT(!old->pinned || block->start == old->start, "a locked block moved");
        EXPECT(has_contents(block, (unsigned char)s->inside->slot_of(old->handle)), "contents are lost");
    }
}

const char *state_text(const struct state *s)
{
    static char text[200];
    size_t at = 0;
    unsigned used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < s->count && at < sizeof text - 16; i++) {
        char mark = !s->used[i] ? '-' : s->locks >> used & 1 ? '*' : '+';
        used += s->used[i];
        at += (size_t)snprintf(text + at, sizeof text - at, "%c%zu ", mark, s->sizes[i]);
    }
    snprintf(text + at, sizeof text - at, "table %d", (int)s->table);
    return text;
}

/* --- Building one state ------------------------------------------------------------- */

/* Fills the table with so many empty slots, to be used in the order given. */
static bool grow_table(struct state *s, const size_t *order)
{
    defrag_handle handles[STATE_PIECES];
    for (size_t i = 0; i < s->count; i++)
        if (s->build->alloc_fast(s->pool, 0, &handles[i]) != DEFRAG_OK)
            return false;
    for (size_t i = 0; i < s->count; i++)
        EXPECT_STATUS(s->build->free(s->pool, &handles[order[i]]), DEFRAG_OK);
    return true;
}

/* Used pieces get the low slots in TABLE_TAIL and TABLE_CLEAN. */
static void slot_order(const struct state *s, size_t *order)
{
    size_t low = 0;
    size_t high = 0;
    for (size_t i = 0; i < s->count; i++)
        high += s->used[i];
    for (size_t i = 0; i < s->count; i++) {
        if (s->table == TABLE_MIXED)
            order[i] = i;
        else
            order[i] = s->used[i] ? low++ : high++;
    }
}

/* Each block is allocated with the free piece behind it, and then shrinks. */
static bool build_tight(struct state *s)
{
    for (size_t i = 0; i < s->count; i++) {
        size_t behind = i + 1 < s->count && !s->used[i + 1] ? s->sizes[i + 1] : 0;
        s->handles[i] = (defrag_handle){0};
        if (!s->used[i])
            continue;
        size_t whole = support_payload(s->inside, s->sizes[i] + behind);
        if (s->build->alloc_fast(s->pool, whole, &s->handles[i]) != DEFRAG_OK)
            return false;
    }
    for (size_t i = 0; i < s->count; i++) {
        if (!s->used[i])
            continue;
        size_t bytes = support_payload(s->inside, s->sizes[i]);
        EXPECT_STATUS(s->build->resize(s->pool, s->handles[i], bytes), DEFRAG_OK);
        fill(s, s->handles[i]);
    }
    return true;
}

static bool build_pieces(struct state *s)
{
    size_t order[STATE_PIECES];
    memcpy(s->pool, s->fresh, s->image_bytes);
    if (s->table == TABLE_TIGHT)
        return s->used[0] && build_tight(s);
    slot_order(s, order);
    if (!grow_table(s, order))
        return false;
    for (size_t i = 0; i < s->count; i++)
        if (s->build->alloc_fast(s->pool, support_payload(s->inside, s->sizes[i]), &s->handles[i])
            != DEFRAG_OK)
            return false;
    for (size_t i = 0; i < s->count; i++) {
        if (s->used[i])
            fill(s, s->handles[i]);
        else
            EXPECT_STATUS(s->build->free(s->pool, &s->handles[i]), DEFRAG_OK);
    }
    if (s->table == TABLE_CLEAN)
        EXPECT_STATUS(s->build->clean(s->pool), DEFRAG_OK);
    return true;
}

/* Shared and exclusive locks in turn. */
static void lock_some(struct state *s, const unsigned char *unlocked)
{
    unsigned used = 0;
    memcpy(s->pool, unlocked, s->image_bytes);
    for (size_t i = 0; i < s->count; i++) {
        if (!s->used[i])
            continue;
        if (s->locks >> used & 1) {
            const void *address = used & 1 ? s->build->lock_shared(s->pool, s->handles[i])
                                           : s->build->lock(s->pool, s->handles[i]);
            EXPECT(address, "a block cannot be locked");
        }
        used++;
    }
}

struct tour {
    struct state state;
    state_visitor *visitor;
    void *context;
    unsigned long states;
    unsigned char *unlocked;
};

static void visit_locks(struct tour *tour)
{
    struct state *s = &tour->state;
    unsigned used = 0;
    for (size_t i = 0; i < s->count; i++)
        used += s->used[i];
    memcpy(tour->unlocked, s->pool, s->image_bytes);
    for (s->locks = 0; s->locks < 1u << used; s->locks++) {
        lock_some(s, tour->unlocked);
        memcpy(s->image, s->pool, s->image_bytes);
        layout_read(&s->layout, s->build, s->pool);
        support_context("%s, blocks %s", s->build->name, state_text(s));
        tour->visitor(s, tour->context);
        tour->states++;
    }
    s->locks = 0;
}

/* A free piece before the wilderness would be no block, and two in a row would be one. */
static void extend(struct tour *tour, size_t granules)
{
    struct state *s = &tour->state;
    bool after_used = s->count == 0 || s->used[s->count - 1];
    if (s->count > 0 && after_used) {
        for (int table = 0; table < TABLE_KINDS; table++) {
            s->table = (enum state_table)table;
            if (build_pieces(s))
                visit_locks(tour);
        }
    }
    if (s->count == STATE_PIECES)
        return;
    for (size_t size = s->inside->smallest; size <= granules; size++) {
        s->sizes[s->count] = size;
        for (int used = !after_used; used < 2; used++) {
            s->used[s->count] = used;
            s->count++;
            extend(tour, granules - size);
            s->count--;
        }
    }
}

unsigned long states_each(const struct defrag_build *build, size_t granules, const defrag_config *config,
                          state_visitor *visitor, void *context)
{
    static struct tour tour;
    memset(&tour, 0, sizeof tour);
    tour.visitor = visitor;
    tour.context = context;
    struct state *s = &tour.state;
    s->build = build;
    s->inside = inside_of(build->name);
    s->pool = support_pool_of(build, &s->buffer, granules, config);
    s->image_bytes = support_statistics(build, s->pool).pool_bytes;
    s->fresh = malloc(s->image_bytes);
    s->image = malloc(s->image_bytes);
    tour.unlocked = malloc(s->image_bytes);
    if (!s->fresh || !s->image || !tour.unlocked)
        abort();
    memcpy(s->fresh, s->pool, s->image_bytes);
    extend(&tour, granules);
    free(s->fresh);
    free(s->image);
    free(tour.unlocked);
    layout_free(&s->layout);
    support_buffer_free(&s->buffer);
    return tour.states;
}

size_t states_granules(const struct defrag_build *build, size_t usual)
{
    /* Blocks of two granules at least, or a slot to each granule, leave fewer states. */
    static const struct {
        const char *name;
        size_t more;
    } builds[] = {{"n4", 6}, {"w8", 6}, {"n8", 1}, {"n16", 0}, {"w16", 1}};
    unsigned effort = support_effort();
    size_t granules = usual;
    for (size_t i = 0; i < sizeof builds / sizeof builds[0]; i++)
        if (strcmp(inside_of(build->name)->name, builds[i].name) == 0)
            granules += builds[i].more;
    for (; effort >= 500 && granules < STATE_PIECES; effort /= 5)
        granules++;
    for (; effort < 50 && granules > 4; effort *= 5)
        granules--;
    return granules;
}
