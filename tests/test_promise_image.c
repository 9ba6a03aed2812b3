/* SPDX-License-Identifier: MIT */
/*
 * Promise 6, the pool is one image: its bytes can be copied, restored and
 * attached elsewhere, the same calls make the same bytes, and whatever attach
 * adopts is sound.
 */
#include "model.h"

#include <stdlib.h>
#include <string.h>

struct image {
    struct support_buffer buffer;
    defrag_pool *pool;
    size_t bytes;
};

#define HANDLES 12
#define HOST_LIMIT_BYTES 4 /* `limit_at` of inside.h */

/* A used pool: blocks of several sizes, two of them aligned, gaps, locks, an empty slot, compaction under way. */
static struct image make_image(const struct defrag_build *b, defrag_handle *handles,
                               const defrag_config *config)
{
    struct image image;
    unsigned char text[64];
    image.pool = support_pool_of(b, &image.buffer, b->alignment == 4 ? 180 : 90, config);
    for (size_t i = 0; i < HANDLES; i++) {
        const defrag_request wanted = {.bytes = 5 * i + 1, .alignment = i % 5 == 3 ? 4 * b->alignment : 0};
        EXPECT_STATUS(b->alloc_request(image.pool, &wanted, &handles[i]), DEFRAG_OK);
        memset(text, (int)i + 1, sizeof text);
        EXPECT_STATUS(b->write(image.pool, handles[i], 0, text, 5 * i + 1), DEFRAG_OK);
    }
    for (size_t i = 1; i < HANDLES; i += 3) {
        EXPECT_STATUS(b->free(image.pool, &handles[i]), DEFRAG_OK);
    }
    EXPECT(b->lock(image.pool, handles[3]), "no lock");
    EXPECT(b->lock_shared(image.pool, handles[8]), "no lock");
    EXPECT_STATUS(b->compact_step(image.pool, 1, NULL), DEFRAG_MORE);
    image.bytes = support_statistics(b, image.pool).pool_bytes;
    return image;
}

static struct support_buffer copy_image(const struct image *image, size_t more, size_t residue)
{
    struct support_buffer copy = support_buffer_new(image->bytes + more, residue);
    memcpy(copy.bytes, image->pool, image->bytes);
    return copy;
}

static void expect_contents(const struct defrag_build *b, defrag_pool *pool, const defrag_handle *handles)
{
    unsigned char text[64];
    for (size_t i = 0; i < HANDLES; i++) {
        if (i % 3 == 1 || i == 3)
            continue;
        EXPECT_STATUS(b->read(pool, handles[i], 0, text, 5 * i + 1), DEFRAG_OK);
        for (size_t j = 0; j < 5 * i + 1; j++)
            EXPECT(text[j] == i + 1, "block %zu lost byte %zu", i, j);
    }
}

/* At any other aligned address, in a longer buffer too: same handles, locks, contents, statistics. */
static void attaches_elsewhere(const struct defrag_build *b)
{
    defrag_handle handles[HANDLES];
    struct image image = make_image(b, handles, NULL);
    size_t g = inside_of(b->name)->granule;
    for (size_t residue = 0; residue < 2048; residue += g * 12) {
        struct support_buffer copy = copy_image(&image, residue % 7, residue);
        defrag_pool *pool;
        EXPECT_STATUS(b->attach(&pool, copy.bytes, copy.size, NULL), DEFRAG_OK);
        EXPECT((unsigned char *)pool == copy.bytes, "the pool is not at the buffer's begin");
        EXPECT_STATUS(b->check(pool), DEFRAG_OK);
        EXPECT(inside_load(pool, &inside_of(b->name)->base) == residue % (128 * g),
               "another address is noted");
        expect_contents(b, pool, handles);
        defrag_statistics old = support_statistics(b, image.pool);
        defrag_statistics now = support_statistics(b, pool);
        EXPECT(memcmp(&old, &now, sizeof old) == 0, "the statistics differ");
        void *p;
        EXPECT_STATUS(b->try_lock(pool, handles[3], &p), DEFRAG_LOCKED);
        EXPECT_STATUS(b->unlock(pool, handles[3]), DEFRAG_OK);
        EXPECT_STATUS(b->unlock(pool, handles[8]), DEFRAG_OK);
        EXPECT_STATUS(b->compact(pool), DEFRAG_OK);
        EXPECT(support_statistics(b, pool).free_blocks == 0, "compact leaves free blocks");
        support_buffer_free(&copy);
    }
    support_buffer_free(&image.buffer);
}

