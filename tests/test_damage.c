/* SPDX-License-Identifier: MIT */
/*
 * Damage, and the calls that meet it. In every build a handle whose header and
 * entry do not agree is refused by each call that looks at both; in a hardened
 * build every call looks, at the block's surroundings too. Whoever answers
 * CORRUPT or STALE has written nothing.
 */
#include "support.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS     12
#define VICTIM     9 /* a free block on each side, and a slot that no size looks like */
#define FIELDS_MAX 1000
#define HOLE       12 /* granules of one that is to be filled */

enum lock { UNLOCKED, SHARED, EXCLUSIVE, LOCKS };

struct scene {
    const struct defrag_build *b;
    const struct inside *inside;
    bool hardened;
    struct support_buffer buffer;
    defrag_pool *pool;
    unsigned char *sound, *damaged;
    defrag_handle handles[BLOCKS];
    defrag_handle handle; /* of the victim */
    enum lock lock;
    unsigned turns; /* until the pool is damaged */
};

static void open_pool(struct scene *s, const struct defrag_build *b, enum lock lock)
{
    *s = (struct scene){.b = b, .inside = inside_of(b->name), .hardened = b->name[0] == 'h', .lock = lock};
    s->pool = support_pool_of(b, &s->buffer, 200, NULL);
}

static void fill(struct scene *s, size_t i, size_t bytes)
{
    EXPECT_STATUS(s->b->alloc(s->pool, bytes, &s->handles[i]), DEFRAG_OK);
    memset(s->b->lock(s->pool, s->handles[i]), 0xff, bytes);
    EXPECT_STATUS(s->b->unlock(s->pool, s->handles[i]), DEFRAG_OK);
}

static void keep_sound(struct scene *s)
{
    EXPECT_STATUS(s->b->check(s->pool), DEFRAG_OK);
    s->sound = malloc(2 * s->buffer.size);
    s->damaged = s->sound + s->buffer.size;
    memcpy(s->sound, s->buffer.bytes, s->buffer.size);
}

static void set_up(struct scene *s, const struct defrag_build *b, enum lock lock)
{
    open_pool(s, b, lock);
    for (size_t i = 0; i < BLOCKS; i++)
        fill(s, i, 20);
    for (size_t i = 0; i < BLOCKS; i += 2) {
        defrag_handle copy = s->handles[i];
        EXPECT_STATUS(b->free(s->pool, &copy), DEFRAG_OK);
    }
    s->handle = s->handles[VICTIM];
    EXPECT(lock != SHARED || b->lock_shared(s->pool, s->handle), "no lock");
    EXPECT(lock != EXCLUSIVE || b->lock(s->pool, s->handle), "no lock");
    keep_sound(s);
}

static void tear_down(struct scene *s)
{
    free(s->sound);
    support_buffer_free(&s->buffer);
}

static void restore(struct scene *s)
{
    memcpy(s->buffer.bytes, s->sound, s->buffer.size);
}

static void keep_damage(struct scene *s)
{
    memcpy(s->damaged, s->buffer.bytes, s->buffer.size);
}

static bool is_kept(const struct scene *s)
{
    return memcmp(s->damaged, s->buffer.bytes, s->buffer.size) == 0;
}

static void flip(struct scene *s, const struct inside_field *field, unsigned bit)
{
    inside_store(s->pool, field, inside_load(s->pool, field) ^ (uint64_t)1 << bit);
}

static struct inside_field find_field(struct scene *s, const char *name)
{
    static struct inside_field fields[FIELDS_MAX];
    size_t count = s->inside->guarded(s->pool, fields, FIELDS_MAX);
    for (size_t f = 0; f < count; f++)
        if (strcmp(fields[f].name, name) == 0)
            return fields[f];
    support_fail(__FILE__, __LINE__, "no field %s", name);
}

/* --- Calls, on the victim where they take a handle ------------------------------------------- */

static defrag_status do_free(struct scene *s)
{
    defrag_handle copy = s->handle;
    return s->b->free(s->pool, &copy);
}

static defrag_status do_shrink(struct scene *s)
{
    return s->b->resize(s->pool, s->handle, 1);
}

static defrag_status do_grow(struct scene *s)
{
    return s->b->resize(s->pool, s->handle, 30);
}

static defrag_status do_move(struct scene *s)
{
    return s->b->resize(s->pool, s->handle, 150);
}

static defrag_status do_read(struct scene *s)
{
    unsigned char bytes[20];
    return s->b->read(s->pool, s->handle, 0, bytes, sizeof bytes);
}

