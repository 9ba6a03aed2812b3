/* SPDX-License-Identifier: MIT */
/*
 * Allocation and freeing. The hot functions do the common case on a plain pool
 * and leave all else to `..._rest`, which do any case.
 *
 * A place for a block is a hole or the wilderness; and where the table has to
 * grow for its handle, the wilderness must have that granule besides.
 */
#include "check.h"
#include "gather.h"
#include "guard.h"
#include "mover.h"
#include "plan.h"
#include "room.h"
#include "scramble.h"

/* Blocks of the own bin that defrag_alloc() tries before the next bin; defrag_alloc_fast() tries one. */
#define ALLOC_TRIES 4

/* --- Placing ------------------------------------------------------------------------ */

/* Takes `size` granules from the free block at `o`, or from the wilderness if `o` is 0. 0: it cannot. */
static df_granules place(defrag_pool *pool, df_granules o, df_granules size, df_granules grow)
{
    if (heap_wilderness(pool) < grow)
        return 0;
    if (o == 0 && heap_wilderness(pool) - grow >= size)
        o = pool->top;
    if (o)
        df_heap_take(pool, o, size);
    return o;
}

static df_granules place_full(defrag_pool *pool, df_granules size, df_granules grow)
{
    return place(pool, df_heap_search(pool, size), size, grow);
}

/* Gives the block at `o` its header, its entry, which is a generation so far, and a handle. */
DF_INLINE void name_block(defrag_pool *pool, df_word table, df_granules o, df_granules size, uint32_t slot,
                          df_word entry, defrag_handle *out)
{
    block_set_header(pool, o, header_used(size, slot));
    table_set_entry_at(pool, table, slot, entry | (df_word)o << DF_HALF_BITS);
    watch_born(pool, block_payload(pool, o), block_payload_bytes(size));
    *out = handle_make(slot, entry);
}

/*
 * A place at any price: empty slots are given back, everything is searched, blocks
 * move. `*o` is the place if the status is DEFRAG_OK.
 */
static defrag_status place_hard(defrag_pool *pool, df_granules size, df_granules *o)
{
    if (!check_is_passed(pool))
        return DEFRAG_CORRUPT;
    df_heap_trim(pool);
    df_granules grow = (df_granules)df_table_need(pool);
    *o = place_full(pool, size, grow);
    if (*o)
        return DEFRAG_OK;
    if (pool->free < size + grow)
        return DEFRAG_NO_MEMORY;
    if (heap_is_manual(pool))
        return DEFRAG_FRAGMENTED;
    defrag_status status = df_make_room(pool, size, grow);
    if (status == DEFRAG_OK)
        *o = place_full(pool, size, grow);
    return status;
}

/* Gives the block at `o`, which is taken, a slot and with it a name. */
static void name_new(defrag_pool *pool, df_granules o, df_granules size, defrag_handle *out)
{
    uint32_t slot;
    df_word entry = df_heap_take_slot(pool, &slot);
    name_block(pool, pool->table, o, size, slot, entry, out);
}

/* Allocates where a place is found at once, after so many tries in the request's own bin. */
static defrag_status allocate_at_once(defrag_pool *pool, size_t bytes, unsigned tries, defrag_handle *out)
{
    df_granules size = heap_granules(pool, bytes);
    if (size == 0)
        return DEFRAG_BAD_SIZE;
    int need = df_table_need(pool);
    if (need < 0)
        return DEFRAG_NO_HANDLES;

    df_granules grow = (df_granules)need;
    df_granules o = heap_find(pool, size, bins_of(size), tries);
    if (!guard_place(pool, o, size))
        return DEFRAG_CORRUPT;
    o = place(pool, o, size, grow);
    if (o == 0)
        return pool->free < size + grow ? DEFRAG_NO_MEMORY : DEFRAG_FRAGMENTED;
    name_new(pool, o, size, out);
    return DEFRAG_OK;
}

/* The same, and else at any price. */
static defrag_status allocate_anyhow(defrag_pool *pool, size_t bytes, defrag_handle *out)
{
    df_granules o;
    defrag_status status = allocate_at_once(pool, bytes, ALLOC_TRIES, out);
    if (status != DEFRAG_NO_MEMORY && status != DEFRAG_FRAGMENTED)
        return status;
    df_granules size = heap_granules(pool, bytes);
    status = place_hard(pool, size, &o);
    if (status == DEFRAG_OK)
        name_new(pool, o, size, out);
    return status;
}