/* In place, as after a reset; and behind bytes that have to be skipped. */
static void attaches_in_place_and_unaligned(const struct defrag_build *b)
{
    defrag_handle handles[HANDLES];
    struct image image = make_image(b, handles, NULL);
    defrag_pool *pool;
    EXPECT_STATUS(b->attach(&pool, image.buffer.bytes, image.buffer.size, NULL), DEFRAG_OK);
    EXPECT(pool == image.pool, "attached elsewhere");
    expect_contents(b, pool, handles);
    size_t g = inside_of(b->name)->granule;
    for (size_t skew = 1; skew < g; skew++) {
        struct support_buffer copy = support_buffer_new(image.bytes + g, 3 * g + skew);
        memcpy(copy.bytes + g - skew, image.pool, image.bytes);
        EXPECT_STATUS(b->attach(&pool, copy.bytes, copy.size, NULL), DEFRAG_OK);
        EXPECT(support_statistics(b, pool).skipped_bytes == g - skew, "skipped_bytes");
        expect_contents(b, pool, handles);
        support_buffer_free(&copy);
    }
    support_buffer_free(&image.buffer);
}

/* A detached pool's image is whole, also where it is damaged and only its bytes are wanted. */
static void attaches_what_was_detached(const struct defrag_build *b)
{
    defrag_handle handles[HANDLES];
    struct image image = make_image(b, handles, NULL);
    defrag_pool *pool;
    unsigned char *before = malloc(image.bytes);
    EXPECT(before, "out of memory");
    memcpy(before, image.pool, image.bytes);
    EXPECT_STATUS(b->detach(image.pool), DEFRAG_OK);
    EXPECT(memcmp(before, image.pool, image.bytes) == 0, "detach wrote");
    EXPECT_STATUS(b->attach(&pool, image.buffer.bytes, image.buffer.size, NULL), DEFRAG_OK);
    expect_contents(b, pool, handles);
    inside_store(pool, &inside_of(b->name)->cursor, 0);
    EXPECT_STATUS(b->detach(pool), DEFRAG_OK);
    free(before);
    support_buffer_free(&image.buffer);
}

/* --- Refusals -------------------------------------------------------------------------- */

static void refuse(const struct defrag_build *b, struct support_buffer *buffer, size_t bytes,
                   const defrag_config *config, int status)
{
    unsigned char *before = malloc(buffer->size);
    EXPECT(before, "out of memory");
    memcpy(before, buffer->bytes, buffer->size);
    defrag_pool *pool = (defrag_pool *)(void *)buffer->bytes;
    EXPECT_STATUS(b->attach(&pool, buffer->bytes, bytes, config), status);
    EXPECT(!pool, "attach failed and gave a pool");
    EXPECT(memcmp(before, buffer->bytes, buffer->size) == 0, "attach failed and wrote");
    free(before);
}

static void nothing(void *context)
{
    (void)context;
}

static void refuses_bad_arguments(const struct defrag_build *b)
{
    defrag_handle handles[HANDLES];
    struct image image = make_image(b, handles, NULL);
    struct support_buffer copy = copy_image(&image, 0, 0);
    defrag_pool *pool;
    const defrag_config unknown = {.flags = 1u << 31};
    const defrag_config half = {.enter = nothing};
    EXPECT_STATUS(b->attach(NULL, copy.bytes, copy.size, NULL), DEFRAG_BAD_ARGUMENT);
    EXPECT_STATUS(b->attach(&pool, NULL, copy.size, NULL), DEFRAG_BAD_ARGUMENT);
    refuse(b, &copy, copy.size, &unknown, DEFRAG_BAD_ARGUMENT);
    refuse(b, &copy, copy.size, &half, DEFRAG_BAD_ARGUMENT);
    support_buffer_free(&copy);
    support_buffer_free(&image.buffer);
}

