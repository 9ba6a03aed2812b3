/* SPDX-License-Identifier: MIT */
#include "heap_map.h"

#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

enum { SMALLEST_CLASS_BYTES = 16, UNITS_MOST = 8192, COLUMNS_LEAST = 16 };

/* From light to dark as blocks get larger; locked ones stand out. */
const char *const heap_colours[HEAP_KINDS] = {
    [HEAP_FREE] = PLOT_FREE,       [HEAP_USED] = "#f2d43a",     [HEAP_USED + 1] = "#9ccc3c",
    [HEAP_USED + 2] = "#35b779",   [HEAP_USED + 3] = "#1f9e9a", [HEAP_USED + 4] = "#3a73b5",
    [HEAP_USED_LAST] = "#6b4fb3",  [HEAP_LOCKED] = "#d5423a",   [HEAP_OVERHEAD] = "#8f8f8f",
    [HEAP_UNREADABLE] = "#e36bd0",
};

static const char *const kind_names[HEAP_KINDS] = {
    [HEAP_FREE] = "free",
    [HEAP_USED] = "≤ 16 B",
    [HEAP_USED + 1] = "≤ 64 B",
    [HEAP_USED + 2] = "≤ 256 B",
    [HEAP_USED + 3] = "≤ 1 KiB",
    [HEAP_USED + 4] = "≤ 4 KiB",
    [HEAP_USED_LAST] = "> 4 KiB",
    [HEAP_LOCKED] = "locked",
    [HEAP_OVERHEAD] = "control, table",
    [HEAP_UNREADABLE] = "unreadable",
};

enum heap_kind heap_kind_of(uint64_t bytes)
{
    unsigned kind = HEAP_USED;
    for (uint64_t limit = SMALLEST_CLASS_BYTES; bytes > limit && kind < HEAP_USED_LAST; limit *= 4) {
        kind++;
    }
    return (enum heap_kind)kind;
}

/* --- Pieces ---------------------------------------------------------------------------- */

void heap_map_add(struct heap_map *map, uint64_t offset, uint64_t bytes, enum heap_kind kind)
{
    if (map->count == map->room) {
        map->room = map->room ? 2 * map->room : 256;
        map->pieces = xrealloc(map->pieces, map->room, sizeof *map->pieces);
    }
    map->pieces[map->count++] = (struct heap_piece){offset, bytes, kind};
}

void heap_map_clear(struct heap_map *map)
{
    map->count = 0;
}

void heap_map_release(struct heap_map *map)
{
    free(map->pieces);
    *map = (struct heap_map){0};
}

/* --- Parts of equal size ------------------------------------------------------------------ */

enum { NOBODY = -1 };

static uint64_t part_begin(const struct heap_map *map, size_t part, size_t count)
{
    return (uint64_t)((unsigned __int128)map->bytes * part / count);
}

/* The piece that has the most bytes between two offsets, or NOBODY: free. `*first` only moves up. */
static long largest_between(const struct heap_map *map, uint64_t begin, uint64_t end, size_t *first)
{
    uint64_t most = 0, all = 0;
    long largest = NOBODY;

    while (*first < map->count && map->pieces[*first].offset + map->pieces[*first].bytes <= begin) {
        (*first)++;
    }
    for (size_t i = *first; i < map->count && map->pieces[i].offset < end; i++) {
        const struct heap_piece *piece = &map->pieces[i];
        uint64_t from = piece->offset > begin ? piece->offset : begin;
        uint64_t to = piece->offset + piece->bytes < end ? piece->offset + piece->bytes : end;
        uint64_t bytes = to - from;
        all += bytes;
        if (bytes > most && piece->kind != HEAP_FREE) {
            most = bytes;
            largest = (long)i;
        }
    }
    return end - begin - all > most ? NOBODY : largest;
}

void heap_map_sample(const struct heap_map *map, unsigned char *kinds, size_t count)
{
    size_t first = 0;

    for (size_t i = 0; i < count; i++) {
        long piece = largest_between(map, part_begin(map, i, count), part_begin(map, i + 1, count), &first);
        kinds[i] = piece == NOBODY ? HEAP_FREE : (unsigned char)map->pieces[piece].kind;
    }
}

/* --- As rows of addresses -------------------------------------------------------------------- */

