/* SPDX-License-Identifier: MIT */
/* The command lines of `defrag-bench replay` and `defrag-bench size`. */
#ifndef DEFRAG_TOOLS_OPTIONS_H
#define DEFRAG_TOOLS_OPTIONS_H

#include "contender.h"

/* Exit statuses of every command. */
enum {
    EXIT_CLEAN = 0,
    EXIT_DIFFERENCE = 1, /* it ran, and something was not as it should be */
    EXIT_USAGE = 2       /* it could not run, or its result not be written */
};

enum { CONTENDERS_MOST = 8 };

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
};

enum options_command { OPTIONS_REPLAY, OPTIONS_SIZE };

/* What is wrong with the arguments is said on stderr, and the program ends with EXIT_USAGE. */
void options_parse(struct options *options, enum options_command command, int argc, char **argv);

void options_release(struct options *options);

/* One line on stderr, after the program's name. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
