/* SPDX-License-Identifier: MIT */
/*
 * The table of doc/statuses.md: what each call answers in each state of the
 * block. The model decides by it, and test_status compares it with the document.
 */
#ifndef TESTS_STATUSES_H
#define TESTS_STATUSES_H

#include "defrag.h"

enum handle_state { STATE_UNLOCKED, STATE_SHARED, STATE_SHARED_FULL, STATE_EXCLUSIVE, STATE_STALE, STATE_NULL };
#define HANDLE_STATES 6

enum handle_call {
    CALL_LOCK,
    CALL_LOCK_SHARED,
    CALL_UNLOCK,
    CALL_READ,
    CALL_WRITE,
    CALL_FREE,
    CALL_RESIZE_SAME,
    CALL_RESIZE_SHRINK,
    CALL_RESIZE_GROW_IN_PLACE,
    CALL_RESIZE_GROW_BY_MOVING
};
#define HANDLE_CALLS 10

struct statuses_row {
    const char *call; /* as the document names it */
    int status[HANDLE_STATES];
};

extern const struct statuses_row statuses_table[HANDLE_CALLS];

int statuses_of(enum handle_call call, enum handle_state state);

#endif
