/* SPDX-License-Identifier: MIT */
/*
 * Blocks aligned to more than a granule: what they cost, and that their payloads
 * stay aligned and whole wherever the blocks come to lie.
 */
#include "support.h"

#include <string.h>

#define LARGEST 7u /* 2^7 granules */
#define ITEMS   16u
#define SLOTS   (ITEMS + 4)

struct item {
    defrag_handle handle;
    size_t alignment;
    size_t bytes;        /* usable */
    unsigned char first; /* byte of the payload; each further one is larger by 7 */
};

struct scene {
    const struct defrag_build *b;
    const struct inside *inside;
    struct support_buffer buffer;
    defrag_pool *pool;
    size_t g;
    defrag_handle anchor; /* a block at the bottom, of a slot behind all others: the table keeps its length */
    struct item items[ITEMS];
    size_t count;
};

/* A pool with so many granules free or more, `shift` of them behind an address aligned to all there is. */
static void open_at(struct scene *s, const struct defrag_build *b, size_t granules, size_t shift,
                    const defrag_config *config)
{
    struct support_buffer probe;
    defrag_handle slots[SLOTS];
    memset(s, 0, sizeof *s);
    s->b = b;
    s->inside = inside_of(b->name);
    s->g = s->inside->granule;
    (void)support_pool_of(b, &probe, granules + 2 * SLOTS, NULL);
    s->buffer = support_buffer_new(probe.size, shift * s->g);
    support_buffer_free(&probe);
    EXPECT_STATUS(b->init(&s->pool, s->buffer.bytes, s->buffer.size, config), DEFRAG_OK);
    for (size_t i = 0; i < SLOTS; i++)
        EXPECT_STATUS(b->alloc(s->pool, 0, &slots[i]), DEFRAG_OK);
    for (size_t i = 0; i + 1 < SLOTS; i++)
        EXPECT_STATUS(b->free(s->pool, &slots[i]), DEFRAG_OK);
    s->anchor = slots[SLOTS - 1];
    EXPECT_STATUS(b->compact(s->pool), DEFRAG_OK);
}

static void scene_open(struct scene *s, const struct defrag_build *b, size_t granules)
{
    open_at(s, b, granules, 0, NULL);
}

static void scene_close(struct scene *s)
{
    for (size_t i = 0; i < s->count; i++)
        EXPECT_STATUS(s->b->free(s->pool, &s->items[i].handle), DEFRAG_OK);
    EXPECT_STATUS(s->b->check(s->pool), DEFRAG_OK);
    support_buffer_free(&s->buffer);
}

static unsigned char byte_of(const struct item *item, size_t at)
{
    return (unsigned char)(item->first + 7 * at);
}

/* Writes the bytes of the payload from `from` on. */
static void write_item(const struct scene *s, const struct item *item, size_t from)
{
    for (size_t at = from; at < item->bytes; at++) {
        unsigned char byte = byte_of(item, at);
        EXPECT_STATUS(s->b->write(s->pool, item->handle, at, &byte, 1), DEFRAG_OK);
    }
}

static defrag_status request(struct scene *s, size_t granules, size_t alignment, defrag_handle *out)
{
    const defrag_request wanted = {.bytes = support_payload(s->inside, granules), .alignment = alignment};
    return s->b->alloc_request(s->pool, &wanted, out);
}

/* A block with the payload of an unaligned one of so many granules, aligned to 2^k. */
static struct item *add(struct scene *s, size_t granules, unsigned k)
{
    struct item *item = &s->items[s->count];
    EXPECT(s->count < ITEMS, "too many blocks");
    *item = (struct item){.alignment = s->g << k, .first = (unsigned char)(s->count * 16)};
    EXPECT_STATUS(request(s, granules, item->alignment, &item->handle), DEFRAG_OK);
    item->bytes = s->b->size(s->pool, item->handle);
    EXPECT(item->bytes == support_payload(s->inside, granules), "%zu bytes, not %zu", item->bytes,
           support_payload(s->inside, granules));
    write_item(s, item, 0);
    s->count++;
    return item;
}

