/* SPDX-License-Identifier: MIT */
#include "watch_screen.h"

#include <curses.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "number.h"
#include "options.h"
#include "xalloc.h"

/*
 *   title
 *   address  map
 *   ...
 *   legend
 *   operation
 *   live, free
 *   promises, moves
 *   progress
 *   keys
 */
enum { LINES_BELOW = 6, LINES_LEAST = 10, COLUMNS_LEAST = 40, ADDRESS_WIDTH = 12, TEXT_ROOM = 400 };

struct watch_screen {
    SCREEN *terminal;
    unsigned char *kinds; /* of the cells */
    unsigned char *shown; /* of those of the frame before */
    size_t count, shown_count;
    size_t room;
};

/* A sign and a colour for each kind; signs are told apart without colours, too. */
static const char signs[HEAP_KINDS + 1] = {
    [HEAP_FREE] = '.',       [HEAP_USED] = ':',     [HEAP_USED + 1] = '-',  [HEAP_USED + 2] = '=',
    [HEAP_USED + 3] = '+',   [HEAP_USED + 4] = '*', [HEAP_USED_LAST] = '#', [HEAP_LOCKED] = 'L',
    [HEAP_OVERHEAD] = '@',   [HEAP_UNREADABLE] = '?',
};
static const short colours[HEAP_KINDS] = {
    [HEAP_FREE] = COLOR_WHITE,     [HEAP_USED] = COLOR_CYAN,     [HEAP_USED + 1] = COLOR_CYAN,
    [HEAP_USED + 2] = COLOR_GREEN, [HEAP_USED + 3] = COLOR_GREEN, [HEAP_USED + 4] = COLOR_YELLOW,
    [HEAP_USED_LAST] = COLOR_YELLOW, [HEAP_LOCKED] = COLOR_RED, [HEAP_OVERHEAD] = COLOR_MAGENTA,
    [HEAP_UNREADABLE] = COLOR_RED,
};

struct watch_screen *watch_screen_open(void)
{
    const char *name = getenv("TERM");

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        complain("watch draws on a terminal, and standard %s is none",
                 isatty(STDIN_FILENO) ? "output" : "input");
        return NULL;
    }
    SCREEN *terminal = newterm(NULL, stdout, stdin);
    if (!terminal) {
        complain("TERM=%s: no such terminal is known here", name ? name : "");
        return NULL;
    }
    struct watch_screen *screen = xcalloc(1, sizeof *screen);
    screen->terminal = terminal;
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    set_escdelay(100);
    curs_set(0);
    if (has_colors()) {
        start_color();
        use_default_colors();
        for (int kind = 0; kind < HEAP_KINDS; kind++) {
            init_pair((short)(kind + 1), colours[kind], -1);
        }
    }
    return screen;
}

void watch_screen_close(struct watch_screen *screen)
{
    endwin();
    delscreen(screen->terminal);
    free(screen->kinds);
    free(screen->shown);
    free(screen);
}

/* --- Drawing ---------------------------------------------------------------------------- */

/* A line of text, cut off where the terminal ends. */
static void put_line(int line, const char *text)
{
    mvaddnstr(line, 0, text, COLS);
    clrtoeol();
}

static attr_t attributes_of(enum heap_kind kind)
{
    attr_t attributes = has_colors() ? (attr_t)COLOR_PAIR(kind + 1) : A_NORMAL;
    return kind == HEAP_FREE ? attributes | A_DIM : kind == HEAP_LOCKED ? attributes | A_BOLD : attributes;
}

static void cells_make(struct watch_screen *screen, const struct heap_map *map, size_t most)
{
    size_t granules = (size_t)(map->bytes / map->granule);
    unsigned char *shown = screen->shown;

    screen->shown = screen->kinds;
    screen->shown_count = screen->count;
    screen->kinds = shown;
    screen->count = granules < most ? granules : most;
    if (screen->count > screen->room) {
        screen->kinds = xrealloc(screen->kinds, screen->count, 1);
        screen->shown = xrealloc(screen->shown, screen->count, 1);
        screen->room = screen->count;
    }
    heap_map_sample(map, screen->kinds, screen->count);
}

static void cell_put(const struct watch_screen *screen, size_t cell)
{
    enum heap_kind kind = screen->kinds[cell];
    attr_t attributes = attributes_of(kind);

    if (screen->count == screen->shown_count && screen->shown[cell] != kind) {
        attributes |= A_REVERSE;
    }
    addch((chtype)signs[kind] | attributes);
}

