/* SPDX-License-Identifier: MIT */
/*
 * A heap as a plugin of `defrag-bench compare`: five functions, and a sixth
 * that may be left out. This one is the simplest that works, first-fit over
 * blocks in a row:
 *
 *   cc -O2 -shared -fPIC -o plugin.so plugin.c $(pkg-config --cflags libdefrag)
 *   defrag-bench compare --allocator=./plugin.so trace.zst
 *
 * For another heap keep the functions at the end, and let them call it. With
 * TLSF, for example, that is all there is to do:
 *
 *   #include <defrag_plugin.h>
 *   #include "tlsf.h"
 *   const char *defrag_plugin_name(void) { return "TLSF"; }
 *   void *defrag_plugin_init(void *memory, size_t size) { return tlsf_create_with_pool(memory, size); }
 *   void *defrag_plugin_alloc(void *heap, size_t size) { return tlsf_malloc(heap, size); }
 *   void defrag_plugin_free(void *heap, void *block) { tlsf_free(heap, block); }
 *   void *defrag_plugin_resize(void *heap, void *block, size_t size)
 *   { return tlsf_realloc(heap, block, size); }
 *
 * and `cc -O2 -shared -fPIC -o tlsf.so plugin.c tlsf.c`. A heap without a
 * resize gets one as it is made here, of alloc, memcpy and free.
 */
#include <defrag_plugin.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Payloads are aligned to the header's size. */
struct block {
    size_t bytes; /* header included */
    size_t is_used;
};

struct heap {
    struct block *first;
    struct block *end; /* past the last block */
};

/* --- The heap ------------------------------------------------------------------ */

static struct block *next_of(struct block *block)
{
    return (struct block *)((unsigned char *)block + block->bytes);
}

static size_t bytes_of_request(size_t size)
{
    size_t unit = sizeof(struct block);
    return size > SIZE_MAX - 2 * unit ? SIZE_MAX : (size + unit - 1) / unit * unit + unit;
}

/* [ block ][ free ][ free ] → [ block           ] */
static void merge_behind(const struct heap *heap, struct block *block)
{
    for (struct block *next = next_of(block); next < heap->end && !next->is_used; next = next_of(block))
        block->bytes += next->bytes;
}

/* [ block         ] → [ block ][ free ] */
static void split(struct block *block, size_t bytes)
{
    if (block->bytes - bytes >= 2 * sizeof *block) {
        struct block rest = {block->bytes - bytes, false};
        block->bytes = bytes;
        *next_of(block) = rest;
    }
}

/* --- What defrag-bench calls ------------------------------------------------------ */

const char *defrag_plugin_name(void)
{
    return "first-fit-example";
}

void *defrag_plugin_init(void *memory, size_t size)
{
    struct heap *heap = memory;
    if (size < sizeof *heap + 2 * sizeof(struct block))
        return NULL;
    heap->first = (struct block *)(heap + 1);
    heap->first->bytes = (size - sizeof *heap) / sizeof(struct block) * sizeof(struct block);
    heap->first->is_used = false;
    heap->end = next_of(heap->first);
    return heap;
}

void *defrag_plugin_alloc(void *memory, size_t size)
{
    struct heap *heap = memory;
    size_t bytes = bytes_of_request(size);
    for (struct block *block = heap->first; block < heap->end; block = next_of(block)) {
        if (block->is_used)
            continue;
        merge_behind(heap, block);
        if (block->bytes >= bytes) {
            split(block, bytes);
            block->is_used = true;
            return block + 1;
        }
    }
    return NULL;
}

void defrag_plugin_free(void *memory, void *payload)
{
    struct block *block = (struct block *)payload - 1;
    (void)memory;
    block->is_used = false;
}

void *defrag_plugin_resize(void *memory, void *payload, size_t size)
{
    struct block *block = (struct block *)payload - 1;
    size_t before = block->bytes, bytes = bytes_of_request(size);
    merge_behind(memory, block);
    if (block->bytes >= bytes) {
        split(block, bytes);
        return payload;
    }
    split(block, before);
    void *elsewhere = defrag_plugin_alloc(memory, size);
    if (elsewhere) {
        memcpy(elsewhere, payload, before - sizeof *block);
        defrag_plugin_free(memory, payload);
    }
    return elsewhere;
}

size_t defrag_plugin_used(const void *memory)
{
    const struct heap *heap = memory;
    size_t bytes = sizeof *heap;
    for (struct block *block = heap->first; block < heap->end; block = next_of(block))
        bytes += block->is_used ? block->bytes : 0;
    return bytes;
}
