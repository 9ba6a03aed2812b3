/* SPDX-License-Identifier: MIT */
/*
 * What a pool allocator has to offer to `defrag-bench compare`: the functions
 * below in a shared object, compiled from C or from C++.
 *
 *   cc -O2 -shared -fPIC -o heap.so heap.c
 *   defrag-bench compare --allocator=./heap.so trace.zst
 *
 * A plugin is loaded into a process of its own, once for each replay of a
 * trace, and called from one thread; so it may have static data, and
 * defrag_plugin_init() is called once. examples/plugin.c is a whole one.
 */
#ifndef DEFRAG_PLUGIN_H
#define DEFRAG_PLUGIN_H

#include <stddef.h>

#if defined(__GNUC__)
#define DEFRAG_PLUGIN_API __attribute__((visibility("default")))
#else
#define DEFRAG_PLUGIN_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What to call it in the tables, 1 to 31 characters. */
DEFRAG_PLUGIN_API const char *defrag_plugin_name(void);

/*
 * Makes a heap of the `size` bytes at `memory`, which is aligned to 64; all that
 * the heap keeps is to lie in there. Returns what the other functions are to be
 * passed; NULL: so few bytes are no heap.
 */
DEFRAG_PLUGIN_API void *defrag_plugin_init(void *memory, size_t size);

/*
 * A block of at least `size` bytes, 1 or more, inside the heap's memory,
 * aligned to 8 (or to what --alignment says); NULL: no room.
 */
DEFRAG_PLUGIN_API void *defrag_plugin_alloc(void *heap, size_t size);

/* Takes back a block that is in use; never NULL. */
DEFRAG_PLUGIN_API void defrag_plugin_free(void *heap, void *block);

/*
 * Gives a block in use another size, 1 or more, as realloc() does: what fits of
 * its contents is kept. Returns where it is now; NULL: no room, and it is as before.
 */
DEFRAG_PLUGIN_API void *defrag_plugin_resize(void *heap, void *block, size_t size);

/* Optional: the bytes of the pool in use now, with all that the heap keeps for itself. */
DEFRAG_PLUGIN_API size_t defrag_plugin_used(const void *heap);

#ifdef __cplusplus
}
#endif

#endif
