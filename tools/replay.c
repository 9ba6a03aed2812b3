/* SPDX-License-Identifier: MIT */
#include "replay.h"

#include <stdlib.h>
#include <string.h>

#include "pattern.h"
#include "xalloc.h"

enum { WATCH_EVERY = 1024, NOBODY = -1 };

/* An object of the trace; those that live are in a ring in the order of their allocation. */
struct object {
    uint64_t bytes;
    int64_t next;
    int64_t previous;
    int64_t locked_before; /* in the queue of the rotation, oldest first */
    int64_t locked_after;
    bool lives;
    bool rotated; /* locked by the rotation */
};

struct replay {
    const struct trace *trace;
    const struct replay_options *options;
    struct replay_result *result;
    struct arena *arena;
    struct object *objects;
    int64_t first; /* of the living */
    int64_t last;
    size_t living;
    int64_t oldest_lock;
    int64_t newest_lock;
    int64_t turn; /* the object the rotation locked last; NOBODY: begin with the first */
    size_t rotated;
    uint64_t payload;
    uint32_t line; /* of the operation that is done; past the last one at the end */
    const char *refusal; /* of that operation; NULL: none */
    bool is_stopped;     /* by the observer */
};

bool replay_is_clean(const struct replay_result *result)
{
    return result->refused == 0 && result->damaged == 0 && result->broken_line == 0;
}

/* --- Troubles ------------------------------------------------------------------ */

/* Passes an outcome on, after taking note of a refusal or of nonsense. */
static enum outcome noted(struct replay *replay, enum outcome outcome)
{
    struct replay_result *result = replay->result;

    if (outcome == OUTCOME_REFUSED) {
        replay->refusal = arena_reason(replay->arena);
        if (result->refused++ == 0) {
            result->refused_line = replay->line;
            result->refused_reason = replay->refusal;
        }
    }
    if (outcome == OUTCOME_BROKEN && result->broken_line == 0) {
        result->broken_line = replay->line;
        result->broken_reason = arena_reason(replay->arena);
    }
    return outcome;
}

static void note_damage(struct replay *replay)
{
    if (replay->result->damaged++ == 0) {
        replay->result->damaged_line = replay->line;
    }
}

/* --- Contents -------------------------------------------------------------------- */

/* Verifies the first `kept` bytes and writes those from there to `bytes`. */
static void contents_do(struct replay *replay, uint32_t object, size_t kept, size_t bytes)
{
    if (!replay->options->contents) {
        return;
    }
    unsigned char *payload = arena_view(replay->arena, object);
    if (!payload) {
        noted(replay, OUTCOME_BROKEN);
        return;
    }
    if (!pattern_is_there(payload, object, kept)) {
        note_damage(replay);
    }
    pattern_fill(payload, object, kept, bytes);
    noted(replay, arena_view_end(replay->arena, object));
}

static void contents_verify(struct replay *replay, uint32_t object)
{
    size_t bytes = replay->objects[object].bytes;
    contents_do(replay, object, bytes, bytes);
}

/* --- The living -------------------------------------------------------------------- */

static void living_add(struct replay *replay, uint32_t number, uint64_t bytes)
{
    struct object *object = &replay->objects[number];

    object->lives = true;
    object->bytes = bytes;
    object->next = NOBODY;
    object->previous = replay->last;
    if (replay->last == NOBODY) {
        replay->first = number;
    } else {
        replay->objects[replay->last].next = number;
    }
    replay->last = number;
    replay->living++;
    replay->payload += bytes;
}

static void living_remove(struct replay *replay, uint32_t number)
{
    struct object *object = &replay->objects[number];

    if (object->previous == NOBODY) {
        replay->first = object->next;
    } else {
        replay->objects[object->previous].next = object->next;
    }
    if (object->next == NOBODY) {
        replay->last = object->previous;
    } else {
        replay->objects[object->next].previous = object->previous;
    }
    if (replay->turn == number) {
        replay->turn = object->previous;
    }
    object->lives = false;
    replay->living--;
    replay->payload -= object->bytes;
}

/* --- The rotation of locks ------------------------------------------------------------ */

static void rotation_lock(struct replay *replay, int64_t number)
{
    struct object *object = &replay->objects[number];

    noted(replay, arena_lock(replay->arena, (uint32_t)number));
    object->rotated = true;
    object->locked_before = replay->newest_lock;
    object->locked_after = NOBODY;
    if (replay->newest_lock == NOBODY) {
        replay->oldest_lock = number;
    } else {
        replay->objects[replay->newest_lock].locked_after = number;
    }
    replay->newest_lock = number;
    replay->rotated++;
    replay->turn = number;
}

static void rotation_unlock(struct replay *replay, int64_t number)
{
    struct object *object = &replay->objects[number];

    if (!object->rotated) {
        return;
    }
    noted(replay, arena_unlock(replay->arena, (uint32_t)number));
    object->rotated = false;
    if (object->locked_before == NOBODY) {
        replay->oldest_lock = object->locked_after;
    } else {
        replay->objects[object->locked_before].locked_after = object->locked_after;
    }
    if (object->locked_after == NOBODY) {
        replay->newest_lock = object->locked_before;
    } else {
        replay->objects[object->locked_after].locked_before = object->locked_before;
    }
    replay->rotated--;
}

/* The next of the living in turn that the rotation does not hold; there is one. */
static int64_t rotation_next(const struct replay *replay)
{
    int64_t number = replay->turn;
    do {
        number = number == NOBODY ? replay->first : replay->objects[number].next;
    } while (number == NOBODY || replay->objects[number].rotated);
    return number;
}

