/* SPDX-License-Identifier: MIT */
/* One job of a comparison, in the process that the master has started for it. */
#include "compare.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "number.h"
#include "options.h"
#include "pattern.h"
#include "subject.h"

enum {
    POOL_ALIGNMENT = 64,
    CANARY = 0xa5, /* in the bytes around the pool that are nobody's */
    SAMPLES = 256, /* of what is resident, over a trace */
    CLOCK_TRIES = 20000
};

struct object {
    uint64_t bytes;
    bool lives;
};

struct worker {
    struct compare_board *board;
    const struct compare_job *job;
    struct compare_result *result;
    const struct trace_op *ops;
    const struct trace_op *op; /* NULL: after the last */
    struct subject subject;
    struct object *objects;
    unsigned char *taken; /* a byte for each granule of a plugin's pool: 1 if it is some block's */
    unsigned char *room;  /* the pool and the canaries around it */
    size_t room_bytes;
    int rollup; /* /proc/self/smaps_rollup; or -1 */
    size_t resident_before;
};

/* --- What is wrong ------------------------------------------------------------------------ */

static void worker_end(struct worker *worker, enum compare_stage stage)
{
    worker->result->stage = stage;
    _exit(0);
}

static _Noreturn __attribute__((format(printf, 2, 3))) void refuse(struct worker *worker, const char *format,
                                                                   ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(worker->result->reason, sizeof worker->result->reason, format, arguments);
    va_end(arguments);
    worker->result->stage = STAGE_REFUSED;
    _exit(0);
}

static uint32_t line_now(const struct worker *worker)
{
    size_t count = worker->job->count;
    if (worker->op) {
        return worker->op->line;
    }
    return count ? worker->ops[count - 1].line + 1 : 1;
}

/* The heap has done what none may: nothing that comes after would mean anything. */
static _Noreturn void condemn(struct worker *worker, const char *reason)
{
    snprintf(worker->result->reason, sizeof worker->result->reason, "%s", reason);
    worker->result->reason_line = worker->op ? worker->op->line : 0;
    worker->result->stage = STAGE_END;
    _exit(0);
}

/* --- Where blocks lie ------------------------------------------------------------------------ */

static size_t granules_of(const struct worker *worker, size_t bytes)
{
    return (bytes + worker->job->alignment - 1) / worker->job->alignment;
}

/* malloc may align what is small to its size only. */
static size_t alignment_due(const struct worker *worker, size_t bytes)
{
    size_t due = worker->job->alignment;
    while (worker->job->kind == SUBJECT_MALLOC && due > bytes && due > 1) {
        due /= 2;
    }
    return due;
}

static size_t first_granule(const struct worker *worker, const unsigned char *block)
{
    return (size_t)(block - worker->subject.memory) / worker->job->alignment;
}

static void place_leave(struct worker *worker, uint32_t object)
{
    if (worker->taken) {
        size_t first = first_granule(worker, worker->subject.address[object]);
        memset(worker->taken + first, 0, granules_of(worker, worker->subject.bytes[object]));
    }
}

static void place_take(struct worker *worker, uint32_t object)
{
    if (!worker->subject.address) {
        return; /* libdefrag: its own tests are stricter; a policy is a simulation */
    }
    const unsigned char *block = worker->subject.address[object];
    size_t bytes = worker->subject.bytes[object];
    if ((uintptr_t)block % alignment_due(worker, bytes) != 0) {
        condemn(worker, "returned a misaligned block");
    }
    if (!worker->taken) {
        return;
    }
    uintptr_t memory = (uintptr_t)worker->subject.memory;
    size_t offset = (uintptr_t)block - memory;
    size_t room = worker->subject.memory_bytes;
    if ((uintptr_t)block < memory || offset > room || bytes > room - offset) {
        condemn(worker, "returned a block that is not inside its pool");
    }
    unsigned char *first = worker->taken + first_granule(worker, block);
    if (memchr(first, 1, granules_of(worker, bytes))) {
        condemn(worker, "returned a block that overlaps another");
    }
    memset(first, 1, granules_of(worker, bytes));
}

