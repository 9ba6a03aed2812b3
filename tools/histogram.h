/* SPDX-License-Identifier: MIT */
/*
 * How often each value occurred, in the manner of HdrHistogram: up to 255
 * values are counted one by one, larger ones in steps of less than 1/128 of
 * themselves, so that a percentile is wrong by less than 0.8 %. All zero is an
 * empty histogram.
 */
#ifndef DEFRAG_TOOLS_HISTOGRAM_H
#define DEFRAG_TOOLS_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_STEPS   ((size_t)128) /* in each power of two */
#define HISTOGRAM_MAX     ((UINT64_C(1) << 40) - 1)
#define HISTOGRAM_BUCKETS ((40 - 7 + 1) * HISTOGRAM_STEPS)

struct histogram {
    uint64_t count; /* of values */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* O(1); a value above HISTOGRAM_MAX counts as that. */
void histogram_add(struct histogram *histogram, uint64_t value);

/*
 * Below which value `percent` of all lie, as near as can be told: a value v that a clock with ticks of
 * `tick` units told is anything from v - tick / 2 to v + tick / 2, evenly. 0 if there is none. `percent`
 * is above 0 and at most 100, `tick` 1 or more.
 */
double histogram_percentile(const struct histogram *histogram, double percent, uint64_t tick);

#endif
