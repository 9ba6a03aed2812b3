/* SPDX-License-Identifier: MIT */
#include "inspect.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "xalloc.h"

extern const struct inspector n4_inspector, n8_inspector, n16_inspector, w8_inspector, w16_inspector;

static const struct inspector *const inspectors[] = {
    &n4_inspector, &n8_inspector, &n16_inspector, &w8_inspector, &w16_inspector,
};

enum {
    INSPECTORS = sizeof inspectors / sizeof inspectors[0],
    GRANULE_MAX = 16,
    HOST_BYTES = 8
};

/* --- What is told -------------------------------------------------------------- */

void inspect_add_field(struct inspection *out, const char *name, uint64_t value)
{
    if (out->field_count < INSPECT_FIELDS_MAX) {
        out->fields[out->field_count++] = (struct inspect_field){name, value};
    }
}

struct inspect_block *inspect_add_block(struct inspection *out, enum inspect_kind kind, uint64_t offset,
                                        uint64_t bytes)
{
    if (out->block_count == out->block_room) {
        out->block_room = 2 * out->block_room + 64;
        out->blocks = xrealloc(out->blocks, out->block_room, sizeof *out->blocks);
    }
    struct inspect_block *block = &out->blocks[out->block_count++];
    *block = (struct inspect_block){.kind = kind, .offset = offset, .bytes = bytes};
    return block;
}

void inspect_make_slots(struct inspection *out, uint32_t count)
{
    out->slots = xcalloc(count, sizeof *out->slots);
    out->slot_count = count;
}

static int claims_compare(const void *left, const void *right)
{
    const struct inspect_claim *a = left, *b = right;
    if (a->begin_offset != b->begin_offset) {
        return a->begin_offset < b->begin_offset ? -1 : 1;
    }
    return (a->slot > b->slot) - (a->slot < b->slot);
}

void inspect_sort_claims(struct inspection *out)
{
    out->claims = xcalloc(out->slot_count, sizeof *out->claims);
    for (size_t i = 0; i < out->slot_count; i++) {
        if (out->slots[i].is_used) {
            out->claims[out->claim_count++] =
                (struct inspect_claim){out->slots[i].begin_offset, (uint32_t)i + 1};
        }
    }
    qsort(out->claims, out->claim_count, sizeof *out->claims, claims_compare);
}

void inspect_note(struct inspection *out, uint64_t offset, const char *format, ...)
{
    if (out->fault.text[0]) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(out->fault.text, sizeof out->fault.text, format, arguments);
    va_end(arguments);
    out->fault.offset = offset;
}

/* --- Finding the pool -------------------------------------------------------------- */

struct found {
    enum inspect_origin origin;
    const struct inspector *inspector; /* ORIGIN_OURS */
    size_t at;
};

/* What begins at bytes[at]. */
static struct found look_at(const uint8_t *bytes, size_t count, size_t at)
{
    struct found best = {ORIGIN_NONE, NULL, at};
    for (size_t i = 0; i < INSPECTORS; i++) {
        enum inspect_origin origin = inspectors[i]->origin(bytes + at, count - at);
        if (origin > best.origin) {
            best.origin = origin;
            best.inspector = inspectors[i];
        }
    }
    return best;
}

/* A pool begins at most a granule behind the beginning of its buffer. */
static struct found find(const uint8_t *bytes, size_t count, size_t from)
{
    struct found best = {ORIGIN_NONE, NULL, from};
    for (size_t at = from; at < count && at < from + GRANULE_MAX && best.origin != ORIGIN_OURS; at++) {
        struct found found = look_at(bytes, count, at);
        if (found.origin > best.origin) {
            best = found;
        }
    }
    return best;
}

/* Where else in the dump a pool begins; `count` if nowhere. */
static size_t find_elsewhere(const uint8_t *bytes, size_t count)
{
    size_t at = 0;
    while (at < count && look_at(bytes, count, at).origin != ORIGIN_OURS) {
        at++;
    }
    return at;
}

