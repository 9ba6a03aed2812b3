/* SPDX-License-Identifier: MIT */
/*
 * What `defrag-bench record` and the preloaded recorder agree on: a file that
 * both map and that outlives the recorded process. Every event is complete in
 * the file the moment it happened, so that nothing needs to be flushed and no
 * way of ending, not even SIGKILL, loses one.
 */
#ifndef DEFRAG_TOOLS_RECORDER_H
#define DEFRAG_TOOLS_RECORDER_H

#include <stdatomic.h>
#include <stdint.h>

#define RECORDER_ENV_FILE "DEFRAG_RECORD_FILE" /* path of the log */
#define RECORDER_ENV_PID  "DEFRAG_RECORD_PID"  /* the one process to be recorded */

#define RECORDER_MAGIC UINT64_C(0x31676f4c67667264)

enum recorder_kind {
    RECORDER_NOTHING,      /* the process was killed before it wrote the event */
    RECORDER_ALLOC,        /* after it: address, size, alignment */
    RECORDER_FREE,         /* before it: address */
    RECORDER_RESIZE,       /* before it: old address; one of the next three follows */
    RECORDER_RESIZED,      /* after it: new address, size, the RESIZE event */
    RECORDER_RESIZE_FREED, /* realloc(p, 0) freed the object: the RESIZE event */
    RECORDER_RESIZE_FAILED /* the object stays as it was: the RESIZE event */
};

/*
 * The place of an event is drawn after an address was got and before it is
 * given back. Whatever threads do, an address is thus allocated, resized and
 * freed in the log in the order in which it really was.
 */
struct recorder_event {
    _Atomic uint32_t kind; /* written last */
    uint32_t align_shift;  /* log2 of the alignment asked for, 0 if none */
    uint64_t address;
    uint64_t size;
    uint64_t link; /* the number of the RESIZE event */
};

struct recorder_log {
    uint64_t magic;
    _Atomic uint64_t next;  /* number of the next event */
    uint64_t start;         /* the first event of the program image running now */
    uint32_t images;        /* programs that began to record: 1, and 1 for each exec */
    _Atomic uint32_t error; /* errno of what stopped the recording; 0: nothing did */
    uint32_t pointer_bits;
    char image[64]; /* name of the program, without its folder */
    _Alignas(4096) struct recorder_event events[];
};

#endif
