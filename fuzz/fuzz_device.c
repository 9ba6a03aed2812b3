/* SPDX-License-Identifier: MIT */
/*
 * The stream of a device, as `defrag-bench record --from-device` takes it. The
 * first byte of an input says whether the others are the stream as it is or, if it
 * is odd, one whose lines that begin with `$` lack their number and check digits:
 *
 *     \1$b,1,20
 *     $a,1000,40
 *     $f,1000
 *
 * Reading never crashes, leaks or reads outside. What is accepted becomes a trace
 * that is accepted, too, and is what the conversion has counted.
 */
#include "fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "files.h"
#include "tests/support.h"
#include "tools/record_device.h"

const char fuzz_name[] = "device";

/* --- The stream ------------------------------------------------------------------------- */

struct stream {
    char *text;
    size_t length;
    uint8_t number; /* of the next line */
};

static void append(struct stream *stream, const void *bytes, size_t count)
{
    memcpy(stream->text + stream->length, bytes, count);
    stream->length += count;
}

/* `line` begins with $ and a letter, and may end in a carriage return. */
static void append_record(struct stream *stream, const uint8_t *line, size_t count)
{
    char digits[8];
    uint8_t check = 0;
    size_t begin = stream->length + 1;
    bool has_return = count > 2 && line[count - 1] == '\r';

    append(stream, line, 2);
    append(stream, digits, (size_t)snprintf(digits, sizeof digits, "%02x", (unsigned)stream->number++));
    append(stream, line + 2, count - 2 - has_return);
    for (size_t i = begin; i < stream->length; i++) {
        check = (uint8_t)((unsigned)check << 1 | (unsigned)check >> 7);
        check = (uint8_t)(check ^ (uint8_t)stream->text[i]);
    }
    append(stream, digits, (size_t)snprintf(digits, sizeof digits, "*%02x", (unsigned)check));
    if (has_return)
        append(stream, "\r", 1);
}

/* The input's lines, with what they lack. */
static struct stream complete(const uint8_t *data, size_t size)
{
    struct stream stream = {malloc(size + size / 2 * 5 + 1), 0, 0};
    EXPECT(stream.text, "no memory");
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t count = end ? (size_t)(end - data) : size;
        if (count >= 2 && data[0] == '$')
            append_record(&stream, data, count);
        else
            append(&stream, data, count);
        if (end)
            append(&stream, "\n", 1);
        count += end != NULL;
        data += count;
        size -= count;
    }
    return stream;
}

/* --- What becomes of it -------------------------------------------------------------------- */

static void expect_trace(const char *path, const struct record_counts *counts)
{
    struct trace trace;
    struct trace_error error;
    int result = trace_load(&trace, path, &error);
    EXPECT(result == 0, "the trace is refused: %s", error.text);
    const struct trace_summary *summary = &trace.summary;
    EXPECT(summary->operations == counts->operations && summary->allocations == counts->objects
               && summary->peak_payload == counts->peak_payload && summary->live_objects == counts->left
               && summary->live_payload == counts->live_payload,
           "the trace has %" PRIu64 " operations, and %" PRIu64 " were counted, or other sums differ",
           summary->operations, counts->operations);
    trace_unload(&trace);
}

static void convert(const struct record_device *device)
{
    struct record_counts counts, again;
    struct trace_error error;
    const char *path = fuzz_path("device");
    trace_writer *writer = trace_create(path, &error);
    EXPECT(writer, "%s", error.text);
    record_device_convert(device, writer, &counts);
    EXPECT(trace_commit(writer, &error) == 0, "%s", error.text);
    record_device_convert(device, NULL, &again);
    EXPECT(memcmp(&counts, &again, sizeof counts) == 0, "other counts without a writer");
    if (fuzz_shows())
        printf("#   %zu lines, %" PRIu64 " operations, %" PRIu64 " objects, %" PRIu64 " of unknown ones\n",
               device->count, counts.operations, counts.objects,
               counts.unknown_frees + counts.unknown_resizes + counts.unknown_locks);
    expect_trace(path, &counts);
    unlink(path);
}

static void run(const void *data, size_t size)
{
    char path[FUZZ_PATH_ROOM];
    struct record_device device;
    struct trace_error error;
    int fd = fuzz_file(data, size, path);
    int result = record_device_read(&device, path, &error);
    close(fd);
    if (result != 0) {
        if (fuzz_shows())
            printf("#   %s\n", error.text);
        return;
    }
    convert(&device);
    record_device_release(&device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return -1;
    support_context("%zu bytes", size);
    if (data[0] % 2 == 0) {
        run(data + 1, size - 1);
        return 0;
    }
    struct stream stream = complete(data + 1, size - 1);
    run(stream.text, stream.length);
    free(stream.text);
    return 0;
}