/* Units of a power of two bytes, so many in a row. */
struct raster {
    uint64_t unit;
    size_t units;
    size_t columns, rows;
};

uint64_t heap_map_unit(const struct heap_map *map)
{
    uint64_t unit = map->granule;

    while ((map->bytes + unit - 1) / unit > UNITS_MOST) {
        unit *= 2;
    }
    return unit;
}

static struct raster raster_of(const struct heap_map *map)
{
    struct raster raster = {heap_map_unit(map), 0, COLUMNS_LEAST, 0};

    raster.units = (size_t)((map->bytes + raster.unit - 1) / raster.unit);
    while (raster.columns * raster.columns < 2 * raster.units) {
        raster.columns *= 2;
    }
    raster.rows = (raster.units + raster.columns - 1) / raster.columns;
    return raster;
}

/* The owner of each unit: the number of a piece, or NOBODY. */
static long *owners_of(const struct heap_map *map, const struct raster *raster)
{
    long *owners = xcalloc(raster->units, sizeof *owners);
    size_t first = 0;

    for (size_t i = 0; i < raster->units; i++) {
        uint64_t end = (i + 1) * raster->unit;
        owners[i] = largest_between(map, i * raster->unit, end < map->bytes ? end : map->bytes, &first);
    }
    return owners;
}

/* A stretch of a row, with a sliver of what is behind it left to tell it from the next. */
static void stretch_put(const struct canvas *canvas, const struct raster *raster, size_t begin, size_t end)
{
    size_t row = begin / raster->columns;
    double length = (double)(end - begin) - (double)raster->columns / 800;

    fprintf(canvas->to, "%zu %zu %.2f 0\n", begin % raster->columns, row, length);
}

static void kind_put(const struct canvas *canvas, const struct heap_map *map, const struct raster *raster,
                     const long *owners, unsigned kind)
{
    size_t end;

    fprintf(canvas->to, "$kind%u << EOD\n", kind);
    for (size_t i = 0; i < raster->units; i = end) {
        size_t row_end = (i / raster->columns + 1) * raster->columns;
        row_end = row_end < raster->units ? row_end : raster->units;
        for (end = i + 1; end < row_end && owners[end] == owners[i]; end++) {
        }
        if (owners[i] != NOBODY && map->pieces[owners[i]].kind == kind) {
            stretch_put(canvas, raster, i, end);
        }
    }
    fputs("EOD\n", canvas->to);
}

static void background_put(const struct canvas *canvas, const struct raster *raster)
{
    fputs("$kind0 << EOD\n", canvas->to);
    for (size_t row = 0; row < raster->rows; row++) {
        size_t left = raster->units - row * raster->columns;
        fprintf(canvas->to, "0 %zu %zu 0\n", row, left < raster->columns ? left : raster->columns);
    }
    fputs("EOD\n", canvas->to);
}

static bool has_kind(const struct heap_map *map, unsigned kind)
{
    for (size_t i = 0; i < map->count; i++) {
        if (map->pieces[i].kind == kind) {
            return true;
        }
    }
    return false;
}

static void data_put(const struct canvas *canvas, const struct heap_map *map, const struct raster *raster)
{
    long *owners = owners_of(map, raster);

    background_put(canvas, raster);
    for (unsigned kind = HEAP_FREE + 1; kind < HEAP_KINDS; kind++) {
        kind_put(canvas, map, raster, owners, kind);
    }
    free(owners);
}

static void address_tics(const struct canvas *canvas, const struct raster *raster)
{
    size_t step = 1;
    char text[32];

    while (raster->rows / step > 8) {
        step *= 2;
    }
    fputs("set ytics (", canvas->to);
    for (size_t row = 0; row < raster->rows; row += step) {
        uint64_t offset = row * raster->columns * raster->unit;
        fprintf(canvas->to, "%s'%s' %zu", row ? ", " : "", row ? plot_bytes(text, offset) : "0", row);
    }
    fputs(")\n", canvas->to);
}