static void map_put(struct watch_screen *screen, const struct heap_map *map)
{
    size_t rows = (size_t)(LINES - 1 - LINES_BELOW);
    size_t columns = (size_t)(COLS - ADDRESS_WIDTH);

    cells_make(screen, map, rows * columns);
    for (size_t row = 0; row < rows; row++) {
        char number[NUMBER_ROOM];
        size_t first = row * columns;
        move(1 + (int)row, 0);
        clrtoeol();
        if (first >= screen->count) {
            continue;
        }
        /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): version 14 loses in the second round that count > first */
        printw("%*s ", ADDRESS_WIDTH - 1, number_format(number, map->bytes * first / screen->count));
        for (size_t cell = first; cell < first + columns && cell < screen->count; cell++) {
            cell_put(screen, cell);
        }
    }
}

static void numbers_put(int line, const struct look *look)
{
    const defrag_statistics *s = &look->statistics;
    char a[NUMBER_ROOM], b[NUMBER_ROOM], c[NUMBER_ROOM], d[NUMBER_ROOM], e[NUMBER_ROOM];
    char text[TEXT_ROOM];
    uint64_t refused = (uint64_t)s->failed_no_memory + s->failed_fragmented + s->failed_pinned +
                       s->failed_no_handles + s->failed_bad_size;

    snprintf(text, sizeof text, "live %s in %s block%s, %s locked; free %s, at most %s together",
             number_format(a, look->live_bytes), number_format(b, s->live_blocks),
             s->live_blocks == 1 ? "" : "s",
             number_format(c, s->locked_blocks), number_format(d, look->free_bytes),
             number_format(e, look->largest_free));
    put_line(line, text);
    snprintf(text, sizeof text, "certain %s, fast %s; moved %s bytes, %s blocks; refused %s",
             number_format(a, s->largest_certain), number_format(b, s->largest_fast),
             number_format(c, s->moved_bytes), number_format(d, s->moved_blocks), number_format(e, refused));
    put_line(line + 1, text);
}

static void progress_put(int line, const struct watch_frame *frame)
{
    char done[NUMBER_ROOM], all[NUMBER_ROOM];
    char text[TEXT_ROOM], speed[NUMBER_ROOM + 16] = "stands still";

    if (frame->speed > 0) {
        snprintf(speed, sizeof speed, "plays, %zu a frame", frame->speed);
    }
    snprintf(text, sizeof text, " %s of %s, %s", number_format(done, frame->done),
             number_format(all, frame->operations), speed);
    int width = COLS - 2 - (int)strlen(text);
    move(line, 0);
    clrtoeol();
    addch('[');
    for (int i = 0; i < width; i++) {
        addch((uint64_t)i * frame->operations < (uint64_t)width * frame->done ? '#' : '.');
    }
    addch(']');
    addnstr(text, COLS - 2 - (width > 0 ? width : 0));
}

static void all_put(struct watch_screen *screen, const struct watch_frame *frame)
{
    int line = LINES - LINES_BELOW;

    attron(A_REVERSE);
    put_line(0, frame->title);
    mvchgat(0, 0, -1, A_REVERSE, 0, NULL);
    attroff(A_REVERSE);
    map_put(screen, &frame->look->map);
    put_line(line, ". free  used up to :16 -64 =256 +1K *4K bytes #more  L locked  @ the pool's own");
    put_line(line + 1, frame->operation);
    numbers_put(line + 2, frame->look);
    progress_put(line + 4, frame);
    put_line(line + 5,
             frame->prompt
                 ? frame->prompt
                 : "space play  n p step  f b 1 %  m next move  g go to  < > ends  + - speed  q quit");
}

void watch_screen_show(struct watch_screen *screen, const struct watch_frame *frame)
{
    if (LINES < LINES_LEAST || COLS < COLUMNS_LEAST) {
        erase();
        put_line(0, "too small a terminal");
    } else {
        all_put(screen, frame);
    }
    refresh();
}

/* --- Keys ----------------------------------------------------------------------------------- */

/* Where a hang-up is ignored, the end of the terminal looks like a key that does not come. */
static bool terminal_is_gone(void)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&input, 1, 0) > 0 && (input.revents & (POLLHUP | POLLERR | POLLNVAL));
}

int watch_screen_key(const struct watch_screen *screen, int milliseconds)
{
    (void)screen;
    timeout(milliseconds);
    int key = getch();
    switch (key) {
    case ERR:
        return milliseconds < 0 || terminal_is_gone() ? WATCH_GONE : WATCH_NOTHING;
    case KEY_RESIZE:
        return WATCH_REDRAW;
    case KEY_RIGHT:
        return WATCH_NEXT;
    case KEY_LEFT:
        return WATCH_PREVIOUS;
    case KEY_NPAGE:
        return WATCH_FORWARD;
    case KEY_PPAGE:
        return WATCH_BACKWARD;
    case KEY_HOME:
        return WATCH_FIRST;
    case KEY_END:
        return WATCH_LAST;
    case '=':
        return WATCH_FASTER;
    case '\r':
    case KEY_ENTER:
        return WATCH_ENTER;
    case KEY_BACKSPACE:
    case 127:
        return WATCH_ERASE;
    default:
        return key;
    }
}
