/* SPDX-License-Identifier: MIT */
#include "model.h"

#include <stdlib.h>
#include <string.h>

/* What a call may have done to the pool. */
enum effect {
    EFFECT_NONE,    /* the image is the same, byte for byte                               */
    EFFECT_REFUSED, /* the same but for failure counters, empty slots given back, free bytes */
    EFFECT_STILL,   /* no block moved                                                     */
    EFFECT_ALONE,   /* no block but the one named moved                                   */
    EFFECT_MOVES    /* any block that is not locked may have moved                        */
};

/* What a call may have done to the number of slots. */
enum slots_rule { SLOTS_SAME, SLOTS_MAY_TRIM, SLOTS_TRIM };

static unsigned char *copy_of(const void *bytes, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, bytes, size);
    return copy;
}

static struct model_block *block_at(struct model *m, uint32_t slot)
{
    while (slot >= m->blocks_room) {
        size_t room = m->blocks_room ? 2 * m->blocks_room : 64;
        m->blocks = realloc(m->blocks, room * sizeof *m->blocks);
        m->step_moved = realloc(m->step_moved, room * sizeof *m->step_moved);
        if (!m->blocks || !m->step_moved)
            abort();
        memset(m->blocks + m->blocks_room, 0, (room - m->blocks_room) * sizeof *m->blocks);
        memset(m->step_moved + m->blocks_room, 0, (room - m->blocks_room) * sizeof *m->step_moved);
        m->blocks_room = room;
    }
    return &m->blocks[slot];
}

/* The block a handle names, or NULL if it is stale. */
static struct model_block *block_of(struct model *m, defrag_handle handle)
{
    uint32_t slot = m->inside->slot_of(handle);
    if (slot >= m->blocks_room)
        return NULL;
    struct model_block *block = &m->blocks[slot];
    return block->live && block->handle.bits == handle.bits ? block : NULL;
}

static enum handle_state state_of(struct model *m, defrag_handle handle)
{
    const struct model_block *block = block_of(m, handle);
    if (handle.bits == 0)
        return STATE_NULL;
    if (!block)
        return STATE_STALE;
    if (block->exclusive)
        return STATE_EXCLUSIVE;
    if (block->shared == 14)
        return STATE_SHARED_FULL;
    return block->shared ? STATE_SHARED : STATE_UNLOCKED;
}

/* With DEFRAG_MANUAL nothing but explicit calls compacts. */
static bool is_manual(const struct model *m)
{
    return m->config.flags & DEFRAG_MANUAL;
}

/* With DEFRAG_SCRAMBLE calls move blocks without need: these, and if `free` those that may move others besides. */
static bool scrambles(const struct model *m, bool free)
{
    return (m->config.flags & DEFRAG_SCRAMBLE) && !(free && is_manual(m));
}

/* --- Hooks ------------------------------------------------------------------------ */

static void on_enter(void *context)
{
    struct model *m = context;
    EXPECT(m->depth == 0, "the critical section is nested");
    m->depth++;
    m->entered++;
}

static void on_leave(void *context)
{
    struct model *m = context;
    EXPECT(m->depth == 1, "the critical section is left but was not entered");
    m->depth--;
}

static void on_move(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    struct model *m = context;
    struct model_block *block = block_of(m, handle);
    EXPECT(block, "on_move: no live block has the handle %08x", (unsigned)handle.bits);
    EXPECT(!block->shared && !block->exclusive, "on_move: a locked block");
    EXPECT(from == (void *)(uintptr_t)block->at, "on_move: the block was elsewhere");
    EXPECT(from != to, "on_move: from and to are one place");
    EXPECT(inside_load(m->pool, &m->inside->busy) != 0, "on_move: the image does not say that a block moves");
    bool other = handle.bits == m->resized.bits && bytes == m->resized_bytes;
    EXPECT(bytes == block->bytes || other, "on_move: %zu bytes, not %zu", bytes, block->bytes);
    EXPECT(memcmp(to, block->contents, bytes < block->bytes ? bytes : block->bytes) == 0,
           "on_move: the new place has other contents");
    if (m->inside->debug && m->moves % 16 == 0)
        EXPECT_STATUS(m->build->unlock(m->pool, handle), DEFRAG_BAD_ARGUMENT);
    block->at = to;
    m->moves++;
    m->moved_bytes += bytes + m->inside->header + block->padding * m->inside->granule;
}

/* --- Before and after a call ---------------------------------------------------------- */

static void begin(struct model *m)
{
    struct layout spare = m->before;
    m->before = m->now;
    m->now = spare;
    memcpy(m->image, m->pool, m->image_bytes);
    m->moves = 0;
    m->moved_bytes = 0;
    m->resized = (defrag_handle){0};
    m->entered = 0;
    m->calls++;
}

static bool same_image(const struct model *m, const unsigned char *a, const unsigned char *b, bool counters)
{
    size_t first, end;
    m->inside->failure_counters(&first, &end);
    if (!counters)
        return memcmp(a, b, m->image_bytes) == 0;
    return memcmp(a, b, first) == 0 && memcmp(a + end, b + end, m->image_bytes - end) == 0;
}

/* Whether the pool is this image but for failure counters, and for free bytes, which a plan may have used. */
static bool is_image(struct model *m, const unsigned char *image)
{
    unsigned char *copy = copy_of(image, m->image_bytes);
    layout_read(&m->now, m->build, m->pool);
    layout_copy_idle(&m->now, copy, (const unsigned char *)m->pool);
    bool same = same_image(m, copy, (const unsigned char *)m->pool, true);
    free(copy);
    return same;
}

/* Whether the pool is as if nothing but defrag_clean() had been called. */
static bool is_cleaned(struct model *m)
{
    unsigned char *after = copy_of(m->pool, m->image_bytes);
    memcpy(m->pool, m->image, m->image_bytes);
    EXPECT_STATUS(m->build->clean(m->pool), DEFRAG_OK);
    bool same = is_image(m, after);
    memcpy(m->pool, after, m->image_bytes);
    free(after);
    return same;
}

static void check_unchanged(struct model *m, enum effect effect)
{
    if (effect == EFFECT_NONE)
        EXPECT(same_image(m, m->image, (const unsigned char *)m->pool, false),
               "a call that changes nothing changed the image");
    if (effect == EFFECT_REFUSED)
        EXPECT(is_image(m, m->image) || is_cleaned(m), "a refused call changed the image");
}

/* The first address behind the block's header that is aligned as it asked for. */
static uintptr_t first_aligned(const struct model *m, const struct stretch *s)
{
    size_t alignment = (s->padding + 1) * m->inside->granule;
    uintptr_t behind = (uintptr_t)m->pool + s->start + m->inside->header;
    return (behind + alignment - 1) / alignment * alignment;
}

