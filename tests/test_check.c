/* SPDX-License-Identifier: MIT */
/*
 * The checker, tested by corrupting every field it guards: whatever else a field
 * says than it must, defrag_check() does not answer OK. And damage of any kind:
 * check, walk and attach come to an end and stay inside the pool (a sanitizer
 * sees to the latter, as buffers are exact).
 */
#include "layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS 4000

/* A pool with something of everything, and its image. */
struct specimen {
    const struct defrag_build *b;
    const struct inside *inside;
    struct support_buffer buffer;
    defrag_pool *pool;
    unsigned char *image;
    size_t bytes;
    defrag_handle handles[24];
};

static void save(struct specimen *s)
{
    s->bytes = support_statistics(s->b, s->pool).pool_bytes;
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

/*
 * Free blocks of many sizes, several of one size in a bin, neighbours of used
 * and locked blocks, a bare granule where the layout has such, empty slots in
 * the middle and at the end of the table, a wilderness.
 */
static void make_rich(struct specimen *s, const struct defrag_build *build)
{
    static const size_t sizes[] = {3, 4, 2, 5, 3, 4, 2, 6, 9, 3, 4, 2, 5, 4, 3, 7, 2, 2};
    const size_t count = sizeof sizes / sizeof sizes[0];
    s->b = build;
    s->inside = inside_of(build->name);
    s->pool = support_pool_of(build, &s->buffer, 160, NULL);
    for (size_t i = 0; i < count; i++)
        EXPECT_STATUS(build->alloc(s->pool, support_payload(s->inside, sizes[i]), &s->handles[i]), DEFRAG_OK);
    for (size_t i = 1; i < count - 1; i += 2)
        EXPECT_STATUS(build->free(s->pool, &s->handles[i]), DEFRAG_OK);
    EXPECT_STATUS(build->free(s->pool, &s->handles[16]), DEFRAG_OK);
    /* One granule is cut off. */
    EXPECT_STATUS(build->resize(s->pool, s->handles[8], support_payload(s->inside, 8)), DEFRAG_OK);
    EXPECT_STATUS(build->resize(s->pool, s->handles[4], support_payload(s->inside, 2)), DEFRAG_OK);
    EXPECT_STATUS(build->resize(s->pool, s->handles[17], support_payload(s->inside, 12)), DEFRAG_OK);
    /* One is added, which leaves three. */
    EXPECT_STATUS(build->resize(s->pool, s->handles[12], support_payload(s->inside, 6)), DEFRAG_OK);
    defrag_handle block[3];
    for (size_t i = 0; i < 3; i++)
        EXPECT_STATUS(build->alloc(s->pool, support_payload(s->inside, 8), &block[i]), DEFRAG_OK);
    EXPECT_STATUS(build->resize(s->pool, block[1], support_payload(s->inside, 7)), DEFRAG_OK);
    EXPECT(build->lock(s->pool, s->handles[2]), "no lock");
    EXPECT(build->lock_shared(s->pool, s->handles[6]), "no lock");
    for (int i = 0; i < 14; i++)
        EXPECT(build->lock_shared(s->pool, s->handles[8]), "no lock");
    EXPECT_STATUS(build->check(s->pool), DEFRAG_OK);
    save(s);
}

/* The same halfway through compaction. */
static void make_stepped(struct specimen *s, const struct defrag_build *build)
{
    make_rich(s, build);
    for (int i = 0; i < 4; i++)
        EXPECT_STATUS(build->compact_step(s->pool, 20, NULL), DEFRAG_MORE);
    EXPECT_STATUS(build->check(s->pool), DEFRAG_OK);
    memcpy(s->image, s->pool, s->bytes);
}

static void make_empty(struct specimen *s, const struct defrag_build *build)
{
    s->b = build;
    s->inside = inside_of(build->name);
    s->pool = support_pool_of(build, &s->buffer, 6, NULL);
    EXPECT_STATUS(build->check(s->pool), DEFRAG_OK);
    save(s);
}

static void make_full(struct specimen *s, const struct defrag_build *build)
{
    s->b = build;
    s->inside = inside_of(build->name);
    s->pool = support_pool_of(build, &s->buffer, 24, NULL);
    defrag_handle handle;
    for (size_t granules = 3; granules >= s->inside->smallest; granules--)
        while (build->alloc(s->pool, support_payload(s->inside, granules), &handle) == DEFRAG_OK)
            continue;
    EXPECT_STATUS(build->check(s->pool), DEFRAG_OK);
    save(s);
}

/* What the hot paths compare handles with. */
static void limit_of_another_table(const struct defrag_build *build)
{
    struct specimen s;
    make_rich(&s, build);
    unsigned char *limit = (unsigned char *)s.pool + s.inside->limit_at;
    for (unsigned bit = 0; bit < 32; bit++) {
        limit[bit / 8] ^= (unsigned char)(1u << bit % 8);
        EXPECT_STATUS(build->check(s.pool), DEFRAG_CORRUPT);
        limit[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    EXPECT_STATUS(build->check(s.pool), DEFRAG_OK);
    discard(&s);
}

typedef void specimen_maker(struct specimen *s, const struct defrag_build *build);
static specimen_maker *const makers[] = {make_rich, make_stepped, make_empty, make_full};
#define MAKERS (sizeof makers / sizeof makers[0])

/* --- Guarded fields --------------------------------------------------------------------- */

static void expect_corrupt(struct specimen *s, const struct inside_field *field, uint64_t value)
{
    uint64_t old = inside_load(s->pool, field);
    inside_store(s->pool, field, value);
    if (inside_load(s->pool, field) != old)
        EXPECT(s->b->check(s->pool) != DEFRAG_OK, "%s (byte %zu, bit %u): %#llx instead of %#llx is not seen",
               field->name, field->byte, field->shift, (unsigned long long)value, (unsigned long long)old);
    inside_store(s->pool, field, old);
}

static void corrupt_field(struct specimen *s, const struct inside_field *field, uint64_t *random)
{
    uint64_t old = inside_load(s->pool, field);
    for (unsigned bit = 0; bit < field->bits; bit++)
        expect_corrupt(s, field, old ^ UINT64_C(1) << bit);
    const uint64_t values[] = {0, 1, UINT64_MAX, old + 1, old - 1, ~old, old << 1, old >> 1};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        expect_corrupt(s, field, values[i]);
    for (int i = 0; i < 8; i++)
        expect_corrupt(s, field, support_random(random) & 0x3f);
    for (int i = 0; i < 8; i++)
        expect_corrupt(s, field, support_random(random));
}

static void every_guarded_field(const struct defrag_build *build)
{
    static struct inside_field fields[FIELDS];
    uint64_t random = 5;
    size_t total = 0;
    for (size_t maker = 0; maker < MAKERS; maker++) {
        struct specimen s;
        makers[maker](&s, build);
        size_t count = s.inside->guarded(s.pool, fields, FIELDS);
        EXPECT(count <= FIELDS, "%zu fields", count);
        for (size_t i = 0; i < count; i++)
            corrupt_field(&s, &fields[i], &random);
        EXPECT_STATUS(build->check(s.pool), DEFRAG_OK);
        EXPECT(memcmp(s.image, s.pool, s.bytes) == 0, "check changed the pool");
        total += count;
        discard(&s);
    }
    printf("# %s: %zu fields\n", build->name, total);
}

/* Each field takes the value of each other field of its name: links crosswise, owners exchanged. */
static void fields_exchanged(const struct defrag_build *build)
{
    static struct inside_field fields[FIELDS];
    struct specimen s;
    make_rich(&s, build);
    size_t count = s.inside->guarded(s.pool, fields, FIELDS);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            if (fields[i].name != fields[j].name && strcmp(fields[i].name, fields[j].name) != 0)
                continue;
            uint64_t a = inside_load(s.pool, &fields[i]);
            uint64_t b = inside_load(s.pool, &fields[j]);
            if (a == b)
                continue;
            inside_store(s.pool, &fields[i], b);
            inside_store(s.pool, &fields[j], a);
            EXPECT(build->check(s.pool) == DEFRAG_CORRUPT, "%s at %zu and at %zu exchanged is not seen",
                   fields[i].name, fields[i].byte, fields[j].byte);
            inside_store(s.pool, &fields[i], a);
            inside_store(s.pool, &fields[j], b);
        }
    }
    discard(&s);
}

/* Whatever is linked in good order, but does not belong there. */
static void frauds(const struct defrag_build *build)
{
    struct specimen s;
    defrag_handle large;
    make_rich(&s, build);
    EXPECT_STATUS(build->alloc(s.pool, support_payload(s.inside, 20), &large), DEFRAG_OK);
    EXPECT_STATUS(build->check(s.pool), DEFRAG_OK);
    memcpy(s.image, s.pool, s.bytes);
    EXPECT(s.inside->orphan(s.pool), "no block can be orphaned");
    EXPECT_STATUS(build->check(s.pool), DEFRAG_CORRUPT);
    restore(&s);
    EXPECT(s.inside->misfile(s.pool), "no block can be misfiled");
    EXPECT_STATUS(build->check(s.pool), DEFRAG_CORRUPT);
    restore(&s);
    EXPECT(s.inside->below_wilderness(s.pool), "no wilderness");
    EXPECT_STATUS(build->check(s.pool), DEFRAG_CORRUPT);
    for (unsigned kind = 0; kind < INSIDE_FORGERIES; kind++) {
        restore(&s);
        EXPECT(s.inside->forge(s.pool, large, kind), "no block can be forged (%u)", kind);
        EXPECT(build->check(s.pool) == DEFRAG_CORRUPT, "forgery %u is not seen", kind);
    }
    discard(&s);
}

/* --- Fields with several right values ------------------------------------------------------- */

static void expect_range(struct specimen *s, const struct inside_field *field, uint64_t value, bool right)
{
    uint64_t old = inside_load(s->pool, field);
    inside_store(s->pool, field, value);
    EXPECT_STATUS(s->b->check(s->pool), right ? DEFRAG_OK : DEFRAG_CORRUPT);
    inside_store(s->pool, field, old);
}

/*
 * The cursor stands on a boundary between blocks, and no gap lies below it but
 * below locked blocks that compaction has passed by; here it has passed none.
 */
static void cursor_is_a_boundary(const struct defrag_build *build)
{
    struct specimen s;
    make_rich(&s, build);
    struct layout layout = {0};
    layout_read(&layout, build, s.pool);
    size_t g = s.inside->granule;
    uint64_t now = inside_load(s.pool, &s.inside->cursor);
    for (size_t value = 0; value < s.bytes / g + 20; value++) {
        bool right = false;
        bool gap = false;
        for (size_t i = 0; i < layout.count; i++) {
            right |= layout.stretches[i].start + s.inside->header == value * g && !gap;
            gap |= layout.stretches[i].region == DEFRAG_REGION_FREE;
        }
        support_context("%s, cursor %zu", build->name, value);
        if (value != now)
            expect_range(&s, &s.inside->cursor, value, right);
    }
    layout_free(&layout);
    discard(&s);
}

/* The bound of holes is exact after compaction, and may be whatever a block can have. */
static void hole_bound_is_a_bound(const struct defrag_build *build)
{
    struct support_buffer buffer;
    const struct inside *inside = inside_of(build->name);
    defrag_handle h[5];
    struct specimen s = {.b = build, .inside = inside};
    s.pool = support_pool_of(build, &buffer, 80, NULL);
    for (size_t i = 0; i < 5; i++)
        EXPECT_STATUS(build->alloc(s.pool, support_payload(inside, 4 + 2 * i), &h[i]), DEFRAG_OK);
    EXPECT(build->lock(s.pool, h[1]) && build->lock(s.pool, h[3]), "no lock");
    EXPECT_STATUS(build->free(s.pool, &h[0]), DEFRAG_OK);
    EXPECT_STATUS(build->free(s.pool, &h[2]), DEFRAG_OK);
    EXPECT_STATUS(build->compact(s.pool), DEFRAG_OK);
    EXPECT(inside_load(s.pool, &inside->hole_bound) == 8,
           "the holes have 4 and 8 granules, and the bound is %u",
           (unsigned)inside_load(s.pool, &inside->hole_bound));
    for (size_t value = 0; value <= 90; value++)
        expect_range(&s, &inside->hole_bound, value, value <= 80);
    support_buffer_free(&buffer);
}

static void counters_have_ranges(const struct defrag_build *build)
{
    struct specimen s;
    make_rich(&s, build);
    const struct inside *in = s.inside;
    uint64_t free = support_statistics(build, s.pool).free_bytes / in->granule;
    uint64_t blocks = support_statistics(build, s.pool).live_blocks;
    uint64_t capacity = 160;
    for (unsigned value = (unsigned)in->granule; value < 256; value++)
        expect_range(&s, &in->skipped, value, false);
    expect_range(&s, &in->base, in->granule * 128, false);
    expect_range(&s, &in->base, 1, false);
    expect_range(&s, &in->free_lowest, free + 1, false);
    expect_range(&s, &in->free_lowest, UINT64_MAX, false);
    expect_range(&s, &in->peak_live, capacity + 1, false);
    expect_range(&s, &in->fewest_free, capacity + 1, false);
    expect_range(&s, &in->peak_blocks, in->slots_max, true);
    expect_range(&s, &in->peak_blocks, (uint64_t)in->slots_max + 1, false);
    expect_range(&s, &in->peak_blocks, blocks - 1, false);
    expect_range(&s, &in->peak_blocks, 0, false);
    discard(&s);
}

/* --- Damage of any kind ------------------------------------------------------------------------- */

static defrag_status touch(void *context, const defrag_block *block)
{
    const unsigned char *bytes = block->payload;
    unsigned *sum = context;
    for (size_t i = 0; i < block->payload_bytes; i++)
        *sum += bytes[i];
    return DEFRAG_OK;
}

static defrag_status stretch_is_inside(void *context, const defrag_block *block)
{
    const struct specimen *s = context;
    EXPECT(block->offset + block->bytes <= s->bytes, "a stretch ends at %zu", block->offset + block->bytes);
    return DEFRAG_OK;
}

/* What the functions that promise to withstand anything make of the pool. */
static void withstand(struct specimen *s)
{
    unsigned sum = 0;
    defrag_pool *pool;
    unsigned char *before = malloc(s->bytes);
    EXPECT(before, "out of memory");
    memcpy(before, s->pool, s->bytes);
    defrag_status check = s->b->check(s->pool);
    EXPECT(check == DEFRAG_OK || check == DEFRAG_CORRUPT || check == DEFRAG_BAD_ARGUMENT, "check answers %d",
           (int)check);
    defrag_status walk = s->b->walk(s->pool, touch, &sum);
    EXPECT(walk == DEFRAG_OK || walk == DEFRAG_CORRUPT || walk == DEFRAG_BAD_ARGUMENT, "walk answers %d",
           (int)walk);
    if (check == DEFRAG_OK)
        EXPECT(walk == DEFRAG_OK, "check finds the pool sound, walk does not");
    EXPECT(memcmp(before, s->pool, s->bytes) == 0, "check or walk changed the pool");
    defrag_status attach = s->b->attach(&pool, s->buffer.bytes, s->buffer.size, NULL);
    EXPECT((attach == DEFRAG_OK) == (pool != NULL), "attach answers %d and gives %p", (int)attach,
           (void *)pool);
    if (attach == DEFRAG_OK)
        EXPECT_STATUS(s->b->check(pool), DEFRAG_OK);
    else
        EXPECT(memcmp(before, s->pool, s->bytes) == 0, "a failed attach wrote");
    free(before);
}

/* What is the host's and the length are trusted by walk: they stay. */
static void repair_trusted(struct specimen *s)
{
    s->inside->set_limit(s->pool);
    memcpy(s->pool, s->image, s->inside->host_bytes);
    memcpy((unsigned char *)s->pool + s->inside->granules.byte, s->image + s->inside->granules.byte,
           s->inside->granules.width / 8);
}

static void damage_once(struct specimen *s, uint64_t *random)
{
    unsigned char *bytes = (unsigned char *)s->pool;
    size_t hits = (size_t)1 << support_below(random, 7);
    bool low = support_below(random, 2);
    for (size_t i = 0; i < hits; i++) {
        size_t at = support_below(random, s->bytes);
        unsigned char other = (unsigned char)support_random(random);
        bytes[at] = low ? (unsigned char)(other & 0x1f) : other;
    }
    if (support_below(random, 20) == 0)
        memset(bytes + s->bytes / 4, (int)support_below(random, 256), s->bytes / 2);
    repair_trusted(s);
}

/* A size that leads out of the pool, or nowhere: walk says so, and shows no stretch that is not in the pool. */
static void walk_ends_inside(const struct defrag_build *build)
{
    static struct inside_field fields[FIELDS];
    struct specimen s;
    make_rich(&s, build);
    unsigned found = 0;
    size_t count = s.inside->guarded(s.pool, fields, FIELDS);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(fields[i].name, "header.size") != 0 && strcmp(fields[i].name, "free.size") != 0)
            continue;
        for (size_t beyond = 0; beyond < 2; beyond++) {
            inside_store(s.pool, &fields[i], beyond ? s.bytes / s.inside->granule : 0);
            EXPECT_STATUS(build->walk(s.pool, stretch_is_inside, &s), DEFRAG_CORRUPT);
            restore(&s);
            found++;
        }
    }
    EXPECT(found > 20, "only %u sizes", found);
    discard(&s);
}

