/* SPDX-License-Identifier: MIT */
#include "record_device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "defrag_record.h"
#include "stream.h"
#include "xalloc.h"

#define uthash_malloc(bytes) xrealloc(NULL, 1, bytes)
#include <uthash.h>

/* --- Reading ------------------------------------------------------------------- */

struct reading {
    struct record_device *device;
    const char *path;
    struct trace_error *error;
    uint32_t line;
    uint8_t next; /* number that the next line of the recording must have */
    bool is_begun;
};

#define FAIL(reading, ...) trace_fail((reading)->path, (reading)->line, (reading)->error, __VA_ARGS__)

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Two digits; -1 if they are none. */
static int byte_value(const char *text)
{
    int high = digit_value(text[0]);
    int low = high < 0 ? -1 : digit_value(text[1]);
    return low < 0 ? -1 : high * 16 + low;
}

/* Takes `,NUMBER` off the front of `*at`. */
static bool take_number(const char **at, uint64_t *out)
{
    const char *text = *at;
    uint64_t value = 0;
    if (*text++ != ',' || digit_value(*text) < 0) {
        return false;
    }
    for (; digit_value(*text) >= 0; text++) {
        if (value >> 60) {
            return false;
        }
        value = value << 4 | (unsigned)digit_value(*text);
    }
    *at = text;
    *out = value;
    return true;
}

/* The part between $ and *, whose check digits are right; cuts it there. */
static int check_digits(const struct reading *reading, char *text)
{
    uint8_t check = 0;
    size_t length = strlen(text);
    if (length > 0 && text[length - 1] == '\r') {
        text[--length] = '\0';
    }
    if (length < 6 || text[length - 3] != '*' || byte_value(text + length - 2) < 0) {
        return FAIL(reading, "garbled: the line does not end in * and two check digits");
    }
    int said = byte_value(text + length - 2);
    text[length - 3] = '\0';
    for (const char *c = text; *c; c++) {
        check = (uint8_t)((unsigned)check << 1 | (unsigned)check >> 7);
        check = (uint8_t)(check ^ (unsigned char)*c);
    }
    if (check != said) {
        return FAIL(reading, "garbled: the check digits of what is there are %02x, and they say %02x", check,
                    said);
    }
    return 0;
}

static int check_count(struct reading *reading, const char *text)
{
    int number = byte_value(text + 1);
    if (number < 0) {
        return FAIL(reading, "garbled: the line has no number");
    }
    if (text[0] == 'b' && number == 0) {
        return 0;
    }
    if (!reading->is_begun) {
        return FAIL(reading, "the recording does not begin: its first line, $b00, is missing");
    }
    if (number != reading->next) {
        return FAIL(reading, "%u lines are missing in front of this one (or 256 more, or 512...)",
                    (unsigned)(uint8_t)(number - reading->next));
    }
    return 0;
}

static int begin(struct reading *reading, const char *at)
{
    uint64_t version, bits;
    if (reading->is_begun) {
        return FAIL(
            reading,
            "another recording begins here, as after a reset; the stream has to be cut in front of it");
    }
    if (!take_number(&at, &version) || version != DEFRAG_RECORD_VERSION) {
        return FAIL(reading, "this is no recording of version %u", DEFRAG_RECORD_VERSION);
    }
    if (!take_number(&at, &bits) || bits < 8 || bits > 64 || *at) {
        return FAIL(reading, "the recording does not say how many bits a pointer has");
    }
    reading->device->pointer_bits = (unsigned)bits;
    reading->is_begun = true;
    return 0;
}

static bool is_power_of_two(uint64_t number)
{
    return number != 0 && (number & (number - 1)) == 0;
}