/* Every block of the model is shown, nothing else is, and each is what the model says. */
static void check_block(struct model *m, const struct stretch *s, enum effect effect, uint32_t alone)
{
    uint32_t slot = m->inside->slot_of(s->handle);
    struct model_block *block = block_of(m, s->handle);
    EXPECT(block, "the pool has a block %08x that is not live", (unsigned)s->handle.bits);
    EXPECT(s->payload_bytes == block->bytes, "block %08x has %zu bytes, not %zu", (unsigned)s->handle.bits,
           s->payload_bytes, block->bytes);
    EXPECT(s->shared == block->shared && s->exclusive == block->exclusive, "block %08x: lock state",
           (unsigned)s->handle.bits);
    EXPECT(s->padding == block->padding, "block %08x has %zu granules for its alignment, not %zu",
           (unsigned)s->handle.bits, s->padding, block->padding);
    EXPECT((uintptr_t)s->payload == first_aligned(m, s), "block %08x: payload not where it is first aligned",
           (unsigned)s->handle.bits);
    const struct stretch *old = layout_find(&m->before, s->handle);
    bool moved = old && old->start != s->start;
    if (moved) {
        EXPECT(!old->pinned, "locked block %08x moved", (unsigned)s->handle.bits);
        EXPECT(effect == EFFECT_MOVES || (effect == EFFECT_ALONE && slot == alone), "block %08x moved",
               (unsigned)s->handle.bits);
    }
    if (m->hooked && old)
        EXPECT(block->at == s->payload, "block %08x moved without on_move", (unsigned)s->handle.bits);
    block->at = s->payload;
}

static void check_contents(struct model *m)
{
    for (size_t i = 0; i < m->now.count; i++) {
        const struct stretch *s = &m->now.stretches[i];
        if (s->region == DEFRAG_REGION_USED)
            EXPECT(memcmp(s->payload, block_of(m, s->handle)->contents, s->payload_bytes) == 0,
                   "block %08x lost its contents", (unsigned)s->handle.bits);
    }
}

static size_t free_blocks(const struct layout *layout)
{
    size_t count = 0;
    for (size_t i = 0; i < layout->count; i++)
        count += layout->stretches[i].region == DEFRAG_REGION_FREE;
    return count;
}

#define EXPECT_FIGURE(statistics, field, value)                                               \
    EXPECT((statistics)->field == (value), "statistics: " #field " is %llu, not %llu",        \
           (unsigned long long)(statistics)->field, (unsigned long long)(value))

static void check_gauges(struct model *m, const defrag_statistics *s)
{
    size_t g = m->inside->granule;
    const struct layout *layout = &m->now;
    EXPECT_FIGURE(s, pool_bytes, m->last.pool_bytes);
    EXPECT_FIGURE(s, skipped_bytes, m->last.skipped_bytes);
    EXPECT_FIGURE(s, control_bytes, m->last.control_bytes);
    EXPECT_FIGURE(s, granule_bytes, g);
    EXPECT_FIGURE(s, header_bytes, m->inside->header);
    EXPECT_FIGURE(s, slot_bytes, m->inside->header);
    EXPECT_FIGURE(s, live_bytes, layout->live * g);
    EXPECT_FIGURE(s, live_blocks, layout->blocks);
    EXPECT_FIGURE(s, locked_blocks, layout->locked);
    EXPECT_FIGURE(s, free_bytes, layout->free * g);
    EXPECT_FIGURE(s, free_blocks, free_blocks(layout));
    EXPECT_FIGURE(s, pool_bytes, s->control_bytes + s->live_bytes + s->free_bytes + s->table_bytes);
    EXPECT_FIGURE(s, largest_certain, layout_largest_certain(layout, is_manual(m)));
    EXPECT(s->slots >= layout->highest, "statistics: %zu slots, but slot %zu is in use", s->slots,
           layout->highest);
}

static void check_peaks(struct model *m, const defrag_statistics *s)
{
    const defrag_statistics *old = &m->last;
    EXPECT_FIGURE(s, peak_live_bytes,
                  s->live_bytes > old->peak_live_bytes ? s->live_bytes : old->peak_live_bytes);
    EXPECT_FIGURE(s, peak_live_blocks,
                  s->live_blocks > old->peak_live_blocks ? s->live_blocks : old->peak_live_blocks);
    EXPECT_FIGURE(s, fewest_free_bytes,
                  s->free_bytes < old->fewest_free_bytes ? s->free_bytes : old->fewest_free_bytes);
}

static void check_failures(struct model *m, const defrag_statistics *s, int counted)
{
    const defrag_statistics *old = &m->last;
    EXPECT_FIGURE(s, failed_no_memory, old->failed_no_memory + (counted == DEFRAG_NO_MEMORY));
    EXPECT_FIGURE(s, failed_fragmented, old->failed_fragmented + (counted == DEFRAG_FRAGMENTED));
    EXPECT_FIGURE(s, failed_pinned, old->failed_pinned + (counted == DEFRAG_PINNED));
    EXPECT_FIGURE(s, failed_no_handles, old->failed_no_handles + (counted == DEFRAG_NO_HANDLES));
    EXPECT_FIGURE(s, failed_bad_size, old->failed_bad_size + (counted == DEFRAG_BAD_SIZE));
}

/* Blocks that lie elsewhere than before the call, and their bytes. */
static size_t blocks_displaced(const struct model *m, size_t *bytes)
{
    size_t count = 0;
    *bytes = 0;
    for (size_t i = 0; i < m->now.count; i++) {
        const struct stretch *s = &m->now.stretches[i];
        const struct stretch *old =
            s->region == DEFRAG_REGION_USED ? layout_find(&m->before, s->handle) : NULL;
        if (old && old->start != s->start) {
            count++;
            *bytes += (old->granules < s->granules ? old->granules : s->granules) * m->inside->granule;
        }
    }
    return count;
}

/* The granules of the largest alignment in use, less 1. */
static size_t largest_padding(const struct model *m)
{
    size_t largest = 0;
    for (size_t slot = 0; slot < m->blocks_room; slot++)
        if (m->blocks[slot].live && m->blocks[slot].padding > largest)
            largest = m->blocks[slot].padding;
    return largest;
}

/* Whether a block may move without its payload: on_move is not called then. */
static bool is_aligned_further(const struct model *m)
{
    return largest_padding(m) > 0;
}

static void check_moves(struct model *m, const defrag_statistics *s)
{
    size_t displaced_bytes;
    size_t displaced = blocks_displaced(m, &displaced_bytes);
    uint32_t blocks = s->moved_blocks - m->last.moved_blocks;
    uint64_t bytes = s->moved_bytes - m->last.moved_bytes;
    EXPECT(blocks >= displaced, "statistics: %u blocks moved, but %zu lie elsewhere", (unsigned)blocks,
           displaced);
    EXPECT(bytes >= displaced_bytes, "statistics: %llu bytes moved, but %zu lie elsewhere",
           (unsigned long long)bytes, displaced_bytes);
    if (m->hooked && is_aligned_further(m)) {
        EXPECT(blocks >= m->moves, "statistics: %u blocks moved, on_move saw %lu", (unsigned)blocks,
               m->moves);
        EXPECT(bytes >= m->moved_bytes, "statistics: %llu bytes moved, on_move saw %llu",
               (unsigned long long)bytes, (unsigned long long)m->moved_bytes);
    } else if (m->hooked) {
        EXPECT(blocks == m->moves, "statistics: %u blocks moved, on_move saw %lu", (unsigned)blocks,
               m->moves);
        EXPECT(bytes == m->moved_bytes, "statistics: %llu bytes moved, on_move saw %llu",
               (unsigned long long)bytes, (unsigned long long)m->moved_bytes);
    }
}

