/* SPDX-License-Identifier: MIT */
#include "gather.h"

/* The window of all between `o` and the last block below it that stays. */
static struct slide_window window_below(const defrag_pool *pool, df_granules o)
{
    struct slide_window window = {DF_FIRST, 0, 0, false};
    for (df_granules at = DF_FIRST; at < o; at += block_size(pool, at, block_header(pool, at)))
        df_window_add(pool, &window, at);
    return window;
}

void df_gather_run(const defrag_pool *pool, df_granules o, df_granules need, df_granules limit, bool below,
                   struct slide_run *best)
{
    df_granules own = header_size(block_header(pool, o));
    struct slide_window window = {o, 0, 0, false};
    if (below)
        window = window_below(pool, o);
    df_granules end = o + own;
    df_granules above = 0;
    *best = (struct slide_run){0, 0, limit, false};
    for (;;) {
        df_window_shrink(pool, &window, need, o);
        df_granules live = window.live + (window.begin < o ? own : 0);
        if (window.length >= need && live < best->live)
            *best = (struct slide_run){window.begin, end, live, true};
        if (end == pool->floor)
            return;

        /* Every run that reaches further has these blocks in it. */
        df_word header = block_header(pool, end);
        while (header_is_used(header) && !mover_stays(pool, end, header) && above < best->live) {
            above += header_size(header);
            window.live += header_size(header);
            end += header_size(header);
            header = block_header(pool, end);
        }
        if (header_is_used(header))
            return;
        df_granules gap = header_is_top(header) ? heap_wilderness(pool) : block_free_size(pool, end, header);
        if (gap == 0)
            return;
        window.length += gap;
        end += gap;
    }
}

/*
 * Used blocks that will slide up have to be visited from the last to the first,
 * and know only their own size. So each header is lent the size of the used
 * block before it, 0 in the first, while the last one's is kept here.
 */
struct chain {
    df_granules last; /* the last used block */
    df_granules size; /* its size            */
    df_granules live; /* of all of them      */
};

/* Lends the sizes of the used blocks of [begin, end) and takes its gaps out of their bins. */
static struct chain chain_make(defrag_pool *pool, df_granules begin, df_granules end)
{
    struct chain chain = {0, 0, 0};
    for (df_granules o = begin; o < end;) {
        df_word header = block_header(pool, o);
        if (header_is_used(header)) {
            df_granules size = header_size(header);
            block_set_header(pool, o, header_with_size(header, chain.size));
            chain.last = o;
            chain.size = size;
            chain.live += size;
            o += size;
        } else {
            o += df_bins_remove(pool, o, header);
        }
    }
    return chain;
}

/* Moves the blocks of the chain up so that they end at `limit`; returns where they begin. */
static df_granules chain_lift(defrag_pool *pool, struct chain chain, df_granules limit)
{
    df_granules from = chain.last;
    df_granules size = chain.size;
    while (size != 0) {
        df_word header = block_header(pool, from);
        df_granules size_below = header_size(header);
        df_granules gap_below = (header & BLOCK_PREV_FREE) != 0 ? block_size_before(pool, from) : 0;
        limit -= size;
        df_move_up(pool, from, limit, header_with_size(header, size));
        from -= gap_below + size_below;
        size = size_below;
    }
    return limit;
}

/*
 * Makes the block at `place` `want` granules long; what is left up to `ceiling` is free, and a used block
 * there knows of none before it.
 */
static void gather_finish(defrag_pool *pool, df_granules place, df_granules want, df_granules ceiling)
{
    df_granules end = place + want;
    block_set_header(pool, place, header_with_size(block_header(pool, place), want));
    if (ceiling == pool->top) {
        block_set_top(pool, end);
        return;
    }
    df_word header = block_header(pool, ceiling);
    if (!header_is_used(header))
        ceiling += df_bins_remove(pool, ceiling, header);
    if (ceiling != end) {
        df_bins_insert(pool, end, ceiling - end);
        block_set_prev_free(pool, ceiling);
    }
}

void df_gather(defrag_pool *pool, df_granules o, df_granules want, const struct slide_run *run)
{
    df_granules own = header_size(block_header(pool, o));
    mover_begin(pool);
    df_granules place = run->begin < o ? df_slide_down(pool, run->begin, o + own) - own : o;
    df_granules ceiling;
    if (run->end > pool->top) {
        /* The wilderness gives only what is wanted. */
        struct chain chain = chain_make(pool, o + own, pool->top);
        block_set_top(pool, place + want + chain.live);
        ceiling = chain_lift(pool, chain, pool->top);
    } else {
        ceiling = chain_lift(pool, chain_make(pool, o + own, run->end), run->end);
        if (header_is_used(block_header(pool, run->end)))
            block_set_prev_used(pool, run->end);
    }
    gather_finish(pool, place, want, ceiling);
    mover_end(pool);
    heap_note_used(pool, want - own);
    heap_lower_cursor(pool, run->begin);
}

/*
 * The end of the gaps from `place` on that hold `size` granules together, less `grow` of the
 * wilderness; 0: none.
 */
static df_granules lift_end(const defrag_pool *pool, df_granules place, df_granules size, df_granules grow)
{
    df_granules gaps = 0;
    for (df_granules o = place; o < pool->top;) {
        df_word header = block_header(pool, o);
        if (!header_is_used(header))
            gaps += block_free_size(pool, o, header);
        else if (mover_stays(pool, o, header))
            return 0;
        o += block_size(pool, o, header);
        if (gaps >= size)
            return o;
    }
    return gaps + heap_wilderness(pool) >= size + grow ? pool->floor : 0;
}

/*
 *   [ A ][ gap ][ B ][ gap ]  ->  [ gap      ][ A ][ B ]
 *   place                  end    place
 */
bool df_lift(defrag_pool *pool, df_granules place, df_granules size, df_granules grow)
{
    df_granules end = lift_end(pool, place, size, grow);
    if (end == 0)
        return false;
    mover_begin(pool);
    bool to_top = end > pool->top;
    struct chain chain = chain_make(pool, place, to_top ? pool->top : end);
    if (to_top) {
        end = place + size + chain.live;
        block_set_top(pool, end);
    } else {
        block_set_prev_used(pool, end);
    }
    df_granules ceiling = chain_lift(pool, chain, end);
    df_bins_insert(pool, place, ceiling - place);
    block_set_prev_free(pool, ceiling);
    mover_end(pool);
    heap_lower_cursor(pool, place);
    return true;
}
