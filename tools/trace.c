/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Running out of memory is an error like any other here, not an exit. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "cleanup.h"
#include "stream.h"
#include "xalloc.h"

enum { SHOWN_MAX = 32, PATH_SHOWN_MAX = 512 };

_Static_assert(sizeof(struct trace_op) == 16,
               "a trace of a million operations is replayed hundreds of times");

/* --- Objects ------------------------------------------------------------ */

enum object_state { LIVE, LOCKED };

/* One that is not freed; or a spare one, of which only the index matters. */
struct object {
    uint64_t id;
    uint64_t size;
    uint32_t index;
    uint32_t line; /* of the operation that brought it into its state */
    enum object_state state;
    struct object *next_spare;
    UT_hash_handle hh;
};

/* IDs must not come back: a bit for each of the freed. Most come in sequence, so that it is not much more. */
enum { CHUNK_IDS = 512 };

struct id_chunk {
    uint64_t number; /* ID / CHUNK_IDS */
    uint64_t freed[CHUNK_IDS / 64];
    UT_hash_handle hh;
};

struct trace_reader {
    stream_in *in;
    char *path;
    uint32_t line;
    struct object *objects;
    struct object *spare; /* of freed ones, if their numbers are given again */
    bool reuses_numbers;
    struct id_chunk *chunks;
    struct trace_comment *comments;
    size_t comment_count;
    struct trace_summary summary;
    struct trace_op first; /* read by trace_open() */
    int first_result;      /* of reading it; given out once */
    bool first_given;
};

/* --- Errors ------------------------------------------------------------- */

static const char *path_shown(const char *path)
{
    size_t length = strlen(path);
    return length <= PATH_SHOWN_MAX ? path : path + length - PATH_SHOWN_MAX;
}

int trace_fail(const char *path, uint32_t line, struct trace_error *error, const char *format, ...)
{
    int used;
    if (line > 0) {
        used = snprintf(error->text, sizeof error->text, "%s:%" PRIu32 ": ", path_shown(path), line);
    } else {
        used = snprintf(error->text, sizeof error->text, "%s: ", path_shown(path));
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text + used, sizeof error->text - (size_t)used, format, arguments);
    va_end(arguments);
    return -1;
}

#define FAIL(reader, error, ...) trace_fail((reader)->path, (reader)->line, error, __VA_ARGS__)

struct shown {
    char text[SHOWN_MAX + 4];
};

/* What is quoted in a message: printable and short, whatever the file holds. */
static struct shown show(const char *text)
{
    struct shown out;
    size_t length = strnlen(text, SHOWN_MAX);
    for (size_t i = 0; i < length; i++) {
        out.text[i] = isprint((unsigned char)text[i]) ? text[i] : '?';
    }
    /* NOLINTNEXTLINE(*insecureAPI.strcpy): there is room for four bytes more than length can be */
    strcpy(out.text + length, text[length] ? "..." : "");
    return out;
}

/* --- Numbers ------------------------------------------------------------ */

/*
 * Takes ` NUMBER` off the front of `*at`. Returns 0, or -1 with `error` filled;
 * `name` is what the number stands for.
 */
static int take_number(const trace_reader *reader, const char **at, const char *name, uint64_t limit,
                       uint64_t *out, struct trace_error *error)
{
    const char *text = *at;
    if (*text == '\0') {
        return FAIL(reader, error, "%s is missing", name);
    }
    if (*text != ' ' || !isdigit((unsigned char)text[1])) {
        return FAIL(reader, error, "%s is not a decimal number after one blank: '%s'", name, show(text).text);
    }
    uint64_t value = 0;
    for (text++; isdigit((unsigned char)*text); text++) {
        uint64_t digit = (uint64_t)(*text - '0');
        if (value > (limit - digit) / 10) {
            return FAIL(reader, error, "%s is too large, the limit is %" PRIu64 ": '%s'", name, limit,
                        show(*at + 1).text);
        }
        value = value * 10 + digit;
    }
    if (*text != ' ' && *text != '\0') {
        return FAIL(reader, error, "%s is not a decimal number: '%s'", name, show(*at + 1).text);
    }
    *out = value;
    *at = text;
    return 0;
}

