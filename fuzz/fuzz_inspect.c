/* SPDX-License-Identifier: MIT */
/*
 * Dumps of pools, for `defrag-bench inspect`: whatever they hold, reading one never
 * crashes, reads outside or runs for ever; it finds something wrong exactly where
 * defrag_check() does; what it tells has neither gaps nor overlaps.
 *
 * Input: the first byte modulo 6 is 0, and all others are the file; or it is 1 to 5,
 * the build, and the others are
 *
 *   GRANULES     of the pool when it is empty, 4 and more
 *   N            calls, up to 63, 2 bytes each: which, and what with
 *   damage       the rest, 3 bytes each: a field that the checker guards, modulo
 *                their number, or any byte; and what is to be changed in it
 */
#include "fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support.h"
#include "tools/inspect.h"

const char fuzz_name[] = "inspect";

#define HANDLES_MAX 16
#define FIELDS_MAX  6000

struct input {
    const uint8_t *data;
    size_t size;
};

static unsigned take(struct input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

static void show(const struct inspection *inspection)
{
    printf("%s, %" PRIu64 " bytes at %zu, %zu blocks, %zu slots\n", inspection->build->name,
           inspection->bytes, inspection->file_offset, inspection->block_count, inspection->slot_count);
    if (inspection->fault.text[0])
        printf("0x%" PRIx64 ": %s\n", inspection->fault.offset, inspection->fault.text);
}

static void expect_whole(const struct inspection *inspection)
{
    uint64_t at = inspection->blocks_offset;
    for (size_t i = 0; i < inspection->block_count; i++) {
        EXPECT(inspection->blocks[i].offset == at, "a gap or an overlap at 0x%" PRIx64, at);
        at += inspection->blocks[i].bytes;
    }
    EXPECT(at == inspection->table_offset && at <= inspection->bytes, "the blocks end at 0x%" PRIx64, at);
    EXPECT(inspection->fault.offset < inspection->bytes, "damage beyond the pool");
}

static void inspect(const uint8_t *bytes, size_t count)
{
    struct inspection inspection;
    struct inspect_error error = {""};
    size_t at = 0;
    uint64_t length = 0;
    enum inspect_result short_of = inspect_length(bytes, count, 0, &at, &length, &error);
    enum inspect_result result = inspect_read(&inspection, bytes, count, 0, &error);
    EXPECT(result == short_of || (result == INSPECT_NO_POOL && length > count - at),
           "%d, and of its length %d", result, short_of);
    if (result != INSPECT_READ) {
        EXPECT(error.text[0], "refused without a word");
        if (fuzz_shows())
            puts(error.text);
        return;
    }
    if (fuzz_shows())
        show(&inspection);
    bool damaged = inspection.build->check(inspection.pool) != DEFRAG_OK;
    EXPECT(damaged == (inspection.fault.text[0] != '\0'), "check %s content; 0x%" PRIx64 ": %s",
           damaged ? "is not" : "is", inspection.fault.offset, inspection.fault.text);
    expect_whole(&inspection);
    inspect_release(&inspection);
}

/* --- A pool of the target's own ------------------------------------------------------- */

static void call(const struct defrag_build *b, defrag_pool *pool, defrag_handle handles[HANDLES_MAX],
                 unsigned which, unsigned with)
{
    defrag_handle *handle = &handles[which / 8 % HANDLES_MAX];
    switch (which % 8) {
    case 0:
        if (handle->bits == 0)
            (void)!b->alloc_request(
                pool, &(defrag_request){.bytes = with, .alignment = (size_t)b->alignment << which / 8 % 4},
                handle);
        break;
    case 1:
        if (handle->bits == 0)
            (void)!b->alloc(pool, with, handle);
        break;
    case 2:
        (void)b->free(pool, handle);
        break;
    case 3:
        (void)!b->resize(pool, *handle, with);
        break;
    case 4:
        (void)!b->lock(pool, *handle);
        break;
    case 5:
        (void)!b->lock_shared(pool, *handle);
        break;
    case 6:
        (void)b->unlock(pool, *handle);
        break;
    default:
        (void)!b->compact_step(pool, with, NULL);
        break;
    }
}

static void damage(struct input *input, struct support_buffer *buffer, defrag_pool *pool,
                   const struct inside *inside)
{
    static struct inside_field fields[FIELDS_MAX];
    size_t count = inside->guarded(pool, fields, FIELDS_MAX);
    EXPECT(count <= FIELDS_MAX, "%zu fields", count);
    while (input->size > 0) {
        unsigned kind = take(input), at = take(input) | (kind & 15u) << 8, what = take(input);
        const struct inside_field *field = &fields[at % count];
        if (kind & 128)
            buffer->bytes[at % buffer->size] = (unsigned char)what;
        else if (kind & 64)
            inside_store(pool, field, what);
        else
            inside_store(pool, field, inside_load(pool, field) ^ UINT64_C(1) << what % field->bits);
    }
}

static void try_pool(struct input *input, const struct defrag_build *build)
{
    struct support_buffer buffer;
    defrag_handle handles[HANDLES_MAX] = {{0}};
    defrag_pool *pool = support_pool_of(build, &buffer, 4 + take(input), NULL);
    for (unsigned calls = take(input) % 64; calls > 0; calls--) {
        unsigned which = take(input), with = take(input);
        call(build, pool, handles, which, with);
    }
    EXPECT_STATUS(build->check(pool), DEFRAG_OK);
    damage(input, &buffer, pool, inside_of(build->name));
    inspect(buffer.bytes, buffer.size);
    support_buffer_free(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return -1;
    struct input input = {data + 1, size - 1};
    unsigned build = data[0] % 6;
    support_context("%s", build ? defrag_builds[build - 1]->name : "a file");
    if (build)
        try_pool(&input, defrag_builds[build - 1]);
    else
        inspect(input.data, input.size);
    return 0;
}
