/* SPDX-License-Identifier: MIT */
/* A single picture, as SVG, where the user wants it. */
#ifndef DEFRAG_TOOLS_PLOT_FILE_H
#define DEFRAG_TOOLS_PLOT_FILE_H

#include "plot.h"

/* False after a message; then there is no file, or the one that was there before. */
bool plot_file(const char *path, const char *title, unsigned height, plot_drawing *draw, const void *what);

#endif
