/* SPDX-License-Identifier: MIT */
/* `defrag-bench sweep`: prints the command lines of many replays, for others to run. */
#include "commands.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "options.h"
#include "report.h"
#include "xalloc.h"

/* Values of one kind, as they were given. */
struct values {
    const char **texts;
    size_t count;
};

struct sweep {
    struct values traces, pools, policies, locks;
    const char *layout;
    unsigned alignment;
};

/* --- Arguments ---------------------------------------------------------------------------- */

#define REFUSE(state, ...) argp_failure(state, EXIT_USAGE, 0, __VA_ARGS__)

/* Each once. */
static void value_add(struct values *values, const char *text)
{
    for (size_t i = 0; i < values->count; i++) {
        if (strcmp(values->texts[i], text) == 0) {
            return;
        }
    }
    values->texts = xrealloc(values->texts, values->count + 1, sizeof *values->texts);
    values->texts[values->count++] = text;
}

static void pool_add(struct sweep *sweep, const char *text, struct argp_state *state)
{
    uint64_t bytes;
    if (!number_parse_bytes(text, 1, CONTENDER_POOL_MAX, &bytes)) {
        REFUSE(state, "--pool: '%s' is no number of bytes from 1 to %zu (K and M may follow)", text,
               CONTENDER_POOL_MAX);
    }
    value_add(&sweep->pools, text);
}

static void lock_add(struct sweep *sweep, const char *text, struct argp_state *state)
{
    uint64_t percent;
    if (!number_parse(text, 0, 100, &percent)) {
        REFUSE(state, "--lock-fraction: '%s' is no whole number from 0 to 100", text);
    }
    value_add(&sweep->locks, text);
}

static void alignment_set(struct sweep *sweep, const char *text, struct argp_state *state)
{
    uint64_t bytes;
    if (!number_parse(text, 1, UINT16_MAX, &bytes)) {
        REFUSE(state, "--alignment: '%s' is none of 4, 8 and 16", text);
    }
    sweep->alignment = (unsigned)bytes;
}

static void policy_add(struct sweep *sweep, const char *text, struct argp_state *state)
{
    if (strcmp(text, CONTENDER_DEFRAG) != 0 && !policy_find(text)) {
        REFUSE(state,
               "--policy: unknown policy '%s'; there are libdefrag, first-fit, best-fit, tlsf, half-fit and "
               "buddy",
               text);
    }
    value_add(&sweep->policies, text);
}

/* What was not given. */
static void sweep_complete(struct sweep *sweep, struct argp_state *state)
{
    if (!defrag_build_find(sweep->layout, sweep->alignment)) {
        REFUSE(state, "there is no %s layout with alignment %u", sweep->layout, sweep->alignment);
    }
    if (sweep->policies.count == 0) {
        value_add(&sweep->policies, CONTENDER_DEFRAG);
        for (size_t i = 0; policies[i]; i++) {
            value_add(&sweep->policies, policies[i]->name);
        }
    }
    if (sweep->locks.count == 0) {
        value_add(&sweep->locks, "0");
    }
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct sweep *sweep = state->input;

    switch (key) {
    case 'b':
        pool_add(sweep, text, state);
        return 0;
    case 'p':
        policy_add(sweep, text, state);
        return 0;
    case 'L':
        lock_add(sweep, text, state);
        return 0;
    case 'l':
        sweep->layout = text;
        return 0;
    case 'a':
        alignment_set(sweep, text, state);
        return 0;
    case ARGP_KEY_ARG:
        value_add(&sweep->traces, text);
        return 0;
    case ARGP_KEY_NO_ARGS:
        REFUSE(state, "no trace was named");
        return 0;
    case ARGP_KEY_SUCCESS:
        sweep_complete(sweep, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option options[] = {
    {"pool", 'b', "BYTES", 0, "Size of the pools; may be given again (default: that of replay)", 0},
    {"policy", 'p', "NAME", 0, "Only this one; may be given again (default: libdefrag and all policies)", 0},
    {"lock-fraction", 'L', "PERCENT", 0, "Of the live blocks; may be given again (default: 0)", 0},
    {"layout", 'l', "NAME", 0, "Layout of libdefrag: narrow (default) or wide", 0},
    {"alignment", 'a', "BYTES", 0, "4, 8 (default) or 16", 0},
    {0},
};

static const struct argp sweep_argp = {
    options,
    parse,
    "TRACE...",
    "Prints a command line for each trace, pool, policy and lock fraction, for GNU parallel to run on all "
    "cores, "
    "or machines; `defrag-bench gather` joins what they print.\v"
    "  defrag-bench sweep -b 64K -b 96K *.zst | parallel > results\n"
    "  defrag-bench gather results\n\n"
    "Exit status: 0, or 2: the arguments or the output are at fault. See defrag-bench(1).",
    NULL,
    NULL,
    NULL,
};

/* --- The jobs ------------------------------------------------------------------------------- */

/* In single quotes, unless it has nothing that a shell would see. */
static void shell_put(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-,:@";

    if (*text && text[strspn(text, plain)] == '\0') {
        fputs(text, stdout);
        return;
    }
    putchar('\'');
    for (; *text; text++) {
        fputs(*text == '\'' ? "'\\''" : (char[]){*text, '\0'}, stdout);
    }
    putchar('\'');
}

/* Without a size of pools, replay's own. */
static void job_print(const struct sweep *sweep, const char *trace, const char *pool, const char *policy,
                      const char *lock)
{
    printf("defrag-bench replay --json --layout=%s --alignment=%u --policy=%s --lock-fraction=%s ",
           sweep->layout, sweep->alignment, policy, lock);
    if (pool) {
        printf("--pool=%s ", pool);
    }
    fputs("-- ", stdout);
    shell_put(trace);
    putchar('\n');
}

static void jobs_print(const struct sweep *sweep, const char *trace, const char *pool)
{
    for (size_t i = 0; i < sweep->policies.count; i++) {
        for (size_t j = 0; j < sweep->locks.count; j++) {
            job_print(sweep, trace, pool, sweep->policies.texts[i], sweep->locks.texts[j]);
        }
    }
}

int sweep_main(int argc, char **argv)
{
    struct sweep sweep = {.layout = "narrow", .alignment = 8};
    error_t error = argp_parse(&sweep_argp, argc, argv, 0, NULL, &sweep);

    if (error != 0) {
        complain("%s", strerror(error));
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < sweep.traces.count; i++) {
        if (strchr(sweep.traces.texts[i], '\n')) {
            complain("%s: a name with a newline cannot stand in a line", sweep.traces.texts[i]);
            return EXIT_USAGE;
        }
    }
    for (size_t i = 0; i < sweep.traces.count; i++) {
        for (size_t j = 0; j < sweep.pools.count || j == 0; j++) {
            jobs_print(&sweep, sweep.traces.texts[i], sweep.pools.count ? sweep.pools.texts[j] : NULL);
        }
    }
    free(sweep.traces.texts);
    free(sweep.pools.texts);
    free(sweep.policies.texts);
    free(sweep.locks.texts);
    return report_finish(EXIT_CLEAN);
}
