/* SPDX-License-Identifier: MIT */
#include "draw.h"

#include "support.h"

/* What a sequence consists of: weights of the calls, and a way to draw amounts. */
struct draw_profile {
    const char *name;
    void (*amount)(const defrag_statistics *now, uint64_t *random, struct ops_record *record);
    unsigned alloc, free, resize, lock, unlock, access, order;
    unsigned fill; /* percent of the pool above which frees are drawn more often */
};

static size_t pool_payload(const defrag_statistics *now)
{
    return now->pool_bytes - now->control_bytes;
}

/* In bytes; what two bytes do not hold, as a part of the pool. */
static void set_amount(const defrag_statistics *now, struct ops_record *record, size_t amount)
{
    record->how = amount > 0xffff ? 5 : 1;
    if (amount > 0xffff)
        amount = amount * 256 / (now->pool_bytes / 256);
    record->a = amount & 0xff;
    record->b = amount >> 8 & 0xff;
}

static void uniform(const defrag_statistics *now, uint64_t *random, struct ops_record *record)
{
    set_amount(now, record, support_below(random, pool_payload(now) / 6 + 8));
}

/* Many small blocks, a few large ones. */
static void bimodal(const defrag_statistics *now, uint64_t *random, struct ops_record *record)
{
    if (support_below(random, 10))
        set_amount(now, record, 8 + support_below(random, 16));
    else
        set_amount(now, record, pool_payload(now) / 8 + support_below(random, pool_payload(now) / 8 + 1));
}

static void small(const defrag_statistics *now, uint64_t *random, struct ops_record *record)
{
    set_amount(now, record, support_below(random, 12));
}

static void logarithmic(const defrag_statistics *now, uint64_t *random, struct ops_record *record)
{
    size_t size = 8u << support_below(random, 8);
    set_amount(now, record, size + support_below(random, size));
}

/* Around what is just possible. */
static void brink(const defrag_statistics *now, uint64_t *random, struct ops_record *record)
{
    if (support_below(random, 3)) {
        logarithmic(now, random, record);
        return;
    }
    record->how = 2 + (unsigned)support_below(random, 3);
    record->a = (uint8_t)(support_below(random, 3 * now->granule_bytes) - now->granule_bytes);
}

static const struct draw_profile profiles[] = {
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

#define ANY_OF(d, kinds) (kinds)[support_below(&(d)->random, sizeof(kinds) / sizeof (kinds)[0])]

static enum op_kind draw_kind(struct draw *d, const defrag_statistics *now)
{
    const struct draw_profile *p = d->profile;
    unsigned total = p->alloc + p->free + p->resize + p->lock + p->unlock + p->access + p->order;
    unsigned draw = (unsigned)support_below(&d->random, total);
    bool full = now->live_bytes * 100 > pool_payload(now) * p->fill;
    if (full || draw < p->free)
        return OP_FREE;
    if ((draw -= p->free) < p->alloc)
        return ANY_OF(d, allocs);
    if ((draw -= p->alloc) < p->resize)
        return OP_RESIZE;
    if ((draw -= p->resize) < p->lock)
        return ANY_OF(d, locks);
    if ((draw -= p->lock) < p->unlock)
        return OP_UNLOCK;
    if ((draw -= p->unlock) < p->access)
        return ANY_OF(d, accesses);
    return ANY_OF(d, orders);
}

static enum ops_odd draw_odd(uint64_t *random)
{
    static const enum ops_odd odd[] = {ODD_STALE, ODD_STALE, ODD_FLIPPED, ODD_FOREIGN, ODD_ANY, ODD_ANY};
    size_t draw = support_below(random, 40);
    return draw < sizeof odd / sizeof odd[0] ? odd[draw] : ODD_NONE;
}

void draw_begin(struct draw *d, size_t registers, uint64_t seed)
{
    *d = (struct draw){.random = seed * UINT64_C(0x2545f4914f6cdd1d) + 1, .registers = registers};
    d->profile = &profiles[support_below(&d->random, PROFILES)];
}

void draw_churn(struct draw *d)
{
    d->profile = &profiles[support_below(&d->random, 2)];
}

const char *draw_name(const struct draw *d)
{
    return d->profile->name;
}

size_t draw_call(struct draw *d, const defrag_statistics *now, struct ops_record *record)
{
    uint64_t *random = &d->random;
    *record = (struct ops_record){
        .kind = draw_kind(d, now), .odd = draw_odd(random), .object = support_below(random, d->registers)};
    d->profile->amount(now, random, record);
    if (record->kind == OP_READ || record->kind == OP_WRITE) {
        record->how = support_below(random, 20) ? (unsigned)support_below(random, 4) : 7;
        record->a = (uint8_t)support_below(random, 200);
        record->b = (uint8_t)support_below(random, 60);
    } else if (support_below(random, 100) == 0) {
        record->how = 7;
    }
    return record->kind == OP_COMPACT_STEP ? 1 + support_below(random, 4) * support_below(random, 4) : 1;
}
