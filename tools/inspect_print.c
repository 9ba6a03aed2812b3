/* SPDX-License-Identifier: MIT */
#include "inspect_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "report.h"
#include "xalloc.h"

static const char *const kind_names[] = {
    [INSPECT_USED] = "used",
    [INSPECT_FREE] = "free",
    [INSPECT_WILDERNESS] = "wilderness",
    [INSPECT_UNREADABLE] = "unreadable",
};

static bool is_sound(const struct inspection *inspection)
{
    return inspection->fault.text[0] == '\0';
}

/* The slot of a used block; NULL if there is none of that number. */
static const struct inspect_slot *slot_of(const struct inspection *inspection,
                                          const struct inspect_block *block)
{
    bool is_there = block->kind == INSPECT_USED && block->slot > 0 && block->slot <= inspection->slot_count;
    return is_there ? &inspection->slots[block->slot - 1] : NULL;
}

/* --- Statistics ----------------------------------------------------------------------- */

enum { STATISTICS_MAX = 32 };

#define STATISTIC(member) out[count++] = (struct inspect_field){#member, statistics.member}

/* The members of defrag_statistics, of a sound pool; returns their number. */
static size_t statistics_list(const struct inspection *inspection, struct inspect_field out[STATISTICS_MAX])
{
    defrag_statistics statistics;
    size_t count = 0;

    inspection->build->statistics_get(inspection->pool, &statistics);
    STATISTIC(pool_bytes);
    STATISTIC(skipped_bytes);
    STATISTIC(control_bytes);
    STATISTIC(table_bytes);
    STATISTIC(granule_bytes);
    STATISTIC(header_bytes);
    STATISTIC(slot_bytes);
    STATISTIC(live_bytes);
    STATISTIC(live_blocks);
    STATISTIC(locked_blocks);
    STATISTIC(free_bytes);
    STATISTIC(free_blocks);
    STATISTIC(largest_fast);
    STATISTIC(largest_certain);
    STATISTIC(peak_live_bytes);
    STATISTIC(fewest_free_bytes);
    STATISTIC(peak_live_blocks);
    STATISTIC(slots);
    STATISTIC(failed_no_memory);
    STATISTIC(failed_fragmented);
    STATISTIC(failed_pinned);
    STATISTIC(failed_no_handles);
    STATISTIC(failed_bad_size);
    STATISTIC(moved_blocks);
    STATISTIC(moved_bytes);
    return count;
}

/* --- Tables -------------------------------------------------------------------------------- */

static void place_cell(const struct inspect_view *view, struct libscols_line *line, size_t column,
                       uint64_t offset)
{
    report_cell(line, column, "0x%" PRIx64, (view->has_address ? view->address : 0) + offset);
}

static bool is_place(const char *name)
{
    size_t length = strlen(name);
    return length > 7 && strcmp(name + length - 7, "_offset") == 0;
}

static void fields_print(const struct inspect_view *view, const char *title,
                         const struct inspect_field *fields, size_t count)
{
    const char *const headings[] = {title, "", NULL};
    struct libscols_table *table = report_table(headings);

    for (size_t i = 0; i < count; i++) {
        struct libscols_line *line = report_row(table);
        report_cell(line, 0, "%s", fields[i].name);
        if (is_place(fields[i].name)) {
            place_cell(view, line, 1, fields[i].value);
        } else {
            report_number(line, 1, fields[i].value);
        }
    }
    report_print(table);
    putchar('\n');
}

static void lock_cell(struct libscols_line *line, size_t column, const struct inspect_slot *slot)
{
    const char *passed = slot->is_passed ? ", passed" : "";
    if (slot->is_exclusive) {
        report_cell(line, column, "exclusive%s", passed);
    } else if (slot->shared_locks) {
        report_cell(line, column, "%u shared%s", slot->shared_locks, passed);
    } else {
        report_cell(line, column, "-");
    }
}

