/* SPDX-License-Identifier: MIT */
/* Traces: every malformed input with its message, the round trip, damage, and writing that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "tools/trace.h"

#define HEAD "defrag-trace 1\n"

static char folder[] = "/tmp/test_trace.XXXXXX";

/* --- Files in a folder of the test's own ---------------------------------- */

/* A path in the folder, valid until the eighth next call. */
static const char *path_of(const char *name)
{
    static char paths[8][320];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* A file that replaces another costs some file systems a wait for the disk. */
static void write_file(const char *name, const void *bytes, size_t count)
{
    unlink(path_of(name));
    FILE *file = fopen(path_of(name), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

static size_t read_file(const char *name, char *bytes, size_t room)
{
    FILE *file = fopen(path_of(name), "rb");
    assert_non_null(file);
    size_t count = fread(bytes, 1, room, file);
    assert_true(count < room);
    fclose(file);
    return count;
}

static int files_in_folder(void)
{
    int count = 0;
    DIR *open = opendir(folder);
    assert_non_null(open);
    for (struct dirent *entry; (entry = readdir(open)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(open);
    return count;
}

static int remove_files(void **state)
{
    (void)state;
    DIR *open = opendir(folder);
    assert_non_null(open);
    for (struct dirent *entry; (entry = readdir(open)) != NULL;)
        if (entry->d_name[0] != '.')
            unlink(path_of(entry->d_name));
    closedir(open);
    return 0;
}

/* Reads the file as a stream and as a whole; both must say the same. Returns 0 or -1. */
static int read_trace(const char *name, struct trace_error *error)
{
    struct trace whole;
    struct trace_error other;
    struct trace_op op;
    int result = -1;
    error->text[0] = '\0';
    trace_reader *reader = trace_open(path_of(name), error);
    if (reader) {
        while ((result = trace_next(reader, &op, error)) == 1) {
        }
        trace_close(reader);
    }
    other.text[0] = '\0';
    assert_int_equal(trace_load(&whole, path_of(name), &other), result);
    assert_string_equal(error->text, other.text);
    trace_unload(&whole);
    return result;
}

static void expect_error(const char *name, const char *bytes, size_t count, const char *reason)
{
    char wanted[1024];
    struct trace_error error;
    write_file(name, bytes, count);
    int result = read_trace(name, &error);
    snprintf(wanted, sizeof wanted, "%s:%s", path_of(name), reason);
    assert_string_equal(error.text, wanted);
    assert_int_equal(result, -1);
}

/* --- Malformed text ----------------------------------------------------------- */

#define FIRST_LINE "the first line must be 'defrag-trace 1'"
#define NUMBER     "is not a decimal number"

static const struct malformed {
    const char *text;
    const char *reason; /* what follows FILE: */
} malformed[] = {
    {"", "1: empty file: " FIRST_LINE},
    {"\n", "1: not a trace: " FIRST_LINE ", not ''"},
    {"defrag-trace 2\n", "1: not a trace: " FIRST_LINE ", not 'defrag-trace 2'"},
    {"defrag-trace 1 \n", "1: not a trace: " FIRST_LINE ", not 'defrag-trace 1 '"},
    {"defrag-trace 1\r\n", "1: not a trace: " FIRST_LINE ", not 'defrag-trace 1?'"},
    {"a 1 10\n", "1: not a trace: " FIRST_LINE ", not 'a 1 10'"},
    {"defrag-trace 1", "1: truncated file: the last line has no newline"},
    {HEAD "a 1 10\na 2 20", "3: truncated file: the last line has no newline"},
    {HEAD "# half a comm", "2: truncated file: the last line has no newline"},
    {HEAD "\n", "2: empty line"},
    {HEAD " a 1 10\n", "2: unknown operation: ' a 1 10'"},
    {HEAD "x 1\n", "2: unknown operation: 'x 1'"},
    {HEAD "A 1 10\n", "2: unknown operation: 'A 1 10'"},
    {HEAD "alloc 1 10\n", "2: unknown operation: 'alloc 1 10'"},
    {HEAD "an operation of more than 32 characters\n",
     "2: unknown operation: 'an operation of more than 32 cha...'"},
    {HEAD "x\033[31m\xff\n", "2: unknown operation: 'x?[31m?'"},
    {HEAD "a\n", "2: ID is missing"},
    {HEAD "a 1\n", "2: SIZE is missing"},
    {HEAD "a 1 2\nr 1\n", "3: NEWSIZE is missing"},
    {HEAD "f\n", "2: ID is missing"},
    {HEAD "a \n", "2: ID " NUMBER " after one blank: ' '"},
    {HEAD "a  1 10\n", "2: ID " NUMBER " after one blank: '  1 10'"},
    {HEAD "a 1  10\n", "2: SIZE " NUMBER " after one blank: '  10'"},
    {HEAD "a 1\t10\n", "2: ID " NUMBER ": '1?10'"},
    {HEAD "a -1 10\n", "2: ID " NUMBER " after one blank: ' -1 10'"},
    {HEAD "a 1 +10\n", "2: SIZE " NUMBER " after one blank: ' +10'"},
    {HEAD "a 1 0x10\n", "2: SIZE " NUMBER ": '0x10'"},
    {HEAD "a 1 1e3\n", "2: SIZE " NUMBER ": '1e3'"},
    {HEAD "a 1 10 eight\n", "2: ALIGN " NUMBER " after one blank: ' eight'"},
    {HEAD "a 1 10\r\n", "2: SIZE " NUMBER ": '10?'"},
    {HEAD "a 18446744073709551616 1\n",
     "2: ID is too large, the limit is 18446744073709551615: '18446744073709551616 1'"},
    {HEAD "a 99999999999999999999999 1\n",
     "2: ID is too large, the limit is 18446744073709551615: '99999999999999999999999 1'"},
    {HEAD "a 1 281474976710656\n", "2: SIZE is too large, the limit is 281474976710655: '281474976710656'"},
    {HEAD "a 1 1\nr 1 281474976710656\n",
     "3: NEWSIZE is too large, the limit is 281474976710655: '281474976710656'"},
    {HEAD "a 1 10 0\n", "2: ALIGN is not a power of two: 0"},
    {HEAD "a 1 10 24\n", "2: ALIGN is not a power of two: 24"},
    {HEAD "a 1 10 281474976710656\n",
     "2: ALIGN is too large, the limit is 281474976710655: '281474976710656'"},
    {HEAD "a 1 10 8 8\n", "2: unexpected text behind the operation: ' 8'"},
    {HEAD "a 1 10 \n", "2: ALIGN " NUMBER " after one blank: ' '"},
    {HEAD "a 1 10 # x\n", "2: ALIGN " NUMBER " after one blank: ' # x'"},
    {HEAD "a 1 1\nr 1 2 3\n", "3: unexpected text behind the operation: ' 3'"},
    {HEAD "a 1 1\nf 1 \n", "3: unexpected text behind the operation: ' '"},
    {HEAD "a 1 1\nl 1 1\n", "3: unexpected text behind the operation: ' 1'"},
    {HEAD "f 7\n", "2: ID 7 was never allocated"},
    {HEAD "r 7 1\n", "2: ID 7 was never allocated"},
    {HEAD "l 7\n", "2: ID 7 was never allocated"},
    {HEAD "u 7\n", "2: ID 7 was never allocated"},
    {HEAD "a 7 1\n# x\na 7 1\n", "4: ID 7 was used already and last changed at line 2; IDs are never reused"},
    {HEAD "a 7 1\nf 7\na 7 1\n", "4: ID 7 was used already and freed at line 3; IDs are never reused"},
    {HEAD "a 7 1\na 07 1\n", "3: ID 7 was used already and last changed at line 2; IDs are never reused"},
    {HEAD "a 7 1\nf 7\nf 7\n", "4: ID 7 was freed at line 3 and cannot be freed"},
    {HEAD "a 7 1\nf 7\nr 7 1\n", "4: ID 7 was freed at line 3 and cannot be resized"},
    {HEAD "a 7 1\nf 7\nl 7\n", "4: ID 7 was freed at line 3 and cannot be locked"},
    {HEAD "a 7 1\nf 7\nu 7\n", "4: ID 7 was freed at line 3 and cannot be unlocked"},
    {HEAD "a 7 1\nu 7\n", "3: ID 7 is not locked"},
    {HEAD "a 7 1\nl 7\nu 7\nu 7\n", "5: ID 7 is not locked"},
    {HEAD "a 7 1\nl 7\nl 7\n", "4: ID 7 was locked at line 3 and cannot be locked"},
    {HEAD "a 7 1\nl 7\nr 7 1\n", "4: ID 7 was locked at line 3 and cannot be resized"},
    {HEAD "a 7 1\nl 7\nf 7\n", "4: ID 7 was locked at line 3 and cannot be freed"},
};

static void test_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        expect_error("malformed", malformed[i].text, strlen(malformed[i].text), malformed[i].reason);
}

static void test_nul_byte(void **state)
{
    (void)state;
    static const char text[] = HEAD "a 1 10\nf 1\0\n";
    expect_error("nul", text, sizeof text - 1, "3: NUL byte in the line");
    expect_error("nul", "\0", 1, "1: truncated file: the last line has no newline");
}

/* A line of `length` characters, and its newline, behind the head. */
static char *long_comment(size_t length, size_t *bytes)
{
    *bytes = sizeof HEAD - 1 + length + 1;
    char *text = malloc(*bytes);
    assert_non_null(text);
    memcpy(text, HEAD, sizeof HEAD - 1);
    memset(text + sizeof HEAD - 1, '#', length);
    text[*bytes - 1] = '\n';
    return text;
}

static void test_long_line(void **state)
{
    (void)state;
    static const size_t too_long[] = {4096, 65536 - sizeof HEAD, 65536, 1000000};
    struct trace_error error;
    size_t bytes;
    char *text = long_comment(4095, &bytes);
    write_file("long", text, bytes);
    free(text);
    assert_int_equal(read_trace("long", &error), 0);
    for (size_t i = 0; i < sizeof too_long / sizeof too_long[0]; i++) {
        text = long_comment(too_long[i], &bytes);
        expect_error("long", text, bytes, "2: line too long");
        free(text);
    }
}

/* HEAD and so many lines of metadata; the caller frees it. */
static char *with_metadata(size_t lines, size_t *bytes)
{
    char *text = malloc(sizeof HEAD + lines * 16);
    assert_non_null(text);
    *bytes = (size_t)sprintf(text, HEAD);
    for (size_t i = 0; i < lines; i++)
        *bytes += (size_t)sprintf(text + *bytes, "# k%zu: v\n", i);
    return text;
}

static void test_metadata_limit(void **state)
{
    struct trace_error error;
    size_t bytes;
    (void)state;
    char *text = with_metadata(TRACE_METADATA_MAX, &bytes);
    write_file("long", text, bytes);
    free(text);
    assert_int_equal(read_trace("long", &error), 0);
    text = with_metadata(TRACE_METADATA_MAX + 1, &bytes);
    expect_error("long", text, bytes, "1002: more than 1000 lines of metadata");
    free(text);
}

static void test_payload_overflow(void **state)
{
    (void)state;
    enum { FITTING = 65536 };
    size_t room = (FITTING + 1) * 32;
    char *text = malloc(room);
    assert_non_null(text);
    size_t used = (size_t)sprintf(text, HEAD);
    for (int i = 0; i <= FITTING; i++)
        used += (size_t)sprintf(text + used, "a %d 281474976710655\n", i);
    expect_error("huge", text, used, "65538: the live payload exceeds 18446744073709551615 bytes");
    free(text);
}

static void test_unreadable(void **state)
{
    (void)state;
    struct trace_error error;
    char wanted[512];
    assert_null(trace_open(path_of("absent"), &error));
    snprintf(wanted, sizeof wanted, "%s: No such file or directory", path_of("absent"));
    assert_string_equal(error.text, wanted);
    assert_null(trace_open(folder, &error));
    snprintf(wanted, sizeof wanted, "%s: Is a directory", folder);
    assert_string_equal(error.text, wanted);
}

/* A path too long for the message loses its beginning, never the reason. */
static void test_long_path(void **state)
{
    (void)state;
    struct trace_error error;
    char path[3000];
    memset(path, '/', sizeof path);
    strcpy(path + sizeof path - 12, "absent/file");
    assert_null(trace_open(path, &error));
    assert_non_null(strstr(error.text, "//absent/file: No such file or directory"));
}

/* --- What a sound trace says ---------------------------------------------------- */

static void test_contents(void **state)
{
    (void)state;
    static const char text[] =
        HEAD "# program: lua x.lua\n#pointer-bits: 32\n# pointer-bits: 64\n# Key: no\n# no\n"
             "# program: another\n"
             "a 18446744073709551615 100\na 5 0 4096\nl 5\n# late: comment\n"
             "r 18446744073709551615 300\nu 5\nf 5\na 0 50 1\n";
    static const struct trace_op wanted[] = {
        {.kind = TRACE_ALLOC, .object = 0, .size = 100, .line = 8},
        {.kind = TRACE_ALLOC, .object = 1, .size = 0, .align_shift = 12, .line = 9},
        {.kind = TRACE_LOCK, .object = 1, .line = 10},
        {.kind = TRACE_RESIZE, .object = 0, .size = 300, .line = 12},
        {.kind = TRACE_UNLOCK, .object = 1, .line = 13},
        {.kind = TRACE_FREE, .object = 1, .line = 14},
        {.kind = TRACE_ALLOC, .object = 2, .size = 50, .line = 15},
    };
    struct trace trace;
    struct trace_error error;
    write_file("sound", text, sizeof text - 1);
    assert_int_equal(trace_load(&trace, path_of("sound"), &error), 0);
    assert_int_equal(trace.count, sizeof wanted / sizeof wanted[0]);
    assert_memory_equal(trace.ops, wanted, sizeof wanted);
    assert_int_equal(trace_op_alignment(&trace.ops[1]), 4096);
    assert_int_equal(trace_op_alignment(&trace.ops[6]), 1);
    assert_string_equal(trace_value(&trace, "program"), "lua x.lua");
    assert_string_equal(trace_value(&trace, "pointer-bits"), "64");
    assert_null(trace_value(&trace, "Key"));
    assert_null(trace_value(&trace, "late"));
    assert_int_equal(trace.comment_count, 3);
    trace_unload(&trace);
}

static void test_summary(void **state)
{
    (void)state;
    static const char text[] = HEAD "a 1 100\na 2 200 64\nf 1\na 3 50\nr 3 10\nr 3 100\n";
    struct trace trace;
    struct trace_error error;
    write_file("sums", text, sizeof text - 1);
    assert_int_equal(trace_load(&trace, path_of("sums"), &error), 0);
    assert_int_equal(trace.summary.operations, 6);
    assert_int_equal(trace.summary.objects, 3);
    assert_int_equal(trace.summary.live_objects, 2);
    assert_int_equal(trace.summary.peak_objects, 2);
    assert_int_equal(trace.summary.live_payload, 300);
    assert_int_equal(trace.summary.peak_payload, 300);
    assert_int_equal(trace.summary.peak_line, 3);
    assert_int_equal(trace.summary.largest_size, 200);
    assert_int_equal(trace.summary.largest_alignment, 64);
    trace_unload(&trace);
}

/* The metadata are known before the first operation is asked for; an empty trace is one. */
static void test_metadata_first(void **state)
{
    (void)state;
    static const char text[] = HEAD "# version: 5.4\n";
    struct trace_op op;
    struct trace_error error;
    write_file("empty", text, sizeof text - 1);
    trace_reader *reader = trace_open(path_of("empty"), &error);
    assert_non_null(reader);
    assert_string_equal(trace_metadata(reader, "version"), "5.4");
    assert_int_equal(trace_next(reader, &op, &error), 0);
    assert_int_equal(trace_next(reader, &op, &error), 0);
    assert_int_equal(trace_read_summary(reader)->operations, 0);
    assert_int_equal(trace_read_summary(reader)->largest_alignment, 1);
    trace_close(reader);
}

/* --- Round trip ------------------------------------------------------------------- */

static const char sample_text[] = HEAD "# program: a b\n# note: two lines\n"
                                       "a 1 10\na 2 20 64\nl 2\nr 1 281474976710655\nu 2\nf 1\n";

static trace_writer *write_sample(const char *path)
{
    struct trace_error error;
    trace_writer *writer = trace_create(path, &error);
    assert_non_null(writer);
    trace_put_comment(writer, "program", "a b");
    trace_put_comment(writer, "note", "two\nlines");
    trace_put_alloc(writer, 1, 10, 1);
    trace_put_alloc(writer, 2, 20, 64);
    trace_put_lock(writer, 2);
    trace_put_resize(writer, 1, TRACE_SIZE_MAX);
    trace_put_unlock(writer, 2);
    trace_put_free(writer, 1);
    return writer;
}

static void test_written_text(void **state)
{
    (void)state;
    char text[1024];
    struct trace_error error;
    trace_writer *writer = write_sample(path_of("plain"));
    assert_int_equal(access(path_of("plain"), F_OK), -1); /* not before the commit */
    assert_int_equal(trace_commit(writer, &error), 0);
    size_t bytes = read_file("plain", text, sizeof text);
    assert_int_equal(bytes, sizeof sample_text - 1);
    assert_memory_equal(text, sample_text, bytes);
    assert_int_equal(files_in_folder(), 1);
}

static void test_long_comment_is_cut(void **state)
{
    (void)state;
    char value[10000];
    struct trace trace;
    struct trace_error error;
    memset(value, 'x', sizeof value);
    value[sizeof value - 1] = '\0';
    trace_writer *writer = trace_create(path_of("cut"), &error);
    trace_put_comment(writer, "program", value);
    assert_int_equal(trace_commit(writer, &error), 0);
    assert_int_equal(trace_load(&trace, path_of("cut"), &error), 0);
    assert_in_range(strlen(trace_value(&trace, "program")), 4000, 4095);
    trace_unload(&trace);
}

static uint32_t next_random(uint32_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    return *random;
}

/* Enough operations that no buffer holds them all. */
static void write_many(const char *name, uint32_t count)
{
    uint32_t random = 2463534242u;
    struct trace_error error;
    trace_writer *writer = trace_create(path_of(name), &error);
    assert_non_null(writer);
    for (uint32_t i = 0; i < count; i++) {
        trace_put_alloc(writer, i, next_random(&random), 0);
        if (i >= 50)
            trace_put_free(writer, i - 50);
    }
    assert_int_equal(trace_commit(writer, &error), 0);
}

static void test_many_operations(void **state)
{
    (void)state;
    enum { COUNT = 100000 };
    static const char *const names[] = {"many", "many.zst"};
    struct trace trace;
    struct trace_error error;
    for (size_t n = 0; n < 2; n++) {
        uint32_t random = 2463534242u;
        write_many(names[n], COUNT);
        assert_int_equal(trace_load(&trace, path_of(names[n]), &error), 0);
        assert_int_equal(trace.count, 2 * COUNT - 50);
        for (size_t i = 0; i < trace.count; i++) {
            if (trace.ops[i].kind == TRACE_ALLOC)
                assert_int_equal(trace.ops[i].size, next_random(&random));
            else
                assert_int_equal(trace.ops[i].object + 50, trace.ops[i - 1].object);
        }
        trace_unload(&trace);
    }
    struct stat plain, packed;
    assert_int_equal(stat(path_of("many"), &plain) | stat(path_of("many.zst"), &packed), 0);
    assert_true(packed.st_size * 3 / 2 < plain.st_size);
}

/* The same operations, but that numbers are given again: never one that is in use, and few in all. */
static void test_spooled(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static uint32_t owner[COUNT]; /* by number: the object of the loaded trace that has it, plus 1 */
    static struct trace_cursor cursor, other;
    struct trace loaded, spooled;
    struct trace_error error;
    write_many("many.zst", COUNT);
    assert_int_equal(trace_load(&loaded, path_of("many.zst"), &error), 0);
    assert_int_equal(trace_spool(&spooled, path_of("many.zst"), &error), 0);
    assert_int_equal(files_in_folder(), 1);
    assert_int_equal(spooled.count, loaded.count);
    assert_int_equal(spooled.summary.allocations, COUNT);
    assert_int_equal(spooled.summary.peak_payload, loaded.summary.peak_payload);
    assert_int_equal(spooled.summary.objects, 51);
    trace_rewind(&cursor, &spooled);
    trace_rewind(&other, &spooled);
    for (size_t i = 0; i < loaded.count; i++) {
        const struct trace_op *wanted = &loaded.ops[i], *op = trace_step(&cursor);
        assert_non_null(op);
        assert_true(op->kind == wanted->kind && op->size == wanted->size && op->line == wanted->line);
        assert_true(op->object < spooled.summary.objects);
        assert_int_equal(owner[op->object], op->kind == TRACE_ALLOC ? 0 : wanted->object + 1);
        owner[op->object] = op->kind == TRACE_ALLOC ? wanted->object + 1 : 0;
        assert_true(i % 3 > 0 || trace_step(&other));
    }
    assert_null(trace_step(&cursor));
    assert_null(trace_step(&cursor));
    trace_unload(&spooled);
    trace_unload(&loaded);
}

static void test_not_spooled(void **state)
{
    (void)state;
    struct trace trace;
    struct trace_error error;
    write_file("bad", HEAD "a 1 1\nf 1\nf 1\n", sizeof HEAD + 15);
    assert_int_equal(trace_spool(&trace, path_of("bad"), &error), -1);
    assert_non_null(strstr(error.text, "bad:4: ID 1 was freed at line 3 and cannot be freed"));
    assert_int_equal(trace_spool(&trace, path_of("nowhere"), &error), -1);
    assert_non_null(strstr(error.text, "nowhere: No such file"));
    assert_null(trace.spool);
}

/* IDs in any order are remembered all the same. */
static void test_scattered_ids(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct trace_error error;
    char wanted[160];
    for (uint64_t again = 0; again < COUNT; again += 371) {
        trace_writer *writer = trace_create(path_of("scattered"), &error);
        assert_non_null(writer);
        for (uint64_t i = 0; i < COUNT; i++) {
            trace_put_alloc(writer, i * UINT64_C(0x9e3779b97f4a7c15), 1, 0);
            trace_put_free(writer, i * UINT64_C(0x9e3779b97f4a7c15));
        }
        trace_put_alloc(writer, again * UINT64_C(0x9e3779b97f4a7c15), 1, 0);
        assert_int_equal(trace_commit(writer, &error), 0);
        assert_int_equal(read_trace("scattered", &error), -1);
        snprintf(wanted, sizeof wanted, "ID %" PRIu64 " was used already and freed at line %" PRIu64 "; IDs",
                 again * UINT64_C(0x9e3779b97f4a7c15), 2 * again + 3);
        assert_non_null(strstr(error.text, wanted));
    }
}

/* Few bytes, behind the last of which much text is still to come; and frames of every kind, joined. */
static void test_joined_frames(void **state)
{
    (void)state;
    enum { COMMENTS = 40000 };
    static const char comment[] = "# the same line again and again\n";
    static const unsigned char skippable[] = {0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'};
    struct trace trace;
    struct trace_error error;
    size_t room = sizeof comment * COMMENTS;
    char *text = malloc(room), *packed = malloc(room);
    assert_true(text && packed);
    size_t used = (size_t)sprintf(text, HEAD);
    for (int i = 0; i < COMMENTS; i++)
        used += (size_t)sprintf(text + used, "%s", comment);
    memcpy(packed, skippable, sizeof skippable);
    size_t bytes = sizeof skippable;
    bytes += ZSTD_compress(packed + bytes, room - bytes, text, used, 3);
    write_file("single", packed, bytes);
    assert_int_equal(read_trace("single", &error), 0);
    bytes += ZSTD_compress(packed + bytes, room - bytes, "a 1 10\n", 7, 3);
    write_file("joined", packed, bytes);
    assert_int_equal(trace_load(&trace, path_of("joined"), &error), 0);
    assert_int_equal(trace.count, 1);
    assert_int_equal(trace.ops[0].line, COMMENTS + 2);
    trace_unload(&trace);
    free(text);
    free(packed);
}

/* --- Damage --------------------------------------------------------------------- */

/* The sample as the contents of a .zst file. */
static size_t packed_sample(char *bytes, size_t room)
{
    struct trace_error error;
    assert_int_equal(trace_commit(write_sample(path_of("sample.zst")), &error), 0);
    return read_file("sample.zst", bytes, room);
}

static void test_truncated_zst(void **state)
{
    (void)state;
    char bytes[1024];
    struct trace_error error;
    size_t count = packed_sample(bytes, sizeof bytes);
    assert_int_equal(read_trace("sample.zst", &error), 0);
    for (size_t kept = 4; kept < count; kept++) {
        write_file("short.zst", bytes, kept);
        assert_int_equal(read_trace("short.zst", &error), -1);
        assert_non_null(strstr(error.text, "truncated file: the compressed data end too early"));
    }
    expect_error("short.zst", bytes, 5, "1: truncated file: the compressed data end too early");
}

/* Returns 1: for some bits, such as those that say how large a window suffices, two values are right. */
static size_t expect_sample(const char *name)
{
    struct trace got, wanted;
    struct trace_error error;
    write_file("plain", sample_text, sizeof sample_text - 1);
    assert_int_equal(trace_load(&got, path_of(name), &error), 0);
    assert_int_equal(trace_load(&wanted, path_of("plain"), &error), 0);
    assert_int_equal(got.count, wanted.count);
    assert_memory_equal(got.ops, wanted.ops, wanted.count * sizeof *wanted.ops);
    trace_unload(&got);
    trace_unload(&wanted);
    return 1;
}

static void test_corrupt_zst(void **state)
{
    (void)state;
    char bytes[1024];
    struct trace_error error;
    size_t count = packed_sample(bytes, sizeof bytes), harmless = 0;
    for (size_t bit = 0; bit < count * 8; bit++) {
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        write_file("corrupt.zst", bytes, count);
        if (read_trace("corrupt.zst", &error) == 0)
            harmless += expect_sample("corrupt.zst");
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
    }
    assert_true(harmless < 32);
    bytes[count] = 'x';
    write_file("corrupt.zst", bytes, count + 1);
    assert_int_equal(read_trace("corrupt.zst", &error), -1);
}

/* Whatever a file holds, it is read or refused with its name and a reason. */
static void expect_no_crash(const char *name)
{
    struct trace_error error;
    if (read_trace(name, &error) != 0) {
        const char *path = path_of(name);
        assert_memory_equal(error.text, path, strlen(path));
        assert_int_equal(error.text[strlen(path)], ':');
        assert_true(strlen(error.text) > strlen(path) + 3);
    }
}

static void test_random_bytes(void **state)
{
    (void)state;
    char bytes[512];
    uint32_t random = 88172645u;
    for (int round = 0; round < 2000; round++) {
        size_t count = next_random(&random) % sizeof bytes;
        for (size_t i = 0; i < count; i++)
            bytes[i] = (char)next_random(&random);
        if (round % 2)
            memcpy(bytes, "\x28\xb5\x2f\xfd", 4);
        write_file("random", bytes, count);
        expect_no_crash("random");
    }
}

static void test_random_changes(void **state)
{
    (void)state;
    static const char alphabet[] = "arflu# 0123456789\n\n";
    char bytes[sizeof sample_text];
    uint32_t random = 521288629u;
    for (int round = 0; round < 4000; round++) {
        memcpy(bytes, sample_text, sizeof bytes);
        for (uint32_t changes = next_random(&random) % 6 + 1; changes > 0; changes--)
            bytes[15 + next_random(&random) % (sizeof bytes - 16)] =
                alphabet[next_random(&random) % (sizeof alphabet - 1)];
        write_file("changed", bytes, sizeof bytes - 1);
        expect_no_crash("changed");
    }
}

/* --- Writing that fails --------------------------------------------------------- */

static void expect_write_error(trace_writer *writer, const char *path, const char *reason)
{
    char wanted[512];
    struct trace_error error;
    assert_int_equal(trace_commit(writer, &error), -1);
    snprintf(wanted, sizeof wanted, "%s: %s", path, reason);
    assert_string_equal(error.text, wanted);
}

static void test_full_disk(void **state)
{
    (void)state;
    expect_write_error(write_sample("/dev/full"), "/dev/full", "No space left on device");
}

static void test_cannot_create(void **state)
{
    (void)state;
    struct trace_error error;
    char wanted[512];
    assert_null(trace_create(path_of("no/folder"), &error));
    snprintf(wanted, sizeof wanted, "%s: No such file or directory", path_of("no/folder"));
    assert_string_equal(error.text, wanted);
    assert_null(trace_create(folder, &error));
    snprintf(wanted, sizeof wanted, "%s: Is a directory", folder);
    assert_string_equal(error.text, wanted);
    assert_int_equal(files_in_folder(), 0);
}

/* The reader of a pipe goes away. */
static void test_closed_pipe(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    int reader = open(path_of("pipe"), O_RDONLY | O_NONBLOCK);
    trace_writer *writer = write_sample(path_of("pipe"));
    close(reader);
    expect_write_error(writer, path_of("pipe"), "Broken pipe");
    assert_int_equal(files_in_folder(), 1);
}

/* A write that fails half-way leaves the file that was there, and no other. */
static void test_failure_leaves_nothing(void **state)
{
    (void)state;
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = {.rlim_cur = 1000, .rlim_max = limit.rlim_max};
    struct trace_error error;
    write_file("old", "old", 3);
    trace_writer *writer = trace_create(path_of("old"), &error);
    for (uint64_t id = 0; id < 1000; id++)
        trace_put_alloc(writer, id, id, 0);
    assert_false(trace_write_failed(writer));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    expect_write_error(writer, path_of("old"), "File too large");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(files_in_folder(), 1);
    char text[8];
    assert_int_equal(read_file("old", text, sizeof text), 3);
}

static void test_early_failure_is_seen(void **state)
{
    (void)state;
    trace_writer *writer = write_sample("/dev/full");
    for (uint64_t id = 0; id < 100000; id++)
        trace_put_free(writer, id);
    assert_true(trace_write_failed(writer));
    trace_discard(writer);
}

static void test_discard(void **state)
{
    (void)state;
    trace_discard(write_sample(path_of("discarded")));
    trace_discard(write_sample(path_of("discarded.zst")));
    assert_int_equal(files_in_folder(), 0);
}

static void test_rights_and_replacement(void **state)
{
    (void)state;
    struct stat now;
    struct trace_error error;
    mode_t mask = umask(027);
    write_file("kept", "old", 3);
    assert_int_equal(trace_commit(write_sample(path_of("kept")), &error), 0);
    umask(mask);
    assert_int_equal(stat(path_of("kept"), &now), 0);
    assert_int_equal(now.st_mode & 0777, 0640);
    assert_int_equal(now.st_size, sizeof sample_text - 1);
}

/* --- The bundled traces ------------------------------------------------------------ */

static void expect_number(const struct trace *trace, const char *key, uint64_t wanted)
{
    const char *value = trace_value(trace, key);
    assert_non_null(value);
    assert_int_equal(strtoull(value, NULL, 10), wanted);
}

/* Each is sound, says of itself what is true, and is of the size that was promised. */
static void expect_bundled(const char *path)
{
    struct trace trace;
    struct trace_error error;
    if (trace_load(&trace, path, &error) != 0)
        fail_msg("%s", error.text);
    expect_number(&trace, "operations", trace.summary.operations);
    expect_number(&trace, "peak-payload", trace.summary.peak_payload);
    expect_number(&trace, "pointer-bits", 64);
    expect_number(&trace, "unknown-frees", 0);
    expect_number(&trace, "unknown-resizes", 0);
    expect_number(&trace, "unseen-frees", 0);
    assert_non_null(trace_value(&trace, "program"));
    assert_non_null(trace_value(&trace, "version"));
    assert_null(strchr(trace_value(&trace, "program"), '/'));
    assert_in_range(trace.summary.peak_payload, 4 << 10, 160 << 10);
    trace_unload(&trace);
}

static void test_bundled(void **state)
{
    (void)state;
    const char *top = getenv("top_srcdir");
    char path[4096];
    int count = 0;
    if (!top)
        skip();
    snprintf(path, sizeof path, "%s/traces", top);
    DIR *open = opendir(path);
    assert_non_null(open);
    for (struct dirent *entry; (entry = readdir(open)) != NULL;) {
        if (!strstr(entry->d_name, ".zst"))
            continue;
        snprintf(path, sizeof path, "%s/traces/%s", top, entry->d_name);
        expect_bundled(path);
        count++;
    }
    closedir(open);
    assert_true(count >= 5);
}

#define TEST(name) cmocka_unit_test_teardown(name, remove_files)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_malformed),
        TEST(test_nul_byte),
        TEST(test_long_line),
        TEST(test_metadata_limit),
        TEST(test_payload_overflow),
        TEST(test_unreadable),
        TEST(test_long_path),
        TEST(test_contents),
        TEST(test_summary),
        TEST(test_metadata_first),
        TEST(test_written_text),
        TEST(test_long_comment_is_cut),
        TEST(test_many_operations),
        TEST(test_spooled),
        TEST(test_not_spooled),
        TEST(test_scattered_ids),
        TEST(test_joined_frames),
        TEST(test_truncated_zst),
        TEST(test_corrupt_zst),
        TEST(test_random_bytes),
        TEST(test_random_changes),
        TEST(test_full_disk),
        TEST(test_cannot_create),
        TEST(test_closed_pipe),
        TEST(test_failure_leaves_nothing),
        TEST(test_early_failure_is_seen),
        TEST(test_discard),
        TEST(test_rights_and_replacement),
        TEST(test_bundled),
    };
    if (!mkdtemp(folder)) {
        perror(folder);
        return 1;
    }
    int failed = cmocka_run_group_tests_name("trace", tests, NULL, NULL);
    rmdir(folder);
    return failed;
}