/* The map in a rectangle of the canvas, in pixels. */
static void map_plot(const struct canvas *canvas, const struct heap_map *map, const char *title,
                     const unsigned margins[4])
{
    struct raster raster = raster_of(map);
    double row_height = (double)(canvas->height - margins[2] - margins[3]) / (double)raster.rows;

    data_put(canvas, map, &raster);
    plot_margins(canvas, margins[0], margins[1], margins[2], margins[3]);
    fprintf(canvas->to, "set xrange [0:%zu]\nset yrange [%zu.5:-0.5]\n", raster.columns, raster.rows - 1);
    address_tics(canvas, &raster);
    fprintf(canvas->to, "set label 1 '%s' at graph 0, graph 1 offset 0,0.7 left\n", title);
    fprintf(canvas->to, "plot $kind0 with vectors nohead lw %.3f lc rgb '%s'", row_height,
            heap_colours[HEAP_FREE]);
    for (unsigned kind = HEAP_FREE + 1; kind < HEAP_KINDS; kind++) {
        if (has_kind(map, kind)) {
            fprintf(canvas->to, ", $kind%u with vectors nohead lw %.3f lc rgb '%s'", kind, row_height * 0.88,
                    heap_colours[kind]);
        }
    }
    /* What stands outside of the map is drawn with the first one. */
    fputs("\nunset label\nunset arrow\n", canvas->to);
}

/* --- Figures ------------------------------------------------------------------------------------ */

void heap_legend(const struct canvas *canvas, bool has_unreadable, unsigned left)
{
    static const unsigned order[] = {HEAP_USED,     HEAP_USED + 1,  HEAP_USED + 2, HEAP_USED + 3,
                                     HEAP_USED + 4, HEAP_USED + 5,  HEAP_LOCKED,   HEAP_FREE,
                                     HEAP_OVERHEAD, HEAP_UNREADABLE};
    struct plot_entry entries[HEAP_KINDS];
    size_t count = has_unreadable ? HEAP_KINDS : HEAP_KINDS - 1;
    unsigned height = canvas->is_narrow ? HEAP_LEGEND_NARROW_HEIGHT : HEAP_LEGEND_WIDE_HEIGHT;

    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct plot_entry){kind_names[order[i]], heap_colours[order[i]], PLOT_SWATCH, NULL};
    }
    plot_legend(canvas, entries, count, canvas->is_narrow ? 3 : 5, left, canvas->height - height + 14);
}

enum { MAP_LEFT = 66, MAP_TOP = 54, MAP_BOTTOM = 10, MAP_EDGE = 12 };

static void two_maps_plot(const struct canvas *canvas, const struct heap_figure *figure, unsigned bottom)
{
    unsigned middle = canvas->width / 2;
    unsigned inner = (canvas->height - MAP_TOP - bottom) / 2;

    if (canvas->is_narrow) {
        const unsigned upper[4] = {MAP_LEFT, MAP_EDGE, MAP_TOP, bottom + inner + 14};
        const unsigned lower[4] = {MAP_LEFT, MAP_EDGE, MAP_TOP + inner + 14, bottom};
        map_plot(canvas, figure->maps[0], figure->titles[0], upper);
        map_plot(canvas, figure->maps[1], figure->titles[1], lower);
        return;
    }
    const unsigned left[4] = {MAP_LEFT, middle + 2, MAP_TOP, bottom};
    const unsigned right[4] = {middle + MAP_LEFT - 2, MAP_EDGE, MAP_TOP, bottom};
    map_plot(canvas, figure->maps[0], figure->titles[0], left);
    map_plot(canvas, figure->maps[1], figure->titles[1], right);
}

void heap_figure_draw(const struct canvas *canvas, const void *what)
{
    const struct heap_figure *figure = what;
    unsigned bottom = MAP_BOTTOM + (canvas->is_narrow ? HEAP_LEGEND_NARROW_HEIGHT : HEAP_LEGEND_WIDE_HEIGHT);
    const unsigned whole[4] = {MAP_LEFT, MAP_EDGE, MAP_TOP, bottom};

    plot_title(canvas, figure->title);
    heap_legend(canvas, has_kind(figure->maps[0], HEAP_UNREADABLE), canvas->is_narrow ? 30 : MAP_LEFT);
    fputs("set multiplot\nset border 0\nunset xtics\nunset grid\nset ytics scale 0\n", canvas->to);
    if (figure->maps[1]) {
        two_maps_plot(canvas, figure, bottom);
    } else {
        map_plot(canvas, figure->maps[0], figure->titles[0], whole);
    }
    fputs("unset multiplot\n", canvas->to);
}