static void used_cells(const struct inspect_view *view, struct libscols_line *line,
                       const struct inspect_block *block)
{
    const struct inspect_slot *slot = slot_of(view->inspection, block);

    report_cell(line, 3, "%" PRIu32, block->slot);
    if (slot && block->is_owned) {
        report_cell(line, 4, "0x%08" PRIx32, slot->handle);
        lock_cell(line, 5, slot);
        place_cell(view, line, 6, block->payload_offset);
        report_number(line, 7, block->payload_bytes);
        report_number(line, 8, slot->alignment);
    } else {
        report_cell(line, 4, "disagrees");
    }
}

static void blocks_print(const struct inspect_view *view)
{
    const char *const headings[] = {
        view->has_address ? "BLOCK AT" : "BLOCK",
        "BYTES",
        "",
        "SLOT",
        "HANDLE",
        "LOCK",
        "PAYLOAD",
        "USABLE",
        "ALIGNED",
        NULL,
    };
    struct libscols_table *table = report_table(headings);

    for (size_t i = 0; i < view->inspection->block_count; i++) {
        const struct inspect_block *block = &view->inspection->blocks[i];
        struct libscols_line *line = report_row(table);
        place_cell(view, line, 0, block->offset);
        report_number(line, 1, block->bytes);
        report_cell(line, 2, "%s", kind_names[block->kind]);
        if (block->kind == INSPECT_USED) {
            used_cells(view, line, block);
        }
    }
    report_print(table);
    putchar('\n');
}

static void slots_print(const struct inspect_view *view)
{
    static const char *const headings[] = {"SLOT", "HANDLE", "GENERATION", "LOCK", "PAYLOAD", NULL};
    struct libscols_table *table = report_table(headings);

    for (size_t i = 0; i < view->inspection->slot_count; i++) {
        const struct inspect_slot *slot = &view->inspection->slots[i];
        struct libscols_line *line = report_row(table);
        report_cell(line, 0, "%zu", i + 1);
        report_cell(line, 1, "0x%08" PRIx32, slot->handle);
        report_cell(line, 2, "%u", slot->generation);
        if (slot->is_used) {
            lock_cell(line, 3, slot);
            place_cell(view, line, 4, slot->payload_offset);
        } else {
            report_cell(line, 3, "empty");
            report_cell(line, 4, slot->next ? "then %" PRIu32 : "last", slot->next);
        }
    }
    report_print(table);
    putchar('\n');
}

/* --- The map ---------------------------------------------------------------------------------- */

enum { ROWS_MOST = 24, CELLS_LEAST = 16, PLACE_WIDTH = 12 };

/* What lies in a cell, the most telling first. */
enum {
    HAS_UNREADABLE = 1,
    HAS_LOCKED = 2,
    HAS_USED = 4,
    HAS_FREE = 8,
    HAS_CONTROL = 16,
    HAS_TABLE = 32,
    HAS_WILDERNESS = 64
};

struct map {
    uint64_t bytes; /* of a cell */
    size_t cells, columns;
    unsigned char *has;
};

static void map_add(struct map *map, uint64_t from, uint64_t end, unsigned what)
{
    if (from >= end) {
        return;
    }
    for (uint64_t cell = from / map->bytes; cell <= (end - 1) / map->bytes && cell < map->cells; cell++) {
        map->has[cell] |= (unsigned char)what;
    }
}

static unsigned what_is(const struct inspection *inspection, const struct inspect_block *block)
{
    const struct inspect_slot *slot = slot_of(inspection, block);
    switch (block->kind) {
    case INSPECT_USED:
        return slot && block->is_owned && (slot->is_exclusive || slot->shared_locks) ? HAS_LOCKED : HAS_USED;
    case INSPECT_FREE:
        return HAS_FREE;
    case INSPECT_WILDERNESS:
        return HAS_WILDERNESS;
    default:
        return HAS_UNREADABLE;
    }
}

static char map_letter(unsigned has)
{
    static const char letters[] = "?L#.ct ";
    if ((has & (HAS_UNREADABLE | HAS_LOCKED)) == 0 && (has & HAS_USED) && (has & HAS_FREE)) {
        return '+';
    }
    for (unsigned i = 0; letters[i]; i++) {
        if (has & 1u << i) {
            return letters[i];
        }
    }
    return ' ';
}

