/* SPDX-License-Identifier: MIT */
/* An adversary against one contender. */
#ifndef DEFRAG_TOOLS_DUEL_H
#define DEFRAG_TOOLS_DUEL_H

#include <stdatomic.h>

#include "adversary.h"
#include "gauge.h"

struct duel {
    const struct adversary *adversary;
    size_t most; /* units live */
    size_t largest;
    size_t unit; /* bytes of a block with its header: a power of two, at least any contender's smallest */
    atomic_size_t *done; /* counts operations for somebody who watches; or NULL */
};

struct duel_result {
    bool is_too_big;        /* no pool of the layout is large enough */
    size_t heap_bytes;      /* that it took: all of the pool */
    size_t control_bytes;   /* of them, for good */
    size_t table_bytes;     /* of them, for the handle table */
    struct gauge_sums sums; /* in that pool */
    const char *broken_reason;
};

/*
 * A policy gets a pool without end and is asked how far its blocks reach. libdefrag
 * gets the smallest pool in which nothing is refused, found by trying smaller ones.
 */
void duel_run(const struct duel *duel, const struct contender *contender, struct duel_result *result);

/* Whether the adversary's bound holds for the policy. */
bool duel_is_bound(const struct duel *duel, const struct contender *contender);

#endif
