/* SPDX-License-Identifier: MIT */
/*
 * Random calls on pools of every size, each compared with the model. A failure
 * prints its seed; replay that one sequence by
 *
 *     SEED=1234 BUILD=n8 ./test_random
 *
 * (SEED alone replays it in every build.) DEFRAG_TEST_EFFORT is the amount of
 * work in percent of the usual one.
 */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>

#define HELD_MAX 5000

/* What a sequence consists of: weights of the calls, and a way to draw sizes. */
struct profile {
    const char *name;
    size_t (*size)(struct model *model, uint64_t *random);
    unsigned alloc, free, resize, lock, unlock, access, order;
    unsigned fill; /* percent of the pool above which frees are drawn more often */
};

static size_t pool_payload(const struct model *m)
{
    return m->last.pool_bytes - m->last.control_bytes;
}

static size_t size_uniform(struct model *m, uint64_t *random)
{
    return support_below(random, pool_payload(m) / 6 + 8);
}

/* Many small blocks, a few large ones. */
static size_t size_bimodal(struct model *m, uint64_t *random)
{
    if (support_below(random, 10))
        return 8 + support_below(random, 16);
    return pool_payload(m) / 8 + support_below(random, pool_payload(m) / 8 + 1);
}

static size_t size_small(struct model *m, uint64_t *random)
{
    (void)m;
    return support_below(random, 12);
}

static size_t size_logarithmic(struct model *m, uint64_t *random)
{
    size_t size = 8u << support_below(random, 8);
    (void)m;
    return size + support_below(random, size);
}

/* Around what is just possible. */
static size_t size_brink(struct model *m, uint64_t *random)
{
    size_t brink[] = {m->last.largest_certain, m->last.largest_fast, m->last.free_bytes};
    if (support_below(random, 3))
        return size_logarithmic(m, random);
    return brink[support_below(random, 3)] + support_below(random, 2 * m->inside->granule)
           - (brink[0] > 64 ? m->inside->granule : 0);
}

static const struct profile profiles[] = {
    /* name          size              alloc free res lock unl acc order fill */
    {"uniform",      size_uniform,     30,   20,  10, 8,   10, 8,  6,   90},
    {"bimodal",      size_bimodal,     35,   22,  8,  4,   6,  6,  4,   95},
    {"lock-heavy",   size_logarithmic, 24,   14,  12, 26,  18, 8,  8,   85},
    {"resize-heavy", size_logarithmic, 16,   10,  50, 4,   5,  4,  4,   85},
    {"near-full",    size_brink,       40,   12,  14, 6,   8,  4,  6,   100},
    {"slot-churn",   size_small,       40,   38,  2,  3,   4,  4,  9,   60},
};
#define PROFILES (sizeof profiles / sizeof profiles[0])

struct sequence {
    struct model model;
    const struct profile *profile;
    uint64_t random;
    defrag_handle held[HELD_MAX];
    size_t count;
    unsigned long operation;
};

static defrag_handle any_handle(struct sequence *s)
{
    struct model *m = &s->model;
    size_t kind = support_below(&s->random, 40);
    if (kind == 0)
        return (defrag_handle){0};
    if (kind == 1)
        return (defrag_handle){(uint32_t)support_random(&s->random)};
    if (kind <= 3 && m->dead_count) {
        size_t known = m->dead_count < MODEL_DEAD ? m->dead_count : MODEL_DEAD;
        return m->dead[support_below(&s->random, known)];
    }
    if (s->count == 0)
        return (defrag_handle){0};
    defrag_handle handle = s->held[support_below(&s->random, s->count)];
    if (kind == 4)
        handle.bits ^= 1u << support_below(&s->random, 32);
    return handle;
}

static void do_alloc(struct sequence *s)
{
    if (s->count == HELD_MAX)
        return;
    size_t size = s->profile->size(&s->model, &s->random);
    if (support_below(&s->random, 100) == 0)
        size = SIZE_MAX - support_below(&s->random, 40);
    enum model_form form = (enum model_form)support_below(&s->random, 5);
    if (support_below(&s->random, 3) == 0)
        form = FORM_ALLOC;
    defrag_handle handle = model_alloc(&s->model, form, size);
    if (handle.bits)
        s->held[s->count++] = handle;
}

static void forget(struct sequence *s, defrag_handle handle)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->held[i].bits == handle.bits) {
            s->held[i] = s->held[--s->count];
            return;
        }
    }
}

static void do_free(struct sequence *s)
{
    defrag_handle handle = any_handle(s);
    size_t blocks = s->model.now.blocks;
    model_free(&s->model, handle);
    if (s->model.now.blocks < blocks)
        forget(s, handle);
}

static void do_access(struct sequence *s)
{
    struct model *m = &s->model;
    defrag_handle handle = any_handle(s);
    size_t offset = support_below(&s->random, 200);
    size_t bytes = support_below(&s->random, 60);
    if (support_below(&s->random, 20) == 0)
        offset = SIZE_MAX - support_below(&s->random, 70);
    switch (support_below(&s->random, 4)) {
    case 0:
        model_write(m, handle, offset, bytes);
        break;
    case 1:
        model_size(m, handle);
        break;
    default:
        model_read(m, handle, offset, bytes);
        break;
    }
}

