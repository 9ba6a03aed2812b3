/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <argp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "number.h"
#include "xalloc.h"

enum {
    KEY_POLICY = 'p',
    KEY_LAYOUT = 'l',
    KEY_ALIGNMENT = 'a',
    KEY_POOL = 'b',
    KEY_LOCK_FRACTION = 'L',
    KEY_JSON = 'j',
    KEY_PROGRESS = 0x100,
    KEY_CHECK,
    KEY_MANUAL
};

/* While the arguments are read. */
struct reading {
    struct options *options;
    const char *names[CONTENDERS_MOST]; /* of --policy, each once */
    size_t name_count;
};

void complain(const char *format, ...)
{
    va_list arguments;
    fputs("defrag-bench: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

/* --- Values --------------------------------------------------------------------- */

#define REFUSE(state, ...) argp_failure(state, EXIT_USAGE, 0, __VA_ARGS__)

static void policy_read(struct reading *reading, const char *name, struct argp_state *state)
{
    if (strcmp(name, CONTENDER_DEFRAG) != 0 && !policy_find(name)) {
        REFUSE(state, "--policy: unknown policy '%s'; there are libdefrag, first-fit, best-fit, tlsf, "
                      "half-fit and buddy", name);
        return;
    }
    for (size_t i = 0; i < reading->name_count; i++) {
        if (strcmp(reading->names[i], name) == 0) {
            return;
        }
    }
    reading->names[reading->name_count++] = name;
}

static void layout_read(struct options *options, const char *text, struct argp_state *state)
{
    if (strcmp(text, "narrow") != 0 && strcmp(text, "wide") != 0) {
        REFUSE(state, "--layout: '%s' is neither narrow nor wide", text);
    }
    options->layout = text;
}

static void alignment_read(struct options *options, const char *text, struct argp_state *state)
{
    if (strcmp(text, "4") != 0 && strcmp(text, "8") != 0 && strcmp(text, "16") != 0) {
        REFUSE(state, "--alignment: '%s' is none of 4, 8 and 16", text);
    }
    options->alignment = (unsigned)strtoul(text, NULL, 10);
}

static uint64_t bytes_read(const char *option, const char *text, struct argp_state *state)
{
    uint64_t bytes = 0;
    if (!number_parse_bytes(text, 1, CONTENDER_POOL_MAX, &bytes)) {
        REFUSE(state, "%s: '%s' is no number of bytes from 1 to %zu (K and M may follow)", option, text,
               CONTENDER_POOL_MAX);
    }
    return bytes;
}

static uint64_t count_read(const char *option, const char *text, uint64_t low, uint64_t high,
                           struct argp_state *state)
{
    uint64_t count = 0;
    if (!number_parse(text, low, high, &count)) {
        REFUSE(state, "%s: '%s' is no whole number from %lu to %lu", option, text, (unsigned long)low,
               (unsigned long)high);
    }
    return count;
}

/* --- Arguments -------------------------------------------------------------------- */

static void contender_add(struct options *options, const char *name)
{
    struct contender *contender = &options->contenders[options->contender_count++];

    contender->name = name;
    contender->policy = policy_find(name);
    contender->build = contender->policy ? NULL : defrag_build_find(options->layout, options->alignment);
    contender->alignment = options->alignment;
    contender->manual = options->manual;
}

/* Those that were named, in that order; else libdefrag and then every policy. */
static void contenders_choose(struct reading *reading, struct argp_state *state)
{
    struct options *options = reading->options;

    if (!defrag_build_find(options->layout, options->alignment)) {
        REFUSE(state, "there is no %s layout with alignment %u", options->layout, options->alignment);
    }
    for (size_t i = 0; i < reading->name_count; i++) {
        contender_add(options, reading->names[i]);
    }
    if (reading->name_count == 0) {
        contender_add(options, CONTENDER_DEFRAG);
        for (size_t i = 0; policies[i]; i++) {
            contender_add(options, policies[i]->name);
        }
    }
}

static void trace_add(struct options *options, char *path)
{
    options->traces = xrealloc(options->traces, options->trace_count + 1, sizeof *options->traces);
    options->traces[options->trace_count++] = path;
}

static error_t parse_common_option(int key, char *text, struct argp_state *state)
{
    struct reading *reading = state->input;
    struct options *options = reading->options;

    switch (key) {
    case KEY_POLICY:
        policy_read(reading, text, state);
        return 0;
    case KEY_LAYOUT:
        layout_read(options, text, state);
        return 0;
    case KEY_ALIGNMENT:
        alignment_read(options, text, state);
        return 0;
    case KEY_LOCK_FRACTION:
        options->lock_percent = (unsigned)count_read("--lock-fraction", text, 0, 100, state);
        return 0;
    case KEY_JSON:
        options->json = true;
        return 0;
    case KEY_PROGRESS:
        options->shows_progress = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_traces(int key, char *text, struct argp_state *state)
{
    struct reading *reading = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        trace_add(reading->options, text);
        return 0;
    case ARGP_KEY_NO_ARGS:
        REFUSE(state, "no trace was named");
        return 0;
    case ARGP_KEY_END:
        contenders_choose(reading, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_common(int key, char *text, struct argp_state *state)
{
    error_t error = parse_common_option(key, text, state);
    return error == ARGP_ERR_UNKNOWN ? parse_traces(key, text, state) : error;
}

static error_t parse_replay_option(int key, char *text, struct argp_state *state)
{
    struct reading *reading = state->input;
    struct options *options = reading->options;

    switch (key) {
    case KEY_POOL:
        options->pool_bytes = bytes_read("--pool", text, state);
        return 0;
    case KEY_CHECK:
        options->check_every = text ? count_read("--check", text, 1, UINT32_MAX, state) : 1;
        return 0;
    case KEY_MANUAL:
        options->manual = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void second_trace_refuse(int key, const char *text, struct argp_state *state)
{
    const struct reading *reading = state->input;

    if (key == ARGP_KEY_ARG && reading->options->trace_count > 0) {
        REFUSE(state, "one trace at a time, please; '%s' is another", text);
    }
}

static error_t parse_replay(int key, char *text, struct argp_state *state)
{
    second_trace_refuse(key, text, state);
    error_t error = parse_replay_option(key, text, state);
    return error == ARGP_ERR_UNKNOWN ? parse_common(key, text, state) : error;
}

/* --- Help --------------------------------------------------------------------------- */

#define COMMON_OPTIONS                                                                             \
    {"policy", KEY_POLICY, "NAME", 0,                                                              \
     "Only this one; may be given again. libdefrag, first-fit, best-fit, tlsf, half-fit or buddy", 0}, \
    {"layout", KEY_LAYOUT, "NAME", 0, "Layout of libdefrag: narrow (default) or wide", 0},         \
    {"alignment", KEY_ALIGNMENT, "BYTES", 0, "4, 8 (default) or 16, for all that leave a choice", 0}, \
    {"lock-fraction", KEY_LOCK_FRACTION, "PERCENT", 0,                                             \
     "Hold so many of the live blocks locked, in rotation", 0},                                    \
    {"json", KEY_JSON, NULL, 0, "JSON on standard output instead of a table", 0},                  \
    {"progress", KEY_PROGRESS, NULL, 0, "Show progress even if stderr is no terminal", 0}

static const struct argp_option replay_options[] = {
    COMMON_OPTIONS,
    {"pool", KEY_POOL, "BYTES", 0,
     "Size of the pool, all of it; K and M may follow (default: twice the peak payload and 4K)", 0},
    {"check", KEY_CHECK, "N", OPTION_ARG_OPTIONAL,
     "Let libdefrag check its pool after every N operations (default 1)", 0},
    {"manual", KEY_MANUAL, NULL, 0, "Let libdefrag move nothing for a request (DEFRAG_MANUAL)", 0},
    {0},
};

static const struct argp_option size_options[] = {COMMON_OPTIONS, {0}};

static const struct argp replay_argp = {
    replay_options, parse_replay, "TRACE",
    "Replays a trace through libdefrag and through non-moving policies, verifying the contents of "
    "every block, and tells what failed, what moved and what it cost.\v"
    "Exit status: 0, every request was served and every byte was right; 1, some were not; 2, the "
    "arguments, the trace or the output are at fault. See defrag-bench(1).",
    NULL, NULL, NULL,
};

static const struct argp size_argp = {
    size_options, parse_common, "TRACE...",
    "Finds the smallest pool in which libdefrag and non-moving policies run each trace without a "
    "failure, so that every larger pool does so too.\v"
    "Exit status: 0, all were found; 1, a heap misbehaved; 2, the arguments, a trace or the output "
    "are at fault, or a trace is too big for the layout. See defrag-bench(1).",
    NULL, NULL, NULL,
};

void options_parse(struct options *options, enum options_command command, int argc, char **argv)
{
    struct reading reading = {.options = options};

    memset(options, 0, sizeof *options);
    options->layout = "narrow";
    options->alignment = 8;
    options->shows_progress = isatty(STDERR_FILENO);
    error_t error =
        argp_parse(command == OPTIONS_REPLAY ? &replay_argp : &size_argp, argc, argv, 0, NULL, &reading);
    if (error != 0) {
        complain("%s", strerror(error));
        exit(EXIT_USAGE);
    }
}

void options_release(struct options *options)
{
    free(options->traces);
    options->traces = NULL;
}
