/* SPDX-License-Identifier: MIT */
/*
 * The non-moving policies are fair: no better than the bounds that hold for
 * every non-moving allocator, no worse than those published for them, and laid
 * out like the allocators they stand for. Whatever happens, blocks lie in the
 * pool, aligned, apart, and keep their contents.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "tools/adversary.h"
#include "tools/policy.h"
#include "tools/xalloc.h"

static const unsigned alignments[] = {4, 8, 16};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- Adversaries ------------------------------------------------------------------------------ */

/* What a program plays against: one policy, in units of its smallest block, header included. */
struct player {
    const struct policy *policy;
    policy_heap *heap;
    size_t unit;
    size_t header;
    size_t *offset; /* by object */
    size_t base;    /* lowest payload, and the end of the highest block */
    size_t top;
};

enum { BUDDY_POOL_UNITS = 1 << 17 };

static bool player_alloc(void *context, uint32_t object, size_t units)
{
    struct player *player = context;
    size_t offset = player->policy->alloc(player->heap, units * player->unit - player->header);

    assert_true(offset != POLICY_NONE);
    player->offset[object] = offset;
    player->base = offset < player->base ? offset : player->base;
    size_t end = offset + units * player->unit;
    player->top = end > player->top ? end : player->top;
    return true;
}

static void player_free(void *context, uint32_t object)
{
    struct player *player = context;
    player->policy->free(player->heap, player->offset[object]);
}

static void player_shrink(void *context, uint32_t object, size_t units)
{
    struct player *player = context;
    assert_int_equal(
        player->policy->resize(player->heap, player->offset[object], units * player->unit - player->header),
        player->offset[object]);
}

static size_t player_place(void *context, uint32_t object)
{
    struct player *player = context;
    return (player->offset[object] - player->base) / player->unit;
}

/* The units of heap that the program with that name makes the policy use. */
static size_t heap_units(const char *name, const struct policy *policy, unsigned alignment, size_t most,
                         size_t largest)
{
    struct player player = {.policy = policy, .header = policy->header_bytes, .base = SIZE_MAX};
    struct adversary_heap heap = {&player, player_alloc, player_free, player_shrink, player_place};
    struct adversary_piece *pieces = xcalloc(most + 1, sizeof *pieces);
    const struct adversary *adversary = adversaries;

    while (strcmp(adversary->name, name) != 0) {
        adversary++;
    }
    player.unit = policy->block_units(alignment, 0) * policy_unit_bytes(policy, alignment);
    player.heap = policy->open(policy, alignment, policy->endless ? POLICY_ENDLESS : BUDDY_POOL_UNITS, NULL);
    player.offset = xcalloc(most + 1, sizeof *player.offset);
    assert_true(adversary_takes(adversary, most, largest));
    assert_true(adversary_play(adversary, &heap, most, largest, pieces));
    policy->close(player.heap);
    free(player.offset);
    free(pieces);
    return (player.top - player.base) / player.unit;
}

static void test_robson_is_the_bound(void **state)
{
    static const struct policy *const policies_bound[] = {&policy_first_fit, &policy_best_fit, &policy_tlsf,
                                                          &policy_half_fit};
    const size_t m = 4096, n = 256, half_log2_n_twice = 8;
    const size_t bound = m + m * half_log2_n_twice / 2 - n + 1;

    (void)state;
    assert_int_equal(adversaries[0].bound(m, n), bound);
    for (size_t i = 0; i < COUNT(policies_bound); i++) {
        for (size_t j = 0; j < COUNT(alignments); j++) {
            assert_int_equal(heap_units("robson", policies_bound[i], alignments[j], m, n), bound);
        }
    }
    assert_in_range(heap_units("robson", &policy_buddy, 8, m, n), bound, 5 * m);
}

/* Robson's (m - 4n + 11)(n - 2), and besides the left block and the two of the step that does not come to its
 * end. */
static void test_best_fit_adversary(void **state)
{
    static const size_t sizes[][2] = {{400, 32}, {400, 34}, {400, 6}, {200, 16}};

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t m = sizes[i][0], n = sizes[i][1];
        for (size_t j = 0; j < COUNT(alignments); j++) {
            size_t bound = (m - 4 * n + 11) * (n - 2);
            assert_int_equal(heap_units("best-fit", &policy_best_fit, alignments[j], m, n),
                             bound + 3 * (n - 2));
            assert_int_equal(heap_units("best-fit", &policy_tlsf, alignments[j], m, n), bound + 3 * (n - 2));
        }
    }
    assert_in_range(heap_units("best-fit", &policy_first_fit, 8, 400, 32), 400, 2 * 400);
}

