/* SPDX-License-Identifier: MIT */
/*
 * Scrambling: every block that can lie elsewhere does.
 *
 * A stretch is what lies between two locked blocks, used blocks and gaps. It is
 * turned like a ring at a seam between two of them:
 *
 *   [ head ...... ][ tail ... ]  ->  [ tail ... ][ head ...... ]
 *   begin          seam     end      begin       begin + end - seam
 *
 * So each block of the tail moves down by the length of the head, each of the
 * head up by that of the tail, and none can stay; all that is needed is a second
 * piece, be it a gap. No free memory is, for the words change places by being
 * reversed, first in each part and then in the whole. The gaps are as large as
 * before, but for the outermost two, which become one, and the sum of the
 * stretch's gaps, on which all promises rest, stays.
 *
 * A run is a part of a stretch without gaps; turned alone it leaves every hole
 * of the pool where it was.
 */
#include "check.h"
#include "scramble.h"

/* The part of the wilderness that is turned along with a topmost stretch that has no gap. */
#define SHARE 8

struct ring {
    df_granules begin;
    df_granules end;
    uint32_t pieces;
    uint32_t nameless; /* the slot of a block whose handle nobody has yet, or 0 */
    bool gaps;
};

/* Marsaglia's xorshift: the next number after `*random`, which is never 0. */
static uint32_t draw(uint32_t *random)
{
    uint32_t x = *random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    *random = x;
    return x;
}

static df_granules piece_end(const defrag_pool *pool, df_granules o)
{
    return o + block_size(pool, o, block_header(pool, o));
}

/* --- Turning ---------------------------------------------------------------------------- */

/* Reverses the order of the words from the header at `begin` up to that at `end`. */
static void reverse(defrag_pool *pool, df_granules begin, df_granules end)
{
    size_t low = block_bytes(begin) - DF_WORD;
    size_t high = block_bytes(end) - 2 * DF_WORD;
    for (; low < high; low += DF_WORD, high -= DF_WORD) {
        df_word word = word_load(pool, low);
        word_store(pool, low, word_load(pool, high));
        word_store(pool, high, word);
    }
}

/* Overwrites the bytes [at, end) of the pool, whole words. */
static void fill(defrag_pool *pool, size_t at, size_t end)
{
    df_word pattern = (df_word)-1 / 0xff * DEFRAG_SCRAMBLE_BYTE;
    for (; at < end; at += DF_WORD)
        word_store(pool, at, pattern);
}

/* Overwrites all free memory but the headers, links and footers in it. */
static void fill_free(defrag_pool *pool)
{
    for (df_granules o = DF_FIRST; o < pool->top; o = piece_end(pool, o)) {
        if (!header_is_used(block_header(pool, o)))
            fill(pool, block_bytes(o) + DF_WORD, block_bytes(piece_end(pool, o)) - 2 * DF_WORD);
    }
    fill(pool, block_bytes(pool->top), block_bytes(pool->floor) - DF_WORD);
}

/*
 * Blocks change places, and Valgrind knows one by its address: between leaving
 * the old and taking the new one they have one that no block can have.
 */
static const uint8_t *watch_between(const defrag_pool *pool, df_granules o)
{
    return block_payload(pool, o) + 1;
}

static void watch_leave(const defrag_pool *pool, const struct ring *ring)
{
    /* NOLINTNEXTLINE(*DeadStores): only where the pool is watched it is read */
    for (df_granules o = ring->begin; DF_WATCHED && o < ring->end; o = piece_end(pool, o)) {
        df_word header = block_header(pool, o);
        if (header_is_used(header)) {
            df_word entry = table_entry(pool, header_owner(header));
            watch_changed(pool, heap_payload(pool, entry, o), watch_between(pool, o),
                          heap_payload_bytes(entry, header_size(header)));
        }
    }
}

static void watch_arrive(const defrag_pool *pool, df_granules from, df_granules to, df_word header)
{
    df_word entry = table_entry(pool, header_owner(header));
    watch_changed(pool, watch_between(pool, from), heap_payload(pool, entry, to),
                  heap_payload_bytes(entry, header_size(header)));
}

/*
 * The words of the used block at `o` are in the order they had at `from`. Brings its
 * payload to where it is aligned here.
 */
static void realign(defrag_pool *pool, df_granules from, df_granules o, df_word header)
{
    df_word entry = table_entry(pool, header_owner(header));
    size_t was = block_bytes(o) + heap_lead(pool, entry, from);
    size_t is = block_bytes(o) + heap_lead(pool, entry, o);
    size_t bytes = heap_payload_bytes(entry, header_size(header));
    if (is < was)
        for (size_t at = 0; at < bytes; at += DF_WORD)
            word_store(pool, is + at, word_load(pool, was + at));
    else if (is > was)
        for (size_t at = bytes; at > 0; at -= DF_WORD)
            word_store(pool, is + at - DF_WORD, word_load(pool, was + at - DF_WORD));
}

