/* SPDX-License-Identifier: MIT */
/*
 * A trace of tools/trace.h, decompressed, read from the host: each object is
 * allocated with defrag_alloc_fast(), or where that is refused with
 * defrag_alloc(), and written under a lock. The same with the other allocators.
 */
#include "counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECTS_MAX 65536u

struct object {
    uint32_t bytes;
    union {
        defrag_handle handle;
        void *memory;
    } at;
};

struct op {
    char kind;
    uint32_t object, bytes;
};

static struct object objects[OBJECTS_MAX];
static struct op *ops;
static size_t op_count;
static struct figure alloc_fast, new_slot, alloc, release, resized, lock, unlock;

static struct op parse(const char *line)
{
    char *end;
    struct op op = {line[0], (uint32_t)strtoul(line + 1, &end, 10), 0};
    op.bytes = (uint32_t)strtoul(end, NULL, 10);
    counts_demand(op.object < OBJECTS_MAX && memchr("arf", op.kind, 3) != NULL, line);
    return op;
}

/* Reads it all; returns the most bytes that are live at once, with what a block costs. */
static size_t load(const char *path)
{
    static char line[4096], buffer[65536];
    size_t live = 0, peak = 0, room = 0;
    FILE *file = fopen(path, "r");
    counts_demand(file != NULL && setvbuf(file, buffer, _IOFBF, sizeof buffer) == 0, path);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#' || strncmp(line, "defrag", 6) == 0)
            continue;
        struct op op = parse(line);
        if (op_count == room)
            counts_demand((ops = realloc(ops, (room += 65536) * sizeof *ops)) != NULL, "memory");
        ops[op_count++] = op;
        live -= op.kind == 'a' ? 0 : objects[op.object].bytes;
        objects[op.object].bytes = op.kind == 'f' ? 0 : op.bytes + 16;
        live += objects[op.object].bytes;
        peak = live > peak ? live : peak;
    }
    fclose(file);
    return peak;
}

static void allocate(const struct op *op)
{
    defrag_handle *handle = &objects[op->object].at.handle;
    static uint32_t slots;
    defrag_status status = counts_alloc_fast(&alloc_fast, &new_slot, &slots, op->bytes, handle);
    if (status != DEFRAG_OK)
        status = (defrag_status)MEASURED(&alloc, defrag_alloc, pool, op->bytes, handle);
    counts_demand(status == DEFRAG_OK, "the pool is too small");
}

static void write_object(const struct op *op)
{
    void *payload;
    defrag_handle handle = objects[op->object].at.handle;
    payload = (void *)MEASURED(&lock, defrag_lock, pool, handle.bits);
    counts_demand(payload != NULL, "a lock is refused");
    memset(payload, (int)op->object, op->bytes);
    (void)MEASURED(&unlock, defrag_unlock, pool, handle.bits);
}

static void replay(void)
{
    for (const struct op *op = ops; op < ops + op_count; op++) {
        struct object *object = &objects[op->object];
        defrag_status status = DEFRAG_OK;
        if (op->kind == 'a')
            allocate(op);
        else if (op->kind == 'r')
            status =
                (defrag_status)MEASURED(&resized, defrag_resize, pool, object->at.handle.bits, op->bytes);
        else
            status = (defrag_status)MEASURED(&release, defrag_free, pool, &object->at.handle);
        counts_demand(status == DEFRAG_OK, "a free or a resize is refused");
        if (op->kind != 'f')
            write_object(op);
    }
    counts_demand(defrag_check(pool) == DEFRAG_OK, "the pool is damaged");
}

static void replay_other(const struct other *other)
{
    for (const struct op *op = ops; op < ops + op_count; op++) {
        void **block = &objects[op->object].at.memory;
        if (op->kind == 'a')
            *block = (void *)MEASURED(&alloc, other->allocate, op->bytes);
        else if (op->kind == 'r')
            *block = (void *)MEASURED(&resized, other->resize, *block, op->bytes);
        else
            (void)MEASURED(&release, other->release, *block);
        counts_demand(op->kind == 'f' || *block != NULL, other->name);
        if (op->kind != 'f')
            memset(*block, (int)op->object, op->bytes);
    }
}

static void print(const char *call, const char *trace, struct figure *figure)
{
    char name[96];
    if (figure->calls == 0)
        return;
    snprintf(name, sizeof name, "%s: %s", trace, call);
    counts_print(name, figure);
}

void trace_counts(const char *name, const char *path)
{
    char call[64];
    /* An eighth more than what was live at the peak: some requests find no hole. */
    size_t bytes = load(path) / 8 * 9 + 1024;
    counts_demand(bytes <= sizeof memory && !defrag_init(&pool, memory, bytes, NULL),
                  "no narrow pool holds it");
    replay();
    print("defrag_alloc_fast", name, &alloc_fast);
    print("defrag_alloc_fast, a new slot", name, &new_slot);
    print("defrag_alloc, no hole found at once", name, &alloc);
    print("defrag_free", name, &release);
    print("defrag_resize", name, &resized);
    print("defrag_lock", name, &lock);
    print("defrag_unlock", name, &unlock);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        replay_other(&others[i]);
        snprintf(call, sizeof call, "malloc (%s)", others[i].name);
        print(call, name, &alloc);
        snprintf(call, sizeof call, "free (%s)", others[i].name);
        print(call, name, &release);
        snprintf(call, sizeof call, "realloc (%s)", others[i].name);
        print(call, name, &resized);
    }
}