/* Whoever shrinks in place is left with holes that the next block does not fit in. */
static void test_shrink_adversary(void **state)
{
    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        for (size_t j = 0; j < COUNT(alignments); j++) {
            assert_int_equal(heap_units("shrink", policies[i], alignments[j], 256, 16), 3616);
        }
        assert_int_equal(heap_units("shrink", policies[i], 8, 1024, 64) / 1024, 56);
    }
}

/* No hole has two units: the large block lies behind all others. */
static void test_sawtooth(void **state)
{
    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        if (policies[i] != &policy_buddy) {
            assert_int_equal(heap_units("sawtooth", policies[i], 8, 1024, 128), 1024 + 128);
        }
    }
}

/* --- Layout -------------------------------------------------------------------------------------- */

static size_t block_beyond(const struct policy *policy, unsigned alignment, size_t bytes)
{
    return policy->block_units(alignment, bytes) * policy_unit_bytes(policy, alignment) - bytes;
}

static void test_blocks_cost_what_the_originals_cost(void **state)
{
    (void)state;
    assert_int_equal(block_beyond(&policy_tlsf, 4, 20), 4);
    assert_int_equal(block_beyond(&policy_tlsf, 4, 24), 4);
    assert_int_equal(block_beyond(&policy_tlsf, 4, 100), 4);
    assert_int_equal(block_beyond(&policy_tlsf, 4, 0), 16);
    assert_int_equal(block_beyond(&policy_half_fit, 8, 20), 44);
    assert_int_equal(block_beyond(&policy_half_fit, 8, 24), 40);
    assert_int_equal(block_beyond(&policy_half_fit, 8, 100), 28);
    assert_int_equal(block_beyond(&policy_half_fit, 8, 16), 16);
    assert_int_equal(block_beyond(&policy_half_fit, 8, 17), 47);
    assert_int_equal(block_beyond(&policy_first_fit, 8, 12), 4);
    assert_int_equal(block_beyond(&policy_best_fit, 8, 13), 11);
    assert_int_equal(block_beyond(&policy_buddy, 8, 64), 0);
    assert_int_equal(block_beyond(&policy_buddy, 8, 65), 63);
}

static void test_control_costs_what_the_originals_cost(void **state)
{
    const size_t units = ((size_t)1 << 28) - 2;

    (void)state;
    /* TLSF with all the rows that the original always has; half-fit has one size. */
    assert_int_equal(policy_tlsf.pool_bytes(4, units) - 4 * units, 3188 + 4);
    assert_int_equal(policy_half_fit.pool_bytes(8, 100) - 3200, 160);
    assert_int_equal(policy_first_fit.pool_bytes(8, 100) - 800, 16);
}

static void test_units_are_the_inverse_of_pool_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        for (size_t units = 0; units < 3000; units++) {
            size_t bytes = policies[i]->pool_bytes(8, units);
            assert_int_equal(policy_units(policies[i], 8, bytes), units);
            assert_true(policies[i]->pool_bytes(8, units + 1) > bytes);
            assert_int_equal(policy_units(policies[i], 8, policies[i]->pool_bytes(8, units + 1) - 1), units);
        }
    }
}

/* --- Random sequences ------------------------------------------------------------------------------ */

enum { MOST_OBJECTS = 64 };

struct script {
    const struct policy *policy;
    policy_heap *heap;
    unsigned char *memory; /* NULL: contents are not looked at */
    size_t pool_bytes;
    size_t control; /* bytes of the pool that are no units */
    uint32_t seed;
    size_t offset[MOST_OBJECTS]; /* POLICY_NONE: not live */
    size_t bytes[MOST_OBJECTS];
    uint64_t placements; /* a hash of all answers */
    size_t tried;        /* the object of the last request, and its bytes; MOST_OBJECTS: it was a free */
    size_t tried_bytes;
};

