/* SPDX-License-Identifier: MIT */
/*
 * Any calls of defrag_record.h, sensible or not, make a stream that becomes a sound
 * trace with those operations; what is damaged on the wire is an error, or still a
 * sound trace.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"
#include "tools/defrag_record.h"
#include "tools/record_device.h"

#define NAMES 12

static char stream_path[] = "/tmp/test_stream.XXXXXX";
static char trace_path[] = "/tmp/test_stream.XXXXXX";

static int make_paths(void **state)
{
    (void)state;
    int stream = mkstemp(stream_path), trace = mkstemp(trace_path);
    return stream < 0 || trace < 0 || close(stream) != 0 || close(trace) != 0;
}

static int remove_paths(void **state)
{
    (void)state;
    return unlink(stream_path) + unlink(trace_path);
}

/* --- The wire -------------------------------------------------------------------- */

struct wire {
    char bytes[65536];
    size_t count, line;
};

static void put(void *context, char byte)
{
    struct wire *wire = context;
    assert_true(wire->count < sizeof wire->bytes);
    wire->bytes[wire->count++] = byte;
    wire->line++;
    EXPECT(wire->line <= DEFRAG_RECORD_BYTES, "a line of %zu bytes", wire->line);
    if (byte == '\n')
        wire->line = 0;
}

/* Names that something has; none has 0. */
static bool live[NAMES];

static void note(size_t name, size_t new_name)
{
    if (new_name == 0)
        return;
    live[name] = false;
    live[new_name] = true;
}

static size_t count_live(void)
{
    size_t count = 0;
    for (size_t i = 0; i < NAMES; i++)
        count += live[i];
    return count;
}

static void call(defrag_record *record, uint64_t *random)
{
    size_t first = support_below(random, NAMES), second = support_below(random, NAMES);
    size_t bytes = support_random(random) >> 16 >> support_below(random, 48);
    /* The longest lines there are. */
    uintptr_t name = first == NAMES - 1 ? UINTPTR_MAX : first;
    uintptr_t other = second == NAMES - 1 ? UINTPTR_MAX : second;
    switch (support_below(random, 7)) {
    case 0:
        defrag_record_alloc(record, name, bytes, (size_t)1 << support_below(random, 48));
        note(0, first);
        break;
    case 1:
        defrag_record_alloc(record, name, bytes, 0);
        note(0, first);
        break;
    case 2:
        defrag_record_resize(record, name, other, bytes);
        note(first, second);
        break;
    case 3:
        defrag_record_free(record, name);
        live[first] = false;
        break;
    case 4:
        defrag_record_lock(record, name);
        break;
    case 5:
        defrag_record_unlock(record, name);
        break;
    default:
        defrag_record_resize(record, name, name, bytes);
        note(first, first);
        break;
    }
}

static void record_calls(struct wire *wire, uint64_t *random, unsigned calls)
{
    defrag_record record = {0};
    wire->count = wire->line = 0;
    call(&record, random);
    assert_int_equal(wire->count, 0);
    defrag_record_begin(&record, put, wire);
    memset(live, 0, sizeof live);
    while (calls-- > 0)
        call(&record, random);
    defrag_record_end(&record);
    size_t count = wire->count;
    defrag_record_alloc(&record, 1, 1, 0);
    assert_int_equal(wire->count, count);
}

/* --- What becomes of it -------------------------------------------------------------- */

static void store(const struct wire *wire)
{
    FILE *file = fopen(stream_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(wire->bytes, 1, wire->count, file), wire->count);
    assert_int_equal(fclose(file), 0);
}

/* Converts the stream; false with a message if it is refused. What is accepted is a sound trace. */
static bool convert(const struct wire *wire, struct record_counts *counts)
{
    struct record_device device;
    struct trace_error error = {""};
    struct trace trace;
    store(wire);
    if (record_device_read(&device, stream_path, &error) != 0) {
        EXPECT(strncmp(error.text, stream_path, strlen(stream_path)) == 0, "%s", error.text);
        return false;
    }
    struct record_counts counted;
    record_device_convert(&device, NULL, &counted);
    trace_writer *writer = trace_create(trace_path, &error);
    EXPECT(writer, "%s", error.text);
    record_device_convert(&device, writer, counts);
    record_device_release(&device);
    assert_memory_equal(&counted, counts, sizeof counted);
    EXPECT(trace_commit(writer, &error) == 0, "%s", error.text);
    EXPECT(trace_load(&trace, trace_path, &error) == 0, "%s", error.text);
    assert_int_equal(trace.summary.operations, counts->operations);
    assert_int_equal(trace.summary.objects, counts->objects);
    assert_int_equal(trace.summary.live_objects, counts->left);
    assert_int_equal(trace.summary.peak_payload, counts->peak_payload);
    trace_unload(&trace);
    return true;
}

static void test_any_calls(void **state)
{
    static struct wire wire;
    struct record_counts counts;
    uint64_t random = 21;
    uint64_t unknown = 0;
    (void)state;
    for (unsigned round = 0; round < 4 * support_effort(); round++) {
        support_context("round %u", round);
        record_calls(&wire, &random, round % 300);
        EXPECT(convert(&wire, &counts), "a stream as it was sent is refused");
        EXPECT(counts.left == count_live(), "%zu objects are left, not %zu", (size_t)counts.left,
               count_live());
        unknown += counts.unknown_frees + counts.unknown_locks + counts.unknown_resizes + counts.unseen_frees;
    }
    assert_true(unknown > 0);
}

static void test_damage(void **state)
{
    static struct wire wire;
    struct record_counts counts;
    uint64_t random = 22;
    unsigned refused = 0, rounds = 4 * support_effort();
    (void)state;
    for (unsigned round = 0; round < rounds; round++) {
        support_context("round %u", round);
        record_calls(&wire, &random, 30);
        for (size_t hits = 1 + support_below(&random, 4); hits > 0; hits--) {
            size_t at = support_below(&random, wire.count);
            size_t length = support_below(&random, 5);
            length = length < wire.count - at ? length : wire.count - at;
            if (support_below(&random, 2)) {
                wire.bytes[at] = (char)support_random(&random);
            } else {
                memmove(wire.bytes + at, wire.bytes + at + length, wire.count - at - length);
                wire.count -= length;
            }
        }
        refused += !convert(&wire, &counts);
    }
    EXPECT(refused >= rounds * 3 / 5, "%u of %u damaged streams are refused", refused, rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_calls),
        cmocka_unit_test(test_damage),
    };
    return cmocka_run_group_tests_name("streams of devices", tests, make_paths, remove_paths);
}
