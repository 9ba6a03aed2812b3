/* SPDX-License-Identifier: MIT */
/*
 * One replay of a trace through one contender.
 *
 * A request that is refused leaves things as they were: an object that was not
 * allocated does not exist, and the operations on it are skipped; one that was
 * not resized keeps its size.
 *
 * Alignments that a trace asks for are not heeded beyond the contender's own.
 */
#ifndef DEFRAG_TOOLS_REPLAY_H
#define DEFRAG_TOOLS_REPLAY_H

#include <stdatomic.h>

#include "contender.h"
#include "trace.h"

/* What was done last. */
struct replay_event {
    const struct trace_op *op;
    size_t done;         /* operations, with this one */
    uint64_t moved;      /* bytes, by this one */
    const char *refused; /* why the request was not served; NULL: it was, or is none */
    struct arena *arena;
};

struct replay_options {
    unsigned lock_percent;     /* of the live blocks held locked, in rotation; 0 to 100 */
    size_t check_every;        /* operations between two checks of the heap by itself; 0: none */
    bool contents;             /* payloads are written and verified, moves and metadata are measured */
    bool until_refused;        /* stop at the first request that is refused */
    atomic_size_t *operations; /* counts them for somebody who watches; or NULL */

    /* If contents are written: told of each operation; false ends the replay. Or NULL. */
    bool (*observe)(void *observer, const struct replay_event *event);
    void *observer;
};

struct replay_result {
    uint64_t refused;           /* requests */
    uint32_t refused_line;      /* of the first; 0: there was none */
    const char *refused_reason; /* of the first */
    uint64_t skipped;           /* operations on objects that do not exist */
    uint64_t damaged;           /* times that an object's contents were not what was written */
    uint32_t damaged_line;      /* where the first was found; past the last line: at the end */
    uint32_t broken_line;       /* the heap gave a senseless answer there, and the replay stopped */
    const char *broken_reason;
    uint64_t peak_payload; /* bytes of live objects, at most */
    uint64_t moved_bytes;
    uint64_t moved_blocks;
    uint64_t longest_pause;    /* most bytes moved in one operation */
    size_t metadata_bytes;     /* at the peak of the trace's payload; of the empty heap if it has none */
    struct policy_range range; /* the pools in which all this would have been the same */
};

/* Whether every request was served and every byte was right. */
bool replay_is_clean(const struct replay_result *result);

/* Returns false if there is no pool of that many units. */
bool replay_run(const struct trace *trace, const struct contender *contender, size_t units,
                const struct replay_options *options, struct replay_result *result);

/* The same in the largest pool within `bytes`; false too if they do not hold what any pool has for good. */
bool replay_run_within(const struct trace *trace, const struct contender *contender, size_t bytes,
                       const struct replay_options *options, struct replay_result *result);

#endif
