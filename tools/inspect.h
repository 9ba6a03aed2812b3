/* SPDX-License-Identifier: MIT */
/*
 * What a raw dump of a pool says: its control block, every block, every slot, and
 * the first invariant that is broken. Nothing of the dump is trusted. inspect_one.c
 * reads the bits and is compiled once for each build; it judges by its own walk,
 * not by defrag_check(), which the tests hold it against.
 *
 * Offsets and lengths are bytes; offsets are from the first byte of the pool, its
 * host word.
 */
#ifndef DEFRAG_TOOLS_INSPECT_H
#define DEFRAG_TOOLS_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "builds.h"

/* A number of the control block. */
struct inspect_field {
    const char *name;
    uint64_t value;
};

enum { INSPECT_FIELDS_MAX = 40 };

enum inspect_kind {
    INSPECT_USED,
    INSPECT_FREE,
    INSPECT_WILDERNESS,
    INSPECT_UNREADABLE /* from where the chain of blocks breaks to where a block and its slot agree again */
};

/* A stretch of what lies between the control block and the table. Without gaps, in the order of offsets. */
struct inspect_block {
    uint64_t offset; /* of the header's first byte */
    uint64_t bytes;  /* header included */
    uint64_t payload_offset, payload_bytes; /* used and owned */
    enum inspect_kind kind;
    uint32_t slot;  /* used: the owner, as the header says */
    bool is_owned;  /* used: the slot agrees              */
    bool is_linked; /* free: in the ring of its bin; not looked at where something else is damaged */
    unsigned bin;   /* free: where it belongs; 0 if it is too small to be in one */
};

struct inspect_slot {
    uint64_t entry_offset;   /* where the entry lies              */
    uint64_t begin_offset;   /* in use: of the first byte behind the block's header */
    uint64_t payload_offset; /* in use: that, or the first aligned one from there on */
    uint64_t alignment;      /* in use: of the payload            */
    uint32_t next;           /* empty: the one behind it, or 0    */
    uint32_t handle;         /* its bits, of this use or the next */
    unsigned generation;
    unsigned shared_locks;
    bool is_used, is_exclusive;
    /* Compaction left a gap below the locked block or, if it is aligned to more than a granule, may have. */
    bool is_passed;
    bool is_seen;   /* in use: its block is there; empty: it is on the list */
};

/* Slots in use by where they say that their blocks are. */
struct inspect_claim {
    uint64_t begin_offset;
    uint32_t slot;
};

/* What is wrong, and where; no text: nothing. */
struct inspect_fault {
    uint64_t offset;
    char text[200];
};

struct inspection {
    const struct defrag_build *build;
    size_t file_offset; /* of the pool in the dump */
    uint64_t bytes;     /* of the pool */
    void *room;         /* holds a copy of it */
    defrag_pool *pool;  /* the copy; its host word is null */
    uint64_t host;      /* the host word as it was, 0 or the address of a configuration */
    uint64_t base, base_modulus; /* the pool's address modulo so much, as the image says */
    uint64_t blocks_offset, table_offset; /* where the control block ends, and the wilderness at the latest */

    struct inspect_field fields[INSPECT_FIELDS_MAX];
    size_t field_count;
    struct inspect_block *blocks;
    size_t block_count, block_room;
    struct inspect_slot *slots; /* slot n is slots[n - 1] */
    size_t slot_count;
    struct inspect_claim *claims;
    size_t claim_count;
    struct inspect_fault fault; /* the first */
};

enum inspect_result {
    INSPECT_READ,    /* the inspection holds all that can be read                     */
    INSPECT_NO_POOL, /* there is no pool, or not all of it, or not of a build of ours */
    INSPECT_SENSELESS /* there is one, but its length cannot be                       */
};

/* Why there is nothing to be seen. */
struct inspect_error {
    char text[300];
};

/*
 * Looks for a pool at bytes[from], or up to a granule behind it, and at all of it.
 * Unless the result is INSPECT_READ, `error` is filled and nothing is to be released.
 */
enum inspect_result inspect_read(struct inspection *inspection, const uint8_t *bytes, size_t count,
                                 size_t from, struct inspect_error *error);

void inspect_release(struct inspection *inspection);

/*
 * Reads only as far as the length of the pool, in bytes, of which as few as
 * INSPECT_HEAD_BYTES have to be there; `file_offset` is where it begins.
 */
enum { INSPECT_HEAD_BYTES = 2048 };
enum inspect_result inspect_length(const uint8_t *bytes, size_t count, size_t from, size_t *file_offset,
                                   uint64_t *length, struct inspect_error *error);

/* --- What inspect_one.c is for a build ------------------------------------------- */

/* Whose image begins at some byte. */
enum inspect_origin {
    ORIGIN_NONE, /* no pool begins here */
    ORIGIN_SWAPPED,
    ORIGIN_VERSION,
    ORIGIN_OTHER, /* of another build */
    ORIGIN_OURS
};

struct inspector {
    const struct defrag_build *build;
    size_t control_bytes;
    size_t least_bytes; /* of any pool */
    enum inspect_origin (*origin)(const uint8_t *bytes, size_t count);
    /* These take the control block, which all bytes are there of. */
    uint64_t (*length)(const defrag_pool *control);
    uint64_t (*base)(const defrag_pool *control, uint64_t *modulus);
    /* Takes what was the host's out of a copy. */
    void (*settle)(defrag_pool *pool);
    /* Fills in what is not yet known. All bytes of the pool are there. */
    void (*look)(const defrag_pool *pool, struct inspection *out);
};

/* What it tells by. The slots are all there, zeroed, from the first call on. */
void inspect_add_field(struct inspection *out, const char *name, uint64_t value);
struct inspect_block *inspect_add_block(struct inspection *out, enum inspect_kind kind, uint64_t offset,
                                        uint64_t bytes);
void inspect_make_slots(struct inspection *out, uint32_t count);
void inspect_sort_claims(struct inspection *out);

/* Notes what is wrong at that offset unless something was before. */
void inspect_note(struct inspection *out, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
