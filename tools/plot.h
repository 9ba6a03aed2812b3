/* SPDX-License-Identifier: MIT */
/*
 * Pictures by gnuplot, one process for all of them. Each is drawn three times:
 * as wide and as narrow SVG, for a page that suits itself to the screen, and as
 * PNG. The files stand in the scratch folder; see scratch.h.
 *
 * Colours: what is drawn in one of the PLOT_* neutrals has another one where the
 * reader prefers a dark page. The others do on both.
 */
#ifndef DEFRAG_TOOLS_PLOT_H
#define DEFRAG_TOOLS_PLOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Okabe and Ito's, which people who see few colours can tell apart. */
#define PLOT_BLUE       "#0072b2"
#define PLOT_SKY        "#56b4e9"
#define PLOT_GREEN      "#009e73"
#define PLOT_ORANGE     "#e69f00"
#define PLOT_VERMILLION "#d55e00"
#define PLOT_PURPLE     "#cc79a7"

#define PLOT_INK  "#000000"
#define PLOT_GRID "#d9d9d9" /* rgb(217, 217, 217) */
#define PLOT_FREE "#e8e8e8" /* rgb(232, 232, 232) */
#define PLOT_BAND "#bdbdbd" /* rgb(189, 189, 189) */

struct canvas {
    FILE *to;               /* takes gnuplot's commands */
    unsigned width, height; /* pixels; of the PNG half of what it has */
    bool is_narrow;
};

struct plot_size {
    unsigned wide_height, narrow_height;
};

enum { PLOT_WIDE = 760, PLOT_NARROW = 360 };

typedef void plot_drawing(const struct canvas *canvas, const void *what);

/* Starts gnuplot. False after a message. */
bool plot_begin(void);

/* NAME.wide, NAME.narrow and NAME.png; or NAME.wide alone. */
void plot_draw(const char *name, struct plot_size size, plot_drawing *draw, const void *what);
void plot_draw_wide(const char *name, unsigned height, plot_drawing *draw, const void *what);

/* Waits for gnuplot. False after a message, if not everything was drawn. */
bool plot_end(void);

/* --- In a drawing ------------------------------------------------------------------- */

/* Margins of the next plot, in pixels from the edges of the canvas. */
void plot_margins(const struct canvas *canvas, unsigned left, unsigned right, unsigned top, unsigned bottom);

/* In bold, in the upper left corner. */
void plot_title(const struct canvas *canvas, const char *title);

/* A line, or with PLOT_SWATCH as its width a patch, and what it stands for. */
struct plot_entry {
    const char *text, *colour;
    double width;
    const char *dash; /* of gnuplot; null: solid */
};
enum { PLOT_SWATCH = 11, PLOT_LEGEND_ROW = 19 };

/* In rows of so many, the first of them with its middle `top` pixels below the upper edge. */
void plot_legend(const struct canvas *canvas, const struct plot_entry *entries, size_t count,
                 unsigned columns, unsigned left, unsigned top);

/* Some round numbers from 0 to `most` on an axis, "x" or "y", with thousands separators. */
void plot_number_tics(const struct canvas *canvas, const char *axis, uint64_t most, unsigned count);

/* The same with numbers of bytes; "16 KiB". */
void plot_byte_tics(const struct canvas *canvas, const char *axis, uint64_t most, unsigned count);

/* "1,536" as "1.5 KiB"; returns `text`. */
char *plot_bytes(char text[32], uint64_t bytes);

/* --- Afterwards --------------------------------------------------------------------- */

/* The style sheet that gives the neutrals their colours, without a tag around it. */
extern const char plot_style[];

/* Writes the SVG of a file as gnuplot made it, for use alone or in a page. False: see errno. */
bool plot_svg_copy(const char *name, const char *title, bool is_alone, FILE *to);

#endif