/* --- Slots and generations ----------------------------------------------------------------- */

/* The further one of two generations on the circle of 256. */
static unsigned further(unsigned seed, unsigned generation)
{
    return ((generation - seed) & 0xff) < 128 ? generation : seed;
}

/* The seed after the slots above `last` of `slots` have been given back. */
static unsigned seed_after(struct model *m, unsigned seed, size_t slots, size_t last)
{
    for (size_t slot = slots; slot > last; slot--)
        seed = further(seed, block_at(m, (uint32_t)slot)->next_generation);
    return seed;
}

static void check_table_length(struct model *m, const defrag_statistics *s)
{
    size_t slots = s->slots < 1 ? 1 : s->slots;
    size_t g = m->inside->granule;
    size_t bytes = ((slots + 1) * m->inside->header + g - 1) / g * g;
    EXPECT_FIGURE(s, table_bytes, bytes + m->inside->header);
}

static void check_slots(struct model *m, const defrag_statistics *s, unsigned old_seed, enum slots_rule rule)
{
    size_t trimmed = m->before.highest;
    bool same = s->slots == m->last.slots && m->inside->seed(m->pool) == old_seed;
    bool cut = s->slots == trimmed
               && m->inside->seed(m->pool) == seed_after(m, old_seed, m->last.slots, trimmed);
    bool right = rule == SLOTS_SAME ? same : rule == SLOTS_TRIM ? cut : same || cut;
    EXPECT(right, "%zu slots and seed %u from %zu slots (%zu in use) and seed %u", s->slots,
           m->inside->seed(m->pool), m->last.slots, trimmed, old_seed);
}

/* A new handle's slot and generation, and the slots and seed that are left. */
static void check_new_slot(struct model *m, const defrag_statistics *s, defrag_handle handle,
                           unsigned old_seed, bool may_trim)
{
    size_t slot = m->inside->slot_of(handle);
    unsigned generation = m->inside->generation_of(handle);
    unsigned next = block_at(m, (uint32_t)slot)->next_generation;
    size_t held = m->last.slots;
    for (int trim = 0; trim <= (int)may_trim; trim++) {
        size_t from = trim ? m->before.highest : held;
        unsigned seed = trim ? seed_after(m, old_seed, held, from) : old_seed;
        bool right = slot <= from ? generation == next : slot == from + 1 && generation == seed;
        if (right && s->slots == (slot > from ? slot : from) && m->inside->seed(m->pool) == seed)
            return;
    }
    EXPECT(false, "handle %08x: slot %zu and generation %u, where %zu slots were and %u was next",
           (unsigned)handle.bits, slot, generation, held, next);
}

/* --- After a call ------------------------------------------------------------------------------ */

struct outcome {
    enum effect effect;
    enum slots_rule slots;
    int counted;          /* a failure that the statistics count, or DEFRAG_OK */
    uint32_t alone;       /* slot of EFFECT_ALONE                              */
    defrag_handle fresh;  /* a new handle, or null                             */
    bool fresh_may_trim;
    bool freed;           /* and then:                                         */
    unsigned next_use;    /* the generation that its slot has next             */
};

static void end(struct model *m, struct outcome o)
{
    unsigned old_seed = m->inside->seed((const defrag_pool *)(const void *)m->image);
    /* A slot whose generations run ahead takes the seed along. */
    if (o.freed && o.next_use % 64 == 0)
        old_seed = further(old_seed, o.next_use);
    EXPECT(m->depth == 0, "the critical section is not left");
    EXPECT_STATUS(m->build->check(m->pool), DEFRAG_OK);
    check_unchanged(m, o.effect);
    layout_read(&m->now, m->build, m->pool);
    for (size_t i = 0; i < m->now.count; i++)
        if (m->now.stretches[i].region == DEFRAG_REGION_USED)
            check_block(m, &m->now.stretches[i], o.effect, o.alone);
    check_contents(m);
    size_t live = 0;
    for (size_t slot = 0; slot < m->blocks_room; slot++)
        live += m->blocks[slot].live;
    EXPECT(live == m->now.blocks, "%zu blocks are live, the pool shows %zu", live, m->now.blocks);

    defrag_statistics s = support_statistics(m->build, m->pool);
    check_gauges(m, &s);
    check_peaks(m, &s);
    check_failures(m, &s, o.counted);
    check_moves(m, &s);
    check_table_length(m, &s);
    if (o.fresh.bits)
        check_new_slot(m, &s, o.fresh, old_seed, o.fresh_may_trim);
    else
        check_slots(m, &s, old_seed, o.slots);
    m->last = s;
}

static void end_unchanged(struct model *m)
{
    end(m, (struct outcome){.effect = EFFECT_NONE});
}

static bool expect_verdict(struct verdict verdict, int status, const char *call)
{
    EXPECT(status == verdict.status || status == verdict.also, "%s answers %d, not %d or %d", call, status,
           verdict.status, verdict.also);
    return verdict.status != verdict.also || verdict.unpromised;
}

/* --- Opening and closing -------------------------------------------------------------------------- */

bool model_open(struct model *m, const struct defrag_build *build, size_t bytes, size_t skew, uint32_t flags,
                bool hooked)
{
    memset(m, 0, sizeof *m);
    m->build = build;
    m->inside = inside_of(build->name);
    m->random = bytes * 31 + skew;
    m->hooked = hooked;
    m->buffer = support_buffer_new(bytes, skew);
    m->config.flags = flags;
    if (hooked) {
        m->config.enter = on_enter;
        m->config.leave = on_leave;
        m->config.section_context = m;
        m->config.on_move = on_move;
        m->config.move_context = m;
    }
    /* Some plans are cut short. */
    m->config.plan_visits = bytes % 3 ? 0 : 1 + (uint32_t)bytes % 7;
    const defrag_config *config = flags || hooked ? &m->config : NULL;
    if (!config)
        m->config.plan_visits = 0;
    defrag_status status = build->init(&m->pool, m->buffer.bytes, bytes, config);
    if (status != DEFRAG_OK) {
        EXPECT_STATUS(status, DEFRAG_BAD_SIZE);
        EXPECT(!m->pool, "init failed and gave a pool");
        support_buffer_free(&m->buffer);
        return false;
    }
    m->last = support_statistics(build, m->pool);
    m->image_bytes = m->last.pool_bytes;
    m->image = copy_of(m->pool, m->image_bytes);
    layout_read(&m->now, build, m->pool);
    layout_read(&m->before, build, m->pool);
    return true;
}

