/* SPDX-License-Identifier: MIT */
/*
 * Compaction, all at once or in steps.
 *
 * The cursor is a boundary between two blocks. A gap below it lies below a locked
 * block that is marked as passed by; so nothing there can slide. Calls that free
 * memory or swallow a boundary lower the cursor, see heap_lower_cursor(); unlocking
 * a marked block lowers it to the gap.
 *
 * A block that the cursor comes to moves into the lowest hole below the cursor that
 * holds it, and slides if there is none:
 *
 *   [ A ][ hole ][ pin ][ B ][ gap ][ C ]  ->  [ A ][ C ][ pin ][ B ][ gap      ]
 *                       cursor
 *
 * Without calls in between, holes below the cursor only get smaller, but for new
 * ones that arise just below it. So of the holes below a block's new place none
 * will hold it later either, and once is enough. Of several holes that hold it the
 * best fit would not do: below it a larger one might be left.
 *
 * A search must not look at the free blocks above the cursor, or all of them
 * together would cost the square of the blocks. It need not: holes that the cursor
 * passes, and what is left of those that are filled, are put at the head of their
 * bins, and so is the gap at the cursor. So without calls in between they are in
 * front of all that lies above, and a search ends there. A call that frees a block
 * may hide them; then blocks slide that a hole would have held, and only
 * defrag_compact(), which begins at the bottom, goes back for them. For the same
 * reason the bound in the control block is a hint: no larger hole is looked for.
 * It is 0 until a gap is left below a locked block, and exact after each search
 * as long as no call comes between.
 */
#include "check.h"
#include "guard.h"
#include "scramble.h"
#include "slide.h"

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
            || header_size(header) <= pool->hole_bound || block_bytes(header_size(header)) > allowance - *bytes)
            return end;
        *bytes += block_bytes(header_size(header));
        end += header_size(header);
        header = block_header(pool, end);
        if (!header_is_used(header) && !header_is_top(header))
            end += block_free_size(pool, end, header);
    }
}

/* --- Past the locked blocks ------------------------------------------------------------- */

/*
 * Goes by the locked block at `o`, below which is a gap: when it is unlocked, the
 * gap is of interest again; until then it is a hole for the blocks above.
 */
static void pass_by(defrag_pool *pool, df_granules o, df_word header, df_granules gap)
{
    uint32_t slot = header_owner(header);
    if (heap_is_owned(pool, o, header))
        table_set_entry(pool, slot, table_entry(pool, slot) | TABLE_MARK);
    df_bins_insert(pool, o - gap, df_bins_remove(pool, o - gap, block_header(pool, o - gap)));
    if (gap > pool->hole_bound)
        pool->hole_bound = (df_half)gap;
}

/* What a search for a hole below the cursor found. */
struct hole {
    df_granules at;    /* 0: none is large enough                                    */
    df_granules size;
    df_granules bound; /* no other is larger, nor one that is too small              */
    size_t looked;     /* at so many free blocks                                     */
};

static void hole_consider(struct hole *hole, df_granules o, df_granules size)
{
    bool lower = hole->at == 0 || o < hole->at;
    df_granules other = lower ? hole->size : size;
    if (other > hole->bound)
        hole->bound = other;
    if (lower) {
        hole->at = o;
        hole->size = size;
    }
}

/* The lowest hole below the cursor for `size` granules. Behind the first free block above the cursor is none. */
static struct hole hole_find(const defrag_pool *pool, df_granules size)
{
    struct hole hole = {0, 0, size - 1, 0};
    unsigned last = bins_of(pool->hole_bound);
    for (unsigned bin = bins_of(size); bin != 0 && bin <= last; bin = bins_above(pool->map, bin)) {
        df_granules sentinel = bins_sentinel(bin);
        df_granules o = bins_head(pool, bin);
        /* Damage can make rings without an end. */
        while (o != sentinel && o <= pool->cursor && (!DEFRAG_HARDENING || hole.looked < pool->granules)) {
            df_word links = block_links(pool, o);
            if (o != pool->cursor && links_size(links) >= size)
                hole_consider(&hole, o, links_size(links));
            hole.looked++;
            o = links_next(links);
        }
        hole.looked++;
    }
    return hole;
}

/* --- Steps -------------------------------------------------------------------------------- */

struct step {
    size_t budget;
    size_t spent;
    size_t moved;
};

/* Whether `bytes` more can be moved; the first block of a step can, whatever its size. */
static bool step_affords(const struct step *step, size_t bytes, bool first)
{
    return first || (step->spent < step->budget && bytes <= step->budget - step->spent);
}

static void step_count(struct step *step, size_t bytes)
{
    step->spent += bytes;
    step->moved += bytes;
}

/*
 * Brings the block at `o`, the first above the cursor, into the lowest hole that
 * holds it; or notes that there is none.
 */
