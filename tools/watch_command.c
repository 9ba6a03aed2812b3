/* SPDX-License-Identifier: MIT */
/* `defrag-bench watch`: steps through a replay at the user's pace. */
#include "commands.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "number.h"
#include "replay.h"
#include "report.h"
#include "watch_screen.h"

enum {
    FRAME_MILLISECONDS = 40,
    FASTEST = 100000,
    TEXT_ROOM = 400,
    DIGITS_MOST = 18,
    POOL_EXTRA_BYTES = 4096
};

/*
 * A replay runs forward until the operation that is to be shown; to go back, it
 * begins anew. The observer, called after each operation, is where the user is
 * listened to.
 */
struct watch {
    struct watch_screen *screen;
    struct look look;
    struct watch_frame frame;
    size_t target;      /* the operation to be shown next           */
    bool seeks_move;    /* or the first before it that moves blocks */
    size_t speed;
    bool is_playing;
    bool is_over;       /* the user has left */
    char digits[DIGITS_MOST + 1]; /* of the operation to go to, while it is asked for */
    bool asks;
    char title[TEXT_ROOM], operation[TEXT_ROOM], prompt[TEXT_ROOM];
};

/* Leaving takes no more than the end of the operation; a signal is told when the terminal is as it was. */
static volatile sig_atomic_t interruption;

/* Again and again: the first may have come just before the program began to wait for a key. */
static void on_signal(int number)
{
    interruption = number == SIGALRM ? interruption : number;
    alarm(1);
}

static void signals_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGALRM, &action, NULL);
    cleanup_handle(on_signal);
}

/* --- Words ---------------------------------------------------------------------------------- */

static const char *const verbs[] = {
    [TRACE_ALLOC] = "alloc",   [TRACE_RESIZE] = "resize", [TRACE_FREE] = "free",
    [TRACE_LOCK] = "lock",     [TRACE_UNLOCK] = "unlock",
};

static void operation_tell(struct watch *watch, const struct replay_event *event)
{
    const struct trace_op *op = event->op;
    char number[NUMBER_ROOM], moved[NUMBER_ROOM];
    char size[NUMBER_ROOM + 16] = "";
    char effect[TEXT_ROOM / 2] = "";

    if (op->kind == TRACE_ALLOC || op->kind == TRACE_RESIZE) {
        snprintf(size, sizeof size, ", %s bytes", number_format(number, op->size));
    }
    if (event->refused) {
        snprintf(effect, sizeof effect, ": refused, %s", event->refused);
    } else if (event->moved > 0) {
        snprintf(effect, sizeof effect, ": %s bytes moved", number_format(moved, event->moved));
    }
    snprintf(watch->operation, sizeof watch->operation, "line %" PRIu32 ": %s object %" PRIu32 "%s%s",
             op->line, verbs[op->kind], op->object, size, effect);
}

/* --- What keys do ----------------------------------------------------------------------------- */

static void go_to(struct watch *watch, uint64_t target)
{
    size_t most = watch->frame.operations;
    watch->target = target < 1 ? 1 : target > most ? most : (size_t)target;
}

static void go_back(struct watch *watch, size_t step)
{
    go_to(watch, watch->frame.done > step ? watch->frame.done - step : 1);
}

static size_t hundredth(const struct watch *watch)
{
    return watch->frame.operations / 100 + 1;
}

static void ask(struct watch *watch, int key)
{
    size_t length = strlen(watch->digits);
    uint64_t number;

    if (key >= '0' && key <= '9' && length < DIGITS_MOST) {
        watch->digits[length] = (char)key;
        watch->digits[length + 1] = '\0';
    } else if (key == WATCH_ERASE && length > 0) {
        watch->digits[length - 1] = '\0';
    } else if (key == WATCH_ENTER && number_parse(watch->digits, 0, UINT64_MAX, &number)) {
        go_to(watch, number);
        watch->asks = false;
    } else if (key == WATCH_ENTER || key == WATCH_ESCAPE || key == WATCH_QUIT) {
        watch->asks = false;
    }
}

static void speed_change(struct watch *watch, bool is_faster)
{
    if (is_faster && watch->speed < FASTEST) {
        watch->speed *= 10;
    }
    if (!is_faster && watch->speed > 1) {
        watch->speed /= 10;
    }
}

static void obey(struct watch *watch, int key)
{
    size_t done = watch->frame.done;

    switch (key) {
    case WATCH_PLAY:
        watch->is_playing = !watch->is_playing && done < watch->frame.operations;
        return;
    case WATCH_FASTER:
    case WATCH_SLOWER:
        speed_change(watch, key == WATCH_FASTER);
        return;
    case WATCH_NOTHING:
        go_to(watch, done + watch->speed);
        return;
    case WATCH_QUIT:
    case WATCH_GONE:
        watch->is_over = true;
        return;
    default:
        break;
    }
    watch->is_playing = watch->is_playing && key == WATCH_REDRAW;
    switch (key) {
    case WATCH_NEXT:
        go_to(watch, done + 1);
        return;
    case WATCH_PREVIOUS:
        go_back(watch, 1);
        return;
    case WATCH_FORWARD:
        go_to(watch, done + hundredth(watch));
        return;
    case WATCH_BACKWARD:
        go_back(watch, hundredth(watch));
        return;
    case WATCH_FIRST:
        go_to(watch, 1);
        return;
    case WATCH_LAST:
        go_to(watch, watch->frame.operations);
        return;
    case WATCH_MOVE:
        go_to(watch, watch->frame.operations);
        watch->seeks_move = true;
        return;
    case WATCH_GO:
        watch->asks = true;
        watch->digits[0] = '\0';
        return;
    default:
        return;
    }
}

