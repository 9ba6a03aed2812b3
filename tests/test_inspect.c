/* SPDX-License-Identifier: MIT */
/*
 * The inspection of dumps: it finds something wrong exactly where defrag_check()
 * does, says where it is, tells of a sound pool what defrag_walk() does, and takes
 * any bytes.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/inspect.h"

#define FIELDS  8000
#define HANDLES 40

struct specimen {
    const struct defrag_build *b;
    const struct inside *inside;
    struct support_buffer buffer;
    defrag_pool *pool;
    unsigned char *image; /* as it was when it was sound */
    size_t bytes;
    defrag_handle handles[HANDLES];
};

/* --- Pools that have been in use ------------------------------------------------------ */

static void call(struct specimen *s, uint64_t *random)
{
    const struct defrag_build *b = s->b;
    defrag_handle *handle = &s->handles[support_below(random, HANDLES)];
    size_t bytes = support_below(random, 8 * s->inside->granule);
    const defrag_request aligned = {.bytes = bytes, .alignment = s->inside->granule << bytes % 4};
    switch (support_below(random, 8)) {
    case 0:
    case 1:
        if (handle->bits == 0)
            (void)!b->alloc(s->pool, bytes, handle);
        break;
    case 2:
        if (handle->bits == 0)
            (void)!b->alloc_request(s->pool, &aligned, handle);
        break;
    case 3:
        (void)b->free(s->pool, handle);
        break;
    case 4:
        (void)!b->resize(s->pool, *handle, bytes);
        break;
    case 5:
        (void)!b->lock(s->pool, *handle);
        break;
    case 6:
        (void)!b->lock_shared(s->pool, *handle);
        break;
    default:
        (void)b->unlock(s->pool, *handle);
        break;
    }
    if (support_below(random, 10) == 0)
        (void)!b->compact_step(s->pool, 40, NULL);
}

static void make(struct specimen *s, const struct defrag_build *build, size_t granules, unsigned calls,
                 uint64_t *random)
{
    *s = (struct specimen){.b = build, .inside = inside_of(build->name)};
    s->pool = support_pool_of(build, &s->buffer, granules, NULL);
    for (unsigned i = 0; i < calls; i++)
        call(s, random);
    EXPECT_STATUS(build->check(s->pool), DEFRAG_OK);
    s->bytes = s->buffer.size;
    s->image = malloc(s->bytes);
    EXPECT(s->image, "out of memory");
    memcpy(s->image, s->pool, s->bytes);
}

static void restore(struct specimen *s)
{
    memcpy(s->pool, s->image, s->bytes);
}

static void discard(struct specimen *s)
{
    free(s->image);
    support_buffer_free(&s->buffer);
}

static struct inspection read_sound(const struct specimen *s)
{
    struct inspection inspection;
    struct inspect_error error;
    enum inspect_result result = inspect_read(&inspection, s->buffer.bytes, s->bytes, 0, &error);
    EXPECT(result == INSPECT_READ, "%s", error.text);
    return inspection;
}

/* --- Sound pools ------------------------------------------------------------------------- */

struct shown {
    const struct inspection *inspection;
    const defrag_pool *pool;
    size_t next;
};

static defrag_status compare(void *context, const defrag_block *block)
{
    static const enum inspect_kind kinds[] = {
        [DEFRAG_REGION_USED] = INSPECT_USED,
        [DEFRAG_REGION_FREE] = INSPECT_FREE,
        [DEFRAG_REGION_WILDERNESS] = INSPECT_WILDERNESS,
    };
    struct shown *shown = context;
    EXPECT(shown->next < shown->inspection->block_count, "too few blocks");
    const struct inspect_block *told = &shown->inspection->blocks[shown->next++];
    EXPECT(told->offset == block->offset && told->bytes == block->bytes && told->kind == kinds[block->region],
           "block %zu is told as %d, %llu bytes", shown->next, told->kind, (unsigned long long)told->bytes);
    if (block->region != DEFRAG_REGION_USED)
        return DEFRAG_OK;
    const struct inspect_slot *slot = &shown->inspection->slots[told->slot - 1];
    EXPECT(told->is_owned && slot->is_used && slot->handle == block->handle.bits, "another handle");
    EXPECT(told->payload_bytes == block->payload_bytes && slot->payload_offset == told->payload_offset
               && (const unsigned char *)shown->pool + told->payload_offset == block->payload
               && (uintptr_t)block->payload % slot->alignment == 0,
           "another payload");
    EXPECT(slot->shared_locks == block->shared_locks && slot->is_exclusive == (bool)block->exclusive,
           "other locks");
    return DEFRAG_OK;
}