/* The last gap of the ring begins at `gap`; 0: there is none. */
static void settle_end(defrag_pool *pool, df_granules gap, df_granules end)
{
    if (end >= pool->top) {
        block_set_top(pool, gap ? gap : end);
    } else if (gap) {
        df_bins_insert(pool, gap, end - gap);
        block_set_prev_free(pool, end);
    } else if (header_is_used(block_header(pool, end))) {
        block_set_prev_used(pool, end);
    }
}

/* Makes blocks of what lies in the ring now, the old head at `head`. */
static void settle(defrag_pool *pool, const struct ring *ring, df_granules head, df_word prev_free)
{
    df_granules down = ring->end - head;
    df_granules up = head - ring->begin;
    df_granules gap = 0;
    for (df_granules o = ring->begin; o < ring->end;) {
        df_word header = block_header(pool, o);
        df_granules size = block_size(pool, o, header);
        if (!header_is_used(header)) {
            gap = gap ? gap : o;
        } else {
            if (gap)
                df_bins_insert(pool, gap, o - gap);
            header &= ~BLOCK_PREV_FREE;
            block_set_header(pool, o, header | (gap ? BLOCK_PREV_FREE : o == ring->begin ? prev_free : 0));
            df_granules from = o < head ? o + down : o - up;
            realign(pool, from, o, header);
            watch_arrive(pool, from, o, header);
            if (header_owner(header) == ring->nameless)
                table_set_entry(pool, ring->nameless,
                                entry_with_offset(table_entry(pool, ring->nameless), o));
            else
                df_moved(pool, from, o, header);
            gap = 0;
        }
        o += size;
    }
    settle_end(pool, gap, ring->end);
}

/* Turns the ring so that what is at `seam` comes first; its gaps are in no bin. */
static void turn(defrag_pool *pool, const struct ring *ring, df_granules seam)
{
    df_word first = block_header(pool, ring->begin);
    df_word prev_free = header_is_used(first) ? first & BLOCK_PREV_FREE : 0;
    watch_leave(pool, ring);
    reverse(pool, ring->begin, seam);
    reverse(pool, seam, ring->end);
    reverse(pool, ring->begin, ring->end);
    settle(pool, ring, ring->begin + (ring->end - seam), prev_free);
}

/* A seam that is neither end; the ring has two pieces or more. */
static df_granules draw_seam(const defrag_pool *pool, const struct ring *ring, uint32_t *random)
{
    df_granules seam = ring->begin;
    for (uint32_t i = draw(random) % (ring->pieces - 1) + 1; i > 0; i--)
        seam = piece_end(pool, seam);
    return seam;
}

/* --- Stretches ---------------------------------------------------------------------------- */

/* The stretch that begins at `begin`; up to a block that stays, or to the top. */
static struct ring stretch_at(const defrag_pool *pool, df_granules begin)
{
    struct ring ring = {begin, begin, 0, 0, false};
    while (ring.end < pool->top) {
        df_word header = block_header(pool, ring.end);
        if (!header_is_used(header))
            ring.gaps = true;
        else if (mover_stays(pool, ring.end, header))
            break;
        ring.pieces++;
        ring.end += block_size(pool, ring.end, header);
    }
    return ring;
}

/* Adds the beginning of the wilderness to the ring, as a gap. */
static void add_share(defrag_pool *pool, struct ring *ring)
{
    df_granules share = (heap_wilderness(pool) + SHARE - 1) / SHARE;
    if (ring->pieces == 0 || ring->gaps || ring->end < pool->top || share == 0)
        return;
    if (BLOCK_HAS_BARE && share == 1)
        block_set_header(pool, ring->end, BLOCK_BARE);
    else
        block_set_free(pool, ring->end, share, 0, 0);
    ring->pieces++;
    ring->end += share;
}

static void unlink_gaps(defrag_pool *pool, df_granules begin, df_granules end)
{
    for (df_granules o = begin; o < end; o = piece_end(pool, o)) {
        df_word header = block_header(pool, o);
        if (!header_is_used(header))
            (void)df_bins_remove(pool, o, header);
    }
}

/* Turns the stretch at `begin`; returns its end. */
static df_granules turn_stretch(defrag_pool *pool, df_granules begin, uint32_t *random, uint32_t nameless)
{
    struct ring ring = stretch_at(pool, begin);
    ring.nameless = nameless;
    df_granules end = ring.end;
    bool topmost = end == pool->top;
    add_share(pool, &ring);
    if (ring.pieces < 2)
        return end;
    unlink_gaps(pool, begin, end);
    turn(pool, &ring, draw_seam(pool, &ring, random));
    heap_lower_cursor(pool, begin);
    return topmost ? pool->top : end;
}

