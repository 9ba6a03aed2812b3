/* SPDX-License-Identifier: MIT */
/*
 * A naive model of a pool beside the real one. Each function makes one public
 * call, having predicted from plain arrays what it must answer, and afterwards
 * compares everything: the status, what moved, every payload byte, the lock
 * states, the statistics, the handle's generation, the hooks, and for a call
 * that may change nothing every byte of the image. Where blocks lie it learns
 * from defrag_walk() after each call. A difference fails the running test.
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include "growth.h"
#include "statuses.h"

struct model_block {
    bool live;
    defrag_handle handle;
    size_t bytes;            /* usable */
    size_t padding;          /* granules that its alignment adds: 2^k - 1 */
    unsigned shared;
    bool exclusive;
    unsigned char *contents;
    const unsigned char *at; /* its payload, as the last walk or move said */
    unsigned next_generation;
};

/* How often the model had to accept one of two answers, and which one it got. */
struct model_choices {
    unsigned long fast_served, fast_refused;     /* a fit in the request's own bin */
    unsigned long pinned_served, pinned_refused; /* T3 promises nothing            */
};

struct model {
    const struct defrag_build *build;
    const struct inside *inside;
    struct support_buffer buffer;
    defrag_pool *pool;
    defrag_config config;
    bool hooked;

    struct model_block *blocks; /* by slot */
    size_t blocks_room;
    struct layout before, now;
    defrag_statistics last; /* statistics after the last call */
    uint64_t random; /* for contents */
    unsigned char *image;
    size_t image_bytes;

    /* What the hooks saw in the running call. */
    int depth;
    unsigned long entered;
    unsigned long moves;
    uint64_t moved_bytes;
    defrag_handle resized; /* the block that it resizes, and to how many bytes */
    size_t resized_bytes;

    /* The compaction under way: blocks that it moved. */
    bool stepping;
    bool *step_moved; /* by slot */

    struct model_choices choices;
    unsigned long calls;
};

enum model_form { FORM_ALLOC, FORM_FAST, FORM_SLICE, FORM_SLICE_FAST, FORM_REQUEST };

/* A fresh pool in `bytes` bytes that begin `skew` bytes after an aligned address, with such flags in its configuration. */
bool model_open(struct model *model, const struct defrag_build *build, size_t bytes, size_t skew,
                uint32_t flags, bool hooked);
void model_close(struct model *model);

/* The forms that take bytes alone take request->bytes. */
defrag_handle model_alloc(struct model *model, enum model_form form, const defrag_request *request);
void model_resize(struct model *model, defrag_handle handle, size_t bytes);
void model_free(struct model *model, defrag_handle handle);
/* `plain` calls the form that returns a pointer alone. */
void model_lock(struct model *model, defrag_handle handle, bool plain);
void model_lock_shared(struct model *model, defrag_handle handle, bool plain);
void model_unlock(struct model *model, defrag_handle handle);
void model_read(struct model *model, defrag_handle handle, size_t offset, size_t bytes);
void model_write(struct model *model, defrag_handle handle, size_t offset, size_t bytes);
void model_size(struct model *model, defrag_handle handle);
void model_clean(struct model *model);
void model_compact(struct model *model);
/* Returns what the step returned. */
defrag_status model_compact_step(struct model *model, size_t max_bytes);
void model_make_room(struct model *model, size_t bytes);
void model_scramble(struct model *model, uint32_t seed);

/* Tries out that largest_fast and largest_certain are exactly that, and puts the pool back. */
void model_probe_largest(struct model *model);

/* Walks until so many stretches have been shown. */
void model_walk(struct model *model, size_t stop);

/*
 * Copies the image to another buffer, no further aligned than the blocks need, attaches it there and goes on
 * with it.
 */
void model_migrate(struct model *model);
/*
 * Attaches a copy of the buffer that lacks the last `missing` bytes, and forgets it. It lies 2^k granules behind an
 * address that is as aligned as the pool's, k being `missing` modulo 8.
 */
void model_attach(struct model *model, size_t missing);

/* Every null pointer, and every unknown flag. */
void model_misuse(struct model *model);

#endif
