/* SPDX-License-Identifier: MIT */
#include "workload.h"

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

/* Marsaglia's xorshift. */
static uint32_t next(struct workload *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 17;
    w->random ^= w->random << 5;
    return w->random;
}

size_t workload_draw(struct workload *w)
{
    /* Seven octaves of 64 steps. */
    uint32_t k = (uint32_t)(((uint64_t)(next(w) >> 8) * 448) >> 24);
    uint64_t size = ((UINT64_C(8) << (k >> 6)) * powers[k & 63] + 32768) >> 16;
    return size > 1024 ? 1024 : (size_t)size;
}

void workload_begin(struct workload *w, size_t pool_bytes, unsigned percent, uint32_t seed)
{
    w->random = seed;
    w->target = pool_bytes * percent / 100;
    w->cap = percent <= 70 ? 256 : WORKLOAD_LIVE_MAX;
    w->payload = 0;
    w->live = 0;
    w->must_free = false;
    w->pending = workload_draw(w);
}

struct workload_step workload_next(struct workload *w)
{
    if (w->payload + w->pending <= w->target && w->live < w->cap && !w->must_free)
        return (struct workload_step){true, w->pending, 0};
    size_t index = next(w) % w->live;
    struct workload_step step = {false, w->sizes[index], index};
    w->payload -= step.bytes;
    w->sizes[index] = w->sizes[--w->live];
    w->must_free = false;
    return step;
}

void workload_served(struct workload *w)
{
    w->sizes[w->live++] = (uint16_t)w->pending;
    w->payload += w->pending;
    w->pending = workload_draw(w);
}

void workload_refused(struct workload *w, bool drop)
{
    w->must_free = true;
    if (drop)
        w->pending = workload_draw(w);
}
