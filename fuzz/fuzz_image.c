/* SPDX-License-Identifier: MIT */
/*
 * Damaged pools. Whatever an image says, attach, check and walk never crash,
 * never look outside the pool, never run for ever; in a hardened build no call
 * does. In a plain one, damage to the header or the entry of the handle passed is
 * answered by every call that looks at them, and nothing is written.
 *
 * Input: the first byte, modulo 10, is the build, plain or hardened, and the rest
 * of it the kind of damage, of which a third is the first:
 *
 *   bytes    all other bytes are the image
 *   bits     a pool, calls on it, and one to eight bits of it changed
 *   handle   the same, the bits being those that tie a header and an entry together
 */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support.h"

const char fuzz_name[] = "image";

#define HANDLES_MAX 32
#define FIELDS_MAX  4096

/* Behind the pool, where no sanitizer sees the first byte beyond. */
#if defined(__SANITIZE_ADDRESS__)
#define RED_BYTES 0u
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RED_BYTES 0u
#endif
#endif
#ifndef RED_BYTES
#define RED_BYTES 256u
#endif
#define RED 0xa5

struct target {
    const struct defrag_build *b;
    const struct inside *inside;
    bool hardened;
    const uint8_t *data; /* what is left of the input */
    size_t size;

    struct support_buffer buffer;
    size_t bytes; /* of the pool's buffer */
    unsigned char *before;
    defrag_pool *pool;
    defrag_config config;
    uint64_t granules; /* as it must stay */

    defrag_handle handles[HANDLES_MAX]; /* live and stale */
    unsigned entered, left;
    unsigned long seen; /* by on_move and visitors, in this call */
};

/* --- Input ----------------------------------------------------------------------------- */

static unsigned take(struct target *t)
{
    if (t->size == 0)
        return 0;
    t->size--;
    return *t->data++;
}

static size_t take_below(struct target *t, size_t below)
{
    size_t value = take(t);
    if (below > 256)
        value = value << 8 | take(t);
    return value % below;
}

static defrag_handle *take_handle(struct target *t)
{
    return &t->handles[take_below(t, HANDLES_MAX)];
}

/* Sizes that matter are small, and none. */
static size_t take_bytes(struct target *t)
{
    size_t value = take(t);
    return value < 192 ? value : (value - 192) * 64;
}

/* --- The pool ---------------------------------------------------------------------------- */

static void enter(void *context)
{
    ((struct target *)context)->entered++;
}

static void leave(void *context)
{
    ((struct target *)context)->left++;
}

static void note_move(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    struct target *t = context;
    (void)handle;
    (void)from;
    t->seen++;
    EXPECT((unsigned char *)to >= t->buffer.bytes && bytes <= t->bytes
               && (unsigned char *)to <= t->buffer.bytes + t->bytes - bytes,
           "a block moved out of the pool");
}

static const defrag_config *take_config(struct target *t)
{
    unsigned kind = take(t);
    t->config = (defrag_config){.section_context = t, .on_move = note_move, .move_context = t};
    if (kind & 1)
        t->config.enter = enter, t->config.leave = leave;
    t->config.flags = (kind & 2 ? DEFRAG_MANUAL : 0u) | (kind & 8 ? DEFRAG_SCRAMBLE : 0u);
    return kind & 4 ? NULL : &t->config;
}

static void make_buffer(struct target *t, size_t bytes)
{
    t->bytes = bytes;
    t->buffer = support_buffer_new(bytes + RED_BYTES, 0);
    memset(t->buffer.bytes, RED, bytes + RED_BYTES);
    t->before = malloc(bytes + 1);
    if (!t->before)
        abort();
}

static void drop_buffer(struct target *t)
{
    support_buffer_free(&t->buffer);
    free(t->before);
}

static void keep(struct target *t)
{
    memcpy(t->before, t->buffer.bytes, t->bytes);
    t->seen = 0;
}

static bool is_kept(const struct target *t)
{
    return memcmp(t->before, t->buffer.bytes, t->bytes) == 0;
}

