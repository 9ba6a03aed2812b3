/* SPDX-License-Identifier: MIT */
/*
 * A replay in a process of its own: this program once more, as a worker that is
 * given another malloc to begin with, or loads a plugin. Master and worker share
 * the board, on which one writes the job and the other what comes of it, and
 * see the trace's operations. The worker may fall into pieces at any moment, so
 * that what it has written is to be taken with care.
 */
#ifndef DEFRAG_TOOLS_COMPARE_H
#define DEFRAG_TOOLS_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contender.h"
#include "histogram.h"
#include "trace.h"

enum { COMPARE_NAME_ROOM = 32, COMPARE_REASON_ROOM = 160 };

#define COMPARE_WORKER "compare-worker"

enum subject_kind {
    SUBJECT_DEFRAG,
    SUBJECT_POLICY,
    SUBJECT_MALLOC, /* the process's own */
    SUBJECT_PLUGIN,
};

enum compare_task {
    TASK_PROBE_PLUGIN, /* what is in the file, loaded as a plugin is */
    TASK_PROBE_MALLOC, /* and preloaded */
    TASK_TRIAL,        /* a replay that ends with the first request that is refused */
    TASK_PROOF,        /* a whole one, in which footprints are measured */
    TASK_TIMED,        /* one in which the time of each operation is */
    TASK_PACE,         /* and one that touches no block, in which that of all together is */
};

struct compare_job {
    enum compare_task task;
    enum subject_kind kind;
    char contender[COMPARE_NAME_ROOM]; /* libdefrag, or a policy */
    char layout[COMPARE_NAME_ROOM];
    unsigned alignment;
    bool manual;
    size_t pool_bytes;
    size_t objects;
    size_t count; /* of operations */
    uint32_t peak_line;
};

/* How far the worker got. */
enum compare_stage {
    STAGE_START,
    STAGE_LOADING,
    STAGE_INIT,
    STAGE_REPLAY, /* `operation` is the one */
    STAGE_END,    /* all is written */
    STAGE_REFUSED /* it could not do its job: `reason` */
};

struct compare_result {
    volatile enum compare_stage stage;
    volatile size_t operation;
    enum subject_kind kind;           /* of a probe */
    char name[COMPARE_NAME_ROOM];     /* of a probe: the plugin's */
    char reason[COMPARE_REASON_ROOM]; /* STAGE_REFUSED; or what is wrong with the heap, or empty */
    bool is_too_small;                /* there is no heap in so small a pool */
    uint32_t reason_line;             /* of what is wrong; 0: it was seen at the end */
    uint64_t refused;                 /* requests */
    uint32_t refused_line;            /* of the first */
    uint64_t skipped;                 /* operations on objects that do not exist */
    uint64_t moved_bytes;
    size_t used_bytes;           /* of a pool, at most; 0: it does not tell */
    size_t resident_bytes;       /* of malloc, at most, beyond what was there before */
    struct histogram operations; /* nanoseconds of each, looking at the clock included */
    struct histogram locks;      /* of a lock and its unlock together */
    double pace;                 /* nanoseconds of processor time for each operation */
    struct histogram clock;      /* of nothing at all */
    uint64_t tick;               /* nanoseconds that the clock goes forward at a time */
};

struct compare_board {
    struct compare_job job;
    struct compare_result result;
};

/* --- The master ------------------------------------------------------------- */

struct compare_master;

/* How a worker's life ended. */
enum compare_end {
    COMPARE_DONE,        /* the result is whole */
    COMPARE_FAULTY,      /* the heap is: `text` says how */
    COMPARE_IMPOSSIBLE,  /* the job could not be begun: `text` */
    COMPARE_INTERRUPTED, /* by the signal that master_signal() tells */
};

struct compare_answer {
    enum compare_end end;
    char text[COMPARE_REASON_ROOM + 128];
    struct compare_result result;
};

/* NULL after a message. One at a time: it keeps the signals that end a program to itself. */
struct compare_master *master_open(unsigned timeout_seconds);
void master_close(struct compare_master *master);

/* The operations of the jobs to come. False after a message. */
bool master_set_trace(struct compare_master *master, const struct trace *trace);

/*
 * Does the job in a worker; `file` is an open file to load, or to preload if the kind is SUBJECT_MALLOC;
 * or -1.
 */
void master_run(struct compare_master *master, const struct compare_job *job, int file,
                struct compare_answer *answer);

/* Ends this program as the signal that interrupted it would have. */
_Noreturn void master_die(const struct compare_master *master);

/* --- The worker --------------------------------------------------------------- */

/* defrag-bench compare-worker BOARD TRACE FILE: file descriptors, -1 for none. */
int compare_worker_main(int argc, char **argv);

#endif
