/* SPDX-License-Identifier: MIT */
/*
 * The benchmarks' workloads, drawn with integers alone so that every machine
 * draws the same: a churn of blocks whose live payload is held at a part of the
 * pool. They call no allocator; whoever uses one does what workload_next() says
 * and reports back.
 *
 *   uniform  sizes uniform in the logarithm, 8 to 1,024; any block is freed
 *   locked   the same, and every k-th new block is to be locked until it is freed
 *   bimodal  nine of ten blocks of 16 bytes, the others 1,024 to 4,096
 *   skewed   twelve sizes, the i-th 1/i times as frequent as the first; seven of
 *            ten frees take one of the sixteen youngest blocks
 *   phases   sizes 8 to 64, uniform in the logarithm, and after half of the
 *            operations 256 to 1,024
 *   larson   like Larson's server: a fixed number of places, of which any one is
 *            freed and then filled again; sizes uniform, 8 to 1,024
 */
#ifndef TOOLS_WORKLOAD_H
#define TOOLS_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What keeps fewer blocks live than a smaller number draws the same with that; RAM can be scarce. */
#ifndef WORKLOAD_LIVE_MAX
#define WORKLOAD_LIVE_MAX 2048
#endif
#define WORKLOAD_SEED       UINT32_C(2463534242)
#define WORKLOAD_OPERATIONS 55000
#define WORKLOAD_WARM_UP    5000 /* of them, not to be counted */
#define WORKLOAD_LOCK_EVERY 10

enum workload_kind {
    WORKLOAD_UNIFORM,
    WORKLOAD_LOCKED,
    WORKLOAD_BIMODAL,
    WORKLOAD_SKEWED,
    WORKLOAD_PHASES,
    WORKLOAD_LARSON,
    WORKLOAD_KINDS
};

/* "uniform" and so on, by kind. */
extern const char *const workload_names[WORKLOAD_KINDS];

/* WORKLOAD_KINDS if there is none of that name. */
enum workload_kind workload_find(const char *name);

struct workload {
    enum workload_kind kind;
    uint32_t random;
    size_t target;     /* bytes of payload to keep live */
    size_t cap;        /* blocks to keep live at most */
    size_t payload;    /* live bytes that were asked for */
    size_t live;       /* blocks */
    size_t pending;    /* the next request */
    size_t lock_every; /* of the new blocks; 0: none */
    uint32_t served;   /* requests */
    uint32_t steps;    /* to go until the sizes change; 0: they do not, or have */
    bool must_free;
    uint16_t order[WORKLOAD_LIVE_MAX]; /* blocks: first the live ones, for `skewed` by age, then the others */
    uint16_t sizes[WORKLOAD_LIVE_MAX]; /* by block */
};

struct workload_step {
    bool allocates;
    bool locks;   /* a new block that is to be locked until it is freed       */
    size_t bytes; /* to allocate, or of the block to free                     */
    size_t block; /* its number, less than WORKLOAD_LIVE_MAX, until it is freed */
};

/*
 * For a pool of so many bytes, `percent` of which are to be live payload, and that
 * many operations. The seed is not 0.
 */
void workload_begin(struct workload *workload, enum workload_kind kind, size_t pool_bytes, unsigned percent,
                    uint32_t operations, uint32_t seed);

/* What to do next. A step that frees is taken as done; one that allocates must be reported. */
struct workload_step workload_next(struct workload *workload);

void workload_served(struct workload *workload);

/* The request failed: the next step frees. It is tried again then, or dropped for another. */
void workload_refused(struct workload *workload, bool drop);

#endif
