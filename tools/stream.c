/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "cleanup.h"

enum { CHUNK = 1 << 16, COMPRESSION_LEVEL = 12 };

/* --- Reading ------------------------------------------------------------ */

struct stream_in {
    int fd;
    ZSTD_DCtx *zstd;      /* null when the file is plain text */
    size_t frame_left;    /* what zstd still expects of the frame; 0 between frames */
    bool more_inside;     /* zstd may hold text that did not fit last time */
    ZSTD_inBuffer packed; /* read from the file, not yet decompressed */
    const char *reason;
    bool ended;        /* no more text will come */
    char mark;         /* of the lines that are wanted; '\0': all are */
    bool is_behind;    /* in a line that is not wanted, behind what was too long to be kept */
    size_t begin, end; /* the text not yet handed out */
    char text[CHUNK];
    char raw[CHUNK];
};

static int fail_in(stream_in *in, const char *reason)
{
    in->reason = reason;
    return -1;
}

static ssize_t read_some(int fd, void *buffer, size_t bytes)
{
    ssize_t got;
    do {
        got = read(fd, buffer, bytes);
    } while (got < 0 && errno == EINTR);
    return got;
}

/* Reads until the buffer is full or the file ends, so that a magic number is never cut. */
static ssize_t read_full(int fd, char *buffer, size_t bytes)
{
    size_t have = 0;
    while (have < bytes) {
        ssize_t got = read_some(fd, buffer + have, bytes - have);
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        have += (size_t)got;
    }
    return (ssize_t)have;
}

static bool is_zstd(const char *bytes, size_t count)
{
    uint32_t magic;
    if (count < sizeof magic) {
        return false;
    }
    const unsigned char *b = (const unsigned char *)bytes;
    magic = b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    return magic == ZSTD_MAGICNUMBER || (magic & ZSTD_MAGIC_SKIPPABLE_MASK) == ZSTD_MAGIC_SKIPPABLE_START;
}

/* Decompresses into the free end of `text`. Returns 1 if text came, 0 at the end. */
static int fill_compressed(stream_in *in)
{
    for (;;) {
        if (in->packed.pos == in->packed.size && !in->more_inside) {
            ssize_t got = read_some(in->fd, in->raw, sizeof in->raw);
            if (got < 0) {
                return fail_in(in, strerror(errno));
            }
            if (got == 0 && in->frame_left != 0) {
                return fail_in(in, "truncated file: the compressed data end too early");
            }
            if (got == 0) {
                return 0;
            }
            in->packed = (ZSTD_inBuffer){in->raw, (size_t)got, 0};
        }
        ZSTD_outBuffer plain = {in->text, sizeof in->text, in->end};
        in->frame_left = ZSTD_decompressStream(in->zstd, &plain, &in->packed);
        if (ZSTD_isError(in->frame_left)) {
            return fail_in(in, ZSTD_getErrorName(in->frame_left));
        }
        in->more_inside = plain.pos == plain.size;
        if (plain.pos > in->end) {
            in->end = plain.pos;
            return 1;
        }
    }
}

static int fill_plain(stream_in *in)
{
    ssize_t got = read_some(in->fd, in->text + in->end, sizeof in->text - in->end);
    if (got < 0) {
        return fail_in(in, strerror(errno));
    }
    in->end += (size_t)got;
    return got > 0;
}

/* Gets more text behind what is left of the old. Returns 1, 0 at the end, -1. */
static int fill(stream_in *in)
{
    memmove(in->text, in->text + in->begin, in->end - in->begin);
    in->end -= in->begin;
    in->begin = 0;
    return in->zstd ? fill_compressed(in) : fill_plain(in);
}

/* The first bytes decide how the rest is read. */
static int look_at_start(stream_in *in)
{
    ssize_t got = read_full(in->fd, in->raw, sizeof in->raw);
    if (got < 0) {
        return -1;
    }
    if (!is_zstd(in->raw, (size_t)got)) {
        memcpy(in->text, in->raw, (size_t)got);
        in->end = (size_t)got;
        return 0;
    }
    in->zstd = ZSTD_createDCtx();
    if (!in->zstd) {
        errno = ENOMEM;
        return -1;
    }
    in->packed = (ZSTD_inBuffer){in->raw, (size_t)got, 0};
    return 0;
}

