/* SPDX-License-Identifier: MIT */
/* `defrag-bench inspect`: the command line, and the file. */
#include "commands.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "inspect_print.h"
#include "inspect_svg.h"
#include "number.h"
#include "options.h"
#include "report.h"
#include "xalloc.h"

enum {
    KEY_JSON = 'j',
    KEY_OFFSET = 'o',
    KEY_ADDRESS = 'A',
    KEY_LENGTH = 0x100,
    KEY_SVG
};

enum { WIDTH_DEFAULT = 80, WIDTH_MOST = 1000 };

/* A dump is the memory of a device, or of one process. */
#define FILE_BYTES_MAX ((size_t)256 << 20)

struct inspect_options {
    const char *path, *svg;
    uint64_t offset, address;
    bool has_address, json, length;
};

/* --- Arguments ------------------------------------------------------------------ */

/* Decimal, or hexadecimal behind 0x. */
static uint64_t place_read(const char *option, const char *text, struct argp_state *state)
{
    char *end;
    errno = 0;
    bool is_hex = text[0] == '0' && (text[1] | 0x20) == 'x';
    uint64_t value = strtoull(text, &end, is_hex ? 16 : 10);
    if (errno || *end || end == text || strspn(text, "0123456789abcdefABCDEFxX") != strlen(text)) {
        argp_failure(state, EXIT_USAGE, 0, "%s: '%s' is no number, decimal or with 0x in front", option,
                     text);
    }
    return value;
}

static void path_take(struct inspect_options *options, const char *text, struct argp_state *state)
{
    if (options->path) {
        argp_failure(state, EXIT_USAGE, 0, "one image at a time, please; '%s' is another", text);
    }
    options->path = text;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct inspect_options *options = state->input;

    switch (key) {
    case KEY_JSON:
        options->json = true;
        return 0;
    case KEY_LENGTH:
        options->length = true;
        return 0;
    case KEY_SVG:
        options->svg = text;
        return 0;
    case KEY_OFFSET:
        options->offset = place_read("--offset", text, state);
        return 0;
    case KEY_ADDRESS:
        options->address = place_read("--address", text, state);
        options->has_address = true;
        return 0;
    case ARGP_KEY_ARG:
        path_take(options, text, state);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_failure(state, EXIT_USAGE, 0, "no image was named");
        return 0;
    case ARGP_KEY_SUCCESS:
        if (options->svg && options->length) {
            argp_failure(state, EXIT_USAGE, 0, "--length prints nothing else; there is no picture with it");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option argp_options[] = {
    {"offset", KEY_OFFSET, "BYTES", 0, "The pool, or its buffer, begins so many bytes into the file", 0},
    {"address", KEY_ADDRESS, "ADDRESS", 0,
     "Where the first byte of the file was in memory; shows addresses instead of offsets", 0},
    {"json", KEY_JSON, NULL, 0, "JSON on standard output instead of tables", 0},
    {"svg", KEY_SVG, "FILE", 0, "Draw the map as a picture, too; needs gnuplot", 0},
    {"length", KEY_LENGTH, NULL, 0,
     "Print where in the file the pool begins and how many bytes it has, nothing else; 2,048 bytes of it will do", 0},
    {0},
};

static const struct argp inspect_argp = {
    argp_options, parse, "IMAGE",
    "Tells what a raw dump of a pool holds: the control block, statistics, every block, the handle table, a map, "
    "and what is damaged first. IMAGE may begin up to a granule before the pool and may go on behind it.\v"
    "Exit status: 0, the pool is sound; 1, it is damaged; 2, the arguments or the output are at fault, or the "
    "file holds no whole pool. See defrag-bench(1).",
    NULL, NULL, NULL,
};

/* --- The file ------------------------------------------------------------------------ */

struct content {
    uint8_t *bytes;
    size_t count;
};

/* False after a message. */
static bool stream_read(FILE *file, const char *path, struct content *content)
{
    size_t room = 0, got = 1;

    while (got > 0 && content->count <= FILE_BYTES_MAX) {
        if (content->count == room) {
            room = 2 * room + 65536;
            content->bytes = xrealloc(content->bytes, room, 1);
        }
        errno = 0;
        got = fread(content->bytes + content->count, 1, room - content->count, file);
        content->count += got;
    }
    if (ferror(file)) {
        complain("%s: %s", path, strerror(errno));
        return false;
    }
    if (content->count > FILE_BYTES_MAX) {
        complain("%s: more than %zu MiB are no dump of a pool", path, FILE_BYTES_MAX >> 20);
        return false;
    }
    return true;
}

/* False after a message, with nothing to be freed. */
static bool content_read(const char *path, struct content *content)
{
    *content = (struct content){NULL, 0};
    FILE *file = fopen(path, "rb");
    if (!file) {
        complain("%s: %s", path, strerror(errno));
        return false;
    }
    bool done = stream_read(file, path, content);
    fclose(file);
    if (!done) {
        free(content->bytes);
    }
    return done;
}

/* --- The command ------------------------------------------------------------------------ */

/* Columns of the terminal, or as many as COLUMNS says. */
static unsigned terminal_width(void)
{
    struct winsize size;
    uint64_t columns;
    const char *said = getenv("COLUMNS");

    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return said && number_parse(said, 1, WIDTH_MOST, &columns) ? (unsigned)columns : WIDTH_DEFAULT;
}

static int fail(const struct inspect_options *options, enum inspect_result result,
                const struct inspect_error *error)
{
    complain("%s: %s", options->path, error->text);
    return result == INSPECT_SENSELESS ? EXIT_DIFFERENCE : EXIT_USAGE;
}

static int length_tell(const struct inspect_options *options, const struct content *content)
{
    struct inspect_error error;
    size_t at;
    uint64_t length;
    enum inspect_result result =
        inspect_length(content->bytes, content->count, (size_t)options->offset, &at, &length, &error);
    if (result != INSPECT_READ) {
        return fail(options, result, &error);
    }
    printf("%zu %" PRIu64 "\n", at, length);
    return EXIT_CLEAN;
}

static int image_tell(const struct inspect_options *options, const struct content *content)
{
    struct inspection inspection;
    struct inspect_error error;
    enum inspect_result result =
        inspect_read(&inspection, content->bytes, content->count, (size_t)options->offset, &error);
    if (result != INSPECT_READ) {
        return fail(options, result, &error);
    }
    const struct inspect_view view = {
        .path = options->path,
        .inspection = &inspection,
        .has_address = options->has_address,
        .address = options->address + inspection.file_offset,
        .width = terminal_width(),
    };
    int status = inspection.fault.text[0] ? EXIT_DIFFERENCE : EXIT_CLEAN;
    if (options->svg && !inspect_svg_write(&inspection, options->svg)) {
        status = EXIT_USAGE;
    } else {
        (options->json ? inspect_print_json : inspect_print)(&view);
    }
    inspect_release(&inspection);
    return status;
}

int inspect_main(int argc, char **argv)
{
    struct inspect_options options = {0};
    struct content content;

    error_t error = argp_parse(&inspect_argp, argc, argv, 0, NULL, &options);
    if (error != 0) {
        complain("%s", strerror(error));
        return EXIT_USAGE;
    }
    if (!content_read(options.path, &content)) {
        return EXIT_USAGE;
    }
    int status = options.length ? length_tell(&options, &content) : image_tell(&options, &content);
    free(content.bytes);
    return report_finish(status);
}