static void refuses_short_buffers(const struct defrag_build *b)
{
    defrag_handle handles[HANDLES];
    struct image image = make_image(b, handles, NULL);
    for (size_t bytes = 0; bytes < image.bytes; bytes++) {
        /* Exactly so many bytes exist: reading beyond them is seen by a sanitizer. */
        struct support_buffer cut = support_buffer_new(bytes, 0);
        memcpy(cut.bytes, image.pool, bytes);
        refuse(b, &cut, bytes, NULL, DEFRAG_BAD_SIZE);
        support_buffer_free(&cut);
    }
    support_buffer_free(&image.buffer);
}

static struct inside_field field_named(const struct defrag_build *b, const defrag_pool *pool,
                                       const char *name)
{
    static struct inside_field fields[400];
    size_t count = inside_of(b->name)->guarded(pool, fields, 400);
    for (size_t i = 0; i < count && i < 400; i++)
        if (strcmp(fields[i].name, name) == 0)
            return fields[i];
    support_fail(__FILE__, __LINE__, "no field %s", name);
}

static void refuses_other_builds(const struct defrag_build *b)
{
    defrag_handle handles[HANDLES];
    struct image image = make_image(b, handles, NULL);
    struct support_buffer copy = copy_image(&image, 0, 0);
    for (size_t i = 0; defrag_builds[i]; i++)
        if (inside_of(defrag_builds[i]->name) != inside_of(b->name))
            refuse(defrag_builds[i], &copy, copy.size, NULL, DEFRAG_BAD_ARGUMENT);
    /* Where they differ in one respect alone. */
    static const char *const respects[] = {"control.version", "control.wide", "control.alignment"};
    for (size_t i = 0; i < 3; i++) {
        struct inside_field field = field_named(b, image.pool, respects[i]);
        uint64_t right = inside_load(image.pool, &field);
        inside_store((defrag_pool *)(void *)copy.bytes, &field, right ^ 1);
        refuse(b, &copy, copy.size, NULL, DEFRAG_BAD_ARGUMENT);
        inside_store((defrag_pool *)(void *)copy.bytes, &field, right);
    }
    support_buffer_free(&copy);
    support_buffer_free(&image.buffer);
}

/* The magic number as a machine of the other byte order wrote it. */
static void refuses_the_other_byte_order(const struct defrag_build *b)
{
    defrag_handle handles[HANDLES];
    struct image image = make_image(b, handles, NULL);
    struct support_buffer copy = copy_image(&image, 0, 0);
    defrag_pool *pool = (defrag_pool *)(void *)copy.bytes;
    struct inside_field field = field_named(b, pool, "control.magic");
    uint64_t magic = inside_load(pool, &field);
    uint64_t swapped = 0;
    for (int byte = 0; byte < 4; byte++)
        swapped = swapped << 8 | (magic >> 8 * byte & 0xff);
    EXPECT(magic != swapped, "the magic number reads the same in both orders");
    inside_store(pool, &field, swapped);
    refuse(b, &copy, copy.size, NULL, DEFRAG_BAD_ARGUMENT);
    inside_store(pool, &field, magic ^ 1);
    refuse(b, &copy, copy.size, NULL, DEFRAG_CORRUPT);
    support_buffer_free(&copy);
    support_buffer_free(&image.buffer);
}

/* An image taken while blocks move. */
static struct snapshot {
    struct support_buffer copy;
    const struct image *image;
    unsigned moves;
} snapshot;

static void take_snapshot(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    struct snapshot *s = context;
    (void)handle;
    (void)from;
    (void)to;
    (void)bytes;
    if (s->moves++ == 1)
        memcpy(s->copy.bytes, s->image->pool, s->image->bytes);
}