static void sound(const struct defrag_build *build)
{
    uint64_t random = 11;
    for (unsigned round = 0; round < 50; round++) {
        struct specimen s;
        support_context("%s, round %u", build->name, round);
        make(&s, build, 60 + round, 10 * round, &random);
        struct inspection inspection = read_sound(&s);
        struct shown shown = {&inspection, s.pool, 0};
        EXPECT(inspection.fault.text[0] == '\0', "0x%llx: %s", (unsigned long long)inspection.fault.offset,
               inspection.fault.text);
        EXPECT_STATUS(build->walk(s.pool, compare, &shown), DEFRAG_OK);
        EXPECT(shown.next == inspection.block_count, "too many blocks");
        EXPECT(inspection.slot_count == support_statistics(build, s.pool).slots, "%zu slots",
               inspection.slot_count);
        EXPECT(inspection.bytes == s.bytes, "another length");
        inspect_release(&inspection);
        discard(&s);
    }
}

/* --- Damaged ones -------------------------------------------------------------------------- */

struct tally {
    unsigned long judged, damaged, refused;
};

/* It finds something iff check does, in the copy that it has made. */
static void judge(const struct specimen *s, struct tally *tally)
{
    struct inspection inspection;
    struct inspect_error error = {""};
    if (inspect_read(&inspection, s->buffer.bytes, s->bytes, 0, &error) != INSPECT_READ) {
        EXPECT(error.text[0], "refused without a word");
        tally->refused++;
        return;
    }
    bool damaged = inspection.build->check(inspection.pool) != DEFRAG_OK;
    EXPECT(damaged == (inspection.fault.text[0] != '\0'), "check says %s, the inspection: 0x%llx: %s",
           damaged ? "CORRUPT" : "OK", (unsigned long long)inspection.fault.offset, inspection.fault.text);
    EXPECT(!damaged || inspection.fault.offset < inspection.bytes, "the damage is beyond the pool");
    uint64_t at = inspection.blocks_offset;
    for (size_t i = 0; i < inspection.block_count; i++) {
        EXPECT(inspection.blocks[i].offset == at, "a gap, or an overlap, at 0x%llx", (unsigned long long)at);
        at += inspection.blocks[i].bytes;
    }
    EXPECT(at == inspection.table_offset && at <= inspection.bytes, "the blocks end at 0x%llx",
           (unsigned long long)at);
    tally->judged++;
    tally->damaged += damaged;
    inspect_release(&inspection);
}

/* What may have more than one value. */
static void damage_count(struct specimen *s, uint64_t *random)
{
    const struct inside *in = s->inside;
    const struct inside_field counts[] = {in->busy,        in->cursor,      in->hole_bound, in->skipped,
                                          in->base,        in->free_lowest, in->peak_live,  in->peak_blocks,
                                          in->fewest_free, in->granules};
    const struct inside_field *field = &counts[support_below(random, sizeof counts / sizeof counts[0])];
    uint64_t step = support_below(random, 4) == 0 ? support_random(random) : support_below(random, 9) - 4;
    inside_store(s->pool, field, inside_load(s->pool, field) + step);
}

static void damage(struct specimen *s, const struct inside_field *fields, size_t count, uint64_t *random)
{
    for (size_t n = support_below(random, 3) + 1; n-- > 0;) {
        const struct inside_field *field = &fields[support_below(random, count)];
        const struct inside_field *other = &fields[support_below(random, count)];
        unsigned char *byte = &s->buffer.bytes[support_below(random, s->bytes)];
        switch (support_below(random, 5)) {
        case 0:
            inside_store(s->pool, field,
                         inside_load(s->pool, field) ^ UINT64_C(1) << support_below(random, field->bits));
            break;
        case 1:
            inside_store(s->pool, field, inside_load(s->pool, other) + support_below(random, 3) - 1);
            break;
        case 2:
            *byte ^= (unsigned char)(1u << support_below(random, 8));
            break;
        case 3:
            damage_count(s, random);
            break;
        default:
            *byte = (unsigned char)support_random(random);
            break;
        }
    }
}