static int take_size(const trace_reader *reader, const char **at, const char *name, struct trace_op *op,
                     struct trace_error *error)
{
    uint64_t size;
    if (take_number(reader, at, name, TRACE_SIZE_MAX, &size, error) != 0) {
        return -1;
    }
    op->size = size & TRACE_SIZE_MAX;
    return 0;
}

static int take_alignment(const trace_reader *reader, const char **at, struct trace_op *op,
                          struct trace_error *error)
{
    uint64_t alignment;
    if (**at == '\0') {
        return 0;
    }
    if (take_number(reader, at, "ALIGN", TRACE_SIZE_MAX, &alignment, error) != 0) {
        return -1;
    }
    if (alignment == 0 || (alignment & (alignment - 1)) != 0) {
        return FAIL(reader, error, "ALIGN is not a power of two: %" PRIu64, alignment);
    }
    while (alignment >> op->align_shift != 1) {
        op->align_shift++;
    }
    return 0;
}

/* --- Operations --------------------------------------------------------- */

static void count_payload(trace_reader *reader, uint64_t before, uint64_t after)
{
    struct trace_summary *sum = &reader->summary;
    sum->live_payload += after - before;
    if (sum->live_payload > sum->peak_payload || sum->peak_line == 0) {
        sum->peak_payload = sum->live_payload;
        sum->peak_line = reader->line;
    }
    if (after > sum->largest_size) {
        sum->largest_size = after;
    }
}

static struct object *find_object(const trace_reader *reader, uint64_t id)
{
    struct object *found;
    HASH_FIND(hh, reader->objects, &id, sizeof id, found);
    return found;
}

/* --- IDs that were used --------------------------------------------------- */

static struct id_chunk *find_chunk(const trace_reader *reader, uint64_t id)
{
    struct id_chunk *found;
    uint64_t number = id / CHUNK_IDS;
    HASH_FIND(hh, reader->chunks, &number, sizeof number, found);
    return found;
}

static bool is_freed(const trace_reader *reader, uint64_t id)
{
    const struct id_chunk *chunk = find_chunk(reader, id);
    return chunk && chunk->freed[id % CHUNK_IDS / 64] >> id % 64 & 1;
}

static int note_freed(trace_reader *reader, uint64_t id, struct trace_error *error)
{
    struct id_chunk *chunk = find_chunk(reader, id);
    if (!chunk) {
        chunk = calloc(1, sizeof *chunk);
        if (!chunk) {
            return FAIL(reader, error, "out of memory");
        }
        chunk->number = id / CHUNK_IDS;
        HASH_ADD(hh, reader->chunks, number, sizeof chunk->number, chunk);
        if (!chunk->hh.tbl) {
            free(chunk);
            return FAIL(reader, error, "out of memory");
        }
    }
    chunk->freed[id % CHUNK_IDS / 64] |= UINT64_C(1) << id % 64;
    return 0;
}

/* " at line N", for a message: reads the file again up to there. Nothing if it is none to be read twice. */
static struct shown where_freed(const trace_reader *reader, uint64_t id)
{
    struct shown where = {""};
    stream_in *in = stream_in_reopen(reader->in);
    char *line;

    for (uint32_t number = 1; in && number < reader->line && stream_in_line(in, &line) == 1; number++) {
        if (line[0] == 'f' && strtoull(line + 1, NULL, 10) == id) {
            snprintf(where.text, sizeof where.text, " at line %" PRIu32, number);
            break;
        }
    }
    stream_in_close(in);
    return where;
}

/* --- Changes to objects ----------------------------------------------------- */

/* An object with a number, from the spare ones or new. */
static struct object *make_object(trace_reader *reader)
{
    struct object *object = reader->spare;
    if (object) {
        reader->spare = object->next_spare;
        return object;
    }
    object = calloc(1, sizeof *object);
    if (object) {
        object->index = reader->summary.objects++;
    }
    return object;
}