/* The address, having seen that it is aligned and what stands there. */
static const unsigned char *look(struct scene *s, const struct item *item)
{
    const unsigned char *at = s->b->lock_shared(s->pool, item->handle);
    EXPECT(at, "no lock");
    EXPECT((uintptr_t)at % item->alignment == 0, "%p is not aligned to %zu", (const void *)at,
           item->alignment);
    for (size_t i = 0; i < item->bytes; i++)
        EXPECT(at[i] == byte_of(item, i), "byte %zu is %02x", i, at[i]);
    EXPECT_STATUS(s->b->unlock(s->pool, item->handle), DEFRAG_OK);
    return at;
}

static void look_at_all(struct scene *s)
{
    EXPECT_STATUS(s->b->check(s->pool), DEFRAG_OK);
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].handle.bits)
            (void)look(s, &s->items[i]);
}

static const unsigned char *resize(struct scene *s, struct item *item, size_t granules)
{
    size_t old = item->bytes;
    size_t bytes = support_payload(s->inside, granules);
    EXPECT_STATUS(s->b->resize(s->pool, item->handle, bytes), DEFRAG_OK);
    item->bytes = s->b->size(s->pool, item->handle);
    EXPECT(item->bytes == bytes, "%zu bytes, not %zu", item->bytes, bytes);
    if (old < bytes) {
        struct item kept = *item;
        kept.bytes = old;
        (void)look(s, &kept);
        write_item(s, item, old);
    }
    look_at_all(s);
    return look(s, item);
}

static void drop(struct scene *s, struct item *item)
{
    EXPECT_STATUS(s->b->free(s->pool, &item->handle), DEFRAG_OK);
}

static size_t free_granules(const struct scene *s)
{
    return support_statistics(s->b, s->pool).free_bytes / s->g;
}

/* Takes all that is free, in blocks that nothing moves for. Returns how many; they are of no interest. */
static void fill_up(struct scene *s, defrag_handle *fillers, size_t *count)
{
    *count = 0;
    for (size_t largest; (largest = support_statistics(s->b, s->pool).largest_fast) != 0; ++*count) {
        EXPECT(*count < 4, "too many holes");
        EXPECT_STATUS(s->b->alloc_fast(s->pool, largest, &fillers[*count]), DEFRAG_OK);
    }
}

/* --- What it costs --------------------------------------------------------------------------------- */

/* At each base and for each alignment: 2^k - 1 granules more, and a request that has them is served. */
static void costs_its_padding(const struct defrag_build *b)
{
    for (size_t shift = 0; shift < 128; shift += 5) {
        for (unsigned k = 0; k <= LARGEST; k++) {
            struct scene s;
            defrag_handle rest;
            support_context("%s, %zu granules off, k %u", b->name, shift, k);
            open_at(&s, b, 300, shift, NULL);
            size_t before = free_granules(&s);
            (void)add(&s, 3, k);
            size_t after = free_granules(&s);
            EXPECT(before - after == 2 + (1u << k), "%zu granules", before - after);
            look_at_all(&s);
            size_t padding = (1u << k) - 1;
            EXPECT_STATUS(request(&s, after - padding + 1, s.g << k, &rest), DEFRAG_NO_MEMORY);
            EXPECT_STATUS(request(&s, after - padding, s.g << k, &rest), DEFRAG_OK);
            EXPECT(free_granules(&s) == 0, "%zu granules are left", free_granules(&s));
            EXPECT((uintptr_t)b->lock(s.pool, rest) % (s.g << k) == 0, "not aligned");
            EXPECT_STATUS(b->unlock(s.pool, rest), DEFRAG_OK);
            EXPECT_STATUS(b->free(s.pool, &rest), DEFRAG_OK);
            scene_close(&s);
        }
    }
}