static void agreement(const struct defrag_build *build)
{
    static struct inside_field fields[FIELDS];
    uint64_t random = 12;
    struct tally tally = {0, 0, 0};
    for (unsigned round = 0; round < 20; round++) {
        struct specimen s;
        make(&s, build, 20 + 9 * round, 30 * round, &random);
        size_t count = s.inside->guarded(s.pool, fields, FIELDS);
        EXPECT(count <= FIELDS, "%zu fields", count);
        for (unsigned i = 0; i < support_effort() * 4 + 2; i++) {
            support_context("%s, specimen %u, damage %u", build->name, round, i);
            damage(&s, fields, count, &random);
            judge(&s, &tally);
            restore(&s);
        }
        discard(&s);
    }
    printf("# %s: %lu images agreed upon, %lu of them damaged; %lu more refused\n", build->name, tally.judged,
           tally.damaged, tally.refused);
    EXPECT(tally.damaged > tally.judged / 4 && tally.judged > tally.damaged && tally.judged > tally.refused,
           "the damages are one-sided");
}

static bool commit(struct specimen *s, unsigned fraud)
{
    defrag_handle large;
    if (support_statistics(s->b, s->pool).free_blocks < 5)
        return false;
    if (fraud == INSIDE_FORGERIES)
        return s->inside->orphan(s->pool);
    if (fraud == INSIDE_FORGERIES + 1)
        return s->inside->misfile(s->pool);
    if (fraud > INSIDE_FORGERIES)
        return s->inside->ring(s->pool, fraud - INSIDE_FORGERIES - 1);
    return s->b->alloc_fast(s->pool, support_payload(s->inside, 20), &large) == DEFRAG_OK
           && s->inside->forge(s->pool, large, fraud);
}

/* Links in good order, but to what does not belong there. */
static void frauds(const struct defrag_build *build)
{
    uint64_t random = 13;
    struct tally tally = {0, 0, 0};
    for (unsigned fraud = 0; fraud < INSIDE_FORGERIES + 4; fraud++) {
        bool done = false;
        for (unsigned tries = 0; tries < 500 && !done; tries++) {
            struct specimen s;
            support_context("%s, fraud %u, pool %u", build->name, fraud, tries);
            make(&s, build, 300, 40 + 2 * tries, &random);
            done = commit(&s, fraud);
            if (done)
                judge(&s, &tally);
            discard(&s);
        }
        EXPECT(done, "no pool offers an opportunity");
    }
    EXPECT(tally.damaged == INSIDE_FORGERIES + 4, "%lu frauds were seen", tally.damaged);
}

/* The fault that is told of the pool as it is now. */
static void expect_words(const struct specimen *s, const char *words)
{
    struct inspection inspection = read_sound(s);
    EXPECT_STATUS(inspection.build->check(inspection.pool), DEFRAG_CORRUPT);
    EXPECT(strstr(inspection.fault.text, words), "0x%llx: %s; wanted was '%s'",
           (unsigned long long)inspection.fault.offset, inspection.fault.text, words);
    inspect_release(&inspection);
}

/* Twelve blocks, every other one free, the first among them. */
static void make_gaps(struct specimen *s, const struct defrag_build *build)
{
    *s = (struct specimen){.b = build, .inside = inside_of(build->name)};
    s->pool = support_pool_of(build, &s->buffer, 100, NULL);
    for (size_t i = 0; i < 12; i++)
        EXPECT_STATUS(build->alloc(s->pool, support_payload(s->inside, 4), &s->handles[i]), DEFRAG_OK);
    for (size_t i = 0; i < 12; i += 2)
        EXPECT_STATUS(build->free(s->pool, &s->handles[i]), DEFRAG_OK);
    s->bytes = s->buffer.size;
}

static struct inside_field field_named(const struct specimen *s, const char *name, unsigned nth)
{
    static struct inside_field fields[FIELDS];
    size_t count = s->inside->guarded(s->pool, fields, FIELDS);
    for (size_t i = 0; i < count; i++)
        if (strcmp(fields[i].name, name) == 0 && nth-- == 0)
            return fields[i];
    support_fail(__FILE__, __LINE__, "no field %s", name);
}

/* A block that does not know that the one before it is free is freed: both are in their bins then. */
static void side_by_side(const struct defrag_build *build)
{
    struct specimen s;
    make_gaps(&s, build);
    struct inside_field owner = s.inside->owner_of(s.pool, s.handles[1]);
    struct inside_field before = {"", owner.byte, owner.width, owner.shift - 1, 1};
    if (build->name[0] != 'h') {
        inside_store(s.pool, &before, 0);
        /* What comes next is free too, and would be merged. */
        EXPECT_STATUS(build->resize(s.pool, s.handles[1], support_payload(s.inside, 8)), DEFRAG_OK);
        EXPECT_STATUS(build->free(s.pool, &s.handles[1]), DEFRAG_OK);
        expect_words(&s, "two free blocks lie side by side");
    }
    support_buffer_free(&s.buffer);
}

