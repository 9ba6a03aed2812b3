/* SPDX-License-Identifier: MIT */
/*
 * An interval is a run of blocks between two that stay, with the gaps at its ends:
 *
 *   [ gap ][ A ][ B ][ gap ][ C ][ gap ] ... [ hole ]
 *   begin                              end
 *
 * To make a gap of `need` granules of it, some of its blocks leave for holes outside,
 * each for the smallest that holds it; those that find none stay and slide down to
 * `begin`, as long as there is room for them besides. The cost is the live granules
 * in it. An interval from which none has to leave is a run that slides; the cheapest
 * of those is known before the search begins (slide.c), and so is what no way of
 * making room can do for less: the cheapest run whose length alone suffices. Between
 * the two the search goes by costs, doubling the limit: at each, every left end, then
 * right ends at distances that double, until one interval is found whose blocks all
 * have a place.
 *
 * Whether they have is tried out, by reserving the places. One that is reserved
 * looks like a used block to its neighbours and is in no bin:
 *
 *                  high half                     low half
 *   header         owner slot of who comes | 0   previous free block of the bin
 *   first word     the place reserved before     next free block of the bin
 *
 * Its size is that of the block that will come. The rest of the hole is a hole. What
 * was done last is undone first, so that the neighbours in the bin, which the place
 * still knows, are those it had (Knuth's dancing links): a pool in which nothing was
 * found is as before, down to the order of every bin. Holes are chosen by size and
 * address alone, so that to reserve once more reserves the same.
 *
 * If the table has to grow and the wilderness is empty, the blocks above the
 * last gap have to move whatever else does. They are kept out of the search,
 * whose last gap is then the one below them, less what the table takes.
 */
#include "plan.h"
#include "slide.h"

/* Blocks and holes looked at for each slot of the table, unless the configuration says otherwise. */
#define PLAN_VISITS 64

struct search {
    df_granules need;
    df_granules grow;
    df_granules last_size; /* of the last gap, what may be part of an interval */
    df_granules limit;     /* the most that it may cost                        */
    uint64_t visits;
    uint64_t visits_max;
    struct df_plan *best;
};

/* --- Intervals ---------------------------------------------------------------------- */

/* The end of the gap at `o`, which is `o` where there is none, and where the last gap begins. */
static df_granules gap_end(const defrag_pool *pool, df_granules o, df_granules last)
{
    df_word header = block_header(pool, o);
    return o == last || header_is_used(header) ? o : o + block_free_size(pool, o, header);
}

/* The empty interval at `begin`. */
static void interval_begin(const defrag_pool *pool, struct df_plan *plan, df_granules begin)
{
    plan->begin = begin;
    plan->end = gap_end(pool, begin, plan->last);
    plan->cost = 0;
}

/* Takes the next block into the interval, and the gap behind it; false if there is none, or it stays. */
static bool interval_extend(const defrag_pool *pool, struct df_plan *plan)
{
    df_word header = block_header(pool, plan->end);
    if (plan->end == plan->last || mover_stays(pool, plan->end, header))
        return false;
    plan->cost += header_size(header);
    plan->end = gap_end(pool, plan->end + header_size(header), plan->last);
    return true;
}

/* Its length, with what may be used of the last gap. */
static df_granules interval_length(const struct search *search, const struct df_plan *plan)
{
    return plan->end - plan->begin + (plan->end == plan->last ? search->last_size : 0);
}

/* --- Reserving ---------------------------------------------------------------------- */

/*
 * The smallest hole of `size` granules outside the plan's interval, the lowest of
 * equals; the top is one. 0: none. The last gap is none but the wilderness, of which
 * the table keeps what it needs.
 */
static df_granules find_hole(const defrag_pool *pool, struct search *search, const struct df_plan *plan,
                             df_granules size)
{
    df_granules best = 0;
    df_granules best_size = heap_capacity(pool) + 1;
    if (plan->end != plan->last && heap_wilderness(pool) >= size + search->grow) {
        best = pool->top;
        best_size = heap_wilderness(pool) - search->grow;
    }
    /* Where a hole was found, those of the bins above are larger. */
    for (unsigned bin = bins_of(size); bin != 0 && bin <= bins_of(best_size); bin = bins_above(pool->map, bin)) {
        df_granules sentinel = bins_sentinel(bin);
        df_granules o = bins_head(pool, bin);
        while (o != sentinel) {
            df_word links = block_links(pool, o);
            df_granules hole = links_size(links);
            search->visits++;
            if (hole >= size && (hole < best_size || (hole == best_size && o < best)) && o < plan->last
                && o - plan->begin >= plan->end - plan->begin) {
                best = o;
                best_size = hole;
            }
            o = links_next(links);
        }
    }
    return best;
}

