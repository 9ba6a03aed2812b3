/* SPDX-License-Identifier: MIT */
/* What lies where in a pool, and pictures of it. */
#ifndef DEFRAG_TOOLS_HEAP_MAP_H
#define DEFRAG_TOOLS_HEAP_MAP_H

#include <stdint.h>

#include "plot.h"

enum heap_kind {
    HEAP_FREE,
    HEAP_USED, /* of up to 16 bytes; those that follow: of up to 4 times as many as the one before */
    HEAP_USED_LAST = HEAP_USED + 5, /* all that are larger */
    HEAP_LOCKED,
    HEAP_OVERHEAD,   /* control block and handle table */
    HEAP_UNREADABLE, /* in a damaged image */
    HEAP_KINDS
};

/* Of a used block, header included. */
enum heap_kind heap_kind_of(uint64_t bytes);

struct heap_piece {
    uint64_t offset;
    uint64_t bytes;
    enum heap_kind kind;
};

/* Pieces in the order of their offsets; what lies between them is free. Zeroed, it is empty. */
struct heap_map {
    uint64_t bytes; /* of the pool */
    unsigned granule;
    struct heap_piece *pieces;
    size_t count, room;
};

void heap_map_add(struct heap_map *map, uint64_t offset, uint64_t bytes, enum heap_kind kind);

/* Takes the pieces out; their memory stays. */
void heap_map_clear(struct heap_map *map);
void heap_map_release(struct heap_map *map);

/* What most of each of `count` equal parts of the pool is. */
void heap_map_sample(const struct heap_map *map, unsigned char *kinds, size_t count);

/* One map, or two of the same pool: the second one's title is null then. */
struct heap_figure {
    const char *title;
    const char *titles[2]; /* of the maps */
    const struct heap_map *maps[2];
};

/* Bytes of the parts that are drawn, each as what most of it is; of a small pool its granules. */
uint64_t heap_map_unit(const struct heap_map *map);

plot_drawing heap_figure_draw;
enum { HEAP_FIGURE_ONE_HEIGHT = 560 }; /* of a figure of one map, wide */

/* Colours, for other pictures and legends. */
extern const char *const heap_colours[HEAP_KINDS];
void heap_legend(const struct canvas *canvas, bool has_unreadable, unsigned left);
enum { HEAP_LEGEND_WIDE_HEIGHT = 48, HEAP_LEGEND_NARROW_HEIGHT = 66 };

#endif
