/* SPDX-License-Identifier: MIT */
/* What moving a block of 1 KiB costs, in thousandths of an instruction a byte. */
#include "counts.h"

#include <stdio.h>

#include "lib/mover.h"

#define PAYLOAD 1024u

/* By `distance` granules, down and up again. */
static void move(df_granules distance, const char *what)
{
    defrag_handle handle;
    uint32_t down, up;
    counts_demand(!defrag_init(&pool, memory, 65536, NULL) && !defrag_alloc(pool, PAYLOAD - 4, &handle), "alloc");
    df_granules low = DF_FIRST, high = low + distance;
    df_word header = block_header(pool, low);
    (void)COUNTED(up, df_move_up, pool, low, high, header);
    (void)COUNTED(down, df_move_down, pool, high, low, header);
    counts_demand(!defrag_check(pool), "the pool is damaged");
    printf("%s, down\t%lu\n", what, (unsigned long)(down * 1000 / PAYLOAD));
    printf("%s, up\t%lu\n", what, (unsigned long)(up * 1000 / PAYLOAD));
}

void mover_counts(void)
{
    move(1, "by a granule");
    move(1000, "far away");
}
