/* SPDX-License-Identifier: MIT */
/*
 * Every reachable state of a small pool, breadth first from the fresh pool to
 * the fixpoint, with every call and every argument that makes a difference.
 *
 * A scope is a build, the free granules of the empty pool, the most blocks that
 * live at once, and a configuration. A state is the canonical form of the image
 * (canon.h): everything but statistics, payloads, free bytes and generations.
 * Nothing is hashed together; two states are one iff their forms are equal, and
 * drawing the form over the image a call left must change no byte of it.
 *
 * The calls, from every state:
 *   alloc, alloc_fast, alloc_slice, alloc_slice_fast, alloc_request, make_room
 *       of every size in granules, one more than the pool holds among them
 *   resize of every block to every size in granules
 *   free, lock, lock_shared, unlock of every block
 *   clean, compact, compact_step with every budget in granules, scramble with a few seeds
 * A block has no lock, one shared one or the exclusive one. With the configuration
 * `aligned` an alloc_request is one for two granules' alignment, else for one; with
 * `low` it is one for a low place. Where one block more
 * than the scope has would live the call is made and checked all the same, but
 * not followed.
 *
 * A transition, in the figures, is a call that succeeded and led to a state of the
 * scope, be it the same one; the other calls were refused, or led beyond it.
 *
 * After each: the status is the one that tests/layout.c and the table of statuses
 * predict; defrag_check(); the payload of every block (a function of its slot);
 * its size, slot, lock and generation; what may have moved; that room is made
 * at the cost that tests/planner.c plans; that a refused call changed nothing. In each
 * state besides: walk, statistics, detach and attach; read, write and size; for each slot
 * a stale handle with every call that takes one; largest_fast and largest_certain
 * are exact; the cheapest slide is what brute force finds; steps of any budget move each block at most once, and end where compact
 * does if there is no hole below the cursor when they begin. Else they may leave a
 * block above a hole that would hold it, which only compact goes back for.
 *
 * Generations. A call compares the handle's generation with the entry's and does
 * nothing else that depends on them but write generations: the entry's, when a
 * block is freed; the seed, when an entry is freed or forgotten; a new entry's.
 * So a call with a current handle, or with a stale one, leads to the same form
 * whatever the generations are, and they can be left out of it. That is not only
 * argued: each state is expanded with generations, payloads and free bytes drawn
 * from a hash of it, half of the generations such that the next one pulls the
 * seed; and one state in 16 twice, with different ones, which must lead to the
 * same forms. The exact sequence of generations is tests/model.c's business.
 *
 * The bound of the holes below the cursor is left out likewise, as a hint on which
 * nothing depends but which holes a step that goes on looks at. Each state is
 * expanded with some bound, in half of them 0.
 *
 * Shared locks above one, skipped bytes and the statistics' counters are tested
 * elsewhere; so is DEFRAG_SCRAMBLE, whose random numbers come from a counter.
 *
 *   test_explore                          the scopes of make check
 *   test_explore --large                  those of make exhaustive
 *   test_explore --build=n8 --granules=12 --handles=4 [--config=manual|hooked|aligned|low]
 *                [--seconds=N] [--megabytes=N]
 */
#include "arrange.h"
#include "canon.h"
#include "growth.h"
#include "space.h"
#include "statuses.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum call {
    CALL_START, /* the fresh pool: no call yet */
    CALL_ALLOC,
    CALL_ALLOC_FAST,
    CALL_SLICE,
    CALL_SLICE_FAST,
    CALL_REQUEST,
    CALL_MAKE_ROOM,
    CALL_RESIZE,
    CALL_FREE_BLOCK,
    CALL_LOCK_ALONE,
    CALL_SHARE,
    CALL_RELEASE,
    CALL_CLEAN,
    CALL_COMPACT,
    CALL_SCRAMBLE,
    CALL_STEP,
    CALLS
};

static const char *const call_names[CALLS] = {
    "init",   "alloc", "alloc_fast", "alloc_slice", "alloc_slice_fast", "alloc_request", "make_room",   "resize",
    "free",   "lock",  "lock_shared", "unlock",     "clean",            "compact",       "scramble",    "compact_step"};

#define SEEDS      4     /* of scramble */
#define BUDGET_ALL 0xffu /* a step's argument: no limit; else granules */

enum configuration { PLAIN, MANUAL, HOOKED, ALIGNED, LOW };
static const char *const configuration_names[] = {"plain", "manual", "hooked", "aligned", "low"};

struct scope {
    const char *build;
    unsigned granules;
    unsigned handles;
    enum configuration configuration;
    unsigned seconds; /* 0: no limit */
    size_t megabytes;
};

#define PAYLOAD_MAX (CANON_GRANULES * 16)

struct explorer {
    struct scope scope;
    const struct defrag_build *build;
    const struct inside *inside;
    const struct canon_build *canon;
    defrag_config config;
    bool manual;

    struct support_buffer buffer;
    defrag_pool *pool;
    size_t bytes;
    unsigned char *fresh; /* the image of the fresh pool  */
    unsigned char *base;  /* of the state in hand         */
    unsigned char *other; /* of a call that is compared   */

    struct space space;
    size_t current; /* number of the state in hand */
    struct space_step step;

    /* The state in hand. */
    struct canon before;
    canon_generations generations;
    struct layout layout;
    defrag_statistics statistics;
    uint64_t salt;
    unsigned char payloads[CANON_BLOCKS + 1][PAYLOAD_MAX];
    size_t block_of[CANON_BLOCKS + 1]; /* by slot: number of its block + 1, 0: none */
    unsigned compacted_at[CANON_BLOCKS + 1]; /* by slot: where compact puts its block, granules from the first place */
    bool is_fresh;                           /* there is no hole below the cursor: steps put it there too             */
    size_t largest_fast, largest_certain; /* as the calls have shown */

    /* After a call. */
    struct canon after;
    canon_generations now;
    size_t displaced; /* granules of the blocks that lie elsewhere */

    bool follow; /* note the states that are reached; else they must be known */
    uint64_t calls, transitions, edge;
    uint64_t bounds, beyond; /* states in which largest_certain need not be exact, and is not */
    uint64_t left; /* states in which steps leave something to compact */
    unsigned depth;
    size_t frontier_end;
    time_t began, said;
};

static struct explorer explorer;

/* --- Telling the way -------------------------------------------------------------------- */

static void tell_step(unsigned number, struct space_step step)
{
    fprintf(stderr, "#   %2u. %s", number, call_names[step.call]);
    if (step.call >= CALL_RESIZE && step.call <= CALL_RELEASE)
        fprintf(stderr, ", slot %u", step.slot);
    if (step.call == CALL_STEP && step.argument == BUDGET_ALL)
        fprintf(stderr, ", no limit");
    else if (step.call == CALL_SCRAMBLE)
        fprintf(stderr, ", seed %u", step.argument);
    else if (step.call == CALL_STEP || step.call <= CALL_RESIZE)
        fprintf(stderr, ", %u granules", step.argument);
    fputc('\n', stderr);
}

/* The shortest way from the fresh pool to the state in hand, and the call that failed. */
static void tell_way(void)
{
    const struct explorer *e = &explorer;
    size_t way[4096];
    size_t length = 0;
    for (size_t i = e->current; i != 0 && length < 4096; i = e->space.states[i].parent)
        way[length++] = i;
    fprintf(stderr, "# from the fresh pool of %u granules (%s, %s):\n", e->scope.granules, e->build->name,
            configuration_names[e->scope.configuration]);
    unsigned number = 0;
    while (length > 0)
        tell_step(++number, e->space.states[way[--length]].step);
    if (e->step.call != CALL_START)
        tell_step(++number, e->step);
    else
        fprintf(stderr, "#   and a look at the state\n");
}