static void passed_by(const struct defrag_build *build)
{
    struct specimen s;
    make_gaps(&s, build);
    struct inside_field next = field_named(&s, "entry.next", 1);
    inside_store(s.pool, &next, inside_load(s.pool, &next) + 2);
    expect_words(&s, "is empty, and not on the list of empty slots");
    support_buffer_free(&s.buffer);
}

static void free_sizes(const struct defrag_build *build)
{
    struct specimen s;
    make_gaps(&s, build);
    struct inside_field size = field_named(&s, "free.size", 2);
    inside_store(s.pool, &size, 0);
    expect_words(&s, "is that of a free block, which says 0 bytes");
    inside_store(s.pool, &size, UINT64_MAX);
    expect_words(&s, "is that of a free block, which says");
    inside_store(s.pool, &size, 4);
    EXPECT_STATUS(build->check(s.pool), DEFRAG_OK);
    support_buffer_free(&s.buffer);
}

/* --- Where it is ----------------------------------------------------------------------------- */

/* One bit of these is damage to nothing else, and is looked at before what it makes look wrong. */
static bool is_plain(const char *name)
{
    static const char *const plain[] = {
        "control.table", "control.floor", "control.free", "control.free_tail", "control.map",
        "control.busy", "control.unused_back", "control.behind", "bin.previous", "bin.unused", "header.owner",
        "free.footer unused", "top",
    };
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (strcmp(name, plain[i]) == 0)
            return true;
    return false;
}

static void expect_place(struct specimen *s, const struct inside_field *field, unsigned bit)
{
    uint64_t value = inside_load(s->pool, field) ^ UINT64_C(1) << bit;
    /* Owned by nobody, a block looks like a free one. */
    if (strcmp(field->name, "header.owner") == 0 && value == 0)
        return;
    inside_store(s->pool, field, value);
    struct inspection inspection = read_sound(s);
    uint64_t at = inspection.fault.offset;
    EXPECT(inspection.fault.text[0] && at >= field->byte && at < field->byte + field->width / 8,
           "%s at 0x%zx, bit %u: 0x%llx: %s", field->name, field->byte, bit, (unsigned long long)at,
           inspection.fault.text);
    inspect_release(&inspection);
    restore(s);
}

static void places(const struct defrag_build *build)
{
    static struct inside_field fields[FIELDS];
    uint64_t random = 14;
    unsigned looked = 0;
    struct specimen s;
    make(&s, build, 150, 300, &random);
    size_t count = s.inside->guarded(s.pool, fields, FIELDS);
    for (size_t i = 0; i < count; i++) {
        for (unsigned bit = 0; is_plain(fields[i].name) && bit < fields[i].bits; bit++, looked++)
            expect_place(&s, &fields[i], bit);
    }
    EXPECT(looked > 1000, "only %u bits", looked);
    discard(&s);
}

/* Behind a broken header the walk finds to the blocks again. */
static void resumes(const struct defrag_build *build)
{
    struct specimen s = {.b = build, .inside = inside_of(build->name)};
    defrag_handle handles[10];
    s.pool = support_pool_of(build, &s.buffer, 100, NULL);
    for (size_t i = 0; i < 10; i++)
        EXPECT_STATUS(build->alloc(s.pool, support_payload(s.inside, 5), &handles[i]), DEFRAG_OK);
    s.bytes = s.buffer.size;
    struct inside_field owner = s.inside->owner_of(s.pool, handles[4]);
    memset(s.buffer.bytes + owner.byte, 0xee, s.inside->header);
    struct inspection inspection = read_sound(&s);
    EXPECT(inspection.fault.offset == owner.byte, "damage at 0x%llx",
           (unsigned long long)inspection.fault.offset);
    EXPECT(inspection.block_count == 11, "%zu blocks", inspection.block_count);
    for (size_t i = 0; i < 11; i++) {
        enum inspect_kind kind = i == 4 ? INSPECT_UNREADABLE : i == 10 ? INSPECT_WILDERNESS : INSPECT_USED;
        EXPECT(inspection.blocks[i].kind == kind, "block %zu is told as %d", i, inspection.blocks[i].kind);
    }
    EXPECT(inspection.blocks[4].bytes == 5 * s.inside->granule, "another length");
    inspect_release(&inspection);
    support_buffer_free(&s.buffer);
}