static void canaries_verify(struct worker *worker)
{
    const unsigned char *pool = worker->subject.memory;
    for (const unsigned char *byte = worker->room; worker->room && byte < worker->room + worker->room_bytes;
         byte++) {
        bool is_of_pool = byte >= pool && byte < pool + worker->job->pool_bytes;
        if (!is_of_pool && *byte != CANARY) {
            condemn(worker, "wrote outside its pool");
        }
    }
}

/* --- Contents -------------------------------------------------------------------------------- */

/* Verifies the first `kept` bytes and writes those from there to `bytes`. */
static void contents_do(struct worker *worker, uint32_t object, size_t kept, size_t bytes)
{
    struct subject *subject = &worker->subject;
    unsigned char *payload = subject->calls->view(subject, object);

    if (!payload) {
        condemn(worker, "lost a block");
    }
    if (!pattern_is_there(payload, object, kept)) {
        condemn(worker, "damaged the contents of a block");
    }
    pattern_fill(payload, object, kept, bytes);
    subject->calls->view_end(subject, object);
}

/* --- Measuring --------------------------------------------------------------------------------- */

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/*
 * Does nothing for a while, never as long as the last time: were a clock with coarse ticks always looked at
 * in the same phase, all times would be rounded in the same direction.
 */
static void dither(void)
{
    static uint32_t random = 1;
    random = random * 1664525 + 1013904223;
    for (volatile uint32_t i = random >> 26; i > 0; i--) {
    }
}

/* The value up to 255 that was told most often, but for `except`; SIZE_MAX if no other was in 50 cases of
 * one. */
static size_t commonest(const struct histogram *histogram, size_t except)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < 2 * HISTOGRAM_STEPS; i++) {
        uint64_t count = i == except ? 0 : histogram->buckets[i];
        if (count > histogram->count / 50 && (best == SIZE_MAX || count > histogram->buckets[best])) {
            best = i;
        }
    }
    return best;
}

/*
 * What it takes to look at the clock, and how fine it is: what passes between two looks is rounded up or down
 * to ticks. If it is always the same, the tick may be as long as that.
 */
static void clock_learn(struct compare_result *result)
{
    for (int i = 0; i < CLOCK_TRIES; i++) {
        dither();
        uint64_t begin = now();
        histogram_add(&result->clock, now() - begin);
    }
    size_t first = commonest(&result->clock, SIZE_MAX);
    size_t second = commonest(&result->clock, first);
    if (second == SIZE_MAX) {
        second = 0;
    }
    uint64_t tick = first == SIZE_MAX ? 0 : first > second ? first - second : second - first;
    result->tick = tick ? tick : 1;
}

/* Bytes of this process's own that are in memory, to the page; 0 where the kernel does not tell. */
static size_t resident_bytes(const struct worker *worker)
{
    char text[2048];
    ssize_t count = worker->rollup < 0 ? 0 : pread(worker->rollup, text, sizeof text - 1, 0);
    text[count > 0 ? count : 0] = '\0';
    const char *field = strstr(text, "\nAnonymous:");
    return field ? (size_t)strtoul(field + strlen("\nAnonymous:"), NULL, 10) * 1024 : 0;
}

static void resident_sample(struct worker *worker, size_t operation)
{
    size_t every = worker->job->count / SAMPLES + 1;
    if (worker->rollup < 0 || (operation % every != 0 && line_now(worker) != worker->job->peak_line)) {
        return;
    }
    size_t resident = resident_bytes(worker);
    size_t beyond = resident > worker->resident_before ? resident - worker->resident_before : 0;
    if (beyond > worker->result->resident_bytes) {
        worker->result->resident_bytes = beyond;
    }
}

/* --- Operations ---------------------------------------------------------------------------------- */

/* False: the request was refused. */
static bool noted(struct worker *worker, enum outcome outcome)
{
    struct compare_result *result = worker->result;
    if (outcome == OUTCOME_BROKEN) {
        condemn(worker, worker->subject.reason);
    }
    if (outcome == OUTCOME_REFUSED && result->refused++ == 0) {
        result->refused_line = line_now(worker);
    }
    return outcome == OUTCOME_SERVED;
}

static size_t at_least_one(size_t bytes)
{
    return bytes ? bytes : 1;
}

