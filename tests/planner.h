/* SPDX-License-Identifier: MIT */
/*
 * The search that makes room, once more: the same intervals in the same order, over
 * plain arrays of blocks and gaps. What it plans is what the library must do, to the
 * granule; it shares no code with it.
 */
#ifndef TESTS_PLANNER_H
#define TESTS_PLANNER_H

#include "layout.h"

#define PLANNER_VISITS 64 /* of a configuration that says 0 */

struct planned {
    bool found;
    size_t moved;    /* granules that move                                           */
    size_t above;    /* of them, those that make room for the table                  */
    size_t slide;    /* at most, if nothing could leave; SIZE_MAX: no slide would do */
    size_t floor;    /* the least that those not for the table can be                */
    size_t leave;    /* blocks that leave for a hole                                 */
    bool top_leaves; /* one of them for the table                                    */
    bool cut;        /* the search ended before its time                             */
    uint64_t visits; /* blocks and holes looked at                                   */
};

/*
 * What making room for a block of so many granules moves, where the table takes
 * `taken` granules besides, empty slots are given back and all free granules
 * together are enough. Nothing, where a hole is there.
 */
struct planned planner_plan(const struct layout *layout, size_t granules, size_t taken, uint32_t visits);

/*
 * The same of a gap that begins where the gap below block `block` does: all that lies in it leaves, which is less
 * than `limit` granules; nor are more than `limit` blocks and holes looked at. SIZE_MAX: no limit.
 */
struct planned planner_clear(const struct layout *layout, size_t block, size_t granules, size_t taken,
                             size_t limit);

/*
 * The same of a gap around block `block`, which lies at its begin in the end and costs its granules if it was
 * elsewhere: the cheapest of less than `limit` granules, empty slots given back.
 */
struct planned planner_around(const struct layout *layout, size_t block, size_t granules, size_t limit,
                              uint32_t visits);

#endif
