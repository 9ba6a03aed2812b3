/* SPDX-License-Identifier: MIT */
/* Compiled once for each build, with its DEFRAG_PREFIX; see inside.h. */
#include "lib/bins.h"
#include "lib/table.h"

#include "inside.h"

static uint32_t slot_of(defrag_handle handle)
{
    return handle_slot(handle.bits);
}

static unsigned generation_of(defrag_handle handle)
{
    return handle.bits >> TABLE_GEN_SHIFT & 0xff;
}

static defrag_handle handle_of(uint32_t slot, unsigned generation)
{
    return handle_make(slot, (df_word)generation << TABLE_GEN_SHIFT);
}

static unsigned seed(const defrag_pool *pool)
{
    return pool->seed;
}

static unsigned bin_of(size_t granules)
{
    return bins_of((df_granules)granules);
}

static void failure_counters(size_t *first, size_t *end)
{
    *first = offsetof(defrag_pool, failed);
    *end = *first + sizeof ((defrag_pool *)0)->failed;
}

#define TEXT_(x) #x
#define TEXT(x)  TEXT_(x)
#if DEFRAG_WIDE
#define NAME "w" TEXT(DEFRAG_ALIGNMENT)
#else
#define NAME "n" TEXT(DEFRAG_ALIGNMENT)
#endif

const struct inside DEFRAG_NAME(inside) = {
    .name = NAME,
    .granule = DF_GRANULE,
    .header = DF_WORD,
    .smallest = BLOCK_MIN,
    .granules_max = DF_HALF_MAX,
    .slots_max = TABLE_SLOTS_MAX,
    .host_bytes = DF_HOST_BYTES,
    .slot_of = slot_of,
    .generation_of = generation_of,
    .handle_of = handle_of,
    .seed = seed,
    .bin_of = bin_of,
    .failure_counters = failure_counters,
};
