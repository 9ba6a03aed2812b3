/* SPDX-License-Identifier: MIT */
/*
 * Text files read by lines and written as a whole, plain or compressed with
 * zstd. Knows nothing of what the lines mean.
 */
#ifndef DEFRAG_TOOLS_STREAM_H
#define DEFRAG_TOOLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>

/* The longest line that is read, without its newline. */
#define STREAM_LINE_MAX 4095

/* --- Reading ------------------------------------------------------------ */

typedef struct stream_in stream_in;

/* Opens a file; the contents tell whether it is compressed. NULL: see errno. */
stream_in *stream_in_open(const char *path);

/* The same file from its beginning; NULL if it is none that can be read twice, or see errno. */
stream_in *stream_in_reopen(const stream_in *in);

/*
 * The next line, without its newline, NUL-terminated, valid until the next
 * call. Returns 1, 0 at the end of the file, -1 on an error that
 * stream_in_reason() names: a read error, damaged or truncated compressed
 * data, a line that is too long, a NUL byte, a last line without a newline.
 * The same answer is given again after an end or an error.
 */
int stream_in_line(stream_in *in, char **line);

/* From now on lines that do not begin so come out empty, whatever is in them, and however long. */
void stream_in_want(stream_in *in, char mark);

const char *stream_in_reason(const stream_in *in);
void stream_in_close(stream_in *in);

/* --- Writing ------------------------------------------------------------ */

typedef struct stream_out stream_out;

/*
 * Begins to write a file, compressed if its name ends in ".zst". A regular
 * file comes into being, or is replaced, only in stream_out_commit(): until
 * then the text stands in a temporary file beside it. A device or a pipe is
 * written to directly. NULL: see errno.
 */
stream_out *stream_out_open(const char *path);

/* An error is remembered until the commit. */
void stream_out_write(stream_out *out, const void *text, size_t bytes);

/* Whether an error is remembered, so that a long writer can stop early. */
bool stream_out_failed(const stream_out *out);

/*
 * Finishes the file and releases `out`. Returns 0, or -1 with the reason in
 * `reason`, a string that stays valid; then nothing is left behind.
 */
int stream_out_commit(stream_out *out, const char **reason);

/* Releases `out` and leaves nothing behind. */
void stream_out_discard(stream_out *out);

#endif
