/* SPDX-License-Identifier: MIT */
/*
 * Random calls for a pool, in the form of ops.h: a few profiles of what programs
 * do. The same seed and the same pool give the same calls on every machine.
 */
#ifndef TESTS_DRAW_H
#define TESTS_DRAW_H

#include "ops.h"

struct draw_profile;

struct draw {
    const struct draw_profile *profile;
    uint64_t random;
    size_t registers;
};

/* A profile is drawn first. */
void draw_begin(struct draw *draw, size_t registers, uint64_t seed);
/* Another profile, one that churns. */
void draw_churn(struct draw *draw);
const char *draw_name(const struct draw *draw);

/* The next call, for a pool whose statistics are these; returns how often to make it. */
size_t draw_call(struct draw *draw, const defrag_statistics *now, struct ops_record *out);

#endif
