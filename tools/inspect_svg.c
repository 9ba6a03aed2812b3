/* SPDX-License-Identifier: MIT */
#include "inspect_svg.h"

#include "heap_map.h"
#include "number.h"
#include "plot_file.h"

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

bool inspect_svg_write(const struct inspection *inspection, const char *path)
{
    char title[160], bytes[NUMBER_ROOM];
    struct heap_map map = {0};
    struct heap_figure figure = {
        .title = "Heap map: a row reads from left to right, addresses go down",
        .titles = {title, NULL},
        .maps = {&map, NULL},
    };

    snprintf(title, sizeof title, "%s bytes, %s layout, alignment %u%s",
             number_format(bytes, inspection->bytes), inspection->build->layout, inspection->build->alignment,
             inspection->fault.text[0] ? "; DAMAGED" : "");
    map_fill(inspection, &map);
    bool written = plot_file(path, "Heap map", HEAP_FIGURE_ONE_HEIGHT, heap_figure_draw, &figure);
    heap_map_release(&map);
    return written;
}