void support_report(const char *file, int line, const char *context, const char *text)
{
    fprintf(stderr, "# %s: %s (%s:%d)\n", context, text, file, line);
    tell_way();
    exit(1);
}

/* --- Sizes and places --------------------------------------------------------------------------- */

static const defrag_pool *image(const unsigned char *bytes)
{
    return (const defrag_pool *)(const void *)bytes;
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Some number of bytes for which a block of so many granules is needed. */
static size_t bytes_for(const struct explorer *e, size_t granules)
{
    size_t most = support_payload(e->inside, granules);
    size_t least = granules == e->inside->smallest ? 0 : most - e->inside->granule + 1;
    return most - (size_t)(mix(e->salt + granules) % (most - least + 1));
}

/* Granules that the alignment adds to a block in such a state, and to a request. */
static unsigned padding_in(unsigned state)
{
    return state >= CANON_ALIGNED ? 1 : 0;
}

static unsigned padding_of(const struct explorer *e, unsigned slot)
{
    return padding_in(e->before.slot[slot]);
}

static unsigned padding_for(const struct explorer *e, enum call call)
{
    return call == CALL_REQUEST && e->scope.configuration == ALIGNED ? 1 : 0;
}

/* The payload of a block with that padding, and its bytes. */
static unsigned char *payload_at(const struct explorer *e, unsigned at, unsigned padding)
{
    unsigned char *first = (unsigned char *)e->pool + (e->canon->first + at) * e->inside->granule;
    bool is_odd = (uintptr_t)first / e->inside->granule % 2 != 0;
    return first + (padding != 0 && is_odd ? e->inside->granule : 0);
}

static size_t payload_bytes(const struct explorer *e, unsigned granules, unsigned padding)
{
    return (granules - padding) * e->inside->granule - e->inside->header;
}

/* The current handle of a slot; of an empty slot, the one it gives next. */
static defrag_handle handle_of(const struct explorer *e, unsigned slot)
{
    return e->inside->handle_of(slot, e->generations[slot]);
}

static unsigned kind_of_lock(unsigned lock)
{
    return lock >= CANON_ALIGNED ? lock - CANON_ALIGNED : (lock + 1) / 2;
}

/* --- A state from its key ------------------------------------------------------------------- */

static void fill(unsigned char *to, size_t bytes, uint64_t seed)
{
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word = mix(seed += UINT64_C(0x9e3779b97f4a7c15));
        memcpy(to + i, &word, bytes - i < 8 ? bytes - i : 8);
    }
}

static void choose_generations(struct explorer *e)
{
    for (unsigned slot = 0; slot <= CANON_BLOCKS; slot++) {
        uint64_t z = mix(e->salt + slot * UINT64_C(0x100000001b3));
        e->generations[slot] = (uint8_t)(z & 0x100 ? z | 0x3f : z);
    }
}

/* Any number of granules, 0 in one state of two. */
static void choose_hole_bound(struct explorer *e)
{
    uint64_t z = mix(e->salt ^ UINT64_C(0xb0d));
    e->before.hole_bound = (uint8_t)(z & 1 ? (z >> 1) % (e->scope.granules + 1) : 0);
}

/* Builds the image of the state, with whatever generations, payloads and free bytes the salt says. */
static void enter_state(struct explorer *e, size_t number, unsigned turn)
{
    e->current = number;
    e->step.call = CALL_START;
    struct canon_key key = e->space.states[number].key;
    canon_unpack(key, &e->before);
    e->salt = space_hash(key) + turn * UINT64_C(0x5851f42d4c957f2d);
    choose_generations(e);
    choose_hole_bound(e);

    memcpy(e->pool, e->fresh, e->bytes);
    size_t first = e->canon->first * e->inside->granule - e->inside->header;
    fill((unsigned char *)e->pool + first, e->bytes - first, e->salt);
    e->canon->draw(e->pool, image(e->fresh), &e->before, e->generations);
    e->canon->draw_statistics(e->pool);
    memset(e->block_of, 0, sizeof e->block_of);
    for (unsigned i = 0; i < e->before.blocks; i++) {
        const struct canon_block *block = &e->before.block[i];
        unsigned padding = padding_of(e, block->slot);
        size_t size = payload_bytes(e, block->size, padding);
        fill(e->payloads[block->slot], size, e->salt ^ block->slot);
        memcpy(payload_at(e, block->at, padding), e->payloads[block->slot], size);
        e->block_of[block->slot] = i + 1;
    }
    memcpy(e->base, e->pool, e->bytes);
}

/* The block of a slot in the state in hand. */
static const struct canon_block *block_before(const struct explorer *e, unsigned slot)
{
    return &e->before.block[e->block_of[slot] - 1];
}

static enum handle_state lock_state(const struct explorer *e, unsigned slot)
{
    static const enum handle_state states[] = {STATE_UNLOCKED, STATE_SHARED, STATE_EXCLUSIVE};
    return states[kind_of_lock(e->before.slot[slot])];
}

static size_t stretch_of(const struct explorer *e, unsigned slot)
{
    return e->layout.by_slot[slot] - 1;
}

/* --- After a call ------------------------------------------------------------------------------ */

static void restore(struct explorer *e)
{
    memcpy(e->pool, e->base, e->bytes);
}

static void expect_unchanged(const struct explorer *e, const char *what)
{
    EXPECT(memcmp(e->pool, e->base, e->bytes) == 0, "%s changed the image", what);
}

/* What may have changed. `slot` is the block that the call is about, `moves` what may move. */
enum moves { MOVES_NONE, MOVES_ALONE, MOVES_ANY };
struct change {
    enum moves moves;
    unsigned slot;
    unsigned size; /* that it has now; 0: it lives no more */
    unsigned lock; /* kind */
};

static void expect_block(struct explorer *e, const struct canon_block *now, const struct change *change)
{
    unsigned slot = now->slot;
    bool named = slot == change->slot;
    if (e->block_of[slot] == 0) {
        EXPECT(named && now->size == change->size, "a block of slot %u, %u granules, came from nowhere", slot,
               now->size);
        return;
    }
    const struct canon_block *old = block_before(e, slot);
    unsigned lock = kind_of_lock(e->before.slot[slot]);
    EXPECT(now->size == (named ? change->size : old->size), "slot %u has %u granules, not %u", slot,
           now->size, named ? change->size : old->size);
    EXPECT(kind_of_lock(e->after.slot[slot]) == (named ? change->lock : lock), "slot %u: lock state", slot);
    EXPECT(e->now[slot] == e->generations[slot], "slot %u: its generation is another one", slot);
    if (now->at != old->at) {
        EXPECT(lock == 0, "slot %u is locked and moved", slot);
        EXPECT(change->moves == MOVES_ANY || (change->moves == MOVES_ALONE && named), "slot %u moved", slot);
        e->displaced += old->size;
    }
    unsigned padding = padding_of(e, slot);
    EXPECT(padding_in(e->after.slot[slot]) == padding, "slot %u: its alignment is another one", slot);
    size_t bytes = payload_bytes(e, old->size < now->size ? old->size : now->size, padding);
    EXPECT(memcmp(payload_at(e, now->at, padding), e->payloads[slot], bytes) == 0,
           "slot %u lost its contents", slot);
}