/* What holds after every call, whatever the image says. */
static void expect_bounds(const struct target *t, const char *call)
{
    for (size_t i = t->bytes; i < t->bytes + RED_BYTES; i++)
        EXPECT(t->buffer.bytes[i] == RED, "%s wrote %zu bytes behind the pool", call, i - t->bytes);
    EXPECT(inside_load(t->pool, &t->inside->granules) == t->granules, "%s changed the length", call);
    EXPECT(memcmp(t->before, t->buffer.bytes, t->inside->host_bytes) == 0, "%s changed the host word", call);
    EXPECT(t->entered == t->left, "%s entered %u times and left %u times", call, t->entered, t->left);
    /* Each step of defrag_compact() may scramble. */
    EXPECT(t->seen <= (t->granules + 1) * (t->granules + 1), "%s showed or moved %lu blocks", call, t->seen);
}

/* --- Calls that every build is safe in ------------------------------------------------------ */

static defrag_status visit(void *context, const defrag_block *block)
{
    struct target *t = context;
    t->seen++;
    EXPECT(block->offset + block->bytes <= t->bytes, "a stretch ends at %zu", block->offset + block->bytes);
    EXPECT(block->payload_bytes <= block->bytes, "%zu bytes in a block of %zu", block->payload_bytes,
           block->bytes);
    return DEFRAG_OK;
}

/* check and walk; returns whether check is content. */
static bool look(struct target *t)
{
    keep(t);
    bool sound = t->b->check(t->pool) == DEFRAG_OK;
    EXPECT(is_kept(t), "check wrote");
    expect_bounds(t, "check");
    defrag_status status = t->b->walk(t->pool, visit, t);
    EXPECT(status == DEFRAG_OK || (status == DEFRAG_CORRUPT && !sound), "walk answers %d", status);
    EXPECT(is_kept(t), "walk wrote");
    expect_bounds(t, "walk");
    return sound;
}

/* attach accepts a copy of the image iff check is content. */
static void attach_copy(const struct target *t, bool sound)
{
    struct support_buffer copy = support_buffer_new(t->bytes, 0);
    defrag_pool *pool;
    memcpy(copy.bytes, t->buffer.bytes, t->bytes);
    defrag_status status = t->b->attach(&pool, copy.bytes, t->bytes, NULL);
    EXPECT((status == DEFRAG_OK) == sound, "attach answers %d, check %s content", status,
           sound ? "is" : "is not");
    EXPECT(sound || memcmp(copy.bytes, t->buffer.bytes, t->bytes) == 0, "attach wrote into what it refused");
    support_buffer_free(&copy);
}

/* --- Calls on a damaged pool of a hardened build ---------------------------------------------- */

enum call {
    ALLOC, ALLOC_FAST, SLICE, SLICE_FAST, REQUEST, RESIZE, FREE, SIZE, LOCK, LOCK_SHARED, TRY_LOCK, TRY_LOCK_SHARED,
    UNLOCK, READ, WRITE, CLEAN, COMPACT, STEP, MAKE_ROOM, SCRAMBLE, DETACH, STATISTICS, CHECK, WALK, CALLS
};

#define BIT(status)  (1u << (-(status) + 1))
#define ANY          (BIT(DEFRAG_OK) | BIT(DEFRAG_CORRUPT))
#define OF_HANDLE    (ANY | BIT(DEFRAG_STALE))
#define OF_MEMORY                                                                                           \
    (BIT(DEFRAG_NO_MEMORY) | BIT(DEFRAG_FRAGMENTED) | BIT(DEFRAG_PINNED) | BIT(DEFRAG_BAD_SIZE))
#define OF_ALLOC     (ANY | OF_MEMORY | BIT(DEFRAG_NO_HANDLES))

