/* SPDX-License-Identifier: MIT */
/* The command lines of the commands that replay traces or run workloads. */
#ifndef DEFRAG_TOOLS_OPTIONS_H
#define DEFRAG_TOOLS_OPTIONS_H

#include <stdarg.h>

#include "adversary.h"
#include "contender.h"
#include "gauge.h"
#include "workload.h"

/* Exit statuses of every command. */
enum {
    EXIT_CLEAN = 0,
    EXIT_DIFFERENCE = 1, /* it ran, and something was not as it should be */
    EXIT_USAGE = 2       /* it could not run, or its result not be written */
};

enum { CONTENDERS_MOST = 8, ADVERSARIES_MOST = 8 };

struct options {
    struct contender contenders[CONTENDERS_MOST];
    size_t contender_count;
    const char *layout;
    unsigned alignment;
    size_t pool_bytes; /* 0: the default */
    unsigned lock_percent;
    size_t check_every; /* 0: never */
    bool manual;
    bool json;
    bool shows_progress;
    char **traces;
    size_t trace_count;

    /* Of `report`. */
    const char *output;

    size_t at; /* of `watch`: the operation to begin with */

    /* Of `adversary`; 0 for the three numbers: the adversary's own. */
    const struct adversary *adversaries[ADVERSARIES_MOST];
    size_t adversary_count;
    size_t most; /* units live */
    size_t largest;
    size_t unit; /* bytes */

    /* Of `churn`. */
    enum workload_kind workloads[WORKLOAD_KINDS];
    size_t workload_count;
    unsigned *percents; /* of the pool, to be live payload */
    size_t percent_count;
    uint32_t *seeds;
    size_t seed_count;
    uint32_t operations;
    struct pace pace;

    /* Of `compare`. */
    const char **allocators; /* files, or ALLOCATOR_GLIBC */
    size_t allocator_count;
    unsigned runs;
    unsigned timeout_seconds; /* of one run */
};

#define ALLOCATOR_GLIBC "glibc"

enum options_command {
    OPTIONS_REPLAY,
    OPTIONS_SIZE,
    OPTIONS_COMPARE,
    OPTIONS_REPORT,
    OPTIONS_WATCH,
    OPTIONS_ADVERSARY,
    OPTIONS_CHURN
};

/* What is wrong with the arguments is said on stderr, and the program ends with EXIT_USAGE. */
void options_parse(struct options *options, enum options_command command, int argc, char **argv);

/* The most bytes of a pool that all contenders can have. */
size_t options_most_pool_bytes(const struct options *options);

/* False, after a message, if --pool is more than that. */
bool options_pool_fits(const struct options *options);

void options_release(struct options *options);

/* The text, with a question mark for each control character. */
char *without_controls(char *text);

/* One line on stderr, after the program's name; names in it may hold anything. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void complain_as(const char *program, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#endif