static uint32_t next(struct script *script)
{
    script->seed ^= script->seed << 13;
    script->seed ^= script->seed >> 17;
    script->seed ^= script->seed << 5;
    return script->seed;
}

static void script_begin(struct script *script, const struct policy *policy, unsigned alignment, size_t units,
                         uint32_t seed, bool contents)
{
    memset(script, 0, sizeof *script);
    script->policy = policy;
    script->seed = seed;
    script->pool_bytes = policy->pool_bytes(alignment, units);
    script->control = script->pool_bytes - units * policy_unit_bytes(policy, alignment);
    script->memory = contents ? xcalloc(script->pool_bytes, 1) : NULL;
    script->heap = policy->open(policy, alignment, units, script->memory);
    for (size_t i = 0; i < MOST_OBJECTS; i++) {
        script->offset[i] = POLICY_NONE;
    }
}

static void script_end(struct script *script)
{
    script->policy->close(script->heap);
    free(script->memory);
}

static void script_fill(struct script *script, size_t object, size_t from)
{
    for (size_t i = from; script->memory && i < script->bytes[object]; i++) {
        script->memory[script->offset[object] + i] = (unsigned char)(object * 37 + i);
    }
}

/* Places are counted from the first unit: a larger pool may have more in front of it. */
static void script_answered(struct script *script, size_t answer)
{
    size_t place = answer == POLICY_NONE ? answer : answer - script->control;
    script->placements = (script->placements ^ place) * UINT64_C(0x100000001b3);
}

/* Sizes are small mostly, and sometimes large. */
static size_t script_size(struct script *script)
{
    uint32_t draw = next(script);
    return draw % 16 == 0 ? next(script) % 700 : draw / 16 % 90;
}

static void script_step(struct script *script)
{
    size_t object = next(script) % MOST_OBJECTS;
    uint32_t draw = next(script) % 8;
    size_t bytes = script_size(script);
    size_t old = script->offset[object];

    script->tried = object;
    script->tried_bytes = bytes;
    if (old == POLICY_NONE) {
        script->bytes[object] = bytes;
        script->offset[object] = script->policy->alloc(script->heap, bytes);
        script_answered(script, script->offset[object]);
        if (script->offset[object] != POLICY_NONE) {
            script_fill(script, object, 0);
        }
    } else if (draw < 5) {
        script->policy->free(script->heap, old);
        script->offset[object] = POLICY_NONE;
        script->tried = MOST_OBJECTS;
    } else {
        size_t offset = script->policy->resize(script->heap, old, bytes);
        script_answered(script, offset);
        if (offset != POLICY_NONE) {
            size_t kept = bytes < script->bytes[object] ? bytes : script->bytes[object];
            script->offset[object] = offset;
            script->bytes[object] = bytes;
            script_fill(script, object, kept);
        }
    }
}

static void script_check(const struct script *script, unsigned alignment)
{
    for (size_t i = 0; i < MOST_OBJECTS; i++) {
        size_t offset = script->offset[i];
        if (offset == POLICY_NONE) {
            continue;
        }
        assert_int_equal(offset % policy_alignment(script->policy, alignment), 0);
        assert_true(offset + script->bytes[i] <= script->pool_bytes);
        for (size_t j = 0; j < script->bytes[i]; j++) {
            assert_int_equal(script->memory[offset + j], (unsigned char)(i * 37 + j));
        }
    }
}

/* Contents that survive every operation on the others prove the blocks apart. */
static void test_random_blocks_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        for (size_t j = 0; j < COUNT(alignments); j++) {
            for (uint32_t seed = 1; seed <= 6 * support_effort() / 100 + 1; seed++) {
                struct script script;
                script_begin(&script, policies[i], alignments[j], 30 + 40 * seed, seed * 2463534242u, true);
                for (int step = 0; step < 3000; step++) {
                    script_step(&script);
                    script_check(&script, alignments[j]);
                }
                script_end(&script);
            }
        }
    }
}