void model_close(struct model *m)
{
    for (size_t slot = 0; slot < m->blocks_room; slot++)
        free(m->blocks[slot].contents);
    free(m->blocks);
    free(m->step_moved);
    free(m->image);
    layout_free(&m->before);
    layout_free(&m->now);
    support_buffer_free(&m->buffer);
}

/* --- Allocation ---------------------------------------------------------------------------------------- */

/* Writes new contents from `offset` on, through the library, and remembers them. */
static void refill(struct model *m, struct model_block *block, size_t offset, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        block->contents[offset + i] = (unsigned char)support_random(&m->random);
    EXPECT_STATUS(m->build->write(m->pool, block->handle, offset, block->contents + offset, bytes),
                  DEFRAG_OK);
}

static void register_block(struct model *m, defrag_handle handle, size_t bytes, size_t padding, bool zeroed)
{
    uint32_t slot = m->inside->slot_of(handle);
    EXPECT(slot >= 1 && slot <= m->inside->slots_max, "handle %08x", (unsigned)handle.bits);
    struct model_block *block = block_at(m, slot);
    EXPECT(!block->live, "handle %08x: slot %u is in use", (unsigned)handle.bits, (unsigned)slot);
    block->live = true;
    block->handle = handle;
    block->bytes = support_payload(m->inside, support_granules(m->inside, bytes));
    block->padding = padding;
    block->shared = 0;
    block->exclusive = false;
    block->at = NULL;
    block->contents = malloc(block->bytes);
    if (!block->contents)
        abort();
    EXPECT(m->build->size(m->pool, handle) == block->bytes, "a request of %zu has %zu usable bytes, not %zu",
           bytes, m->build->size(m->pool, handle), block->bytes);
    if (zeroed) {
        memset(block->contents, 0xff, block->bytes);
        EXPECT_STATUS(m->build->read(m->pool, handle, 0, block->contents, block->bytes), DEFRAG_OK);
        for (size_t i = 0; i < block->bytes; i++)
            EXPECT(block->contents[i] == 0, "byte %zu of a slice is not zero", i);
    }
    refill(m, block, 0, block->bytes);
}

/* The bytes that a request asks for; SIZE_MAX where they overflow. */
static size_t requested(enum model_form form, const defrag_request *r)
{
    size_t count = r->count;
    if (form == FORM_ALLOC || form == FORM_FAST || (form == FORM_REQUEST && count == 0))
        count = 1;
    return r->bytes && count > SIZE_MAX / r->bytes ? SIZE_MAX : r->bytes * count;
}

static bool is_sound(const struct model *m, enum model_form form, const defrag_request *r)
{
    return form != FORM_REQUEST
           || (r->alignment <= 128 * m->inside->granule && (r->alignment & (r->alignment - 1)) == 0
               && r->flags <= (DEFRAG_ZERO | DEFRAG_PLACE_LOW));
}

/* Granules that the alignment of a sound request adds. */
static size_t padding_of(const struct model *m, enum model_form form, const defrag_request *r)
{
    size_t granules = r->alignment / m->inside->granule;
    return form == FORM_REQUEST && granules ? granules - 1 : 0;
}

static defrag_status call_alloc(struct model *m, enum model_form form, const defrag_request *r,
                                defrag_handle *out)
{
    switch (form) {
    case FORM_ALLOC:
        return m->build->alloc(m->pool, r->bytes, out);
    case FORM_FAST:
        return m->build->alloc_fast(m->pool, r->bytes, out);
    case FORM_SLICE:
        return m->build->alloc_slice(m->pool, r->count, r->bytes, out);
    case FORM_SLICE_FAST:
        return m->build->alloc_slice_fast(m->pool, r->count, r->bytes, out);
    default:
        return m->build->alloc_request(m->pool, r, out);
    }
}

/* The call moved what the plan for so many bytes says. */
static void check_room(const struct model *m, uint64_t moved_before, size_t granules)
{
    const struct layout *layout = &m->before;
    struct planned plan = planner_plan(layout, granules, layout_need_trimmed(layout),
                                       m->config.plan_visits);
    uint64_t moved = (m->last.moved_bytes - moved_before) / m->inside->granule;
    EXPECT(plan.found && moved == plan.moved, "%llu granules moved where %zu should have been",
           (unsigned long long)moved, plan.moved);
    EXPECT(plan.moved <= plan.slide, "%zu granules moved where the cheapest slide moves %zu", plan.moved,
           plan.slide);
    EXPECT(plan.moved - plan.above >= plan.floor, "%zu granules moved where %zu must",
           plan.moved - plan.above, plan.floor);
}

static void count_choice(struct model *m, bool fast, int status)
{
    if (fast)
        *(status == DEFRAG_OK ? &m->choices.fast_served : &m->choices.fast_refused) += 1;
    else
        *(status == DEFRAG_OK ? &m->choices.pinned_served : &m->choices.pinned_refused) += 1;
}

/* A request that could not be granted at any time; counted nowhere. */
static defrag_handle refuse_request(struct model *m, const defrag_request *request)
{
    defrag_handle handle = {0xffffffffu};
    begin(m);
    EXPECT_STATUS(m->build->alloc_request(m->pool, request, &handle), DEFRAG_BAD_ARGUMENT);
    EXPECT(handle.bits == 0, "a refused request gave a handle");
    end_unchanged(m);
    return handle;
}

/*
 * A block that is to be low is no higher than the lowest gap that held it, right behind a locked block or at the
 * bottom; nor did more move for it than lay there, unless the ordinary way had to be gone.
 */
static void check_low(const struct model *m, const struct stretch *block, uint64_t moved_before)
{
    const struct layout *before = &m->before;
    size_t need = layout_need(before);
    for (size_t i = 0; layout_wilderness(before) >= need && i < before->count; i++) {
        const struct stretch *s = &before->stretches[i];
        size_t taken = i + 1 == before->count ? need : 0;
        if (s->region == DEFRAG_REGION_USED || (i > 0 && !s[-1].pinned)
            || s->granules < block->granules + taken)
            continue;
        EXPECT(block->start <= s->start, "a block that was to be low is at %zu, and there was room at %zu",
               block->start, s->start);
        EXPECT(block->start < s->start || m->last.moved_bytes == moved_before,
               "blocks moved, and there was room");
        return;
    }
}

