/* SPDX-License-Identifier: MIT */
#include "subject.h"

#include <errno.h>
#include <error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *subject_room(size_t count, size_t bytes)
{
    size_t total = count && bytes ? count * bytes : 1;
    void *room = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (room == MAP_FAILED) {
        error(2, errno, "cannot go on");
    }
    return room;
}

/* --- malloc and plugins: blocks are addresses ------------------------------------------ */

static enum outcome block_given(struct subject *subject, uint32_t object, void *block, size_t bytes)
{
    if (!block) {
        subject->reason = "no memory";
        return OUTCOME_REFUSED;
    }
    subject->address[object] = block;
    subject->bytes[object] = bytes;
    return OUTCOME_SERVED;
}

/* What was in one block and is in another now was copied. */
static enum outcome block_resized(struct subject *subject, uint32_t object, const void *old, void *block,
                                  size_t bytes)
{
    size_t before = subject->bytes[object];
    if (block && block != old) {
        subject->copied_bytes += before < bytes ? before : bytes;
    }
    return block_given(subject, object, block, bytes);
}

static unsigned char *block_view(struct subject *subject, uint32_t object)
{
    return subject->address[object];
}

static void block_view_end(struct subject *subject, uint32_t object)
{
    (void)subject;
    (void)object;
}

static uint64_t block_moved(const struct subject *subject)
{
    return subject->copied_bytes;
}

static enum outcome malloc_alloc(struct subject *subject, uint32_t object, size_t bytes)
{
    return block_given(subject, object, malloc(bytes), bytes);
}

static enum outcome malloc_resize(struct subject *subject, uint32_t object, size_t bytes)
{
    /* Compared with, when the block is no longer one. */
    uintptr_t old = (uintptr_t)subject->address[object];
    void *block = realloc(subject->address[object], bytes);
    return block_resized(subject, object, (const void *)old, block, bytes);
}

static enum outcome malloc_free(struct subject *subject, uint32_t object)
{
    free(subject->address[object]);
    return OUTCOME_SERVED;
}

static const struct subject_calls malloc_calls = {
    .alloc = malloc_alloc,
    .resize = malloc_resize,
    .free = malloc_free,
    .view = block_view,
    .view_end = block_view_end,
    .moved = block_moved,
};

static enum outcome plugin_alloc(struct subject *subject, uint32_t object, size_t bytes)
{
    return block_given(subject, object, subject->plugin.alloc(subject->heap, bytes), bytes);
}

static enum outcome plugin_resize(struct subject *subject, uint32_t object, size_t bytes)
{
    void *old = subject->address[object];
    return block_resized(subject, object, old, subject->plugin.resize(subject->heap, old, bytes), bytes);
}

static enum outcome plugin_free(struct subject *subject, uint32_t object)
{
    subject->plugin.free(subject->heap, subject->address[object]);
    return OUTCOME_SERVED;
}

static void plugin_watch(struct subject *subject)
{
    size_t used = subject->plugin.used ? subject->plugin.used(subject->heap) : 0;
    subject->most_used = used > subject->most_used ? used : subject->most_used;
}

static size_t plugin_used(const struct subject *subject)
{
    return subject->most_used;
}

static const struct subject_calls plugin_calls = {
    .alloc = plugin_alloc,
    .resize = plugin_resize,
    .free = plugin_free,
    .view = block_view,
    .view_end = block_view_end,
    .moved = block_moved,
    .used = plugin_used,
    .watch = plugin_watch,
};

/* --- libdefrag ---------------------------------------------------------------------------- */

static enum outcome defrag_outcome(struct subject *subject, defrag_status status)
{
    switch (status) {
    case DEFRAG_OK:
        return OUTCOME_SERVED;
    case DEFRAG_NO_MEMORY:
    case DEFRAG_FRAGMENTED:
    case DEFRAG_PINNED:
    case DEFRAG_NO_HANDLES:
    case DEFRAG_BAD_SIZE:
        subject->reason = subject->build->status_string(status);
        return OUTCOME_REFUSED;
    default:
        subject->reason = subject->build->status_string(status);
        return OUTCOME_BROKEN;
    }
}

static enum outcome defrag_subject_alloc(struct subject *subject, uint32_t object, size_t bytes)
{
    return defrag_outcome(subject, subject->build->alloc(subject->pool, bytes, &subject->handle[object]));
}

static enum outcome defrag_subject_resize(struct subject *subject, uint32_t object, size_t bytes)
{
    return defrag_outcome(subject, subject->build->resize(subject->pool, subject->handle[object], bytes));
}

static enum outcome defrag_subject_free(struct subject *subject, uint32_t object)
{
    return defrag_outcome(subject, subject->build->free(subject->pool, &subject->handle[object]));
}

static enum outcome defrag_subject_lock(struct subject *subject, uint32_t object)
{
    const void *address;
    return defrag_outcome(subject,
                          subject->build->try_lock_shared(subject->pool, subject->handle[object], &address));
}

