/* SPDX-License-Identifier: MIT */
/*
 * Calls of the public functions, drawn by random numbers or decoded from any
 * bytes whatever. Needs no operating system: whoever uses it asks for the next
 * call, makes it, and says which blocks came and went.
 *
 * A stream of bytes is a pool, 4 bytes, then calls of 4 bytes each; what is
 * missing of the pool is zero, what is left over at the end is ignored.
 *
 *   pool  byte 0     bits 0-2: build, modulo 5 (n4, n8, n16, w8, w16); bit 3: DEFRAG_MANUAL; bit 4: hooks;
 *                    bit 5: DEFRAG_SCRAMBLE; bit 6: a hardened build
 *         bytes 1-2  bits 0-11: bytes of the buffer, little endian; 16 times that if bits 12-15 are all set
 *         byte 3     bits 0-4: bytes that the buffer begins behind an aligned address
 *
 *   call  byte 0     bits 0-4: enum op_kind, by the table in ops.c; bits 5-7: `how`
 *         byte 1     the object: 0-223 a register; 224-231 a stale handle, 232-239 one with a flipped bit,
 *                    240-247 one of another pool, 248 null, 249-255 any bits
 *         bytes 2-3  a and b, from which `how` makes an amount:
 *
 *   how   0: a    1: a + 256 b    2, 3, 4: largest_certain, largest_fast, free_bytes, plus a as int8_t
 *         5: (a + 256 b) / 65536 of the pool    6: a modulo 16    7: SIZE_MAX - a
 *
 * Registers hold handles. A new handle goes to the first empty register from
 * the object on, another call takes the first handle from there on, both
 * around the end. So most calls meet a live block, and to insert or remove a
 * call changes little of what the others mean.
 *
 * read and write: offset a, bytes b; `how` 2, 3: offset from the end of the
 * block; 4: SIZE_MAX - b bytes; 7: offset SIZE_MAX - a. Slices: as many elements
 * as divide the amount. alloc_request: b says alignment, flags and count.
 */
#ifndef TESTS_OPS_H
#define TESTS_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "defrag.h"

#define OPS_POOL_BYTES   4
#define OPS_CALL_BYTES   4
#define OPS_BUILDS       5
#define OPS_REGISTERS    224 /* that a byte can name */
#define OPS_STALE        64
#define OPS_FOREIGN      8

enum op_kind {
    OP_ALLOC,
    OP_ALLOC_FAST,
    OP_SLICE,
    OP_SLICE_FAST,
    OP_REQUEST,
    OP_RESIZE,
    OP_FREE,
    OP_LOCK,
    OP_LOCK_SHARED,
    OP_TRY_LOCK,
    OP_TRY_LOCK_SHARED,
    OP_UNLOCK,
    OP_READ,
    OP_WRITE,
    OP_SIZE,
    OP_CLEAN,
    OP_COMPACT,
    OP_COMPACT_STEP,
    OP_MAKE_ROOM,
    OP_SCRAMBLE,
    OP_STATISTICS, /* and try out what they promise                  */
    OP_WALK,       /* that ends early                                */
    OP_MIGRATE,    /* detach, attach a copy, and go on with it       */
    OP_ATTACH,     /* a copy whose end is missing                    */
    OP_MISUSE,     /* every null pointer and unknown flag there is   */
    OP_KINDS
};

/* The names of the kinds. */
extern const char *const ops_names[OP_KINDS];

struct ops_pool {
    unsigned build; /* 0 to 4 */
    bool hardened, manual, hooked, scrambles;
    size_t bytes, skew;
};

/* A call as it is drawn: a stream has 4 bytes for it. */
enum ops_odd { ODD_NONE, ODD_STALE, ODD_FLIPPED, ODD_FOREIGN, ODD_ANY };
struct ops_record {
    enum op_kind kind;
    unsigned how; /* 0 to 7 */
    enum ops_odd odd;
    size_t object;
    uint8_t a, b;
};

/* A call as it is to be made. */
struct op {
    enum op_kind kind;
    defrag_handle handle;
    size_t at;     /* register of `handle`, or for a new one */
    size_t bytes;
    size_t offset; /* read, write */
    bool from_end; /* `offset` counts from the end of the block */
    defrag_request request;
};

struct ops {
    defrag_handle *registers;
    size_t count;
    defrag_handle stale[OPS_STALE]; /* freed last */
    size_t stale_count;
    defrag_handle foreign[OPS_FOREIGN];
};

void ops_decode_pool(const uint8_t *bytes, size_t count, struct ops_pool *out);
void ops_decode(const uint8_t bytes[OPS_CALL_BYTES], struct ops_record *out);

/* Begins with empty registers; they are the caller's. */
void ops_begin(struct ops *ops, defrag_handle *registers, size_t count);

/* The call that a record means now. Where all registers are full an allocation becomes a free. */
void ops_next(const struct ops *ops, const struct ops_record *record, const defrag_statistics *now,
              struct op *out);

/* To be told of every block that comes and goes. */
void ops_allocated(struct ops *ops, const struct op *op, defrag_handle handle);
void ops_freed(struct ops *ops, defrag_handle handle);

#endif
