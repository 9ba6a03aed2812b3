/* SPDX-License-Identifier: MIT */
/* The terminal of `defrag-bench watch`. Knows what a moment looks like, not how one gets there. */
#ifndef DEFRAG_TOOLS_WATCH_SCREEN_H
#define DEFRAG_TOOLS_WATCH_SCREEN_H

#include "look.h"

/* A moment of a replay. */
struct watch_frame {
    const char *title;
    const struct look *look;
    const char *operation; /* the last one, in words */
    size_t done, operations;
    size_t speed;          /* operations between two frames, 0 if it stands still */
    const char *prompt;    /* asks for something; NULL: the keys are told instead */
};

struct watch_screen;

/* NULL after a message where there is no terminal to draw on. */
struct watch_screen *watch_screen_open(void);
void watch_screen_close(struct watch_screen *screen);

/* Cells that are other than in the frame before stand out. */
void watch_screen_show(struct watch_screen *screen, const struct watch_frame *frame);

/* What the keys are for. Arrows and such come as their letters. */
enum watch_key {
    WATCH_NOTHING = -1, /* the time is over */
    WATCH_GONE = -2,    /* there is nobody any more */
    WATCH_REDRAW = -3,  /* the terminal has another size */
    WATCH_PLAY = ' ',
    WATCH_NEXT = 'n',
    WATCH_PREVIOUS = 'p',
    WATCH_FORWARD = 'f',
    WATCH_BACKWARD = 'b',
    WATCH_FIRST = '<',
    WATCH_LAST = '>',
    WATCH_GO = 'g',
    WATCH_MOVE = 'm',
    WATCH_FASTER = '+',
    WATCH_SLOWER = '-',
    WATCH_QUIT = 'q',
    WATCH_ENTER = '\n',
    WATCH_ESCAPE = 27,
    WATCH_ERASE = 8
};

/* Waits for a key, at most so many milliseconds; negative: as long as it takes. */
int watch_screen_key(const struct watch_screen *screen, int milliseconds);

#endif
