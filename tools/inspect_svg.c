/* SPDX-License-Identifier: MIT */
#include "inspect_svg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "heap_map.h"
#include "number.h"
#include "options.h"
#include "scratch.h"
#include "stream.h"
#include "xalloc.h"

static enum heap_kind kind_of(const struct inspection *inspection, const struct inspect_block *block)
{
    switch (block->kind) {
    case INSPECT_UNREADABLE:
        return HEAP_UNREADABLE;
    case INSPECT_USED:
        break;
    default:
        return HEAP_FREE;
    }
    if (block->is_owned && block->slot > 0 && block->slot <= inspection->slot_count) {
        const struct inspect_slot *slot = &inspection->slots[block->slot - 1];
        if (slot->is_exclusive || slot->shared_locks) {
            return HEAP_LOCKED;
        }
    }
    return heap_kind_of(block->bytes);
}

static void map_fill(const struct inspection *inspection, struct heap_map *map)
{
    map->bytes = inspection->bytes;
    map->granule = inspection->build->alignment;
    heap_map_add(map, 0, inspection->blocks_offset, HEAP_OVERHEAD);
    for (size_t i = 0; i < inspection->block_count; i++) {
        const struct inspect_block *block = &inspection->blocks[i];
        heap_map_add(map, block->offset, block->bytes, kind_of(inspection, block));
    }
    heap_map_add(map, inspection->table_offset, inspection->bytes - inspection->table_offset, HEAP_OVERHEAD);
}

static bool map_draw(const struct inspection *inspection)
{
    char title[160], bytes[NUMBER_ROOM];
    struct heap_map map = {0};
    struct heap_figure figure = {
        .title = "Heap map: a row reads from left to right, addresses go down",
        .titles = {title, NULL},
        .maps = {&map, NULL},
    };

    snprintf(title, sizeof title, "%s bytes, %s layout, alignment %u%s", number_format(bytes, inspection->bytes),
             inspection->build->layout, inspection->build->alignment,
             inspection->fault.text[0] ? "; DAMAGED" : "");
    bool begun = plot_begin();
    if (begun) {
        map_fill(inspection, &map);
        plot_draw_wide("map", HEAP_FIGURE_ONE_HEIGHT, heap_figure_draw, &figure);
        heap_map_release(&map);
    }
    return begun && plot_end();
}

/* Without a temporary file beside a device or a pipe. */
static bool text_write(const char *path, const char *text, size_t bytes)
{
    const char *reason;
    stream_out *out = stream_out_open(path);

    if (!out) {
        complain("%s: %s", path, strerror(errno));
        return false;
    }
    stream_out_write(out, text, bytes);
    if (stream_out_commit(out, &reason) != 0) {
        complain("%s: %s", path, reason);
        return false;
    }
    return true;
}

static bool svg_write(const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *memory = open_memstream(&text, &bytes);
    bool copied = memory && plot_svg_copy("map.wide", "Heap map", true, memory);

    copied = memory && fclose(memory) == 0 && copied;
    if (!copied) {
        complain("%s: %s", path, strerror(errno));
    }
    bool written = copied && text_write(path, text, bytes);
    free(text);
    return written;
}

bool inspect_svg_write(const struct inspection *inspection, const char *path)
{
    const char *folder = getenv("TMPDIR");
    folder = folder && *folder ? folder : "/tmp";
    size_t room = strlen(folder) + sizeof "/defrag-bench";
    char *beside = xrealloc(NULL, room, 1);

    snprintf(beside, room, "%s/defrag-bench", folder);
    bool begun = scratch_begin(beside) == 0;
    if (!begun) {
        complain("%s: %s", folder, strerror(errno));
    }
    free(beside);
    bool written = begun && map_draw(inspection) && svg_write(path);
    scratch_end();
    return written;
}
