/* SPDX-License-Identifier: MIT */
/* An inspection as text and as JSON. */
#ifndef DEFRAG_TOOLS_INSPECT_PRINT_H
#define DEFRAG_TOOLS_INSPECT_PRINT_H

#include "inspect.h"

struct inspect_view {
    const char *path;
    const struct inspection *inspection;
    bool has_address;
    uint64_t address; /* of the pool; offsets are shown as addresses then */
    unsigned width;   /* columns for the map */
};

void inspect_print(const struct inspect_view *view);
void inspect_print_json(const struct inspect_view *view);

#endif