defrag_handle model_alloc(struct model *m, enum model_form form, const defrag_request *request)
{
    if (!is_sound(m, form, request))
        return refuse_request(m, request);
    bool fast = form == FORM_FAST || form == FORM_SLICE_FAST;
    bool requests = form == FORM_REQUEST;
    bool low = requests && (request->flags & DEFRAG_PLACE_LOW);
    bool zeroed =
        form == FORM_SLICE || form == FORM_SLICE_FAST || (requests && (request->flags & DEFRAG_ZERO));
    size_t bytes = requested(form, request);
    size_t padding = padding_of(m, form, request);
    size_t granules = support_granules(m->inside, bytes) + padding;
    begin(m);
    struct verdict verdict = fast ? layout_predict_alloc_fast(&m->before, bytes)
                                  : layout_predict_place(&m->before, granules, is_manual(m));
    defrag_handle handle = {0xffffffffu};
    defrag_status status = call_alloc(m, form, request, &handle);
    /* Clearing a place of its own may succeed where no plan is found. */
    if (low && status == DEFRAG_OK && verdict.status == DEFRAG_PINNED)
        verdict.also = DEFRAG_OK;
    if (expect_verdict(verdict, status, fast ? "alloc_fast" : "alloc"))
        count_choice(m, fast, status);
    if (status != DEFRAG_OK) {
        EXPECT(handle.bits == 0, "a failed alloc gave a handle");
        end(m, (struct outcome){.effect = EFFECT_REFUSED,
                                .slots = fast ? SLOTS_SAME : SLOTS_MAY_TRIM,
                                .counted = status});
        return handle;
    }
    bool still = fast || is_manual(m);
    uint64_t moved = m->last.moved_bytes;
    register_block(m, handle, bytes, padding, zeroed);
    end(m, (struct outcome){.effect = still ? EFFECT_STILL : EFFECT_MOVES,
                            .fresh = handle,
                            .fresh_may_trim = !fast});
    if (low && !still && !scrambles(m, true))
        check_low(m, layout_find(&m->now, handle), moved);
    else if (!still && !scrambles(m, true))
        check_room(m, moved, granules);
    if (m->now.highest)
        block_at(m, m->inside->slot_of(handle))->next_generation =
            (m->inside->generation_of(handle) + 1) & 0xff;
    m->stepping = false;
    return handle;
}

static int resize_status(struct model *m, defrag_handle handle, size_t bytes, struct verdict *verdict)
{
    enum handle_state state = state_of(m, handle);
    *verdict = (struct verdict){DEFRAG_STALE, DEFRAG_STALE, false};
    if (state == STATE_STALE || state == STATE_NULL)
        return 0;
    const struct stretch *s = layout_find(&m->before, handle);
    size_t index = (size_t)(s - m->before.stretches);
    size_t granules = layout_resized(&m->before, index, bytes);
    *verdict = layout_predict_resize(&m->before, index, bytes, is_manual(m));
    /* Where locked blocks leave nothing else, it is up to how long is looked. */
    if (verdict->unpromised) {
        struct growth growth = growth_plan(&m->before, index, granules, is_manual(m), m->config.plan_visits);
        verdict->status = verdict->also = growth.way == GROWTH_NONE ? DEFRAG_PINNED : DEFRAG_OK;
    }
    enum handle_call call = granules == s->granules                                  ? CALL_RESIZE_SAME
                            : granules < s->granules                                 ? CALL_RESIZE_SHRINK
                            : layout_resize_way(&m->before, index, bytes, is_manual(m)) == RESIZE_IN_PLACE
                                ? CALL_RESIZE_GROW_IN_PLACE
                                : CALL_RESIZE_GROW_BY_MOVING;
    if (statuses_of(call, state) != DEFRAG_OK && verdict->status == verdict->also)
        EXPECT(verdict->status == statuses_of(call, state), "the model disagrees with the table of statuses");
    return (int)layout_resize_way(&m->before, index, bytes, is_manual(m));
}

static void resized(struct model *m, struct model_block *block, size_t bytes)
{
    size_t old = block->bytes;
    size_t usable = support_payload(m->inside, support_granules(m->inside, bytes));
    EXPECT(m->build->size(m->pool, block->handle) == usable, "resized to %zu bytes: %zu usable, not %zu",
           bytes, m->build->size(m->pool, block->handle), usable);
    block->bytes = usable;
    block->contents = realloc(block->contents, usable);
    if (!block->contents)
        abort();
    if (usable <= old)
        return;
    if (!block->shared && !block->exclusive)
        refill(m, block, old, usable - old);
    else
        memcpy(block->contents + old, block->at + old, usable - old);
}

/* The block that was resized moved what the cheapest way moves. */
static void check_growth(const struct model *m, defrag_handle handle, size_t bytes, uint64_t moved_before)
{
    const struct stretch *s = layout_find(&m->before, handle);
    size_t index = (size_t)(s - m->before.stretches);
    size_t granules = layout_resized(&m->before, index, bytes);
    size_t moved = (size_t)(m->last.moved_bytes - moved_before) / m->inside->granule;
    struct growth growth = {.way = GROWTH_IN_PLACE};
    if (granules > s->granules && !s->pinned)
        growth = growth_plan(&m->before, index, granules, is_manual(m), m->config.plan_visits);
    EXPECT(moved == growth.moved || moved + growth.own == growth.moved,
           "%zu granules moved where %zu should have been", moved, growth.moved);
}

void model_resize(struct model *m, defrag_handle handle, size_t bytes)
{
    begin(m);
    struct verdict verdict;
    int way = resize_status(m, handle, bytes, &verdict);
    if (scrambles(m, true)) {
        m->resized = handle;
        m->resized_bytes = support_payload(m->inside, support_granules(m->inside, bytes));
    }
    defrag_status status = m->build->resize(m->pool, handle, bytes);
    if (expect_verdict(verdict, status, "resize"))
        count_choice(m, false, status);
    if (status == DEFRAG_STALE) {
        end_unchanged(m);
        return;
    }
    if (status != DEFRAG_OK) {
        end(m, (struct outcome){.effect = EFFECT_REFUSED,
                                .slots = SLOTS_MAY_TRIM,
                                .counted = status == DEFRAG_LOCKED ? DEFRAG_OK : (int)status});
        return;
    }
    resized(m, block_of(m, handle), bytes);
    static const enum effect effects[] = {EFFECT_STILL, EFFECT_ALONE, EFFECT_MOVES};
    uint64_t moved = m->last.moved_bytes;
    end(m, (struct outcome){.effect = scrambles(m, true) ? EFFECT_MOVES : effects[way],
                            .slots = SLOTS_MAY_TRIM,
                            .alone = m->inside->slot_of(handle)});
    if (!scrambles(m, true))
        check_growth(m, handle, bytes, moved);
    m->stepping = false;
}

void model_free(struct model *m, defrag_handle handle)
{
    begin(m);
    struct model_block *block = block_of(m, handle);
    defrag_handle passed = handle;
    defrag_status status = m->build->free(m->pool, &passed);
    EXPECT_STATUS(status, statuses_of(CALL_FREE, state_of(m, handle)));
    EXPECT(passed.bits == (status == DEFRAG_OK ? 0 : handle.bits), "free leaves the handle %08x",
           (unsigned)passed.bits);
    if (status != DEFRAG_OK || !block) {
        end_unchanged(m);
        return;
    }
    block->live = false;
    free(block->contents);
    block->contents = NULL;
    end(m, (struct outcome){.effect = EFFECT_STILL, .freed = true, .next_use = block->next_generation});
    m->stepping = false;
}

/* --- Access ----------------------------------------------------------------------------------- */

static void check_address(struct model *m, defrag_handle handle, const void *address, bool held)
{
    EXPECT((address != NULL) == held, "a lock gives the address %p", address);
    if (held)
        EXPECT(address == block_of(m, handle)->at, "block %08x is locked elsewhere", (unsigned)handle.bits);
}

