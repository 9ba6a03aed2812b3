/* SPDX-License-Identifier: MIT */
#include "histogram.h"

#include <stddef.h>

/*
 * Bucket i holds the value i as long as i < 2 * STEPS; from there on each STEPS
 * buckets have twice the width of those before.
 */
static size_t bucket_of(uint64_t value)
{
    unsigned shift = 0;
    while (value >> shift >= 2 * HISTOGRAM_STEPS) {
        shift++;
    }
    return shift * HISTOGRAM_STEPS + (size_t)(value >> shift);
}

static double bucket_width(size_t bucket)
{
    size_t shift = bucket < 2 * HISTOGRAM_STEPS ? 0 : bucket / HISTOGRAM_STEPS - 1;
    return (double)(UINT64_C(1) << shift);
}

static double bucket_middle(size_t bucket)
{
    if (bucket < 2 * HISTOGRAM_STEPS) {
        return (double)bucket;
    }
    double steps = (double)(bucket % HISTOGRAM_STEPS + HISTOGRAM_STEPS);
    return (steps + 0.5) * bucket_width(bucket) - 0.5;
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
    value = value < HISTOGRAM_MAX ? value : HISTOGRAM_MAX;
    histogram->count++;
    histogram->buckets[bucket_of(value)]++;
}

double histogram_percentile(const struct histogram *histogram, double percent, uint64_t tick)
{
    double wanted = (double)histogram->count * percent / 100;
    double seen = 0;

    for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double here = (double)histogram->buckets[i];
        if (here > 0 && seen + here >= wanted) {
            double width = bucket_width(i) > (double)tick ? bucket_width(i) : (double)tick;
            return bucket_middle(i) + ((wanted - seen) / here - 0.5) * width;
        }
        seen += here;
    }
    return 0;
}