static defrag_status do_write(struct scene *s)
{
    unsigned char bytes[20] = {0};
    return s->b->write(s->pool, s->handle, 0, bytes, sizeof bytes);
}

/* What size does not tell is which error it was. */
static defrag_status do_size(struct scene *s)
{
    return s->b->size(s->pool, s->handle) ? DEFRAG_OK : DEFRAG_CORRUPT;
}

static defrag_status do_lock(struct scene *s)
{
    void *p;
    return s->b->try_lock(s->pool, s->handle, &p);
}

static defrag_status do_lock_shared(struct scene *s)
{
    const void *p;
    return s->b->try_lock_shared(s->pool, s->handle, &p);
}

static defrag_status do_unlock(struct scene *s)
{
    return s->b->unlock(s->pool, s->handle);
}

static defrag_status do_alloc(struct scene *s)
{
    defrag_handle out;
    return s->b->alloc(s->pool, 20, &out);
}

static defrag_status do_alloc_large(struct scene *s)
{
    defrag_handle out;
    return s->b->alloc(s->pool, 150 * s->b->alignment, &out);
}

static defrag_status do_alloc_fast(struct scene *s)
{
    defrag_handle out;
    return s->b->alloc_fast(s->pool, 12, &out);
}

static defrag_status do_step(struct scene *s)
{
    return s->b->compact_step(s->pool, 64, NULL);
}

static defrag_status do_clean(struct scene *s)
{
    return s->b->clean(s->pool);
}

static defrag_status do_compact(struct scene *s)
{
    return s->b->compact(s->pool);
}

static defrag_status do_make_room(struct scene *s)
{
    return s->b->make_room(s->pool, 150);
}

static defrag_status do_scramble(struct scene *s)
{
    return s->b->scramble(s->pool, 1);
}

static defrag_status do_statistics(struct scene *s)
{
    return support_statistics(s->b, s->pool).pool_bytes ? DEFRAG_OK : DEFRAG_CORRUPT;
}

enum looks { AT_HANDLE = 1, HARDENED_AT_HANDLE = 2, AT_ALL = 4, AROUND = 8 };

static const struct call {
    const char *name;
    defrag_status (*run)(struct scene *s);
    unsigned looks;
    bool refused[LOCKS]; /* with a lock error, before anything is looked at */
} calls[] = {
    {"free", do_free, AT_HANDLE | AROUND, {false, true, true}},
    {"resize, smaller", do_shrink, AT_HANDLE | AROUND, {false}},
    {"resize, larger", do_grow, AT_HANDLE | AROUND, {false}},
    {"resize, elsewhere", do_move, AT_HANDLE | AROUND, {false}},
    {"read", do_read, AT_HANDLE, {false, false, true}},
    {"write", do_write, AT_HANDLE, {false, true, true}},
    {"size", do_size, AT_HANDLE, {false}},
    {"try_lock", do_lock, HARDENED_AT_HANDLE, {false, true, true}},
    {"try_lock_shared", do_lock_shared, HARDENED_AT_HANDLE, {false, false, true}},
    {"unlock", do_unlock, HARDENED_AT_HANDLE, {true, false, false}},
    {"alloc", do_alloc, 0, {false}},
    {"alloc, where blocks move", do_alloc_large, 0, {false}},
    {"alloc_fast", do_alloc_fast, 0, {false}},
    {"compact_step", do_step, 0, {false}},
    {"clean", do_clean, AT_ALL, {false}},
    {"compact", do_compact, AT_ALL, {false}},
    {"make_room", do_make_room, AT_ALL, {false}},
    {"scramble", do_scramble, AT_ALL, {false}},
    {"statistics_get", do_statistics, AT_ALL, {false}},
};
#define CALLS (sizeof calls / sizeof calls[0])

/* The pool as it is has the victim's header and entry disagree. */
static void expect_refusals(struct scene *s)
{
    keep_damage(s);
    for (size_t i = 0; i < CALLS; i++) {
        if (!(calls[i].looks & (s->hardened ? AT_HANDLE | HARDENED_AT_HANDLE : AT_HANDLE)))
            continue;
        defrag_status status = calls[i].run(s);
        EXPECT(calls[i].refused[s->lock] ? status == DEFRAG_LOCKED || status == DEFRAG_NOT_LOCKED
                                         : status == DEFRAG_CORRUPT,
               "%s answers %s", calls[i].name, s->b->status_string(status));
        EXPECT(is_kept(s), "%s has written", calls[i].name);
    }
}

/* --- In every build ----------------------------------------------------------------------------- */

