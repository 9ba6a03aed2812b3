/* SPDX-License-Identifier: MIT */
/* Compiled once for each build of the library, with that build's DEFRAG_PREFIX. */
#include "builds.h"
#include "slide_one.h"

#define STRING_(text) #text
#define STRING(text)  STRING_(text)
#define THIS_BUILD    DEFRAG_NAME(build)

extern const struct defrag_build THIS_BUILD;

#ifndef BUILD_KIND
#define BUILD_KIND /* a letter in front of the name, where a program has the same build twice */
#endif

const struct defrag_build THIS_BUILD = {
#if DEFRAG_WIDE
    .name = STRING(BUILD_KIND) "w" STRING(DEFRAG_ALIGNMENT),
    .layout = "wide",
#else
    .name = STRING(BUILD_KIND) "n" STRING(DEFRAG_ALIGNMENT),
    .layout = "narrow",
#endif
    .alignment = DEFRAG_ALIGNMENT,

    .init = defrag_init,
    .attach = defrag_attach,
    .detach = defrag_detach,
    .alloc = defrag_alloc,
    .alloc_fast = defrag_alloc_fast,
    .alloc_slice = defrag_alloc_slice,
    .alloc_slice_fast = defrag_alloc_slice_fast,
    .alloc_request = defrag_alloc_request,
    .resize = defrag_resize,
    .free = defrag_free,
    .size = defrag_size,
    .lock = defrag_lock,
    .lock_shared = defrag_lock_shared,
    .try_lock = defrag_try_lock,
    .try_lock_shared = defrag_try_lock_shared,
    .unlock = defrag_unlock,
    .read = defrag_read,
    .write = defrag_write,
    .clean = defrag_clean,
    .compact = defrag_compact,
    .compact_step = defrag_compact_step,
    .make_room = defrag_make_room,
    .scramble = defrag_scramble,
    .statistics_get = defrag_statistics_get,
    .check = defrag_check,
    .walk = defrag_walk,
    .status_string = defrag_status_string,
    .version = defrag_version,

    .slide = build_slide,
};