/* --- The replay --------------------------------------------------------------------------------- */

static void show(struct watch *watch)
{
    snprintf(watch->prompt, sizeof watch->prompt, "go to operation: %s_   (Enter goes, Escape does not)",
             watch->digits);
    watch->frame.prompt = watch->asks ? watch->prompt : NULL;
    watch->frame.speed = watch->is_playing ? watch->speed : 0;
    watch_screen_show(watch->screen, &watch->frame);
}

/* Until another operation is to be shown. */
static void listen(struct watch *watch)
{
    watch->target = watch->frame.done;
    watch->seeks_move = false;
    if (watch->frame.done == watch->frame.operations) {
        watch->is_playing = false;
    }
    while (watch->target == watch->frame.done && !watch->is_over && !interruption) {
        show(watch);
        int key = watch_screen_key(watch->screen, watch->is_playing ? FRAME_MILLISECONDS : -1);
        if (watch->asks && key != WATCH_GONE) {
            ask(watch, key);
        } else {
            obey(watch, key);
        }
    }
}

static bool observe(void *context, const struct replay_event *event)
{
    struct watch *watch = context;

    if (interruption) {
        return false;
    }
    if (event->done < watch->target && !(watch->seeks_move && event->moved > 0)) {
        return true;
    }
    look_take(&watch->look, event->arena);
    operation_tell(watch, event);
    watch->frame.done = event->done;
    listen(watch);
    return !watch->is_over && !interruption && watch->target > event->done;
}

/* The exit status. */
static int run(struct watch *watch, const struct options *options, const struct trace *trace,
               size_t pool_bytes)
{
    const struct replay_options replay = {
        .lock_percent = options->lock_percent, .contents = true, .observe = observe, .observer = watch};
    struct replay_result result = {0};
    bool opened = true;

    while (opened && !watch->is_over && !interruption && !result.broken_line && !result.damaged) {
        opened = replay_run_within(trace, &options->contenders[0], pool_bytes, &replay, &result);
    }
    watch_screen_close(watch->screen);
    if (interruption) {
        cleanup_die(interruption);
    }
    look_release(&watch->look);
    if (!opened) {
        complain("a pool of %zu bytes is too small for libdefrag itself", pool_bytes);
        return EXIT_USAGE;
    }
    if (result.broken_line) {
        complain("%s:%" PRIu32 ": the heap answered %s", trace->path, result.broken_line,
                 result.broken_reason);
        return EXIT_DIFFERENCE;
    }
    if (result.damaged) {
        complain("%s:%" PRIu32 ": the contents of an object were damaged", trace->path, result.damaged_line);
        return EXIT_DIFFERENCE;
    }
    return EXIT_CLEAN;
}

/* Tight enough that there is something to be seen. */
static size_t pool_choose(const struct options *options, const struct trace *trace)
{
    uint64_t peak = trace->summary.peak_payload;
    size_t most = options_most_pool_bytes(options);
    uint64_t bytes = (peak + peak / 4 + POOL_EXTRA_BYTES + 15) / 16 * 16;

    return options->pool_bytes ? options->pool_bytes : bytes < most ? (size_t)bytes : most;
}

static int watch_trace(const struct options *options, const struct trace *trace)
{
    size_t pool_bytes = pool_choose(options, trace);
    struct watch watch = {.speed = 10};
    char bytes[NUMBER_ROOM];

    if (trace->count == 0) {
        complain("%s: there is no operation to watch", trace->path);
        return EXIT_USAGE;
    }
    if (!options_pool_fits(options)) {
        return EXIT_USAGE;
    }
    signals_catch();
    watch.screen = watch_screen_open();
    if (!watch.screen) {
        return EXIT_USAGE;
    }
    char *name = report_name(trace);
    snprintf(watch.title, sizeof watch.title, "%s, %s, alignment %u, pool of %s bytes", name, options->layout,
             options->alignment, number_format(bytes, pool_bytes));
    free(name);
    watch.frame = (struct watch_frame){
        .title = watch.title, .look = &watch.look, .operation = watch.operation, .operations = trace->count};
    go_to(&watch, options->at);
    return run(&watch, options, trace, pool_bytes);
}

int watch_main(int argc, char **argv)
{
    struct options options;
    struct trace trace;
    struct trace_error error;
    int status = EXIT_USAGE;

    options_parse(&options, OPTIONS_WATCH, argc, argv);
    if (trace_load(&trace, options.traces[0], &error) != 0) {
        complain("%s", error.text);
    } else {
        status = watch_trace(&options, &trace);
        trace_unload(&trace);
    }
    options_release(&options);
    return status;
}