/* A row has a power of two of cells, and a cell of granules, so that places are round. */
static void map_scale(struct map *map, uint64_t bytes, unsigned alignment, unsigned width)
{
    map->columns = CELLS_LEAST;
    while (2 * map->columns + PLACE_WIDTH <= width) {
        map->columns *= 2;
    }
    map->bytes = alignment;
    while ((bytes + map->bytes - 1) / map->bytes > ROWS_MOST * map->columns) {
        map->bytes *= 2;
    }
    map->cells = (size_t)((bytes + map->bytes - 1) / map->bytes);
}

static void map_print(const struct inspect_view *view)
{
    const struct inspection *inspection = view->inspection;
    struct map map;
    char bytes[NUMBER_ROOM];

    map_scale(&map, inspection->bytes, inspection->build->alignment, view->width);
    map.has = xcalloc(map.cells, 1);
    map_add(&map, 0, inspection->blocks_offset, HAS_CONTROL);
    for (size_t i = 0; i < inspection->block_count; i++) {
        const struct inspect_block *block = &inspection->blocks[i];
        map_add(&map, block->offset, block->offset + block->bytes, what_is(inspection, block));
    }
    map_add(&map, inspection->table_offset, inspection->bytes, HAS_TABLE);
    printf("%s bytes a cell: # used, L locked, . free, + used and free, ? unreadable,\n"
           "c control block, t table, blank wilderness\n", number_format(bytes, map.bytes));
    for (size_t row = 0; row < map.cells; row += map.columns) {
        char place[NUMBER_ROOM];
        snprintf(place, sizeof place, "0x%" PRIx64,
                 (view->has_address ? view->address : 0) + row * map.bytes);
        printf("%*s ", PLACE_WIDTH - 2, place);
        for (size_t cell = row; cell < row + map.columns && cell < map.cells; cell++) {
            putchar(map_letter(map.has[cell]));
        }
        putchar('\n');
    }
    putchar('\n');
    free(map.has);
}

/* --- All of it ----------------------------------------------------------------------------------- */

static void head_print(const struct inspect_view *view)
{
    const struct inspection *inspection = view->inspection;
    char bytes[NUMBER_ROOM];

    printf("%s: a pool of %s bytes at byte %zu; %s layout, alignment %u\n", view->path,
           number_format(bytes, inspection->bytes), inspection->file_offset, inspection->build->layout,
           inspection->build->alignment);
    printf("Configuration: %s", inspection->host ? "at " : "none\n");
    if (inspection->host) {
        printf("0x%" PRIx64 ", if the host word is intact\n", inspection->host);
    }
    if (view->has_address && view->address % inspection->base_modulus != inspection->base) {
        printf("The image says that its address was %" PRIu64 " modulo %" PRIu64 "; 0x%" PRIx64 " is not.\n",
               inspection->base, inspection->base_modulus, view->address);
    }
    putchar('\n');
}

static void verdict_print(const struct inspect_view *view)
{
    const struct inspect_fault *fault = &view->inspection->fault;
    if (is_sound(view->inspection)) {
        puts("Sound: every invariant holds.");
    } else {
        printf("DAMAGED at 0x%" PRIx64 ": %s.\n", (view->has_address ? view->address : 0) + fault->offset,
               fault->text);
    }
}

void inspect_print(const struct inspect_view *view)
{
    const struct inspection *inspection = view->inspection;
    struct inspect_field statistics[STATISTICS_MAX];

    head_print(view);
    fields_print(view, "CONTROL BLOCK", inspection->fields, inspection->field_count);
    if (is_sound(inspection)) {
        fields_print(view, "STATISTICS", statistics, statistics_list(inspection, statistics));
    }
    blocks_print(view);
    slots_print(view);
    map_print(view);
    verdict_print(view);
}

/* --- JSON ------------------------------------------------------------------------------------------ */

static json_t *number_json(uint64_t number)
{
    return json_integer((json_int_t)number);
}

static void hex_set(json_t *object, const char *key, uint64_t number, int digits)
{
    char text[NUMBER_ROOM];
    snprintf(text, sizeof text, "0x%0*" PRIx64, digits, number);
    report_json_set(object, key, json_string(text));
}