static unsigned blocks_after(const struct explorer *e, const struct change *change)
{
    if (change->slot == 0)
        return e->before.blocks;
    return e->before.blocks + (change->size != 0 ? 1u : 0u) - (e->block_of[change->slot] != 0 ? 1u : 0u);
}

/* The canonical form says all there is to say: to draw it over the image changes no byte. */
static void expect_canonical(struct explorer *e)
{
    memcpy(e->other, e->pool, e->bytes);
    e->canon->draw(e->pool, image(e->fresh), &e->after, e->now);
    EXPECT(memcmp(e->other, e->pool, e->bytes) == 0,
           "the image is not the one that its canonical form tells");
}

static void note_state(struct explorer *e)
{
    struct canon_key key = canon_pack(&e->after);
    size_t count = e->space.count;
    e->transitions += e->follow;
    (void)space_add(&e->space, key, (uint32_t)e->current, e->step);
    /* A step with another bound looks for other holes, and ends elsewhere. */
    EXPECT(e->follow || e->space.count == count || e->step.call == CALL_STEP,
           "with other generations the same call leads to another state");
}

/* The call changed what `change` says and nothing else; its state is noted. */
static void expect_changed(struct explorer *e, struct change change)
{
    EXPECT_STATUS(e->build->check(e->pool), DEFRAG_OK);
    EXPECT(e->canon->read(e->pool, &e->after, e->now), "the pool has more than the scope allows");
    EXPECT(e->after.blocks == blocks_after(e, &change), "%u blocks live, not %u", e->after.blocks,
           blocks_after(e, &change));
    e->displaced = 0;
    for (unsigned i = 0; i < e->after.blocks; i++)
        expect_block(e, &e->after.block[i], &change);
    if (e->after.blocks > e->scope.handles) {
        e->edge += e->follow;
        return;
    }
    expect_canonical(e);
    note_state(e);
}

static const struct change nothing = {MOVES_NONE, 0, 0, 0};
static const struct change anything = {MOVES_ANY, 0, 0, 0};

/* Whether the form and the generations of this image are those that the last look at one has found. */
static bool is_like_after(const struct explorer *e, const defrag_pool *pool)
{
    struct canon form;
    canon_generations generations;
    return e->canon->read(pool, &form, generations) && memcmp(&form, &e->after, sizeof form) == 0
           && memcmp(generations, e->now, (size_t)form.slots + 1) == 0;
}

/* Only statistics and free bytes differ, or empty slots at the end of the table were given back besides. */
static void expect_refused(struct explorer *e, bool may_trim)
{
    EXPECT_STATUS(e->build->check(e->pool), DEFRAG_OK);
    if (e->canon->same(e->pool, image(e->base), e->bytes))
        return;
    EXPECT(may_trim, "a refused call changed the image");
    EXPECT(e->canon->read(e->pool, &e->after, e->now), "the pool has more than the scope allows");
    for (unsigned i = 0; i < e->after.blocks; i++)
        expect_block(e, &e->after.block[i], &nothing);
    expect_canonical(e);
    if (is_like_after(e, image(e->base)))
        return;
    restore(e);
    EXPECT_STATUS(e->build->clean(e->pool), DEFRAG_OK);
    EXPECT(is_like_after(e, e->pool), "a refused call did more than clean does");
}

/* --- Allocation ----------------------------------------------------------------------------------- */

/* The first block of the bin that a request of so many granules has to itself; 0 granules: none. */
static unsigned bin_head(const struct explorer *e, unsigned granules)
{
    const struct canon *c = &e->before;
    unsigned bin = e->inside->bin_of(granules);
    bool linked = false;
    bool followed[CANON_BLOCKS] = {false};
    for (unsigned i = 0; i < c->blocks; i++)
        if (c->block[i].next != CANON_LAST)
            followed[c->block[i].next] = true;
    for (unsigned i = 0; i < c->blocks; i++) {
        linked = c->block[i].gap * e->inside->granule >= 2 * e->inside->header;
        if (linked && !followed[i] && e->inside->bin_of(c->block[i].gap) == bin)
            return c->block[i].gap;
    }
    return 0;
}

/* alloc_fast exactly: where the sums leave it open, the head of the request's own bin decides. */
static int predict_fast(const struct explorer *e, size_t bytes, unsigned granules)
{
    struct verdict verdict = layout_predict_alloc_fast(&e->layout, bytes);
    if (verdict.status == verdict.also)
        return verdict.status;
    return bin_head(e, granules) >= granules ? DEFRAG_OK : DEFRAG_FRAGMENTED;
}

/* The call displaced what the plan for so many granules says. */
static void expect_room(const struct explorer *e, unsigned granules)
{
    struct planned plan = planner_plan(&e->layout, granules, layout_need_trimmed(&e->layout), 0);
    EXPECT(plan.found && e->displaced == plan.moved, "%zu granules moved where %zu should have been",
           e->displaced, plan.moved);
    EXPECT(plan.moved <= plan.slide && plan.moved - plan.above >= plan.floor,
           "the plan moves %zu granules, %zu of them for the table; the cheapest slide, %zu; the least is %zu",
           plan.moved, plan.above, plan.slide, plan.floor);
}

static bool is_low(const struct explorer *e, enum call call)
{
    return call == CALL_REQUEST && e->scope.configuration == LOW;
}

static defrag_status call_alloc(struct explorer *e, enum call call, size_t bytes, defrag_handle *out)
{
    size_t count = bytes % 4 == 0 ? 4 : bytes % 3 == 0 ? 3 : 1;
    defrag_request request = {.bytes = bytes / count,
                              .count = count,
                              .alignment = e->inside->granule << padding_for(e, call),
                              .flags = (e->salt & 1 ? DEFRAG_ZERO : 0u)
                                       | (is_low(e, call) ? DEFRAG_PLACE_LOW : 0u)};
    switch (call) {
    case CALL_ALLOC:
        return e->build->alloc(e->pool, bytes, out);
    case CALL_ALLOC_FAST:
        return e->build->alloc_fast(e->pool, bytes, out);
    case CALL_SLICE:
        return e->build->alloc_slice(e->pool, count, bytes / count, out);
    case CALL_SLICE_FAST:
        return e->build->alloc_slice_fast(e->pool, count, bytes / count, out);
    default:
        return e->build->alloc_request(e->pool, &request, out);
    }
}

static void expect_zero(const struct explorer *e, defrag_handle handle, size_t bytes)
{
    static const unsigned char zero[PAYLOAD_MAX];
    unsigned char payload[PAYLOAD_MAX];
    EXPECT_STATUS(e->build->read(e->pool, handle, 0, payload, bytes), DEFRAG_OK);
    EXPECT(memcmp(payload, zero, bytes) == 0, "a slice is not zero");
}

/* A slot that was empty has the generation it was promised; a new one the seed, as trimming left it. */
static void expect_new_slot(const struct explorer *e, defrag_handle handle)
{
    unsigned slot = e->inside->slot_of(handle);
    unsigned generation = e->inside->generation_of(handle);
    bool kept = slot <= e->before.slots && generation == e->generations[slot];
    EXPECT(kept || (slot > e->layout.highest && generation == e->inside->seed(e->pool)),
           "handle %08x: generation %u", (unsigned)handle.bits, generation);
}