static void refuses_what_was_moving(const struct defrag_build *b)
{
    static const defrag_config config = {.on_move = take_snapshot, .move_context = &snapshot};
    defrag_handle handles[HANDLES];
    snapshot.moves = 100;
    struct image image = make_image(b, handles, &config);
    snapshot.copy = support_buffer_new(image.bytes, 0);
    snapshot.image = &image;
    snapshot.moves = 0;
    EXPECT_STATUS(b->compact(image.pool), DEFRAG_OK);
    EXPECT(snapshot.moves >= 3, "compact moved %u blocks", snapshot.moves);
    refuse(b, &snapshot.copy, snapshot.copy.size, NULL, DEFRAG_CORRUPT);
    /* The mark is gone when all is done. */
    memcpy(snapshot.copy.bytes, image.pool, image.bytes);
    defrag_pool *pool;
    EXPECT_STATUS(b->attach(&pool, snapshot.copy.bytes, snapshot.copy.size, NULL), DEFRAG_OK);
    support_buffer_free(&snapshot.copy);
    support_buffer_free(&image.buffer);
}

static defrag_status collect(void *context, const defrag_block *block)
{
    unsigned *sum = context;
    for (size_t i = 0; i < block->payload_bytes; i++)
        *sum += ((const unsigned char *)block->payload)[i];
    return DEFRAG_OK;
}

/* Whatever attach adopts can be used to the end. */
static void use_to_the_end(const struct defrag_build *b, defrag_pool *pool, const defrag_handle *handles)
{
    unsigned sum = 0;
    defrag_handle handle;
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
    EXPECT_STATUS(b->walk(pool, collect, &sum), DEFRAG_OK);
    (void)!b->alloc(pool, 40, &handle);
    for (size_t i = 0; i < HANDLES; i++) {
        while (b->unlock(pool, handles[i]) == DEFRAG_OK)
            continue;
        handle = handles[i];
        (void)b->free(pool, &handle);
    }
    EXPECT_STATUS(b->compact(pool), DEFRAG_OK);
    EXPECT_STATUS(b->check(pool), DEFRAG_OK);
}

/*
 * Attached where it is as aligned as its blocks, an image is whole; elsewhere it is refused, and nothing is written.
 * Locked and unlocked blocks count; freed ones do not.
 */
static void attaches_where_blocks_stay_aligned(const struct defrag_build *b)
{
    const size_t g = b->alignment;
    for (unsigned k = 0; k <= 7; k++) {
        for (size_t shift = 0; shift < 256; shift += shift < 8 ? 1 : 31) {
            struct image image;
            defrag_handle handles[3];
            unsigned char text[40];
            support_context("%s, k %u, %zu granules further", b->name, k, shift);
            image.pool = support_pool_of(b, &image.buffer, 600, NULL);
            image.bytes = support_statistics(b, image.pool).pool_bytes;
            for (unsigned i = 0; i < 3; i++) {
                const defrag_request wanted = {.bytes = 40,
                                               .alignment = i == 1   ? g << k
                                                            : i == 2 ? g << 7
                                                                     : 1};
                EXPECT_STATUS(b->alloc_request(image.pool, &wanted, &handles[i]), DEFRAG_OK);
            }
            memset(text, (int)k + 1, sizeof text);
            EXPECT_STATUS(b->write(image.pool, handles[1], 0, text, sizeof text), DEFRAG_OK);
            EXPECT_STATUS(b->free(image.pool, &handles[2]), DEFRAG_OK);
            if (shift % 2)
                EXPECT(b->lock(image.pool, handles[1]), "no lock");
            struct support_buffer copy = copy_image(&image, 0, shift * g);
            bool fits = shift % ((size_t)1 << k) == 0;
            if (!fits) {
                refuse(b, &copy, copy.size, NULL, DEFRAG_BAD_ARGUMENT);
            } else {
                defrag_pool *pool;
                EXPECT_STATUS(b->attach(&pool, copy.bytes, copy.size, NULL), DEFRAG_OK);
                if (shift % 2)
                    EXPECT_STATUS(b->unlock(pool, handles[1]), DEFRAG_OK);
                EXPECT_STATUS(b->free(pool, &handles[0]), DEFRAG_OK);
                EXPECT_STATUS(b->compact(pool), DEFRAG_OK);
                const unsigned char *at = b->lock_shared(pool, handles[1]);
                EXPECT(at && (uintptr_t)at % (g << k) == 0, "%p is not aligned", (const void *)at);
                EXPECT(memcmp(at, text, sizeof text) == 0, "the payload is another one");
                EXPECT_STATUS(b->check(pool), DEFRAG_OK);
            }
            support_buffer_free(&copy);
            support_buffer_free(&image.buffer);
        }
    }
}

