/* SPDX-License-Identifier: MIT */
/* `defrag-bench report`: takes the figures, has them drawn, and puts the files where they belong. */
#include "commands.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "duel.h"
#include "findings.h"
#include "jobs.h"
#include "number.h"
#include "page.h"
#include "report.h"
#include "scratch.h"
#include "xalloc.h"

/* Job 0 is the history, which takes longest; then the sizes, then Robson's program. */
struct work {
    struct findings *findings;
    size_t pool_bytes;
    bool opened;
    const char *broken; /* the policy or heap that misbehaved with Robson's program */
    atomic_size_t operations;
};

/* --- Figures ------------------------------------------------------------------------------- */

static void robson_run(struct work *work, size_t point, size_t contender)
{
    const struct contender *who = &work->findings->options->contenders[contender];
    const struct duel duel = {
        .adversary = adversaries, /* the first one is Robson's */
        .most = ROBSON_UNITS,
        .largest = (size_t)2 << point,
        .unit = ROBSON_UNIT_BYTES,
        .done = &work->operations,
    };
    struct duel_result result;

    duel_run(&duel, who, &result);
    if (result.broken_reason) {
        work->broken = who->name;
    }
    work->findings->robson[point][contender] =
        (double)result.heap_bytes / (double)(ROBSON_UNITS * ROBSON_UNIT_BYTES);
}

static void work_run(void *context, size_t job)
{
    struct work *work = context;
    struct findings *findings = work->findings;
    const struct options *options = findings->options;

    if (job == 0) {
        const struct replay_options replay = {.lock_percent = options->lock_percent,
                                              .operations = &work->operations};
        work->opened = history_take(&findings->history, &findings->trace, &options->contenders[0],
                                    work->pool_bytes, replay);
    } else if (job <= options->contender_count) {
        const struct size_options size = {.lock_percent = options->lock_percent,
                                          .operations = &work->operations};
        size_estimate(&findings->trace, &options->contenders[job - 1], &size, &findings->sizes[job - 1]);
    } else {
        size_t left = job - 1 - options->contender_count;
        robson_run(work, left / options->contender_count, left % options->contender_count);
    }
}

/* A tenth more than what is certain to do with nothing locked. */
static size_t pool_choose(const struct findings *findings)
{
    const struct options *options = findings->options;
    const struct contender *contender = &options->contenders[0];
    size_t most = contender_most_units(contender);
    size_t certain = size_bounds_get(&findings->trace, contender).certain;
    size_t units = certain + certain / 10;

    return options->pool_bytes ? options->pool_bytes
                               : contender_pool_bytes(contender, units < most ? units : most);
}

static int sizes_judge(const struct findings *findings)
{
    int status = EXIT_CLEAN;
    for (size_t i = 0; i < findings->options->contender_count; i++) {
        const struct size_result *size = &findings->sizes[i];
        if (size->outcome == SIZE_BROKEN) {
            complain("%s:%" PRIu32 ": %s answered %s", findings->trace.path, size->broken_line,
                     findings->options->contenders[i].name, size->broken_reason);
            status = EXIT_DIFFERENCE;
        }
    }
    return status;
}

/* Says what went wrong, and returns the exit status. */
static int work_judge(const struct work *work)
{
    const struct options *options = work->findings->options;
    const struct replay_result *replay = &work->findings->history.replay;

    if (!work->opened) {
        complain("a pool of %zu bytes is too small for %s itself", work->pool_bytes,
                 options->contenders[0].name);
        return EXIT_USAGE;
    }
    if (work->broken) {
        complain("%s misbehaved under Robson's program", work->broken);
        return EXIT_DIFFERENCE;
    }
    int status = sizes_judge(work->findings);
    return replay->refused || replay->damaged || replay->broken_line ? EXIT_DIFFERENCE : status;
}

static int work_do(struct findings *findings)
{
    const struct options *options = findings->options;
    struct work work = {.findings = findings, .pool_bytes = pool_choose(findings)};
    struct jobs jobs = {
        .count = 1 + options->contender_count * (1 + ROBSON_POINTS),
        .run = work_run,
        .context = &work,
        .shows_progress = options->shows_progress,
        .verb = "measuring",
        .operations = &work.operations,
    };

    jobs_run(&jobs);
    return work_judge(&work);
}

/* --- Files ----------------------------------------------------------------------------------- */