/* A payload that the empty pool holds and its padding not is refused for ever. */
static void too_large_with_its_padding(const struct defrag_build *b)
{
    struct scene s;
    defrag_handle out;
    struct support_buffer buffer;
    memset(&s, 0, sizeof s);
    s.b = b;
    s.inside = inside_of(b->name);
    s.g = s.inside->granule;
    s.pool = support_pool_of(b, &buffer, 40, NULL);
    EXPECT_STATUS(request(&s, 34, 8 * s.g, &out), DEFRAG_BAD_SIZE);
    EXPECT_STATUS(request(&s, 33, 8 * s.g, &out), DEFRAG_OK);
    EXPECT_STATUS(b->resize(s.pool, out, support_payload(s.inside, 34)), DEFRAG_BAD_SIZE);
    EXPECT_STATUS(b->free(s.pool, &out), DEFRAG_OK);
    EXPECT_STATUS(request(&s, 40, s.g, &out), DEFRAG_OK);
    /* Nor does its padding make a length that no pool holds a short one. */
    const defrag_request endless = {.bytes = SIZE_MAX, .alignment = 8 * s.g};
    EXPECT_STATUS(b->alloc_request(s.pool, &endless, &out), DEFRAG_BAD_SIZE);
    support_buffer_free(&buffer);
}

/* No byte is wanted: the smallest block there is, with its padding. */
static void empty(const struct defrag_build *b)
{
    for (unsigned k = 0; k <= LARGEST; k++) {
        struct scene s;
        support_context("%s, k %u", b->name, k);
        scene_open(&s, b, 300);
        struct item *item = &s.items[s.count++];
        *item = (struct item){.alignment = s.g << k, .first = 1};
        size_t before = free_granules(&s);
        const defrag_request wanted = {.bytes = 0, .alignment = item->alignment};
        EXPECT_STATUS(b->alloc_request(s.pool, &wanted, &item->handle), DEFRAG_OK);
        size_t taken = before - free_granules(&s);
        EXPECT(taken == s.inside->smallest + (1u << k) - 1, "%zu granules", taken);
        item->bytes = b->size(s.pool, item->handle);
        EXPECT(item->bytes == support_payload(s.inside, s.inside->smallest), "%zu bytes", item->bytes);
        write_item(&s, item, 0);
        look_at_all(&s);
        scene_close(&s);
    }
}

/* With DEFRAG_ZERO the payload is zero to its end, and nothing outside it was touched. */
static void zeroed(const struct defrag_build *b)
{
    struct scene s;
    unsigned char bytes[64];
    defrag_handle out;
    scene_open(&s, b, 300);
    for (unsigned k = 0; k <= LARGEST - 2; k++) {
        (void)add(&s, 2, k);
        const defrag_request wanted = {
            .bytes = 10, .count = 3, .alignment = s.g << k, .flags = DEFRAG_ZERO};
        EXPECT_STATUS(b->alloc_request(s.pool, &wanted, &out), DEFRAG_OK);
        size_t size = b->size(s.pool, out);
        EXPECT(size >= 30 && size <= sizeof bytes, "%zu bytes", size);
        EXPECT_STATUS(b->read(s.pool, out, 0, bytes, size), DEFRAG_OK);
        for (size_t i = 0; i < size; i++)
            EXPECT(bytes[i] == 0, "byte %zu is not zero", i);
        memset(bytes, 0xee, size);
        EXPECT_STATUS(b->write(s.pool, out, 0, bytes, size), DEFRAG_OK);
        EXPECT_STATUS(b->write(s.pool, out, size, bytes, 1), DEFRAG_OUT_OF_RANGE);
        EXPECT_STATUS(b->free(s.pool, &out), DEFRAG_OK);
        look_at_all(&s);
    }
    scene_close(&s);
}

/* --- Moves ------------------------------------------------------------------------------------------ */

