/* SPDX-License-Identifier: MIT */
#include "ops.h"

const char *const ops_names[OP_KINDS] = {
    "alloc", "alloc_fast", "alloc_slice", "alloc_slice_fast", "alloc_request", "resize", "free", "lock",
    "lock_shared", "try_lock", "try_lock_shared", "unlock", "read", "write", "size", "clean", "compact",
    "compact_step", "make_room", "scramble", "statistics", "walk", "migrate", "attach", "misuse",
};

/* What the five bits of a stream name: the frequent calls have more than one number. */
static const uint8_t kinds[32] = {
    OP_ALLOC,  OP_ALLOC_FAST,   OP_SLICE,    OP_SLICE_FAST,      OP_REQUEST, OP_RESIZE,       OP_FREE,      OP_LOCK,
    OP_LOCK_SHARED, OP_TRY_LOCK, OP_TRY_LOCK_SHARED, OP_UNLOCK,  OP_READ,    OP_WRITE,        OP_SIZE,      OP_CLEAN,
    OP_COMPACT, OP_COMPACT_STEP, OP_MAKE_ROOM, OP_STATISTICS,    OP_WALK,    OP_MIGRATE,      OP_ATTACH,    OP_MISUSE,
    OP_ALLOC,  OP_ALLOC_FAST,   OP_RESIZE,   OP_RESIZE,          OP_FREE,    OP_FREE,         OP_UNLOCK,    OP_SCRAMBLE,
};

/* --- Streams -------------------------------------------------------------------- */

void ops_decode_pool(const uint8_t *bytes, size_t count, struct ops_pool *out)
{
    uint8_t b[OPS_POOL_BYTES] = {0};
    for (size_t i = 0; i < count && i < OPS_POOL_BYTES; i++)
        b[i] = bytes[i];
    size_t size = b[1] | (b[2] & 0x0fu) << 8;
    *out = (struct ops_pool){
        .build = (b[0] & 7u) % OPS_BUILDS,
        .manual = b[0] >> 3 & 1,
        .hooked = b[0] >> 4 & 1,
        .scrambles = b[0] >> 5 & 1,
        .hardened = b[0] >> 6 & 1,
        .bytes = b[2] >= 0xf0 ? 16 * size : size,
        .skew = b[3] & 31u,
    };
}

void ops_decode(const uint8_t bytes[OPS_CALL_BYTES], struct ops_record *out)
{
    *out = (struct ops_record){
        .kind = (enum op_kind)kinds[bytes[0] & 31],
        .how = bytes[0] >> 5,
        .object = bytes[1],
        .a = bytes[2],
        .b = bytes[3],
    };
    if (bytes[1] >= OPS_REGISTERS) {
        out->odd = (enum ops_odd)(ODD_STALE + (bytes[1] - OPS_REGISTERS) / 8);
        out->object = bytes[1] % 8;
    }
}

/* --- Registers -------------------------------------------------------------------- */

void ops_begin(struct ops *ops, defrag_handle *registers, size_t count)
{
    *ops = (struct ops){.registers = registers, .count = count};
    for (size_t i = 0; i < count; i++)
        registers[i] = (defrag_handle){0};
}

/* The first register from `at` on that is full, or empty; ops->count: there is none. */
static size_t find(const struct ops *ops, size_t at, bool full)
{
    for (size_t i = 0; i < ops->count; i++) {
        size_t here = (at + i) % ops->count;
        if ((ops->registers[here].bits != 0) == full)
            return here;
    }
    return ops->count;
}

void ops_allocated(struct ops *ops, const struct op *op, defrag_handle handle)
{
    ops->registers[op->at] = handle;
}

void ops_freed(struct ops *ops, defrag_handle handle)
{
    ops->stale[ops->stale_count++ % OPS_STALE] = handle;
    for (size_t i = 0; i < ops->count; i++)
        if (ops->registers[i].bits == handle.bits)
            ops->registers[i] = (defrag_handle){0};
}

/* --- What a record means -------------------------------------------------------------- */

static defrag_handle stale_handle(const struct ops *ops, size_t object)
{
    size_t known = ops->stale_count < OPS_STALE ? ops->stale_count : OPS_STALE;
    return known ? ops->stale[(ops->stale_count - 1 - object % known) % OPS_STALE] : (defrag_handle){0};
}