/* It is no higher than a gap that held it, at the bottom or right behind a locked block, and where it is nothing moved. */
static void expect_low(const struct explorer *e, unsigned slot, unsigned granules)
{
    const struct layout *layout = &e->layout;
    size_t at = 0;
    for (unsigned i = 0; i < e->after.blocks; i++)
        if (e->after.block[i].slot == slot)
            at = e->after.block[i].at;
    for (size_t i = 0; layout_wilderness(layout) >= layout_need(layout) && i < layout->count; i++) {
        const struct stretch *s = &layout->stretches[i];
        size_t taken = i + 1 == layout->count ? layout_need(layout) : 0;
        if (s->region == DEFRAG_REGION_USED || (i > 0 && !s[-1].pinned) || s->granules < granules + taken)
            continue;
        size_t gap = (s->start + e->inside->header) / e->inside->granule - e->canon->first;
        EXPECT(at <= gap && (at < gap || e->displaced == 0), "slot %u is at %zu, and there was room at %zu",
               slot, at, gap);
        return;
    }
}

static void try_alloc(struct explorer *e, enum call call, unsigned granules)
{
    bool fast = call == CALL_ALLOC_FAST || call == CALL_SLICE_FAST;
    bool zeroed = call == CALL_SLICE || call == CALL_SLICE_FAST || (call == CALL_REQUEST && (e->salt & 1));
    unsigned padding = padding_for(e, call);
    if (granules < e->inside->smallest + padding)
        return;
    size_t bytes = bytes_for(e, granules - padding);
    int expected = fast ? predict_fast(e, bytes, granules)
                        : layout_predict_place(&e->layout, granules, e->manual).status;
    defrag_handle handle = {0xffffffffu};
    defrag_status status = call_alloc(e, call, bytes, &handle);
    if (status != DEFRAG_OK || expected != DEFRAG_PINNED || !is_low(e, call))
        EXPECT_STATUS(status, expected);
    if (status != DEFRAG_OK) {
        EXPECT(handle.bits == 0, "a failed alloc gave a handle");
        expect_refused(e, !fast);
        return;
    }
    size_t payload = payload_bytes(e, granules, padding);
    size_t *largest = fast ? &e->largest_fast : &e->largest_certain;
    *largest = *largest < payload ? payload : *largest;
    expect_new_slot(e, handle);
    if (zeroed)
        expect_zero(e, handle, payload);
    expect_changed(e, (struct change){fast || e->manual ? MOVES_NONE : MOVES_ANY, e->inside->slot_of(handle),
                                      granules, 0});
    if (is_low(e, call))
        expect_low(e, e->inside->slot_of(handle), granules);
    else if (!fast && !e->manual)
        expect_room(e, granules);
}

static void try_make_room(struct explorer *e, unsigned granules)
{
    size_t bytes = bytes_for(e, granules);
    defrag_handle handle;
    defrag_status status = e->build->make_room(e->pool, bytes);
    EXPECT_STATUS(status, layout_predict_alloc(&e->layout, bytes, false).status);
    if (status != DEFRAG_OK) {
        expect_refused(e, true);
        return;
    }
    expect_changed(e, anything);
    expect_room(e, granules);
    EXPECT_STATUS(e->build->alloc_fast(e->pool, bytes, &handle), DEFRAG_OK);
}

/* --- One block ---------------------------------------------------------------------------------------- */

/* What the resize moves: nothing, if the block does not grow, or is locked. */
static struct growth growth_of(const struct explorer *e, size_t index, unsigned granules)
{
    const struct stretch *s = &e->layout.stretches[index];
    if (granules <= s->granules || s->pinned)
        return (struct growth){.way = GROWTH_IN_PLACE};
    return growth_plan(&e->layout, index, granules, e->manual, 0);
}

static enum moves moves_of(enum growth_way way)
{
    if (way == GROWTH_IN_PLACE)
        return MOVES_NONE;
    return way == GROWTH_BACKWARD || way == GROWTH_ELSEWHERE ? MOVES_ALONE : MOVES_ANY;
}

static void try_resize(struct explorer *e, unsigned slot, unsigned granules)
{
    unsigned padding = padding_of(e, slot);
    if (granules < e->inside->smallest + padding)
        return;
    size_t bytes = bytes_for(e, granules - padding);
    size_t index = stretch_of(e, slot);
    defrag_status status = e->build->resize(e->pool, handle_of(e, slot), bytes);
    EXPECT_STATUS(status, layout_predict_resize(&e->layout, index, bytes, e->manual).status);
    if (status != DEFRAG_OK) {
        expect_refused(e, status != DEFRAG_LOCKED && status != DEFRAG_BAD_SIZE);
        return;
    }
    struct growth growth = growth_of(e, index, granules);
    expect_changed(e,
                   (struct change){moves_of(growth.way), slot, granules, kind_of_lock(e->before.slot[slot])});
    /* What moves twice, to make room and into it, is displaced once. */
    EXPECT(e->displaced == growth.moved || (growth.way == GROWTH_ROOM && e->displaced < growth.moved),
           "%zu granules moved where %zu should have been", e->displaced, growth.moved);
}

static void try_free(struct explorer *e, unsigned slot)
{
    defrag_handle handle = handle_of(e, slot);
    defrag_status status = e->build->free(e->pool, &handle);
    EXPECT_STATUS(status, statuses_of(CALL_FREE, lock_state(e, slot)));
    if (status != DEFRAG_OK) {
        EXPECT(handle.bits == handle_of(e, slot).bits, "free refused, and took the handle");
        expect_unchanged(e, "a refused free");
        return;
    }
    EXPECT(handle.bits == 0, "free left the handle");
    expect_changed(e, (struct change){MOVES_NONE, slot, 0, 0});
    EXPECT(e->now[slot] == (uint8_t)(e->generations[slot] + 1), "slot %u: not the next generation", slot);
}

static void expect_address(const struct explorer *e, unsigned slot, const void *address)
{
    EXPECT(address == payload_at(e, block_before(e, slot)->at, padding_of(e, slot)),
           "slot %u is locked elsewhere", slot);
}

static void try_lock(struct explorer *e, unsigned slot)
{
    void *address;
    int expected = statuses_of(CALL_LOCK, lock_state(e, slot));
    EXPECT_STATUS(e->build->try_lock(e->pool, handle_of(e, slot), &address), expected);
    memcpy(e->other, e->pool, e->bytes);
    restore(e);
    void *again = e->build->lock(e->pool, handle_of(e, slot));
    EXPECT(again == address && memcmp(e->other, e->pool, e->bytes) == 0, "lock and try_lock differ");
    if (expected != DEFRAG_OK) {
        EXPECT(address == NULL, "a refused lock gave an address");
        expect_unchanged(e, "a refused lock");
        return;
    }
    expect_address(e, slot, address);
    expect_changed(e,
                   (struct change){MOVES_NONE, slot, block_before(e, slot)->size, kind_of_lock(CANON_ALONE)});
}

static void try_share(struct explorer *e, unsigned slot)
{
    const void *address;
    enum handle_state state = lock_state(e, slot);
    EXPECT_STATUS(e->build->try_lock_shared(e->pool, handle_of(e, slot), &address),
                  statuses_of(CALL_LOCK_SHARED, state));
    if (state == STATE_EXCLUSIVE) {
        EXPECT(address == NULL, "a refused lock gave an address");
        expect_unchanged(e, "a refused lock");
        return;
    }
    expect_address(e, slot, address);
    if (state == STATE_SHARED) {
        /* A second shared lock is outside the scope: it goes as it came. */
        EXPECT_STATUS(e->build->unlock(e->pool, handle_of(e, slot)), DEFRAG_OK);
        expect_unchanged(e, "a second shared lock and its unlock");
        return;
    }
    expect_changed(
        e, (struct change){MOVES_NONE, slot, block_before(e, slot)->size, kind_of_lock(CANON_SHARED)});
}