/* What an owner of a handle pays for each access, and others do not. */
static void pair_time(struct worker *worker, uint32_t object)
{
    struct subject *subject = &worker->subject;
    if (worker->job->task != TASK_TIMED || !subject->calls->lock) {
        return;
    }
    dither();
    uint64_t begin = now();
    enum outcome locked = subject->calls->lock(subject, object);
    enum outcome unlocked = subject->calls->unlock(subject, object);
    uint64_t end = now();
    if (noted(worker, locked) && noted(worker, unlocked)) {
        histogram_add(&worker->result->locks, end - begin);
    }
}

static void do_alloc(struct worker *worker, uint32_t object, size_t bytes)
{
    struct subject *subject = &worker->subject;
    dither();
    uint64_t begin = now();
    enum outcome outcome = subject->calls->alloc(subject, object, at_least_one(bytes));
    histogram_add(&worker->result->operations, now() - begin);
    if (!noted(worker, outcome)) {
        return;
    }
    place_take(worker, object);
    worker->objects[object] = (struct object){.bytes = bytes, .lives = true};
    contents_do(worker, object, 0, bytes);
    pair_time(worker, object);
}

static void do_resize(struct worker *worker, uint32_t object, size_t bytes)
{
    struct subject *subject = &worker->subject;
    size_t before = worker->objects[object].bytes;

    place_leave(worker, object);
    dither();
    uint64_t begin = now();
    enum outcome outcome = subject->calls->resize(subject, object, at_least_one(bytes));
    histogram_add(&worker->result->operations, now() - begin);
    bool served = noted(worker, outcome);
    place_take(worker, object);
    if (served) {
        worker->objects[object].bytes = bytes;
        contents_do(worker, object, before < bytes ? before : bytes, bytes);
    }
}

static void do_free(struct worker *worker, uint32_t object)
{
    struct subject *subject = &worker->subject;

    contents_do(worker, object, worker->objects[object].bytes, worker->objects[object].bytes);
    place_leave(worker, object);
    dither();
    uint64_t begin = now();
    enum outcome outcome = subject->calls->free(subject, object);
    histogram_add(&worker->result->operations, now() - begin);
    noted(worker, outcome);
    worker->objects[object].lives = false;
}

static void do_operation(struct worker *worker, const struct trace_op *op)
{
    const struct subject_calls *calls = worker->subject.calls;

    if (op->kind != TRACE_ALLOC && !worker->objects[op->object].lives) {
        worker->result->skipped++;
    } else if (op->kind == TRACE_ALLOC) {
        do_alloc(worker, op->object, op->size);
    } else if (op->kind == TRACE_RESIZE) {
        do_resize(worker, op->object, op->size);
    } else if (op->kind == TRACE_FREE) {
        do_free(worker, op->object);
    } else if (calls->lock) {
        enum outcome (*call)(struct subject *, uint32_t) =
            op->kind == TRACE_LOCK ? calls->lock : calls->unlock;
        noted(worker, call(&worker->subject, op->object));
    }
}

static bool is_over(const struct worker *worker)
{
    return worker->job->task == TASK_TRIAL && worker->result->refused > 0;
}

static void measure(struct worker *worker, size_t operation)
{
    if (worker->job->task != TASK_PROOF) {
        return;
    }
    if (worker->subject.calls->watch) {
        worker->subject.calls->watch(&worker->subject);
    }
    resident_sample(worker, operation);
}

static void operations_run(struct worker *worker)
{
    for (size_t i = 0; i < worker->job->count && !is_over(worker); i++) {
        worker->op = &worker->ops[i];
        worker->result->operation = i;
        do_operation(worker, worker->op);
        measure(worker, i);
    }
    worker->op = NULL;
}

/* --- At full pace ------------------------------------------------------------------------------------ */

static enum outcome nothing_alloc(struct subject *subject, uint32_t object, size_t bytes)
{
    (void)subject;
    (void)object;
    (void)bytes;
    return OUTCOME_SERVED;
}

static enum outcome nothing_free(struct subject *subject, uint32_t object)
{
    (void)subject;
    (void)object;
    return OUTCOME_SERVED;
}

