/* SPDX-License-Identifier: MIT */
/* From the stream of a device, as defrag_record.h writes it, to a trace of objects. */
#ifndef DEFRAG_TOOLS_RECORD_DEVICE_H
#define DEFRAG_TOOLS_RECORD_DEVICE_H

#include "record_log.h"

struct record_device_event {
    char kind; /* its letter */
    uint32_t line;
    uint64_t name;
    uint64_t size;      /* allocate, resize */
    uint64_t alignment; /* allocate; 0: none was asked for */
    uint64_t new_name;  /* resize */
};

struct record_device {
    struct record_device_event *events;
    size_t count, room;
    unsigned pointer_bits;
    bool is_ended; /* it says that it is whole */
};

/* Reads a whole stream. Returns 0, or -1 with `error` filled and nothing to be released. */
int record_device_read(struct record_device *device, const char *path, struct trace_error *error);

/* As record_log_convert(). */
void record_device_convert(const struct record_device *device, trace_writer *writer,
                           struct record_counts *counts);

void record_device_release(struct record_device *device);

#endif