static void try_unlock(struct explorer *e, unsigned slot)
{
    enum handle_state state = lock_state(e, slot);
    defrag_status status = e->build->unlock(e->pool, handle_of(e, slot));
    EXPECT_STATUS(status, statuses_of(CALL_UNLOCK, state));
    if (status != DEFRAG_OK)
        expect_unchanged(e, "a refused unlock");
    else
        expect_changed(e, (struct change){MOVES_NONE, slot, block_before(e, slot)->size, 0});
}

/* --- Keeping in order ------------------------------------------------------------------------- */

/* Where compact puts the block of each slot: granules from the first block's place; and whether steps do too. */
static void predict_places(struct explorer *e)
{
    size_t g = e->inside->granule;
    memset(e->compacted_at, 0, sizeof e->compacted_at);
    e->is_fresh = true;
    for (unsigned i = 0; i < e->before.blocks; i++)
        e->is_fresh = e->is_fresh && (e->before.block[i].gap == 0 || 2 * i >= e->before.cursor);
    layout_predict_compact(&e->layout);
    for (unsigned i = 0; i < e->before.blocks; i++) {
        unsigned slot = e->before.block[i].slot;
        size_t start = e->layout.stretches[stretch_of(e, slot)].compacted;
        e->compacted_at[slot] = (unsigned)((start + e->inside->header) / g - e->canon->first);
    }
}

static void expect_compacted(const struct explorer *e)
{
    for (unsigned i = 0; i < e->after.blocks; i++)
        EXPECT(e->after.block[i].at == e->compacted_at[e->after.block[i].slot],
               "compact leaves slot %u at %u, not %u", e->after.block[i].slot, e->after.block[i].at,
               e->compacted_at[e->after.block[i].slot]);
    EXPECT(e->after.cursor == 2 * e->after.blocks, "the pool is compact, and the cursor is not at the top");
}

/* Nothing can slide. */
static void expect_slid(const struct explorer *e)
{
    for (unsigned i = 0; i < e->after.blocks; i++)
        EXPECT(e->after.block[i].gap == 0 || e->after.slot[e->after.block[i].slot] != CANON_UNLOCKED,
               "slot %u can slide", e->after.block[i].slot);
    EXPECT(e->after.cursor == 2 * e->after.blocks, "nothing is left to do, and the cursor is not at the top");
}

/* Nothing can slide, and no block that is not locked fits into a hole below it. */
static void expect_settled(const struct explorer *e)
{
    unsigned hole = 0;
    for (unsigned i = 0; i < e->after.blocks; i++) {
        const struct canon_block *block = &e->after.block[i];
        bool loose = e->after.slot[block->slot] == CANON_UNLOCKED;
        hole = block->gap > hole ? block->gap : hole;
        EXPECT(!loose || (block->gap == 0 && block->size > hole),
               "compact leaves slot %u above a hole of %u granules", block->slot, hole);
    }
}

static void try_clean(struct explorer *e)
{
    EXPECT_STATUS(e->build->clean(e->pool), DEFRAG_OK);
    expect_changed(e, nothing);
    EXPECT(e->after.slots == e->layout.highest, "clean leaves %u slots, not %zu", e->after.slots,
           e->layout.highest);
}

static void try_compact(struct explorer *e)
{
    EXPECT_STATUS(e->build->compact(e->pool), DEFRAG_OK);
    expect_changed(e, anything);
    expect_compacted(e);
    expect_settled(e);
    EXPECT(e->after.slots == e->layout.highest, "compact leaves %u slots, not %zu", e->after.slots,
           e->layout.highest);
}

/* Whether something else lies between the locked blocks around this one: another block, or free memory. */
static bool has_company(const struct explorer *e, size_t index)
{
    const struct layout *layout = &e->layout;
    bool below = index > 0 && !layout->stretches[index - 1].pinned;
    const struct stretch *above = &layout->stretches[index + 1];
    return below || (!above->pinned && above->granules > 0);
}

static void try_scramble(struct explorer *e, unsigned seed)
{
    EXPECT_STATUS(e->build->scramble(e->pool, seed), DEFRAG_OK);
    expect_changed(e, anything);
    EXPECT(e->after.slots == e->before.slots, "scramble changes the table");
    for (unsigned i = 0; i < e->after.blocks; i++) {
        const struct canon_block *now = &e->after.block[i];
        bool must = kind_of_lock(e->before.slot[now->slot]) == 0 && has_company(e, stretch_of(e, now->slot));
        EXPECT(!must || now->at != block_before(e, now->slot)->at, "scramble leaves slot %u where it was",
               now->slot);
    }
}

/*
 * A block that moves goes where compact puts it, and so moves once; what the step
 * says is what it did.
 */
static void expect_step(struct explorer *e, defrag_status status, size_t budget, size_t moved)
{
    unsigned count = 0;
    for (unsigned i = 0; i < e->after.blocks; i++) {
        const struct canon_block *now = &e->after.block[i];
        if (now->at == block_before(e, now->slot)->at)
            continue;
        count++;
        EXPECT(now->at < block_before(e, now->slot)->at, "a step moves slot %u up", now->slot);
        EXPECT(!e->is_fresh || now->at == e->compacted_at[now->slot],
               "a step moves slot %u to %u, and compact to %u", now->slot, now->at,
               e->compacted_at[now->slot]);
    }
    EXPECT(moved == e->displaced * e->inside->granule, "a step moved %zu granules and says %zu bytes",
           e->displaced, moved);
    EXPECT(moved <= budget || count == 1, "a step of %zu bytes moved %zu in %u blocks", budget, moved, count);
    if (status == DEFRAG_OK)
        expect_slid(e);
    else
        EXPECT(memcmp(&e->after, &e->before, sizeof e->after) != 0, "a step made no progress");
}

static void try_step(struct explorer *e, unsigned granules)
{
    size_t budget = granules == BUDGET_ALL ? SIZE_MAX : granules * e->inside->granule;
    size_t moved = SIZE_MAX;
    defrag_status status = e->build->compact_step(e->pool, budget, &moved);
    EXPECT(status == DEFRAG_OK || status == DEFRAG_MORE, "compact_step answers %d", (int)status);
    expect_changed(e, anything);
    expect_step(e, status, budget, moved);
}

/* Takes steps of the budget to the end; returns the bytes that they moved. */
static size_t step_to_end(struct explorer *e, size_t budget)
{
    unsigned steps = 0;
    size_t sum = 0;
    size_t moved;
    while (e->build->compact_step(e->pool, budget, &moved) != DEFRAG_OK) {
        sum += moved;
        EXPECT(++steps < 8 * CANON_BLOCKS, "steps of %zu bytes do not end", budget);
    }
    return sum + moved;
}

/* Granules of the blocks that are not where they were. */
static size_t displaced(const struct explorer *e)
{
    size_t sum = 0;
    for (unsigned i = 0; i < e->after.blocks; i++) {
        const struct canon_block *now = &e->after.block[i];
        sum += now->at != block_before(e, now->slot)->at ? now->size : 0u;
    }
    return sum;
}