/* What a replay costs without a heap. */
static const struct subject_calls nothing_calls = {
    .alloc = nothing_alloc,
    .resize = nothing_alloc,
    .free = nothing_free,
    .lock = nothing_free,
    .unlock = nothing_free,
};

static void pace_step(struct worker *worker, const struct subject_calls *calls, const struct trace_op *op)
{
    struct subject *subject = &worker->subject;

    if (op->kind == TRACE_ALLOC) {
        worker->objects[op->object].lives =
            noted(worker, calls->alloc(subject, op->object, at_least_one(op->size)));
    } else if (!worker->objects[op->object].lives) {
        return;
    } else if (op->kind == TRACE_RESIZE) {
        noted(worker, calls->resize(subject, op->object, at_least_one(op->size)));
    } else if (op->kind == TRACE_FREE) {
        noted(worker, calls->free(subject, op->object));
    } else if (calls->lock) {
        noted(worker,
              op->kind == TRACE_LOCK ? calls->lock(subject, op->object) : calls->unlock(subject, op->object));
    }
}

/* Of the processor, so that nobody else's is among it. */
static double pace_run(struct worker *worker, const struct subject_calls *calls)
{
    struct timespec begin, end;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (size_t i = 0; i < worker->job->count; i++) {
        worker->op = &worker->ops[i];
        worker->result->operation = i;
        pace_step(worker, calls, worker->op);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    return ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) /
           (double)worker->job->count;
}

static void pace_measure(struct worker *worker)
{
    double nothing = pace_run(worker, &nothing_calls);
    double all = pace_run(worker, worker->subject.calls);
    worker->result->pace = all > nothing ? all - nothing : 0;
}

static void survivors_verify(struct worker *worker)
{
    for (size_t i = 0; i < worker->job->objects; i++) {
        if (worker->objects[i].lives) {
            contents_do(worker, (uint32_t)i, worker->objects[i].bytes, worker->objects[i].bytes);
        }
    }
    canaries_verify(worker);
}

/* --- The job ----------------------------------------------------------------------------------------- */

/* Between two pages that nobody may touch, and so that it ends as near to the second as its alignment lets
 * it. */
static unsigned char *pool_make(struct worker *worker)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (worker->job->pool_bytes + page - 1) / page * page + page;
    unsigned char *all = mmap(NULL, bytes + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (all == MAP_FAILED || mprotect(all + page, bytes, PROT_READ | PROT_WRITE) != 0) {
        refuse(worker, "no memory for a pool of %zu bytes", worker->job->pool_bytes);
    }
    worker->room = all + page;
    worker->room_bytes = bytes;
    size_t offset = (bytes - worker->job->pool_bytes) / POOL_ALIGNMENT * POOL_ALIGNMENT;
    memset(worker->room, CANARY, offset);
    memset(worker->room + offset + worker->job->pool_bytes, CANARY, bytes - offset - worker->job->pool_bytes);
    memset(worker->room + offset, 0, worker->job->pool_bytes);
    return worker->room + offset;
}

static void replay(struct worker *worker)
{
    const struct compare_job *job = worker->job;
    struct compare_result *result = worker->result;
    bool has_pool = job->kind == SUBJECT_DEFRAG || job->kind == SUBJECT_PLUGIN;
    unsigned char *pool = has_pool ? pool_make(worker) : NULL;

    worker->objects = subject_room(job->objects, sizeof *worker->objects);
    if (job->kind == SUBJECT_PLUGIN) {
        worker->taken = subject_room(granules_of(worker, job->pool_bytes) + 1, 1);
    }
    clock_learn(result);
    result->stage = STAGE_INIT;
    if (!subject_open(&worker->subject, job, pool)) {
        result->is_too_small = true;
        return;
    }
    worker->rollup = job->kind == SUBJECT_MALLOC ? open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC) : -1;
    worker->resident_before = resident_bytes(worker);
    result->stage = STAGE_REPLAY;
    if (job->task == TASK_PACE) {
        pace_measure(worker);
        return;
    }
    operations_run(worker);
    survivors_verify(worker);
    result->moved_bytes = worker->subject.calls->moved(&worker->subject);
    result->used_bytes = worker->subject.calls->used ? worker->subject.calls->used(&worker->subject) : 0;
}

