/* SPDX-License-Identifier: MIT */
/* Makes the calls of ops.h on a pool, each compared with the model. */
#ifndef TESTS_DRIVER_H
#define TESTS_DRIVER_H

#include <stdio.h>

#include "model.h"
#include "ops.h"

struct driver {
    struct model model;
    struct ops ops;
    defrag_handle *registers;
    FILE *show; /* receives a line for each call, before it is made; or NULL */
};

/* The build that a stream names. */
const struct defrag_build *driver_build(const struct ops_pool *pool);

/* False: the buffer is no pool. Otherwise driver_close() must follow. */
bool driver_open(struct driver *driver, const struct defrag_build *build, const struct ops_pool *pool,
                 size_t registers, FILE *show);
void driver_do(struct driver *driver, const struct ops_record *record);
void driver_unlock_all(struct driver *driver);

/* Unlocks and frees everything and expects the pool to be empty then. */
void driver_close(struct driver *driver);

#endif