/* Whether the forms are those of one pool, but for the order of gaps in their bins and the bound. */
static bool same_places(const struct canon *a, const struct canon *b)
{
    struct canon copy = *a;
    copy.hole_bound = b->hole_bound;
    for (unsigned i = 0; i < copy.blocks; i++)
        copy.block[i].next = b->block[i].next;
    return memcmp(&copy, b, sizeof copy) == 0;
}

/*
 * Steps from here to the end, of some budget, and then clean: each block moved at
 * most once, and the pool is as after clean and compact; or steps left something
 * to compact because there was a hole below the cursor when they began.
 */
static void expect_same_end(struct explorer *e)
{
    size_t budget = (size_t)(mix(e->salt) % (e->scope.granules * e->inside->granule));
    canon_generations generations;
    struct canon by_compact;
    restore(e);
    EXPECT_STATUS(e->build->compact(e->pool), DEFRAG_OK);
    EXPECT(e->canon->read(e->pool, &by_compact, generations), "compact leaves more than the scope allows");
    restore(e);
    size_t moved = step_to_end(e, budget);
    EXPECT_STATUS(e->build->clean(e->pool), DEFRAG_OK);
    EXPECT(e->canon->read(e->pool, &e->after, e->now), "steps leave another pool than compact");
    EXPECT(moved == displaced(e) * e->inside->granule,
           "steps of %zu bytes move %zu bytes, and %zu granules are elsewhere", budget, moved, displaced(e));
    expect_slid(e);
    if (same_places(&e->after, &by_compact))
        return;
    EXPECT(!e->is_fresh, "steps of %zu bytes end elsewhere than compact", budget);
    e->left += e->follow;
    EXPECT_STATUS(e->build->compact(e->pool), DEFRAG_OK);
    EXPECT(e->canon->read(e->pool, &e->after, e->now), "compact leaves more than the scope allows");
    expect_settled(e);
}

/* --- A look at the state ---------------------------------------------------------------------- */

/* Every call that takes a handle refuses this one, which names no block. */
static void expect_stale(struct explorer *e, defrag_handle handle)
{
    unsigned char byte = 0;
    void *address;
    const void *shared;
    defrag_handle passed = handle;
    EXPECT_STATUS(e->build->try_lock(e->pool, handle, &address), DEFRAG_STALE);
    EXPECT_STATUS(e->build->try_lock_shared(e->pool, handle, &shared), DEFRAG_STALE);
    EXPECT(!e->build->lock(e->pool, handle) && !e->build->lock_shared(e->pool, handle),
           "a stale handle is locked");
    EXPECT_STATUS(e->build->unlock(e->pool, handle), DEFRAG_STALE);
    EXPECT_STATUS(e->build->free(e->pool, &passed), handle.bits ? DEFRAG_STALE : DEFRAG_OK);
    EXPECT(passed.bits == handle.bits, "a refused free took the handle");
    EXPECT_STATUS(e->build->resize(e->pool, handle, 1), DEFRAG_STALE);
    EXPECT_STATUS(e->build->read(e->pool, handle, 0, &byte, 1), DEFRAG_STALE);
    EXPECT_STATUS(e->build->write(e->pool, handle, 0, &byte, 1), DEFRAG_STALE);
    EXPECT(e->build->size(e->pool, handle) == 0, "a stale handle has a size");
}

static void look_at_stale(struct explorer *e)
{
    expect_stale(e, (defrag_handle){0});
    expect_stale(e, e->inside->handle_of(0, 1));
    for (unsigned slot = 1; slot <= e->before.slots; slot++) {
        expect_stale(e, e->inside->handle_of(slot, (e->generations[slot] - 1u) & 0xff));
        if (e->block_of[slot] == 0)
            expect_stale(e, handle_of(e, slot));
    }
    expect_stale(e, e->inside->handle_of(e->before.slots + 1u, e->generations[0]));
    expect_unchanged(e, "a call with a stale handle");
}

static void look_at_access(struct explorer *e)
{
    unsigned char to[PAYLOAD_MAX];
    for (unsigned i = 0; i < e->before.blocks; i++) {
        const struct canon_block *block = &e->before.block[i];
        defrag_handle handle = handle_of(e, block->slot);
        const unsigned char *payload = e->payloads[block->slot];
        enum handle_state state = lock_state(e, block->slot);
        size_t bytes = payload_bytes(e, block->size, padding_of(e, block->slot));
        int read = statuses_of(CALL_READ, state);
        int write = statuses_of(CALL_WRITE, state);
        EXPECT(e->build->size(e->pool, handle) == bytes, "slot %u: size", block->slot);
        EXPECT_STATUS(e->build->read(e->pool, handle, 0, to, bytes), read);
        EXPECT(read != DEFRAG_OK || memcmp(to, payload, bytes) == 0, "slot %u: read", block->slot);
        EXPECT_STATUS(e->build->read(e->pool, handle, bytes, to, 1), read ? read : DEFRAG_OUT_OF_RANGE);
        EXPECT_STATUS(e->build->write(e->pool, handle, 0, payload, bytes), write);
        EXPECT_STATUS(e->build->write(e->pool, handle, bytes, to, 1), write ? write : DEFRAG_OUT_OF_RANGE);
    }
    expect_unchanged(e, "reading, and writing what is there,");
}

static void look_at_statistics(struct explorer *e)
{
    const defrag_statistics *s = &e->statistics;
    const struct layout *layout = &e->layout;
    size_t g = e->inside->granule;
    e->statistics = support_statistics(e->build, e->pool);
    EXPECT(s->free_bytes == layout->free * g && s->live_bytes == layout->live * g
               && s->live_blocks == layout->blocks && s->locked_blocks == layout->locked
               && s->slots == e->before.slots
               && s->pool_bytes == s->control_bytes + s->live_bytes + s->free_bytes + s->table_bytes,
           "the statistics are not what walk shows");
    EXPECT(s->largest_certain == layout_largest_certain(layout, e->manual),
           "largest_certain is %zu, not %zu", s->largest_certain, layout_largest_certain(layout, e->manual));
}

/* The cheapest slide (T1) is what brute force finds, for a gap of any length. */
static void look_at_slides(const struct explorer *e)
{
    struct arrange_heap heap;
    size_t fewest[ARRANGE_CELLS + 1];
    arrange_read(&heap, &e->layout);
    arrange_fewest_moved(&heap, fewest);
    for (size_t need = 1; need <= heap.cells; need++)
        EXPECT(e->inside->cheapest_run(e->pool, need, false) == fewest[need],
               "a gap of %zu granules: a slide moves %zu, not %zu", need,
               e->inside->cheapest_run(e->pool, need, false), fewest[need]);
}

static const defrag_config *config_of(const struct explorer *e)
{
    return e->config.flags || e->config.enter ? &e->config : NULL;
}

static void look(struct explorer *e)
{
    defrag_pool *attached;
    EXPECT_STATUS(e->build->check(e->pool), DEFRAG_OK);
    layout_read(&e->layout, e->build, e->pool);
    predict_places(e);
    look_at_statistics(e);
    look_at_slides(e);
    EXPECT_STATUS(e->build->detach(e->pool), DEFRAG_OK);
    EXPECT_STATUS(e->build->attach(&attached, e->buffer.bytes, e->buffer.size, config_of(e)), DEFRAG_OK);
    expect_unchanged(e, "check, walk, statistics_get, detach or attach");
    look_at_access(e);
    look_at_stale(e);
}

/* --- All calls from one state ----------------------------------------------------------------- */

