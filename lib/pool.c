/* SPDX-License-Identifier: MIT */
/* From a buffer to a pool: a new one, or one whose image the buffer holds. */
#include "check.h"

/* Granules of a pool that holds one block of the smallest size. */
#define GRANULES_MIN (DF_FIRST + BLOCK_MIN + TABLE_GRANULES_MIN)

static bool config_is_sound(const defrag_config *config)
{
    uint32_t known = DEFRAG_MANUAL | (DEFRAG_NO_SCRAMBLE ? 0 : DEFRAG_SCRAMBLE);
    return config == NULL || ((config->flags & ~known) == 0 && !config->enter == !config->leave);
}

static void set_config(defrag_pool *pool, const defrag_config *config)
{
    (void)memset(pool->host, 0, sizeof pool->host);
    (void)memcpy(pool->host, &config, sizeof config); /* NOLINT(bugprone-sizeof-*): the pointer itself */
    pool->hot_limit = heap_hot_limit(pool);
}

/* Bytes from `buffer` to its first aligned byte. */
static size_t skip_to_aligned(const void *buffer)
{
    return (DF_GRANULE - (uintptr_t)buffer % DF_GRANULE) % DF_GRANULE;
}

static defrag_pool *pool_at(void *buffer, size_t skipped)
{
    return (defrag_pool *)(void *)((uint8_t *)buffer + skipped);
}

/* Writes down where the pool lies. */
static void note_place(defrag_pool *pool, size_t skipped)
{
    pool->skipped = (uint8_t)skipped;
    pool->base = (df_half)((uintptr_t)pool % DF_LARGEST_ALIGNMENT);
}

/* Closes the pool but for its control block and its locked blocks. */
static void watch_blocks(const defrag_pool *pool)
{
    watch_begin(pool, block_bytes(DF_FIRST) - DF_WORD, block_bytes(pool->granules));
    for (uint32_t slot = 1; slot <= table_slots(pool); slot++) {
        df_word entry = table_entry(pool, slot);
        if (entry_is_empty(entry))
            continue;
        df_granules o = entry_offset(entry);
        watch_born(pool, heap_payload(pool, entry, o),
                   heap_payload_bytes(entry, header_size(block_header(pool, o))));
        heap_watch(pool, entry);
    }
}

static void format(defrag_pool *pool, df_granules granules)
{
    (void)memset(pool, 0, block_bytes(DF_FIRST) - DF_WORD);
    pool->magic = DF_MAGIC;
    pool->version = DF_IMAGE_VERSION;
    pool->wide = DEFRAG_WIDE;
    pool->alignment = DEFRAG_ALIGNMENT;
    pool->granules = (df_half)granules;
    df_table_format(pool);
    bins_format(pool);
    block_set_top(pool, DF_FIRST);
    pool->cursor = (df_half)DF_FIRST;
    pool->free = (df_half)heap_wilderness(pool);
    pool->free_lowest = pool->free;
    pool->fewest_free = pool->free;
}

defrag_status defrag_init(defrag_pool **out, void *buffer, size_t bytes, const defrag_config *or_null)
{
    if (out == NULL)
        return DEFRAG_BAD_ARGUMENT;
    *out = NULL;
    if (buffer == NULL || !config_is_sound(or_null))
        return DEFRAG_BAD_ARGUMENT;
    size_t skipped = skip_to_aligned(buffer);
    if (bytes < skipped)
        return DEFRAG_BAD_SIZE;
    uint64_t granules = (bytes - skipped) / DF_GRANULE;
    if (granules < GRANULES_MIN || granules > DF_HALF_MAX)
        return DEFRAG_BAD_SIZE;

    defrag_pool *pool = pool_at(buffer, skipped);
    watch_open(pool, block_bytes(DF_FIRST) - DF_WORD);
    format(pool, (df_granules)granules);
    note_place(pool, skipped);
    set_config(pool, or_null);
    if (DF_WATCHED)
        watch_blocks(pool);
    *out = pool;
    return DEFRAG_OK;
}

defrag_status defrag_detach(defrag_pool *pool)
{
    defrag_status status = df_heap_enter(pool);
    if (status == DEFRAG_BAD_ARGUMENT)
        return status;
    watch_end(pool, block_bytes(pool->granules));
    if (status == DEFRAG_OK)
        heap_leave(pool);
    return DEFRAG_OK;
}

/* Whether the image in the pool, of which `bytes` bytes can be read, is one of this build's. */
static defrag_status check_origin(const defrag_pool *pool, size_t bytes)
{
    if (pool->magic == __builtin_bswap32(DF_MAGIC))
        return DEFRAG_BAD_ARGUMENT;
    if (pool->magic != DF_MAGIC)
        return DEFRAG_CORRUPT;
    if (pool->version != DF_IMAGE_VERSION || pool->wide != DEFRAG_WIDE || pool->alignment != DEFRAG_ALIGNMENT)
        return DEFRAG_BAD_ARGUMENT;
    if (bytes < sizeof *pool || pool->granules > bytes / DF_GRANULE)
        return DEFRAG_BAD_SIZE;
    return pool->granules < GRANULES_MIN ? DEFRAG_CORRUPT : DEFRAG_OK;
}

/* Whether no payload is aligned otherwise here than where the image, which is in order, was taken. */
static bool is_congruent(const defrag_pool *pool)
{
    unsigned largest = 0;
    for (uint32_t slot = 1; slot <= table_slots(pool); slot++) {
        unsigned align = entry_align(table_entry(pool, slot));
        largest = align > largest ? align : largest;
    }
    return ((uintptr_t)pool - pool->base) % (DF_GRANULE << largest) == 0;
}

defrag_status defrag_attach(defrag_pool **out, void *buffer, size_t bytes, const defrag_config *or_null)
{
    if (out == NULL)
        return DEFRAG_BAD_ARGUMENT;
    *out = NULL;
    if (buffer == NULL || !config_is_sound(or_null))
        return DEFRAG_BAD_ARGUMENT;
    size_t skipped = skip_to_aligned(buffer);
    if (bytes < skipped || bytes - skipped < offsetof(struct defrag_pool, hot_limit))
        return DEFRAG_BAD_SIZE;

    defrag_pool *pool = pool_at(buffer, skipped);
    defrag_status status = check_origin(pool, bytes - skipped);
    if (status == DEFRAG_OK && !df_check(pool))
        status = DEFRAG_CORRUPT;
    if (status == DEFRAG_OK && !is_congruent(pool))
        status = DEFRAG_BAD_ARGUMENT;
    if (status != DEFRAG_OK)
        return status;
    note_place(pool, skipped);
    set_config(pool, or_null);
    if (DF_WATCHED)
        watch_blocks(pool);
    *out = pool;
    return DEFRAG_OK;
}
