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
 * Whether they have is tried out, by reserving the places. One that is reserved is
 * a used block to whoever walks the pool, and one that stays, as its owner is elsewhere:
 *
 *                  high half                     low half
 *   header         owner slot of who comes | 0   size of who comes
 *   first word     the place reserved before     next free block of the bin
 *
 * The rest of the hole is a hole. What was done last is undone first, so that the next
 * in the bin has the neighbour then that the place had (Knuth's dancing links): a pool
 * in which nothing was found is as before, down to the order of every bin. Holes are
 * chosen by size and address alone, so that to reserve once more reserves the same.
 *
 * If the table has to grow and the wilderness is empty, room has to be made at the
 * top as well. The blocks above the last gap can slide down to it:
 *
 *   [ gap ][ A ][ B ][ C ] table  ->  [ A ][ B ][ C ][ gap ] table
 *
 * Or the last of them that some hole holds leaves for it, and only those above it slide:
 *
 *   [ gap ][ A ][ B ][ C ] table  ->  [ gap ][ A ][ C ][ gap ] table
 *
 * Of all single blocks that could leave, it costs least. Its place is reserved before
 * the search. If that then finds nothing that is cheaper than the cheapest slide after the
 * first way, the first it is. Either way what moves for the table is kept out of
 * the search, whose last gap is the one below it, less what the table takes.
 */
#include "plan.h"

/* Blocks and holes looked at for each slot of the table, unless the configuration says otherwise. */
#define PLAN_VISITS 64

struct search {
    struct df_plan *plan;  /* what is tried out; in the end, the best          */
    struct slide_run best; /* so far                                           */
    df_granules need;
    df_granules grow;
    df_granules last_size; /* of the last gap, what may be part of an interval */
    df_granules limit;     /* the most that it may cost; to clear, one more    */
    uint32_t fixed;        /* places that are no part of what is tried out     */
    uint32_t visits_max;   /* UINT32_MAX: no limit                             */
};

/* --- Intervals ---------------------------------------------------------------------- */

/* The end of the gap at `o`, which is `o` where there is none, and where the last gap begins. */
static df_granules gap_end(const defrag_pool *pool, df_granules o, df_granules last)
{
    df_word header = block_header(pool, o);
    return o == last || header_is_used(header) ? o : o + block_free_size(pool, o, header);
}

/* The empty interval at `begin`; whether one is `found` stays as it is. */
static void interval_begin(const defrag_pool *pool, struct df_plan *plan, df_granules begin)
{
    plan->run.begin = begin;
    plan->run.end = gap_end(pool, begin, plan->last);
    plan->run.live = 0;
}

/* Takes the next block into the interval, and the gap behind it; false if there is none, or it stays. */
static bool interval_extend(const defrag_pool *pool, struct df_plan *plan)
{
    df_granules end = plan->run.end;
    df_word header = block_header(pool, end);
    if (end == plan->last || mover_stays(pool, end, header))
        return false;
    if (end != plan->keep)
        plan->run.live += header_size(header);
    plan->run.end = gap_end(pool, end + header_size(header), plan->last);
    return true;
}

/* Its length, with what may be used of the last gap. */
static df_granules interval_length(const struct search *search)
{
    const struct df_plan *plan = search->plan;
    return plan->run.end - plan->run.begin + (plan->run.end == plan->last ? search->last_size : 0);
}

/* --- Reserving ---------------------------------------------------------------------- */

/*
 * The smallest hole of `size` granules outside the plan's interval, the lowest of
 * equals; the top is one. 0: none. The last gap is none but the wilderness, of which
 * the table keeps what it needs.
 */
static df_granules find_hole(const defrag_pool *pool, const struct search *search, df_granules size)
{
    struct df_plan *plan = search->plan;
    df_granules best = 0;
    df_granules best_size = heap_capacity(pool) + 1;
    if (plan->run.end != plan->last && heap_wilderness(pool) >= size + search->grow) {
        best = pool->top;
        best_size = heap_wilderness(pool) - search->grow;
    }
    /* Where a hole was found, those of the bins above are larger. */
    unsigned bin = bins_of(size);
    while (bin != 0 && bin <= bins_of(best_size)) {
        df_granules sentinel = bins_sentinel(bin);
        df_granules o = bins_head(pool, bin);
        while (o != sentinel) {
            df_word links = block_links(pool, o);
            df_granules hole = links_size(links);
            plan->visits++;
            if (hole >= size && (hole < best_size || (hole == best_size && o < best)) && o < plan->last
                && o - plan->run.begin >= plan->run.end - plan->run.begin) {
                best = o;
                best_size = hole;
            }
            o = links_next(links);
        }
        bin = bins_above(pool->map, bin);
    }
    return best;
}

/* Reserves the first `size` granules of the hole at `o`, or of the wilderness, for the block of `slot`. */
static void reserve_place(defrag_pool *pool, struct df_plan *plan, df_granules o, df_granules size,
                          uint32_t slot)
{
    df_granules next = 0;
    mover_begin(pool);
    if (o == pool->top) {
        block_set_top(pool, o + size);
    } else {
        next = links_next(block_links(pool, o));
        df_granules rest = df_bins_remove(pool, o, block_header(pool, o)) - size;
        if (rest)
            df_bins_insert(pool, o + size, rest);
        else
            block_set_prev_used(pool, o + size);
    }
    block_set_header(pool, o, header_used(size, slot));
    word_store(pool, block_bytes(o), (df_word)plan->reserved << DF_HALF_BITS | next);
    plan->reserved = o;
    plan->places++;
}

/* Makes the place that was reserved last what it was. */
static void release_place(defrag_pool *pool, struct df_plan *plan)
{
    df_granules o = plan->reserved;
    df_granules size = header_size(block_header(pool, o));
    df_word links = block_links(pool, o);
    plan->reserved = links_size(links);
    plan->places--;
    if (plan->places == 0)
        mover_end(pool);
    if (o + size == pool->top) {
        block_set_top(pool, o);
        return;
    }
    df_word above = block_header(pool, o + size);
    if (!header_is_used(above))
        size += df_bins_remove(pool, o + size, above);
    df_granules next = links_next(links);
    df_granules previous = header_size(block_header(pool, next));
    block_set_free(pool, o, size, previous, next);
    block_set_next(pool, previous, o);
    block_set_header(pool, next, o);
    pool->map |= bins_bit(bins_of(size));
    block_set_prev_free(pool, o + size);
}

static void release_places(defrag_pool *pool, struct df_plan *plan, uint32_t kept)
{
    while (plan->places > kept)
        release_place(pool, plan);
}

void df_plan_release(defrag_pool *pool, struct df_plan *plan)
{
    release_places(pool, plan, 0);
}

/*
 * Finds a place for the used block at `o`, or room to stay; what stays at the interval's
 * begin is no part of it.
 */
static bool reserve_block(defrag_pool *pool, const struct search *search, df_granules o, df_granules *room)
{
    struct df_plan *plan = search->plan;
    df_word header = block_header(pool, o);
    df_granules size = header_size(header);
    df_granules hole = find_hole(pool, search, size);
    if (plan->visits > search->visits_max)
        return false;
    if (hole != 0) {
        reserve_place(pool, plan, hole, size, header_owner(header));
        return true;
    }
    if (size > *room)
        return false;
    *room -= size;
    if (o == plan->run.begin) {
        plan->run.begin += size;
        plan->run.live -= size;
    }
    return true;
}

/* Whether all blocks of the interval have a place; what was found is reserved. */
static bool reserve(defrag_pool *pool, const struct search *search)
{
    struct df_plan *plan = search->plan;
    df_granules room = interval_length(search) - search->need;
    df_granules o = plan->run.begin;
    while (o < plan->run.end) {
        df_word header = block_header(pool, o);
        if (header_is_used(header) && o != plan->keep && !reserve_block(pool, search, o, &room))
            return false;
        o += block_size(pool, o, header);
    }
    return true;
}

/* --- Searching ----------------------------------------------------------------------------- */

/* Looks for an interval that begins at `begin`, within the limit. */
static void search_from(defrag_pool *pool, struct search *search, df_granules begin)
{
    struct df_plan *plan = search->plan;
    uint32_t blocks = 0;
    uint32_t next = 0;
    uint32_t stride = 1;
    interval_begin(pool, plan, begin);
    do {
        plan->visits++;
        if (blocks >= next && interval_length(search) >= search->need) {
            df_granules live = plan->run.live;
            bool found = reserve(pool, search);
            release_places(pool, plan, search->fixed);
            if (found) {
                search->best = plan->run;
                search->limit = plan->run.live - 1;
                return;
            }
            plan->run.begin = begin;
            plan->run.live = live;
            next = blocks + stride;
            stride *= 2;
        }
        blocks++;
    } while (plan->visits <= search->visits_max && interval_extend(pool, plan)
             && plan->run.live <= search->limit);
}

/* The same at every place where one can begin. */
static void search_within(defrag_pool *pool, struct search *search, df_granules limit)
{
    df_granules last = search->plan->last;
    df_granules begin = DF_FIRST;
    search->limit = limit;
    while (begin < last && search->plan->visits <= search->visits_max) {
        search_from(pool, search, begin);
        /* Just below the last gap, or the top, is no other: behind a gap follows a used block. */
        begin = gap_end(pool, begin, last);
        begin += header_size(block_header(pool, begin));
    }
}

/* Replaces the best, if there is a cheaper one; none costs less than `limit`. */
static void search(defrag_pool *pool, struct search *search, df_granules limit)
{
    df_granules most = search->best.live;
    while (limit < most) {
        search_within(pool, search, limit);
        if (search->best.live < most || limit == most - 1)
            return;
        limit = limit < most - limit ? 2 * limit : most - 1;
    }
}

/* --- Plans ------------------------------------------------------------------------------------ */

static uint32_t visits_max(const defrag_pool *pool)
{
    const defrag_config *config = heap_config(pool);
    uint32_t visits = config && config->plan_visits ? config->plan_visits : PLAN_VISITS;
    uint64_t all = (uint64_t)visits * table_slots(pool);
    return all < UINT32_MAX ? (uint32_t)all : UINT32_MAX;
}

/*
 * Completes a plan whose last gap is known, where `above` granules move for the table.
 * False if there is no interval. The search has an end if a slide would do, or if
 * there `is_other` plan.
 */
static bool complete(defrag_pool *pool, struct search *s, df_granules above, bool is_other)
{
    struct df_plan *plan = s->plan;
    df_cheapest_run(pool, s->need, plan->last, s->last_size, true, &plan->run);
    if (!plan->run.found)
        return false;
    df_cheapest_run(pool, s->need, plan->last, s->last_size, false, &s->best);
    s->visits_max = s->best.found || is_other ? visits_max(pool) : UINT32_MAX;
    if (!s->best.found)
        s->best.live = (df_granules)pool->floor - DF_FIRST - pool->free - above + 1;
    df_granules most = s->best.live;
    search(pool, s, plan->run.live);
    plan->run = s->best;
    s->visits_max = UINT32_MAX;
    if (s->best.live < most)
        (void)reserve(pool, s);
    plan->cost = plan->run.live + above;
    return plan->run.found;
}

/* The last gap, and the ways to have one. */
struct tail {
    df_granules gap;    /* the last gap as it is; 0: none above the last locked block                   */
    df_granules leaver; /* the last block that a hole holds, but the first behind the gap; 0: none      */
    df_granules most;   /* what may move at most if it leaves: what does if all behind the gap slides   */
};

/* Of a pool without wilderness. */
static struct tail tail_of(const defrag_pool *pool)
{
    struct tail tail = {0, 0, UINT32_MAX};
    df_granules behind = 0;
    df_granules largest = 0;
    df_granules o = DF_FIRST;
    while (o < pool->top) {
        df_word header = block_header(pool, o);
        df_granules size = block_size(pool, o, header);
        bool used = header_is_used(header);
        bool stays = used && mover_stays(pool, o, header);
        if (!used && size > largest)
            largest = size;
        if (used && !stays) {
            if (size <= largest && o != behind)
                tail.leaver = o;
        } else {
            tail.gap = stays ? 0 : o;
            tail.leaver = 0;
            behind = stays ? 0 : o + size;
        }
        o += size;
    }
    return tail;
}

/* Where the last gap ends. */
static df_granules tail_end(const defrag_pool *pool, const struct df_plan *plan, const struct tail *tail)
{
    df_granules gap = tail->gap;
    return plan->sinks ? gap + block_free_size(pool, gap, block_header(pool, gap)) : pool->floor;
}

/*
 * Lets the leaver leave, what is above it slide down, and what that makes be the last gap.
 * Returns what moves for it.
 */
static df_granules tail_leaves(defrag_pool *pool, struct search *s, struct tail *tail)
{
    struct df_plan *plan = s->plan;
    df_granules size = header_size(block_header(pool, tail->leaver));
    if (tail->gap) {
        df_granules end = tail_end(pool, plan, tail);
        df_cheapest_run(pool, s->need, tail->gap, end - tail->gap - s->grow, false, &s->best);
        if (s->best.found)
            tail->most = s->best.live + (pool->top - end);
    }
    plan->run = (struct slide_run){tail->leaver, tail->leaver + size, 0, false};
    (void)reserve(pool, s);
    s->fixed = 1;
    s->last_size = size - s->grow;
    plan->last = tail->leaver;
    tail->leaver = 0;
    return pool->top - plan->last;
}

/* The last gap is as it is, and all behind it slides down. Returns what that is. */
static df_granules tail_slides(const defrag_pool *pool, struct search *s, struct tail *tail)
{
    df_granules end = tail_end(pool, s->plan, tail);
    s->fixed = 0;
    s->last_size = end - tail->gap - s->grow;
    s->plan->last = tail->gap;
    tail->gap = 0;
    return s->plan->sinks ? pool->top - end : 0;
}

bool df_plan_make(defrag_pool *pool, df_granules size, df_granules grow, struct df_plan *plan)
{
    *plan = (struct df_plan){.last = pool->top, .sinks = heap_wilderness(pool) < grow};
    struct search s = {.plan = plan, .need = size, .grow = grow, .visits_max = UINT32_MAX};
    struct tail tail = {pool->top, 0, UINT32_MAX};
    if (plan->sinks)
        tail = tail_of(pool);
    while (tail.leaver || tail.gap) {
        df_granules above = tail.leaver ? tail_leaves(pool, &s, &tail) : tail_slides(pool, &s, &tail);
        if (complete(pool, &s, above, tail.most != UINT32_MAX) && plan->cost <= tail.most)
            return true;
        df_plan_release(pool, plan);
    }
    return false;
}

/*
 * Plans that all of the interval of `size` granules at `begin` leaves, but the block that
 * is kept, if that costs less than the limit.
 */
static bool clear(defrag_pool *pool, struct search *search, df_granules begin, df_granules size)
{
    struct df_plan *plan = search->plan;
    plan->cost = plan->keep ? header_size(block_header(pool, plan->keep)) : 0;
    interval_begin(pool, plan, begin);
    while (interval_length(search) < size) {
        plan->visits++;
        if (plan->visits > search->visits_max || !interval_extend(pool, plan)
            || plan->cost + plan->run.live >= search->limit)
            return false;
    }
    search->need = interval_length(search); /* nothing has room to stay */
    plan->cost += plan->run.live;
    bool clears = reserve(pool, search);
    if (!clears)
        df_plan_release(pool, plan);
    return clears;
}

/* Where the next interval can begin above `begin`; at last at `o`. */
static df_granules next_begin(const defrag_pool *pool, df_granules begin, df_granules o)
{
    df_granules end = gap_end(pool, begin, o);
    return end == o ? o : end + header_size(block_header(pool, end));
}

bool df_plan_around(defrag_pool *pool, df_granules o, df_granules want, df_granules limit,
                    struct df_plan *plan)
{
    df_granules end = o + header_size(block_header(pool, o));
    *plan = (struct df_plan){.last = pool->top};
    struct search s = {
        .plan = plan, .last_size = heap_wilderness(pool), .limit = limit, .visits_max = visits_max(pool)};
    df_granules place = 0;
    df_granules begin = end;
    df_granules size = want - (end - o);
    do {
        if (clear(pool, &s, begin, size)) {
            place = begin;
            s.limit = plan->cost;
            df_plan_release(pool, plan);
        }
        /* What begins further below has room enough without the block. */
        do
            begin = begin == end ? DF_FIRST : next_begin(pool, begin, o);
        while (begin + want <= o);
        plan->keep = o;
        size = want;
    } while (begin < o);
    plan->keep = place < o ? o : 0;
    size = place < o ? want : want - (end - o);
    s.limit++;
    s.visits_max = UINT32_MAX;
    if (place == 0)
        return false;
    (void)clear(pool, &s, place, size);
    return true;
}

void df_plan_commit(defrag_pool *pool, const struct df_plan *plan)
{
    df_granules place = plan->reserved;
    for (uint32_t places = plan->places; places > 0; places--) {
        df_granules below = links_size(block_links(pool, place));
        df_granules from = entry_offset(table_entry(pool, header_owner(block_header(pool, place))));
        df_move_into(pool, from, place); /* if what is below it has left, the slide will say so there */
        place = below;
    }
    bool is_last = plan->run.end == plan->last;
    if (plan->sinks && !is_last)
        (void)df_slide(pool, plan->last, pool->top);
    (void)df_slide(pool, plan->run.begin, is_last ? pool->top : plan->run.end);
}

bool df_clear_place(defrag_pool *pool, df_granules place, df_granules size, df_granules grow,
                    df_granules limit)
{
    if (heap_wilderness(pool) < grow)
        return false;
    struct df_plan plan = {.last = pool->top};
    struct search s = {.plan = &plan,
                       .grow = grow,
                       .last_size = heap_wilderness(pool) - grow,
                       .limit = limit,
                       .visits_max = limit};
    bool clears = clear(pool, &s, place, size);
    if (clears)
        df_plan_commit(pool, &plan);
    return clears;
}
