/* SPDX-License-Identifier: MIT */
/*
 * Compaction.
 *
 * Gaps are the free blocks and the wilderness. Locked blocks cut the pool into
 * segments; within one, sliding blocks down adds gaps up, in order:
 *
 *   [ gap ][ A ][ gap ][ B ][ gap ]  ->  [ A ][ B ][ gap          ]
 *   begin                          end
 *
 * Making room. Of all runs with gaps of at least `need` granules together, the
 * cheapest has the fewest live granules strictly inside. For each last gap the
 * nearest first gap is found with two marks that only move up, so the search is
 * one pass. No rearrangement that keeps the order of the blocks moves less: around
 * its final gap take the nearest block on each side that stays; all between them
 * moved, and their gaps hold the final one, so that they are such a run.
 *
 * If the table has to grow and the wilderness is empty, the blocks above the
 * last gap have to move whatever else does. They are kept out of the search,
 * whose last gap is then the one below them, less what the table takes.
 *
 * Steps. The cursor is a boundary between two blocks. A gap below it lies below
 * a locked block that is marked as passed by; so nothing there can slide. Calls
 * that free memory or swallow a boundary lower the cursor, see
 * heap_lower_cursor(); unlocking a marked block lowers it to the gap.
 */
#include "check.h"
#include "compact.h"
#include "guard.h"

/* --- Sliding --------------------------------------------------------------------- */

/* Slides the used blocks of [begin, end) down to `begin` and takes its gaps out of their bins. */
static df_granules slide_down(defrag_pool *pool, df_granules begin, df_granules end)
{
    df_granules to = begin;
    for (df_granules from = begin, last = 0;
         from < end && (!DEFRAG_HARDENING || from > last);) { /* coverage: as in word_is_writable() */
        df_word header = block_header(pool, from);
        last = from; /* NOLINT(*DeadStores): only a hardened build looks at it */
        if (header_is_used(header)) {
            df_granules size = header_size(header);
            df_move_down(pool, from, to, header);
            to += size;
            from += size;
        } else {
            from += df_bins_remove(pool, from, header);
        }
    }
    return to;
}

df_granules df_slide(defrag_pool *pool, df_granules begin, df_granules end)
{
    mover_begin(pool);
    df_granules to = slide_down(pool, begin, end);
    if (end == pool->top) {
        block_set_top(pool, to);
    } else {
        df_bins_insert(pool, to, end - to);
        block_set_prev_free(pool, end);
    }
    mover_end(pool);
    heap_lower_cursor(pool, begin);
    return to;
}

/* --- The cheapest slide ---------------------------------------------------------------- */

/* The run that ends at the mark, as a search carries it along. */
struct window {
    df_granules begin; /* its first gap                          */
    df_granules gaps;  /* granules in its gaps                   */
    df_granules live;  /* granules in the blocks strictly inside */
};

/*
 * Drops the first gap as long as the others add up to `need`; the window then
 * begins at the next gap, at `last` in the end.
 */
static void window_shrink(const defrag_pool *pool, struct window *window, df_granules need, df_granules last)
{
    while (window->begin != last) {
        df_granules o = window->begin;
        df_granules gap = block_free_size(pool, o, block_header(pool, o));
        if (window->gaps - gap < need)
            return;
        window->gaps -= gap;
        o += gap;
        while (o != last && header_is_used(block_header(pool, o))) {
            df_granules size = header_size(block_header(pool, o));
            window->live -= size;
            o += size;
        }
        window->begin = o;
    }
}

/* Takes the gap of `size` granules at `o` into the window. */
static void window_add_gap(struct window *window, df_granules o, df_granules size)
{
    if (window->gaps == 0) {
        window->begin = o;
        window->live = 0;
    }
    window->gaps += size;
}

/* The same, and then whether the run up to this gap is the cheapest so far. */
static bool window_offers(const defrag_pool *pool, struct window *window, df_granules o, df_granules size,
                          df_granules need, struct df_run *best)
{
    window_add_gap(window, o, size);
    if (window->gaps < need)
        return false;
    window_shrink(pool, window, need, o);
    if (best->found && window->live >= best->live)
        return false;
    best->begin = window->begin;
    best->end = o + size;
    best->live = window->live;
    best->found = true;
    return true;
}

