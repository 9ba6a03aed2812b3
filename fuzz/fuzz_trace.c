/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the file of a trace, plain or compressed: reading it never
 * crashes, leaks or reads outside. What is accepted is written and read again,
 * plain and compressed, and is then the same trace.
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "tests/support.h"
#include "tools/trace.h"

const char fuzz_name[] = "trace";

/* Returns what trace_load() does. */
static int load(struct trace *trace, const uint8_t *data, size_t size, struct trace_error *error)
{
    char path[FUZZ_PATH_ROOM];
    int fd = fuzz_file(data, size, path);
    int result = trace_load(trace, path, error);
    close(fd);
    return result;
}

static void put(trace_writer *writer, const struct trace_op *op)
{
    switch ((enum trace_kind)op->kind) {
    case TRACE_ALLOC:
        trace_put_alloc(writer, op->object, op->size, trace_op_alignment(op));
        break;
    case TRACE_RESIZE:
        trace_put_resize(writer, op->object, op->size);
        break;
    case TRACE_FREE:
        trace_put_free(writer, op->object);
        break;
    case TRACE_LOCK:
        trace_put_lock(writer, op->object);
        break;
    case TRACE_UNLOCK:
        trace_put_unlock(writer, op->object);
        break;
    }
}

static void store(const struct trace *trace, const char *path)
{
    struct trace_error error;
    trace_writer *writer = trace_create(path, &error);
    EXPECT(writer, "%s", error.text);
    for (size_t i = 0; i < trace->comment_count; i++)
        trace_put_comment(writer, trace->comments[i].key, trace->comments[i].value);
    for (size_t i = 0; i < trace->count; i++)
        put(writer, &trace->ops[i]);
    EXPECT(trace_commit(writer, &error) == 0, "%s", error.text);
}

static void expect_same(const struct trace *a, const struct trace *b)
{
    EXPECT(a->count == b->count, "%zu operations, and %zu written", b->count, a->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct trace_op *x = &a->ops[i], *y = &b->ops[i];
        EXPECT(x->kind == y->kind && x->size == y->size && x->align_shift == y->align_shift
                   && x->object == y->object,
               "operation %zu is another one", i);
    }
    EXPECT(a->summary.operations == a->count, "the summary counts %llu operations",
           (unsigned long long)a->summary.operations);
    EXPECT(a->summary.peak_payload == b->summary.peak_payload && a->summary.objects == b->summary.objects,
           "the summaries differ");
    EXPECT(a->comment_count == b->comment_count, "%zu comments, and %zu written", b->comment_count,
           a->comment_count);
    for (size_t i = 0; i < a->comment_count; i++)
        EXPECT(strcmp(a->comments[i].key, b->comments[i].key) == 0, "comment %zu has another key", i);
}

static void round_trip(const struct trace *trace, const char *name)
{
    struct trace again;
    struct trace_error error;
    const char *path = fuzz_path(name);
    store(trace, path);
    int result = trace_load(&again, path, &error);
    unlink(path);
    EXPECT(result == 0, "what was written is refused: %s", error.text);
    expect_same(trace, &again);
    trace_unload(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace trace;
    struct trace_error error;
    support_context("%zu bytes", size);
    if (load(&trace, data, size, &error) != 0) {
        if (fuzz_shows())
            printf("#   %s\n", error.text);
        return 0;
    }
    if (fuzz_shows())
        printf("#   %zu operations, %zu comments\n", trace.count, trace.comment_count);
    round_trip(&trace, "trace");
    round_trip(&trace, "trace.zst");
    trace_unload(&trace);
    return 0;
}