/* After an allocation whatever may lie elsewhere does, if the configuration says so. */
static void scramble_after(defrag_pool *pool, defrag_handle handle)
{
    if (scramble_is_free(pool))
        df_scramble_stretches(pool, pool->moved_granules, handle_slot(handle.bits));
}

static defrag_status allocate(defrag_pool *pool, size_t bytes, defrag_handle *out)
{
    defrag_status status = allocate_anyhow(pool, bytes, out);
    if (status == DEFRAG_OK)
        scramble_after(pool, *out);
    return status;
}

/* --- Placing low --------------------------------------------------------------------- */

/*
 * Clears `size` granules at the lowest place that can be: the bottom, or right behind
 * a block that stays. Returns where, or 0 if there is none. Not inlined: what it saves would
 * lie on the stack of all that allocates.
 */
DF_NOINLINE static df_granules clear_low(defrag_pool *pool, df_granules size, df_granules grow)
{
    bool borders = true;
    for (df_granules o = DF_FIRST;;) {
        df_word header = block_header(pool, o);
        bool stays = header_is_used(header) && mover_stays(pool, o, header);
        if (borders && !stays && df_clear_place(pool, o, size, grow, UINT32_MAX))
            return o;
        if (o == pool->top)
            return 0;
        if (borders && !stays && heap_wilderness(pool) >= grow && df_lift(pool, o, size, grow))
            return o;
        borders = stays;
        o += block_size(pool, o, header);
    }
}

/* Allocates at the lowest place that can be cleared; where there is none, anywhere. */
static defrag_status allocate_low(defrag_pool *pool, size_t bytes, defrag_handle *out)
{
    df_granules size = heap_granules(pool, bytes);
    int need = df_table_need(pool);
    if (size == 0 || need < 0 || heap_is_manual(pool) || pool->free < size + (df_granules)need)
        return allocate(pool, bytes, out);
    if (!check_is_passed(pool))
        return DEFRAG_CORRUPT;
    df_granules o = clear_low(pool, size, (df_granules)need);
    if (o == 0)
        return allocate(pool, bytes, out);
    df_heap_take(pool, o, size);
    name_new(pool, o, size, out);
    scramble_after(pool, *out);
    return DEFRAG_OK;
}

/* --- The public forms ------------------------------------------------------------------- */

/* Begins an allocation; where it answers anything but DEFRAG_OK that was all. */
static defrag_status begin(defrag_pool *pool, defrag_handle *out)
{
    if (out == NULL)
        return DEFRAG_BAD_ARGUMENT;
    *out = DEFRAG_NULL;
    return df_heap_enter(pool);
}

/* Ends one that began, with the status that it had. */
static defrag_status end(defrag_pool *pool, defrag_status status)
{
    if (status != DEFRAG_OK)
        df_heap_refuse(pool, status);
    heap_leave(pool);
    return status;
}

/* The same, of a payload that is to be zero. */
static defrag_status end_zeroed(defrag_pool *pool, defrag_status status, defrag_handle handle)
{
    if (status == DEFRAG_OK) {
        df_word entry = table_entry(pool, handle_slot(handle.bits));
        df_granules o = entry_offset(entry);
        df_granules size = header_size(block_header(pool, o));
        heap_open(pool, entry, o, size);
        (void)memset(heap_payload(pool, entry, o), 0, heap_payload_bytes(entry, size));
        heap_close(pool, entry, o, size);
    }
    return end(pool, status);
}

DF_NOINLINE static defrag_status alloc_rest(defrag_pool *pool, size_t bytes, defrag_handle *out)
{
    defrag_status status = begin(pool, out);
    return status == DEFRAG_OK ? end(pool, allocate(pool, bytes, out)) : status;
}

DF_NOINLINE static defrag_status alloc_fast_rest(defrag_pool *pool, size_t bytes, defrag_handle *out)
{
    defrag_status status = begin(pool, out);
    return status == DEFRAG_OK ? end(pool, allocate_at_once(pool, bytes, 1, out)) : status;
}

static defrag_status alloc_zeroed(defrag_pool *pool, size_t bytes, defrag_handle *out)
{
    defrag_status status = begin(pool, out);
    if (status != DEFRAG_OK)
        return status;
    status = allocate(pool, bytes, out);
    return end_zeroed(pool, status, *out);
}

static defrag_status alloc_fast_zeroed(defrag_pool *pool, size_t bytes, defrag_handle *out)
{
    defrag_status status = begin(pool, out);
    if (status != DEFRAG_OK)
        return status;
    status = allocate_at_once(pool, bytes, 1, out);
    return end_zeroed(pool, status, *out);
}