/* Takes the used block at `o` into the window, or begins anew behind it if it stays. */
static void window_add_used(const defrag_pool *pool, struct window *window, df_granules o, df_word header)
{
    if (mover_stays(pool, o, header))
        window->gaps = 0;
    else
        window->live += header_size(header);
}

/*
 * The cheapest run for `need` granules among the blocks below `stop`, where a
 * last gap of `stop_size` granules begins. A run that has that one ends at `stop`.
 */
static struct df_run cheapest_run(const defrag_pool *pool, df_granules need, df_granules stop,
                                  df_granules stop_size)
{
    struct df_run best = {0, 0, 0, false};
    struct window window = {0, 0, 0};
    for (df_granules o = DF_FIRST; o < stop;) {
        df_word header = block_header(pool, o);
        df_granules size = block_size(pool, o, header);
        if (header_is_used(header))
            window_add_used(pool, &window, o, header);
        else
            (void)window_offers(pool, &window, o, size, need, &best);
        o += size;
    }
    if (stop_size > 0 && window_offers(pool, &window, stop, stop_size, need, &best))
        best.end = stop;
    return best;
}

/* The last free block, or 0 if there is none above the last locked block. */
static df_granules last_gap(const defrag_pool *pool)
{
    df_granules gap = 0;
    for (df_granules o = DF_FIRST; o < pool->top;) {
        df_word header = block_header(pool, o);
        if (!header_is_used(header))
            gap = o;
        else if (mover_stays(pool, o, header))
            gap = 0;
        o += block_size(pool, o, header);
    }
    return gap;
}

/* The wilderness is empty and the table has to grow: what lies above the last gap moves in any case. */
static defrag_status make_room_below_table(defrag_pool *pool, df_granules size, df_granules grow)
{
    df_granules gap = last_gap(pool);
    if (gap == 0)
        return DEFRAG_PINNED;
    df_granules last = block_free_size(pool, gap, block_header(pool, gap)) - grow;
    struct df_run run = cheapest_run(pool, size, gap, last);
    if (!run.found)
        return DEFRAG_PINNED;
    if (run.end == gap) {
        (void)df_slide(pool, run.begin, pool->top);
        return DEFRAG_OK;
    }
    (void)df_slide(pool, gap, pool->top);
    (void)df_slide(pool, run.begin, run.end);
    return DEFRAG_OK;
}

defrag_status df_make_room(defrag_pool *pool, df_granules size, df_granules grow)
{
    if (heap_wilderness(pool) < grow)
        return make_room_below_table(pool, size, grow);
    struct df_run run = cheapest_run(pool, size, pool->top, heap_wilderness(pool) - grow);
    if (!run.found)
        return DEFRAG_PINNED;
    (void)df_slide(pool, run.begin, run.end);
    return DEFRAG_OK;
}

df_granules df_largest_sum(const defrag_pool *pool, df_granules spare, df_granules grow)
{
    bool manual = heap_is_manual(pool);
    df_granules largest = 0;
    df_granules sum = 0;
    for (df_granules o = DF_FIRST; o < pool->top;) {
        df_word header = block_header(pool, o);
        df_granules size = block_size(pool, o, header);
        if (!header_is_used(header)) {
            sum += size;
        } else if (manual || mover_stays(pool, o, header)) {
            largest = sum > largest ? sum : largest;
            sum = 0;
        }
        o += size;
    }
    sum += heap_wilderness(pool) + spare;
    if (sum < grow)
        return 0;
    return sum - grow > largest ? sum - grow : largest;
}

/* --- Gathering at a block ---------------------------------------------------------------- */