void model_lock(struct model *m, defrag_handle handle, bool plain)
{
    begin(m);
    int expected = statuses_of(CALL_LOCK, state_of(m, handle));
    void *address = &address;
    if (plain)
        address = m->build->lock(m->pool, handle);
    else
        EXPECT_STATUS(m->build->try_lock(m->pool, handle, &address), expected);
    check_address(m, handle, address, expected == DEFRAG_OK);
    if (expected == DEFRAG_OK)
        block_of(m, handle)->exclusive = true;
    end(m, (struct outcome){.effect = expected == DEFRAG_OK ? EFFECT_STILL : EFFECT_NONE});
    m->stepping = m->stepping && expected != DEFRAG_OK;
}

void model_lock_shared(struct model *m, defrag_handle handle, bool plain)
{
    begin(m);
    int expected = statuses_of(CALL_LOCK_SHARED, state_of(m, handle));
    const void *address = &address;
    if (plain)
        address = m->build->lock_shared(m->pool, handle);
    else
        EXPECT_STATUS(m->build->try_lock_shared(m->pool, handle, &address), expected);
    check_address(m, handle, address, expected == DEFRAG_OK);
    if (expected == DEFRAG_OK)
        block_of(m, handle)->shared++;
    end(m, (struct outcome){.effect = expected == DEFRAG_OK ? EFFECT_STILL : EFFECT_NONE});
    m->stepping = m->stepping && expected != DEFRAG_OK;
}

void model_unlock(struct model *m, defrag_handle handle)
{
    begin(m);
    int expected = statuses_of(CALL_UNLOCK, state_of(m, handle));
    struct model_block *block = block_of(m, handle);
    EXPECT_STATUS(m->build->unlock(m->pool, handle), expected);
    if (expected == DEFRAG_OK) {
        if (block->exclusive)
            block->exclusive = false;
        else
            block->shared--;
    }
    end(m, (struct outcome){.effect = expected == DEFRAG_OK ? EFFECT_STILL : EFFECT_NONE});
    m->stepping = m->stepping && expected != DEFRAG_OK;
}

/* What read and write answer; the range is looked at last. */
static int access_status(struct model *m, enum handle_call call, defrag_handle handle, size_t offset,
                         size_t bytes)
{
    int status = statuses_of(call, state_of(m, handle));
    if (status != DEFRAG_OK)
        return status;
    size_t size = block_of(m, handle)->bytes;
    return offset > size || bytes > size - offset ? DEFRAG_OUT_OF_RANGE : DEFRAG_OK;
}

void model_read(struct model *m, defrag_handle handle, size_t offset, size_t bytes)
{
    begin(m);
    int expected = access_status(m, CALL_READ, handle, offset, bytes);
    size_t room = bytes < 100000 ? bytes : 100000;
    unsigned char *to = malloc(room + 1);
    if (!to)
        abort();
    memset(to, 0x5a, room + 1);
    EXPECT_STATUS(m->build->read(m->pool, handle, offset, bytes ? to : NULL, bytes), expected);
    if (expected == DEFRAG_OK)
        EXPECT(memcmp(to, block_of(m, handle)->contents + offset, bytes) == 0, "read gives other bytes");
    else
        for (size_t i = 0; i < room; i++)
            EXPECT(to[i] == 0x5a, "a failed read wrote byte %zu", i);
    EXPECT(to[room] == 0x5a, "read wrote too far");
    free(to);
    end_unchanged(m);
}

void model_write(struct model *m, defrag_handle handle, size_t offset, size_t bytes)
{
    begin(m);
    int expected = access_status(m, CALL_WRITE, handle, offset, bytes);
    if (expected == DEFRAG_OK) {
        refill(m, block_of(m, handle), offset, bytes);
        end(m, (struct outcome){.effect = EFFECT_STILL});
        return;
    }
    static const unsigned char nothing[64];
    EXPECT_STATUS(m->build->write(m->pool, handle, offset, nothing, bytes), expected);
    end_unchanged(m);
}

void model_size(struct model *m, defrag_handle handle)
{
    begin(m);
    const struct model_block *block = block_of(m, handle);
    size_t size = m->build->size(m->pool, handle);
    EXPECT(size == (block ? block->bytes : 0), "size is %zu", size);
    end_unchanged(m);
}

/* --- Keeping in order ------------------------------------------------------------------------- */

void model_clean(struct model *m)
{
    begin(m);
    EXPECT_STATUS(m->build->clean(m->pool), DEFRAG_OK);
    end(m, (struct outcome){.effect = EFFECT_STILL, .slots = SLOTS_TRIM});
}

static bool has_moved(struct model *m, size_t index)
{
    const struct stretch *s = &m->before.stretches[index];
    return layout_find(&m->now, s->handle)->start != s->start;
}

/* Without scrambling every block lies where holes and sliding put it, counted from the layout before. */
static void check_places(struct model *m)
{
    layout_predict_compact(&m->before);
    for (size_t i = 0; i < m->before.count; i++) {
        const struct stretch *s = &m->before.stretches[i];
        if (s->region == DEFRAG_REGION_USED)
            EXPECT(layout_find(&m->now, s->handle)->start == s->compacted,
                   "compact leaves block %08x at %zu, not %zu", (unsigned)s->handle.bits,
                   layout_find(&m->now, s->handle)->start, s->compacted);
    }
}

/*
 * What scrambling within runs moves for certain: blocks with neighbours that have
 * no gap below them; where the call compacts, no hole either.
 */
static void check_runs(struct model *m, bool compacts)
{
    for (size_t i = 0; i < m->before.count; i++) {
        const struct stretch *s = &m->before.stretches[i];
        if (s->region == DEFRAG_REGION_USED && !s->pinned && layout_has_neighbour(&m->before, i)
            && !(compacts ? layout_is_above_hole : layout_is_above_gap)(&m->before, i))
            EXPECT(has_moved(m, i), "block %08x is not scrambled", (unsigned)s->handle.bits);
    }
}

/* After compact all of these moved as well: blocks with a gap below them. */
static void check_slid(struct model *m)
{
    for (size_t i = 0; i < m->before.count; i++) {
        const struct stretch *s = &m->before.stretches[i];
        if (s->region == DEFRAG_REGION_USED && !s->pinned && layout_is_above_gap(&m->before, i))
            EXPECT(has_moved(m, i), "block %08x is neither slid nor scrambled", (unsigned)s->handle.bits);
    }
}

static void check_compacted(struct model *m)
{
    EXPECT(layout_is_compact(&m->now), "compact leaves a block that can slide");
    EXPECT(layout_is_settled(&m->now), "compact leaves a block that fits into a hole below it");
    if (scrambles(m, false)) {
        check_runs(m, true);
        check_slid(m);
    } else {
        check_places(m);
    }
    if (m->now.locked == 0)
        EXPECT(free_blocks(&m->now) == 0, "nothing is locked, and compact leaves free blocks");
}

