/* SPDX-License-Identifier: MIT */
/*
 * What tests must know of a build's inside: constants of its layout, the parts
 * of a handle, and where the image keeps what. inside_one.c answers from the
 * library's own headers and is compiled once for each build, so that no private
 * struct is ever copied by hand.
 */
#ifndef TESTS_INSIDE_H
#define TESTS_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "defrag.h"

#define INSIDE_FORGERIES 7

/* A run of bits of the image. */
struct inside_field {
    const char *name;
    size_t byte;     /* of the word it is in, from the start of the pool */
    unsigned width;  /* of that word: 8, 16, 32 or 64 bits               */
    unsigned shift;  /* of the field inside the word                     */
    unsigned bits;   /* of the field                                     */
};

/* What a plan for making room says. */
struct inside_plan {
    size_t moved;    /* granules                             */
    size_t leave;    /* blocks that leave for a hole         */
    uint64_t visits; /* blocks and holes that were looked at */
};

struct inside {
    const char *name;     /* of the build */
    size_t granule;       /* bytes */
    size_t header;        /* bytes of a block's header, and of a slot of the table */
    size_t smallest;      /* granules of the smallest used block */
    size_t granules_max;  /* of a pool */
    uint32_t slots_max;   /* slot numbers of the layout */
    uint32_t host_bytes;  /* in front of the image */
    uint32_t limit_at;    /* four more bytes that are the host's, which it made of the configuration and the table */
    bool debug;           /* configured with --enable-debug */

    void (*set_limit)(defrag_pool *pool); /* makes these right */
    uint32_t (*slot_of)(defrag_handle handle);
    unsigned (*generation_of)(defrag_handle handle);
    defrag_handle (*handle_of)(uint32_t slot, unsigned generation);
    unsigned (*seed)(const defrag_pool *pool);
    /* Size class of a free block, and of a request, of so many granules. */
    unsigned (*bin_of)(size_t granules);

    /* The bytes of the control block that count failures: [*first, *end). */
    void (*failure_counters)(size_t *first, size_t *end);

    /*
     * The live granules of the cheapest run whose gaps make so many granules, or,
     * if `leave`, whose length does; SIZE_MAX: there is none.
     */
    size_t (*cheapest_run)(const defrag_pool *pool, size_t granules, bool leave);

    /* Makes the plan for so many granules, and `grow` of the table; carries it out or leaves it. False: none. */
    bool (*plan)(defrag_pool *pool, size_t granules, size_t grow, bool commit, struct inside_plan *out);

    /* The same of a gap where one begins, or a block behind another, `start` bytes from the pool; it is made. */
    bool (*clear_at)(defrag_pool *pool, size_t start, size_t granules, size_t grow, size_t *moved);

    /*
     * Lists the fields that must be exactly as they are for the pool to be
     * sound, as this pool lies now: in the control block, in the header, links
     * and footer of each block, in each entry of the table. Returns the number.
     */
    size_t (*guarded)(const defrag_pool *pool, struct inside_field *fields, size_t room);

    /* The offset that the entry of a handle in use holds, and the owner that the header of its block names. */
    struct inside_field (*offset_of)(const defrag_pool *pool, defrag_handle handle);
    struct inside_field (*owner_of)(const defrag_pool *pool, defrag_handle handle);

    /*
     * Frauds that keep every link in agreement, so that nothing but the purpose
     * of what is linked is wrong. Each returns false if this pool offers no
     * opportunity. `forge` takes the handle of a long block that is not locked.
     */
    bool (*orphan)(defrag_pool *pool);  /* a free block is in no bin                        */
    bool (*misfile)(defrag_pool *pool); /* a free block is in the bin of another size       */
    bool (*below_wilderness)(defrag_pool *pool); /* the first granule of the wilderness is a free block */
    bool (*ring)(defrag_pool *pool, unsigned count); /* the last free blocks are linked to each other, to no bin */
    bool (*forge)(defrag_pool *pool, defrag_handle handle, unsigned kind); /* in its payload */

    /* Fields of the control block that may have more than one value. */
    struct inside_field busy, cursor, hole_bound, skipped, base, free_lowest, peak_live, peak_blocks, fewest_free, granules;
};

/* The inside of a build, found by its name; a hardened build's is that of the plain one. */
const struct inside *inside_of(const char *name);

uint64_t inside_load(const defrag_pool *pool, const struct inside_field *field);
void inside_store(defrag_pool *pool, const struct inside_field *field, uint64_t value);

#endif
