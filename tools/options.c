/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <argp.h>
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "number.h"
#include "xalloc.h"

enum {
    KEY_ALLOCATOR = 'A',
    KEY_RUNS = 'r',
    KEY_POLICY = 'p',
    KEY_LAYOUT = 'l',
    KEY_ALIGNMENT = 'a',
    KEY_POOL = 'b',
    KEY_LOCK_FRACTION = 'L',
    KEY_JSON = 'j',
    KEY_OUTPUT = 'o',
    KEY_PROGRESS = 0x100,
    KEY_CHECK,
    KEY_AT,
    KEY_MANUAL,
    KEY_MOST,
    KEY_LARGEST,
    KEY_UNIT,
    KEY_OCCUPANCY,
    KEY_SEED,
    KEY_OPERATIONS,
    KEY_PACE,
    KEY_TIMEOUT
};

#define ADVERSARY_NAMES "robson, best-fit, shrink, sawtooth and all"
#define WORKLOAD_NAMES  "uniform, locked, bimodal, skewed, phases, larson and all"

/* No simulated heap gets larger. */
#define ADVERSARY_HEAP_MAX ((size_t)1 << 26)
#define CHURN_POOL_BYTES   65536

#define COMPARE_RUNS            5
#define COMPARE_TIMEOUT_SECONDS 60

/* A message with two paths in it. */
enum { COMPLAINT_ROOM = 3 * PATH_MAX };

/* While the arguments are read. */
struct reading {
    enum options_command command;
    struct options *options;
    const char *names[CONTENDERS_MOST]; /* of --policy, each once */
    size_t name_count;
};

char *without_controls(char *text)
{
    for (char *at = text; *at; at++) {
        *at = iscntrl((unsigned char)*at) ? '?' : *at;
    }
    return text;
}

void complain_as(const char *program, const char *format, va_list arguments)
{
    char text[COMPLAINT_ROOM];

    vsnprintf(text, sizeof text, format, arguments);
    fprintf(stderr, "%s: %s\n", program, without_controls(text));
}

void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain_as("defrag-bench", format, arguments);
    va_end(arguments);
}

/* --- Values --------------------------------------------------------------------- */

#define REFUSE(state, ...) argp_failure(state, EXIT_USAGE, 0, __VA_ARGS__)

/* Other ways of compaction than libdefrag's are there to be compared with on workloads, not on traces. */
static bool is_compaction(const struct reading *reading, const char *name)
{
    return (reading->command == OPTIONS_ADVERSARY || reading->command == OPTIONS_CHURN) &&
           (strcmp(name, CONTENDER_SLIDE) == 0 || strcmp(name, CONTENDER_FULL_SLIDE) == 0);
}

