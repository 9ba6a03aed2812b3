/* SPDX-License-Identifier: MIT */
/*
 * A firmware that records what it allocates, for the host and for a Cortex-M.
 * What goes over the wire, that is to standard output, is the recorder's; the file
 * that is named gets, by the firmware's own count, the operations of the trace
 * that must come of it.
 *
 * With `pool` it uses libdefrag and is linked with
 * -Wl,--wrap=defrag_alloc,--wrap=defrag_resize,... so that nothing in what uses
 * the heap knows of the recorder. With `malloc` it calls the recorder itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <defrag.h>
#include <defrag_record.h>

#define OBJECTS    24
#define OPERATIONS 3000

static defrag_record record;
static FILE *told;
static unsigned long longest, in_line;

static void put(void *context, char byte)
{
    (void)context;
    putchar(byte);
    in_line++;
    longest = in_line > longest ? in_line : longest;
    if (byte == '\n')
        in_line = 0;
}

static unsigned draw(unsigned below)
{
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % below;
}

/* --- The functions of the heap, wrapped ------------------------------------------------- */

defrag_status __real_defrag_alloc(defrag_pool *pool, size_t bytes, defrag_handle *out);
defrag_status __wrap_defrag_alloc(defrag_pool *pool, size_t bytes, defrag_handle *out);
defrag_status __real_defrag_resize(defrag_pool *pool, defrag_handle handle, size_t bytes);
defrag_status __wrap_defrag_resize(defrag_pool *pool, defrag_handle handle, size_t bytes);
defrag_status __real_defrag_free(defrag_pool *pool, defrag_handle *handle);
defrag_status __wrap_defrag_free(defrag_pool *pool, defrag_handle *handle);
const void *__real_defrag_lock_shared(defrag_pool *pool, defrag_handle handle);
const void *__wrap_defrag_lock_shared(defrag_pool *pool, defrag_handle handle);
defrag_status __real_defrag_unlock(defrag_pool *pool, defrag_handle handle);
defrag_status __wrap_defrag_unlock(defrag_pool *pool, defrag_handle handle);

defrag_status __wrap_defrag_alloc(defrag_pool *pool, size_t bytes, defrag_handle *out)
{
    defrag_status status = __real_defrag_alloc(pool, bytes, out);
    defrag_record_alloc(&record, out->bits, bytes, 0);
    return status;
}

defrag_status __wrap_defrag_resize(defrag_pool *pool, defrag_handle handle, size_t bytes)
{
    defrag_status status = __real_defrag_resize(pool, handle, bytes);
    if (status == DEFRAG_OK)
        defrag_record_resize(&record, handle.bits, handle.bits, bytes);
    return status;
}

defrag_status __wrap_defrag_free(defrag_pool *pool, defrag_handle *handle)
{
    defrag_handle copy = *handle;
    defrag_status status = __real_defrag_free(pool, handle);
    if (status == DEFRAG_OK)
        defrag_record_free(&record, copy.bits);
    return status;
}

const void *__wrap_defrag_lock_shared(defrag_pool *pool, defrag_handle handle)
{
    const void *p = __real_defrag_lock_shared(pool, handle);
    if (p)
        defrag_record_lock(&record, handle.bits);
    return p;
}

defrag_status __wrap_defrag_unlock(defrag_pool *pool, defrag_handle handle)
{
    defrag_status status = __real_defrag_unlock(pool, handle);
    if (status == DEFRAG_OK)
        defrag_record_unlock(&record, handle.bits);
    return status;
}

/* --- A firmware with a pool ----------------------------------------------------------------- */

DEFRAG_POOL_DEFINE(memory, 8192);

static struct {
    defrag_handle handle;
    unsigned id, locks;
} objects[OBJECTS];
static unsigned ids;

static void use_pool(defrag_pool *pool, unsigned i)
{
    unsigned bytes = draw(200);
    switch (draw(6)) {
    case 0:
        if (objects[i].handle.bits == 0 && defrag_alloc(pool, bytes, &objects[i].handle) == DEFRAG_OK) {
            objects[i].id = ++ids;
            fprintf(told, "a %u %u\n", ids, bytes);
        }
        break;
    case 1:
        if (objects[i].handle.bits && objects[i].locks == 0
            && defrag_resize(pool, objects[i].handle, bytes) == DEFRAG_OK)
            fprintf(told, "r %u %u\n", objects[i].id, bytes);
        break;
    case 2:
        if (objects[i].handle.bits && defrag_free(pool, &objects[i].handle) == DEFRAG_OK)
            fprintf(told, "f %u\n", objects[i].id);
        break;
    case 3:
        if (defrag_lock_shared(pool, objects[i].handle) && objects[i].locks++ == 0)
            fprintf(told, "l %u\n", objects[i].id);
        break;
    default:
        if (defrag_unlock(pool, objects[i].handle) == DEFRAG_OK && --objects[i].locks == 0)
            fprintf(told, "u %u\n", objects[i].id);
        break;
    }
}

static int run_pool(void)
{
    defrag_pool *pool;
    if (defrag_init(&pool, memory, sizeof memory, NULL) != DEFRAG_OK)
        return 1;
    for (unsigned i = 0; i < OPERATIONS; i++)
        use_pool(pool, draw(OBJECTS));
    return 0;
}

/* --- A firmware with malloc --------------------------------------------------------------------- */

static void *blocks[OBJECTS];
static unsigned block_ids[OBJECTS];

static void new_block(unsigned i, unsigned bytes)
{
    blocks[i] = malloc(bytes);
    defrag_record_alloc(&record, (uintptr_t)blocks[i], bytes, 8);
    block_ids[i] = ++ids;
    fprintf(told, "a %u %u 8\n", ids, bytes);
}

static void use_malloc(unsigned i)
{
    unsigned bytes = 1 + draw(200);
    if (!blocks[i]) {
        new_block(i, bytes);
    } else if (draw(2)) {
        uintptr_t old = (uintptr_t)blocks[i];
        blocks[i] = realloc(blocks[i], bytes);
        defrag_record_resize(&record, old, (uintptr_t)blocks[i], bytes);
        fprintf(told, "r %u %u\n", block_ids[i], bytes);
    } else {
        defrag_record_free(&record, (uintptr_t)blocks[i]);
        free(blocks[i]);
        blocks[i] = NULL;
        fprintf(told, "f %u\n", block_ids[i]);
    }
}

static int run_malloc(void)
{
    for (unsigned i = 0; i < OPERATIONS; i++)
        use_malloc(draw(OBJECTS));
    return 0;
}

int main(int argc, char **argv)
{
    told = argc == 3 ? fopen(argv[2], "w") : NULL;
    if (!told)
        return 1;
    defrag_record_alloc(&record, 1, 1, 0); /* before the beginning: nothing */
    printf("the firmware is up\n");
    defrag_record_begin(&record, put, NULL);
    int status = strcmp(argv[1], "pool") == 0 ? run_pool() : run_malloc();
    defrag_record_end(&record);
    defrag_record_free(&record, 1);
    printf("the firmware is down\n");
    return fclose(told) != 0 || longest > DEFRAG_RECORD_BYTES ? 1 : status;
}
