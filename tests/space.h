/* SPDX-License-Identifier: MIT */
/*
 * The states that a search has reached, each once, in the order in which it
 * reached them; which is also the queue of a breadth-first search.
 *
 * Open addressing over an array of fixed records: 32 to 40 bytes a state, where
 * the ready-made tables keep a node with pointers for each. The keys are the
 * states themselves, so nothing is merged that differs.
 */
#ifndef TESTS_SPACE_H
#define TESTS_SPACE_H

#include "canon.h"

struct space_step {
    uint8_t call;
    uint8_t slot;
    uint8_t argument;
};

struct space_state {
    struct canon_key key;
    uint32_t parent;        /* index of the state from which it was first reached */
    struct space_step step; /* and by which step                                  */
};

struct space {
    struct space_state *states;
    size_t count;
    size_t limit;  /* there is room for so many */
    bool full;     /* and one more did not fit  */
    uint32_t *index; /* of the table, 0: no state; else a state's number + 1 */
    size_t index_size;
};

/* A space for what fits into so many bytes. They are taken as they are needed. */
void space_open(struct space *space, size_t bytes);

/* Notes a state; false if it is there already, or did not fit. */
bool space_add(struct space *space, struct canon_key key, uint32_t parent, struct space_step step);

/* 64 bits that depend on all of the key. */
uint64_t space_hash(struct canon_key key);

#endif