/* Takes the descriptor, which may be -1. */
static stream_in *stream_in_begin(int fd)
{
    stream_in *in = calloc(1, sizeof *in);
    if (!in) {
        close(fd);
        return NULL;
    }
    in->fd = fd;
    if (in->fd < 0 || look_at_start(in) != 0) {
        int saved = errno;
        stream_in_close(in);
        errno = saved;
        return NULL;
    }
    return in;
}

stream_in *stream_in_open(const char *path)
{
    return stream_in_begin(open(path, O_RDONLY | O_CLOEXEC));
}

stream_in *stream_in_reopen(const stream_in *in)
{
    struct stat now;
    char path[sizeof "/proc/self/fd/" + 3 * sizeof in->fd];
    if (fstat(in->fd, &now) != 0 || !S_ISREG(now.st_mode)) {
        return NULL;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", in->fd);
    return stream_in_open(path);
}

static bool is_unwanted(const stream_in *in)
{
    return in->is_behind || (in->mark && in->text[in->begin] != in->mark);
}

/* What a UART sends at a reset has no newline of its own. */
static void skip_noise(stream_in *in)
{
    while (in->mark && !in->is_behind && in->begin < in->end && in->text[in->begin] == '\0') {
        in->begin++;
    }
}

static int hand_out(stream_in *in, char *newline, char **line)
{
    *line = in->text + in->begin;
    size_t length = (size_t)(newline - *line);
    if (is_unwanted(in)) {
        *newline = '\0';
        *line = newline;
        in->begin += length + 1;
        in->is_behind = false;
        return 1;
    }
    if (length > STREAM_LINE_MAX) {
        return fail_in(in, "line too long");
    }
    if (memchr(*line, '\0', length)) {
        return fail_in(in, "NUL byte in the line");
    }
    *newline = '\0';
    in->begin += length + 1;
    return 1;
}

void stream_in_want(stream_in *in, char mark)
{
    in->mark = mark;
}

int stream_in_line(stream_in *in, char **line)
{
    size_t searched = 0;
    while (!in->reason) {
        skip_noise(in);
        char *start = in->text + in->begin;
        size_t length = in->end - in->begin;
        char *newline = memchr(start + searched, '\n', length - searched);
        if (newline) {
            return hand_out(in, newline, line);
        }
        if (length > STREAM_LINE_MAX && is_unwanted(in)) {
            in->begin = in->end;
            in->is_behind = true;
            length = 0;
        }
        if (length > STREAM_LINE_MAX) {
            return fail_in(in, "line too long");
        }
        if (in->ended) {
            return length == 0 || is_unwanted(in) ? 0 : fail_in(in, "truncated file: the last line has no newline");
        }
        searched = length;
        in->ended = fill(in) == 0;
    }
    return -1;
}

const char *stream_in_reason(const stream_in *in)
{
    return in->reason;
}

void stream_in_close(stream_in *in)
{
    if (!in) {
        return;
    }
    if (in->fd >= 0) {
        close(in->fd);
    }
    ZSTD_freeDCtx(in->zstd);
    free(in);
}

/* --- Writing ------------------------------------------------------------ */

struct stream_out {
    int fd;
    ZSTD_CCtx *zstd; /* null when the file is plain text */
    char *path;
    char *temporary; /* null when the path is written to directly */
    const char *reason;
    size_t used;
    char text[CHUNK];
    char packed[CHUNK];
};

static void write_all(stream_out *out, const char *bytes, size_t count)
{
    while (count > 0 && !out->reason) {
        ssize_t put = write(out->fd, bytes, count);
        if (put >= 0) {
            bytes += put;
            count -= (size_t)put;
        } else if (errno != EINTR) {
            out->reason = strerror(errno);
        }
    }
}

static void compress(stream_out *out, ZSTD_EndDirective directive)
{
    ZSTD_inBuffer plain = {out->text, out->used, 0};
    size_t left;
    do {
        ZSTD_outBuffer packed = {out->packed, sizeof out->packed, 0};
        left = ZSTD_compressStream2(out->zstd, &packed, &plain, directive);
        if (ZSTD_isError(left)) {
            out->reason = ZSTD_getErrorName(left);
            return;
        }
        write_all(out, out->packed, packed.pos);
    } while (!out->reason && (directive == ZSTD_e_end ? left != 0 : plain.pos < plain.size));
}

static void flush(stream_out *out, ZSTD_EndDirective directive)
{
    if (!out->reason && out->zstd) {
        compress(out, directive);
    } else if (!out->reason) {
        write_all(out, out->text, out->used);
    }
    out->used = 0;
}

static bool ends_in_zst(const char *path)
{
    size_t length = strlen(path);
    return length > 4 && strcmp(path + length - 4, ".zst") == 0;
}

/* A new file gets the rights that open() would have given it. */
static int open_temporary(stream_out *out)
{
    size_t bytes = strlen(out->path) + sizeof ".XXXXXX";
    out->temporary = malloc(bytes);
    if (!out->temporary) {
        return -1;
    }
    snprintf(out->temporary, bytes, "%s.XXXXXX", out->path);
    int fd = cleanup_make(out->temporary);
    if (fd < 0) {
        free(out->temporary);
        out->temporary = NULL;
        return -1;
    }
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(fd, 0666 & ~mask) != 0) {
        out->reason = strerror(errno);
    }
    return fd;
}