static void try_step_of(struct explorer *e, struct space_step step)
{
    e->step = step;
    e->calls += e->follow;
    restore(e);
    switch (step.call) {
    case CALL_MAKE_ROOM: try_make_room(e, step.argument); break;
    case CALL_RESIZE: try_resize(e, step.slot, step.argument); break;
    case CALL_FREE_BLOCK: try_free(e, step.slot); break;
    case CALL_LOCK_ALONE: try_lock(e, step.slot); break;
    case CALL_SHARE: try_share(e, step.slot); break;
    case CALL_RELEASE: try_unlock(e, step.slot); break;
    case CALL_CLEAN: try_clean(e); break;
    case CALL_COMPACT: try_compact(e); break;
    case CALL_SCRAMBLE: try_scramble(e, step.argument); break;
    case CALL_STEP: try_step(e, step.argument); break;
    default: try_alloc(e, (enum call)step.call, step.argument); break;
    }
}

static void try_sizes(struct explorer *e, enum call call, unsigned slot)
{
    for (unsigned size = (unsigned)e->inside->smallest; size <= e->scope.granules + 1; size++)
        try_step_of(e, (struct space_step){(uint8_t)call, (uint8_t)slot, (uint8_t)size});
}

/* Whether some block that is not locked fits into some gap, so that evacuating it may serve more than is certain. */
static bool may_evacuate(const struct explorer *e)
{
    size_t gap = layout_largest_gap(&e->layout, layout_trim(&e->layout), 0);
    for (unsigned i = 0; i < e->before.blocks; i++)
        if (kind_of_lock(e->before.slot[e->before.block[i].slot]) == kind_of_lock(CANON_UNLOCKED)
            && e->before.block[i].size <= gap)
            return true;
    return false;
}

/* What the calls have served is what the statistics say. */
static void expect_largest(struct explorer *e)
{
    const defrag_statistics *s = &e->statistics;
    e->step.call = CALL_START;
    EXPECT(s->largest_fast == e->largest_fast, "largest_fast is %zu, and %zu is served", s->largest_fast,
           e->largest_fast);
    /* Among locked blocks more may be served: try_alloc() knows when. */
    bool exact = e->manual || e->layout.locked == 0 || !may_evacuate(e);
    e->bounds += e->follow && !exact;
    e->beyond += e->follow && s->largest_certain < e->largest_certain;
    EXPECT(exact ? s->largest_certain == e->largest_certain : s->largest_certain <= e->largest_certain,
           "largest_certain is %zu, and %zu is served", s->largest_certain, e->largest_certain);
}

static void expand(struct explorer *e, size_t number, unsigned turn)
{
    enter_state(e, number, turn);
    look(e);
    e->largest_fast = e->largest_certain = 0;
    for (enum call call = CALL_ALLOC; call <= CALL_MAKE_ROOM; call++)
        try_sizes(e, call, 0);
    expect_largest(e);
    for (unsigned i = 0; i < e->before.blocks; i++) {
        uint8_t slot = e->before.block[i].slot;
        try_sizes(e, CALL_RESIZE, slot);
        for (enum call call = CALL_FREE_BLOCK; call <= CALL_RELEASE; call++)
            try_step_of(e, (struct space_step){(uint8_t)call, slot, 0});
    }
    try_step_of(e, (struct space_step){CALL_CLEAN, 0, 0});
    try_step_of(e, (struct space_step){CALL_COMPACT, 0, 0});
    for (unsigned seed = 1; seed <= SEEDS; seed++)
        try_step_of(e, (struct space_step){CALL_SCRAMBLE, 0, (uint8_t)seed});
    try_step_of(e, (struct space_step){CALL_STEP, 0, BUDGET_ALL});
    bool idle = e->before.cursor == 2 * e->before.blocks;
    for (unsigned budget = 0; budget <= (idle ? 0 : e->scope.granules); budget++)
        try_step_of(e, (struct space_step){CALL_STEP, 0, (uint8_t)budget});
    expect_same_end(e);
}

/* --- The search ------------------------------------------------------------------------------- */

static void on_enter(void *context) { (void)context; }

static void on_move(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    const struct explorer *e = context;
    unsigned slot = e->inside->slot_of(handle);
    (void)from;
    EXPECT(slot >= 1 && slot <= e->before.slots && e->block_of[slot] != 0,
           "on_move: no block has this handle");
    EXPECT(kind_of_lock(e->before.slot[slot]) == 0, "on_move: slot %u is locked", slot);
    EXPECT(memcmp(to, e->payloads[slot], bytes) == 0, "on_move: slot %u has lost its contents", slot);
}

static void *image_new(size_t bytes)
{
    void *image = malloc(bytes);
    if (!image)
        abort();
    return image;
}

static void explorer_open(struct explorer *e, const struct scope *scope, const struct defrag_build *build)
{
    memset(e, 0, sizeof *e);
    e->scope = *scope;
    e->build = build;
    e->inside = inside_of(build->name);
    e->canon = canon_of(build->name);
    e->manual = scope->configuration == MANUAL;
    if (e->manual)
        e->config.flags = DEFRAG_MANUAL;
    if (scope->configuration == HOOKED)
        e->config =
            (defrag_config){.enter = on_enter, .leave = on_enter, .on_move = on_move, .move_context = e};
    e->pool = support_pool_of(build, &e->buffer, scope->granules, config_of(e));
    e->bytes = support_statistics(build, e->pool).pool_bytes;
    e->fresh = image_new(e->bytes);
    e->base = image_new(e->bytes);
    e->other = image_new(e->bytes);
    memcpy(e->fresh, e->pool, e->bytes);
    space_open(&e->space, scope->megabytes << 20);
    EXPECT(e->canon->read(e->pool, &e->after, e->now), "the fresh pool has no canonical form");
    (void)space_add(&e->space, canon_pack(&e->after), 0, (struct space_step){CALL_START, 0, 0});
    e->began = e->said = time(NULL);
}

static void say_progress(struct explorer *e, size_t number)
{
    time_t now = time(NULL);
    if (now - e->said < (isatty(STDERR_FILENO) ? 1 : 10))
        return;
    e->said = now;
    fprintf(stderr, "# %s: depth %u, %zu states, %zu of them expanded, %.0f calls a second\n", e->build->name,
            e->depth, e->space.count, number, (double)e->calls / (double)(now - e->began));
}

static bool is_out_of_time(const struct explorer *e)
{
    return e->scope.seconds && time(NULL) - e->began >= (time_t)e->scope.seconds;
}

/* Expands state after state; returns how many. All of them: the fixpoint was reached. */
static size_t search(struct explorer *e)
{
    size_t number = 0;
    for (; number < e->space.count && !e->space.full; number++) {
        if (number == e->frontier_end) {
            e->depth += number > 0;
            e->frontier_end = e->space.count;
        }
        if (number % 1024 == 0) {
            say_progress(e, number);
            if (is_out_of_time(e))
                break;
        }
        e->follow = true;
        expand(e, number, 0);
        e->follow = false;
        if (space_hash(e->space.states[number].key) >> 60 == 0)
            expand(e, number, 1);
    }
    return number;
}

