/* SPDX-License-Identifier: MIT */
/* What moving a block of 1 KiB costs, in thousandths of an instruction a byte. */
#include "counts.h"

#include <stdio.h>

#include "lib/mover.h"

#define PAYLOAD 1024u

static void fill(defrag_handle handle)
{
    uint32_t *words = defrag_lock(pool, handle);
    for (uint32_t i = 0; i < defrag_size(pool, handle) / 4; i++)
        words[i] = i;
    counts_demand(!defrag_unlock(pool, handle), "unlock");
}

static void verify(defrag_handle handle)
{
    const uint32_t *words = defrag_lock_shared(pool, handle);
    for (uint32_t i = 0; i < defrag_size(pool, handle) / 4; i++)
        counts_demand(words[i] == i, "a move loses contents");
    counts_demand(!defrag_unlock(pool, handle), "unlock");
}

/* By `distance` granules, up and down again. */
static void move(df_granules distance, const char *what)
{
    defrag_handle handle;
    uint32_t down, up;
    counts_demand(!defrag_init(&pool, memory, 65536, NULL), "init");
    counts_demand(!defrag_alloc(pool, PAYLOAD - 4, &handle), "alloc");
    fill(handle);
    df_granules low = DF_FIRST, high = low + distance;
    df_word header = block_header(pool, low);
    (void)COUNTED(up, df_move_up, pool, low, high, header);
    verify(handle);
    (void)COUNTED(down, df_move_down, pool, high, low, header);
    verify(handle);
    block_set_top(pool, low + PAYLOAD / DF_GRANULE); /* which the block was moved over */
    counts_demand(!defrag_check(pool), "the pool is damaged");
    printf("%s, down\t%lu\n", what, (unsigned long)(down * 1000 / PAYLOAD));
    printf("%s, up\t%lu\n", what, (unsigned long)(up * 1000 / PAYLOAD));
}

void mover_counts(void)
{
    move(1, "by a granule");
    move(1000, "far away");
}