void model_compact(struct model *m)
{
    begin(m);
    EXPECT_STATUS(m->build->compact(m->pool), DEFRAG_OK);
    end(m, (struct outcome){.effect = EFFECT_MOVES, .slots = SLOTS_TRIM});
    check_compacted(m);
    m->stepping = false;
}

/* Without other calls in between no block moves twice. */
static void note_step(struct model *m)
{
    if (!m->stepping && m->step_moved)
        memset(m->step_moved, 0, m->blocks_room * sizeof *m->step_moved);
    m->stepping = true;
    for (size_t i = 0; i < m->now.count; i++) {
        const struct stretch *s = &m->now.stretches[i];
        if (s->region != DEFRAG_REGION_USED || layout_find(&m->before, s->handle)->start == s->start)
            continue;
        uint32_t slot = m->inside->slot_of(s->handle);
        EXPECT(!m->step_moved[slot], "block %08x moved twice in one compaction", (unsigned)s->handle.bits);
        m->step_moved[slot] = true;
    }
}

/* What one step moved is within its budget and what it says. */
static void check_step(struct model *m, const defrag_statistics *old, size_t max_bytes, size_t moved)
{
    EXPECT(m->last.moved_bytes - old->moved_bytes == moved, "compact_step moved %llu bytes and says %zu",
           (unsigned long long)(m->last.moved_bytes - old->moved_bytes), moved);
    EXPECT(moved <= max_bytes || m->last.moved_blocks - old->moved_blocks == 1,
           "a step of %zu moved %zu bytes in several blocks", max_bytes, moved);
    note_step(m);
}

defrag_status model_compact_step(struct model *m, size_t max_bytes)
{
    begin(m);
    size_t moved = SIZE_MAX;
    defrag_statistics old = m->last;
    defrag_status status = m->build->compact_step(m->pool, max_bytes, &moved);
    EXPECT(status == DEFRAG_OK || status == DEFRAG_MORE, "compact_step answers %d", (int)status);
    end(m, (struct outcome){.effect = EFFECT_MOVES, .slots = SLOTS_MAY_TRIM});
    if (scrambles(m, false))
        check_runs(m, true);
    else
        check_step(m, &old, max_bytes, moved);
    if (status == DEFRAG_OK) {
        EXPECT(layout_is_compact(&m->now), "compact_step says OK, but more can slide");
        m->stepping = false;
    }
    return status;
}

/* Calls alloc_fast on the pool as it is, and puts everything back. */
static defrag_status try_alloc(struct model *m, bool fast, size_t bytes)
{
    const defrag_config saved = m->config;
    m->config.on_move = NULL;
    unsigned char *image = copy_of(m->pool, m->image_bytes);
    defrag_handle handle;
    defrag_status status =
        fast ? m->build->alloc_fast(m->pool, bytes, &handle) : m->build->alloc(m->pool, bytes, &handle);
    memcpy(m->pool, image, m->image_bytes);
    free(image);
    m->config = saved;
    return status;
}

/* Whether there was room for so many bytes before the call. */
static bool is_hole_there(const struct model *m, size_t bytes)
{
    const struct layout *layout = &m->before;
    size_t granules = support_granules(m->inside, bytes);
    return planner_plan(layout, granules, layout_need_trimmed(layout), 0).moved == 0;
}

void model_make_room(struct model *m, size_t bytes)
{
    begin(m);
    struct verdict verdict = layout_predict_alloc(&m->before, bytes, false);
    defrag_status status = m->build->make_room(m->pool, bytes);
    if (expect_verdict(verdict, status, "make_room"))
        count_choice(m, false, status);
    uint64_t moved = m->last.moved_bytes;
    end(m, (struct outcome){.effect = status == DEFRAG_OK ? EFFECT_MOVES : EFFECT_REFUSED,
                            .slots = SLOTS_MAY_TRIM});
    if (status != DEFRAG_OK)
        return;
    if (!scrambles(m, false))
        check_room(m, moved, support_granules(m->inside, bytes));
    else if (is_hole_there(m, bytes))
        check_runs(m, false);
    EXPECT_STATUS(try_alloc(m, true, bytes), DEFRAG_OK);
    m->stepping = false;
}

/* Where the block's payload was and none is now, the bytes say so. */
static void check_filled(const struct model *m, const struct stretch *old)
{
    const unsigned char *bytes = (const unsigned char *)m->pool;
    size_t begin = (size_t)(old->payload - bytes);
    size_t end = begin + old->payload_bytes;
    for (size_t i = 0; i < m->now.count; i++) {
        const struct stretch *s = &m->now.stretches[i];
        size_t stop = s->start + s->granules * m->inside->granule;
        for (size_t at = begin > s->start ? begin : s->start; at < end && at < stop; at++)
            EXPECT(!layout_is_idle(&m->now, s, at) || bytes[at] == DEFRAG_SCRAMBLE_BYTE,
                   "byte %zu of an old place is %02x after scrambling", at, bytes[at]);
    }
}

/* Every block that can lie elsewhere does. */
static void check_scrambled(struct model *m)
{
    size_t hole = layout_largest_gap(&m->before, 0, 0);
    for (size_t i = 0; i < m->before.count; i++) {
        const struct stretch *s = &m->before.stretches[i];
        if (s->region != DEFRAG_REGION_USED || s->pinned)
            continue;
        bool can = layout_has_company(&m->before, i) || s->granules <= hole;
        EXPECT(has_moved(m, i) == can, "block %08x %s", (unsigned)s->handle.bits,
               can ? "is not scrambled" : "moved, and had no other place");
        if (can)
            check_filled(m, s);
    }
}

/* The same pool and seed give the same image. */
static void check_reproducible(struct model *m, uint32_t seed)
{
    unsigned char *after = copy_of(m->pool, m->image_bytes);
    const defrag_config saved = m->config;
    m->config.on_move = NULL;
    memcpy(m->pool, m->image, m->image_bytes);
    EXPECT_STATUS(m->build->scramble(m->pool, seed), DEFRAG_OK);
    EXPECT(memcmp(m->pool, after, m->image_bytes) == 0, "the same seed scrambles otherwise");
    m->config = saved;
    free(after);
}

void model_scramble(struct model *m, uint32_t seed)
{
    begin(m);
    EXPECT_STATUS(m->build->scramble(m->pool, seed), DEFRAG_OK);
    end(m, (struct outcome){.effect = EFFECT_MOVES});
    check_scrambled(m);
    check_reproducible(m, seed);
    m->stepping = false;
}

void model_probe_largest(struct model *m)
{
    size_t fast = m->last.largest_fast;
    size_t certain = m->last.largest_certain;
    if (fast)
        EXPECT_STATUS(try_alloc(m, true, fast), DEFRAG_OK);
    EXPECT(try_alloc(m, true, fast ? fast + 1 : 0) != DEFRAG_OK, "largest_fast is %zu, but more is served",
           fast);
    if (certain) {
        EXPECT_STATUS(try_alloc(m, false, certain), DEFRAG_OK);
        EXPECT_STATUS(try_alloc(m, false, support_below(&m->random, certain)), DEFRAG_OK);
    }
    if (!m->now.locked || is_manual(m))
        EXPECT(try_alloc(m, false, certain ? certain + 1 : 0) != DEFRAG_OK,
               "largest_certain is %zu, but more is served", certain);
}