/* What each kind of line has behind its number. */
static bool take_fields(const char *at, struct record_device_event *event)
{
    bool has_size = event->kind == 'a' || event->kind == 'r';
    if (!take_number(&at, &event->name) || event->name == 0) {
        return false;
    }
    event->new_name = event->name;
    if (has_size && (!take_number(&at, &event->size) || event->size > TRACE_SIZE_MAX)) {
        return false;
    }
    if (event->kind == 'a' && *at) {
        return take_number(&at, &event->alignment) && is_power_of_two(event->alignment)
               && event->alignment <= TRACE_SIZE_MAX && !*at;
    }
    if (event->kind == 'r' && *at) {
        return take_number(&at, &event->new_name) && event->new_name != 0 && !*at;
    }
    return !*at;
}

static int add_event(const struct reading *reading, const char *text)
{
    struct record_device *device = reading->device;
    struct record_device_event event = {.kind = text[0], .line = reading->line};
    if (!strchr("arflu", event.kind)) {
        return FAIL(reading, "there is no operation '%c'",
                    event.kind > ' ' && event.kind < 127 ? event.kind : '?');
    }
    if (!take_fields(text + 3, &event)) {
        return FAIL(reading, "the operation '%c' has other fields", event.kind);
    }
    if (device->count == device->room) {
        device->room = 2 * device->room + 256;
        device->events = xrealloc(device->events, device->room, sizeof *device->events);
    }
    device->events[device->count++] = event;
    return 0;
}

/* What stands behind the $. */
static int read_record(struct reading *reading, char *text)
{
    if (check_digits(reading, text) != 0 || check_count(reading, text) != 0) {
        return -1;
    }
    if (reading->device->is_ended) {
        return FAIL(reading, "the recording goes on behind its end");
    }
    reading->next = (uint8_t)(byte_value(text + 1) + 1);
    switch (text[0]) {
    case 'b':
        return begin(reading, text + 3);
    case 'e':
        reading->device->is_ended = true;
        return text[3] ? FAIL(reading, "the end has fields") : 0;
    default:
        return add_event(reading, text);
    }
}

static int read_line(struct reading *reading, char *line)
{
    if (reading->line == UINT32_MAX) {
        return FAIL(reading, "too many lines");
    }
    reading->line++;
    return line[0] == '$' ? read_record(reading, line + 1) : 0;
}

static int read_lines(struct reading *reading, stream_in *in)
{
    char *line;
    int result;
    while ((result = stream_in_line(in, &line)) == 1) {
        if (read_line(reading, line) != 0) {
            return -1;
        }
    }
    if (result < 0) {
        reading->line++;
        return FAIL(reading, "%s", stream_in_reason(in));
    }
    if (!reading->is_begun) {
        reading->line = 0;
        return FAIL(reading, "no recording: no line begins one with $b00");
    }
    return 0;
}

int record_device_read(struct record_device *device, const char *path, struct trace_error *error)
{
    struct reading reading = {.device = device, .path = path, .error = error};
    *device = (struct record_device){0};
    stream_in *in = stream_in_open(path);
    if (!in) {
        return trace_fail(path, 0, error, "%s", strerror(errno));
    }
    stream_in_want(in, '$');
    int result = read_lines(&reading, in);
    stream_in_close(in);
    if (result != 0) {
        record_device_release(device);
    }
    return result;
}

void record_device_release(struct record_device *device)
{
    free(device->events);
    *device = (struct record_device){0};
}

/* --- Converting -------------------------------------------------------------------- */

struct object {
    uint64_t name;
    uint64_t id;
    uint64_t size;
    uint64_t locks;
    UT_hash_handle hh;
};

struct conversion {
    trace_writer *writer;
    struct record_counts *counts;
    struct object *live;
};

static struct object *find(const struct conversion *c, uint64_t name)
{
    struct object *found;
    HASH_FIND(hh, c->live, &name, sizeof name, found);
    return found;
}

static struct object *take(struct conversion *c, uint64_t name)
{
    struct object *found;
    HASH_FIND(hh, c->live, &name, sizeof name, found);
    if (found) {
        HASH_DEL(c->live, found);
    }
    return found;
}

static void give(struct conversion *c, struct object *object, uint64_t name)
{
    object->name = name;
    HASH_ADD(hh, c->live, name, sizeof object->name, object);
}

