/* SPDX-License-Identifier: MIT */
#include "record_log.h"

#include <stdlib.h>

#include "xalloc.h"

#define uthash_malloc(bytes) xrealloc(NULL, 1, bytes)
#include <uthash.h>

struct object {
    uint64_t key; /* its address, or the number of the RESIZE event while that is going on */
    uint64_t address;
    uint64_t id;
    uint64_t size;
    UT_hash_handle hh;
};

struct conversion {
    trace_writer *writer;
    struct record_counts *counts;
    struct object *live;
    struct object *resizing;
};

static struct object *take(struct object **table, uint64_t key)
{
    struct object *found;
    HASH_FIND(hh, *table, &key, sizeof key, found);
    if (found) {
        HASH_DEL(*table, found);
    }
    return found;
}

static void give(struct object **table, uint64_t key, struct object *object)
{
    object->key = key;
    HASH_ADD(hh, *table, key, sizeof object->key, object);
}

static void drop_all(struct object **table)
{
    struct object *object, *next;
    HASH_ITER(hh, *table, object, next) {
        HASH_DEL(*table, object);
        free(object);
    }
}

static void count(struct conversion *c, uint64_t before, uint64_t after)
{
    struct record_counts *counts = c->counts;
    counts->operations++;
    counts->live_payload += after - before;
    if (counts->live_payload > counts->peak_payload) {
        counts->peak_payload = counts->live_payload;
    }
}

static void end_object(struct conversion *c, struct object *object)
{
    if (c->writer) {
        trace_put_free(c->writer, object->id);
    }
    count(c, object->size, 0);
    c->counts->left--;
    free(object);
}

static void begin_object(struct conversion *c, const struct recorder_event *event)
{
    struct object *old = take(&c->live, event->address);
    if (old) {
        c->counts->unseen_frees++;
        end_object(c, old);
    }
    struct object *object = xcalloc(1, sizeof *object);
    object->id = ++c->counts->objects;
    object->size = event->size;
    object->address = event->address;
    give(&c->live, object->address, object);
    if (c->writer) {
        trace_put_alloc(c->writer, object->id, object->size, UINT64_C(1) << event->align_shift);
    }
    c->counts->left++;
    count(c, 0, object->size);
}

static void free_object(struct conversion *c, const struct recorder_event *event)
{
    struct object *object = take(&c->live, event->address);
    if (object) {
        end_object(c, object);
    } else {
        c->counts->unknown_frees++;
    }
}

static void begin_resize(struct conversion *c, const struct recorder_event *event, uint64_t number)
{
    struct object *object = take(&c->live, event->address);
    if (object) {
        give(&c->resizing, number, object);
    }
}

static void end_resize(struct conversion *c, const struct recorder_event *event)
{
    struct object *object = take(&c->resizing, event->link);
    if (!object) {
        c->counts->unknown_resizes++;
        begin_object(c, event);
        return;
    }
    if (c->writer) {
        trace_put_resize(c->writer, object->id, event->size);
    }
    count(c, object->size, event->size);
    object->size = event->size;
    object->address = event->address;
    give(&c->live, object->address, object);
}

static void free_by_resize(struct conversion *c, const struct recorder_event *event)
{
    struct object *object = take(&c->resizing, event->link);
    if (object) {
        end_object(c, object);
    } else {
        c->counts->unknown_frees++;
    }
}

static void cancel_resize(struct conversion *c, const struct recorder_event *event)
{
    struct object *object = take(&c->resizing, event->link);
    if (object) {
        give(&c->live, object->address, object);
    }
}

static void convert(struct conversion *c, const struct recorder_log *log, uint64_t number)
{
    const struct recorder_event *event = &log->events[number];
    switch (atomic_load_explicit(&event->kind, memory_order_acquire)) {
    case RECORDER_ALLOC:
        begin_object(c, event);
        break;
    case RECORDER_FREE:
        free_object(c, event);
        break;
    case RECORDER_RESIZE:
        begin_resize(c, event, number);
        break;
    case RECORDER_RESIZED:
        end_resize(c, event);
        break;
    case RECORDER_RESIZE_FREED:
        free_by_resize(c, event);
        break;
    case RECORDER_RESIZE_FAILED:
        cancel_resize(c, event);
        break;
    default:
        break;
    }
}

/* The process may have been killed between drawing a number and making room for the event. */
static uint64_t end_of_events(const struct recorder_log *log, size_t bytes)
{
    uint64_t room = (bytes - sizeof *log) / sizeof log->events[0];
    uint64_t next = atomic_load(&log->next);
    return next < room ? next : room;
}

void record_log_convert(const struct recorder_log *log, size_t bytes, trace_writer *writer,
                        struct record_counts *counts)
{
    struct conversion c = {.writer = writer, .counts = counts};
    uint64_t end = end_of_events(log, bytes);
    *counts = (struct record_counts){0};
    for (uint64_t number = log->start; number < end; number++) {
        convert(&c, log, number);
        if (writer && trace_write_failed(writer)) {
            break;
        }
    }
    drop_all(&c.live);
    drop_all(&c.resizing);
}
