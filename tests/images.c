/* SPDX-License-Identifier: MIT */
/*
 * Hashes of pool images: the same sequences of calls make the same images on every
 * machine, byte for byte. tests/target/images.sh compares what this prints on two.
 *
 *     images BYTES SEEDS LIST|- [SEQUENCE [FIRST]]
 *
 * BYTES is the largest pool, SEEDS how many random sequences there are of each
 * build, LIST a file that names inputs of the fuzz target `calls`. Each sequence
 * has a line: its name, the calls made, the images taken, and the hash of their
 * hashes. With the name of a SEQUENCE that one runs alone and has a line for each
 * image; from the call FIRST on, for a thousand calls, one is taken after each.
 *
 * An image is taken after each call on a pool of up to 4 KiB, after each thousandth
 * on a larger one, and at the end. Its hash, FNV-1a of 64 bits, is of
 *   - every byte of the buffer but the eight of the host word, where the pool keeps
 *     the address of its configuration: it is no part of the image, and the
 *     addresses of two machines differ;
 *   - what the calls answered since the image before: status, handle, the offset that
 *     a lock gave, bytes read, each move that the hook was told of, the statistics.
 * The buffer begins at a multiple of 2,048 on every machine, for the image keeps its
 * address modulo that. Nothing else is left out or made equal.
 *
 * It needs 16 KiB of RAM with BYTES up to 8,192, if it is compiled for that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "draw.h"
#include "support.h"
#include "tools/builds.h"
#include "tools/workload.h"

#ifndef IMAGES_BYTES_MAX
#define IMAGES_BYTES_MAX 65536
#endif

#define SMALL           4096u /* bytes; a pool that is no longer has an image after each call */
#define EVERY           1000u /* calls, else */
#define REGISTERS       400u  /* as many blocks as a random sequence has at a time */
#define CALLS           600u  /* of a random sequence */
#define HOST_BYTES      8u
#define FNV_BASIS       UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME       UINT64_C(0x100000001b3)
#define HASH            "%08lx%08lx"
#define HASH_OF(value)  (unsigned long)((value) >> 32), (unsigned long)((value) & 0xffffffffu)

extern const struct defrag_build n4_build, n8_build, n16_build;
static const struct defrag_build *const builds[] = {&n4_build, &n8_build, &n16_build};
#define BUILDS (sizeof builds / sizeof builds[0])

static _Alignas(2048) unsigned char memory[IMAGES_BYTES_MAX];

/* What a random sequence needs, and what a workload does. */
static union {
    defrag_handle registers[REGISTERS];
    defrag_handle blocks[WORKLOAD_LIVE_MAX];
} handles;
static struct workload workload;

static struct {
    size_t largest;
    const char *sequence; /* the only one to run, or NULL */
    unsigned long first;  /* its call from which on each has an image */
} wanted;

static struct sequence {
    const struct defrag_build *build;
    defrag_pool *pool;
    unsigned char *buffer;
    size_t bytes;
    unsigned every;
    defrag_config config;
    bool configured;
    struct ops ops;
    unsigned long calls, images;
    uint64_t told;   /* by the calls since the last image */
    uint64_t hash;   /* of the images' hashes */
    const char *call;
} s;

/* --- Hashes --------------------------------------------------------------------------- */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    while (count--)
        hash = (hash ^ *at++) * FNV_PRIME;
    return hash;
}

static uint64_t hash_number(uint64_t hash, uint64_t number)
{
    for (unsigned i = 0; i < 8; i++)
        hash = (hash ^ (number >> 8 * i & 0xff)) * FNV_PRIME;
    return hash;
}

static void tell(uint64_t number)
{
    s.told = hash_number(s.told, number);
}

static void tell_status(defrag_status status)
{
    tell((uint64_t)((int)status + 100));
}

/* An address in the pool. */
static void tell_place(const void *at)
{
    tell(at ? (uint64_t)((const unsigned char *)at - s.buffer) : 0);
}

static uint64_t image_hash(void)
{
    size_t host = s.pool ? (size_t)((unsigned char *)s.pool - s.buffer) : s.bytes;
    uint64_t hash = hash_bytes(s.told, s.buffer, host);
    if (s.pool)
        hash = hash_bytes(hash, s.buffer + host + HOST_BYTES, s.bytes - host - HOST_BYTES);
    return hash;
}