static void drop_all(struct object **table)
{
    struct object *object, *next;
    HASH_ITER(hh, *table, object, next) {
        /* NOLINTNEXTLINE(*unix.Malloc): what was freed is no longer in the table */
        HASH_DEL(*table, object);
        free(object);
    }
}

static void count(struct conversion *c, uint64_t before, uint64_t after)
{
    struct record_counts *counts = c->counts;
    counts->operations++;
    counts->live_payload += after - before;
    if (counts->live_payload > counts->peak_payload) {
        counts->peak_payload = counts->live_payload;
    }
}

static void put_lock(struct conversion *c, const struct object *object, bool on)
{
    if (c->writer) {
        (on ? trace_put_lock : trace_put_unlock)(c->writer, object->id);
    }
    c->counts->operations++;
}

static void end_object(struct conversion *c, struct object *object)
{
    if (object->locks) {
        put_lock(c, object, false);
    }
    if (c->writer) {
        trace_put_free(c->writer, object->id);
    }
    count(c, object->size, 0);
    c->counts->left--;
    free(object);
}

/* What had the name that something else has now is gone. */
static void end_unseen(struct conversion *c, uint64_t name)
{
    struct object *old = take(c, name);
    if (old) {
        c->counts->unseen_frees++;
        end_object(c, old);
    }
}

static void begin_object(struct conversion *c, uint64_t name, const struct record_device_event *event)
{
    end_unseen(c, name);
    struct object *object = xcalloc(1, sizeof *object);
    object->id = ++c->counts->objects;
    object->size = event->size;
    give(c, object, name);
    if (c->writer) {
        trace_put_alloc(c->writer, object->id, object->size, event->alignment);
    }
    c->counts->left++;
    count(c, 0, object->size);
}

/* In a trace no locked object is resized; on the device it was, in place. */
static void resize_object(struct conversion *c, const struct record_device_event *event)
{
    struct object *object = take(c, event->name);
    if (!object) {
        c->counts->unknown_resizes++;
        begin_object(c, event->new_name, event);
        return;
    }
    end_unseen(c, event->new_name);
    give(c, object, event->new_name);
    if (object->locks) {
        put_lock(c, object, false);
    }
    if (c->writer) {
        trace_put_resize(c->writer, object->id, event->size);
    }
    count(c, object->size, event->size);
    object->size = event->size;
    if (object->locks) {
        put_lock(c, object, true);
    }
}

static void free_object(struct conversion *c, const struct record_device_event *event)
{
    struct object *object = take(c, event->name);
    if (object) {
        end_object(c, object);
    } else {
        c->counts->unknown_frees++;
    }
}

/* In a trace an object is locked or not: the first lock and the last unlock count. */
static void lock_object(struct conversion *c, const struct record_device_event *event)
{
    struct object *object = find(c, event->name);
    if (!object) {
        c->counts->unknown_locks++;
    } else if (object->locks++ == 0) {
        put_lock(c, object, true);
    }
}

static void unlock_object(struct conversion *c, const struct record_device_event *event)
{
    struct object *object = find(c, event->name);
    if (!object || object->locks == 0) {
        c->counts->unknown_locks++;
    } else if (--object->locks == 0) {
        put_lock(c, object, false);
    }
}

static void convert(struct conversion *c, const struct record_device_event *event)
{
    switch (event->kind) {
    case 'a':
        begin_object(c, event->name, event);
        break;
    case 'r':
        resize_object(c, event);
        break;
    case 'f':
        free_object(c, event);
        break;
    case 'l':
        lock_object(c, event);
        break;
    default:
        unlock_object(c, event);
        break;
    }
}

void record_device_convert(const struct record_device *device, trace_writer *writer,
                           struct record_counts *counts)
{
    struct conversion c = {.writer = writer, .counts = counts};
    *counts = (struct record_counts){0};
    for (size_t i = 0; i < device->count; i++) {
        convert(&c, &device->events[i]);
        if (writer && trace_write_failed(writer)) {
            break;
        }
    }
    drop_all(&c.live);
}
