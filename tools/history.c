/* SPDX-License-Identifier: MIT */
#include "history.h"

#include <stdlib.h>

enum { SMALLEST_PAUSE = 16 };

/* While a replay goes on. */
struct watcher {
    struct history *history;
    struct heap_map map; /* now */
    size_t operations;   /* of the trace */
    uint64_t last;       /* the operation at which to stop and compact; 0: none */
    uint64_t live, free, run, largest;
};

uint64_t history_pause_most(size_t pause)
{
    return pause + 1 < HISTORY_PAUSES ? (uint64_t)SMALLEST_PAUSE << 2 * pause : UINT64_MAX;
}

/* --- A look at the pool ------------------------------------------------------------------ */

static enum heap_kind kind_of(const defrag_block *block)
{
    if (block->region != DEFRAG_REGION_USED) {
        return HEAP_FREE;
    }
    return block->shared_locks || block->exclusive ? HEAP_LOCKED : heap_kind_of(block->bytes);
}

/* The wilderness may follow a free block; then they are one stretch. */
static defrag_status visit(void *context, const defrag_block *block)
{
    struct watcher *watcher = context;
    enum heap_kind kind = kind_of(block);

    heap_map_add(&watcher->map, block->offset, block->bytes, kind);
    if (kind == HEAP_FREE) {
        watcher->free += block->bytes;
        watcher->run += block->bytes;
        watcher->largest = watcher->run > watcher->largest ? watcher->run : watcher->largest;
    } else {
        watcher->live += block->bytes;
        watcher->run = 0;
    }
    return DEFRAG_OK;
}

static void look(struct watcher *watcher, const struct arena *arena)
{
    defrag_statistics statistics;

    arena_statistics(arena, &statistics);
    heap_map_clear(&watcher->map);
    watcher->live = watcher->free = watcher->run = watcher->largest = 0;
    watcher->map.bytes = statistics.pool_bytes;
    watcher->map.granule = (unsigned)statistics.granule_bytes;
    heap_map_add(&watcher->map, 0, statistics.control_bytes, HEAP_OVERHEAD);
    arena_walk(arena, visit, watcher);
    heap_map_add(&watcher->map, statistics.pool_bytes - statistics.table_bytes, statistics.table_bytes,
                 HEAP_OVERHEAD);
}

static void sample_take(struct watcher *watcher, const struct arena *arena, size_t done)
{
    struct history *history = watcher->history;
    struct history_sample *sample = &history->samples[history->count];

    look(watcher, arena);
    sample->done = done;
    sample->live_bytes = watcher->live;
    sample->free_bytes = watcher->free;
    sample->largest_free = watcher->largest;
    heap_map_sample(&watcher->map, sample->parts, HISTORY_PARTS);
    const struct history_sample *worst = &history->samples[history->worst];
    if (watcher->free - watcher->largest > worst->free_bytes - worst->largest_free) {
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

static bool observe(void *context, struct arena *arena, size_t done, uint64_t moved)
{
    struct watcher *watcher = context;

    pause_count(watcher->history, moved);
    if (watcher->history->count < HISTORY_SAMPLES && done == next_sample(watcher)) {
        sample_take(watcher, arena, done);
    }
    return true;
}

static void map_take(struct watcher *watcher, const struct arena *arena, struct heap_map *out)
{
    look(watcher, arena);
    heap_map_release(out);
    *out = watcher->map;
    watcher->map = (struct heap_map){0};
}

static bool observe_compaction(void *context, struct arena *arena, size_t done, uint64_t moved)
{
    struct watcher *watcher = context;

    (void)moved;
    if (done != watcher->last) {
        return true;
    }
    map_take(watcher, arena, &watcher->history->before);
    arena_compact(arena);
    watcher->history->compacted_bytes = arena_take_moved(arena);
    map_take(watcher, arena, &watcher->history->after);
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
    heap_map_release(&watcher.map);
    return opened;
}

void history_release(struct history *history)
{
    heap_map_release(&history->before);
    heap_map_release(&history->after);
}
