/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

struct trace_writer {
    stream_out *out;
    char *path;
};

__attribute__((format(printf, 2, 3)))
static void put(trace_writer *writer, const char *format, ...)
{
    char line[STREAM_LINE_MAX + 2];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    stream_out_write(writer->out, line, (size_t)length);
}

trace_writer *trace_create(const char *path, struct trace_error *error)
{
    trace_writer *writer = calloc(1, sizeof *writer);
    if (writer) {
        writer->path = strdup(path);
    }
    if (!writer || !writer->path) {
        free(writer);
        trace_fail(path, 0, error, "out of memory");
        return NULL;
    }
    writer->out = stream_out_open(path);
    if (!writer->out) {
        trace_fail(path, 0, error, "%s", strerror(errno));
        trace_discard(writer);
        return NULL;
    }
    put(writer, "%s\n", TRACE_FIRST_LINE);
    return writer;
}

void trace_put_comment(trace_writer *writer, const char *key, const char *value)
{
    char line[STREAM_LINE_MAX];
    snprintf(line, sizeof line, "# %s: %s", key, value);
    for (char *c = line; *c; c++) {
        if (iscntrl((unsigned char)*c)) {
            *c = ' ';
        }
    }
    put(writer, "%s\n", line);
}

void trace_put_alloc(trace_writer *writer, uint64_t id, uint64_t size, uint64_t alignment)
{
    if (alignment > 1) {
        put(writer, "a %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", id, size, alignment);
    } else {
        put(writer, "a %" PRIu64 " %" PRIu64 "\n", id, size);
    }
}

void trace_put_resize(trace_writer *writer, uint64_t id, uint64_t size)
{
    put(writer, "r %" PRIu64 " %" PRIu64 "\n", id, size);
}

void trace_put_free(trace_writer *writer, uint64_t id)
{
    put(writer, "f %" PRIu64 "\n", id);
}

void trace_put_lock(trace_writer *writer, uint64_t id)
{
    put(writer, "l %" PRIu64 "\n", id);
}

void trace_put_unlock(trace_writer *writer, uint64_t id)
{
    put(writer, "u %" PRIu64 "\n", id);
}

bool trace_write_failed(const trace_writer *writer)
{
    return stream_out_failed(writer->out);
}

int trace_commit(trace_writer *writer, struct trace_error *error)
{
    const char *reason;
    int result = stream_out_commit(writer->out, &reason);
    if (result != 0) {
        trace_fail(writer->path, 0, error, "%s", reason);
    }
    writer->out = NULL;
    trace_discard(writer);
    return result;
}

void trace_discard(trace_writer *writer)
{
    if (!writer) {
        return;
    }
    stream_out_discard(writer->out);
    free(writer->path);
    free(writer);
}