void df_scramble_stretches(defrag_pool *pool, uint32_t seed, uint32_t nameless)
{
    uint32_t random = seed ? seed : 1;
    if (!check_is_passed(pool))
        return;
    mover_begin(pool);
    if (nameless) {
        df_granules o = entry_offset(table_entry(pool, nameless));
        fill(pool, block_bytes(o), block_bytes(piece_end(pool, o)) - DF_WORD);
    }
    for (df_granules o = DF_FIRST; o < pool->top;) {
        o = turn_stretch(pool, o, &random, nameless);
        if (o < pool->top)
            o = piece_end(pool, o);
    }
    fill_free(pool);
    mover_end(pool);
}

/* --- Runs ------------------------------------------------------------------------------------ */

/* The run of used blocks that may move from `begin` on. */
static struct ring run_at(const defrag_pool *pool, df_granules begin)
{
    struct ring ring = {begin, begin, 0, 0, false};
    while (ring.end < pool->top) {
        df_word header = block_header(pool, ring.end);
        if (!header_is_used(header) || mover_stays(pool, ring.end, header))
            break;
        ring.pieces++;
        ring.end += header_size(header);
    }
    return ring;
}

/* Turns the run at `begin`, if there is one; returns its end. */
static df_granules turn_run(defrag_pool *pool, df_granules begin, uint32_t *random)
{
    struct ring ring = run_at(pool, begin);
    if (ring.pieces < 2)
        return ring.end;
    turn(pool, &ring, draw_seam(pool, &ring, random));
    /* Below a cursor there was no gap in this stretch, so that nothing between can slide. */
    if (begin < pool->cursor && pool->cursor < ring.end)
        pool->cursor = (df_half)ring.end;
    return ring.end;
}

void df_scramble_runs(defrag_pool *pool, unsigned which)
{
    uint32_t random = pool->moved_granules | 1;
    unsigned here = SCRAMBLE_LOW;
    if (!check_is_passed(pool))
        return;
    mover_begin(pool);
    for (df_granules o = DF_FIRST; o < pool->top;) {
        if (which & here)
            o = turn_run(pool, o, &random);
        else
            o = run_at(pool, o).end;
        if (o == pool->top)
            break;
        here = header_is_used(block_header(pool, o)) ? SCRAMBLE_LOW : SCRAMBLE_HIGH;
        o = piece_end(pool, o);
    }
    fill_free(pool);
    mover_end(pool);
}

/* --- Blocks that are alone ---------------------------------------------------------------------- */

/* A block that fills the stretch between two locked ones. */
struct lone {
    df_granules size;
    df_granules at;
};

/*
 * The largest such block after `last`, in order of falling sizes and then rising
 * places, that is not at `spared`; size 0: none.
 */
static struct lone next_lone(const defrag_pool *pool, struct lone last, df_granules spared)
{
    struct lone next = {0, 0};
    for (df_granules o = DF_FIRST; o < pool->top;) {
        struct ring ring = stretch_at(pool, o);
        df_granules size = ring.end - o;
        bool alone = ring.pieces == 1 && !ring.gaps && (ring.end < pool->top || heap_wilderness(pool) == 0);
        bool later = size < last.size || (size == last.size && o > last.at);
        if (alone && later && o != spared && size > next.size)
            next = (struct lone){size, o};
        o = ring.end < pool->top ? piece_end(pool, ring.end) : ring.end;
    }
    return next;
}

/*
 * Each block leaves a hole of its own size behind, the first to be found; so
 * that going by falling size, once one has found a place all that follow do, and
 * only the first of a size can come to lie behind where the search goes on.
 */
static void move_lone_blocks(defrag_pool *pool)
{
    struct lone last = {(df_granules)DF_HALF_MAX, 0};
    df_granules spared = 0;
    for (;;) {
        struct lone lone = next_lone(pool, last, spared);
        if (lone.size == 0)
            break;
        df_granules to = df_heap_room(pool, lone.size);
        if (to)
            df_move_away(pool, lone.at, to, lone.size);
        spared = lone.size == last.size ? spared : to;
        last = lone;
    }
}

/* --- The public form ------------------------------------------------------------------------------ */

defrag_status defrag_scramble(defrag_pool *pool, uint32_t seed)
{
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    if (check_is_passed(pool)) {
        move_lone_blocks(pool);
        df_scramble_stretches(pool, seed, 0);
    } else {
        status = DEFRAG_CORRUPT;
    }
    heap_leave(pool);
    return status;
}