static void policy_read(struct reading *reading, const char *name, struct argp_state *state)
{
    if (strcmp(name, CONTENDER_DEFRAG) != 0 && !policy_find(name) && !is_compaction(reading, name)) {
        bool knows_slides = is_compaction(reading, CONTENDER_SLIDE);
        REFUSE(state, "--policy: unknown policy '%s'; there are libdefrag, %sfirst-fit, best-fit, tlsf, "
                      "half-fit and buddy", name, knows_slides ? "slide, full-slide, " : "");
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

/* "A" or "A/B", each from 1 to 1,000. */
static struct pace pace_read(const char *text, struct argp_state *state)
{
    uint64_t part = 0, of = 1;
    char copy[16] = "";
    const char *slash = strchrnul(text, '/');
    size_t length = (size_t)(slash - text);

    memcpy(copy, text, length < sizeof copy ? length : 0);
    if (!number_parse(copy, 1, 1000, &part) || (*slash && !number_parse(slash + 1, 1, 1000, &of))) {
        REFUSE(state, "--pace: '%s' is no number like 2 or 1/4", text);
    }
    return (struct pace){(unsigned)part, (unsigned)of};
}

static size_t unit_read(const char *text, struct argp_state *state)
{
    uint64_t unit = count_read("--unit", text, 32, 1024, state);
    if (unit & (unit - 1)) {
        REFUSE(state, "--unit: '%s' is no power of two from 32 to 1024", text);
    }
    return (size_t)unit;
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
    if (strcmp(name, CONTENDER_SLIDE) == 0) {
        contender->compaction = COMPACTION_SLIDE;
    } else if (strcmp(name, CONTENDER_FULL_SLIDE) == 0) {
        contender->compaction = COMPACTION_FULL_SLIDE;
    }
}

/* libdefrag, the other ways of compaction where they are known, and the policies where they are of use. */
static void contenders_add_all(struct reading *reading)
{
    contender_add(reading->options, CONTENDER_DEFRAG);
    if (is_compaction(reading, CONTENDER_SLIDE)) {
        contender_add(reading->options, CONTENDER_SLIDE);
        contender_add(reading->options, CONTENDER_FULL_SLIDE);
    }
    bool knows_policies = reading->command != OPTIONS_CHURN && reading->command != OPTIONS_COMPARE &&
                          reading->command != OPTIONS_WATCH;
    for (size_t i = 0; policies[i] && knows_policies; i++) {
        contender_add(reading->options, policies[i]->name);
    }
}

/* Those that were named, in that order; else all. */
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
        contenders_add_all(reading);
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

static error_t parse_report(int key, char *text, struct argp_state *state)
{
    struct reading *reading = state->input;

    second_trace_refuse(key, text, state);
    switch (key) {
    case KEY_OUTPUT:
        reading->options->output = text;
        return 0;
    case KEY_POOL:
        reading->options->pool_bytes = bytes_read("--pool", text, state);
        return 0;
    case ARGP_KEY_SUCCESS:
        if (!reading->options->output || !*reading->options->output) {
            REFUSE(state, "no folder for the report was named; it is -o DIR");
        }
        return 0;
    default:
        return parse_common(key, text, state);
    }
}

static error_t parse_watch(int key, char *text, struct argp_state *state)
{
    struct reading *reading = state->input;

    if (key != KEY_AT) {
        return parse_replay(key, text, state);
    }
    reading->options->at = (size_t)count_read("--at", text, 1, UINT32_MAX, state);
    return 0;
}

/* --- Adversaries ------------------------------------------------------------------------ */

static void adversary_add(struct options *options, const struct adversary *adversary)
{
    for (size_t i = 0; i < options->adversary_count; i++) {
        if (options->adversaries[i] == adversary) {
            return;
        }
    }
    options->adversaries[options->adversary_count++] = adversary;
}

static void adversary_read(struct options *options, const char *name, struct argp_state *state)
{
    bool all = strcmp(name, "all") == 0;
    bool any = false;
    for (const struct adversary *adversary = adversaries; adversary->name; adversary++) {
        if (all || strcmp(name, adversary->name) == 0) {
            adversary_add(options, adversary);
            any = true;
        }
    }
    if (!any) {
        REFUSE(state, "unknown adversary '%s'; there are " ADVERSARY_NAMES, name);
    }
}

/* What was not given is the adversary's own; what was must do for all of them. */
static void adversaries_check(const struct options *options, struct argp_state *state)
{
    for (size_t i = 0; i < options->adversary_count; i++) {
        const struct adversary *adversary = options->adversaries[i];
        size_t most = options->most ? options->most : adversary->most;
        size_t largest = options->largest ? options->largest : adversary->largest;
        size_t unit = options->unit ? options->unit : adversary->unit;
        if (!adversary_takes(adversary, most, largest)) {
            REFUSE(state, "%s cannot be played with %zu units live and blocks of up to %zu", adversary->name,
                   most, largest);
        }
        if (adversary->bound(most, largest) > ADVERSARY_HEAP_MAX / unit) {
            REFUSE(state, "%s with %zu units of %zu bytes live and blocks of up to %zu takes a heap of more "
                          "than 64 MiB", adversary->name, most, unit, largest);
        }
    }
}

static error_t parse_adversary_option(int key, const char *text, struct argp_state *state)
{
    struct reading *reading = state->input;
    struct options *options = reading->options;

    switch (key) {
    case KEY_MOST:
        options->most = (size_t)count_read("--most", text, 2, 32766, state);
        return 0;
    case KEY_LARGEST:
        options->largest = (size_t)count_read("--largest", text, 2, 32766, state);
        return 0;
    case KEY_UNIT:
        options->unit = unit_read(text, state);
        return 0;
    case ARGP_KEY_ARG:
        adversary_read(options, text, state);
        return 0;
    case ARGP_KEY_NO_ARGS:
        REFUSE(state, "no adversary was named; there are " ADVERSARY_NAMES);
        return 0;
    case ARGP_KEY_END:
        contenders_choose(reading, state);
        adversaries_check(options, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_adversary(int key, char *text, struct argp_state *state)
{
    error_t error = parse_common_option(key, text, state);
    return error == ARGP_ERR_UNKNOWN ? parse_adversary_option(key, text, state) : error;
}

/* --- Churn -------------------------------------------------------------------------------- */

static void workload_add(struct options *options, enum workload_kind kind)
{
    for (size_t i = 0; i < options->workload_count; i++) {
        if (options->workloads[i] == kind) {
            return;
        }
    }
    options->workloads[options->workload_count++] = kind;
}

static void workload_read(struct options *options, const char *name, struct argp_state *state)
{
    if (strcmp(name, "all") == 0) {
        for (enum workload_kind kind = 0; kind < WORKLOAD_KINDS; kind++) {
            workload_add(options, kind);
        }
        return;
    }
    enum workload_kind kind = workload_find(name);
    if (kind == WORKLOAD_KINDS) {
        REFUSE(state, "unknown workload '%s'; there are " WORKLOAD_NAMES, name);
    }
    workload_add(options, kind);
}

static void percent_add(struct options *options, unsigned percent)
{
    options->percents = xrealloc(options->percents, options->percent_count + 1, sizeof *options->percents);
    options->percents[options->percent_count++] = percent;
}

static void seed_add(struct options *options, uint32_t seed)
{
    options->seeds = xrealloc(options->seeds, options->seed_count + 1, sizeof *options->seeds);
    options->seeds[options->seed_count++] = seed;
}

/* What was not given. */
static void churn_complete(struct options *options)
{
    static const unsigned percents[] = {70, 80, 85, 90, 92, 95, 98};
    bool has_percents = options->percent_count > 0;

    for (size_t i = 0; !has_percents && i < sizeof percents / sizeof *percents; i++) {
        percent_add(options, percents[i]);
    }
    if (options->seed_count == 0) {
        seed_add(options, WORKLOAD_SEED);
    }
    if (options->operations == 0) {
        options->operations = WORKLOAD_OPERATIONS;
    }
    if (options->pool_bytes == 0) {
        options->pool_bytes = CHURN_POOL_BYTES;
    }
}

static error_t parse_churn_option(int key, const char *text, struct argp_state *state)
{
    struct reading *reading = state->input;
    struct options *options = reading->options;

    switch (key) {
    case KEY_POOL:
        options->pool_bytes = bytes_read("--pool", text, state);
        return 0;
    case KEY_OCCUPANCY:
        percent_add(options, (unsigned)count_read("--occupancy", text, 1, 100, state));
        return 0;
    case KEY_SEED:
        seed_add(options, (uint32_t)count_read("--seed", text, 1, UINT32_MAX, state));
        return 0;
    case KEY_OPERATIONS:
        options->operations = (uint32_t)count_read("--operations", text, 1, UINT32_MAX, state);
        return 0;
    case KEY_PACE:
        options->pace = pace_read(text, state);
        return 0;
    case ARGP_KEY_ARG:
        workload_read(options, text, state);
        return 0;
    case ARGP_KEY_NO_ARGS:
        REFUSE(state, "no workload was named; there are " WORKLOAD_NAMES);
        return 0;
    case ARGP_KEY_END:
        contenders_choose(reading, state);
        churn_complete(options);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_churn(int key, char *text, struct argp_state *state)
{
    error_t error = parse_common_option(key, text, state);
    return error == ARGP_ERR_UNKNOWN ? parse_churn_option(key, text, state) : error;
}

/* --- Comparisons ---------------------------------------------------------------------------- */

static void allocator_add(struct options *options, const char *file)
{
    options->allocators =
        xrealloc(options->allocators, options->allocator_count + 1, sizeof *options->allocators);
    options->allocators[options->allocator_count++] = file;
}

/* What was not given. */
static void compare_complete(struct options *options)
{
    if (options->allocator_count == 0) {
        allocator_add(options, ALLOCATOR_GLIBC);
    }
    if (options->runs == 0) {
        options->runs = COMPARE_RUNS;
    }
    if (options->timeout_seconds == 0) {
        options->timeout_seconds = COMPARE_TIMEOUT_SECONDS;
    }
}

static error_t parse_compare(int key, char *text, struct argp_state *state)
{
    struct reading *reading = state->input;
    struct options *options = reading->options;

    switch (key) {
    case KEY_ALLOCATOR:
        allocator_add(options, text);
        return 0;
    case KEY_RUNS:
        options->runs = (unsigned)count_read("--runs", text, 1, 1000, state);
        return 0;
    case KEY_TIMEOUT:
        options->timeout_seconds = (unsigned)count_read("--timeout", text, 1, 86400, state);
        return 0;
    case KEY_LOCK_FRACTION:
    case KEY_CHECK:
        return ARGP_ERR_UNKNOWN;
    case ARGP_KEY_END:
        compare_complete(options);
        return parse_common(key, text, state);
    default: {
        error_t error = parse_replay_option(key, text, state);
        return error == ARGP_ERR_UNKNOWN ? parse_common(key, text, state) : error;
    }
    }
}

/* --- Help --------------------------------------------------------------------------- */

#define POLICY_OPTION(names)                                                                       \
    {"policy", KEY_POLICY, "NAME", 0, "Only this one; may be given again. libdefrag, " names           \
     "first-fit, best-fit, tlsf, half-fit or buddy", 0}

#define SHARED_OPTIONS                                                                             \
    {"layout", KEY_LAYOUT, "NAME", 0, "Layout of libdefrag: narrow (default) or wide", 0},         \
    {"alignment", KEY_ALIGNMENT, "BYTES", 0, "4, 8 (default) or 16, for all that leave a choice", 0}, \
    {"json", KEY_JSON, NULL, 0, "JSON on standard output instead of a table", 0},                  \
    {"progress", KEY_PROGRESS, NULL, 0, "Show progress even if stderr is no terminal", 0}

#define COMMON_OPTIONS                                                                             \
    POLICY_OPTION(""), SHARED_OPTIONS,                                                             \
    {"lock-fraction", KEY_LOCK_FRACTION, "PERCENT", 0,                                             \
     "Hold so many of the live blocks locked, in rotation", 0}

static const struct argp_option replay_options[] = {
    COMMON_OPTIONS,
    {"pool", KEY_POOL, "BYTES", 0,
     "Size of the pool, all of it; K and M may follow (default: twice the peak payload and 4K)", 0},
    {"check", KEY_CHECK, "N", OPTION_ARG_OPTIONAL,
     "Let libdefrag check its pool after every N operations (default 1)", 0},
    {"manual", KEY_MANUAL, NULL, 0, "Let libdefrag move nothing for a request (DEFRAG_MANUAL)", 0},
    {0},
};

static const struct argp_option compare_options[] = {
    {"allocator", KEY_ALLOCATOR, "FILE", 0,
     "A shared object with another malloc or with a plugin (see defrag_plugin.h), or glibc (default); may be "
     "given again", 0},
    {"runs", KEY_RUNS, "N", 0, "Measure times so often (default 5)", 0},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "End a run that takes longer (default 60)", 0},
    {"pool", KEY_POOL, "BYTES", 0,
     "Size of the pools that times are measured in (default: twice the peak payload and 4K)", 0},
    {"manual", KEY_MANUAL, NULL, 0, "Let libdefrag move nothing for a request (DEFRAG_MANUAL)", 0},
    POLICY_OPTION(""),
    SHARED_OPTIONS,
    {0},
};

static const struct argp_option size_options[] = {COMMON_OPTIONS, {0}};

static const struct argp_option report_options[] = {
    {"output", KEY_OUTPUT, "DIR", 0, "The folder for the page and the pictures; made if it is not there", 0},
    {"pool", KEY_POOL, "BYTES", 0,
     "Size of the pool that is shown, all of it; K and M may follow (default: a tenth more than is certain "
     "to do)", 0},
    {"layout", KEY_LAYOUT, "NAME", 0, "Layout of libdefrag: narrow (default) or wide", 0},
    {"alignment", KEY_ALIGNMENT, "BYTES", 0, "4, 8 (default) or 16, for all that leave a choice", 0},
    {"lock-fraction", KEY_LOCK_FRACTION, "PERCENT", 0,
     "Hold so many of the live blocks locked, in rotation", 0},
    {"progress", KEY_PROGRESS, NULL, 0, "Show progress even if stderr is no terminal", 0},
    {0},
};

static const struct argp_option watch_options[] = {
    {"pool", KEY_POOL, "BYTES", 0,
     "Size of the pool, all of it; K and M may follow (default: a quarter more than the peak payload and 4K)", 0},
    {"layout", KEY_LAYOUT, "NAME", 0, "Layout of libdefrag: narrow (default) or wide", 0},
    {"alignment", KEY_ALIGNMENT, "BYTES", 0, "4, 8 (default) or 16", 0},
    {"lock-fraction", KEY_LOCK_FRACTION, "PERCENT", 0, "Hold so many of the live blocks locked, in rotation", 0},
    {"manual", KEY_MANUAL, NULL, 0, "Let libdefrag move nothing for a request (DEFRAG_MANUAL)", 0},
    {"at", KEY_AT, "N", 0, "Begin with operation N (default 1)", 0},
    {0},
};

static const struct argp_option adversary_options[] = {
    POLICY_OPTION("slide, full-slide, "),
    SHARED_OPTIONS,
    {"most", KEY_MOST, "UNITS", 0, "Never keep more live (default: the adversary's own)", 0},
    {"largest", KEY_LARGEST, "UNITS", 0, "The largest block, of sawtooth what is freed in each round", 0},
    {"unit", KEY_UNIT, "BYTES", 0, "A power of two from 32 to 1024", 0},
    {0},
};

static const struct argp_option churn_options[] = {
    POLICY_OPTION("slide, full-slide, "),
    SHARED_OPTIONS,
    {"pool", KEY_POOL, "BYTES", 0, "Size of the pool, all of it; K and M may follow (default: 64K)", 0},
    {"occupancy", KEY_OCCUPANCY, "PERCENT", 0,
     "Part of the pool to be live payload; may be given again (default: 70, 80, 85, 90, 92, 95 and 98)", 0},
    {"seed", KEY_SEED, "NUMBER", 0, "Of the random numbers; may be given again (default: 2463534242)", 0},
    {"operations", KEY_OPERATIONS, "N", 0,
     "Operations of a run (default: 55000); the first eleventh is not counted", 0},
    {"pace", KEY_PACE, "C", 0,
     "Before each request of S bytes move up to C * S in advance; a number like 2 or 1/4", 0},
    {0},
};

static const struct argp replay_argp = {
    replay_options, parse_replay, "TRACE",
    "Replays a trace through libdefrag and through non-moving policies, verifying the contents of "
    "every block, and tells what failed, what moved and what it cost.\v"
    "Exit status: 0, every request was served and every byte was right; 1, some were not; 2, the "
    "arguments, the trace or the output are at fault. See defrag-bench(1).",
    NULL, NULL, NULL,
};

static const struct argp compare_argp = {
    compare_options, parse_compare, "TRACE...",
    "Replays each trace through libdefrag and through other allocators, each in a process of its own, and "
    "tells how their times and footprints compare.\v"
    "Exit status: 0, every request was served and every byte was right; 1, some were not, or an allocator "
    "misbehaved; 2, the arguments, an allocator's file, a trace or the output are at fault. See "
    "defrag-bench(1).",
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

static const struct argp report_argp = {
    report_options, parse_report, "TRACE -o DIR",
    "Draws what a trace does to a heap, as a page with everything in it, DIR/index.html, and each picture as "
    "SVG and PNG beside it. Needs gnuplot.\v"
    "Exit status: 0, it is there; 1, it is there, and requests failed or a heap misbehaved; 2, the "
    "arguments, the trace or DIR are at fault, and nothing was written there. See defrag-bench(1).",
    NULL, NULL, NULL,
};

static const struct argp watch_argp = {
    watch_options, parse_watch, "TRACE",
    "Steps through a trace on the terminal: a map of libdefrag's pool, its statistics and the last operation. "
    "The keys are told there.\v"
    "Exit status: 0, all was well until you left; 1, the heap misbehaved; 2, the arguments, the trace or the "
    "terminal are at fault. See defrag-bench(1).",
    NULL, NULL, NULL,
};

static const struct argp adversary_argp = {
    adversary_options, parse_adversary, "NAME...",
    "Runs a program that fragments heaps on purpose, robson, best-fit, shrink, sawtooth or all of them, and "
    "tells how much memory libdefrag and non-moving policies need for it, and what libdefrag moves.\v"
    "Exit status: 0, all were run; 1, a heap misbehaved; 2, the arguments or the output are at fault, or the "
    "layout is too small. See defrag-bench(1).",
    NULL, NULL, NULL,
};

static const struct argp churn_argp = {
    churn_options, parse_churn, "NAME...",
    "Runs a random workload, uniform, locked, bimodal, skewed, phases, larson or all of them, and tells what "
    "libdefrag moves for it, what simpler ways of compaction would, and how much no strategy could avoid.\v"
    "Exit status: 0, all were run; 1, a heap misbehaved or damaged a block; 2, the arguments or the output "
    "are at fault. See defrag-bench(1).",
    NULL, NULL, NULL,
};

void options_parse(struct options *options, enum options_command command, int argc, char **argv)
{
    static const struct argp *const parsers[] = {
        [OPTIONS_COMPARE] = &compare_argp,
        [OPTIONS_REPLAY] = &replay_argp,
        [OPTIONS_SIZE] = &size_argp,
        [OPTIONS_REPORT] = &report_argp,
        [OPTIONS_WATCH] = &watch_argp,
        [OPTIONS_ADVERSARY] = &adversary_argp,
        [OPTIONS_CHURN] = &churn_argp,
    };
    struct reading reading = {.command = command, .options = options};

    memset(options, 0, sizeof *options);
    options->layout = "narrow";
    options->alignment = 8;
    options->shows_progress = isatty(STDERR_FILENO);
    error_t error = argp_parse(parsers[command], argc, argv, 0, NULL, &reading);
    if (error != 0) {
        complain("%s", strerror(error));
        exit(EXIT_USAGE);
    }
}

size_t options_most_pool_bytes(const struct options *options)
{
    size_t most = CONTENDER_POOL_MAX;
    for (size_t i = 0; i < options->contender_count; i++) {
        const struct contender *contender = &options->contenders[i];
        size_t bytes = contender_pool_bytes(contender, contender_most_units(contender));
        if (!contender->policy && bytes < most) {
            most = bytes;
        }
    }
    return most;
}

bool options_pool_fits(const struct options *options)
{
    size_t most = options_most_pool_bytes(options);
    char text[NUMBER_ROOM];

    if (options->pool_bytes > most) {
        complain("--pool=%zu is more than the %s bytes of the largest %s pool of alignment %u",
                 options->pool_bytes, number_format(text, most), options->layout, options->alignment);
        return false;
    }
    return true;
}

void options_release(struct options *options)
{
    free(options->traces);
    free(options->percents);
    free(options->seeds);
    free(options->allocators);
    options->traces = NULL;
}
