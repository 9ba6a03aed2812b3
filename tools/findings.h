/* SPDX-License-Identifier: MIT */
/* What `defrag-bench report` has to tell; and the pictures of it. */
#ifndef DEFRAG_TOOLS_FINDINGS_H
#define DEFRAG_TOOLS_FINDINGS_H

#include "history.h"
#include "options.h"
#include "size.h"

/* Robson's program with blocks of up to 2, 4, 8 … units. */
enum { ROBSON_POINTS = 8, ROBSON_UNITS = 1024, ROBSON_UNIT_BYTES = 32 };

struct findings {
    const struct options *options;
    struct trace trace;
    char *name; /* of the trace */
    struct history history;
    struct size_result sizes[CONTENDERS_MOST];
    double robson[ROBSON_POINTS][CONTENDERS_MOST]; /* heap bytes for each byte live at most */
};

/* What a heap that never moves a block needs at least for a byte live; see `adversary`. */
double robson_bound(size_t point);

/* --- Pictures ------------------------------------------------------------------------ */

struct picture {
    const char *name; /* of the files */
    const char *title;
    struct plot_size size;
    plot_drawing *draw; /* of the findings */
};

/* In the order of the page; ends in one without a name. */
extern const struct picture pictures[];

#endif