static void count_alloc(trace_reader *reader, const struct trace_op *op)
{
    struct trace_summary *sum = &reader->summary;
    sum->allocations++;
    sum->live_objects++;
    if (sum->live_objects > sum->peak_objects) {
        sum->peak_objects = sum->live_objects;
    }
    if (trace_op_alignment(op) > sum->largest_alignment) {
        sum->largest_alignment = trace_op_alignment(op);
    }
    count_payload(reader, 0, op->size);
}

static int add_object(trace_reader *reader, uint64_t id, struct trace_op *op, struct trace_error *error)
{
    const struct object *old = find_object(reader, id);
    if (old) {
        return FAIL(reader, error,
                    "ID %" PRIu64 " was used already and last changed at line %" PRIu32
                    "; IDs are never reused",
                    id, old->line);
    }
    if (is_freed(reader, id)) {
        return FAIL(reader, error, "ID %" PRIu64 " was used already and freed%s; IDs are never reused", id,
                    where_freed(reader, id).text);
    }
    if (reader->summary.allocations == UINT32_MAX) {
        return FAIL(reader, error, "too many objects");
    }
    struct object *object = make_object(reader);
    if (!object) {
        return FAIL(reader, error, "out of memory");
    }
    object->id = id;
    object->size = op->size;
    object->line = reader->line;
    object->state = LIVE;
    HASH_ADD(hh, reader->objects, id, sizeof object->id, object);
    if (!object->hh.tbl) {
        free(object);
        return FAIL(reader, error, "out of memory");
    }
    op->object = object->index;
    count_alloc(reader, op);
    return 0;
}

static int remove_object(trace_reader *reader, struct object *object, struct trace_error *error)
{
    if (note_freed(reader, object->id, error) != 0) {
        return -1;
    }
    count_payload(reader, object->size, 0);
    reader->summary.live_objects--;
    HASH_DEL(reader->objects, object); /* NOLINT(*unix.Malloc): the table goes with the last one only */
    if (!reader->reuses_numbers) {
        free(object);
        return 0;
    }
    object->next_spare = reader->spare;
    reader->spare = object;
    return 0;
}

static const char *const past_of[] = {"allocated", "resized", "freed", "locked", "unlocked"};

/* Whether an object in this state bears the operation. */
static int check_state(const trace_reader *reader, const struct object *object, enum trace_kind kind,
                       struct trace_error *error)
{
    if (kind == TRACE_UNLOCK && object->state != LOCKED) {
        return FAIL(reader, error, "ID %" PRIu64 " is not locked", object->id);
    }
    if (kind != TRACE_UNLOCK && object->state == LOCKED) {
        return FAIL(reader, error, "ID %" PRIu64 " was locked at line %" PRIu32 " and cannot be %s",
                    object->id, object->line, past_of[kind]);
    }
    return 0;
}

static void set_state(trace_reader *reader, struct object *object, enum object_state state)
{
    object->state = state;
    object->line = reader->line;
}

static int change_object(trace_reader *reader, uint64_t id, struct trace_op *op, struct trace_error *error)
{
    enum trace_kind kind = (enum trace_kind)op->kind;
    struct object *object = find_object(reader, id);
    if (!object && is_freed(reader, id)) {
        return FAIL(reader, error, "ID %" PRIu64 " was freed%s and cannot be %s", id,
                    where_freed(reader, id).text, past_of[kind]);
    }
    if (!object) {
        return FAIL(reader, error, "ID %" PRIu64 " was never allocated", id);
    }
    if (check_state(reader, object, kind, error) != 0) {
        return -1;
    }
    op->object = object->index;
    switch (kind) {
    case TRACE_RESIZE:
        count_payload(reader, object->size, op->size);
        object->size = op->size;
        break;
    case TRACE_FREE:
        return remove_object(reader, object, error);
    case TRACE_LOCK:
        set_state(reader, object, LOCKED);
        break;
    default:
        set_state(reader, object, LIVE);
        break;
    }
    return 0;
}

