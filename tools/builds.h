/* SPDX-License-Identifier: MIT */
/*
 * Every build of the library (layout x alignment) in one program, each behind
 * a table of its public functions. The members are named after the functions.
 */
#ifndef BUILDS_H
#define BUILDS_H

#include <defrag.h>

struct defrag_build {
    const char *name;   /* "n8": the layout's initial and the alignment */
    const char *layout; /* "narrow" or "wide" */
    unsigned alignment; /* 4, 8 or 16 */

    defrag_status (*init)(defrag_pool **out, void *buffer, size_t bytes, const defrag_config *or_null);
    defrag_status (*attach)(defrag_pool **out, void *buffer, size_t bytes, const defrag_config *or_null);
    defrag_status (*detach)(defrag_pool *pool);
    defrag_status (*alloc)(defrag_pool *pool, size_t bytes, defrag_handle *out);
    defrag_status (*alloc_fast)(defrag_pool *pool, size_t bytes, defrag_handle *out);
    defrag_status (*alloc_slice)(defrag_pool *pool, size_t count, size_t elem_bytes, defrag_handle *out);
    defrag_status (*alloc_slice_fast)(defrag_pool *pool, size_t count, size_t elem_bytes, defrag_handle *out);
    defrag_status (*alloc_request)(defrag_pool *pool, const defrag_request *request, defrag_handle *out);
    defrag_status (*resize)(defrag_pool *pool, defrag_handle handle, size_t bytes);
    defrag_status (*free)(defrag_pool *pool, defrag_handle *handle);
    size_t (*size)(const defrag_pool *pool, defrag_handle handle);

    void *(*lock)(defrag_pool *pool, defrag_handle handle);
    const void *(*lock_shared)(defrag_pool *pool, defrag_handle handle);
    defrag_status (*try_lock)(defrag_pool *pool, defrag_handle handle, void **out);
    defrag_status (*try_lock_shared)(defrag_pool *pool, defrag_handle handle, const void **out);
    defrag_status (*unlock)(defrag_pool *pool, defrag_handle handle);
    defrag_status (*read)(defrag_pool *pool, defrag_handle handle, size_t offset, void *to, size_t bytes);
    defrag_status (*write)(defrag_pool *pool, defrag_handle handle, size_t offset, const void *from,
                           size_t bytes);

    defrag_status (*clean)(defrag_pool *pool);
    defrag_status (*compact)(defrag_pool *pool);
    defrag_status (*compact_step)(defrag_pool *pool, size_t max_bytes, size_t *moved);
    defrag_status (*make_room)(defrag_pool *pool, size_t bytes);
    defrag_status (*scramble)(defrag_pool *pool, uint32_t seed);

    void (*statistics_get)(const defrag_pool *pool, defrag_statistics *out);
    defrag_status (*check)(const defrag_pool *pool);
    defrag_status (*walk)(const defrag_pool *pool, defrag_visitor *visitor, void *context);
    const char *(*status_string)(defrag_status status);
    uint32_t (*version)(void);

    /*
     * No public function: slides the blocks between two offsets of headers, none locked, down to the
     * first, where a free block begins. An end above all blocks is where they end.
     */
    void (*slide)(defrag_pool *pool, size_t begin, size_t end);
};

/* n4, n8, n16, w8, w16 and a null pointer. */
extern const struct defrag_build *const defrag_builds[];

/* The build of that layout ("narrow", "wide") and alignment, or NULL. */
const struct defrag_build *defrag_build_find(const char *layout, unsigned alignment);

#endif