/* After each operation: the right number of locks, and one of them handed on. */
static void rotation_step(struct replay *replay)
{
    size_t wanted = (replay->living * replay->options->lock_percent + 50) / 100;

    while (replay->rotated > wanted) {
        rotation_unlock(replay, replay->oldest_lock);
    }
    if (replay->rotated > 0 && replay->rotated == wanted) {
        rotation_unlock(replay, replay->oldest_lock);
    }
    while (replay->rotated < wanted) {
        rotation_lock(replay, rotation_next(replay));
    }
}

/* --- Operations ----------------------------------------------------------------------- */

static void do_alloc(struct replay *replay, const struct trace_op *op)
{
    if (noted(replay, arena_alloc(replay->arena, op->object, op->size)) == OUTCOME_SERVED) {
        living_add(replay, op->object, op->size);
        contents_do(replay, op->object, 0, op->size);
    }
}

static void do_resize(struct replay *replay, const struct trace_op *op)
{
    struct object *object = &replay->objects[op->object];
    uint64_t kept = object->bytes < op->size ? object->bytes : op->size;

    rotation_unlock(replay, op->object);
    if (noted(replay, arena_resize(replay->arena, op->object, op->size)) == OUTCOME_SERVED) {
        replay->payload += op->size - object->bytes;
        object->bytes = op->size;
        contents_do(replay, op->object, kept, op->size);
    }
}

static void do_free(struct replay *replay, const struct trace_op *op)
{
    rotation_unlock(replay, op->object);
    contents_verify(replay, op->object);
    noted(replay, arena_free(replay->arena, op->object));
    living_remove(replay, op->object);
}

static void do_operation(struct replay *replay, const struct trace_op *op)
{
    if (op->kind != TRACE_ALLOC && !replay->objects[op->object].lives) {
        replay->result->skipped++;
        return;
    }
    switch (op->kind) {
    case TRACE_ALLOC:
        do_alloc(replay, op);
        break;
    case TRACE_RESIZE:
        do_resize(replay, op);
        break;
    case TRACE_FREE:
        do_free(replay, op);
        break;
    case TRACE_LOCK:
        noted(replay, arena_lock(replay->arena, op->object));
        break;
    default:
        noted(replay, arena_unlock(replay->arena, op->object));
        break;
    }
}

/* --- Measuring -------------------------------------------------------------------------- */

static void measure(struct replay *replay, const struct trace_op *op, size_t done)
{
    struct replay_result *result = replay->result;
    uint64_t moved = arena_take_moved(replay->arena);

    if (moved > result->longest_pause) {
        result->longest_pause = moved;
    }
    if (replay->payload > result->peak_payload) {
        result->peak_payload = replay->payload;
    }
    if (replay->line == replay->trace->summary.peak_line) {
        result->metadata_bytes = arena_metadata_bytes(replay->arena);
    }
    if (replay->options->observe) {
        struct replay_event event = {op, done, moved, replay->refusal, replay->arena};
        replay->is_stopped = !replay->options->observe(replay->options->observer, &event);
    }
}

static void watch(const struct replay *replay, size_t done)
{
    if (replay->options->operations && done % WATCH_EVERY == 0) {
        atomic_fetch_add_explicit(replay->options->operations, WATCH_EVERY, memory_order_relaxed);
    }
}

static bool is_over(const struct replay *replay)
{
    return replay->is_stopped || replay->result->broken_line ||
           (replay->options->until_refused && replay->result->refused);
}

static void operations_run(struct replay *replay)
{
    const struct replay_options *options = replay->options;

    const struct trace_op *op;
    struct trace_cursor cursor;

    trace_rewind(&cursor, replay->trace);
    for (size_t done = 1; !is_over(replay) && (op = trace_step(&cursor)) != NULL; done++) {
        replay->line = op->line;
        replay->refusal = NULL;
        do_operation(replay, op);
        if (options->lock_percent) {
            rotation_step(replay);
        }
        if (options->contents) {
            measure(replay, op, done);
        }
        if (options->check_every && done % options->check_every == 0) {
            noted(replay, arena_check(replay->arena));
        }
        watch(replay, done);
    }
    replay->line++;
}

static void survivors_verify(struct replay *replay)
{
    for (int64_t i = replay->first; i != NOBODY && !is_over(replay); i = replay->objects[i].next) {
        contents_verify(replay, (uint32_t)i);
    }
    if (replay->options->check_every && !is_over(replay)) {
        noted(replay, arena_check(replay->arena));
    }
}

bool replay_run(const struct trace *trace, const struct contender *contender, size_t units,
                const struct replay_options *options, struct replay_result *result)
{
    struct replay replay = {
        .trace = trace,
        .options = options,
        .result = result,
        .first = NOBODY,
        .last = NOBODY,
        .oldest_lock = NOBODY,
        .newest_lock = NOBODY,
        .turn = NOBODY,
    };

    memset(result, 0, sizeof *result);
    result->refused_reason = "";
    result->broken_reason = "";
    replay.arena = arena_open(contender, units, trace->summary.objects, options->contents);
    if (!replay.arena) {
        return false;
    }
    replay.objects = xcalloc(trace->summary.objects, sizeof *replay.objects);
    if (options->contents) {
        result->metadata_bytes = arena_metadata_bytes(replay.arena);
    }
    operations_run(&replay);
    survivors_verify(&replay);
    arena_moved(replay.arena, &result->moved_bytes, &result->moved_blocks);
    result->range = arena_range(replay.arena);
    free(replay.objects);
    arena_close(replay.arena);
    return true;
}

bool replay_run_within(const struct trace *trace, const struct contender *contender, size_t bytes,
                       const struct replay_options *options, struct replay_result *result)
{
    size_t units = contender_units(contender, bytes);
    return contender_pool_bytes(contender, units) <= bytes &&
           replay_run(trace, contender, units, options, result);
}