static int apply(trace_reader *reader, uint64_t id, struct trace_op *op, struct trace_error *error)
{
    if (op->size > UINT64_MAX - reader->summary.live_payload) {
        return FAIL(reader, error, "the live payload exceeds %" PRIu64 " bytes", UINT64_MAX);
    }
    int result =
        op->kind == TRACE_ALLOC ? add_object(reader, id, op, error) : change_object(reader, id, op, error);
    reader->summary.operations += result == 0;
    return result;
}

static int parse_operation(trace_reader *reader, const char *line, struct trace_op *op,
                           struct trace_error *error)
{
    static const char letters[] = "arflu"; /* in the order of enum trace_kind */
    const char *letter = strchr(letters, line[0]);
    if (line[0] == '\0') {
        return FAIL(reader, error, "empty line");
    }
    if (!letter || (line[1] != ' ' && line[1] != '\0')) {
        return FAIL(reader, error, "unknown operation: '%s'", show(line).text);
    }
    const char *at = line + 1;
    uint64_t id = 0;
    *op = (struct trace_op){.kind = (uint64_t)(letter - letters) & 7, .line = reader->line};
    if (take_number(reader, &at, "ID", UINT64_MAX, &id, error) != 0 ||
        (op->kind == TRACE_ALLOC && take_size(reader, &at, "SIZE", op, error) != 0) ||
        (op->kind == TRACE_ALLOC && take_alignment(reader, &at, op, error) != 0) ||
        (op->kind == TRACE_RESIZE && take_size(reader, &at, "NEWSIZE", op, error) != 0)) {
        return -1;
    }
    if (*at != '\0') {
        return FAIL(reader, error, "unexpected text behind the operation: '%s'", show(at).text);
    }
    return apply(reader, id, op, error);
}

/* --- Metadata ----------------------------------------------------------- */

static size_t key_length(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return strncmp(text + length, ": ", 2) == 0 ? length : 0;
}

static int keep_comment(trace_reader *reader, const char *line, struct trace_error *error)
{
    size_t length = strncmp(line, "# ", 2) == 0 ? key_length(line + 2) : 0;
    if (length == 0) {
        return 0;
    }
    if (reader->comment_count == TRACE_METADATA_MAX) {
        return FAIL(reader, error, "more than %d lines of metadata", TRACE_METADATA_MAX);
    }
    struct trace_comment *more = reallocarray(reader->comments, reader->comment_count + 1, sizeof *more);
    if (!more) {
        return FAIL(reader, error, "out of memory");
    }
    reader->comments = more;
    more += reader->comment_count;
    more->key = strndup(line + 2, length);
    more->value = strdup(line + 2 + length + 2);
    reader->comment_count++;
    if (!more->key || !more->value) {
        return FAIL(reader, error, "out of memory");
    }
    return 0;
}

static const char *comment_value(const struct trace_comment *comments, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(comments[i].key, key) == 0) {
            return comments[i].value;
        }
    }
    return NULL;
}

static void free_comments(struct trace_comment *comments, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(comments[i].key);
        free(comments[i].value);
    }
    free(comments);
}

const char *trace_metadata(const trace_reader *reader, const char *key)
{
    return comment_value(reader->comments, reader->comment_count, key);
}

/* --- Reading ------------------------------------------------------------ */

/* Returns 1 and a line, 0 at the end, -1. */
static int next_line(trace_reader *reader, char **line, struct trace_error *error)
{
    int result = stream_in_line(reader->in, line);
    if (result == 0) {
        return 0;
    }
    if (reader->line == UINT32_MAX) {
        return FAIL(reader, error, "too many lines");
    }
    reader->line++;
    return result > 0 ? 1 : FAIL(reader, error, "%s", stream_in_reason(reader->in));
}

static int next_operation(trace_reader *reader, struct trace_op *op, struct trace_error *error)
{
    char *line;
    int result;
    while ((result = next_line(reader, &line, error)) == 1) {
        if (line[0] != '#') {
            return parse_operation(reader, line, op, error) == 0 ? 1 : -1;
        }
        if (reader->summary.operations == 0 && keep_comment(reader, line, error) != 0) {
            return -1;
        }
    }
    return result;
}