/* The window of all gaps between `o` and the last block below it that stays; at `o` if there are none. */
static struct window window_below(const defrag_pool *pool, df_granules o)
{
    struct window window = {o, 0, 0};
    for (df_granules at = DF_FIRST; at < o;) {
        df_word header = block_header(pool, at);
        df_granules size = block_size(pool, at, header);
        if (header_is_used(header))
            window_add_used(pool, &window, at, header);
        else
            window_add_gap(&window, at, size);
        at += size;
    }
    if (window.gaps == 0)
        window = (struct window){o, 0, 0};
    return window;
}

/*
 * The cheapest run with gaps of `need` granules together that has the block of
 * `own` granules at `o` in it or at its edge. Blocks below `o` will slide down,
 * and then so does this one; blocks above slide up.
 */
static struct df_run cheapest_run_around(const defrag_pool *pool, df_granules o, df_granules own,
                                         df_granules need)
{
    struct df_run best = {0, 0, 0, false};
    struct window window = window_below(pool, o);
    df_granules end = o + own;
    for (;;) {
        window_shrink(pool, &window, need, o);
        df_granules live = window.live + (window.begin < o ? own : 0);
        if (window.gaps >= need && (!best.found || live < best.live))
            best = (struct df_run){window.begin, end, live, true};
        if (end == pool->floor)
            return best;

        df_word header = block_header(pool, end);
        while (header_is_used(header) && !mover_stays(pool, end, header)) {
            window.live += header_size(header);
            end += header_size(header);
            header = block_header(pool, end);
        }
        if (header_is_used(header))
            return best;
        df_granules gap = header_is_top(header) ? heap_wilderness(pool) : block_free_size(pool, end, header);
        if (gap == 0)
            return best;
        window.gaps += gap;
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

/* Makes the block at `place` `want` granules long; what is left up to `ceiling` is free. */
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
    if (ceiling == end) {
        block_set_prev_used(pool, end);
    } else {
        df_bins_insert(pool, end, ceiling - end);
        block_set_prev_free(pool, ceiling);
    }
}

bool df_gather(defrag_pool *pool, df_granules o, df_granules want)
{
    df_granules own = header_size(block_header(pool, o));
    struct df_run run = cheapest_run_around(pool, o, own, want - own);
    if (!run.found)
        return false;

    mover_begin(pool);
    df_granules place = run.begin < o ? slide_down(pool, run.begin, o + own) - own : o;
    df_granules ceiling;
    if (run.end > pool->top) {
        /* The wilderness gives only what is wanted. */
        struct chain chain = chain_make(pool, o + own, pool->top);
        block_set_top(pool, place + want + chain.live);
        ceiling = chain_lift(pool, chain, pool->top);
    } else {
        ceiling = chain_lift(pool, chain_make(pool, o + own, run.end), run.end);
        if (header_is_used(block_header(pool, run.end)))
            block_set_prev_used(pool, run.end);
    }
    gather_finish(pool, place, want, ceiling);
    mover_end(pool);
    heap_note_used(pool, want - own);
    heap_lower_cursor(pool, run.begin);
    return true;
}

/* --- Steps --------------------------------------------------------------------------------- */

#define VISIT_BYTES 8 /* what looking at a block costs of a step's budget */

/*
 * The end of the blocks that slide into the gap at `o` for `allowance` bytes, and
 * of the gap behind them; `*bytes` is what will move.
 */
static df_granules reach(const defrag_pool *pool, df_granules o, size_t allowance, size_t *bytes)
{
    df_granules end = o + block_free_size(pool, o, block_header(pool, o));
    *bytes = 0;
    for (;;) {
        df_word header = block_header(pool, end);
        if (!header_is_used(header) || mover_stays(pool, end, header) || !guard_slide(pool, end)
            || block_bytes(header_size(header)) > allowance - *bytes)
            return end;
        *bytes += block_bytes(header_size(header));
        end += header_size(header);
        header = block_header(pool, end);
        if (!header_is_used(header) && !header_is_top(header))
            end += block_free_size(pool, end, header);
    }
}

/* Marks the block at `o`, which is locked: when it is unlocked, the gap below it is of interest again. */
static void pass_by(defrag_pool *pool, df_granules o, df_word header)
{
    uint32_t slot = header_owner(header);
    if (heap_is_owned(pool, o, header))
        table_set_entry(pool, slot, table_entry(pool, slot) | TABLE_MARK);
}

/*
 * Goes on from the cursor until the top is reached, or `budget` bytes are spent.
 * The first thing is done whatever it costs. Where that cannot be done for
 * damage, nothing is; damage behind it is left to the next step.
 */
static defrag_status advance(defrag_pool *pool, size_t budget, size_t *moved)
{
    size_t spent = 0;
    *moved = 0;
    while (pool->cursor < pool->top) {
        df_granules o = pool->cursor;
        df_word header = block_header(pool, o);
        if (spent > 0 && spent >= budget)
            return DEFRAG_MORE;
        if (!guard_step(pool, o))
            return spent > 0 ? DEFRAG_MORE : DEFRAG_CORRUPT;
        if (header_is_used(header)) {
            pool->cursor = (df_half)(o + header_size(header));
            spent += VISIT_BYTES;
            continue;
        }
        df_granules above = o + block_free_size(pool, o, header);
        df_word header_above = block_header(pool, above);
        if (mover_stays(pool, above, header_above)) {
            pass_by(pool, above, header_above);
            pool->cursor = (df_half)(above + header_size(header_above));
            spent += VISIT_BYTES;
            continue;
        }
        size_t bytes;
        size_t allowance = budget - spent;
        if (spent == 0 && allowance < block_bytes(header_size(header_above)))
            allowance = block_bytes(header_size(header_above));
        df_granules end = reach(pool, o, allowance, &bytes);
        if (bytes == 0)
            return DEFRAG_MORE;
        pool->cursor = (df_half)df_slide(pool, o, end);
        spent += bytes;
        *moved += bytes;
    }
    return DEFRAG_OK;
}

/* Whether there is nothing left to do; O(1). */
static bool is_done(defrag_pool *pool)
{
    if (heap_is_compact(pool))
        pool->cursor = pool->top;
    return pool->cursor >= pool->top;
}

static defrag_status compact_step(defrag_pool *pool, size_t max_bytes, size_t *moved)
{
    *moved = 0;
    return is_done(pool) ? DEFRAG_OK : advance(pool, max_bytes, moved);
}

/* Turns such runs if the configuration says so. What a step slides is no low run before and no high run after. */
static void scramble(defrag_pool *pool, unsigned which)
{
    if (scramble_is_on(pool))
        df_scramble_runs(pool, which);
}

defrag_status defrag_compact_step(defrag_pool *pool, size_t max_bytes, size_t *moved)
{
    size_t bytes = 0;
    if (moved)
        *moved = 0;
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    scramble(pool, SCRAMBLE_LOW);
    status = compact_step(pool, max_bytes, &bytes);
    scramble(pool, SCRAMBLE_HIGH);
    heap_leave(pool);
    if (moved)
        *moved = bytes;
    return status;
}

defrag_status defrag_clean(defrag_pool *pool)
{
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    if (check_is_passed(pool))
        df_heap_trim(pool);
    else
        status = DEFRAG_CORRUPT;
    heap_leave(pool);
    return status;
}

/* The budget of a step of defrag_compact(): where others wait to get in, one block. */
static size_t compact_budget(const defrag_pool *pool)
{
    const defrag_config *config = heap_config(pool);
    return config && config->enter ? 1 : SIZE_MAX;
}

/* A part of defrag_compact(): only the first one scrambles, for what moves then does not slide, nor move again. */
static defrag_status compact_part(defrag_pool *pool, bool first)
{
    size_t moved;
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    if (first)
        scramble(pool, SCRAMBLE_LOW);
    status = compact_step(pool, compact_budget(pool), &moved);
    scramble(pool, SCRAMBLE_NONE);
    heap_leave(pool);
    return status;
}

defrag_status defrag_compact(defrag_pool *pool)
{
    defrag_status status = defrag_clean(pool);
    if (status != DEFRAG_OK)
        return status;
    status = compact_part(pool, true);
    while (status == DEFRAG_MORE)
        status = compact_part(pool, false);
    return status;
}