/* What defrag.h lists for each. */
static const struct {
    const char *name;
    unsigned statuses;
} calls[CALLS] = {
    [ALLOC] = {"alloc", OF_ALLOC},
    [ALLOC_FAST] = {"alloc_fast", OF_ALLOC & ~BIT(DEFRAG_PINNED)},
    [SLICE] = {"alloc_slice", OF_ALLOC},
    [SLICE_FAST] = {"alloc_slice_fast", OF_ALLOC & ~BIT(DEFRAG_PINNED)},
    [REQUEST] = {"alloc_request", OF_ALLOC | BIT(DEFRAG_BAD_ARGUMENT)},
    [RESIZE] = {"resize", OF_HANDLE | OF_MEMORY | BIT(DEFRAG_LOCKED)},
    [FREE] = {"free", OF_HANDLE | BIT(DEFRAG_LOCKED)},
    [SIZE] = {"size", ANY},
    [LOCK] = {"lock", ANY},
    [LOCK_SHARED] = {"lock_shared", ANY},
    [TRY_LOCK] = {"try_lock", OF_HANDLE | BIT(DEFRAG_LOCKED)},
    [TRY_LOCK_SHARED] = {"try_lock_shared", OF_HANDLE | BIT(DEFRAG_LOCKED) | BIT(DEFRAG_LOCK_LIMIT)},
    [UNLOCK] = {"unlock", OF_HANDLE | BIT(DEFRAG_NOT_LOCKED)},
    [READ] = {"read", OF_HANDLE | BIT(DEFRAG_LOCKED) | BIT(DEFRAG_OUT_OF_RANGE)},
    [WRITE] = {"write", OF_HANDLE | BIT(DEFRAG_LOCKED) | BIT(DEFRAG_OUT_OF_RANGE)},
    [CLEAN] = {"clean", ANY},
    [COMPACT] = {"compact", ANY},
    [STEP] = {"compact_step", ANY | BIT(DEFRAG_MORE)},
    [MAKE_ROOM] = {"make_room", OF_ALLOC & ~BIT(DEFRAG_FRAGMENTED)},
    [SCRAMBLE] = {"scramble", ANY},
    [DETACH] = {"detach", BIT(DEFRAG_OK)},
    [STATISTICS] = {"statistics_get", ANY},
    [CHECK] = {"check", ANY},
    [WALK] = {"walk", ANY},
};

static defrag_status call_alloc(struct target *t, enum call call)
{
    const struct defrag_build *b = t->b;
    defrag_handle *out = take_handle(t);
    size_t bytes = take_bytes(t);
    const defrag_request request = {
        .bytes = bytes, .alignment = (size_t)1 << (bytes % 6), .flags = bytes & 1};
    switch (call) {
    case ALLOC: return b->alloc(t->pool, bytes, out);
    case ALLOC_FAST: return b->alloc_fast(t->pool, bytes, out);
    case SLICE: return b->alloc_slice(t->pool, bytes, 3, out);
    case SLICE_FAST: return b->alloc_slice_fast(t->pool, bytes, 3, out);
    default: return b->alloc_request(t->pool, &request, out);
    }
}

/* The user may do what he likes with the bytes that a lock gave him. */
static defrag_status use(struct target *t, defrag_handle handle, void *payload)
{
    size_t bytes = t->b->size(t->pool, handle);
    if (payload && bytes)
        memset(payload, (int)take(t), bytes);
    return payload ? DEFRAG_OK : DEFRAG_CORRUPT;
}

static defrag_status read_only(struct target *t, defrag_handle handle, const void *payload)
{
    size_t bytes = t->b->size(t->pool, handle);
    if (payload && bytes) {
        unsigned char *copy = malloc(bytes);
        if (!copy)
            abort();
        memcpy(copy, payload, bytes);
        free(copy);
    }
    return payload ? DEFRAG_OK : DEFRAG_CORRUPT;
}

static defrag_status call_access(struct target *t, enum call call, defrag_handle handle)
{
    unsigned char bytes[256] = {0};
    size_t offset = take_bytes(t);
    size_t count = take(t);
    return call == READ ? t->b->read(t->pool, handle, offset, bytes, count)
                        : t->b->write(t->pool, handle, offset, bytes, count);
}

static defrag_status call_handle(struct target *t, enum call call)
{
    const struct defrag_build *b = t->b;
    defrag_handle *handle = take_handle(t);
    void *p = NULL;
    const void *cp = NULL;
    defrag_status status;
    switch (call) {
    case RESIZE: return b->resize(t->pool, *handle, take_bytes(t));
    case FREE: {
        defrag_handle copy = *handle; /* which stays, as a stale one */
        return b->free(t->pool, &copy);
    }
    case SIZE: return b->size(t->pool, *handle) ? DEFRAG_OK : DEFRAG_CORRUPT;
    case LOCK: return use(t, *handle, b->lock(t->pool, *handle));
    case LOCK_SHARED: return read_only(t, *handle, b->lock_shared(t->pool, *handle));
    case TRY_LOCK:
        status = b->try_lock(t->pool, *handle, &p);
        EXPECT(!p == (status != DEFRAG_OK), "try_lock answers %d and %p", status, p);
        return status;
    case TRY_LOCK_SHARED:
        status = b->try_lock_shared(t->pool, *handle, &cp);
        EXPECT(!cp == (status != DEFRAG_OK), "try_lock_shared answers %d and %p", status, cp);
        return status;
    case UNLOCK: return b->unlock(t->pool, *handle);
    default: return call_access(t, call, *handle);
    }
}

