/* SPDX-License-Identifier: MIT */
#include "plot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "number.h"
#include "options.h"
#include "scratch.h"
#include "xalloc.h"

enum { PNG_SCALE = 2, FONT_WIDE = 13, FONT_NARROW = 12, FILES_MAX = 32 };

/* The one process, and what it is to write. */
static struct {
    FILE *to;
    const char *files[FILES_MAX];
    size_t count;
} gnuplot;

/* --- The process -------------------------------------------------------------------------- */

/* What gnuplot complains of is kept in a file, to be quoted. */
static int gnuplot_spawn(int input)
{
    char name[] = "gnuplot", no_settings[] = "-d", from_input[] = "-";
    char *const arguments[] = {name, no_settings, from_input, NULL};
    posix_spawn_file_actions_t actions;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, scratch_path("complaints"),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int error = cleanup_spawn(&actions, arguments);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

bool plot_begin(void)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        complain("cannot start gnuplot: %s", strerror(errno));
        return false;
    }
    int error = gnuplot_spawn(ends[0]);
    close(ends[0]);
    if (error == ENOENT) {
        complain("gnuplot, which draws the pictures, was not found; on Debian: apt-get install gnuplot-nox");
    } else if (error) {
        complain("cannot start gnuplot: %s", strerror(error));
    }
    gnuplot.to = error ? NULL : fdopen(ends[1], "w");
    if (!gnuplot.to) {
        close(ends[1]);
        return false;
    }
    gnuplot.count = 0;
    fputs("set encoding utf8\n", gnuplot.to);
    return true;
}

/* Its last bytes tell whether a file is whole: gnuplot does not say when a disk is full. */
static bool is_whole(const char *path)
{
    static const char svg[] = "</svg>", png[] = "IEND";
    char tail[16] = "";
    FILE *file = fopen(path, "rb");

    if (!file) {
        return false;
    }
    size_t got = fseek(file, -(long)sizeof tail, SEEK_END) == 0 ? fread(tail, 1, sizeof tail, file) : 0;
    fclose(file);
    return memmem(tail, got, svg, sizeof svg - 1) || memmem(tail, got, png, sizeof png - 1);
}

static bool all_are_whole(void)
{
    for (size_t i = 0; i < gnuplot.count; i++) {
        if (!is_whole(gnuplot.files[i])) {
            return false;
        }
    }
    return true;
}

/* The first line that it said; "" if none. */
static void complaint_read(char text[200])
{
    FILE *file = fopen(scratch_path("complaints"), "r");

    text[0] = '\0';
    while (file && fgets(text, 200, file)) {
        text[strcspn(text, "\n")] = '\0';
        if (text[strspn(text, " \t^")]) {
            break;
        }
    }
    if (file) {
        fclose(file);
    }
}

bool plot_end(void)
{
    char said[200];

    fputs("unset output\n", gnuplot.to);
    fclose(gnuplot.to);
    if (cleanup_wait() == 0 && all_are_whole()) {
        return true;
    }
    complaint_read(said);
    complain("gnuplot could not draw the pictures%s%s", said[0] ? ": " : "; is the disk full?", said);
    return false;
}

/* --- Figures -------------------------------------------------------------------------------- */

/* A path in single quotes, as gnuplot wants them. */
static void quoted_put(const char *text)
{
    fputc('\'', gnuplot.to);
    for (; *text; text++) {
        fputs(*text == '\'' ? "''" : (char[]){*text, '\0'}, gnuplot.to);
    }
    fputc('\'', gnuplot.to);
}

static void output_begin(const char *name, const char *ending)
{
    char file[64];

    snprintf(file, sizeof file, "%s.%s", name, ending);
    const char *path = scratch_path(file);
    gnuplot.files[gnuplot.count++] = path;
    fputs("set output ", gnuplot.to);
    quoted_put(path);
    /* Each is drawn from the beginning: no figure sees what another has set. */
    fputs("\nreset\nset border 3 lc rgb '" PLOT_INK "' lw 0.7\nset tics nomirror out scale 0.5\n"
          "set grid y lt 1 lc rgb '" PLOT_GRID "' lw 0.7\nset key noautotitle noenhanced\n",
          gnuplot.to);
}