/* Reserves the first `size` granules of the hole at `o`, or of the wilderness, for the block of `slot`. */
static void reserve_place(defrag_pool *pool, struct df_plan *plan, df_granules o, df_granules size, uint32_t slot)
{
    df_granules previous = 0;
    df_granules next = 0;
    if (o == pool->top) {
        block_set_top(pool, o + size);
    } else {
        previous = (df_granules)block_header(pool, o);
        next = links_next(block_links(pool, o));
        df_granules rest = df_bins_remove(pool, o, block_header(pool, o)) - size;
        if (rest)
            df_bins_insert(pool, o + size, rest);
        else
            block_set_prev_used(pool, o + size);
    }
    block_set_header(pool, o, header_used(previous, slot));
    word_store(pool, block_bytes(o), (df_word)plan->reserved << DF_HALF_BITS | next);
    plan->reserved = o;
    plan->places++;
}

/* The block for which the place at `o` is reserved. */
static df_granules comer(const defrag_pool *pool, df_granules o)
{
    return entry_offset(table_entry(pool, header_owner(block_header(pool, o))));
}

/* Makes the place that was reserved last what it was. */
static void release_place(defrag_pool *pool, struct df_plan *plan)
{
    df_granules o = plan->reserved;
    df_granules size = header_size(block_header(pool, comer(pool, o)));
    df_word links = block_links(pool, o);
    plan->reserved = links_size(links);
    plan->places--;
    if (o + size == pool->top) {
        block_set_top(pool, o);
        return;
    }
    df_granules previous = header_size(block_header(pool, o));
    df_granules next = links_next(links);
    df_word above = block_header(pool, o + size);
    if (!header_is_used(above))
        size += df_bins_remove(pool, o + size, above);
    block_set_free(pool, o, size, previous, next);
    block_set_next(pool, previous, o);
    block_set_header(pool, next, o);
    pool->map |= bins_bit(bins_of(size));
    block_set_prev_free(pool, o + size);
}

static void release(defrag_pool *pool, struct df_plan *plan)
{
    while (plan->places > 0)
        release_place(pool, plan);
}

/*
 * Whether all blocks of the interval have a place; the places are then reserved.
 * What stays at its beginning, with no gap below, is no part of it.
 */
static bool reserve(defrag_pool *pool, struct search *search, struct df_plan *plan)
{
    df_granules room = interval_length(search, plan) - search->need;
    for (df_granules o = plan->begin; o < plan->end;) {
        df_word header = block_header(pool, o);
        df_granules size = block_size(pool, o, header);
        o += size;
        if (!header_is_used(header))
            continue;
        df_granules hole = find_hole(pool, search, plan, size);
        if (search->visits > search->visits_max || (hole == 0 && size > room)) {
            release(pool, plan);
            return false;
        }
        if (hole != 0) {
            reserve_place(pool, plan, hole, size, header_owner(header));
            continue;
        }
        room -= size;
        if (o - size == plan->begin) {
            plan->begin = o;
            plan->cost -= size;
        }
    }
    return true;
}

/* --- Searching ----------------------------------------------------------------------------- */

/* Looks for an interval that begins at `begin`, within the limit. */
static void search_from(defrag_pool *pool, struct search *search, df_granules begin)
{
    struct df_plan plan = *search->best;
    uint32_t next = 0;
    uint32_t stride = 1;
    interval_begin(pool, &plan, begin);
    for (uint32_t blocks = 0; search->visits < search->visits_max; blocks++) {
        search->visits++;
        if (blocks >= next && interval_length(search, &plan) >= search->need) {
            struct df_plan trial = plan;
            if (reserve(pool, search, &trial)) {
                release(pool, &trial);
                *search->best = trial;
                search->limit = trial.cost - 1;
                return;
            }
            next = blocks + stride;
            stride *= 2;
        }
        if (!interval_extend(pool, &plan) || plan.cost > search->limit)
            return;
    }
}