/* Aligned blocks, each above a gap of another length. */
static void make_gaps(struct scene *s)
{
    struct item *gaps[6];
    for (unsigned k = 1; k <= 6; k++) {
        gaps[k - 1] = add(s, 2 + k, k % 2);
        (void)add(s, 2 + 3 * k % 5, k);
    }
    for (size_t i = 0; i < 6; i++)
        drop(s, gaps[i]);
}

static void forget_dropped(struct scene *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].handle.bits)
            s->items[kept++] = s->items[i];
    s->count = kept;
}

static void compacted(const struct defrag_build *b)
{
    for (size_t shift = 0; shift < 128; shift += 9) {
        struct scene s;
        support_context("%s, %zu granules off", b->name, shift);
        open_at(&s, b, 400, shift, NULL);
        make_gaps(&s);
        EXPECT_STATUS(b->compact(s.pool), DEFRAG_OK);
        look_at_all(&s);
        EXPECT(support_statistics(b, s.pool).free_blocks == 0, "the pool is not compact");
        forget_dropped(&s);
        scene_close(&s);
    }
}

static void compacted_in_steps(const struct defrag_build *b)
{
    for (size_t budget = 0; budget < 40 * inside_of(b->name)->granule; budget += 13) {
        struct scene s;
        size_t moved;
        support_context("%s, steps of %zu bytes", b->name, budget);
        scene_open(&s, b, 400);
        make_gaps(&s);
        while (b->compact_step(s.pool, budget, &moved) != DEFRAG_OK)
            look_at_all(&s);
        look_at_all(&s);
        EXPECT(support_statistics(b, s.pool).free_blocks == 0, "the pool is not compact");
        forget_dropped(&s);
        scene_close(&s);
    }
}

static void scrambled(const struct defrag_build *b)
{
    struct scene s;
    open_at(&s, b, 400, 3, NULL);
    make_gaps(&s);
    for (uint32_t seed = 0; seed < 50; seed++) {
        support_context("%s, seed %u", b->name, (unsigned)seed);
        EXPECT_STATUS(b->scramble(s.pool, seed), DEFRAG_OK);
        look_at_all(&s);
    }
    forget_dropped(&s);
    scene_close(&s);
}

/* Room is made among them until nothing is left; for aligned blocks too. */
static void make_room_among_them(const struct defrag_build *b)
{
    struct scene s;
    scene_open(&s, b, 260);
    make_gaps(&s);
    forget_dropped(&s);
    EXPECT_STATUS(b->make_room(s.pool, support_statistics(b, s.pool).largest_certain), DEFRAG_OK);
    look_at_all(&s);
    EXPECT_STATUS(b->scramble(s.pool, 5), DEFRAG_OK);
    size_t left = free_granules(&s);
    (void)add(&s, left - 15, 4);
    look_at_all(&s);
    EXPECT(free_granules(&s) == 0, "%zu granules are left", free_granules(&s));
    scene_close(&s);
}

struct moves {
    unsigned long count;
    struct scene *scene;
};

static void on_move(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    struct moves *moves = context;
    const struct item *item = NULL;
    if (!moves->scene)
        return;
    for (size_t i = 0; i < moves->scene->count; i++)
        if (moves->scene->items[i].handle.bits == handle.bits)
            item = &moves->scene->items[i];
    moves->count++;
    EXPECT(item && bytes == item->bytes && from != to && (uintptr_t)to % item->alignment == 0
               && memcmp(to, &item->first, bytes ? 1 : 0) == 0,
           "on_move tells of a move that was none");
}