/* --- Files ---------------------------------------------------------------------------------------------- */

static void *required(struct worker *worker, void *library, const char *name)
{
    void *symbol = dlsym(library, name);
    if (!symbol) {
        refuse(worker, "it is no plugin: it has no %s()", name);
    }
    return symbol;
}

/* Functions come out of dlsym() as pointers to data. */
#define FIND(member, find) (*(void **)&(member) = (find))

static void plugin_find(struct worker *worker, void *library)
{
    struct plugin *plugin = &worker->subject.plugin;

    FIND(plugin->name, required(worker, library, "defrag_plugin_name"));
    FIND(plugin->init, required(worker, library, "defrag_plugin_init"));
    FIND(plugin->alloc, required(worker, library, "defrag_plugin_alloc"));
    FIND(plugin->free, required(worker, library, "defrag_plugin_free"));
    FIND(plugin->resize, required(worker, library, "defrag_plugin_resize"));
    FIND(plugin->used, dlsym(library, "defrag_plugin_used"));
}

static void plugin_load(struct worker *worker, int file)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    worker->result->stage = STAGE_LOADING;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *text = dlerror();
        size_t prefix = strlen(path);
        bool is_of_file = strncmp(text, path, prefix) == 0 && text[prefix] == ':';
        refuse(worker, "cannot be loaded: %s", is_of_file ? text + prefix + 2 : text);
    }
    plugin_find(worker, library);
}

static void plugin_probe(struct worker *worker, int file)
{
    plugin_load(worker, file);
    const char *name = worker->subject.plugin.name();
    snprintf(worker->result->name, sizeof worker->result->name, "%s", name ? name : "");
}

/* Whether the file's malloc is the one that this process has. */
static void malloc_probe(struct worker *worker, int file)
{
    static const char *const names[] = {"malloc", "realloc", "free"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *symbol = dlsym(RTLD_DEFAULT, names[i]);
        Dl_info info;
        struct stat found, wanted;
        if (!symbol || dladdr(symbol, &info) == 0 || stat(info.dli_fname, &found) != 0 ||
            fstat(file, &wanted) != 0 || found.st_ino != wanted.st_ino || found.st_dev != wanted.st_dev) {
            refuse(worker, "it has no %s()", names[i]);
        }
    }
}

static void job_do(struct worker *worker, int file)
{
    switch (worker->job->task) {
    case TASK_PROBE_PLUGIN:
        plugin_probe(worker, file);
        break;
    case TASK_PROBE_MALLOC:
        malloc_probe(worker, file);
        break;
    default:
        if (worker->job->kind == SUBJECT_PLUGIN) {
            plugin_load(worker, file);
        }
        replay(worker);
        break;
    }
}

/* --- The beginning ---------------------------------------------------------------------- */

/* Where the open file is in memory; NULL if it is not that long. */
static void *mapped(int file, size_t bytes, int protection)
{
    struct stat stat;
    if (fstat(file, &stat) != 0 || (size_t)stat.st_size < bytes) {
        return NULL;
    }
    void *memory = mmap(NULL, bytes ? bytes : 1, protection, MAP_SHARED | MAP_POPULATE, file, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

int compare_worker_main(int argc, char **argv)
{
    struct worker worker = {.rollup = -1};
    int files[3] = {-1, -1, -1};

    for (int i = 1; i < argc && i <= 3; i++) {
        uint64_t file;
        files[i - 1] = number_parse(argv[i], 0, INT_MAX, &file) ? (int)file : -1;
    }
    worker.board = argc == 4 ? mapped(files[0], sizeof *worker.board, PROT_READ | PROT_WRITE) : NULL;
    if (!worker.board) {
        complain(COMPARE_WORKER " is what compare itself starts");
        return EXIT_USAGE;
    }
    worker.job = &worker.board->job;
    worker.result = &worker.board->result;
    size_t count = worker.job->count;
    worker.ops = files[1] < 0 ? NULL : mapped(files[1], count * sizeof *worker.ops, PROT_READ);
    if (count > 0 && !worker.ops) {
        refuse(&worker, "no memory for the trace");
    }
    job_do(&worker, files[2]);
    worker_end(&worker, STAGE_END);
    return EXIT_CLEAN;
}