/* A pool that is emptied serves again what it served when new. */
static void test_all_is_free_in_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        struct script script;
        script_begin(&script, policies[i], 8, 256, 77, false);
        size_t largest = 256 * policy_unit_bytes(policies[i], 8) - policies[i]->header_bytes;
        size_t whole = policies[i]->alloc(script.heap, largest);
        assert_true(whole != POLICY_NONE);
        assert_true(policies[i]->alloc(script.heap, 0) == POLICY_NONE);
        policies[i]->free(script.heap, whole);
        for (int step = 0; step < 3000; step++) {
            script_step(&script);
        }
        for (size_t object = 0; object < MOST_OBJECTS; object++) {
            if (script.offset[object] != POLICY_NONE) {
                policies[i]->free(script.heap, script.offset[object]);
            }
        }
        assert_true(policies[i]->alloc(script.heap, largest) == whole);
        script_end(&script);
    }
}

static uint64_t placements(const struct policy *policy, unsigned alignment, size_t units, uint32_t seed,
                           struct policy_range *range)
{
    struct script script;

    script_begin(&script, policy, alignment, units, seed, false);
    for (int step = 0; step < 400; step++) {
        script_step(&script);
    }
    *range = policy->range(script.heap);
    script_end(&script);
    return script.placements;
}

static void test_ranges_tell_the_truth(void **state)
{
    size_t told = 0;

    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        for (uint32_t seed = 1; seed <= 60; seed++) {
            unsigned alignment = alignments[seed % COUNT(alignments)];
            size_t units = 20 + seed * 11 % 500;
            struct policy_range range, other;
            uint64_t expected = placements(policies[i], alignment, units, seed * 7919, &range);
            assert_true(range.low <= units && units < range.high);
            size_t high = range.high < units + 60 ? range.high : units + 60;
            for (size_t n = range.low; n < high; n++, told++) {
                assert_int_equal(placements(policies[i], alignment, n, seed * 7919, &other), expected);
            }
        }
    }
    assert_true(told > 1000);
}

/* --- The originals --------------------------------------------------------------------------------- */

/*
 * What the cores of mattconte/tlsf (at 063fe473) and o1heap (at 0668766d)
 * answered to the requests of script_step(): the hash of where each block was
 * placed, from the beginning of the arena on, or that there was no room. The
 * cores were typed anew from the published sources, without comments and
 * assertions, and compiled for a 32-bit x86; the numbers are thus as good as that
 * copy, which is not kept here. To them a request of no bytes was made one of one byte, and a heap in
 * which o1heapReallocate() had failed was put back as it was before.
 */
struct recorded {
    size_t units;
    uint64_t placements;
};

enum { RECORDED_STEPS = 20000, RECORDED_SEED = 104729 };

static void placements_expect(const struct policy *policy, const struct recorded *recorded, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct script script;
        script_begin(&script, policy, 4, recorded[i].units, RECORDED_SEED * (uint32_t)(i + 1), false);
        for (int step = 0; step < RECORDED_STEPS; step++) {
            script_step(&script);
        }
        script_end(&script);
        assert_int_equal(script.placements, recorded[i].placements);
    }
}

static void test_placements_are_those_of_the_originals(void **state)
{
    static const struct recorded tlsf[] = {
        {400, 0x51fe0d03d2493b7c},  {700, 0xb09f88f8cb4d358e},  {1000, 0xc1ea45fb57ba1ce0},
        {1400, 0x19f104be29ce2736}, {2400, 0xff2a568cc2f37d58},
    };
    static const struct recorded o1heap[] = {
        {50, 0x7a11a3e9f005a761},  {87, 0x2d93cf639dc9a401},  {125, 0xff3a423cc4fed9e9},
        {175, 0x0c18b3f07099a217}, {300, 0xacbd63143d6246a5},
    };

    (void)state;
    placements_expect(&policy_tlsf, tlsf, COUNT(tlsf));
    placements_expect(&policy_half_fit, o1heap, COUNT(o1heap));
}

/* --- A plain heap ------------------------------------------------------------------------------------- */

/*
 * The same policies told again without any thought of speed: all blocks in one
 * array in address order, the last free block like any other, every search a
 * look at each block.
 */
enum { PLAIN_MOST = 4096 };

struct plain_block {
    size_t units;
    bool is_free;
    uint64_t freed; /* when */
};

struct plain {
    const struct policy *policy;
    unsigned alignment;
    size_t least; /* units of a block */
    struct plain_block blocks[PLAIN_MOST];
    size_t count;
    uint64_t clock;
};