/* The hook follows payloads. A block that moves inside its padding is counted, and nobody is told. */
static void hooked(const struct defrag_build *b)
{
    struct scene s;
    struct moves moves = {0, NULL};
    const defrag_config config = {.on_move = on_move, .move_context = &moves};
    open_at(&s, b, 400, 0, &config);
    moves.scene = &s;
    struct item *below = add(&s, s.inside->smallest, 0);
    const unsigned char *first = look(&s, below);
    /* Made so long that the next begins at a multiple of 16 granules. */
    size_t length = 16 + (16 - (uintptr_t)first / s.g % 16) % 16;
    (void)resize(&s, below, length);
    struct item *block = add(&s, 4, 4);
    const unsigned char *at = look(&s, block);
    EXPECT(at == first + length * s.g, "the block lies elsewhere");
    uint32_t counted = support_statistics(b, s.pool).moved_blocks;

    (void)resize(&s, below, length - 1);
    EXPECT_STATUS(b->compact(s.pool), DEFRAG_OK);
    EXPECT(look(&s, block) == at, "the payload moved");
    EXPECT(moves.count == 0 && support_statistics(b, s.pool).moved_blocks == counted + 1,
           "%lu moves are told of", moves.count);
    drop(&s, below);
    EXPECT_STATUS(b->compact(s.pool), DEFRAG_OK);
    EXPECT(look(&s, block) == at - 16 * s.g, "the payload is not 16 granules further down");
    EXPECT(moves.count == 1 && support_statistics(b, s.pool).moved_blocks == counted + 2,
           "%lu moves are told of", moves.count);
    forget_dropped(&s);
    scene_close(&s);
}

/* --- Another size ---------------------------------------------------------------------------------- */

/* Up and down where it lies: the payload does not move, whatever is free around it. */
static void resized_in_place(const struct defrag_build *b)
{
    for (unsigned k = 1; k <= LARGEST; k++) {
        struct scene s;
        support_context("%s, k %u", b->name, k);
        open_at(&s, b, 400, k, NULL);
        struct item *block = add(&s, 4, k);
        const unsigned char *at = look(&s, block);
        EXPECT(resize(&s, block, 20) == at && resize(&s, block, 3) == at && resize(&s, block, 4) == at,
               "it moved");
        (void)add(&s, 3, 0);
        EXPECT(resize(&s, block, s.inside->smallest) == at, "it moved");
        EXPECT(resize(&s, block, 4) == at, "it moved");
        /* Locked it grows in place too; but it does not shrink, nor move. */
        EXPECT(resize(&s, block, 3) == at, "it moved");
        EXPECT(b->lock(s.pool, block->handle) == at, "locked elsewhere");
        EXPECT_STATUS(b->resize(s.pool, block->handle, support_payload(s.inside, 4)), DEFRAG_OK);
        EXPECT_STATUS(b->resize(s.pool, block->handle, support_payload(s.inside, 5)), DEFRAG_LOCKED);
        EXPECT_STATUS(b->resize(s.pool, block->handle, support_payload(s.inside, 3)), DEFRAG_LOCKED);
        EXPECT_STATUS(b->unlock(s.pool, block->handle), DEFRAG_OK);
        block->bytes = b->size(s.pool, block->handle);
        write_item(&s, block, 0);
        scene_close(&s);
    }
}

/* [ below ][ block ][ above ]: the neighbours that are freed are what it grows over; full elsewhere. */
static void resized_backward(const struct defrag_build *b)
{
    for (unsigned k = 1; k <= 6; k++) {
        for (size_t length = inside_of(b->name)->smallest; length < 20; length += 3) {
            struct scene s;
            defrag_handle fillers[4];
            size_t count;
            support_context("%s, k %u, %zu granules below", b->name, k, length);
            scene_open(&s, b, 200);
            struct item *below = add(&s, length, 0);
            struct item *block = add(&s, 6, k);
            fill_up(&s, fillers, &count);
            drop(&s, below);
            size_t place = support_statistics(b, s.pool).moved_blocks;
            (void)resize(&s, block, 6 + length);
            EXPECT(support_statistics(b, s.pool).moved_blocks == place + 1, "it did not move");
            EXPECT(free_granules(&s) == 0, "%zu granules are left", free_granules(&s));
            (void)resize(&s, block, 2);
            forget_dropped(&s);
            scene_close(&s);
        }
    }
}