static void take_image(void)
{
    uint64_t hash = image_hash();
    s.told = FNV_BASIS;
    s.hash = hash_number(s.hash, hash);
    s.images++;
    if (wanted.sequence)
        printf("call %lu, %s: " HASH "\n", s.calls, s.call, HASH_OF(hash));
}

static void after_call(const char *call)
{
    s.call = call;
    s.calls++;
    bool asked = wanted.first && s.calls >= wanted.first && s.calls - wanted.first < EVERY;
    if (asked || s.calls % s.every == 0)
        take_image();
}

static void tell_statistics(const defrag_statistics *now)
{
    const size_t sizes[] = {
        now->pool_bytes,      now->skipped_bytes, now->control_bytes,   now->table_bytes,
        now->granule_bytes,   now->header_bytes,  now->slot_bytes,      now->live_bytes,
        now->live_blocks,     now->locked_blocks, now->free_bytes,      now->free_blocks,
        now->largest_fast,    now->largest_certain, now->peak_live_bytes, now->fewest_free_bytes,
        now->peak_live_blocks, now->slots,
    };
    const uint32_t counts[] = {
        now->failed_no_memory,  now->failed_fragmented, now->failed_pinned,
        now->failed_no_handles, now->failed_bad_size,   now->moved_blocks,
    };
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        tell(sizes[i]);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        tell(counts[i]);
    tell(now->moved_bytes);
}

/* --- A pool --------------------------------------------------------------------------- */

static void on_enter(void *context)
{
    (void)context;
    tell(1);
}

static void on_leave(void *context)
{
    (void)context;
    tell(2);
}

static void on_move(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    (void)context;
    tell(handle.bits);
    tell_place(from);
    tell_place(to);
    tell(bytes);
}

/* False: the buffer is no pool. */
static bool open_pool(const struct defrag_build *build, const struct ops_pool *shape)
{
    memset(memory, 0xa5, wanted.largest);
    s = (struct sequence){.build = build, .buffer = memory + shape->skew, .bytes = shape->bytes,
                          .every = shape->bytes <= SMALL ? 1 : EVERY, .told = FNV_BASIS, .hash = FNV_BASIS};
    s.config.flags = (shape->manual ? DEFRAG_MANUAL : 0u) | (shape->scrambles ? DEFRAG_SCRAMBLE : 0u);
    if (shape->hooked) {
        s.config.enter = on_enter;
        s.config.leave = on_leave;
        s.config.on_move = on_move;
    }
    s.configured = shape->hooked || s.config.flags;
    defrag_status status = build->init(&s.pool, s.buffer, s.bytes, s.configured ? &s.config : NULL);
    tell_status(status);
    after_call("init");
    return status == DEFRAG_OK;
}

static void report(const char *name)
{
    tell_status(s.pool ? s.build->check(s.pool) : DEFRAG_OK);
    s.call = "end";
    take_image();
    if (!wanted.sequence)
        printf("%s: %lu calls, %lu images, " HASH "\n", name, s.calls, s.images, HASH_OF(s.hash));
    fflush(stdout);
}

static bool is_wanted(const char *name)
{
    return !wanted.sequence || strcmp(wanted.sequence, name) == 0;
}

/* --- Calls ---------------------------------------------------------------------------- */

static void fill(defrag_handle handle)
{
    unsigned char pattern[32];
    size_t bytes = s.build->size(s.pool, handle);
    tell(bytes);
    for (size_t i = 0; i < sizeof pattern; i++)
        pattern[i] = (unsigned char)(s.calls * 37 + i * 5 + 1);
    for (size_t at = 0; at < bytes; at += sizeof pattern) {
        size_t left = bytes - at;
        tell_status(
            s.build->write(s.pool, handle, at, pattern, left < sizeof pattern ? left : sizeof pattern));
    }
}

