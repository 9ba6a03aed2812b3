/* SPDX-License-Identifier: MIT */
#include "arrange.h"

#include <stdint.h>

#include "support.h"

struct arranging {
    const struct arrange_heap *heap;
    size_t highest[ARRANGE_BLOCKS]; /* where each block can be, for those above to find room */
    size_t *fewest;                 /* by the longest gap                                    */
};

void arrange_read(struct arrange_heap *heap, const struct layout *layout)
{
    *heap = (struct arrange_heap){.blocks = 0};
    for (size_t i = 0; i < layout->count; i++) {
        const struct stretch *s = &layout->stretches[i];
        if (s->region == DEFRAG_REGION_USED) {
            EXPECT(heap->blocks < ARRANGE_BLOCKS, "more than %d blocks", ARRANGE_BLOCKS);
            heap->size[heap->blocks] = s->granules;
            heap->pinned[heap->blocks] = s->pinned;
            heap->at[heap->blocks++] = heap->cells;
        }
        heap->cells += s->granules;
    }
    EXPECT(heap->cells <= ARRANGE_CELLS, "more than %d cells", ARRANGE_CELLS);
}

/* The blocks from `i` on; those before end at `end`, with gaps of up to `gap` between them. */
static void arrange(const struct arranging *a, size_t i, size_t end, size_t gap, size_t moved)
{
    const struct arrange_heap *heap = a->heap;
    if (i == heap->blocks) {
        gap = heap->cells - end > gap ? heap->cells - end : gap;
        if (moved < a->fewest[gap])
            a->fewest[gap] = moved;
        return;
    }
    for (size_t at = end; at <= a->highest[i]; at++) {
        bool stays = at == heap->at[i];
        if (!heap->pinned[i] || stays)
            arrange(a, i + 1, at + heap->size[i], at - end > gap ? at - end : gap,
                    moved + (stays ? 0 : heap->size[i]));
    }
}

void arrange_fewest_moved(const struct arrange_heap *heap, size_t fewest[ARRANGE_CELLS + 1])
{
    for (size_t need = 0; need <= heap->cells; need++)
        fewest[need] = SIZE_MAX;
    struct arranging arranging = {.heap = heap, .fewest = fewest};
    size_t end = heap->cells;
    for (size_t i = heap->blocks; i-- > 0;)
        arranging.highest[i] = end = heap->pinned[i] ? heap->at[i] : end - heap->size[i];
    arrange(&arranging, 0, 0, 0, 0);
    /* A longer gap will do as well. */
    for (size_t need = heap->cells; need > 0; need--)
        if (fewest[need] < fewest[need - 1])
            fewest[need - 1] = fewest[need];
}

size_t arrange_fewest_touched(const struct arrange_heap *heap, size_t need)
{
    size_t fewest = SIZE_MAX;
    for (size_t from = 0; from + need <= heap->cells; from++) {
        size_t touched = 0;
        bool pinned = false;
        for (size_t i = 0; i < heap->blocks; i++)
            if (heap->at[i] < from + need && heap->at[i] + heap->size[i] > from) {
                touched += heap->size[i];
                pinned |= heap->pinned[i];
            }
        if (!pinned && touched < fewest)
            fewest = touched;
    }
    return fewest;
}