static void resized_elsewhere(const struct defrag_build *b)
{
    for (unsigned k = 1; k <= 6; k++) {
        struct scene s;
        support_context("%s, k %u", b->name, k);
        scene_open(&s, b, 400);
        (void)add(&s, 3, 0);
        struct item *block = add(&s, 4, k);
        (void)add(&s, 70, 0); /* more than the block: to move this one is dearer */
        const unsigned char *at = look(&s, block);
        EXPECT(resize(&s, block, 40) > at, "it did not move up");
        (void)add(&s, 5, 1);
        EXPECT_STATUS(b->compact(s.pool), DEFRAG_OK);
        look_at_all(&s);
        scene_close(&s);
    }
}

/* Every granule of the pool is needed: gaps below and above, others between them and the block, pins around. */
static void resized_by_gathering(const struct defrag_build *b)
{
    for (unsigned k = 1; k <= 5; k++) {
        for (unsigned pinned = 0; pinned <= 1; pinned++) {
            struct scene s;
            defrag_handle fillers[4];
            size_t count;
            support_context("%s, k %u, pinned %u", b->name, k, pinned);
            scene_open(&s, b, 200);
            struct item *first = add(&s, 2, 0);
            struct item *gap = add(&s, 5, 0);
            (void)add(&s, 3, 1);
            struct item *block = add(&s, 4, k);
            (void)add(&s, 2, 2);
            struct item *gap_above = add(&s, 7, 0);
            struct item *last = add(&s, 2, 0);
            fill_up(&s, fillers, &count);
            drop(&s, gap);
            drop(&s, gap_above);
            if (pinned)
                EXPECT(b->lock_shared(s.pool, first->handle) && b->lock_shared(s.pool, last->handle),
                       "no lock");
            (void)resize(&s, block, 4 + 5 + 7);
            EXPECT(free_granules(&s) == 0, "%zu granules are left", free_granules(&s));
            if (pinned) {
                EXPECT_STATUS(b->unlock(s.pool, first->handle), DEFRAG_OK);
                EXPECT_STATUS(b->unlock(s.pool, last->handle), DEFRAG_OK);
            }
            forget_dropped(&s);
            scene_close(&s);
        }
    }
}

/* --- Locks and handles ------------------------------------------------------------------------------- */

/* Pinned, it stays while all else moves; unlocked, compaction comes back to it. */
static void pinned_and_released(const struct defrag_build *b)
{
    for (unsigned shared = 0; shared <= 14; shared += 7) {
        struct scene s;
        support_context("%s, %u locks", b->name, shared);
        scene_open(&s, b, 400);
        make_gaps(&s);
        struct item *pin = &s.items[5];
        const unsigned char *at = look(&s, pin);
        if (!shared)
            EXPECT(b->lock(s.pool, pin->handle) == at, "locked elsewhere");
        for (unsigned i = 0; i < shared; i++)
            EXPECT(b->lock_shared(s.pool, pin->handle) == at, "locked elsewhere");
        EXPECT_STATUS(b->compact(s.pool), DEFRAG_OK);
        EXPECT_STATUS(b->scramble(s.pool, 3), DEFRAG_OK);
        EXPECT_STATUS(b->compact(s.pool), DEFRAG_OK);
        EXPECT(memcmp(at, &pin->first, 1) == 0, "a locked block lost its contents");
        EXPECT_STATUS(b->free(s.pool, &pin->handle), DEFRAG_LOCKED);
        for (unsigned i = 0; i < (shared ? shared : 1); i++)
            EXPECT_STATUS(b->unlock(s.pool, pin->handle), DEFRAG_OK);
        EXPECT_STATUS(b->unlock(s.pool, pin->handle), DEFRAG_NOT_LOCKED);
        look_at_all(&s);
        EXPECT_STATUS(b->compact(s.pool), DEFRAG_OK);
        EXPECT(support_statistics(b, s.pool).free_blocks == 0, "a gap is left where it was locked");
        look_at_all(&s);
        forget_dropped(&s);
        scene_close(&s);
    }
}