/* The first block of the table and the last one count as well. */
static void attaches_where_any_block_stays_aligned(const struct defrag_build *b)
{
    for (unsigned i = 0; i < 3; i++) {
        struct image image;
        support_context("%s, block %u", b->name, i);
        image.pool = support_pool_of(b, &image.buffer, 100, NULL);
        image.bytes = support_statistics(b, image.pool).pool_bytes;
        for (unsigned j = 0; j < 3; j++) {
            const defrag_request wanted = {.bytes = 8, .alignment = j == i ? 4 * b->alignment : 1};
            defrag_handle handle;
            EXPECT_STATUS(b->alloc_request(image.pool, &wanted, &handle), DEFRAG_OK);
        }
        struct support_buffer copy = copy_image(&image, 0, 2 * b->alignment);
        refuse(b, &copy, copy.size, NULL, DEFRAG_BAD_ARGUMENT);
        support_buffer_free(&copy);
        support_buffer_free(&image.buffer);
    }
}

/* Each byte of the image becomes another one: attach finds it, or it does no harm. */
static void every_byte_changed(const struct defrag_build *b)
{
    defrag_handle handles[HANDLES];
    struct image image = make_image(b, handles, NULL);
    struct support_buffer copy = copy_image(&image, 0, 0);
    const struct inside *inside = inside_of(b->name);
    size_t harmless = 0;
    for (size_t at = 0; at < image.bytes; at++) {
        for (unsigned bit = 0; bit <= 8; bit++) {
            support_context("%s, byte %zu, bit %u", b->name, at, bit);
            memcpy(copy.bytes, image.pool, image.bytes);
            copy.bytes[at] ^= (unsigned char)(bit < 8 ? 1u << bit : 0xffu);
            defrag_pool *pool;
            defrag_status status = b->attach(&pool, copy.bytes, copy.size, NULL);
            EXPECT(status == DEFRAG_OK || status == DEFRAG_CORRUPT || status == DEFRAG_BAD_ARGUMENT
                       || status == DEFRAG_BAD_SIZE,
                   "attach answers %d", (int)status);
            EXPECT((pool != NULL) == (status == DEFRAG_OK), "attach answers %d and gives %p", (int)status,
                   (void *)pool);
            if (at < inside->host_bytes
                || (at >= inside->limit_at && at < inside->limit_at + HOST_LIMIT_BYTES))
                EXPECT_STATUS(status, DEFRAG_OK);
            if (status == DEFRAG_OK)
                use_to_the_end(b, pool, handles);
            harmless += status == DEFRAG_OK;
        }
    }
    /* Payloads, free memory, counters and lock states: the greater part, but by far not all. */
    EXPECT(harmless > 0 && harmless < 9 * image.bytes, "%zu changes were harmless", harmless);
    support_buffer_free(&copy);
    support_buffer_free(&image.buffer);
}

/* --- The same calls, the same bytes --------------------------------------------------------- */

struct twin {
    struct support_buffer buffer;
    defrag_pool *pool;
    defrag_handle handles[64];
};

static defrag_status act(const struct defrag_build *b, struct twin *t, uint64_t *random)
{
    size_t i = support_below(random, 64);
    size_t bytes = support_below(random, 70);
    unsigned char text[128];
    memset(text, (int)i, sizeof text);
    switch (support_below(random, 10)) {
    case 0:
    case 1:
    case 2:
        if (t->handles[i].bits)
            return b->free(t->pool, &t->handles[i]);
        return b->alloc(t->pool, bytes, &t->handles[i]);
    case 3:
        if (t->handles[i].bits)
            return b->free(t->pool, &t->handles[i]);
        return b->alloc_fast(t->pool, bytes, &t->handles[i]);
    case 4:
        return b->resize(t->pool, t->handles[i], bytes);
    case 5:
        return b->write(t->pool, t->handles[i], 0, text, bytes);
    case 6:
        (void)!b->lock(t->pool, t->handles[i]);
        return DEFRAG_OK;
    case 7:
        return b->unlock(t->pool, t->handles[i]);
    case 8:
        return b->compact_step(t->pool, bytes, NULL);
    default:
        return bytes < 5 ? b->clean(t->pool) : b->unlock(t->pool, t->handles[i]);
    }
}