/* --- The pool as a whole ---------------------------------------------------------------------- */

struct stopping {
    size_t shown, stop;
};

static defrag_status stop_at(void *context, const defrag_block *block)
{
    struct stopping *s = context;
    (void)block;
    return ++s->shown == s->stop ? DEFRAG_OUT_OF_RANGE : DEFRAG_OK;
}

void model_walk(struct model *m, size_t stop)
{
    struct stopping s = {0, stop};
    begin(m);
    bool stops = stop > 0 && stop <= m->before.count;
    EXPECT_STATUS(m->build->walk(m->pool, stop_at, &s), stops ? DEFRAG_OUT_OF_RANGE : DEFRAG_OK);
    EXPECT(s.shown == (stops ? stop : m->before.count),
           "walk shows %zu of %zu stretches to one who stops at %zu", s.shown, m->before.count, stop);
    end_unchanged(m);
}

void model_attach(struct model *m, size_t missing)
{
    size_t needed = m->last.skipped_bytes + m->last.pool_bytes;
    size_t bytes = m->buffer.size - (missing < m->buffer.size ? missing : m->buffer.size);
    size_t shift = m->inside->granule << missing % 8;
    struct support_buffer copy = support_buffer_new(bytes, (uintptr_t)m->buffer.bytes + shift);
    int expected = bytes < needed                                              ? DEFRAG_BAD_SIZE
                   : shift % ((largest_padding(m) + 1) * m->inside->granule) ? DEFRAG_BAD_ARGUMENT
                                                                               : DEFRAG_OK;
    begin(m);
    memcpy(copy.bytes, m->buffer.bytes, bytes);
    defrag_pool *pool;
    EXPECT_STATUS(m->build->attach(&pool, copy.bytes, bytes, NULL), expected);
    EXPECT(!pool == (expected != DEFRAG_OK), "attach gives the pool %p", (void *)pool);
    EXPECT(pool || memcmp(copy.bytes, m->buffer.bytes, bytes) == 0,
           "attach changed an image that it refused");
    support_buffer_free(&copy);
    end_unchanged(m);
}

static void refuse_configs(const struct defrag_build *b)
{
    const defrag_config bad[] = {{.flags = 0x80000000u}, {.enter = on_enter}, {.leave = on_leave}};
    unsigned char buffer[64];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        defrag_pool *pool = (defrag_pool *)(void *)buffer;
        EXPECT_STATUS(b->init(&pool, buffer, sizeof buffer, &bad[i]), DEFRAG_BAD_ARGUMENT);
        EXPECT(!pool, "init with a bad configuration gives a pool");
        EXPECT_STATUS(b->attach(&pool, buffer, sizeof buffer, &bad[i]), DEFRAG_BAD_ARGUMENT);
    }
    defrag_pool *pool;
    EXPECT_STATUS(b->init(NULL, buffer, sizeof buffer, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->init(&pool, NULL, sizeof buffer, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->attach(NULL, buffer, sizeof buffer, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->attach(&pool, NULL, sizeof buffer, NULL), DEFRAG_BAD_ARGUMENT);
}

static void refuse_null_pools(const struct defrag_build *b)
{
    defrag_handle handle = {1};
    const defrag_request request = {.bytes = 1};
    void *address;
    const void *shared;
    size_t moved;
    EXPECT_STATUS(b->alloc(NULL, 1, &handle), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_fast(NULL, 1, &handle), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_slice(NULL, 1, 1, &handle), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_slice_fast(NULL, 1, 1, &handle), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_request(NULL, &request, &handle), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->resize(NULL, handle, 1), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->free(NULL, &handle), DEFRAG_BAD_ARGUMENT);
    EXPECT(b->size(NULL, handle) == 0, "size in no pool");
    EXPECT(!b->lock(NULL, handle) && !b->lock_shared(NULL, handle), "a lock in no pool");
    EXPECT_STATUS(b->try_lock(NULL, handle, &address), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->try_lock_shared(NULL, handle, &shared), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->unlock(NULL, handle), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->read(NULL, handle, 0, NULL, 0), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->write(NULL, handle, 0, NULL, 0), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->detach(NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->clean(NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->compact(NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->compact_step(NULL, 1, &moved), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->make_room(NULL, 1), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->scramble(NULL, 1), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->check(NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->walk(NULL, stop_at, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT(support_statistics(b, NULL).pool_bytes == 0, "statistics of no pool");
}

void model_misuse(struct model *m)
{
    const struct defrag_build *b = m->build;
    defrag_handle handle;
    begin(m);
    refuse_configs(b);
    refuse_null_pools(b);
    EXPECT_STATUS(b->alloc(m->pool, 1, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_fast(m->pool, 1, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_slice(m->pool, 1, 1, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_slice_fast(m->pool, 1, 1, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->alloc_request(m->pool, NULL, &handle), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->free(m->pool, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->try_lock(m->pool, (defrag_handle){1}, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->try_lock_shared(m->pool, (defrag_handle){1}, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->read(m->pool, (defrag_handle){1}, 0, NULL, 1), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->write(m->pool, (defrag_handle){1}, 0, NULL, 1), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->walk(m->pool, NULL, NULL), DEFRAG_BAD_ARGUMENT);
    b->statistics_get(m->pool, NULL);
    end_unchanged(m);
}

void model_migrate(struct model *m)
{
    size_t alignment = (largest_padding(m) + 1) * m->inside->granule;
    struct support_buffer moved = support_buffer_new(m->buffer.size, (uintptr_t)m->buffer.bytes + alignment);
    begin(m);
    EXPECT_STATUS(m->build->detach(m->pool), DEFRAG_OK);
    memcpy(moved.bytes, m->buffer.bytes, moved.size);
    memset(m->buffer.bytes, 0xdd, m->buffer.size);
    defrag_pool *pool;
    const defrag_config *config = m->config.flags || m->hooked ? &m->config : NULL;
    EXPECT_STATUS(m->build->attach(&pool, moved.bytes, moved.size, config), DEFRAG_OK);
    EXPECT((unsigned char *)pool - moved.bytes == (unsigned char *)m->pool - m->buffer.bytes,
           "attach put the pool elsewhere in the buffer");
    ptrdiff_t shift = (unsigned char *)pool - (unsigned char *)m->pool;
    for (size_t slot = 0; slot < m->blocks_room; slot++)
        if (m->blocks[slot].live)
            m->blocks[slot].at = (const unsigned char *)((uintptr_t)m->blocks[slot].at + (uintptr_t)shift);
    support_buffer_free(&m->buffer);
    m->buffer = moved;
    m->pool = pool;
    end(m, (struct outcome){.effect = EFFECT_STILL});
}
