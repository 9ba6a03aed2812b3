/* SPDX-License-Identifier: MIT */
/* Independent pieces of work on all processors, with a line that tells how far they are. */
#ifndef DEFRAG_TOOLS_JOBS_H
#define DEFRAG_TOOLS_JOBS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct jobs {
    size_t count;
    void (*run)(void *context, size_t job); /* on any thread */
    void *context;

    /* The line, on stderr, rewritten in place from the first second on. */
    bool shows_progress;
    const char *verb;          /* "searching" */
    atomic_size_t *operations; /* done up to now, by all jobs */
};

/* Runs jobs 0 to count - 1, beginning with the first; returns when all are done. */
void jobs_run(const struct jobs *jobs);

#endif