static void random_damage(const struct defrag_build *build)
{
    uint64_t random = 99;
    unsigned rounds = support_effort() * 40 + 20;
    for (size_t maker = 0; maker < MAKERS; maker++) {
        struct specimen s;
        makers[maker](&s, build);
        for (unsigned i = 0; i < rounds; i++) {
            support_context("%s, damage %u of specimen %zu", build->name, i, maker);
            restore(&s);
            damage_once(&s, &random);
            withstand(&s);
        }
        discard(&s);
    }
}

/* Damage in the fields that matter, several at a time. */
static void damaged_fields(const struct defrag_build *build)
{
    static struct inside_field fields[FIELDS];
    uint64_t random = 7;
    unsigned rounds = support_effort() * 40 + 20;
    struct specimen s;
    make_rich(&s, build);
    size_t count = s.inside->guarded(s.pool, fields, FIELDS);
    for (unsigned i = 0; i < rounds; i++) {
        support_context("%s, damage %u", build->name, i);
        restore(&s);
        for (size_t n = support_below(&random, 4) + 1; n-- > 0;) {
            const struct inside_field *field = &fields[support_below(&random, count)];
            const struct inside_field *other = &fields[support_below(&random, count)];
            inside_store(s.pool, field, inside_load(s.pool, other) + support_below(&random, 3) - 1);
        }
        repair_trusted(&s);
        withstand(&s);
    }
    discard(&s);
}

