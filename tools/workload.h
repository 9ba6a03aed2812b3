/* SPDX-License-Identifier: MIT */
/*
 * The benchmarks' workload, drawn with integers alone so that every machine
 * draws the same: sizes uniform in the logarithm from 8 to 1,024 bytes, blocks
 * freed in random order, the live payload held at a part of the pool. It calls no
 * allocator; whoever uses it does what workload_next() says and reports back.
 */
#ifndef TOOLS_WORKLOAD_H
#define TOOLS_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WORKLOAD_LIVE_MAX   1024
#define WORKLOAD_SEED       UINT32_C(2463534242)
#define WORKLOAD_OPERATIONS 55000
#define WORKLOAD_WARM_UP    5000 /* of them, not to be counted */

struct workload {
    uint32_t random;
    size_t target;  /* bytes of payload to keep live */
    size_t cap;     /* blocks to keep live at most */
    size_t payload; /* live bytes that were asked for */
    size_t live;    /* live blocks, numbered from 0 */
    size_t pending; /* the next request */
    bool must_free;
    uint16_t sizes[WORKLOAD_LIVE_MAX];
};

struct workload_step {
    bool allocates;
    size_t bytes; /* to allocate, or of the block to free           */
    size_t index; /* of the block to free; the last one then takes it */
};

/* For a pool of so many bytes, `percent` of which are to be live payload. The seed is not 0. */
void workload_begin(struct workload *workload, size_t pool_bytes, unsigned percent, uint32_t seed);

/* A size, 8 to 1,024. */
size_t workload_draw(struct workload *workload);

/* What to do next. A step that frees is taken as done; one that allocates must be reported. */
struct workload_step workload_next(struct workload *workload);

/* The block has the number `live - 1` now. */
void workload_served(struct workload *workload);

/* The request failed: the next step frees. It is tried again then, or dropped for another. */
void workload_refused(struct workload *workload, bool drop);

#endif
