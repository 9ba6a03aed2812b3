/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as the image of a pool: attach, check and walk never crash, never
 * read outside the given length, never run for ever.
 *
 * Input: the first byte, modulo 5, is the build; the rest is the buffer.
 */
#include "fuzz.h"

#include <string.h>

#include "tests/support.h"

const char fuzz_name[] = "image";

static defrag_status visit(void *context, const defrag_block *block)
{
    *(size_t *)context += block->bytes;
    return DEFRAG_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return -1;
    const struct defrag_build *build = defrag_builds[data[0] % 5];
    support_context("%s, %zu bytes", build->name, size - 1);
    struct support_buffer buffer = support_buffer_new(size - 1, 0);
    memcpy(buffer.bytes, data + 1, size - 1);
    defrag_pool *pool;
    if (build->attach(&pool, buffer.bytes, buffer.size, NULL) == DEFRAG_OK) {
        size_t total = 0;
        EXPECT_STATUS(build->check(pool), DEFRAG_OK);
        EXPECT_STATUS(build->walk(pool, visit, &total), DEFRAG_OK);
        EXPECT(total <= buffer.size, "%zu bytes of blocks in %zu bytes", total, buffer.size);
    } else {
        EXPECT(memcmp(buffer.bytes, data + 1, size - 1) == 0, "attach wrote into what it refused");
    }
    support_buffer_free(&buffer);
    return 0;
}