static int open_for_writing(stream_out *out)
{
    struct stat now;
    if (stat(out->path, &now) == 0 && S_ISDIR(now.st_mode)) {
        errno = EISDIR;
        return -1;
    }
    if (stat(out->path, &now) == 0 && !S_ISREG(now.st_mode)) {
        return open(out->path, O_WRONLY | O_CLOEXEC);
    }
    return open_temporary(out);
}

static int set_up_zstd(stream_out *out)
{
    out->zstd = ZSTD_createCCtx();
    if (!out->zstd) {
        errno = ENOMEM;
        return -1;
    }
    ZSTD_CCtx_setParameter(out->zstd, ZSTD_c_compressionLevel, COMPRESSION_LEVEL);
    ZSTD_CCtx_setParameter(out->zstd, ZSTD_c_checksumFlag, 1);
    return 0;
}

stream_out *stream_out_open(const char *path)
{
    stream_out *out = calloc(1, sizeof *out);
    if (!out) {
        return NULL;
    }
    out->fd = -1;
    out->path = strdup(path);
    if (out->path && (!ends_in_zst(path) || set_up_zstd(out) == 0)) {
        out->fd = open_for_writing(out);
    }
    if (out->fd < 0) {
        int saved = errno;
        stream_out_discard(out);
        errno = saved;
        return NULL;
    }
    return out;
}

void stream_out_write(stream_out *out, const void *text, size_t bytes)
{
    const char *from = text;
    while (bytes > 0) {
        size_t part = sizeof out->text - out->used;
        part = part < bytes ? part : bytes;
        memcpy(out->text + out->used, from, part);
        out->used += part;
        from += part;
        bytes -= part;
        if (out->used == sizeof out->text) {
            flush(out, ZSTD_e_continue);
        }
    }
}

bool stream_out_failed(const stream_out *out)
{
    return out->reason != NULL;
}

/* Some file systems tell of a full disk only when the file is closed. */
static void close_file(stream_out *out)
{
    if (out->fd >= 0 && close(out->fd) != 0 && !out->reason) {
        out->reason = strerror(errno);
    }
    out->fd = -1;
}

static void publish(stream_out *out)
{
    sigset_t before;

    cleanup_hold(&before);
    if (rename(out->temporary, out->path) == 0) {
        cleanup_forget(out->temporary);
        free(out->temporary);
        out->temporary = NULL;
    } else {
        out->reason = strerror(errno);
    }
    cleanup_release(&before);
}

int stream_out_commit(stream_out *out, const char **reason)
{
    flush(out, ZSTD_e_end);
    close_file(out);
    if (!out->reason && out->temporary) {
        publish(out);
    }
    int result = out->reason ? -1 : 0;
    *reason = out->reason;
    stream_out_discard(out);
    return result;
}

void stream_out_discard(stream_out *out)
{
    if (!out) {
        return;
    }
    close_file(out);
    if (out->temporary) {
        cleanup_remove(out->temporary);
    }
    ZSTD_freeCCtx(out->zstd);
    free(out->temporary);
    free(out->path);
    free(out);
}