static void do_alloc(const struct op *op)
{
    const struct defrag_build *b = s.build;
    const defrag_request *request = &op->request;
    defrag_handle handle;
    defrag_status status;
    switch (op->kind) {
    case OP_ALLOC:
        status = b->alloc(s.pool, request->bytes, &handle);
        break;
    case OP_ALLOC_FAST:
        status = b->alloc_fast(s.pool, request->bytes, &handle);
        break;
    case OP_SLICE:
        status = b->alloc_slice(s.pool, request->count, request->bytes, &handle);
        break;
    case OP_SLICE_FAST:
        status = b->alloc_slice_fast(s.pool, request->count, request->bytes, &handle);
        break;
    default:
        status = b->alloc_request(s.pool, request, &handle);
        break;
    }
    tell_status(status);
    tell(handle.bits);
    if (status != DEFRAG_OK)
        return;
    ops_allocated(&s.ops, op, handle);
    fill(handle);
}

static void do_free(defrag_handle handle)
{
    defrag_handle freed = handle;
    defrag_status status = s.build->free(s.pool, &freed);
    tell_status(status);
    tell(freed.bits);
    if (status == DEFRAG_OK)
        ops_freed(&s.ops, handle);
}

static void do_lock(const struct op *op)
{
    const struct defrag_build *b = s.build;
    void *at = NULL;
    const void *shared = NULL;
    if (op->kind == OP_LOCK)
        at = b->lock(s.pool, op->handle);
    else if (op->kind == OP_TRY_LOCK)
        tell_status(b->try_lock(s.pool, op->handle, &at));
    else if (op->kind == OP_LOCK_SHARED)
        shared = b->lock_shared(s.pool, op->handle);
    else
        tell_status(b->try_lock_shared(s.pool, op->handle, &shared));
    tell_place(at ? at : shared);
}

/* read and write ask for no more than this, unless they are to be refused. */
static void do_access(const struct op *op)
{
    unsigned char bytes[256];
    memset(bytes, (int)(s.calls & 0xff), sizeof bytes);
    size_t offset = op->offset;
    if (op->from_end)
        offset = s.build->size(s.pool, op->handle) - 8 + offset % 16;
    if (op->kind == OP_READ) {
        tell_status(s.build->read(s.pool, op->handle, offset, bytes, op->bytes));
        s.told = hash_bytes(s.told, bytes, sizeof bytes);
    } else {
        tell_status(s.build->write(s.pool, op->handle, offset, bytes, op->bytes));
    }
}

static defrag_status visit(void *left, const defrag_block *block)
{
    size_t *count = left;
    tell((uint64_t)block->region);
    tell(block->handle.bits);
    tell(block->offset);
    tell(block->bytes);
    tell_place(block->payload);
    tell(block->payload_bytes);
    tell(block->shared_locks);
    tell(block->exclusive);
    return *count && --*count == 0 ? DEFRAG_MORE : DEFRAG_OK;
}

/* The half of the memory that is not in use; NULL: the pool needs more. */
static unsigned char *other_half(void)
{
    size_t half = wanted.largest / 2;
    if ((size_t)(s.buffer - memory) % half + s.bytes > half)
        return NULL;
    return s.buffer < memory + half ? s.buffer + half : s.buffer - half;
}

/* Goes on with a copy, if there is room for one. */
static void do_migrate(void)
{
    unsigned char *to = other_half();
    if (!to)
        return;
    tell_status(s.build->detach(s.pool));
    memcpy(to, s.buffer, s.bytes);
    memset(s.buffer, 0xdd, s.bytes);
    s.buffer = to;
    tell_status(s.build->attach(&s.pool, to, s.bytes, s.configured ? &s.config : NULL));
}

/* Attaches a copy that lacks its end. */
static void do_attach(size_t missing)
{
    unsigned char *to = other_half();
    if (!to)
        return;
    memcpy(to, s.buffer, s.bytes);
    defrag_pool *pool;
    tell_status(s.build->attach(&pool, to, missing < s.bytes ? s.bytes - missing : 0, NULL));
}

static void do_order(const struct op *op)
{
    const struct defrag_build *b = s.build;
    size_t number = 0;
    switch (op->kind) {
    case OP_CLEAN:
        tell_status(b->clean(s.pool));
        break;
    case OP_COMPACT:
        tell_status(b->compact(s.pool));
        break;
    case OP_COMPACT_STEP:
        tell_status(b->compact_step(s.pool, op->bytes, &number));
        tell(number);
        break;
    case OP_MAKE_ROOM:
        tell_status(b->make_room(s.pool, op->bytes));
        break;
    case OP_SCRAMBLE:
        tell_status(b->scramble(s.pool, (uint32_t)op->bytes));
        break;
    case OP_WALK:
        number = op->bytes;
        tell_status(b->walk(s.pool, visit, &number));
        break;
    case OP_MIGRATE:
        do_migrate();
        break;
    case OP_ATTACH:
        do_attach(op->bytes);
        break;
    default: /* the statistics are told after every call; misuse is for the model */
        tell_status(b->check(s.pool));
        break;
    }
}