/* False after a message. */
static bool folder_prepare(const char *path)
{
    char *beside = xrealloc(NULL, strlen(path) + sizeof "/.report", 1);

    if (scratch_make_folder(path) != 0 && errno != EEXIST) {
        complain("%s: %s", path, strerror(errno));
        free(beside);
        return false;
    }
    sprintf(beside, "%s/.report", path);
    bool done = scratch_begin(beside) == 0;
    if (!done) {
        complain("%s: %s", path, strerror(errno));
    }
    free(beside);
    return done;
}

/* False after a message. */
static bool written(const char *name, bool done, FILE *file)
{
    int error = errno;

    if (file && fclose(file) != 0) {
        error = errno;
        done = false;
    }
    if (!done || !file) {
        complain("%s: %s", name, strerror(error));
    }
    return done && file;
}

static bool svg_write(const struct picture *picture)
{
    char raw[64], name[64];

    snprintf(raw, sizeof raw, "%s.wide", picture->name);
    snprintf(name, sizeof name, "%s.svg", picture->name);
    FILE *file = fopen(scratch_path(name), "w");
    return written(name, file && plot_svg_copy(raw, picture->title, true, file), file);
}

static bool files_make(const struct findings *findings)
{
    for (size_t i = 0; pictures[i].name; i++) {
        plot_draw(pictures[i].name, pictures[i].size, pictures[i].draw, findings);
    }
    if (!plot_end()) {
        return false;
    }
    for (size_t i = 0; pictures[i].name; i++) {
        if (!svg_write(&pictures[i])) {
            return false;
        }
    }
    FILE *file = fopen(scratch_path("index.html"), "w");
    return written("index.html", file && page_write(findings, file), file);
}

static bool file_publish(const char *folder, const char *name, const char *ending)
{
    char file[64];
    snprintf(file, sizeof file, "%s%s", name, ending);
    char *path = xrealloc(NULL, strlen(folder) + strlen(file) + 2, 1);
    sprintf(path, "%s/%s", folder, file);
    bool done = scratch_publish(file, path) == 0;
    if (!done) {
        complain("%s: %s", path, strerror(errno));
    }
    free(path);
    return done;
}

/* The page comes last: where it is, all is. */
static bool all_publish(const char *folder)
{
    for (size_t i = 0; pictures[i].name; i++) {
        if (!file_publish(folder, pictures[i].name, ".svg") ||
            !file_publish(folder, pictures[i].name, ".png")) {
            return false;
        }
    }
    return file_publish(folder, "index.html", "");
}

/* All or nothing, as far as signals go. */
static bool files_publish(const char *folder)
{
    sigset_t before;

    cleanup_hold(&before);
    bool done = all_publish(folder);
    cleanup_release(&before);
    return done;
}

/* --- The command -------------------------------------------------------------------------------- */

/* False after a message. */
static bool trace_fits(const struct findings *findings)
{
    const struct options *options = findings->options;
    struct size_result result;

    if (findings->trace.count == 0) {
        complain("%s: there are no operations in it, and nothing to be drawn", findings->trace.path);
        return false;
    }
    if (!size_is_too_big(&findings->trace, &options->contenders[0], &result)) {
        return options_pool_fits(options);
    }
    complain("%s: too big for the largest %s pool of alignment %u%s", findings->trace.path, options->layout,
             options->alignment, report_wider(options));
    return false;
}

static int report_make(struct findings *findings)
{
    const char *folder = findings->options->output;

    if (!trace_fits(findings) || !folder_prepare(folder) || !plot_begin()) {
        return EXIT_USAGE;
    }
    int status = work_do(findings);
    if (status == EXIT_USAGE || !files_make(findings) || !files_publish(folder)) {
        return EXIT_USAGE;
    }
    printf("%s/index.html\n", folder);
    return status;
}

int report_main(int argc, char **argv)
{
    struct options options;
    struct findings *findings = xcalloc(1, sizeof *findings);
    struct trace_error error;

    options_parse(&options, OPTIONS_REPORT, argc, argv);
    findings->options = &options;
    if (trace_spool(&findings->trace, options.traces[0], &error) != 0) {
        complain("%s", error.text);
        return EXIT_USAGE;
    }
    findings->name = report_name(&findings->trace);
    int status = report_make(findings);
    scratch_end();
    history_release(&findings->history);
    trace_unload(&findings->trace);
    free(findings->name);
    free(findings);
    options_release(&options);
    return report_finish(status);
}
