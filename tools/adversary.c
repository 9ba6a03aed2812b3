/* SPDX-License-Identifier: MIT */
#include "adversary.h"

#define SAWTOOTH_ROUNDS 50

struct game {
    const struct adversary_heap *heap;
    size_t most;
    size_t live;
    struct adversary_piece *pieces;
    size_t spares;
    bool refused;
    bool over; /* nothing is done any more */
};

/* --- Moves ------------------------------------------------------------------------------ */

static struct game game_begin(const struct adversary_heap *heap, size_t most, struct adversary_piece *pieces)
{
    struct game game = {.heap = heap, .most = most, .pieces = pieces};
    while (game.spares <= most) {
        pieces[game.spares].spare = (uint32_t)(most - game.spares);
        game.spares++;
    }
    return game;
}

/* More than may be live ends the game. */
static struct adversary_piece game_alloc(struct game *game, size_t units)
{
    struct adversary_piece piece = {0, (uint32_t)units, 0};
    game->over |= game->live + units > game->most;
    if (game->over)
        return piece;
    piece.object = game->pieces[--game->spares].spare;
    game->live += units;
    if (!game->heap->alloc(game->heap->context, piece.object, units)) {
        game->refused = true;
        game->over = true;
    }
    return piece;
}

static void game_free(struct game *game, struct adversary_piece piece)
{
    if (game->over)
        return;
    game->heap->free(game->heap->context, piece.object);
    game->pieces[game->spares++].spare = piece.object;
    game->live -= piece.units;
}

static void game_shrink(struct game *game, struct adversary_piece piece, size_t units)
{
    if (game->over)
        return;
    game->heap->shrink(game->heap->context, piece.object, units);
    game->live -= piece.units - units;
}

/* The list of pieces and the stack of spare numbers share an array, not the members. */
static void piece_put(struct game *game, size_t index, struct adversary_piece piece)
{
    game->pieces[index].object = piece.object;
    game->pieces[index].units = piece.units;
}

/* Appends blocks to the list until no other may be live; returns its length. */
static size_t game_fill(struct game *game, size_t count, size_t units)
{
    while (!game->over && game->live + units <= game->most)
        piece_put(game, count++, game_alloc(game, units));
    return count;
}

static size_t place_of(const struct game *game, struct adversary_piece piece)
{
    return game->heap->place(game->heap->context, piece.object);
}

/* --- Robson's ---------------------------------------------------------------------------- */

/* Whether the piece covers an address that is f modulo s. */
static bool covers(const struct game *game, struct adversary_piece piece, size_t f, size_t s)
{
    return (f + s - place_of(game, piece) % s) % s < piece.units;
}

static size_t robson_gain(const struct game *game, size_t count, size_t f, size_t s)
{
    size_t gain = 0;
    for (size_t i = 0; i < count; i++)
        gain += covers(game, game->pieces[i], f, s) ? s - game->pieces[i].units : 0;
    return gain;
}

/* Frees what does not cover; returns how many are left. */
static size_t robson_thin(struct game *game, size_t count, size_t f, size_t s)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct adversary_piece piece = game->pieces[i];
        if (covers(game, piece, f, s))
            piece_put(game, kept++, piece);
        else
            game_free(game, piece);
    }
    return kept;
}

static bool robson_play(const struct adversary_heap *heap, size_t most, size_t largest,
                        struct adversary_piece *pieces)
{
    struct game game = game_begin(heap, most, pieces);
    size_t count = game_fill(&game, 0, 1);
    size_t f = 0;
    for (size_t s = 2; s <= largest && !game.over; s *= 2) {
        if (robson_gain(&game, count, f + s / 2, s) > robson_gain(&game, count, f, s))
            f += s / 2;
        count = game_fill(&game, robson_thin(&game, count, f, s), s);
    }
    return !game.refused;
}

static size_t robson_bound(size_t most, size_t largest)
{
    size_t halves = 2 * most;
    size_t s = 1;
    for (; 2 * s <= largest; s *= 2)
        halves += most;
    return halves / 2 - s + 1;
}

/* --- Best-fit's --------------------------------------------------------------------------- */

/*
 * At the beginning of a step the heap is
 *
 *     [ left: m-2 ] ( free m-3 [ 1 ] ) ( free m-3 [ 1 ] ) ...
 *
 * with `count` ones, and in the end with one more. Blocks of m-2 do not fit between
 * them, so that the heap grows by m-2 while one unit more is live.
 */

/* Puts b, c and d into the hole of 2m-4 units, and takes b out again. Only where b lay is room for m-2 then.
 */