static json_t *fields_json(const struct inspect_field *fields, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        report_json_set(object, fields[i].name, number_json(fields[i].value));
    }
    return object;
}

static json_t *block_json(const struct inspection *inspection, const struct inspect_block *block)
{
    const struct inspect_slot *slot = slot_of(inspection, block);
    json_t *object = json_object();

    report_json_set(object, "offset", number_json(block->offset));
    report_json_set(object, "bytes", number_json(block->bytes));
    report_json_set(object, "kind", json_string(kind_names[block->kind]));
    if (block->kind == INSPECT_USED) {
        report_json_set(object, "slot", number_json(block->slot));
        report_json_set(object, "owned", json_boolean(block->is_owned));
    }
    if (slot && block->is_owned) {
        report_json_set(object, "payload_offset", number_json(block->payload_offset));
        report_json_set(object, "payload_bytes", number_json(block->payload_bytes));
        report_json_set(object, "alignment", number_json(slot->alignment));
        hex_set(object, "handle", slot->handle, 8);
        report_json_set(object, "exclusive", json_boolean(slot->is_exclusive));
        report_json_set(object, "shared_locks", number_json(slot->shared_locks));
    }
    return object;
}

static json_t *slot_json(const struct inspection *inspection, size_t index)
{
    const struct inspect_slot *slot = &inspection->slots[index];
    json_t *object = json_object();

    report_json_set(object, "slot", number_json(index + 1));
    report_json_set(object, "used", json_boolean(slot->is_used));
    hex_set(object, "handle", slot->handle, 8);
    report_json_set(object, "generation", number_json(slot->generation));
    if (slot->is_used) {
        report_json_set(object, "payload_offset", number_json(slot->payload_offset));
        report_json_set(object, "alignment", number_json(slot->alignment));
        report_json_set(object, "exclusive", json_boolean(slot->is_exclusive));
        report_json_set(object, "shared_locks", number_json(slot->shared_locks));
        report_json_set(object, "passed", json_boolean(slot->is_passed));
    } else {
        report_json_set(object, "next_empty", number_json(slot->next));
    }
    return object;
}

static json_t *fault_json(const struct inspection *inspection)
{
    if (is_sound(inspection)) {
        return json_null();
    }
    json_t *object = json_object();
    report_json_set(object, "offset", number_json(inspection->fault.offset));
    report_json_set(object, "text", json_string(inspection->fault.text));
    return object;
}

static void lists_json(json_t *value, const struct inspection *inspection)
{
    json_t *blocks = json_array(), *slots = json_array();

    for (size_t i = 0; i < inspection->block_count; i++) {
        report_json_append(blocks, block_json(inspection, &inspection->blocks[i]));
    }
    for (size_t i = 0; i < inspection->slot_count; i++) {
        report_json_append(slots, slot_json(inspection, i));
    }
    report_json_set(value, "blocks", blocks);
    report_json_set(value, "slots", slots);
}

void inspect_print_json(const struct inspect_view *view)
{
    const struct inspection *inspection = view->inspection;
    struct inspect_field statistics[STATISTICS_MAX];
    json_t *value = json_object();

    report_json_set(value, "command", json_string("inspect"));
    report_json_set(value, "version", json_string(DEFRAG_VERSION_STRING));
    report_json_set(value, "image", report_json_text(view->path));
    report_json_set(value, "image_offset", number_json(inspection->file_offset));
    report_json_set(value, "layout", json_string(inspection->build->layout));
    report_json_set(value, "alignment", number_json(inspection->build->alignment));
    hex_set(value, "host_word", inspection->host, 1);
    report_json_set(value, "address", view->has_address ? number_json(view->address) : json_null());
    report_json_set(value, "sound", json_boolean(is_sound(inspection)));
    report_json_set(value, "fault", fault_json(inspection));
    report_json_set(value, "control", fields_json(inspection->fields, inspection->field_count));
    report_json_set(value, "statistics",
                    is_sound(inspection) ? fields_json(statistics, statistics_list(inspection, statistics))
                                         : json_null());
    lists_json(value, inspection);
    report_json_print(value);
}
