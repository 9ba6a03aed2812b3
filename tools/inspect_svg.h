/* SPDX-License-Identifier: MIT */
/* The heap map of an inspection as a picture. */
#ifndef DEFRAG_TOOLS_INSPECT_SVG_H
#define DEFRAG_TOOLS_INSPECT_SVG_H

#include "inspect.h"

/* False after a message; then there is no file, or the one that was there before. */
bool inspect_svg_write(const struct inspection *inspection, const char *path);

#endif