/* Only the handle that was given names the block: with no bit changed, in whatever way it is aligned and locked. */
static void forged_handles(const struct defrag_build *b)
{
    for (unsigned k = 0; k <= LARGEST; k++) {
        struct scene s;
        scene_open(&s, b, 400);
        struct item *block = add(&s, 2, k);
        for (unsigned locks = 0; locks <= 1; locks++) {
            for (uint32_t change = 1; change < 0x10000; change++) {
                defrag_handle forged = {block->handle.bits ^ change};
                support_context("%s, k %u, handle %08x for %08x", b->name, k, (unsigned)forged.bits,
                                (unsigned)block->handle.bits);
                defrag_handle passed = forged;
                if (forged.bits == s.anchor.bits)
                    continue;
                EXPECT(!b->lock(s.pool, forged) && b->size(s.pool, forged) == 0, "it names a block");
                EXPECT_STATUS(b->unlock(s.pool, forged), DEFRAG_STALE);
                EXPECT_STATUS(b->free(s.pool, &passed), forged.bits ? DEFRAG_STALE : DEFRAG_OK);
            }
            if (locks == 0)
                EXPECT(b->lock(s.pool, block->handle), "no lock");
        }
        EXPECT_STATUS(b->unlock(s.pool, block->handle), DEFRAG_OK);
        scene_close(&s);
    }
}

/* A slot that an aligned block had is like any other. */
static void slots_forget_the_alignment(const struct defrag_build *b)
{
    struct scene s;
    scene_open(&s, b, 400);
    for (unsigned k = 0; k <= 3 * LARGEST; k++) {
        struct item *block = add(&s, 3, k % 3 ? k / 3 : 0);
        size_t granules = free_granules(&s);
        look_at_all(&s);
        drop(&s, block);
        EXPECT(free_granules(&s) - granules == 2 + (1u << (k % 3 ? k / 3 : 0)), "not all came back");
        s.count = 0;
    }
    scene_close(&s);
}

static defrag_status go_on(void *context, const defrag_block *block)
{
    (void)context;
    (void)block;
    return DEFRAG_OK;
}

/* An entry that claims more padding than its block has granules: found by whoever looks at all, or is hardened. */
static void more_alignment_than_granules(const struct defrag_build *b)
{
    struct scene s;
    unsigned char byte;
    scene_open(&s, b, 200);
    struct item *block = add(&s, 30, 1);
    (void)add(&s, 30, 0);
    struct inside_field field = s.inside->offset_of(s.pool, block->handle);
    field.shift = s.inside->header == 4 ? 5 : 13;
    field.bits = 3;
    EXPECT(inside_load(s.pool, &field) == 1, "the alignment is %llu",
           (unsigned long long)inside_load(s.pool, &field));
    inside_store(s.pool, &field, 5);
    EXPECT_STATUS(b->check(s.pool), DEFRAG_CORRUPT);
    EXPECT_STATUS(b->walk(s.pool, go_on, NULL), DEFRAG_CORRUPT);
    if (b->name[0] == 'h') {
        defrag_handle handle = block->handle;
        EXPECT(!b->lock(s.pool, handle) && !b->lock_shared(s.pool, handle) && b->size(s.pool, handle) == 0,
               "the block is used");
        EXPECT_STATUS(b->read(s.pool, handle, 0, &byte, 1), DEFRAG_CORRUPT);
        EXPECT_STATUS(b->free(s.pool, &handle), DEFRAG_CORRUPT);
        EXPECT_STATUS(b->resize(s.pool, handle, 1), DEFRAG_CORRUPT);
        EXPECT_STATUS(b->compact(s.pool), DEFRAG_CORRUPT);
    } else {
        /* Nobody is told that the user may touch what is no part of the block. */
        EXPECT(b->lock(s.pool, block->handle), "no lock");
        EXPECT_STATUS(b->unlock(s.pool, block->handle), DEFRAG_OK);
    }
    inside_store(s.pool, &field, 1);
    look_at_all(&s);
    scene_close(&s);
}