static defrag_status call_pool(struct target *t, enum call call)
{
    const struct defrag_build *b = t->b;
    defrag_statistics statistics;
    size_t moved = SIZE_MAX;
    switch (call) {
    case CLEAN: return b->clean(t->pool);
    case COMPACT: return b->compact(t->pool);
    case STEP: return b->compact_step(t->pool, take_bytes(t), &moved);
    case MAKE_ROOM: return b->make_room(t->pool, take_bytes(t));
    case SCRAMBLE: return b->scramble(t->pool, take(t));
    case DETACH: return b->detach(t->pool);
    case STATISTICS:
        b->statistics_get(t->pool, &statistics);
        return statistics.pool_bytes ? DEFRAG_OK : DEFRAG_CORRUPT;
    case CHECK: return b->check(t->pool);
    default: return b->walk(t->pool, visit, t);
    }
}

static void do_call(struct target *t)
{
    enum call call = (enum call)take_below(t, CALLS);
    defrag_status status;
    keep(t);
    if (call < RESIZE)
        status = call_alloc(t, call);
    else if (call < CLEAN)
        status = call_handle(t, call);
    else
        status = call_pool(t, call);
    if (fuzz_shows())
        printf("%s: %d\n", calls[call].name, status);
    EXPECT(calls[call].statuses & BIT(status), "%s answers %d", calls[call].name, status);
    EXPECT(status != DEFRAG_CORRUPT || is_kept(t), "%s answers CORRUPT and has written", calls[call].name);
    expect_bounds(t, calls[call].name);
}

static void do_calls(struct target *t, unsigned most)
{
    for (unsigned i = 0; i < most && t->size > 0; i++)
        do_call(t);
}

/* --- The kinds of damage -------------------------------------------------------------------- */

/* The length and the host word are as they were when `pool` was made of so many bytes; all else is the input's. */
static void try_bytes(struct target *t)
{
    if (t->b->attach(&t->pool, t->buffer.bytes, t->bytes, NULL) == DEFRAG_OK) {
        EXPECT_STATUS(t->b->check(t->pool), DEFRAG_OK);
        return;
    }
    EXPECT(memcmp(t->buffer.bytes, t->data, t->size) == 0, "attach wrote into what it refused");
    /* To init, and back again to the input, whatever these tell of its length. */
    if (t->b->init(&t->pool, t->buffer.bytes, t->bytes, NULL) != DEFRAG_OK)
        return;
    t->granules = inside_load(t->pool, &t->inside->granules);
    memcpy(t->buffer.bytes, t->data, t->size);
    memset(t->buffer.bytes, 0, t->inside->host_bytes);
    inside_store(t->pool, &t->inside->granules, t->granules);
    t->inside->set_limit(t->pool);
    for (size_t i = 0; i < HANDLES_MAX; i++)
        t->handles[i] = t->inside->handle_of((uint32_t)i + 1, i % 4);
    (void)look(t);
    /* The end of the image is its table, and makes calls as well as anything. */
    t->data += t->size > 64 ? t->size - 64 : 0;
    t->size = t->size > 64 ? 64 : t->size;
    if (t->hardened)
        do_calls(t, 32);
}

/* A sound pool that has been in use; what goes wrong here must not. */
static void make_pool(struct target *t)
{
    size_t granules = 4 + take(t);
    const defrag_config *config = take_config(t);
    struct support_buffer probe;
    defrag_pool *pool = support_pool_of(t->b, &probe, granules, NULL);
    size_t bytes = support_statistics(t->b, pool).pool_bytes;
    support_buffer_free(&probe);
    make_buffer(t, bytes);
    EXPECT_STATUS(t->b->init(&t->pool, t->buffer.bytes, bytes, config), DEFRAG_OK);
    t->granules = inside_load(t->pool, &t->inside->granules);
    unsigned most = take(t) % 64;
    do_calls(t, most);
    if (fuzz_shows())
        printf("damage\n");
    EXPECT_STATUS(t->b->attach(&t->pool, t->buffer.bytes, bytes, config), DEFRAG_OK);
}

static bool is_trusted(const struct target *t, size_t byte)
{
    const struct inside_field *granules = &t->inside->granules;
    return byte < t->inside->host_bytes || byte - t->inside->limit_at < sizeof(uint32_t)
           || (byte >= granules->byte && byte < granules->byte + granules->width / 8);
}

