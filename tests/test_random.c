/* SPDX-License-Identifier: MIT */
/*
 * Random calls on pools of every size, each compared with the model. A failure
 * prints its seed; replay that one sequence by
 *
 *     SEED=1234 BUILD=n8 ./test_random
 *
 * (SEED alone replays it in every build; SHOW=1 prints the calls.) DEFRAG_TEST_EFFORT is the amount of
 * work in percent of the usual one.
 */
#include "driver.h"

#include <stdlib.h>

#define REGISTERS 5000

/* What a sequence consists of: weights of the calls, and a way to draw amounts. */
struct profile {
    const char *name;
    void (*amount)(const struct model *model, uint64_t *random, struct ops_record *record);
    unsigned alloc, free, resize, lock, unlock, access, order;
    unsigned fill; /* percent of the pool above which frees are drawn more often */
};

static size_t pool_payload(const struct model *m)
{
    return m->last.pool_bytes - m->last.control_bytes;
}

/* In bytes; what two bytes do not hold, as a part of the pool. */
static void set_amount(const struct model *m, struct ops_record *record, size_t amount)
{
    record->how = amount > 0xffff ? 5 : 1;
    if (amount > 0xffff)
        amount = amount * 256 / (m->last.pool_bytes / 256);
    record->a = amount & 0xff;
    record->b = amount >> 8 & 0xff;
}

static void uniform(const struct model *m, uint64_t *random, struct ops_record *record)
{
    set_amount(m, record, support_below(random, pool_payload(m) / 6 + 8));
}

/* Many small blocks, a few large ones. */
static void bimodal(const struct model *m, uint64_t *random, struct ops_record *record)
{
    if (support_below(random, 10))
        set_amount(m, record, 8 + support_below(random, 16));
    else
        set_amount(m, record, pool_payload(m) / 8 + support_below(random, pool_payload(m) / 8 + 1));
}

static void small(const struct model *m, uint64_t *random, struct ops_record *record)
{
    set_amount(m, record, support_below(random, 12));
}

static void logarithmic(const struct model *m, uint64_t *random, struct ops_record *record)
{
    size_t size = 8u << support_below(random, 8);
    set_amount(m, record, size + support_below(random, size));
}

/* Around what is just possible. */
static void brink(const struct model *m, uint64_t *random, struct ops_record *record)
{
    if (support_below(random, 3)) {
        logarithmic(m, random, record);
        return;
    }
    record->how = 2 + (unsigned)support_below(random, 3);
    record->a = (uint8_t)(support_below(random, 3 * m->inside->granule) - m->inside->granule);
}

static const struct profile profiles[] = {
    /* name          amount       alloc free res lock unl acc order fill */
    {"uniform",      uniform,     30,   20,  10, 8,   10, 8,  6,   90},
    {"bimodal",      bimodal,     35,   22,  8,  4,   6,  6,  4,   95},
    {"lock-heavy",   logarithmic, 24,   14,  12, 26,  18, 8,  8,   85},
    {"resize-heavy", logarithmic, 16,   10,  50, 4,   5,  4,  4,   85},
    {"near-full",    brink,       40,   12,  14, 6,   8,  4,  6,   100},
    {"slot-churn",   small,       40,   38,  2,  3,   4,  4,  9,   60},
};
#define PROFILES (sizeof profiles / sizeof profiles[0])

/* The calls that a weight of a profile stands for; each is as likely as it is often named. */
static const enum op_kind allocs[] = {OP_ALLOC, OP_ALLOC, OP_ALLOC_FAST, OP_SLICE, OP_SLICE_FAST, OP_REQUEST};
static const enum op_kind locks[] = {OP_LOCK, OP_TRY_LOCK, OP_LOCK_SHARED, OP_TRY_LOCK_SHARED};
static const enum op_kind accesses[] = {OP_READ, OP_READ, OP_WRITE, OP_SIZE};
static const enum op_kind orders[] = {
    OP_CLEAN, OP_COMPACT, OP_MIGRATE, OP_ATTACH, OP_STATISTICS, OP_MAKE_ROOM, OP_WALK, OP_MISUSE,
    OP_COMPACT_STEP, OP_COMPACT_STEP, OP_COMPACT_STEP, OP_COMPACT_STEP, OP_SCRAMBLE,
};

