/* SPDX-License-Identifier: MIT */
/* From the recorder's log of addresses to a trace of objects. */
#ifndef DEFRAG_TOOLS_RECORD_LOG_H
#define DEFRAG_TOOLS_RECORD_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder.h"
#include "trace.h"

struct record_counts {
    uint64_t operations;
    uint64_t objects;
    uint64_t live_payload;
    uint64_t peak_payload;
    uint64_t left;            /* objects alive at the end */
    uint64_t unknown_frees;   /* of what was allocated before the recorder or around it */
    uint64_t unknown_resizes; /* the same; they count as allocations */
    uint64_t unseen_frees;    /* an address was given out again without a free before */
    uint64_t unknown_locks;   /* of a device: of what is not known, or unlocks too many */
};

/*
 * Goes through the events of a log of `bytes` bytes and writes the operations
 * they stand for, with IDs 1, 2, …; a null `writer` only counts them. Stops
 * early once the writer has failed.
 */
void record_log_convert(const struct recorder_log *log, size_t bytes, trace_writer *writer,
                        struct record_counts *counts);

#endif