static size_t plain_log2(size_t number)
{
    size_t log2 = 0;
    while (number > 1) {
        number /= 2;
        log2++;
    }
    return log2;
}

/* TLSF's size: of the payload at alignment 4, of the block above that. Lists of a row are a 32nd of it wide.
 */
static size_t plain_tlsf_size(const struct plain *plain, size_t units)
{
    return units * plain->alignment - (plain->alignment == 4 ? 4 : 0);
}

static size_t plain_tlsf_width(const struct plain *plain, size_t size)
{
    return size < 32 * plain->alignment ? plain->alignment : ((size_t)1 << plain_log2(size)) / 32;
}

/* Ranks classes: the least size of the class of a size. */
static size_t plain_class(const struct plain *plain, size_t units)
{
    if (plain->policy == &policy_half_fit) {
        return plain_log2(units);
    }
    size_t size = plain_tlsf_size(plain, units);
    return size / plain_tlsf_width(plain, size) * plain_tlsf_width(plain, size);
}

static size_t plain_class_wanted(const struct plain *plain, size_t units)
{
    if (plain->policy == &policy_half_fit) {
        return plain_log2(units);
    }
    size_t size = plain_tlsf_size(plain, units);
    size_t rounded = size < 32 * plain->alignment ? size : size + plain_tlsf_width(plain, size) - 1;
    return rounded / plain_tlsf_width(plain, rounded) * plain_tlsf_width(plain, rounded);
}

/* Whether a is taken rather than b, both being large enough and a lying higher. */
static bool plain_prefers(const struct plain *plain, const struct plain_block *a, const struct plain_block *b)
{
    if (plain->policy == &policy_first_fit) {
        return false;
    }
    if (plain->policy == &policy_best_fit) {
        return a->units < b->units;
    }
    size_t class_a = plain_class(plain, a->units), class_b = plain_class(plain, b->units);
    return class_a < class_b || (class_a == class_b && a->freed > b->freed);
}

static bool plain_serves(const struct plain *plain, const struct plain_block *block, size_t units)
{
    if (!block->is_free) {
        return false;
    }
    if (plain->policy == &policy_first_fit || plain->policy == &policy_best_fit) {
        return block->units >= units;
    }
    return plain_class(plain, block->units) >= plain_class_wanted(plain, units);
}

static void plain_remove(struct plain *plain, size_t i)
{
    plain->count--;
    memmove(&plain->blocks[i], &plain->blocks[i + 1], (plain->count - i) * sizeof *plain->blocks);
}

static size_t plain_release(struct plain *plain, size_t i)
{
    plain->blocks[i].is_free = true;
    plain->blocks[i].freed = ++plain->clock;
    if (i + 1 < plain->count && plain->blocks[i + 1].is_free) {
        plain->blocks[i].units += plain->blocks[i + 1].units;
        plain_remove(plain, i + 1);
    }
    if (i > 0 && plain->blocks[i - 1].is_free) {
        plain->blocks[i - 1].units += plain->blocks[i].units;
        plain->blocks[i - 1].freed = plain->clock;
        plain_remove(plain, i--);
    }
    return i;
}

/* The block keeps `units`; what is over becomes a block if it is large enough. */
static void plain_cut(struct plain *plain, size_t i, size_t units)
{
    size_t rest = plain->blocks[i].units - units;

    plain->blocks[i].is_free = false;
    if (rest < plain->least) {
        return;
    }
    assert_true(plain->count < PLAIN_MOST);
    memmove(&plain->blocks[i + 2], &plain->blocks[i + 1], (plain->count - i - 1) * sizeof *plain->blocks);
    plain->count++;
    plain->blocks[i].units = units;
    plain->blocks[i + 1] = (struct plain_block){rest, false, 0};
    plain_release(plain, i + 1);
}

static size_t plain_find(const struct plain *plain, size_t units)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < plain->count; i++) {
        if (plain_serves(plain, &plain->blocks[i], units) &&
            (best == SIZE_MAX || plain_prefers(plain, &plain->blocks[i], &plain->blocks[best]))) {
            best = i;
        }
    }
    return best;
}

static size_t plain_unit_of(const struct plain *plain, size_t i)
{
    size_t unit = 0;
    while (i-- > 0) {
        unit += plain->blocks[i].units;
    }
    return unit;
}