static enum outcome defrag_subject_unlock(struct subject *subject, uint32_t object)
{
    return defrag_outcome(subject, subject->build->unlock(subject->pool, subject->handle[object]));
}

/* Shared, for the trace itself may hold such a lock. */
static unsigned char *defrag_subject_view(struct subject *subject, uint32_t object)
{
    return (unsigned char *)(uintptr_t)subject->build->lock_shared(subject->pool, subject->handle[object]);
}

static void defrag_subject_view_end(struct subject *subject, uint32_t object)
{
    (void)subject->build->unlock(subject->pool, subject->handle[object]);
}

static uint64_t defrag_subject_moved(const struct subject *subject)
{
    defrag_statistics statistics;
    subject->build->statistics_get(subject->pool, &statistics);
    return statistics.moved_bytes - (uint64_t)statistics.moved_blocks * statistics.header_bytes;
}

static size_t defrag_subject_used(const struct subject *subject)
{
    defrag_statistics statistics;
    subject->build->statistics_get(subject->pool, &statistics);
    return statistics.pool_bytes - statistics.fewest_free_bytes;
}

static const struct subject_calls defrag_calls = {
    .alloc = defrag_subject_alloc,
    .resize = defrag_subject_resize,
    .free = defrag_subject_free,
    .lock = defrag_subject_lock,
    .unlock = defrag_subject_unlock,
    .view = defrag_subject_view,
    .view_end = defrag_subject_view_end,
    .moved = defrag_subject_moved,
    .used = defrag_subject_used,
};

/* --- The policies, which are simulated -------------------------------------------------------- */

static enum outcome policy_noted(struct subject *subject, enum outcome outcome)
{
    subject->reason = arena_reason(subject->arena);
    return outcome;
}

static enum outcome policy_alloc(struct subject *subject, uint32_t object, size_t bytes)
{
    return policy_noted(subject, arena_alloc(subject->arena, object, bytes));
}

static enum outcome policy_resize(struct subject *subject, uint32_t object, size_t bytes)
{
    return policy_noted(subject, arena_resize(subject->arena, object, bytes));
}

static enum outcome policy_free(struct subject *subject, uint32_t object)
{
    return policy_noted(subject, arena_free(subject->arena, object));
}

static unsigned char *policy_view(struct subject *subject, uint32_t object)
{
    return arena_view(subject->arena, object);
}

static void policy_view_end(struct subject *subject, uint32_t object)
{
    arena_view_end(subject->arena, object);
}

static uint64_t policy_moved(const struct subject *subject)
{
    uint64_t bytes, blocks;
    arena_moved(subject->arena, &bytes, &blocks);
    return bytes;
}

static const struct subject_calls policy_calls = {
    .alloc = policy_alloc,
    .resize = policy_resize,
    .free = policy_free,
    .view = policy_view,
    .view_end = policy_view_end,
    .moved = policy_moved,
};

/* --- Opening -------------------------------------------------------------------------------------- */

static bool defrag_open(struct subject *subject)
{
    const struct compare_job *job = subject->job;

    subject->calls = &defrag_calls;
    subject->build = defrag_build_find(job->layout, job->alignment);
    subject->config.flags = job->manual ? DEFRAG_MANUAL : 0;
    subject->handle = subject_room(job->objects, sizeof *subject->handle);
    return subject->build->init(&subject->pool, subject->memory, job->pool_bytes, &subject->config) ==
           DEFRAG_OK;
}

/* Its blocks lie in memory of the arena's own. */
static bool policy_open(struct subject *subject)
{
    const struct compare_job *job = subject->job;
    struct contender *contender = &subject->contender;

    subject->calls = &policy_calls;
    subject->memory_bytes = 0;
    contender->name = job->contender;
    contender->policy = policy_find(job->contender);
    contender->alignment = job->alignment;
    size_t units = contender_units(contender, job->pool_bytes);
    if (contender_pool_bytes(contender, units) > job->pool_bytes) {
        return false;
    }
    subject->arena = arena_open(contender, units, job->objects, true);
    return subject->arena != NULL;
}

bool subject_open(struct subject *subject, const struct compare_job *job, unsigned char *memory)
{
    subject->job = job;
    subject->reason = "";
    subject->memory = memory;
    subject->memory_bytes = memory ? job->pool_bytes : 0;
    if (job->kind == SUBJECT_DEFRAG) {
        return defrag_open(subject);
    }
    if (job->kind == SUBJECT_POLICY) {
        return policy_open(subject);
    }
    subject->address = subject_room(job->objects, sizeof *subject->address);
    subject->bytes = subject_room(job->objects, sizeof *subject->bytes);
    subject->calls = job->kind == SUBJECT_MALLOC ? &malloc_calls : &plugin_calls;
    if (job->kind == SUBJECT_PLUGIN) {
        subject->heap = subject->plugin.init(memory, job->pool_bytes);
        return subject->heap != NULL;
    }
    return true;
}