/* Whether the whole scope was visited. */
static bool explore(const struct scope *scope, const struct defrag_build *build)
{
    struct explorer *e = &explorer;
    support_context("%s, %u granules, %u handles, %s", build->name, scope->granules, scope->handles,
                    configuration_names[scope->configuration]);
    explorer_open(e, scope, build);
    size_t expanded = search(e);
    bool complete = expanded == e->space.count && !e->space.full;
    printf("# %s, %u granules, %u handles, %s: %zu states, %llu transitions (%llu calls, %llu of them to one "
           "block "
           "more), depth %u: ",
           build->name, scope->granules, scope->handles, configuration_names[scope->configuration],
           e->space.count, (unsigned long long)e->transitions, (unsigned long long)e->calls,
           (unsigned long long)e->edge, e->depth);
    printf("more than largest_certain is served in %llu of the %llu states where that may be, ",
           (unsigned long long)e->beyond, (unsigned long long)e->bounds);
    printf("steps leave something to compact in %llu states, ", (unsigned long long)e->left);
    if (complete)
        printf("complete\n");
    else
        printf("NOT COMPLETE, out of %s with %zu states expanded\n", e->space.full ? "memory" : "time",
               expanded);
    return complete;
}

/* --- Scopes ----------------------------------------------------------------------------------- */

/*
 * What `make check` visits, and what `make exhaustive` does; in each list the
 * longest first. Few handles and many granules reach the bins of several sizes;
 * 5 handles are more than 6 granules hold, so that there nothing is left out.
 */
static const struct scope usual[] = {
    {"n8", 12, 3, PLAIN, 0, 512}, {"n16", 9, 3, PLAIN, 0, 512}, {"w16", 9, 3, PLAIN, 0, 512},
    {"n4", 13, 3, PLAIN, 0, 512}, {"w8", 13, 3, PLAIN, 0, 512}, {"n8", 7, 4, PLAIN, 0, 512},
    {"n8", 20, 2, PLAIN, 0, 512}, {"n8", 8, 3, MANUAL, 0, 512}, {"n8", 8, 3, HOOKED, 0, 512},
    {"n8", 6, 5, PLAIN, 0, 512},  {"n4", 10, 3, ALIGNED, 0, 512}, {"n8", 6, 3, ALIGNED, 0, 512}, {"n8", 7, 3, LOW, 0, 512},
};
static const struct scope large[] = {
    {"n8", 12, 4, PLAIN, 0, 2560}, {"n16", 10, 4, PLAIN, 0, 1280}, {"w16", 10, 4, PLAIN, 0, 1280},
    {"n8", 9, 5, PLAIN, 0, 1280},  {"n8", 14, 3, PLAIN, 0, 1280},  {"n4", 16, 4, PLAIN, 0, 1280},
    {"w8", 16, 4, PLAIN, 0, 1280}, {"n8", 9, 4, MANUAL, 0, 1280},  {"n8", 9, 4, HOOKED, 0, 1280},
    {"n8", 28, 2, PLAIN, 0, 1280}, {"n8", 9, 3, ALIGNED, 0, 1280},
};
#define LENGTH(array) (sizeof(array) / sizeof(array)[0])
#define SCOPES_MAX    16

/* Half of the work is about one granule less. */
static unsigned granules_for_effort(unsigned granules)
{
    unsigned effort = support_effort();
    for (; effort < 75 && granules > 4; effort *= 2)
        granules--;
    return granules;
}

/* Those of `make check`, or of the build that the environment names. */
static size_t choose_usual(struct scope *scopes)
{
    const char *name = getenv("BUILD");
    size_t count = 0;
    for (size_t i = 0; i < LENGTH(usual); i++) {
        if (name && *name && strcmp(name, usual[i].build) != 0)
            continue;
        scopes[count] = usual[i];
        scopes[count++].granules = granules_for_effort(usual[i].granules);
    }
    return count;
}

static _Noreturn void bad_usage(const char *what, const char *text)
{
    fprintf(stderr, "test_explore: '%s' is no %s; see the head of test_explore.c\n", text, what);
    exit(2);
}

static unsigned number_of(const char *text, unsigned least, unsigned most)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (!*text || *end || number < least || number > most)
        bad_usage("number in range", text);
    return (unsigned)number;
}

static enum configuration configuration_of(const char *text)
{
    for (int i = PLAIN; i <= LOW; i++)
        if (strcmp(text, configuration_names[i]) == 0)
            return (enum configuration)i;
    bad_usage("configuration", text);
}

static const struct defrag_build *build_of(const char *name)
{
    for (size_t i = 0; defrag_builds[i]; i++)
        if (strcmp(name, defrag_builds[i]->name) == 0)
            return defrag_builds[i];
    bad_usage("build", name);
}

static struct scope parse(int argc, char **argv)
{
    static const struct option options[] = {{"build", required_argument, NULL, 'b'},
                                            {"granules", required_argument, NULL, 'g'},
                                            {"handles", required_argument, NULL, 'h'},
                                            {"config", required_argument, NULL, 'c'},
                                            {"seconds", required_argument, NULL, 's'},
                                            {"megabytes", required_argument, NULL, 'm'},
                                            {NULL, 0, NULL, 0}};
    struct scope scope = {"n8", 9, 3, PLAIN, 0, 1024};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'b': scope.build = build_of(optarg)->name; break;
        case 'g': scope.granules = number_of(optarg, 4, CANON_GRANULES - 1); break;
        case 'h': scope.handles = number_of(optarg, 1, CANON_BLOCKS - 1); break;
        case 'c': scope.configuration = configuration_of(optarg); break;
        case 's': scope.seconds = number_of(optarg, 1, 1000000); break;
        case 'm': scope.megabytes = number_of(optarg, 1, 1000000); break;
        default: exit(2);
        }
    }
    if (optind < argc)
        bad_usage("option", argv[optind]);
    return scope;
}

/* --- One process for each scope, as many at once as there are processors ---------------------- */

struct job {
    pid_t process;
    const struct scope *scope;
};

static void start(struct job *job, const struct scope *scope)
{
    fflush(stdout);
    *job = (struct job){fork(), scope};
    if (job->process < 0)
        abort();
    if (job->process == 0) {
        bool complete = explore(scope, build_of(scope->build));
        exit(complete ? 0 : 1);
    }
}

/* Waits for one to end and says how it went. */
static bool finish(const struct job *jobs, size_t count, size_t number)
{
    int status;
    pid_t process = wait(&status);
    const struct scope *scope = NULL;
    for (size_t i = 0; i < count; i++)
        if (jobs[i].process == process)
            scope = jobs[i].scope;
    if (!scope)
        abort();
    bool passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    printf("%sok %zu - every reachable state of %u granules and %u handles, %s [%s]\n", passed ? "" : "not ",
           number, scope->granules, scope->handles, configuration_names[scope->configuration], scope->build);
    return passed;
}

static bool explore_all(const struct scope *scopes, size_t count)
{
    struct job jobs[SCOPES_MAX];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t width = processors > 1 ? (size_t)processors : 1;
    bool passed = true;
    size_t ended = 0;
    printf("1..%zu\n", count);
    for (size_t started = 0; started < count; started++) {
        if (started - ended == width)
            passed &= finish(jobs, started, ++ended);
        start(&jobs[started], &scopes[started]);
    }
    while (ended < count)
        passed &= finish(jobs, count, ++ended);
    return passed;
}

int main(int argc, char **argv)
{
    struct scope scopes[SCOPES_MAX];
    size_t count = 1;
    if (argc == 1)
        count = choose_usual(scopes);
    else if (argc == 2 && strcmp(argv[1], "--large") == 0)
        memcpy(scopes, large, (count = LENGTH(large)) * sizeof *scopes);
    else
        scopes[0] = parse(argc, argv);
    if (count == 0) {
        printf("1..0 # SKIP no scope is of the build that BUILD names\n");
        return 77;
    }
    return explore_all(scopes, count) ? 0 : 1;
}