static size_t plain_at(const struct plain *plain, size_t unit)
{
    size_t i = 0;
    for (size_t at = 0; at < unit; i++) {
        at += plain->blocks[i].units;
    }
    return i;
}

static size_t plain_alloc(struct plain *plain, size_t bytes)
{
    size_t units = plain->policy->block_units(plain->alignment, bytes);
    size_t i = plain_find(plain, units);

    if (i == SIZE_MAX) {
        return POLICY_NONE;
    }
    plain_cut(plain, i, units);
    return plain_unit_of(plain, i);
}

static void plain_free(struct plain *plain, size_t unit)
{
    plain_release(plain, plain_at(plain, unit));
}

/* In place; else elsewhere; else, but not for TLSF, over the free block in front. */
static size_t plain_resize(struct plain *plain, size_t unit, size_t bytes)
{
    size_t units = plain->policy->block_units(plain->alignment, bytes);
    size_t i = plain_at(plain, unit);
    struct plain_block *block = &plain->blocks[i];

    if (units <= block->units) {
        if (plain->policy != &policy_half_fit) {
            plain_cut(plain, i, units);
        }
        return unit;
    }
    bool free_behind = i + 1 < plain->count && block[1].is_free;
    size_t held = block->units + (free_behind ? block[1].units : 0);
    if (held >= units) {
        block->units = held;
        plain_remove(plain, i + 1);
        plain_cut(plain, i, units);
        return unit;
    }
    size_t elsewhere = plain_alloc(plain, bytes);
    if (elsewhere != POLICY_NONE) {
        plain_free(plain, unit);
        return elsewhere;
    }
    if (plain->policy == &policy_tlsf || i == 0 || !block[-1].is_free || held + block[-1].units < units) {
        return POLICY_NONE;
    }
    i = plain_release(plain, i);
    plain_cut(plain, i, units);
    return plain_unit_of(plain, i);
}

static size_t place_of(const struct script *script, size_t first, size_t unit_bytes, size_t object)
{
    size_t offset = script->offset[object];
    return offset == POLICY_NONE ? POLICY_NONE : (offset - first) / unit_bytes;
}

/* Lets the plain heap do what the script just did, told from what changed. */
static void plain_follow(struct plain *plain, size_t *place, const size_t *old_bytes,
                         const struct script *script)
{
    for (size_t i = 0; i < MOST_OBJECTS; i++) {
        if (place[i] == POLICY_NONE && script->tried == i) {
            place[i] = plain_alloc(plain, script->tried_bytes);
        } else if (place[i] != POLICY_NONE && script->offset[i] == POLICY_NONE) {
            plain_free(plain, place[i]);
            place[i] = POLICY_NONE;
        } else if (place[i] != POLICY_NONE && script->tried == i) {
            size_t to = plain_resize(plain, place[i], script->tried_bytes);
            assert_int_equal(to == POLICY_NONE,
                             script->bytes[i] == old_bytes[i] && script->tried_bytes != old_bytes[i]);
            place[i] = to == POLICY_NONE ? place[i] : to;
        }
    }
}

static void placements_compare(const struct policy *policy, unsigned alignment, size_t units, uint32_t seed)
{
    struct plain *plain = xcalloc(1, sizeof *plain);
    struct script script;
    size_t place[MOST_OBJECTS], old_bytes[MOST_OBJECTS];

    script_begin(&script, policy, alignment, units, seed, false);
    plain->policy = policy;
    plain->alignment = alignment;
    plain->least = policy == &policy_half_fit ? 1 : 16 / alignment;
    plain->blocks[0] = (struct plain_block){units, true, 0};
    plain->count = 1;
    size_t first = policy->alloc(script.heap, 0);
    assert_int_equal(plain_alloc(plain, 0), 0);
    memset(place, 0xff, sizeof place);
    for (int step = 0; step < 2000; step++) {
        memcpy(old_bytes, script.bytes, sizeof old_bytes);
        script_step(&script);
        plain_follow(plain, place, old_bytes, &script);
        for (size_t i = 0; i < MOST_OBJECTS; i++) {
            assert_int_equal(place_of(&script, first, policy_unit_bytes(policy, alignment), i), place[i]);
        }
    }
    script_end(&script);
    free(plain);
}