/* Payloads up to this size are the hot path's: their bin needs no test for the last one. */
#define HOT_BYTES ((BINS_LAST_SIZE - 1) * DF_GRANULE - DF_WORD)

/* The common case: a plain pool, an empty slot, a hole or the wilderness at once. */
DF_INLINE defrag_status alloc_hot(defrag_pool *pool, size_t bytes, defrag_handle *out, unsigned tries,
                                  defrag_status (*rest)(defrag_pool *, size_t, defrag_handle *))
{
    df_word table;
    if (DF_UNLIKELY(out == NULL) || !heap_is_plain(pool, &table) || bytes > HOT_BYTES)
        return rest(pool, bytes, out);
    uint32_t slot = entry_offset(table_entry_at(pool, table, 0));
    if (DF_UNLIKELY(slot == 0))
        return rest(pool, bytes, out);
    DF_FORGET(slot);
    df_granules size = block_granules(bytes);
    struct heap_hole hole;
    if (heap_find_hole(pool, size, bins_of_small(size), tries, &hole)) {
        /* A name first: fewer values are at hand then when the rest of the hole becomes a free block. */
        df_word header = block_header(pool, hole.o);
        name_block(pool, table, hole.o, size, slot, table_take(pool, table, slot), out);
        heap_take_hole(pool, &hole, header, size);
    } else if (size <= heap_wilderness(pool)) {
        df_granules o = heap_take_top(pool, size);
        name_block(pool, table, o, size, slot, table_take(pool, table, slot), out);
    } else {
        return rest(pool, bytes, out);
    }
    return DEFRAG_OK;
}

defrag_status defrag_alloc(defrag_pool *pool, size_t bytes, defrag_handle *out)
{
    return alloc_hot(pool, bytes, out, ALLOC_TRIES, alloc_rest);
}

defrag_status defrag_alloc_fast(defrag_pool *pool, size_t bytes, defrag_handle *out)
{
    return alloc_hot(pool, bytes, out, 1, alloc_fast_rest);
}

/* The bytes of `count` elements; SIZE_MAX, which no pool holds, if they overflow. */
static size_t total_bytes(size_t count, size_t elem_bytes)
{
    return elem_bytes != 0 && count > SIZE_MAX / elem_bytes ? SIZE_MAX : count * elem_bytes;
}

defrag_status defrag_alloc_slice(defrag_pool *pool, size_t count, size_t elem_bytes, defrag_handle *out)
{
    return alloc_zeroed(pool, total_bytes(count, elem_bytes), out);
}

defrag_status defrag_alloc_slice_fast(defrag_pool *pool, size_t count, size_t elem_bytes, defrag_handle *out)
{
    return alloc_fast_zeroed(pool, total_bytes(count, elem_bytes), out);
}

/* Whether every field of the request is one that can be granted. */
static bool is_sound(const defrag_request *request)
{
    size_t alignment = request->alignment;
    return alignment <= DF_LARGEST_ALIGNMENT && (alignment & (alignment - 1)) == 0
           && (request->flags & ~(uint32_t)(DEFRAG_ZERO | DEFRAG_PLACE_LOW)) == 0;
}

/* The bytes of a block that is so much longer as its alignment costs; SIZE_MAX if they overflow. */
static size_t padded_bytes(size_t bytes, df_word align)
{
    size_t padding = block_bytes(entry_padding(align));
    /* One byte makes the smallest block, and any more a longer one. */
    size_t least = bytes == 0 ? 1 : bytes;
    return least > SIZE_MAX - padding ? SIZE_MAX : least + padding;
}

/* Gives the new block, which is long enough and has no contents yet, its alignment. */
static void align_new(defrag_pool *pool, defrag_handle handle, df_word align)
{
    uint32_t slot = handle_slot(handle.bits);
    df_word entry = table_entry(pool, slot) | align;
    table_set_entry(pool, slot, entry);
    if (DF_WATCHED) {
        df_granules o = entry_offset(entry);
        df_granules size = header_size(block_header(pool, o));
        watch_changed(pool, block_payload(pool, o), heap_payload(pool, entry, o), heap_payload_bytes(entry, size));
    }
}

