/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <stdlib.h>

#include "look.h"

enum { SMALLEST_PAUSE = 16 };

/* While a replay goes on. */
struct watcher {
    struct history *history;
    struct look look;  /* now */
    size_t operations; /* of the trace */
    uint64_t last;     /* the operation at which to stop and compact; 0: none */
};

uint64_t history_pause_most(size_t pause)
{
    return pause + 1 < HISTORY_PAUSES ? (uint64_t)SMALLEST_PAUSE << 2 * pause : UINT64_MAX;
}

static void sample_take(struct watcher *watcher, const struct arena *arena, size_t done)
{
    struct history *history = watcher->history;
    struct history_sample *sample = &history->samples[history->count];

    const struct look *look = &watcher->look;

    look_take(&watcher->look, arena);
    sample->done = done;
    sample->live_bytes = look->live_bytes;
    sample->free_bytes = look->free_bytes;
    sample->largest_free = look->largest_free;
    heap_map_sample(&look->map, sample->parts, HISTORY_PARTS);
    const struct history_sample *worst = &history->samples[history->worst];
    if (look->free_bytes - look->largest_free > worst->free_bytes - worst->largest_free) {
        history->worst = history->count;
    }
    history->count++;
}

/* --- The two replays ------------------------------------------------------------------------ */

static void pause_count(struct history *history, uint64_t moved)
{
    size_t pause = 0;
    if (moved == 0) {
        history->still++;
        return;
    }
    while (moved > history_pause_most(pause)) {
        pause++;
    }
    history->pauses[pause]++;
}

/* The k-th of n samples is taken after operation k * operations / n. */
static size_t next_sample(const struct watcher *watcher)
{
    size_t n = watcher->operations < HISTORY_SAMPLES ? watcher->operations : HISTORY_SAMPLES;
    return n ? (watcher->history->count + 1) * watcher->operations / n : 0;
}

static bool observe(void *context, const struct replay_event *event)
{
    struct watcher *watcher = context;

    pause_count(watcher->history, event->moved);
    if (watcher->history->count < HISTORY_SAMPLES && event->done == next_sample(watcher)) {
        sample_take(watcher, event->arena, event->done);
    }
    return true;
}

static void map_take(struct watcher *watcher, const struct arena *arena, struct heap_map *out)
{
    look_take(&watcher->look, arena);
    heap_map_release(out);
    *out = watcher->look.map;
    watcher->look.map = (struct heap_map){0};
}

static bool observe_compaction(void *context, const struct replay_event *event)
{
    struct watcher *watcher = context;

    if (event->done != watcher->last) {
        return true;
    }
    map_take(watcher, event->arena, &watcher->history->before);
    arena_compact(event->arena);
    watcher->history->compacted_bytes = arena_take_moved(event->arena);
    map_take(watcher, event->arena, &watcher->history->after);
    return false;
}

bool history_take(struct history *history, const struct trace *trace, const struct contender *contender,
                  size_t pool_bytes, struct replay_options options)
{
    struct watcher watcher = {.history = history, .operations = trace->count};
    struct replay_result ignored;

    history->pool_bytes = pool_bytes;
    options.contents = true;
    options.observe = observe;
    options.observer = &watcher;
    bool opened = replay_run_within(trace, contender, pool_bytes, &options, &history->replay);
    if (opened && history->count > 0) {
        watcher.last = history->samples[history->worst].done;
        options.observe = observe_compaction;
        replay_run_within(trace, contender, pool_bytes, &options, &ignored);
    }
    look_release(&watcher.look);
    return opened;
}

void history_release(struct history *history)
{
    heap_map_release(&history->before);
    heap_map_release(&history->after);
}