static defrag_status step_fill(defrag_pool *pool, struct step *step, df_granules o, df_granules size)
{
    bool first = step->spent == 0;
    struct hole hole = hole_find(pool, size);
    step->spent += VISIT_BYTES * hole.looked;
    if (hole.at == 0) {
        pool->hole_bound = (df_half)hole.bound;
        return DEFRAG_OK;
    }
    if (!step_affords(step, block_bytes(size), first))
        return DEFRAG_MORE;
    if (!guard_fill(pool, hole.at, o))
        return DEFRAG_CORRUPT;
    df_move_away(pool, o, hole.at, size);
    df_granules rest = hole.size - size;
    pool->hole_bound = (df_half)(rest > hole.bound ? rest : hole.bound);
    step_count(step, block_bytes(size));
    return DEFRAG_OK;
}

/* Slides the blocks above the gap at the cursor, of which the first has `size` granules and fits no hole. */
static defrag_status step_slide(defrag_pool *pool, struct step *step, df_granules size)
{
    size_t bytes;
    size_t allowance = step->spent < step->budget ? step->budget - step->spent : 0;
    if (step->spent == 0 && allowance < block_bytes(size))
        allowance = block_bytes(size);
    df_granules end = reach(pool, pool->cursor, allowance, &bytes);
    if (bytes == 0)
        return DEFRAG_MORE;
    pool->cursor = (df_half)df_slide(pool, pool->cursor, end);
    step_count(step, bytes);
    return DEFRAG_OK;
}

/*
 * Does the next thing that is to do, the first of a step whatever it costs:
 * DEFRAG_MORE if the budget does not allow it, DEFRAG_CORRUPT if damage does not.
 */
static defrag_status step_advance(defrag_pool *pool, struct step *step)
{
    df_granules o = pool->cursor;
    if (!guard_step(pool, o))
        return DEFRAG_CORRUPT;
    df_word header = block_header(pool, o);
    df_granules gap = 0;
    if (!header_is_used(header)) {
        gap = block_free_size(pool, o, header);
        o += gap;
        header = block_header(pool, o);
    }
    df_granules size = header_size(header);
    bool fits = size <= pool->hole_bound;
    if (gap == 0 && !fits) {
        pool->cursor = (df_half)(o + size);
        step->spent += VISIT_BYTES;
        return DEFRAG_OK;
    }
    if (mover_stays(pool, o, header)) {
        if (gap != 0)
            pass_by(pool, o, header, gap);
        pool->cursor = (df_half)(o + size);
        step->spent += VISIT_BYTES;
        return DEFRAG_OK;
    }
    return fits ? step_fill(pool, step, o, size) : step_slide(pool, step, size);
}

/* Whether there is nothing left to do; O(1). */
static bool is_done(defrag_pool *pool)
{
    if (heap_is_compact(pool)) {
        pool->cursor = pool->top;
        pool->hole_bound = 0;
    }
    return pool->cursor >= pool->top;
}

/*
 * Goes on from the cursor until nothing is left to do, or the budget is spent.
 * Where the first thing cannot be done for damage, nothing is; damage behind it
 * is left to the next step.
 */
static defrag_status compact_step(defrag_pool *pool, size_t max_bytes, size_t *moved)
{
    struct step step = {max_bytes, 0, 0};
    defrag_status status = DEFRAG_OK;
    while (status == DEFRAG_OK && !is_done(pool)) {
        bool first = step.spent == 0;
        status = first || step.spent < step.budget ? step_advance(pool, &step) : DEFRAG_MORE;
        if (status == DEFRAG_CORRUPT && !first)
            status = DEFRAG_MORE;
    }
    *moved = step.moved;
    return status;
}

/*
 * Turns such runs if the configuration says so. What a step slides is no low run
 * before and no high run after; what it brings into a hole may have been in a low
 * one, and those that were above it slide, perhaps to where they were.
 */
static void scramble(defrag_pool *pool, unsigned which)
{
    if (scramble_is_on(pool))
        df_scramble_runs(pool, which);
}

defrag_status defrag_compact_step(defrag_pool *pool, size_t max_bytes, size_t *moved)
{
    size_t bytes;
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

/* Calls may have put blocks below the cursor that a hole below them would hold, or have hidden holes. */
static void start_at_bottom(defrag_pool *pool)
{
    pool->hole_bound = 0;
    pool->cursor = (df_half)DF_FIRST;
}

/* A part of defrag_compact(): only the first one scrambles, for what moves then does not slide, nor move again. */
static defrag_status compact_part(defrag_pool *pool, bool first)
{
    size_t moved;
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    if (first) {
        start_at_bottom(pool);
        scramble(pool, SCRAMBLE_LOW);
    }
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