static void make(const struct op *op)
{
    switch (op->kind) {
    case OP_ALLOC:
    case OP_ALLOC_FAST:
    case OP_SLICE:
    case OP_SLICE_FAST:
    case OP_REQUEST:
        do_alloc(op);
        break;
    case OP_RESIZE:
        tell_status(s.build->resize(s.pool, op->handle, op->bytes));
        break;
    case OP_FREE:
        do_free(op->handle);
        break;
    case OP_LOCK:
    case OP_TRY_LOCK:
    case OP_LOCK_SHARED:
    case OP_TRY_LOCK_SHARED:
        do_lock(op);
        break;
    case OP_UNLOCK:
        tell_status(s.build->unlock(s.pool, op->handle));
        break;
    case OP_READ:
    case OP_WRITE:
        do_access(op);
        break;
    case OP_SIZE:
        tell(s.build->size(s.pool, op->handle));
        break;
    default:
        do_order(op);
        break;
    }
}

static void call(const struct ops_record *record, const defrag_statistics *now)
{
    struct op op;
    ops_next(&s.ops, record, now, &op);
    make(&op);
    defrag_statistics then = support_statistics(s.build, s.pool);
    tell_statistics(&then);
    after_call(ops_names[op.kind]);
}

static void begin_calls(void)
{
    ops_begin(&s.ops, handles.registers, REGISTERS);
    for (uint32_t i = 0; i < OPS_FOREIGN; i++)
        s.ops.foreign[i].bits = (i + 1) * 0x10001u;
}

static void unlock_all(void)
{
    for (size_t i = 0; i < REGISTERS; i++)
        while (handles.registers[i].bits && s.build->unlock(s.pool, handles.registers[i]) == DEFRAG_OK)
            continue;
}

static void empty(void)
{
    unlock_all();
    for (size_t i = 0; i < REGISTERS; i++)
        if (handles.registers[i].bits)
            do_free(handles.registers[i]);
    tell_status(s.build->clean(s.pool));
}

/* --- Random sequences ------------------------------------------------------------------- */

static void shape_pool(struct draw *draw, bool large, struct ops_pool *out)
{
    uint64_t *random = &draw->random;
    size_t most = support_below(random, 3) ? 1500 : SMALL - 32;
    out->bytes = large ? wanted.largest : 300 + support_below(random, most - 300);
    out->skew = large ? 0 : support_below(random, 32);
    out->manual = support_below(random, 6) == 0;
    out->scrambles = support_below(random, 6) == 0;
    out->hooked = support_below(random, 2);
}

static void run_random(const struct defrag_build *build, const char *kind, unsigned long seed)
{
    char name[48];
    snprintf(name, sizeof name, "%s/%s/%lu", build->name, kind, seed);
    if (!is_wanted(name))
        return;
    bool large = strcmp(kind, "large") == 0;
    struct draw draw;
    struct ops_pool shape = {0};
    draw_begin(&draw, REGISTERS, seed + (large ? 1000000 : 0));
    shape_pool(&draw, large, &shape);
    if (open_pool(build, &shape)) {
        begin_calls();
        for (unsigned long end = large ? 5 * EVERY : CALLS; s.calls < end;) {
            struct ops_record record;
            defrag_statistics now = support_statistics(build, s.pool);
            size_t times = draw_call(&draw, &now, &record);
            for (; times > 0; times--) {
                now = support_statistics(build, s.pool);
                call(&record, &now);
            }
            if (support_below(&draw.random, 200) == 0)
                unlock_all();
        }
        empty();
    }
    report(name);
}

/* --- The fuzz target's inputs ----------------------------------------------------------- */

static void run_calls(FILE *input)
{
    uint8_t bytes[OPS_CALL_BYTES];
    begin_calls();
    while (fread(bytes, 1, sizeof bytes, input) == sizeof bytes) {
        struct ops_record record;
        ops_decode(bytes, &record);
        defrag_statistics now = support_statistics(s.build, s.pool);
        call(&record, &now);
    }
    empty();
}