/* --- Files ------------------------------------------------------------------------------------- */

static void expect_refusal(const uint8_t *bytes, size_t count, size_t from, enum inspect_result result,
                           const char *words)
{
    struct inspection inspection;
    struct inspect_error error = {""};
    enum inspect_result got = inspect_read(&inspection, bytes, count, from, &error);
    EXPECT(got == result && strstr(error.text, words), "%zu bytes from %zu: %d, '%s'; wanted was %d, '%s'",
           count, from, got, error.text, result, words);
}

static void cut(const struct defrag_build *build)
{
    uint64_t random = 15;
    struct specimen s;
    make(&s, build, 30, 60, &random);
    expect_refusal(s.image, 0, 0, INSPECT_NO_POOL, "empty");
    for (size_t count = 1; count < s.bytes; count++) {
        /* Of that exact length: a sanitizer sees the first byte beyond. */
        uint8_t *copy = malloc(count);
        EXPECT(copy, "out of memory");
        memcpy(copy, s.image, count);
        expect_refusal(copy, count, 0, INSPECT_NO_POOL, count < 16 ? "no pool" : "cut");
        free(copy);
    }
    discard(&s);
}

static void surrounded(const struct defrag_build *build)
{
    uint64_t random = 16;
    struct specimen s;
    make(&s, build, 30, 60, &random);
    for (size_t before = 0; before < 40; before++) {
        size_t count = before + s.bytes + 13;
        uint8_t *dump = malloc(count);
        EXPECT(dump, "out of memory");
        memset(dump, 0xa5, count);
        memcpy(dump + before, s.image, s.bytes);
        struct inspection inspection;
        struct inspect_error error;
        size_t from = before < 16 ? 0 : before - 5;
        EXPECT(inspect_read(&inspection, dump, count, from, &error) == INSPECT_READ, "%s", error.text);
        EXPECT(inspection.file_offset == before && inspection.fault.text[0] == '\0', "found at %zu: %s",
               inspection.file_offset, inspection.fault.text);
        inspect_release(&inspection);
        char hint[40];
        snprintf(hint, sizeof hint, "--offset=%zu", before);
        if (before >= 16)
            expect_refusal(dump, count, 0, INSPECT_NO_POOL, hint);
        expect_refusal(dump, count, count, INSPECT_NO_POOL, "and none at byte");
        free(dump);
    }
    discard(&s);
}

/* The eight bytes that say whose image it is, each with each other value. */
static void identity(const struct defrag_build *build)
{
    uint64_t random = 17;
    struct tally tally = {0, 0, 0};
    struct specimen s;
    make(&s, build, 30, 60, &random);
    for (size_t at = 8; at < 16; at++) {
        for (unsigned value = 0; value < 256; value++) {
            s.buffer.bytes[at] = (unsigned char)value;
            judge(&s, &tally);
            restore(&s);
        }
    }
    EXPECT(tally.judged > 256, "%lu", tally.judged);
    for (size_t i = 0; i < 4; i++)
        s.buffer.bytes[8 + i] = s.image[11 - i];
    expect_refusal(s.buffer.bytes, s.bytes, 0, INSPECT_NO_POOL, "the other byte order");
    restore(&s);
    s.buffer.bytes[12] ^= 0x40;
    expect_refusal(s.buffer.bytes, s.bytes, 0, INSPECT_NO_POOL, "not known here");
    restore(&s);
    inside_store(s.pool, &s.inside->granules, 3);
    expect_refusal(s.buffer.bytes, s.bytes, 0, INSPECT_SENSELESS, "no such pool has fewer");
    restore(&s);
    memset(s.buffer.bytes, 0xff, s.inside->host_bytes);
    struct inspection inspection = read_sound(&s);
    EXPECT(inspection.host == UINT64_MAX && inspection.fault.text[0] == '\0',
           "a host word of garbage is damage");
    inspect_release(&inspection);
    discard(&s);
}

int main(void)
{
    static const struct support_test tests[] = {
        {"sound pools", sound},
        {"it finds something iff check does", agreement},
        {"frauds", frauds},
        {"free blocks side by side", side_by_side},
        {"an empty slot passed by", passed_by},
        {"sizes of free blocks", free_sizes},
        {"where the damage is", places},
        {"behind the damage", resumes},
        {"cut files", cut},
        {"bytes before and behind", surrounded},
        {"whose image it is", identity},
    };
    return support_run("the inspection of dumps", tests, sizeof tests / sizeof tests[0]);
}
