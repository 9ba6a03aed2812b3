/* SPDX-License-Identifier: MIT */
/*
 * A device that logs events of many sizes and compacts while it is idle, a few
 * bytes at a time, so that its interrupts never wait long. It shows a
 * configuration: the critical section that an interrupt handler shares, and the
 * hook that keeps the descriptor of an idle DMA channel on a block that moves.
 *
 * cc paced.c $(pkg-config --cflags --libs libdefrag)
 */
#include <defrag.h>
#include <stdio.h>
#include <string.h>

#define EVENTS      64
#define IDLE_BUDGET 128 /* bytes moved before the next look at the clock */

struct device {
    unsigned interrupts_off; /* on a microcontroller: PRIMASK, saved and restored */
    defrag_handle dma_block;
    void *dma_address;
};

static void interrupts_disable(void *context)
{
    struct device *device = context;
    device->interrupts_off++;
}

static void interrupts_enable(void *context)
{
    struct device *device = context;
    device->interrupts_off--;
}

static void follow_move(void *context, defrag_handle handle, void *from, void *to, size_t bytes)
{
    struct device *device = context;
    (void)bytes;
    if (handle.bits == device->dma_block.bits && device->dma_address == from)
        device->dma_address = to;
}

DEFRAG_POOL_DEFINE(memory, 8192);

/* Events of 16 to 79 bytes; a third of them is done with at once. The last one is for the DMA. */
static defrag_status fill(defrag_pool *pool, struct device *device, defrag_handle events[EVENTS])
{
    defrag_status status = DEFRAG_OK;
    for (unsigned i = 0; i < EVENTS && status == DEFRAG_OK; i++)
        status = defrag_alloc(pool, 16 + i * 37 % 64, &events[i]);
    for (unsigned i = 0; i < EVENTS && status == DEFRAG_OK; i += 3)
        status = defrag_free(pool, &events[i]);
    device->dma_block = events[EVENTS - 2];
    DEFRAG_WITH(char, text, pool, device->dma_block) {
        strcpy(text, "sent by DMA");
        device->dma_address = text;
    }
    return status;
}

/* Returns the number of steps that compaction took. */
static unsigned idle(defrag_pool *pool)
{
    unsigned steps = 1;
    while (defrag_compact_step(pool, IDLE_BUDGET, NULL) == DEFRAG_MORE)
        steps++; /* here an event that has come in would be served first */
    return steps;
}

int main(void)
{
    struct device device = {0};
    const defrag_config config = {
        .enter = interrupts_disable,
        .leave = interrupts_enable,
        .section_context = &device,
        .on_move = follow_move,
        .move_context = &device,
    };
    defrag_handle events[EVENTS];
    defrag_pool *pool;
    defrag_statistics before, after;
    if (defrag_init(&pool, memory, sizeof memory, &config) != DEFRAG_OK
        || fill(pool, &device, events) != DEFRAG_OK)
        return 1;

    defrag_statistics_get(pool, &before);
    unsigned steps = idle(pool);
    defrag_statistics_get(pool, &after);
    printf("holes: %zu before, %zu after %s one step\n", before.free_blocks, after.free_blocks,
           steps > 1 ? "more than" : "just");
    printf("largest request served at once: %s\n",
           after.largest_fast > before.largest_fast ? "larger than before" : "as before");
    /* The program itself may look at the bytes under a lock alone. */
    DEFRAG_WITH_SHARED(char, text, pool, device.dma_block)
        printf("at the DMA's address: %s\n", text == device.dma_address ? text : "something else");
    return device.interrupts_off == 0 ? 0 : 1;
}