/* Nothing of it is an image. */
static void noise(const struct defrag_build *build)
{
    uint64_t random = 3;
    for (size_t bytes = 0; bytes < 3000; bytes += 1 + support_below(&random, 40)) {
        struct support_buffer buffer = support_buffer_new(bytes, support_below(&random, 16));
        defrag_pool *pool;
        for (size_t i = 0; i < bytes; i++)
            buffer.bytes[i] = (unsigned char)support_random(&random);
        defrag_status status = build->attach(&pool, buffer.bytes, bytes, NULL);
        EXPECT(status == DEFRAG_CORRUPT || status == DEFRAG_BAD_SIZE, "%zu bytes of noise: %d", bytes,
               (int)status);
        EXPECT(!pool, "attach failed and gave a pool");
        support_buffer_free(&buffer);
    }
}

int main(void)
{
    static const struct support_test tests[] = {
        {"every guarded field", every_guarded_field},
        {"a limit of another table", limit_of_another_table},
        {"fields exchanged", fields_exchanged},
        {"frauds", frauds},
        {"the cursor is a boundary", cursor_is_a_boundary},
        {"the bound of holes", hole_bound_is_a_bound},
        {"counters have ranges", counters_have_ranges},
        {"walk ends inside the pool", walk_ends_inside},
        {"random damage", random_damage},
        {"damaged fields", damaged_fields},
        {"noise", noise},
    };
    return support_run("the checker", tests, sizeof tests / sizeof tests[0]);
}