static void do_order(struct sequence *s)
{
    struct model *m = &s->model;
    switch (support_below(&s->random, 10)) {
    case 0:
        model_clean(m);
        break;
    case 1:
        model_compact(m);
        break;
    case 2:
        model_migrate(m);
        break;
    case 3:
        model_probe_largest(m);
        break;
    case 4:
        model_make_room(m, s->profile->size(m, &s->random));
        break;
    case 5:
        while (model_compact_step(m, support_below(&s->random, 500)) == DEFRAG_MORE)
            if (support_below(&s->random, 8) == 0)
                break;
        break;
    default:
        (void)model_compact_step(m, support_below(&s->random, 300));
        break;
    }
}

static void operate(struct sequence *s)
{
    const struct profile *p = s->profile;
    struct model *m = &s->model;
    unsigned total = p->alloc + p->free + p->resize + p->lock + p->unlock + p->access + p->order;
    unsigned draw = (unsigned)support_below(&s->random, total);
    bool full = m->last.live_bytes * 100 > pool_payload(m) * p->fill;
    if (full || draw < p->free)
        do_free(s);
    else if ((draw -= p->free) < p->alloc)
        do_alloc(s);
    else if ((draw -= p->alloc) < p->resize)
        model_resize(m, any_handle(s), p->size(m, &s->random));
    else if ((draw -= p->resize) < p->lock)
        (support_below(&s->random, 2) ? model_lock : model_lock_shared)(m, any_handle(s),
                                                                       support_below(&s->random, 2));
    else if ((draw -= p->lock) < p->unlock)
        model_unlock(m, any_handle(s));
    else if ((draw -= p->unlock) < p->access)
        do_access(s);
    else
        do_order(s);
}

/* Locks pile up where nothing is unlocked: from time to time all go. */
static void unlock_all(struct sequence *s)
{
    for (size_t i = 0; i < s->count; i++) {
        uint32_t slot = s->model.inside->slot_of(s->held[i]);
        while (s->model.blocks[slot].shared || s->model.blocks[slot].exclusive)
            model_unlock(&s->model, s->held[i]);
    }
}

static size_t pool_size(uint64_t *random)
{
    switch (support_below(random, 8)) {
    case 0:
    case 1:
        return 200 + support_below(random, 500);
    case 2:
    case 3:
    case 4:
        return 500 + support_below(random, 1500);
    case 5:
    case 6:
        return 1000 + support_below(random, 7000);
    default:
        return 8000 + support_below(random, 57536);
    }
}

/* Of any size; but one sequence in fifty has the largest pool of the narrow layout, whose offsets fill their 16 bits. */
static size_t pool_size_of(const struct defrag_build *build, uint64_t seed, struct sequence *s)
{
    const struct inside *inside = inside_of(build->name);
    /* The wide control block is longer by about so much. */
    if (inside->granules_max > 65535)
        return pool_size(&s->random) + 800;
    if (seed % 50 != 0)
        return pool_size(&s->random);
    s->profile = &profiles[support_below(&s->random, 2)];
    return inside->granules_max * inside->granule + support_below(&s->random, inside->granule);
}

static unsigned long operations_in(size_t bytes)
{
    return bytes > 100000 ? 120 : bytes > 8000 ? 300 : 600;
}

static struct model_choices choices;
static unsigned long calls;

static void run_sequence(const struct defrag_build *build, uint64_t seed)
{
    static struct sequence s;
    s = (struct sequence){.random = seed * UINT64_C(0x2545f4914f6cdd1d) + 1};
    s.profile = &profiles[support_below(&s.random, PROFILES)];
    size_t bytes = pool_size_of(build, seed, &s);
    size_t skew = bytes > 100000 || support_below(&s.random, 3) ? 0 : support_below(&s.random, 32);
    bool manual = support_below(&s.random, 6) == 0;
    bool hooked = support_below(&s.random, 2);
    support_context("%s, replay with SEED=%llu BUILD=%s (%s, %zu bytes)", build->name,
                    (unsigned long long)seed, build->name, s.profile->name, bytes);
    if (!model_open(&s.model, build, bytes, skew, manual, hooked))
        return;
    for (s.operation = 0; s.operation < operations_in(bytes); s.operation++) {
        operate(&s);
        if (support_below(&s.random, 200) == 0)
            unlock_all(&s);
    }
    unlock_all(&s);
    while (s.count)
        model_free(&s.model, s.held[--s.count]);
    model_clean(&s.model);
    EXPECT(s.model.last.free_bytes == s.model.now.capacity * s.model.inside->granule,
           "all is freed and cleaned, and %zu bytes are free", s.model.last.free_bytes);
    choices.fast_served += s.model.choices.fast_served;
    choices.fast_refused += s.model.choices.fast_refused;
    choices.pinned_served += s.model.choices.pinned_served;
    choices.pinned_refused += s.model.choices.pinned_refused;
    calls += s.model.calls;
    model_close(&s.model);
}

static void random_sequences(const struct defrag_build *build)
{
    const char *text = getenv("SEED");
    if (text && *text) {
        run_sequence(build, strtoull(text, NULL, 0));
        return;
    }
    choices = (struct model_choices){0};
    calls = 0;
    unsigned count = support_effort() < 5 ? 2 : support_effort() * 10;
    for (uint64_t seed = 1; seed <= count; seed++)
        run_sequence(build, seed);
    printf("# %s: seeds 1 to %u, %lu calls; alloc_fast with a fit in its own bin only: %lu served, %lu "
           "refused; alloc that T3 does not promise: %lu served, %lu refused\n",
           build->name, count, calls, choices.fast_served, choices.fast_refused, choices.pinned_served,
           choices.pinned_refused);
}

int main(void)
{
    static const struct support_test tests[] = {{"random calls agree with the model", random_sequences}};
    return support_run("random", tests, sizeof tests / sizeof tests[0]);
}