static int read_first_line(trace_reader *reader, struct trace_error *error)
{
    char *line;
    int result = next_line(reader, &line, error);
    if (result == 0) {
        reader->line = 1;
        return FAIL(reader, error, "empty file: the first line must be '%s'", TRACE_FIRST_LINE);
    }
    if (result < 0) {
        return -1;
    }
    if (strcmp(line, TRACE_FIRST_LINE) != 0) {
        return FAIL(reader, error, "not a trace: the first line must be '%s', not '%s'", TRACE_FIRST_LINE,
                    show(line).text);
    }
    return 0;
}

static trace_reader *make_reader(const char *path, struct trace_error *error)
{
    trace_reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        trace_fail(path, 0, error, "out of memory");
        return NULL;
    }
    reader->summary.largest_alignment = 1;
    reader->path = strdup(path);
    if (!reader->path) {
        trace_fail(path, 0, error, "out of memory");
        trace_close(reader);
        return NULL;
    }
    reader->in = stream_in_open(path);
    if (!reader->in) {
        trace_fail(path, 0, error, "%s", strerror(errno));
        trace_close(reader);
        return NULL;
    }
    return reader;
}

trace_reader *trace_open(const char *path, struct trace_error *error)
{
    trace_reader *reader = make_reader(path, error);
    if (!reader) {
        return NULL;
    }
    if (read_first_line(reader, error) != 0 ||
        (reader->first_result = next_operation(reader, &reader->first, error)) < 0) {
        trace_close(reader);
        return NULL;
    }
    return reader;
}

int trace_next(trace_reader *reader, struct trace_op *op, struct trace_error *error)
{
    if (!reader->first_given) {
        reader->first_given = true;
        *op = reader->first;
        return reader->first_result;
    }
    return next_operation(reader, op, error);
}

const struct trace_summary *trace_read_summary(const trace_reader *reader)
{
    return &reader->summary;
}

static void free_objects(trace_reader *reader)
{
    struct object *object, *next;
    HASH_ITER(hh, reader->objects, object, next) {
        HASH_DEL(reader->objects, object); /* NOLINT(*unix.Malloc): the table goes with the last one only */
        free(object);
    }
    while (reader->spare) {
        object = reader->spare;
        reader->spare = object->next_spare;
        free(object);
    }
    struct id_chunk *chunk, *next_chunk;
    HASH_ITER(hh, reader->chunks, chunk, next_chunk) {
        HASH_DEL(reader->chunks, chunk); /* NOLINT(*unix.Malloc): as above */
        free(chunk);
    }
}

void trace_close(trace_reader *reader)
{
    if (!reader) {
        return;
    }
    free_objects(reader);
    free_comments(reader->comments, reader->comment_count);
    stream_in_close(reader->in);
    free(reader->path);
    free(reader);
}

/* --- A whole trace ------------------------------------------------------ */

static int keep_in_memory(struct trace *trace, size_t *room, const struct trace_op *op,
                          struct trace_error *error)
{
    if (trace->count == *room) {
        *room = *room ? *room * 2 : 1024;
        struct trace_op *more = reallocarray(trace->ops, *room, sizeof *more);
        if (!more) {
            return trace_fail(trace->path, 0, error, "out of memory");
        }
        trace->ops = more;
    }
    trace->ops[trace->count++] = *op;
    return 0;
}

static int keep_on_disk(struct trace *trace, const struct trace_op *op, struct trace_error *error)
{
    if (fwrite(op, sizeof *op, 1, trace->spool) != 1) {
        return trace_fail(trace->path, 0, error, "cannot keep it in a temporary file: %s", strerror(errno));
    }
    trace->count++;
    return 0;
}