/* One bit of what the checker guards, or of anything. */
static void damage_bit(struct target *t, const struct inside_field *fields, size_t count)
{
    unsigned kind = take(t);
    if (kind & 3) {
        const struct inside_field *field = &fields[take_below(t, count)];
        inside_store(t->pool, field, inside_load(t->pool, field) ^ (uint64_t)1 << (kind >> 2) % field->bits);
        return;
    }
    size_t byte = take_below(t, t->bytes);
    if (!is_trusted(t, byte))
        t->buffer.bytes[byte] ^= (unsigned char)(1u << (kind >> 2) % 8);
}

static void try_bits(struct target *t)
{
    static struct inside_field fields[FIELDS_MAX];
    make_pool(t);
    size_t count = t->inside->guarded(t->pool, fields, FIELDS_MAX);
    EXPECT(count <= FIELDS_MAX, "%zu fields", count);
    for (unsigned left = 1 + take(t) % 8; left > 0; left--)
        damage_bit(t, fields, count);
    if (take(t) & 1)
        (void)look(t);
    if (t->hardened)
        do_calls(t, 64);
    attach_copy(t, look(t));
}

/* A handle that names a block, if there is one; how it is locked in `*locked`. */
static defrag_handle find_live(struct target *t, bool *locked)
{
    for (size_t i = 0, first = take_below(t, HANDLES_MAX); i < HANDLES_MAX; i++) {
        defrag_handle handle = t->handles[(first + i) % HANDLES_MAX];
        if (t->b->size(t->pool, handle) == 0)
            continue;
        *locked = t->b->write(t->pool, handle, 0, NULL, 0) != DEFRAG_OK;
        return handle;
    }
    return (defrag_handle){0};
}

/* Whether the word where the entry says that the block begins happens to name the handle's slot after all. */
static bool is_mistaken(const struct target *t, defrag_handle handle, const struct inside_field *offset,
                        struct inside_field owner)
{
    uint64_t o = inside_load(t->pool, offset);
    owner.byte = (size_t)o * t->inside->granule - t->inside->header;
    return o > 0 && o < t->granules && inside_load(t->pool, &owner) == t->inside->slot_of(handle);
}

static void try_handle(struct target *t)
{
    bool locked;
    make_pool(t);
    defrag_handle handle = find_live(t, &locked);
    if (handle.bits == 0)
        return;
    struct inside_field offset = t->inside->offset_of(t->pool, handle);
    struct inside_field owner = t->inside->owner_of(t->pool, handle);
    inside_store(t->pool, &offset, inside_load(t->pool, &offset) ^ take(t) ^ take(t) << 8);
    inside_store(t->pool, &owner, inside_load(t->pool, &owner) ^ take(t) ^ (take(t) & 127) << 8);
    if (is_mistaken(t, handle, &offset, owner))
        return;

    unsigned char bytes[1] = {0};
    defrag_status refused = locked ? DEFRAG_LOCKED : DEFRAG_CORRUPT;
    keep(t);
    EXPECT(t->b->size(t->pool, handle) == 0, "size answers for a damaged handle");
    EXPECT_STATUS(t->b->resize(t->pool, handle, take_bytes(t)), DEFRAG_CORRUPT);
    EXPECT_STATUS(t->b->write(t->pool, handle, 0, bytes, 1), refused);
    defrag_status status = t->b->read(t->pool, handle, 0, bytes, 1);
    EXPECT(status == DEFRAG_CORRUPT || (locked && status == DEFRAG_LOCKED), "read answers %d", status);
    EXPECT_STATUS(t->b->free(t->pool, &handle), refused);
    EXPECT(is_kept(t), "a refused call wrote");
    expect_bounds(t, "a refused call");
    EXPECT(!look(t), "check is content");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return -1;
    static struct target target;
    struct target *t = &target;
    memset(t, 0, sizeof *t);
    t->hardened = data[0] % 2;
    t->b = (t->hardened ? support_hardened : defrag_builds)[data[0] / 2 % 5];
    t->inside = inside_of(t->b->name);
    t->data = data + 1;
    t->size = size - 1;
    unsigned kind = data[0] / 10 % 3;
    support_context("%s, kind %u", t->b->name, kind);
    if (kind == 0) {
        make_buffer(t, t->size);
        memcpy(t->buffer.bytes, t->data, t->size);
        try_bytes(t);
    } else if (kind == 1) {
        try_bits(t);
    } else {
        try_handle(t);
    }
    drop_buffer(t);
    return 0;
}