static void stamp(struct game *game, size_t m, struct adversary_piece *c, struct adversary_piece *d)
{
    struct adversary_piece b = game_alloc(game, m);
    *c = game_alloc(game, m - 5);
    game_free(game, b);
    *d = game_alloc(game, 1);
}

static void best_fit_step(struct game *game, size_t m, struct adversary_piece *left, size_t count)
{
    struct adversary_piece c, d;
    struct adversary_piece x = game_alloc(game, m - 2);
    struct adversary_piece y = game_alloc(game, m - 2);
    game_free(game, count ? game->pieces[count - 1] : *left);
    game_free(game, x);
    stamp(game, m, &c, &d);
    game_free(game, y);
    /* The ones from the right to the left, and last the left block: each gives way to the next stamp. */
    for (size_t i = count; i-- > 0;) {
        struct adversary_piece u = game_alloc(game, m - 2);
        struct adversary_piece v = game_alloc(game, 2);
        struct adversary_piece next_c, next_d;
        game_free(game, i ? game->pieces[i - 1] : *left);
        game_free(game, u);
        stamp(game, m, &next_c, &next_d);
        game_free(game, v);
        game_free(game, c);
        piece_put(game, i + 1, d);
        c = next_c;
        d = next_d;
    }
    piece_put(game, 0, d);
    game_free(game, c);
    *left = game_alloc(game, m - 2);
}

static bool best_fit_play(const struct adversary_heap *heap, size_t most, size_t largest,
                          struct adversary_piece *pieces)
{
    struct game game = game_begin(heap, most, pieces);
    struct adversary_piece left = game_alloc(&game, largest - 2);
    for (size_t count = 0; !game.over; count++)
        best_fit_step(&game, largest, &left, count);
    return !game.refused;
}

static size_t best_fit_bound(size_t most, size_t largest)
{
    return most + 11 > 4 * largest ? (most + 11 - 4 * largest) * (largest - 2) : most;
}

/* --- Shrinking ----------------------------------------------------------------------------- */

static bool shrink_play(const struct adversary_heap *heap, size_t most, size_t largest,
                        struct adversary_piece *pieces)
{
    struct game game = game_begin(heap, most, pieces);
    struct adversary_piece previous = game_alloc(&game, largest);
    while (!game.over) {
        struct adversary_piece next = game_alloc(&game, largest);
        game_shrink(&game, previous, 1);
        previous = next;
    }
    return !game.refused;
}

/* Each step costs a whole block and leaves one unit live. */
static size_t shrink_bound(size_t most, size_t largest)
{
    return largest * (most + 2 - 2 * largest);
}

/* --- Sawtooth -------------------------------------------------------------------------------- */

/* Frees one in each of so many equal stretches of the heap; returns how many are left. */
static size_t sawtooth_thin(struct game *game, size_t count, size_t stretches)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        struct adversary_piece piece = game->pieces[i];
        bool is_enough = game->live + stretches <= game->most;
        if (!is_enough && place_of(game, piece) * stretches % game->most < stretches)
            game_free(game, piece);
        else
            piece_put(game, kept++, piece);
    }
    return kept;
}

static bool sawtooth_play(const struct adversary_heap *heap, size_t most, size_t largest,
                          struct adversary_piece *pieces)
{
    struct game game = game_begin(heap, most, pieces);
    size_t count = game_fill(&game, 0, 1);
    for (unsigned round = 0; round < SAWTOOTH_ROUNDS && !game.over; round++) {
        count = sawtooth_thin(&game, count, largest);
        game_free(&game, game_alloc(&game, most - game.live));
        count = game_fill(&game, count, 1);
    }
    return !game.refused;
}

/* No hole has two units. */
static size_t sawtooth_bound(size_t most, size_t largest)
{
    return most + largest;
}

/* --- All of them ------------------------------------------------------------------------------ */

const struct adversary adversaries[] = {
    {"robson", 4096, 256, 32, robson_play, robson_bound},
    {"best-fit", 400, 32, 32, best_fit_play, best_fit_bound},
    {"shrink", 1024, 64, 32, shrink_play, shrink_bound},
    {"sawtooth", 956, 96, 64, sawtooth_play, sawtooth_bound},
    {0},
};

bool adversary_takes(const struct adversary *adversary, size_t most, size_t largest)
{
    size_t least = adversary->play == best_fit_play ? 6 : 2;
    size_t times = adversary->play == shrink_play || adversary->play == sawtooth_play ? 2 : 1;
    return largest >= least && largest <= most / times;
}

bool adversary_play(const struct adversary *adversary, const struct adversary_heap *heap, size_t most,
                    size_t largest, struct adversary_piece *pieces)
{
    return adversary->play(heap, most, largest, pieces);
}