static int keep_operations(struct trace *trace, trace_reader *reader, struct trace_error *error)
{
    size_t room = 0;
    struct trace_op op;
    int result;
    while ((result = trace_next(reader, &op, error)) == 1) {
        int kept = trace->spool ? keep_on_disk(trace, &op, error) : keep_in_memory(trace, &room, &op, error);
        if (kept != 0) {
            return -1;
        }
    }
    if (result == 0 && trace->spool && fflush(trace->spool) != 0) {
        return trace_fail(trace->path, 0, error, "cannot keep it in a temporary file: %s", strerror(errno));
    }
    return result;
}

static int read_whole(struct trace *trace, trace_reader *reader, struct trace_error *error)
{
    int result = reader ? keep_operations(trace, reader, error) : -1;
    if (result == 0) {
        trace->summary = reader->summary;
        trace->comments = reader->comments;
        trace->comment_count = reader->comment_count;
        reader->comments = NULL;
        reader->comment_count = 0;
    }
    trace_close(reader);
    if (result != 0) {
        trace_unload(trace);
    }
    return result;
}

int trace_load(struct trace *trace, const char *path, struct trace_error *error)
{
    *trace = (struct trace){.path = strdup(path)};
    if (!trace->path) {
        return trace_fail(path, 0, error, "out of memory");
    }
    return read_whole(trace, trace_open(path, error), error);
}

/* Without a name from the beginning: nothing is left however the program ends. */
static FILE *spool_open(void)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/defrag-bench.XXXXXX", folder && *folder ? folder : "/tmp");

    if (length >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    int fd = cleanup_make(path);
    if (fd < 0) {
        return NULL;
    }
    cleanup_remove(path);
    FILE *file = fdopen(fd, "w+");
    if (!file) {
        close(fd);
    }
    return file;
}

int trace_spool(struct trace *trace, const char *path, struct trace_error *error)
{
    *trace = (struct trace){.path = strdup(path), .spool = spool_open()};
    if (!trace->path || !trace->spool) {
        trace_fail(path, 0, error, "cannot keep it in a temporary file: %s", strerror(errno));
        trace_unload(trace);
        return -1;
    }
    trace_reader *reader = trace_open(path, error);
    if (reader) {
        reader->reuses_numbers = true;
    }
    return read_whole(trace, reader, error);
}

/* --- Its operations --------------------------------------------------------- */

void trace_rewind(struct trace_cursor *cursor, const struct trace *trace)
{
    cursor->trace = trace;
    cursor->next = cursor->end = trace->ops;
    if (!trace->spool && trace->count > 0) {
        cursor->end = trace->ops + trace->count;
    }
    cursor->taken = 0;
}

/* Whatever others read of the same file: it has no position of its own in this. */
static void cursor_fill(struct trace_cursor *cursor)
{
    const struct trace *trace = cursor->trace;
    size_t count = trace->count - cursor->taken;
    count = count < TRACE_CURSOR_OPS ? count : TRACE_CURSOR_OPS;
    size_t bytes = count * sizeof *cursor->window;
    off_t from = (off_t)(cursor->taken * sizeof *cursor->window);
    ssize_t got = pread(fileno(trace->spool), cursor->window, bytes, from);

    if (got != (ssize_t)bytes) {
        end_once();
        fprintf(stderr, "defrag-bench: cannot read a temporary file: %s\n",
                got < 0 ? strerror(errno) : "it was cut");
        exit(2);
    }
    cursor->taken += count;
    cursor->next = cursor->window;
    cursor->end = cursor->window + count;
}

const struct trace_op *trace_step(struct trace_cursor *cursor)
{
    if (cursor->next == cursor->end && cursor->trace->spool && cursor->taken < cursor->trace->count) {
        cursor_fill(cursor);
    }
    return cursor->next == cursor->end ? NULL : cursor->next++;
}

const char *trace_value(const struct trace *trace, const char *key)
{
    return comment_value(trace->comments, trace->comment_count, key);
}

void trace_unload(struct trace *trace)
{
    free_comments(trace->comments, trace->comment_count);
    if (trace->spool) {
        fclose(trace->spool);
    }
    free(trace->ops);
    free(trace->path);
    *trace = (struct trace){0};
}