struct sequence {
    struct driver driver;
    const struct profile *profile;
    uint64_t random;
};

#define ANY_OF(s, kinds) (kinds)[support_below(&(s)->random, sizeof(kinds) / sizeof (kinds)[0])]

static enum op_kind draw_kind(struct sequence *s)
{
    const struct profile *p = s->profile;
    const struct model *m = &s->driver.model;
    unsigned total = p->alloc + p->free + p->resize + p->lock + p->unlock + p->access + p->order;
    unsigned draw = (unsigned)support_below(&s->random, total);
    bool full = m->last.live_bytes * 100 > pool_payload(m) * p->fill;
    if (full || draw < p->free)
        return OP_FREE;
    if ((draw -= p->free) < p->alloc)
        return ANY_OF(s, allocs);
    if ((draw -= p->alloc) < p->resize)
        return OP_RESIZE;
    if ((draw -= p->resize) < p->lock)
        return ANY_OF(s, locks);
    if ((draw -= p->lock) < p->unlock)
        return OP_UNLOCK;
    if ((draw -= p->unlock) < p->access)
        return ANY_OF(s, accesses);
    return ANY_OF(s, orders);
}

static enum ops_odd draw_odd(uint64_t *random)
{
    static const enum ops_odd odd[] = {ODD_STALE, ODD_STALE, ODD_FLIPPED, ODD_FOREIGN, ODD_ANY, ODD_ANY};
    size_t draw = support_below(random, 40);
    return draw < sizeof odd / sizeof odd[0] ? odd[draw] : ODD_NONE;
}

static void operate(struct sequence *s)
{
    uint64_t *random = &s->random;
    struct ops_record record = {
        .kind = draw_kind(s), .odd = draw_odd(random), .object = support_below(random, REGISTERS)};
    s->profile->amount(&s->driver.model, random, &record);
    if (record.kind == OP_READ || record.kind == OP_WRITE) {
        record.how = support_below(random, 20) ? (unsigned)support_below(random, 4) : 7;
        record.a = (uint8_t)support_below(random, 200);
        record.b = (uint8_t)support_below(random, 60);
    } else if (support_below(random, 100) == 0) {
        record.how = 7;
    }
    size_t times = record.kind == OP_COMPACT_STEP ? 1 + support_below(random, 4) * support_below(random, 4) : 1;
    while (times--)
        driver_do(&s->driver, &record);
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

static void add_up(const struct model *m)
{
    choices.fast_served += m->choices.fast_served;
    choices.fast_refused += m->choices.fast_refused;
    choices.pinned_served += m->choices.pinned_served;
    choices.pinned_refused += m->choices.pinned_refused;
    calls += m->calls;
}

static void run_sequence(const struct defrag_build *build, uint64_t seed)
{
    static struct sequence s;
    s = (struct sequence){.random = seed * UINT64_C(0x2545f4914f6cdd1d) + 1};
    s.profile = &profiles[support_below(&s.random, PROFILES)];
    struct ops_pool pool = {.bytes = pool_size_of(build, seed, &s)};
    pool.skew = pool.bytes > 100000 || support_below(&s.random, 3) ? 0 : support_below(&s.random, 32);
    pool.manual = support_below(&s.random, 6) == 0;
    pool.scrambles = support_below(&s.random, 6) == 0;
    pool.hooked = support_below(&s.random, 2);
    support_context("%s, replay with SEED=%llu BUILD=%s (%s, %zu bytes)", build->name,
                    (unsigned long long)seed, build->name, s.profile->name, pool.bytes);
    if (!driver_open(&s.driver, build, &pool, REGISTERS, getenv("SHOW") ? stdout : NULL))
        return;
    for (unsigned long i = operations_in(pool.bytes); i > 0; i--) {
        operate(&s);
        /* Locks pile up where nothing is unlocked. */
        if (support_below(&s.random, 200) == 0)
            driver_unlock_all(&s.driver);
    }
    add_up(&s.driver.model);
    driver_close(&s.driver);
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