/* Each bit, and each pair of bits, of what ties header and entry together. */
static void header_and_entry(const struct defrag_build *b)
{
    struct scene s;
    for (enum lock lock = UNLOCKED; lock < LOCKS; lock++) {
        set_up(&s, b, lock);
        const struct inside_field fields[] = {s.inside->offset_of(s.pool, s.handle),
                                              s.inside->owner_of(s.pool, s.handle)};
        unsigned split = fields[0].bits;
        unsigned bits = split + fields[1].bits;
        for (unsigned i = 0; i < bits; i++) {
            for (unsigned j = i; j < bits; j++) {
                support_context("%s, lock %d, bits %u and %u", b->name, lock, i, j);
                flip(&s, &fields[i >= split], i < split ? i : i - split);
                if (j != i)
                    flip(&s, &fields[j >= split], j < split ? j : j - split);
                expect_refusals(&s);
                EXPECT_STATUS(b->check(s.pool), DEFRAG_CORRUPT);
                restore(&s);
            }
        }
        tear_down(&s);
    }
}

/* An entry of another generation, or that is marked as empty, is one that the handle does not name. */
static void generation_and_mark(const struct defrag_build *b)
{
    struct scene s;
    set_up(&s, b, UNLOCKED);
    struct inside_field entry = s.inside->offset_of(s.pool, s.handle);
    entry.shift = 0;
    uint64_t sound = inside_load(s.pool, &entry);
    unsigned stale = 0;
    for (unsigned bit = 0; bit < 16; bit++) {
        support_context("%s, bit %u of the entry", b->name, bit);
        flip(&s, &entry, bit);
        keep_damage(&s);
        bool is_lock = b->write(s.pool, s.handle, 0, NULL, 0) == DEFRAG_LOCKED;
        for (size_t i = 0; i < CALLS && !is_lock; i++) {
            if (!(calls[i].looks & (AT_HANDLE | HARDENED_AT_HANDLE)))
                continue;
            defrag_status status = calls[i].run(&s);
            EXPECT(status == (calls[i].run == do_size ? DEFRAG_CORRUPT : DEFRAG_STALE), "%s answers %s",
                   calls[i].name, b->status_string(status));
            EXPECT(is_kept(&s), "%s has written", calls[i].name);
        }
        stale += !is_lock;
        inside_store(s.pool, &entry, sound);
    }
    EXPECT(stale == 12, "%u bits make the handle stale", stale);
    tear_down(&s);
}

/* --- In a hardened build ------------------------------------------------------------------------- */

/* Every bit of what the checker guards: who looks at all finds it; whoever finds it has written nothing. */
static void whatever_is_guarded(const struct defrag_build *b)
{
    static struct inside_field fields[FIELDS_MAX];
    struct scene s;
    if (b->name[0] != 'h')
        return;
    for (enum lock lock = UNLOCKED; lock < LOCKS; lock++) {
        set_up(&s, b, lock);
        size_t count = s.inside->guarded(s.pool, fields, FIELDS_MAX);
        EXPECT(count <= FIELDS_MAX, "%zu fields", count);
        for (size_t f = 0; f < count; f++) {
            for (unsigned bit = 0; bit < fields[f].bits; bit++) {
                for (size_t i = 0; i < CALLS; i++) {
                    support_context("%s, %s at %zu, bit %u, %s", b->name, fields[f].name, fields[f].byte, bit,
                                    calls[i].name);
                    flip(&s, &fields[f], bit);
                    keep_damage(&s);
                    defrag_status status = calls[i].run(&s);
                    EXPECT(status == DEFRAG_CORRUPT || !(calls[i].looks & AT_ALL), "it answers %s",
                           b->status_string(status));
                    EXPECT(status != DEFRAG_CORRUPT || is_kept(&s), "it has written");
                    restore(&s);
                }
            }
        }
        tear_down(&s);
    }
}

