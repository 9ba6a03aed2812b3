/* SPDX-License-Identifier: MIT */
#include "support.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESIDUES 2048u

static char context[512];

unsigned support_effort(void)
{
    const char *text = getenv("DEFRAG_TEST_EFFORT");
    unsigned long effort = text && *text ? strtoul(text, NULL, 10) : 100;
    if (effort < 1)
        return 1;
    return effort > 1000000 ? 1000000 : (unsigned)effort;
}

void support_context(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context, sizeof context, format, arguments);
    va_end(arguments);
}

void support_fail(const char *file, int line, const char *format, ...)
{
    char text[768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    support_report(file, line, context, text);
}

static const char *status_text(int status)
{
    const char *text = defrag_builds[0]->status_string((defrag_status)status);
    return text ? text : "(null)";
}

void support_expect_status(const char *file, int line, const char *text, int actual, int expected)
{
    if (actual != expected)
        support_fail(file, line, "%s is %s, not %s", text, status_text(actual), status_text(expected));
}

struct support_buffer support_buffer_new(size_t size, size_t residue)
{
    struct support_buffer buffer = {NULL, size, NULL};
    size_t shift = residue % RESIDUES;
    if (posix_memalign(&buffer.whole, RESIDUES, shift + size + (shift + size == 0)) != 0)
        abort();
    buffer.bytes = (unsigned char *)buffer.whole + shift;
    memset(buffer.bytes, 0xa5, size);
    return buffer;
}

void support_buffer_free(struct support_buffer *buffer)
{
    free(buffer->whole);
    *buffer = (struct support_buffer){NULL, 0, NULL};
}

defrag_pool *support_pool_of(const struct defrag_build *build, struct support_buffer *buffer,
                             size_t granules, const defrag_config *config)
{
    struct support_buffer probe = support_buffer_new(4096, 0);
    defrag_pool *pool;
    EXPECT_STATUS(build->init(&pool, probe.bytes, probe.size, NULL), DEFRAG_OK);
    defrag_statistics statistics = support_statistics(build, pool);
    size_t fixed = statistics.pool_bytes - statistics.free_bytes;
    support_buffer_free(&probe);
    *buffer = support_buffer_new(fixed + granules * build->alignment, 0);
    EXPECT_STATUS(build->init(&pool, buffer->bytes, buffer->size, config), DEFRAG_OK);
    statistics = support_statistics(build, pool);
    EXPECT(statistics.free_bytes == granules * build->alignment, "a pool for %zu granules has %zu free bytes",
           granules, statistics.free_bytes);
    return pool;
}

uint64_t support_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

size_t support_below(uint64_t *state, size_t below)
{
    return below ? (size_t)(support_random(state) % below) : 0;
}

defrag_statistics support_statistics(const struct defrag_build *build, const defrag_pool *pool)
{
    defrag_statistics statistics;
    memset(&statistics, 0xee, sizeof statistics);
    build->statistics_get(pool, &statistics);
    return statistics;
}

size_t support_payload(const struct inside *inside, size_t granules)
{
    return granules * inside->granule - inside->header;
}

size_t support_granules(const struct inside *inside, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return SIZE_MAX / inside->granule;
    size_t granules = (bytes + inside->header + inside->granule - 1) / inside->granule;
    return granules < inside->smallest ? inside->smallest : granules;
}

void support_make_gaps(const struct defrag_build *b, defrag_pool *pool)
{
    defrag_handle handles[12];
    for (size_t i = 0; i < 12; i++)
        EXPECT_STATUS(b->alloc(pool, 20, &handles[i]), DEFRAG_OK);
    for (size_t i = 0; i < 12; i += 2)
        EXPECT_STATUS(b->free(pool, &handles[i]), DEFRAG_OK);
}