static void test_placements_are_those_of_a_plain_heap(void **state)
{
    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        for (uint32_t seed = 1; policies[i]->endless && seed <= 30 * support_effort() / 100 + 1; seed++) {
            unsigned alignment = alignments[seed % COUNT(alignments)];
            placements_compare(policies[i], alignment,
                               24 + seed * 2400 / 30 / policy_unit_bytes(policies[i], alignment) * 4,
                               seed * 104729);
        }
    }
}

/* --- Resizing ------------------------------------------------------------------------------------------ */

static void test_resize_in_place(void **state)
{
    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        policy_heap *heap = policies[i]->open(policies[i], 8, 64, NULL);
        size_t a = policies[i]->alloc(heap, 60);
        assert_int_equal(policies[i]->resize(heap, a, 200), a);
        assert_int_equal(policies[i]->resize(heap, a, 10), a);
        assert_int_equal(policies[i]->resize(heap, a, 200), a);
        struct policy_counters counters;
        policies[i]->counters(heap, &counters);
        assert_int_equal(counters.moved_bytes, 0);
        assert_int_equal(counters.live_blocks, 1);
        policies[i]->close(heap);
    }
}

/* A failed resize leaves the block; one with nowhere else to go may slide over the gap before it. */
static void test_resize_when_full(void **state)
{
    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        size_t unit = policy_unit_bytes(policies[i], 8), header = policies[i]->header_bytes;
        policy_heap *heap = policies[i]->open(policies[i], 8, 32, NULL);
        size_t a = policies[i]->alloc(heap, 8 * unit - header);
        size_t b = policies[i]->alloc(heap, 8 * unit - header);
        size_t c = policies[i]->alloc(heap, 16 * unit - header);
        assert_true(a < b && b < c && c != POLICY_NONE);
        assert_true(policies[i]->resize(heap, b, 9 * unit) == POLICY_NONE);
        policies[i]->free(heap, a);
        size_t moved = policies[i]->resize(heap, b, 16 * unit - header);
        assert_true(moved == (policies[i] == &policy_tlsf ? POLICY_NONE : a));
        policies[i]->close(heap);
    }
}

static void test_absurd_requests_fail(void **state)
{
    static const size_t sizes[] = {SIZE_MAX,        SIZE_MAX - 3,    SIZE_MAX / 2,          SIZE_MAX / 4,
                                   (size_t)1 << 48, (size_t)1 << 36, (size_t)UINT32_MAX + 1};
    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        policy_heap *heap = policies[i]->open(policies[i], 8, 100, NULL);
        size_t a = policies[i]->alloc(heap, 1);
        for (size_t j = 0; j < COUNT(sizes); j++) {
            assert_true(policies[i]->alloc(heap, sizes[j]) == POLICY_NONE);
            assert_true(policies[i]->resize(heap, a, sizes[j]) == POLICY_NONE);
        }
        policies[i]->close(heap);
        heap = policies[i]->open(policies[i], 8, 0, NULL);
        assert_true(policies[i]->alloc(heap, 0) == POLICY_NONE);
        policies[i]->close(heap);
    }
}

static void test_names(void **state)
{
    (void)state;
    for (size_t i = 0; policies[i]; i++) {
        assert_ptr_equal(policy_find(policies[i]->name), policies[i]);
    }
    assert_null(policy_find("worst-fit"));
    assert_null(policy_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_robson_is_the_bound),
        cmocka_unit_test(test_best_fit_adversary),
        cmocka_unit_test(test_shrink_adversary),
        cmocka_unit_test(test_sawtooth),
        cmocka_unit_test(test_blocks_cost_what_the_originals_cost),
        cmocka_unit_test(test_control_costs_what_the_originals_cost),
        cmocka_unit_test(test_units_are_the_inverse_of_pool_bytes),
        cmocka_unit_test(test_random_blocks_are_sound),
        cmocka_unit_test(test_all_is_free_in_the_end),
        cmocka_unit_test(test_ranges_tell_the_truth),
        cmocka_unit_test(test_placements_are_those_of_the_originals),
        cmocka_unit_test(test_placements_are_those_of_a_plain_heap),
        cmocka_unit_test(test_resize_in_place),
        cmocka_unit_test(test_resize_when_full),
        cmocka_unit_test(test_absurd_requests_fail),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