defrag_status defrag_alloc_request(defrag_pool *pool, const defrag_request *request, defrag_handle *out)
{
    if (out != NULL)
        *out = DEFRAG_NULL;
    if (request == NULL || !is_sound(request))
        return DEFRAG_BAD_ARGUMENT;
    defrag_status status = begin(pool, out);
    if (status != DEFRAG_OK)
        return status;
    size_t bytes = total_bytes(request->count ? request->count : 1, request->bytes);
    df_word align = entry_of_alignment(request->alignment);
    size_t padded = padded_bytes(bytes, align);
    status = request->flags & DEFRAG_PLACE_LOW ? allocate_low(pool, padded, out) : allocate(pool, padded, out);
    if (status == DEFRAG_OK)
        align_new(pool, *out, align);
    return request->flags & DEFRAG_ZERO ? end_zeroed(pool, status, *out) : end(pool, status);
}

/* --- Freeing --------------------------------------------------------------------------------- */

static defrag_status free_block(defrag_pool *pool, defrag_handle handle)
{
    df_word entry;
    uint32_t slot = handle_slot(handle.bits);
    if (!handle_is_current(pool, handle, &entry))
        return DEFRAG_STALE;
    if (entry_lock(entry) != 0)
        return DEFRAG_LOCKED;
    df_granules o = entry_offset(entry);
    if (!heap_is_owner(pool, o, slot) || !guard_free(pool, o, slot))
        return DEFRAG_CORRUPT;
    df_word header = block_header(pool, o);
    table_give(pool, pool->table, slot, entry);
    watch_died(pool, heap_payload(pool, entry, o));
    df_heap_give(pool, o, header_size(header), header);
    return DEFRAG_OK;
}

DF_NOINLINE static defrag_status free_rest(defrag_pool *pool, defrag_handle *handle)
{
    if (handle == NULL)
        return DEFRAG_BAD_ARGUMENT;
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    if (handle->bits != 0) {
        status = free_block(pool, *handle);
        if (status == DEFRAG_OK)
            *handle = DEFRAG_NULL;
    }
    heap_leave(pool);
    return status;
}

defrag_status defrag_free(defrag_pool *pool, defrag_handle *handle)
{
    df_word table;
    if (DF_UNLIKELY(handle == NULL) || !heap_is_hot(pool, handle->bits, &table))
        return free_rest(pool, handle);
    uint32_t bits = handle->bits;
    uint32_t slot = handle_slot(bits);
    DF_FORGET(slot);
    df_word entry = table_entry_at(pool, table, slot);
    if (DF_UNLIKELY(handle_difference(bits, entry) != 0))
        return free_rest(pool, handle);
    df_granules o = entry_offset(entry);
    if (DF_UNLIKELY(!heap_is_owner(pool, o, slot)))
        return free_rest(pool, handle);
    df_word header = block_header(pool, o);
    handle->bits = 0;
    table_give(pool, table, slot, entry);
    watch_died(pool, block_payload(pool, o));
    heap_give(pool, o, header_size(header), header);
    return DEFRAG_OK;
}

/* --- Making room on request --------------------------------------------------------------------- */

/* Whether defrag_alloc_fast() would find a place. */
static bool is_room(const defrag_pool *pool, df_granules size, df_granules grow)
{
    if (heap_wilderness(pool) < grow)
        return false;
    return heap_find(pool, size, bins_of(size), 1) || heap_wilderness(pool) - grow >= size;
}

static defrag_status make_room(defrag_pool *pool, size_t bytes)
{
    df_granules size = heap_granules(pool, bytes);
    if (!check_is_passed(pool))
        return DEFRAG_CORRUPT;
    if (size == 0)
        return DEFRAG_BAD_SIZE;
    int need = df_table_need(pool);
    if (need < 0)
        return DEFRAG_NO_HANDLES;
    if (is_room(pool, size, (df_granules)need))
        return DEFRAG_OK;

    df_heap_trim(pool);
    df_granules grow = (df_granules)df_table_need(pool);
    if (is_room(pool, size, grow))
        return DEFRAG_OK;
    if (pool->free < size + grow)
        return DEFRAG_NO_MEMORY;
    df_granules o = heap_wilderness(pool) >= grow ? df_heap_search(pool, size) : 0;
    if (o == 0)
        return df_make_room(pool, size, grow);
    /* It is deep in the request's own bin: bring it to the head. */
    df_bins_insert(pool, o, df_bins_remove(pool, o, block_header(pool, o)));
    return DEFRAG_OK;
}

defrag_status defrag_make_room(defrag_pool *pool, size_t bytes)
{
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    status = make_room(pool, bytes);
    if (status == DEFRAG_OK && scramble_is_on(pool))
        df_scramble_runs(pool, SCRAMBLE_LOW | SCRAMBLE_HIGH);
    heap_leave(pool);
    return status;
}