/* Less than a block, and more than there is below the top. */
static void sizes_that_no_block_has(const struct defrag_build *b)
{
    struct scene s;
    if (b->name[0] != 'h')
        return;
    set_up(&s, b, UNLOCKED);
    struct inside_field size = s.inside->owner_of(s.pool, s.handle);
    struct inside_field offset = s.inside->offset_of(s.pool, s.handle), top = find_field(&s, "control.top");
    size.bits = size.shift - 1;
    size.shift = 0;
    uint64_t reach = inside_load(s.pool, &top) - inside_load(s.pool, &offset);
    const uint64_t wrong[] = {0, s.inside->smallest - 1, reach + 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        support_context("%s, %llu granules", b->name, (unsigned long long)wrong[i]);
        inside_store(s.pool, &size, wrong[i]);
        expect_refusals(&s);
        restore(&s);
    }
    tear_down(&s);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* Where the header of a live block lies. */
static size_t header_of(struct scene *s, defrag_handle handle)
{
    return s->inside->owner_of(s->pool, handle).byte;
}

/*
 * What no look at the surroundings can tell: a size that ends where another block
 * does, a free block below that nobody mentions. And the half of a footer that is
 * not used does no harm.
 */
static bool is_plausible(struct scene *s, const struct inside_field *field)
{
    return strcmp(field->name, "header.size") == 0 || strcmp(field->name, "free.footer unused") == 0
           || (strcmp(field->name, "header.previous is free") == 0 && field->byte == header_of(s, s->handle));
}

/* The free blocks on both sides, and the header behind them that knows of the upper one. */
static void the_surroundings(const struct defrag_build *b)
{
    static struct inside_field fields[FIELDS_MAX];
    struct scene s;
    unsigned found = 0;
    if (b->name[0] != 'h')
        return;
    set_up(&s, b, UNLOCKED);
    size_t below = header_of(&s, s.handles[VICTIM - 2]);
    size_t above = header_of(&s, s.handles[VICTIM + 2]);
    size_t count = s.inside->guarded(s.pool, fields, FIELDS_MAX);
    for (size_t f = 0; f < count; f++) {
        const struct inside_field *field = &fields[f];
        bool is_near = field->byte > below && field->byte <= above
                       && (begins(field->name, "free.") || begins(field->name, "header."));
        if (!is_near || is_plausible(&s, field))
            continue;
        for (unsigned bit = 0; bit < field->bits; bit++) {
            for (size_t i = 0; i < CALLS; i++) {
                if (!(calls[i].looks & AROUND))
                    continue;
                support_context("%s, %s at %zu, bit %u", b->name, field->name, field->byte, bit);
                flip(&s, field, bit);
                keep_damage(&s);
                defrag_status status = calls[i].run(&s);
                EXPECT(status == DEFRAG_CORRUPT, "%s answers %s", calls[i].name, b->status_string(status));
                EXPECT(is_kept(&s), "%s has written", calls[i].name);
                restore(&s);
                found++;
            }
        }
    }
    EXPECT(found > 400, "only %u damages", found);
    tear_down(&s);
}

/*
 * Resize may link into any bin: each must have a first block that knows of it, or
 * none. Free links into that of three blocks together, the victim and its neighbours,
 * alloc into that of what is left of the block it takes.
 */
static void the_heads_of_the_bins(const struct defrag_build *b)
{
    static struct inside_field fields[FIELDS_MAX];
    struct scene s;
    unsigned bin = 0;
    if (b->name[0] != 'h')
        return;
    set_up(&s, b, UNLOCKED);
    s.handle = s.handles[3]; /* the blocks at its sides are not the first of their bin */
    size_t two = (header_of(&s, s.handles[3]) - header_of(&s, s.handles[1])) / s.inside->granule;
    unsigned joined = s.inside->bin_of(3 * two / 2) - s.inside->bin_of(1);
    unsigned left = s.inside->bin_of(two / 2 - s.inside->smallest) - s.inside->bin_of(1);
    defrag_handle out;
    size_t count = s.inside->guarded(s.pool, fields, FIELDS_MAX);
    for (size_t f = 0; f < count; f++) {
        if (strcmp(fields[f].name, "bin.next") != 0)
            continue;
        for (unsigned bit = 0; bit < fields[f].bits / 2; bit++) {
            support_context("%s, bin at %zu, bit %u", b->name, fields[f].byte, bit);
            flip(&s, &fields[f], bit);
            keep_damage(&s);
            EXPECT_STATUS(do_shrink(&s), DEFRAG_CORRUPT);
            EXPECT_STATUS(do_grow(&s), DEFRAG_CORRUPT);
            EXPECT(bin != joined || do_free(&s) == DEFRAG_CORRUPT, "free links into a damaged bin");
            EXPECT(bin != left || b->alloc_fast(s.pool, 1, &out) == DEFRAG_CORRUPT,
                   "alloc_fast links into a damaged bin");
            EXPECT(is_kept(&s), "a refused call has written");
            restore(&s);
        }
        bin++;
    }
    EXPECT(bin > joined, "only %u bins", bin);
    tear_down(&s);
}

/*
 * Alloc and alloc_fast follow the head of a bin to where no block can begin, which
 * reads as a free block of no size.
 */
static void heads_that_lead_nowhere(const struct defrag_build *b)
{
    static struct inside_field fields[FIELDS_MAX];
    struct scene s;
    defrag_handle out;
    unsigned filled = 0;
    if (b->name[0] != 'h')
        return;
    set_up(&s, b, UNLOCKED);
    size_t bytes = support_payload(s.inside, s.inside->smallest);
    uint64_t first = inside_load(s.pool, &s.inside->cursor);
    size_t count = s.inside->guarded(s.pool, fields, FIELDS_MAX);
    for (size_t f = 0; f < count; f++) {
        if (strcmp(fields[f].name, "bin.next") != 0)
            continue;
        fields[f].bits /= 2;
        if (inside_load(s.pool, &fields[f]) < first)
            continue;
        filled++;
        inside_store(s.pool, &fields[f], UINT64_MAX);
        keep_damage(&s);
        EXPECT_STATUS(b->alloc(s.pool, bytes, &out), DEFRAG_CORRUPT);
        EXPECT_STATUS(b->alloc_fast(s.pool, bytes, &out), DEFRAG_CORRUPT);
        EXPECT(is_kept(&s), "a refused alloc has written");
        restore(&s);
    }
    EXPECT(filled > 0, "no bin has a block");
    tear_down(&s);
}

/* No bit of the map says that the bin of the free blocks at hand has any. */
static void an_empty_map(const struct defrag_build *b)
{
    struct scene s;
    if (b->name[0] != 'h')
        return;
    set_up(&s, b, UNLOCKED);
    struct inside_field map = find_field(&s, "control.map");
    inside_store(s.pool, &map, 0);
    keep_damage(&s);
    EXPECT_STATUS(do_free(&s), DEFRAG_CORRUPT);
    EXPECT_STATUS(do_shrink(&s), DEFRAG_CORRUPT);
    EXPECT(is_kept(&s), "a refused call has written");
    tear_down(&s);
}

static struct inside_field word_at(const struct scene *s, size_t byte)
{
    unsigned bits = 8 * (unsigned)s->inside->header;
    return (struct inside_field){"a word", byte, bits, 0, bits};
}

/*
 * The free block above says that it reaches beyond the top, to what looks like a
 * block that knows of it. Its neighbours in its bin are other blocks, and there is a
 * free block of the size that it pretends.
 */
static void a_free_block_that_leads_out(const struct defrag_build *b)
{
    static struct inside_field fields[FIELDS_MAX];
    struct scene s;
    if (b->name[0] != 'h')
        return;
    set_up(&s, b, UNLOCKED);
    size_t large = 5 * (header_of(&s, s.handles[9]) - header_of(&s, s.handles[7])) / 2 / s.inside->granule;
    EXPECT_STATUS(b->free(s.pool, &s.handles[1]), DEFRAG_OK);
    EXPECT_STATUS(b->free(s.pool, &s.handles[3]), DEFRAG_OK);
    s.handle = s.handles[7];
    unsigned found = 0;
    size_t count = s.inside->guarded(s.pool, fields, FIELDS_MAX);
    for (size_t f = 0; f < count; f++) {
        if (strcmp(fields[f].name, "free.size") != 0 || fields[f].byte < header_of(&s, s.handles[7])
            || fields[f].byte > header_of(&s, s.handles[9]))
            continue;
        inside_store(s.pool, &fields[f], large);
        size_t end = fields[f].byte - s.inside->header + large * s.inside->granule;
        struct inside_field footer = word_at(&s, end - s.inside->header), header = word_at(&s, end);
        struct inside_field offset = s.inside->offset_of(s.pool, s.handles[11]);
        struct inside_field owner = s.inside->owner_of(s.pool, s.handles[11]);
        uint64_t prev_free = (uint64_t)1 << (owner.shift - 1);
        inside_store(s.pool, &footer, large * prev_free);
        inside_store(s.pool, &header,
                     (uint64_t)s.inside->slot_of(s.handles[11]) << owner.shift | prev_free | 2);
        inside_store(s.pool, &offset, (end + s.inside->header) / s.inside->granule);
        found++;
    }
    EXPECT(found == 1, "%u free blocks above", found);
    keep_damage(&s);
    EXPECT_STATUS(do_free(&s), DEFRAG_CORRUPT);
    EXPECT_STATUS(do_shrink(&s), DEFRAG_CORRUPT);
    EXPECT_STATUS(do_grow(&s), DEFRAG_CORRUPT);
    EXPECT(is_kept(&s), "a refused call has written");
    tear_down(&s);
}

/*
 * Free memory as it is counted: less than the free blocks at hand have, or so much
 * that what is left is less than the block that is given back; or more than there is at all.
 */
static void the_count_of_free_memory(const struct defrag_build *b)
{
    struct scene s;
    if (b->name[0] != 'h')
        return;
    set_up(&s, b, UNLOCKED);
    struct inside_field free = find_field(&s, "control.free");
    struct inside_field top = find_field(&s, "control.top"), floor = find_field(&s, "control.floor");
    inside_store(s.pool, &free, inside_load(s.pool, &floor) - inside_load(s.pool, &top));
    keep_damage(&s);
    EXPECT_STATUS(do_shrink(&s), DEFRAG_CORRUPT);
    EXPECT_STATUS(do_grow(&s), DEFRAG_CORRUPT);
    EXPECT_STATUS(do_alloc(&s), DEFRAG_CORRUPT);
    EXPECT_STATUS(do_alloc_fast(&s), DEFRAG_CORRUPT);
    EXPECT(is_kept(&s), "a refused call has written");
    restore(&s);
    size_t own = support_granules(s.inside, b->size(s.pool, s.handle));
    size_t live = support_statistics(b, s.pool).live_bytes / s.inside->granule;
    inside_store(s.pool, &free, inside_load(s.pool, &free) + live - own + 1);
    keep_damage(&s);
    EXPECT_STATUS(do_free(&s), DEFRAG_CORRUPT);
    EXPECT_STATUS(do_shrink(&s), DEFRAG_CORRUPT);
    EXPECT_STATUS(do_grow(&s), DEFRAG_CORRUPT);
    EXPECT(is_kept(&s), "a refused call has written");
    inside_store(s.pool, &free, inside_load(s.pool, &free) + own);
    keep_damage(&s);
    EXPECT(!b->lock(s.pool, s.handle) && b->size(s.pool, s.handle) == 0, "the block is used");
    EXPECT(is_kept(&s), "a refused call has written");
    tear_down(&s);
}

/*
 * The list of empty slots has an end where the first one is the last, and only there;
 * there is an end iff there is a beginning; and it can be made longer at its end.
 */
static void the_empty_slots(const struct defrag_build *b)
{
    struct scene s;
    defrag_handle out;
    if (b->name[0] != 'h')
        return;
    set_up(&s, b, UNLOCKED);
    struct inside_field next = s.inside->offset_of(s.pool, s.handles[0]);
    const uint64_t wrong[] = {0, BLOCKS + 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        inside_store(s.pool, &next, wrong[i]);
        keep_damage(&s);
        EXPECT_STATUS(b->alloc(s.pool, 1, &out), DEFRAG_CORRUPT);
        EXPECT_STATUS(b->alloc_fast(s.pool, 1, &out), DEFRAG_CORRUPT);
        EXPECT(is_kept(&s), "a refused alloc has written");
        restore(&s);
    }
    struct inside_field first = s.inside->offset_of(s.pool, DEFRAG_NULL),
                        tail = find_field(&s, "control.free_tail");
    for (size_t i = 0; i < 2; i++) {
        inside_store(s.pool, i ? &tail : &first, 0);
        inside_store(s.pool, &first, i ? BLOCKS + 1 : 0);
        keep_damage(&s);
        EXPECT_STATUS(b->alloc(s.pool, 1, &out), DEFRAG_CORRUPT);
        EXPECT_STATUS(b->alloc_fast(s.pool, 1, &out), DEFRAG_CORRUPT);
        EXPECT(is_kept(&s), "a refused alloc has written");
        restore(&s);
    }
    struct inside_field last = s.inside->offset_of(s.pool, s.handles[BLOCKS - 2]);
    inside_store(s.pool, &last, 1);
    keep_damage(&s);
    EXPECT_STATUS(do_free(&s), DEFRAG_CORRUPT);
    EXPECT(is_kept(&s), "a refused free has written");
    tear_down(&s);
}

/*
 * The free blocks on both sides are linked to each other alone; or to a third one,
 * which no look at either of them tells, and which unlinking the first of them lets
 * the second one have as both neighbours.
 */
static void rings_without_a_bin(const struct defrag_build *b)
{
    struct scene s;
    if (b->name[0] != 'h')
        return;
    set_up(&s, b, UNLOCKED);
    EXPECT(s.inside->ring(s.pool, 2), "no two free blocks");
    keep_damage(&s);
    for (size_t i = 0; i < CALLS; i++) {
        if (!(calls[i].looks & AROUND))
            continue;
        EXPECT(calls[i].run(&s) == DEFRAG_CORRUPT, "%s sees nothing", calls[i].name);
        EXPECT(is_kept(&s), "%s has written", calls[i].name);
    }
    restore(&s);
    for (size_t i = 0; i < CALLS; i++) {
        EXPECT(s.inside->ring(s.pool, 3), "no three free blocks");
        (void)calls[i].run(&s);
        EXPECT_STATUS(b->check(s.pool), DEFRAG_CORRUPT);
        restore(&s);
    }
    tear_down(&s);
}

/*
 * The same, with the free blocks anywhere: no bit of the map is lost for a bin that
 * was not looked at.
 */
static void rings_leave_the_map_alone(const struct defrag_build *b)
{
    if (b->name[0] != 'h')
        return;
    for (size_t granules = 2; granules < 140; granules++) {
        struct support_buffer buffer;
        const struct inside *inside = inside_of(b->name);
        defrag_pool *pool = support_pool_of(b, &buffer, 240, NULL);
        defrag_handle first, h[9];
        support_context("%s, behind %zu granules", b->name, granules);
        EXPECT_STATUS(b->alloc(pool, support_payload(inside, granules), &first), DEFRAG_OK);
        for (size_t i = 0; i < 9; i++)
            EXPECT_STATUS(b->alloc(pool, 20, &h[i]), DEFRAG_OK);
        for (size_t i = 0; i < 8; i += 2)
            EXPECT_STATUS(b->free(pool, &h[i]), DEFRAG_OK);
        struct scene s = {.b = b, .inside = inside, .pool = pool};
        struct inside_field map = find_field(&s, "control.map");
        uint64_t before = inside_load(pool, &map);
        EXPECT(inside->ring(pool, 3), "no three free blocks");
        (void)!b->free(pool, &h[5]);
        EXPECT((inside_load(pool, &map) & before) == before, "a bin is lost");
        support_buffer_free(&buffer);
    }
}

/* Where no place is found at once resize and alloc rely on the whole pool. */
static void what_moves_blocks_looks_at_all(const struct defrag_build *b)
{
    struct scene s;
    defrag_handle out;
    if (b->name[0] != 'h')
        return;
    set_up(&s, b, UNLOCKED);
    size_t bytes = support_statistics(b, s.pool).largest_fast + 1;
    inside_store(s.pool, &s.inside->base, inside_load(s.pool, &s.inside->base) + 1);
    keep_damage(&s);
    EXPECT_STATUS(b->resize(s.pool, s.handle, 150 * b->alignment), DEFRAG_CORRUPT);
    EXPECT_STATUS(b->alloc(s.pool, bytes, &out), DEFRAG_CORRUPT);
    EXPECT(is_kept(&s), "a refused call has written");
    tear_down(&s);
}

/* A call that sees no damage itself is served, but what it would scramble stays. */
static void nothing_is_scrambled(const struct defrag_build *b)
{
    static const defrag_config config = {.flags = DEFRAG_SCRAMBLE};
    struct scene s = {.b = b, .inside = inside_of(b->name)};
    defrag_handle h[4], out;
    if (b->name[0] != 'h')
        return;
    s.pool = support_pool_of(b, &s.buffer, 100, &config);
    for (size_t i = 0; i < 4; i++)
        EXPECT_STATUS(b->alloc(s.pool, 20, &h[i]), DEFRAG_OK);
    uint64_t moved = support_statistics(b, s.pool).moved_blocks;
    uint64_t right = inside_load(s.pool, &s.inside->base);
    inside_store(s.pool, &s.inside->base, right + 1);
    EXPECT_STATUS(b->alloc(s.pool, 20, &out), DEFRAG_OK);
    (void)b->compact_step(s.pool, 0, NULL);
    inside_store(s.pool, &s.inside->base, right);
    EXPECT_STATUS(b->check(s.pool), DEFRAG_OK);
    EXPECT(support_statistics(b, s.pool).moved_blocks == moved, "blocks were scrambled");
    support_buffer_free(&s.buffer);
}

/* A step does what lies before the damage, and the next one says that it cannot go on. */
static void steps_end_at_damage(const struct defrag_build *b)
{
    struct scene s;
    size_t moved = 0;
    if (b->name[0] != 'h')
        return;
    set_up(&s, b, UNLOCKED);
    struct inside_field owner = s.inside->owner_of(s.pool, s.handles[5]);
    inside_store(s.pool, &owner, inside_load(s.pool, &owner) + 20);
    EXPECT_STATUS(b->compact_step(s.pool, SIZE_MAX, &moved), DEFRAG_MORE);
    EXPECT(moved > 0, "nothing has moved");
    keep_damage(&s);
    EXPECT_STATUS(b->compact_step(s.pool, SIZE_MAX, &moved), DEFRAG_CORRUPT);
    EXPECT(moved == 0 && is_kept(&s), "a refused step has written");
    tear_down(&s);
}

/* A pool in which a step brings block 2 into a hole below block 1, which is locked, before anything else. */
static void set_up_hole(struct scene *s, const struct defrag_build *b)
{
    open_pool(s, b, UNLOCKED);
    for (size_t i = 0; i < 4; i++)
        fill(s, i, support_payload(s->inside, i == 0 ? HOLE : 4));
    EXPECT(b->lock(s->pool, s->handles[1]), "no lock");
    EXPECT_STATUS(b->free(s->pool, &s->handles[0]), DEFRAG_OK);
    EXPECT_STATUS(b->compact_step(s->pool, 1, NULL), DEFRAG_MORE);
    keep_sound(s);
}

/* Whether a step must see that this bit is wrong. A hole too small, or hidden, is not filled anyway. */
static bool keeps_out(const struct inside_field *field, unsigned bit)
{
    if (strcmp(field->name, "free.size") == 0)
        return !(HOLE >> bit & 1);
    static const char *const names[] = {"free.header", "free.next", "free.footer", "header.previous is free",
                                        "header.owner", "entry.offset", "bin.previous"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(field->name, names[i]) == 0)
            return true;
    return false;
}

/* No block is brought into a hole if it, the hole, what lies around them or a bin is damaged. */
static void no_damaged_hole_is_filled(const struct defrag_build *b)
{
    static struct inside_field fields[FIELDS_MAX];
    struct scene s;
    unsigned kept_out = 0;
    size_t moved = 0;
    if (b->name[0] != 'h')
        return;
    set_up_hole(&s, b);
    size_t count = s.inside->guarded(s.pool, fields, FIELDS_MAX);
    for (size_t f = 0; f < count; f++) {
        for (unsigned bit = 0; bit < fields[f].bits; bit++) {
            bool must = keeps_out(&fields[f], bit);
            support_context("%s, %s at %zu, bit %u", b->name, fields[f].name, fields[f].byte, bit);
            flip(&s, &fields[f], bit);
            keep_damage(&s);
            defrag_status status = b->compact_step(s.pool, SIZE_MAX, &moved);
            EXPECT(status == DEFRAG_CORRUPT || !must, "it answers %s", b->status_string(status));
            EXPECT(status != DEFRAG_CORRUPT || (moved == 0 && is_kept(&s)), "it has written");
            kept_out += must;
            restore(&s);
        }
    }
    EXPECT(kept_out > 100, "only %u bits", kept_out);
    EXPECT_STATUS(b->compact_step(s.pool, SIZE_MAX, &moved), DEFRAG_OK);
    EXPECT(moved == 2 * 4 * s.inside->granule, "%zu bytes moved", moved);
    tear_down(&s);
}

/* What others do to the pool while compact lets them in. */
static void damage_between(void *context)
{
    struct scene *s = context;
    if (s->turns > 0 && --s->turns == 0)
        inside_store(s->pool, &s->inside->cursor, 0);
}

static void enter(void *context)
{
    (void)context;
}

static void compact_meets_damage_on_the_way(const struct defrag_build *b)
{
    struct scene s = {.b = b, .inside = inside_of(b->name)};
    const defrag_config config = {.enter = enter, .leave = damage_between, .section_context = &s};
    if (b->name[0] != 'h')
        return;
    s.pool = support_pool_of(b, &s.buffer, 200, &config);
    support_make_gaps(b, s.pool);
    s.turns = 3;
    EXPECT_STATUS(b->compact(s.pool), DEFRAG_CORRUPT);
    support_buffer_free(&s.buffer);
}

int main(void)
{
    static const struct support_test tests[] = {
        {"header and entry that disagree", header_and_entry},
        {"an entry of another use", generation_and_mark},
        {"whatever is guarded", whatever_is_guarded},
        {"sizes that no block has", sizes_that_no_block_has},
        {"the surroundings of a block", the_surroundings},
        {"the heads of the bins", the_heads_of_the_bins},
        {"heads that lead nowhere", heads_that_lead_nowhere},
        {"an empty map", an_empty_map},
        {"a free block that leads out", a_free_block_that_leads_out},
        {"the count of free memory", the_count_of_free_memory},
        {"the empty slots", the_empty_slots},
        {"rings without a bin", rings_without_a_bin},
        {"rings leave the map alone", rings_leave_the_map_alone},
        {"what moves blocks looks at all", what_moves_blocks_looks_at_all},
        {"nothing is scrambled", nothing_is_scrambled},
        {"steps end at damage", steps_end_at_damage},
        {"no damaged hole is filled", no_damaged_hole_is_filled},
        {"compact meets damage on the way", compact_meets_damage_on_the_way},
    };
    return support_run("damage", tests, sizeof tests / sizeof tests[0]);
}