static defrag_handle any_handle(const struct ops_record *r)
{
    uint32_t bits = (uint32_t)r->object << 24 | (uint32_t)r->b << 16 | r->a;
    return (defrag_handle){r->object % 8 ? bits : 0};
}

static defrag_handle name_handle(const struct ops *ops, const struct ops_record *r, size_t *at)
{
    *at = find(ops, r->object, true);
    defrag_handle live = *at < ops->count ? ops->registers[*at] : (defrag_handle){0};
    switch (r->odd) {
    case ODD_STALE:
        return stale_handle(ops, r->object);
    case ODD_FLIPPED:
        return (defrag_handle){live.bits ^ 1u << (r->a + r->b) % 32};
    case ODD_FOREIGN:
        return ops->foreign[r->object % OPS_FOREIGN];
    case ODD_ANY:
        return any_handle(r);
    default:
        return live;
    }
}

static size_t near(size_t bytes, uint8_t a)
{
    if (a < 128)
        return bytes + a;
    size_t less = 256u - a;
    return bytes > less ? bytes - less : 0;
}

static size_t amount(const struct ops_record *r, const defrag_statistics *now)
{
    size_t both = r->a + 256u * r->b;
    switch (r->how) {
    case 0:
        return r->a;
    case 1:
        return both;
    case 2:
        return near(now->largest_certain, r->a);
    case 3:
        return near(now->largest_fast, r->a);
    case 4:
        return near(now->free_bytes, r->a);
    case 5:
        return now->pool_bytes / 256 * both / 256;
    case 6:
        return r->a % 16;
    default:
        return SIZE_MAX - r->a;
    }
}

static void set_range(const struct ops_record *r, struct op *out)
{
    out->offset = r->how == 7 ? SIZE_MAX - r->a : r->a;
    out->bytes = r->how == 4 ? SIZE_MAX - r->b : r->b;
    out->from_end = r->how == 2 || r->how == 3;
}

/* Elements and their size: a product that is `bytes`, or that overflows. */
static void set_elements(size_t bytes, struct op *out)
{
    size_t count = bytes % 4 == 0 ? 4 : bytes % 3 == 0 ? 3 : 1;
    bool huge = bytes > SIZE_MAX / 2;
    out->request.count = count;
    out->request.bytes = huge ? bytes : bytes / count;
}

/* b of a request: bits 0-2 and 7 alignment, bits 3-4 flags, bits 5-6 count. */
static void set_request(const struct ops_record *r, size_t bytes, struct op *out)
{
    static const uint16_t alignments[16] = {0,  1,   2,   4,   8,    16,   32,   3,
                                            64, 128, 256, 512, 1024, 2048, 4096, 24};
    static const uint8_t flags[4] = {0, DEFRAG_ZERO, DEFRAG_PLACE_LOW, 8};
    out->request.alignment = alignments[(r->b & 7) | (r->b >> 4 & 8)];
    out->request.flags = flags[r->b >> 3 & 3];
    out->request.count = r->b >> 5 & 3;
    out->request.bytes = out->request.count && bytes <= SIZE_MAX / 2 ? bytes / out->request.count : bytes;
}

static bool allocates(enum op_kind kind)
{
    return kind <= OP_REQUEST;
}

void ops_next(const struct ops *ops, const struct ops_record *record, const defrag_statistics *now,
              struct op *out)
{
    *out = (struct op){.kind = record->kind, .bytes = amount(record, now)};
    if (allocates(record->kind)) {
        out->at = find(ops, record->object, false);
        if (out->at < ops->count) {
            out->request = (defrag_request){.bytes = out->bytes, .count = 1};
            if (record->kind == OP_SLICE || record->kind == OP_SLICE_FAST)
                set_elements(out->bytes, out);
            if (record->kind == OP_REQUEST)
                set_request(record, out->bytes, out);
            return;
        }
        out->kind = OP_FREE;
    }
    out->handle = name_handle(ops, record, &out->at);
    if (record->kind == OP_READ || record->kind == OP_WRITE)
        set_range(record, out);
}
