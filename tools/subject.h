/* SPDX-License-Identifier: MIT */
/*
 * A heap in the worker of a comparison, whatever it is, behind one table. It
 * takes nothing from malloc while it is used, unless it is malloc.
 */
#ifndef DEFRAG_TOOLS_SUBJECT_H
#define DEFRAG_TOOLS_SUBJECT_H

#include "compare.h"

struct subject;

struct subject_calls {
    /* Those of the trace; `bytes` is never 0. */
    enum outcome (*alloc)(struct subject *subject, uint32_t object, size_t bytes);
    enum outcome (*resize)(struct subject *subject, uint32_t object, size_t bytes);
    enum outcome (*free)(struct subject *subject, uint32_t object);

    /* NULL: nothing ever moves of itself. */
    enum outcome (*lock)(struct subject *subject, uint32_t object);
    enum outcome (*unlock)(struct subject *subject, uint32_t object);

    /* Where the payload lies, until view_end(). NULL: the heap is broken. */
    unsigned char *(*view)(struct subject *subject, uint32_t object);
    void (*view_end)(struct subject *subject, uint32_t object);

    uint64_t (*moved)(const struct subject *subject);

    /* NULL: it does not tell. Bytes of the pool in use at most, of those times at which watch() was called.
     */
    size_t (*used)(const struct subject *subject);
    void (*watch)(struct subject *subject); /* NULL: it need not */
};

struct plugin {
    const char *(*name)(void);
    void *(*init)(void *memory, size_t size);
    void *(*alloc)(void *heap, size_t size);
    void (*free)(void *heap, void *block);
    void *(*resize)(void *heap, void *block, size_t size);
    size_t (*used)(const void *heap); /* or NULL */
};

struct subject {
    const struct subject_calls *calls;
    const struct compare_job *job;
    const char *reason; /* why the last outcome was not OUTCOME_SERVED */
    unsigned char *memory;
    size_t memory_bytes; /* 0: blocks may lie anywhere */

    void **address; /* of each object: malloc and plugins */
    size_t *bytes;  /* and its size */
    uint64_t copied_bytes;
    struct plugin plugin;
    void *heap;
    size_t most_used;
    const struct defrag_build *build;
    defrag_config config;
    defrag_pool *pool;
    defrag_handle *handle;
    struct contender contender;
    struct arena *arena;
};

/*
 * Opens the heap of the job in `memory`, which has pool_bytes and is null for malloc. False: no heap in so
 * few bytes. A plugin is in the subject before.
 */
bool subject_open(struct subject *subject, const struct compare_job *job, unsigned char *memory);

/* Zeroed, not from malloc. Does not return if there is none. */
void *subject_room(size_t count, size_t bytes);

#endif