static void svg_draw(const char *name, bool is_narrow, unsigned height, plot_drawing *draw, const void *what)
{
    struct canvas canvas = {gnuplot.to, is_narrow ? PLOT_NARROW : PLOT_WIDE, height, is_narrow};

    fprintf(gnuplot.to, "set terminal svg size %u,%u font 'sans-serif,%d' butt standalone\n", canvas.width,
            height, is_narrow ? FONT_NARROW : FONT_WIDE);
    output_begin(name, is_narrow ? "narrow" : "wide");
    draw(&canvas, what);
}

static void png_draw(const char *name, unsigned height, plot_drawing *draw, const void *what)
{
    struct canvas canvas = {gnuplot.to, PLOT_WIDE, height, false};

    fprintf(gnuplot.to,
            "set terminal pngcairo size %u,%u font 'sans-serif,%d' fontscale %f linewidth %d butt "
            "background rgb '#ffffff'\n",
            PNG_SCALE * canvas.width, PNG_SCALE * height, FONT_WIDE, 0.75 * PNG_SCALE, PNG_SCALE);
    output_begin(name, "png");
    draw(&canvas, what);
}

void plot_draw_wide(const char *name, unsigned height, plot_drawing *draw, const void *what)
{
    svg_draw(name, false, height, draw, what);
}

void plot_draw(const char *name, struct plot_size size, plot_drawing *draw, const void *what)
{
    svg_draw(name, false, size.wide_height, draw, what);
    svg_draw(name, true, size.narrow_height, draw, what);
    png_draw(name, size.wide_height, draw, what);
}

/* --- In a drawing ----------------------------------------------------------------------------- */

void plot_margins(const struct canvas *canvas, unsigned left, unsigned right, unsigned top, unsigned bottom)
{
    double width = canvas->width, height = canvas->height;

    fprintf(canvas->to,
            "set lmargin at screen %.5f\nset rmargin at screen %.5f\n"
            "set tmargin at screen %.5f\nset bmargin at screen %.5f\n",
            left / width, 1 - right / width, 1 - top / height, bottom / height);
}

void plot_title(const struct canvas *canvas, const char *title)
{
    fprintf(canvas->to, "set label 99 '{/:Bold %s}' at screen %.5f,%.5f left\n", title, 8.0 / canvas->width,
            1 - 14.0 / canvas->height);
}

void plot_legend(const struct canvas *canvas, const struct plot_entry *entries, size_t count,
                 unsigned columns, unsigned left, unsigned top)
{
    double wide = canvas->width, high = canvas->height;
    double column = (wide - left) / columns;

    for (size_t i = 0; i < count; i++) {
        const struct plot_entry *entry = &entries[i];
        size_t row = i / columns;
        double x = left + column * (double)(i % columns);
        double y = 1 - ((double)top + (double)(row * PLOT_LEGEND_ROW)) / high;
        double length = entry->width >= PLOT_SWATCH ? 16 : 26;
        fprintf(canvas->to,
                "set arrow %zu from screen %.5f,%.5f to screen %.5f,%.5f nohead lw %g dt %s lc rgb '%s'\n"
                "set label %zu '%s' at screen %.5f,%.5f left\n",
                100 + i, x / wide, y, (x + length) / wide, y, entry->width,
                entry->dash ? entry->dash : "solid", entry->colour, 100 + i, entry->text,
                (x + length + 7) / wide, y);
    }
}

/* 1, 2 or 5 times a power of ten, so that about `count` of them are `most`. */
static uint64_t decimal_step(uint64_t most, unsigned count)
{
    static const unsigned factors[] = {1, 2, 5};

    for (uint64_t power = 1; power < UINT64_MAX / 100; power *= 10) {
        for (size_t i = 0; i < 3; i++) {
            if (factors[i] * power * (2 * count + 1) >= 2 * most) {
                return factors[i] * power;
            }
        }
    }
    return most;
}

/* The same with powers of two. */
static uint64_t binary_step(uint64_t most, unsigned count)
{
    uint64_t step = 1;
    while (step < most / count && step < UINT64_MAX / 4) {
        step *= 2;
    }
    return step;
}

