/* SPDX-License-Identifier: MIT */
/*
 * Allocation traces.
 *
 * A trace is a text, compressed with zstd if its name ends in ".zst". Its first
 * line is `defrag-trace 1`; each further line is one of
 *
 *     a ID SIZE [ALIGN]   allocate SIZE bytes, at a multiple of ALIGN if given
 *     r ID NEWSIZE        resize
 *     f ID                free
 *     l ID                lock: the object must not move until it is unlocked
 *     u ID                unlock
 *     # TEXT              a comment
 *
 * Numbers are decimal and stand one blank apart. An ID names one object for the
 * whole trace: it is never used again. ALIGN is a power of two. A locked object
 * must be unlocked before it is locked again, resized or freed. Objects may be
 * left, and left locked, at the end. A line has at most 4095 characters; the
 * last one ends in a newline too, so that a cut file is noticed.
 *
 * Comments of the form `# key: value` that precede the first operation are the
 * trace's metadata, at most 1,000. Known keys: `program`, `version`, `package`, `input`,
 * `pointer-bits`, `recorded`.
 */
#ifndef DEFRAG_TOOLS_TRACE_H
#define DEFRAG_TOOLS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TRACE_FIRST_LINE "defrag-trace 1"
#define TRACE_SIZE_MAX   ((UINT64_C(1) << 48) - 1)

/* Compressed, a few bytes can stand for millions of lines. */
#define TRACE_METADATA_MAX 1000

enum trace_kind { TRACE_ALLOC, TRACE_RESIZE, TRACE_FREE, TRACE_LOCK, TRACE_UNLOCK };

/*
 * One operation. The objects of a trace are numbered 0, 1, … in the order of their allocation; of a spooled
 * one, numbers of freed objects are given again.
 */
struct trace_op {
    uint64_t size : 48;       /* alloc, resize; else 0 */
    uint64_t kind : 8;        /* enum trace_kind */
    uint64_t align_shift : 8; /* alloc: log2 of ALIGN, 0 if none was given */
    uint32_t object;
    uint32_t line;
};

/* The alignment an allocation asks for, in bytes; 1 if it does not matter. */
static inline uint64_t trace_op_alignment(const struct trace_op *op)
{
    return UINT64_C(1) << op->align_shift;
}

/* What is wrong, as `FILE:LINE: reason`, or `FILE: reason` where no line is concerned. */
struct trace_error {
    char text[1024];
};

/* Fills `error`, with a line number unless `line` is 0. Returns -1. */
__attribute__((format(printf, 4, 5)))
int trace_fail(const char *path, uint32_t line, struct trace_error *error, const char *format, ...);

struct trace_summary {
    uint64_t operations;
    uint32_t allocations;
    uint32_t objects;      /* the numbers given are less than this */
    uint32_t live_objects; /* now, that is at the end of a loaded trace */
    uint32_t peak_objects;
    uint64_t live_payload; /* bytes asked for and not yet freed */
    uint64_t peak_payload;
    uint32_t peak_line;         /* where the peak was reached first; 0 in an empty trace */
    uint64_t largest_size;      /* of one object */
    uint64_t largest_alignment; /* 1 if none was asked for */
};

/* --- Reading ------------------------------------------------------------ */

typedef struct trace_reader trace_reader;

/*
 * Opens a trace and reads as far as the first operation, so that the metadata
 * is known. Returns NULL with `error` filled if that fails.
 */
trace_reader *trace_open(const char *path, struct trace_error *error);

/* Returns 1 and the next operation, 0 at the end, -1 with `error` filled. */
int trace_next(trace_reader *reader, struct trace_op *op, struct trace_error *error);

/* The value of a leading comment `# key: value`, the first if there are several; NULL if none. */
const char *trace_metadata(const trace_reader *reader, const char *key);

/* What was read up to now. */
const struct trace_summary *trace_read_summary(const trace_reader *reader);

void trace_close(trace_reader *reader);

/* --- A whole trace ------------------------------------------------------ */

struct trace_comment {
    char *key;
    char *value;
};

struct trace {
    char *path;
    FILE *spool; /* holds the operations if it is not null, else `ops` does */
    struct trace_op *ops;
    size_t count;
    struct trace_summary summary;
    struct trace_comment *comments; /* the metadata */
    size_t comment_count;
};

/* Returns 0, or -1 with `error` filled and `trace` empty. */
int trace_load(struct trace *trace, const char *path, struct trace_error *error);

/*
 * The same, with the operations in a temporary file without a name, so that memory does not grow with
 * their number, but for a bit for each ID.
 */
int trace_spool(struct trace *trace, const char *path, struct trace_error *error);

/* The same as trace_metadata(). */
const char *trace_value(const struct trace *trace, const char *key);

/* Where somebody is in a trace; any number may be in the same. */
enum { TRACE_CURSOR_OPS = 2048 };
struct trace_cursor {
    const struct trace *trace;
    const struct trace_op *next, *end; /* of those in memory */
    size_t taken;                      /* from the file up to now */
    struct trace_op window[TRACE_CURSOR_OPS];
};

void trace_rewind(struct trace_cursor *cursor, const struct trace *trace);

/* The next operation, valid until the next call; NULL at the end. A disk that fails ends the program. */
const struct trace_op *trace_step(struct trace_cursor *cursor);

/* Releases the contents, not the struct; harmless on an empty one. */
void trace_unload(struct trace *trace);

/* --- Writing ------------------------------------------------------------ */

typedef struct trace_writer trace_writer;

/*
 * Begins a trace. A regular file appears only with trace_commit(); errors in
 * between are remembered until then. The writer does not check the order of
 * what it is given. NULL with `error` filled if the file cannot be made.
 */
trace_writer *trace_create(const char *path, struct trace_error *error);

/* Writes `# key: value`; control characters become blanks and what is too long is cut. */
void trace_put_comment(trace_writer *writer, const char *key, const char *value);
void trace_put_alloc(trace_writer *writer, uint64_t id, uint64_t size, uint64_t alignment); /* 0, 1: none */
void trace_put_resize(trace_writer *writer, uint64_t id, uint64_t size);
void trace_put_free(trace_writer *writer, uint64_t id);
void trace_put_lock(trace_writer *writer, uint64_t id);
void trace_put_unlock(trace_writer *writer, uint64_t id);

/* Whether an error is remembered already, so that a long writer can stop early. */
bool trace_write_failed(const trace_writer *writer);

/* Finishes the file and releases the writer. Returns 0, or -1 with `error` filled and no file left. */
int trace_commit(trace_writer *writer, struct trace_error *error);

/* Releases the writer and leaves no file. */
void trace_discard(trace_writer *writer);

#endif
