/* SPDX-License-Identifier: MIT */
/* What libdefrag's heap looks like along a trace: samples of a fixed number, whatever its length. */
#ifndef DEFRAG_TOOLS_HISTORY_H
#define DEFRAG_TOOLS_HISTORY_H

#include "heap_map.h"
#include "replay.h"

enum { HISTORY_SAMPLES = 256, HISTORY_PARTS = 128, HISTORY_PAUSES = 14 };

struct history_sample {
    uint64_t done; /* operations */
    uint64_t live_bytes;
    uint64_t free_bytes;
    uint64_t largest_free;              /* stretch */
    unsigned char parts[HISTORY_PARTS]; /* enum heap_kind, by address */
};

struct history {
    struct history_sample samples[HISTORY_SAMPLES];
    size_t count;
    uint64_t pauses[HISTORY_PAUSES]; /* operations that moved up to history_pause_most() bytes, and more than
                                        before */
    uint64_t still;                  /* operations that moved nothing */
    size_t worst;                    /* the sample with the most free bytes outside the largest stretch */
    struct heap_map before, after;   /* a compaction at that moment */
    uint64_t compacted_bytes;        /* that it moved */
    size_t pool_bytes;
    struct replay_result replay;
};

uint64_t history_pause_most(size_t pause);

/* Replays the trace twice. False if there is no such pool. The history is zeroed before. */
bool history_take(struct history *history, const struct trace *trace, const struct contender *contender,
                  size_t pool_bytes, struct replay_options options);

void history_release(struct history *history);

#endif
