/* SPDX-License-Identifier: MIT */
#include "workload.h"

#include <string.h>

/* 2^16 * 2^(j / 64) */
static const uint32_t powers[64] = {
    65536, 66250, 66971, 67700, 68438, 69183, 69936, 70698,
    71468, 72246, 73032, 73828, 74632, 75444, 76266, 77096,
    77936, 78785, 79642, 80510, 81386, 82273, 83169, 84074,
    84990, 85915, 86851, 87796, 88752, 89719, 90696, 91684,
    92682, 93691, 94711, 95743, 96785, 97839, 98905, 99982,
    101070, 102171, 103283, 104408, 105545, 106694, 107856, 109031,
    110218, 111418, 112631, 113858, 115098, 116351, 117618, 118899,
    120194, 121502, 122825, 124163, 125515, 126882, 128263, 129660,
};

const char *const workload_names[WORKLOAD_KINDS] = {
    [WORKLOAD_UNIFORM] = "uniform", [WORKLOAD_LOCKED] = "locked", [WORKLOAD_BIMODAL] = "bimodal",
    [WORKLOAD_SKEWED] = "skewed",   [WORKLOAD_PHASES] = "phases", [WORKLOAD_LARSON] = "larson",
};

enum workload_kind workload_find(const char *name)
{
    enum workload_kind kind = 0;

    while (kind < WORKLOAD_KINDS && strcmp(workload_names[kind], name) != 0) {
        kind++;
    }
    return kind;
}

/* --- Sizes ---------------------------------------------------------------------------- */

/* Marsaglia's xorshift. */
static uint32_t next(struct workload *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    w->random ^= w->random << 5;
    return w->random;
}

/* Uniform in the logarithm: so many octaves of 64 steps from `low` on, their end at most. */
static size_t draw_logarithm(struct workload *w, unsigned low, unsigned octaves)
{
    uint32_t k = (uint32_t)(((uint64_t)(next(w) >> 8) * octaves * 64) >> 24);
    uint64_t size = (((uint64_t)low << (k >> 6)) * powers[k & 63] + 32768) >> 16;
    size_t high = (size_t)low << octaves;
    return size > high ? high : (size_t)size;
}

static size_t draw_bimodal(struct workload *w)
{
    return next(w) % 10 ? 16 : 1024 + next(w) % 3073;
}

/* The i-th of twelve has 27,720 / i of 86,021 chances. */
static size_t draw_skewed(struct workload *w)
{
    static const uint16_t sizes[] = {16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024};
    uint32_t chance = next(w) % 86021;
    uint32_t i = 1;
    while (chance >= 27720 / i)
        chance -= 27720 / i++;
    return sizes[i - 1];
}

static size_t draw(struct workload *w)
{
    switch (w->kind) {
    case WORKLOAD_BIMODAL:
        return draw_bimodal(w);
    case WORKLOAD_SKEWED:
        return draw_skewed(w);
    case WORKLOAD_PHASES:
        return w->steps ? draw_logarithm(w, 8, 3) : draw_logarithm(w, 256, 2);
    case WORKLOAD_LARSON:
        return 8 + next(w) % 1017;
    default:
        return draw_logarithm(w, 8, 7);
    }
}

/* --- Which block is freed --------------------------------------------------------------- */

/* Its place in the order. */
static size_t draw_victim(struct workload *w)
{
    if (w->kind != WORKLOAD_SKEWED || next(w) % 10 >= 7)
        return next(w) % w->live;
    return w->live - 1 - next(w) % (w->live < 16 ? w->live : 16);
}

/* Takes the block at that place out of the live ones and returns it. */
static size_t take_out(struct workload *w, size_t place)
{
    uint16_t block = w->order[place];
    w->live--;
    if (w->kind == WORKLOAD_SKEWED)
        memmove(&w->order[place], &w->order[place + 1], (w->live - place) * sizeof w->order[0]);
    else
        w->order[place] = w->order[w->live];
    w->order[w->live] = block;
    return block;
}

/* --- The driver --------------------------------------------------------------------------- */

static size_t cap_of(enum workload_kind kind, size_t target, unsigned percent)
{
    size_t places = target / 516; /* of larson's mean size */
    if (kind == WORKLOAD_LARSON && places < WORKLOAD_LIVE_MAX)
        return places ? places : 1;
    if (kind == WORKLOAD_LARSON || kind == WORKLOAD_PHASES)
        return WORKLOAD_LIVE_MAX;
    return percent <= 70 ? 256 : 1024;
}

void workload_begin(struct workload *w, enum workload_kind kind, size_t pool_bytes, unsigned percent,
                    uint32_t operations, uint32_t seed)
{
    w->kind = kind;
    w->random = seed;
    w->target = pool_bytes * percent / 100;
    w->cap = cap_of(kind, w->target, percent);
    w->payload = 0;
    w->live = 0;
    w->lock_every = kind == WORKLOAD_LOCKED ? WORKLOAD_LOCK_EVERY : 0;
    w->served = 0;
    w->steps = kind == WORKLOAD_PHASES ? operations / 2 : 0;
    w->must_free = false;
    for (size_t i = 0; i < WORKLOAD_LIVE_MAX; i++)
        w->order[i] = (uint16_t)i;
    w->pending = draw(w);
}

/* Without a live block to free the request is asked for again, whatever it may be. */
static bool allocates(const struct workload *w)
{
    return w->live == 0 || (w->payload + w->pending <= w->target && w->live < w->cap && !w->must_free);
}

struct workload_step workload_next(struct workload *w)
{
    w->steps -= w->steps > 0;
    if (allocates(w)) {
        bool locks = w->lock_every && (w->served + 1) % w->lock_every == 0;
        return (struct workload_step){true, locks, w->pending, w->order[w->live]};
    }
    size_t block = take_out(w, draw_victim(w));
    w->payload -= w->sizes[block];
    w->must_free = false;
    return (struct workload_step){false, false, w->sizes[block], block};
}

void workload_served(struct workload *w)
{
    w->sizes[w->order[w->live++]] = (uint16_t)w->pending;
    w->served++;
    w->payload += w->pending;
    w->pending = draw(w);
}

void workload_refused(struct workload *w, bool drop)
{
    w->must_free = true;
    if (drop)
        w->pending = draw(w);
}
