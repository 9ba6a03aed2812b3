/* SPDX-License-Identifier: MIT */
/*
 * Every state that a small pool can be in, as far as the promises ask: every
 * sequence of used and free blocks that fits, under three states of the handle
 * table, under every subset of locked blocks.
 */
#ifndef TESTS_STATES_H
#define TESTS_STATES_H

#include "layout.h"

#define STATE_PIECES 24

/* What the handle table holds beyond the live handles. */
enum state_table {
    TABLE_MIXED,  /* empty slots between those in use           */
    TABLE_TAIL,   /* empty slots at the end                     */
    TABLE_CLEAN,  /* the same, given back by defrag_clean()     */
    TABLE_TIGHT,  /* none: the free pieces were cut off blocks  */
    TABLE_KINDS
};

struct state {
    const struct defrag_build *build;
    const struct inside *inside;
    defrag_pool *pool;
    struct support_buffer buffer;
    unsigned char *fresh, *image;
    size_t image_bytes;

    size_t count; /* pieces, in address order */
    size_t sizes[STATE_PIECES];
    bool used[STATE_PIECES];
    defrag_handle handles[STATE_PIECES]; /* null where the piece is free */
    enum state_table table;
    unsigned locks; /* bit i: the i-th used piece is locked */

    struct layout layout;
};

typedef void state_visitor(struct state *state, void *context);

/*
 * Shows every state of a pool with so many free granules when empty. The
 * visitor may do to the pool what it likes. Returns the number of states.
 */
unsigned long states_each(const struct defrag_build *build, size_t granules, const defrag_config *config,
                          state_visitor *visitor, void *context);

/* The largest pool whose states the effort that is asked for allows. */
size_t states_granules(const struct defrag_build *build, size_t usual);

/* Puts the pool back as it was when the visitor was called. */
void state_restore(struct state *state);

/* Every block has its contents, is where its lock says, and the pool is sound. */
void state_expect_intact(const struct state *state);

/* Text for messages: the pieces, as "+3 -2 *1": used, free, locked. */
const char *state_text(const struct state *state);

#endif