/* The same at every place where one can begin. */
static void search_within(defrag_pool *pool, struct search *search, df_granules limit)
{
    df_granules last = search->best->last;
    search->limit = limit;
    for (df_granules begin = DF_FIRST; begin < last;) {
        search_from(pool, search, begin);
        begin = gap_end(pool, begin, last);
        if (begin != last)
            begin += header_size(block_header(pool, begin));
    }
}

/* Replaces the best plan, if there is a better one; none costs less than `least`. */
static void search(defrag_pool *pool, struct search *search, df_granules least)
{
    df_granules most = search->best->cost;
    for (df_granules limit = least; limit < most;) {
        search_within(pool, search, limit);
        if (search->best->cost < most || limit == most - 1)
            return;
        limit = limit < most - limit ? 2 * limit : most - 1;
    }
}

/* --- Plans ------------------------------------------------------------------------------------ */

static uint64_t visits_max(const defrag_pool *pool)
{
    const defrag_config *config = heap_config(pool);
    uint32_t visits = config && config->plan_visits ? config->plan_visits : PLAN_VISITS;
    return (uint64_t)visits * table_slots(pool);
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

bool df_plan_make(defrag_pool *pool, df_granules size, df_granules grow, struct df_plan *plan)
{
    df_granules last = pool->top;
    df_granules end = pool->floor;
    bool sinks = heap_wilderness(pool) < grow;
    if (sinks) {
        last = last_gap(pool);
        if (last == 0)
            return false;
        end = last + block_free_size(pool, last, block_header(pool, last));
    }
    struct slide_run slide = df_cheapest_run(pool, size, last, end - last - grow, false);
    struct slide_run least = df_cheapest_run(pool, size, last, end - last - grow, true);
    if (!least.found)
        return false;
    df_granules most = slide.found ? slide.live : (df_granules)pool->floor - DF_FIRST - pool->free + 1;
    *plan = (struct df_plan){slide.begin, slide.end, most, 0, 0, last, sinks, 0};
    struct search s = {size, grow, end - last - grow, 0, 0, slide.found ? visits_max(pool) : UINT64_MAX, plan};
    mover_begin(pool);
    search(pool, &s, least.live);
    if (plan->cost < most) {
        s.visits_max = UINT64_MAX;
        (void)reserve(pool, &s, plan);
    } else if (!slide.found) {
        mover_end(pool);
        return false;
    }
    plan->visits = s.visits;
    if (sinks)
        plan->cost += pool->top - end;
    return true;
}

bool df_plan_clear(defrag_pool *pool, df_granules place, df_granules size, df_granules grow,
                   struct df_plan *plan)
{
    if (heap_wilderness(pool) < grow)
        return false;
    *plan = (struct df_plan){0, 0, 0, 0, 0, pool->top, false, 0};
    struct search s = {size, grow, heap_wilderness(pool) - grow, 0, 0, UINT64_MAX, plan};
    interval_begin(pool, plan, place);
    while (interval_length(&s, plan) < size) {
        if (!interval_extend(pool, plan))
            return false;
    }
    s.need = interval_length(&s, plan); /* nothing has room to stay */
    mover_begin(pool);
    bool clears = reserve(pool, &s, plan);
    if (!clears)
        mover_end(pool);
    return clears;
}

void df_plan_release(defrag_pool *pool, struct df_plan *plan)
{
    release(pool, plan);
    mover_end(pool);
}

void df_plan_commit(defrag_pool *pool, const struct df_plan *plan)
{
    df_granules place = plan->reserved;
    for (uint32_t places = plan->places; places > 0; places--) {
        df_granules below = links_size(block_links(pool, place));
        df_granules from = comer(pool, place);
        df_word header = block_header(pool, from);
        df_move_down(pool, from, place, header);
        pool->free = (df_half)(pool->free - header_size(header));
        df_heap_give(pool, from, header_size(header), header);
        place = below;
    }
    bool is_last = plan->end == plan->last;
    if (plan->sinks && !is_last)
        (void)df_slide(pool, plan->last, pool->top);
    (void)df_slide(pool, plan->begin, is_last ? pool->top : plan->end);
}