static void run_input(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (!is_wanted(name))
        return;
    FILE *input = fopen(path, "rb");
    uint8_t bytes[OPS_POOL_BYTES];
    struct ops_pool shape;
    if (!input) {
        printf("images: cannot open %s\n", path);
        exit(1);
    }
    ops_decode_pool(bytes, fread(bytes, 1, sizeof bytes, input), &shape);
    if (shape.skew + shape.bytes <= wanted.largest) {
        if (open_pool(builds[shape.build % BUILDS], &shape))
            run_calls(input);
        report(name);
    }
    fclose(input);
}

static void run_inputs(const char *list)
{
    FILE *names = fopen(list, "r");
    char path[512];
    if (!names) {
        printf("images: cannot open %s\n", list);
        exit(1);
    }
    while (fgets(path, sizeof path, names)) {
        path[strcspn(path, "\n")] = '\0';
        run_input(path);
    }
    fclose(names);
}

/* --- The benchmarks' workloads ---------------------------------------------------------- */

static void release(const struct workload_step *step)
{
    (void)s.build->unlock(s.pool, handles.blocks[step->block]);
    tell_status(s.build->free(s.pool, &handles.blocks[step->block]));
    after_call("free");
}

static void allocate(const struct workload_step *step)
{
    defrag_handle *handle = &handles.blocks[step->block];
    defrag_status status = s.build->alloc(s.pool, step->bytes, handle);
    tell_status(status);
    tell(handle->bits);
    if (status == DEFRAG_OK) {
        fill(*handle);
        if (step->locks)
            tell_place(s.build->lock(s.pool, *handle));
        workload_served(&workload);
    } else {
        workload_refused(&workload, false);
    }
    after_call("alloc");
}

/* At 90 percent nearly every allocation moves blocks: only W on the usual build is run at its full length. */
static void run_workload(const struct defrag_build *build, enum workload_kind kind, unsigned percent)
{
    char name[48];
    snprintf(name, sizeof name, "%s/%s/%u", build->name, workload_names[kind], percent);
    if (!is_wanted(name))
        return;
    bool full = kind == WORKLOAD_UNIFORM && build == &n8_build;
    uint32_t operations = full ? WORKLOAD_OPERATIONS : WORKLOAD_OPERATIONS / 20;
    struct ops_pool shape = {.bytes = wanted.largest};
    if (open_pool(build, &shape)) {
        workload_begin(&workload, kind, wanted.largest, percent, operations, WORKLOAD_SEED);
        for (uint32_t i = 0; i < operations; i++) {
            struct workload_step step = workload_next(&workload);
            if (step.allocates)
                allocate(&step);
            else
                release(&step);
        }
    }
    report(name);
}

static void run_build(const struct defrag_build *build, unsigned long seeds)
{
    for (unsigned long seed = 1; seed <= seeds; seed++)
        run_random(build, "random", seed);
    for (unsigned long seed = 1; seed <= seeds / 10 + 1; seed++)
        run_random(build, "large", seed);
    run_workload(build, WORKLOAD_UNIFORM, 70);
    for (unsigned kind = 0; kind < WORKLOAD_KINDS; kind++)
        run_workload(build, (enum workload_kind)kind, 90);
}

int main(int argc, char **argv)
{
    if (argc < 4 || argc > 6) {
        puts("usage: images BYTES SEEDS LIST|- [SEQUENCE [FIRST]]");
        return 2;
    }
    wanted.largest = strtoul(argv[1], NULL, 10);
    wanted.sequence = argc > 4 ? argv[4] : NULL;
    wanted.first = argc > 5 ? strtoul(argv[5], NULL, 10) : 0;
    if (wanted.largest < 2 * SMALL || wanted.largest > sizeof memory || wanted.largest % SMALL != 0) {
        printf("images: a pool of %s bytes is none of 8192 to %lu\n", argv[1], (unsigned long)sizeof memory);
        return 2;
    }
    for (size_t i = 0; i < BUILDS; i++)
        run_build(builds[i], strtoul(argv[2], NULL, 10));
    if (strcmp(argv[3], "-") != 0)
        run_inputs(argv[3]);
    return 0;
}