/* An entry that is aligned and has no mark is not in use, however often it says that it is locked. */
static void aligned_without_the_mark(const struct defrag_build *b)
{
    struct scene s;
    unsigned char byte;
    scene_open(&s, b, 200);
    struct item *block = add(&s, 5, 1);
    struct inside_field field = s.inside->offset_of(s.pool, block->handle);
    field.shift = s.inside->header == 4 ? 4 : 12;
    field.bits = 1;
    for (unsigned locks = 0; locks <= 3; locks++) {
        defrag_handle handle = block->handle;
        support_context("%s, %u locks", b->name, locks);
        EXPECT(inside_load(s.pool, &field) == 1, "it has no mark");
        inside_store(s.pool, &field, 0);
        EXPECT_STATUS(b->check(s.pool), DEFRAG_CORRUPT);
        EXPECT_STATUS(b->read(s.pool, handle, 0, &byte, 1), DEFRAG_STALE);
        EXPECT_STATUS(b->unlock(s.pool, handle), DEFRAG_STALE);
        EXPECT_STATUS(b->free(s.pool, &handle), DEFRAG_STALE);
        inside_store(s.pool, &field, 1);
        EXPECT(b->lock_shared(s.pool, handle), "no lock");
    }
    for (unsigned locks = 0; locks <= 3; locks++)
        EXPECT_STATUS(b->unlock(s.pool, block->handle), DEFRAG_OK);
    look_at_all(&s);
    scene_close(&s);
}

/* A cursor above a gap: an aligned block is marked, but only a lock explains the gap below it. */
static void passed_by_without_a_lock(const struct defrag_build *b)
{
    struct scene s;
    scene_open(&s, b, 200);
    struct item *gap = add(&s, 5, 0);
    struct item *block = add(&s, 5, 2);
    drop(&s, gap);
    EXPECT(b->lock(s.pool, block->handle), "no lock");
    EXPECT_STATUS(b->compact(s.pool), DEFRAG_OK);
    EXPECT_STATUS(b->check(s.pool), DEFRAG_OK);
    uint64_t passed = inside_load(s.pool, &s.inside->cursor);
    EXPECT_STATUS(b->unlock(s.pool, block->handle), DEFRAG_OK);
    uint64_t lowered = inside_load(s.pool, &s.inside->cursor);
    EXPECT(lowered < passed, "compaction does not come back");
    EXPECT_STATUS(b->check(s.pool), DEFRAG_OK);
    inside_store(s.pool, &s.inside->cursor, passed);
    EXPECT_STATUS(b->check(s.pool), DEFRAG_CORRUPT);
    inside_store(s.pool, &s.inside->cursor, lowered);
    look_at_all(&s);
    forget_dropped(&s);
    scene_close(&s);
}

int main(void)
{
    static const struct support_test tests[] = {
        {"an aligned block costs its padding", costs_its_padding},
        {"too large with its padding", too_large_with_its_padding},
        {"empty", empty},
        {"zeroed", zeroed},
        {"compacted", compacted},
        {"compacted in steps", compacted_in_steps},
        {"scrambled", scrambled},
        {"room is made among them", make_room_among_them},
        {"the hook follows payloads", hooked},
        {"resized in place", resized_in_place},
        {"resized backward", resized_backward},
        {"resized elsewhere", resized_elsewhere},
        {"resized by gathering", resized_by_gathering},
        {"pinned and released", pinned_and_released},
        {"forged handles", forged_handles},
        {"slots forget the alignment", slots_forget_the_alignment},
        {"more alignment than granules", more_alignment_than_granules},
        {"aligned without the mark", aligned_without_the_mark},
        {"passed by without a lock", passed_by_without_a_lock},
    };
    return support_run("blocks aligned to more than a granule", tests, sizeof tests / sizeof tests[0]);
}