static void same_calls_same_bytes(const struct defrag_build *b)
{
    size_t host = inside_of(b->name)->host_bytes;
    struct twin one = {.buffer = support_buffer_new(2500, 0)};
    struct twin two = {.buffer = support_buffer_new(2500, 0)};
    EXPECT_STATUS(b->init(&one.pool, one.buffer.bytes, 2500, NULL), DEFRAG_OK);
    EXPECT_STATUS(b->init(&two.pool, two.buffer.bytes, 2500, NULL), DEFRAG_OK);
    uint64_t random_one = 17;
    uint64_t random_two = 17;
    for (int i = 0; i < 20000; i++) {
        support_context("%s, call %d", b->name, i);
        defrag_status first = act(b, &one, &random_one);
        defrag_status second = act(b, &two, &random_two);
        EXPECT_STATUS(second, first);
        EXPECT(memcmp(one.handles, two.handles, sizeof one.handles) == 0, "other handles");
        EXPECT(memcmp((char *)one.pool + host, (char *)two.pool + host, 2500 - host) == 0, "other bytes");
        /* From time to time one of them is moved to another address, which must make no difference. */
        if (i % 100 == 99) {
            struct support_buffer moved = support_buffer_new(2500, 0);
            memcpy(moved.bytes, two.buffer.bytes, 2500);
            support_buffer_free(&two.buffer);
            two.buffer = moved;
            EXPECT_STATUS(b->attach(&two.pool, moved.bytes, 2500, NULL), DEFRAG_OK);
        }
    }
    support_buffer_free(&one.buffer);
    support_buffer_free(&two.buffer);
}

/* No pointers: at an address of another 4 GiB, every byte but those of the host is the same. */
static void no_pointers_in_the_image(const struct defrag_build *b)
{
    defrag_handle first[HANDLES], second[HANDLES];
    static const defrag_config config = {.flags = 0};
    struct image one = make_image(b, first, NULL);
    struct image two = make_image(b, second, &config);
    size_t host = inside_of(b->name)->host_bytes;
    size_t limit = inside_of(b->name)->limit_at;
    EXPECT(memcmp((char *)one.pool + limit, (char *)two.pool + limit, HOST_LIMIT_BYTES) != 0,
           "the configuration makes no difference");
    memcpy((char *)two.pool + limit, (char *)one.pool + limit, HOST_LIMIT_BYTES);
    EXPECT(memcmp((char *)one.pool + host, (char *)two.pool + host, one.bytes - host) == 0,
           "two buffers, other bytes");
    support_buffer_free(&one.buffer);
    support_buffer_free(&two.buffer);
}

int main(void)
{
    static const struct support_test tests[] = {
        {"attaches elsewhere", attaches_elsewhere},
        {"attaches in place and unaligned", attaches_in_place_and_unaligned},
        {"attaches what was detached", attaches_what_was_detached},
        {"refuses bad arguments", refuses_bad_arguments},
        {"refuses short buffers", refuses_short_buffers},
        {"refuses images of other builds", refuses_other_builds},
        {"refuses the other byte order", refuses_the_other_byte_order},
        {"refuses what was moving", refuses_what_was_moving},
        {"attaches where blocks stay aligned", attaches_where_blocks_stay_aligned},
        {"attaches where any block stays aligned", attaches_where_any_block_stays_aligned},
        {"every byte changed", every_byte_changed},
        {"the same calls make the same bytes", same_calls_same_bytes},
        {"no pointers in the image", no_pointers_in_the_image},
    };
    return support_run("promise 6: the pool is one image", tests, sizeof tests / sizeof tests[0]);
}