void plot_number_tics(const struct canvas *canvas, const char *axis, uint64_t most, unsigned count)
{
    uint64_t step = decimal_step(most, count);
    char text[NUMBER_ROOM];

    fprintf(canvas->to, "set %stics (", axis);
    for (uint64_t at = 0; at <= most; at += step) {
        fprintf(canvas->to, "%s'%s' %" PRIu64, at ? ", " : "", number_format(text, at), at);
    }
    fputs(")\n", canvas->to);
}

char *plot_bytes(char text[32], uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit < sizeof units / sizeof *units - 1) {
        value /= 1024;
        unit++;
    }
    snprintf(text, 32, value < 10 && value > (double)(int)value ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

void plot_byte_tics(const struct canvas *canvas, const char *axis, uint64_t most, unsigned count)
{
    uint64_t step = binary_step(most, count);
    char text[32];

    fprintf(canvas->to, "set %stics (", axis);
    for (uint64_t at = 0; at <= most; at += step) {
        fprintf(canvas->to, "%s'%s' %" PRIu64, at ? ", " : "", at ? plot_bytes(text, at) : "0", at);
    }
    fputs(")\n", canvas->to);
}

/* --- SVG ------------------------------------------------------------------------------------------ */

/* gnuplot writes its colours as attributes, which a style sheet may override. */
const char plot_style[] = "svg text{font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif}"
                          "@media(prefers-color-scheme:dark){"
                          "svg [fill=\"black\"],svg [fill=\"rgb(0,0,0)\"]{fill:#d5d9de}"
                          "svg [stroke=\"black\"],svg [stroke=\"rgb(  0,   0,   0)\"]{stroke:#aab0b8}"
                          "svg [stroke=\"rgb(217, 217, 217)\"]{stroke:#3a4048}"
                          "svg [stroke=\"rgb(232, 232, 232)\"]{stroke:#30353c}"
                          "svg [fill=\"rgb(232, 232, 232)\"]{fill:#30353c}"
                          "svg [stroke=\"rgb(189, 189, 189)\"]{stroke:#59616b}}";

/* Takes what is from `begin` to behind `end` out of the line, each time. */
static void cut(char *line, const char *begin, const char *end)
{
    char *from;
    while ((from = strstr(line, begin)) != NULL) {
        char *to = strstr(from + strlen(begin), end);
        if (!to) {
            return;
        }
        to += strlen(end);
        memmove(from, to, strlen(to) + 1);
    }
}

/* Names that only gnuplot's scripts use, and that a page with several pictures would have several times. */
static void line_copy(char *line, FILE *to)
{
    cut(line, "<title>", "</title>");
    cut(line, " id=\"", "\"");
    char *image = strstr(line, "<image ");
    if (image) {
        image += strlen("<image ");
        fprintf(to, "%.*sstyle='image-rendering:pixelated' %s", (int)(image - line), line, image);
    } else {
        fputs(line, to);
    }
}

static void head_put(const char *title, bool is_alone, FILE *to)
{
    fprintf(to, "<title>%s</title>\n", title);
    if (is_alone) {
        fprintf(to, "<style>%s</style>\n", plot_style);
    }
}

enum svg_part { BEFORE, OPENING, DRAWING, DEFINITIONS };

/* Leaves out the definitions of symbols, of which none is used, and what tells the program. */
static void svg_copy_lines(FILE *from, const char *title, bool is_alone, FILE *to)
{
    enum svg_part part = BEFORE;
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, from) >= 0) {
        if (part == BEFORE && strncmp(line, "<svg", 4) == 0) {
            part = OPENING;
            fputs("<svg role=\"img\"\n", to);
            continue;
        }
        part = strncmp(line, "<defs>", 6) == 0 ? DEFINITIONS : part;
        if (part == OPENING || (part == DRAWING && strncmp(line, "<desc>", 6) != 0)) {
            line_copy(line, to);
        }
        if (part == OPENING && line[0] == '>') {
            head_put(title, is_alone, to);
            part = DRAWING;
        }
        part = strncmp(line, "</defs>", 7) == 0 ? DRAWING : part;
    }
    free(line);
}

bool plot_svg_copy(const char *name, const char *title, bool is_alone, FILE *to)
{
    FILE *from = fopen(scratch_path(name), "r");

    if (!from) {
        return false;
    }
    if (is_alone) {
        fputs("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n", to);
    }
    svg_copy_lines(from, title, is_alone, to);
    fclose(from);
    return !ferror(to);
}