static void explain(struct inspect_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void explain(struct inspect_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
}

/* Why what was found, or not, is no pool that can be read. */
static void explain_origin(struct found found, const uint8_t *bytes, size_t count,
                           struct inspect_error *error)
{
    switch (found.origin) {
    case ORIGIN_SWAPPED:
        explain(error, "the pool at byte %zu is of a machine of the other byte order, which is not read here",
                found.at);
        return;
    case ORIGIN_VERSION:
    case ORIGIN_OTHER:
        explain(error,
                "the pool at byte %zu is of an image version, layout or alignment that is not known here",
                found.at);
        return;
    default:
        break;
    }
    size_t elsewhere = find_elsewhere(bytes, count);
    if (elsewhere < count) {
        explain(error, "no pool begins at byte %zu; one does at byte %zu (--offset=%zu)", found.at, elsewhere,
                elsewhere);
    } else {
        explain(error, "no pool: nothing in it says \"DFRG\" where a pool would");
    }
}

/* Finds a pool whose control block is there, and copies that, since nothing is aligned in a dump. */
static enum inspect_result find_control(const uint8_t *bytes, size_t count, size_t from, struct found *found,
                                        void *control, struct inspect_error *error)
{
    *found = (struct found){ORIGIN_NONE, NULL, from};
    if (count == 0) {
        explain(error, "empty");
        return INSPECT_NO_POOL;
    }
    if (from >= count) {
        explain(error, "it has %zu bytes, and none at byte %zu", count, from);
        return INSPECT_NO_POOL;
    }
    *found = find(bytes, count, from);
    const struct inspector *inspector = found->inspector;
    if (found->origin != ORIGIN_OURS || !inspector) {
        explain_origin(*found, bytes, count, error);
        return INSPECT_NO_POOL;
    }
    if (count - found->at < inspector->control_bytes) {
        explain(error, "cut: of the control block, %zu bytes, %zu are there", inspector->control_bytes,
                count - found->at);
        return INSPECT_NO_POOL;
    }
    memcpy(control, bytes + found->at, inspector->control_bytes);
    if (inspector->length(control) < inspector->least_bytes) {
        explain(error,
                "damaged: the pool at byte %zu says that it has %" PRIu64
                " bytes; no such pool has fewer than %zu",
                found->at, inspector->length(control), inspector->least_bytes);
        return INSPECT_SENSELESS;
    }
    return INSPECT_READ;
}

enum inspect_result inspect_length(const uint8_t *bytes, size_t count, size_t from, size_t *file_offset,
                                   uint64_t *length, struct inspect_error *error)
{
    _Alignas(GRANULE_MAX) uint8_t control[INSPECT_HEAD_BYTES];
    struct found found;
    enum inspect_result result = find_control(bytes, count, from, &found, control, error);
    if (result == INSPECT_READ) {
        *file_offset = found.at;
        *length = found.inspector->length((const defrag_pool *)(void *)control);
    }
    return result;
}

/* --- Reading it ------------------------------------------------------------------------ */

/*
 * Copies the pool to where the address is what it was, modulo what the image keeps
 * of it; the copy ends where its memory ends, so that a sanitizer sees beyond.
 */
static void copy_pool(struct inspection *inspection, const struct inspector *inspector, const uint8_t *bytes)
{
    size_t length = (size_t)inspection->bytes;
    size_t modulus = (size_t)inspection->base_modulus;
    size_t residue = (size_t)inspection->base;
    if (residue >= modulus || residue % inspector->build->alignment != 0) {
        residue = 0;
    }
    inspection->room = xaligned(modulus, residue + length);
    inspection->pool = (defrag_pool *)(void *)((uint8_t *)inspection->room + residue);
    memcpy(inspection->pool, bytes, length);
    memcpy(&inspection->host, bytes, HOST_BYTES);
    /* No checker or statistics may follow it. */
    inspector->settle(inspection->pool);
}

enum inspect_result inspect_read(struct inspection *inspection, const uint8_t *bytes, size_t count,
                                 size_t from, struct inspect_error *error)
{
    _Alignas(GRANULE_MAX) uint8_t control[INSPECT_HEAD_BYTES];
    struct found found;
    char needed[NUMBER_ROOM], there[NUMBER_ROOM];

    enum inspect_result result = find_control(bytes, count, from, &found, control, error);
    if (result != INSPECT_READ) {
        return result;
    }
    const defrag_pool *pool = (const defrag_pool *)(void *)control;
    uint64_t length = found.inspector->length(pool);
    if (length > count - found.at) {
        explain(error, "cut, or its length is damaged: of the pool at byte %zu, %s bytes, %s are there",
                found.at, number_format(needed, length), number_format(there, count - found.at));
        return INSPECT_NO_POOL;
    }
    *inspection =
        (struct inspection){.build = found.inspector->build, .file_offset = found.at, .bytes = length};
    inspection->base = found.inspector->base(pool, &inspection->base_modulus);
    copy_pool(inspection, found.inspector, bytes + found.at);
    found.inspector->look(inspection->pool, inspection);
    return INSPECT_READ;
}

void inspect_release(struct inspection *inspection)
{
    free(inspection->room);
    free(inspection->blocks);
    free(inspection->slots);
    free(inspection->claims);
    *inspection = (struct inspection){0};
}
