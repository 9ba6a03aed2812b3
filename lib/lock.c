/* SPDX-License-Identifier: MIT */
/*
 * Locking, and reading and writing through a handle. Each of the hot functions
 * does its work at once on a plain pool and leaves everything else (hooks, bad
 * arguments, errors, the rarer kind of lock) to a function of its own.
 */
#include "guard.h"

/* --- Locking, inside the critical section ----------------------------------------- */

/* Why an exclusive lock is refused, or DEFRAG_OK and the address. */
static defrag_status lock_alone(defrag_pool *pool, defrag_handle handle, void **out)
{
    df_word entry;
    if (!handle_is_current(pool, handle, &entry))
        return DEFRAG_STALE;
    if (entry_lock(entry) != 0)
        return DEFRAG_LOCKED;
    if (!guard_block(pool, entry_offset(entry), handle_slot(handle.bits)))
        return DEFRAG_CORRUPT;
    table_set_entry(pool, handle_slot(handle.bits), entry | TABLE_LOCK_MASK);
    heap_watch(pool, entry | TABLE_LOCK_MASK);
    *out = heap_payload(pool, entry, entry_offset(entry));
    return DEFRAG_OK;
}

static defrag_status lock_shared(defrag_pool *pool, defrag_handle handle, const void **out)
{
    df_word entry;
    if (!handle_is_current(pool, handle, &entry))
        return DEFRAG_STALE;
    if (entry_lock(entry) == TABLE_LOCK_ALONE)
        return DEFRAG_LOCKED;
    if (entry_lock(entry) == TABLE_LOCK_SHARED)
        return DEFRAG_LOCK_LIMIT;
    if (!guard_block(pool, entry_offset(entry), handle_slot(handle.bits)))
        return DEFRAG_CORRUPT;
    table_set_entry(pool, handle_slot(handle.bits), entry + TABLE_LOCK_ONE);
    heap_watch(pool, entry + TABLE_LOCK_ONE);
    *out = heap_payload(pool, entry, entry_offset(entry));
    return DEFRAG_OK;
}

/* The slot's block, at `o`, can move now: let compaction begin at the gap below it. */
static void look_again(defrag_pool *pool, uint32_t slot, df_granules o)
{
    if (heap_is_owner(pool, o, slot) && (block_header(pool, o) & BLOCK_PREV_FREE))
        heap_lower_cursor(pool, o - block_size_before(pool, o));
}

static defrag_status unlock(defrag_pool *pool, defrag_handle handle)
{
    df_word entry;
    if (!handle_is_current(pool, handle, &entry))
        return DEFRAG_STALE;
    if (entry_lock(entry) == 0)
        return DEFRAG_NOT_LOCKED;
    if (!guard_below(pool, entry_offset(entry), handle_slot(handle.bits)))
        return DEFRAG_CORRUPT;
    bool passed = entry_is_passed(entry);
    entry -= entry_lock(entry) == TABLE_LOCK_ALONE ? TABLE_LOCK_MASK : TABLE_LOCK_ONE;
    if (passed && entry_lock(entry) == 0) {
        entry = entry_without_mark(entry);
        look_again(pool, handle_slot(handle.bits), entry_offset(entry));
    }
    table_set_entry(pool, handle_slot(handle.bits), entry);
    heap_watch(pool, entry);
    return DEFRAG_OK;
}

/* --- The public forms ---------------------------------------------------------------- */

defrag_status defrag_try_lock(defrag_pool *pool, defrag_handle handle, void **out)
{
    if (out == NULL)
        return DEFRAG_BAD_ARGUMENT;
    *out = NULL;
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    status = lock_alone(pool, handle, out);
    heap_leave(pool);
    return status;
}

defrag_status defrag_try_lock_shared(defrag_pool *pool, defrag_handle handle, const void **out)
{
    if (out == NULL)
        return DEFRAG_BAD_ARGUMENT;
    *out = NULL;
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    status = lock_shared(pool, handle, out);
    heap_leave(pool);
    return status;
}

DF_NOINLINE static void *lock_rest(defrag_pool *pool, defrag_handle handle)
{
    void *address;
    return defrag_try_lock(pool, handle, &address) == DEFRAG_OK ? address : NULL;
}

void *defrag_lock(defrag_pool *pool, defrag_handle handle)
{
    df_word table;
    if (!heap_is_hot(pool, handle.bits, &table))
        return lock_rest(pool, handle);
    uint32_t slot = handle_slot(handle.bits);
    df_word entry = table_entry_at(pool, table, slot);
    if (DF_UNLIKELY(handle_difference(handle.bits, entry) != 0))
        return lock_rest(pool, handle);
    table_set_entry_at(pool, table, slot, entry | TABLE_LOCK_MASK);
    heap_watch(pool, entry | TABLE_LOCK_MASK);
    return block_payload(pool, entry_offset(entry));
}

const void *defrag_lock_shared(defrag_pool *pool, defrag_handle handle)
{
    const void *address;
    return defrag_try_lock_shared(pool, handle, &address) == DEFRAG_OK ? address : NULL;
}

DF_NOINLINE static defrag_status unlock_rest(defrag_pool *pool, defrag_handle handle)
{
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    status = unlock(pool, handle);
    heap_leave(pool);
    return status;
}

defrag_status defrag_unlock(defrag_pool *pool, defrag_handle handle)
{
    df_word table;
    if (!heap_is_hot(pool, handle.bits, &table))
        return unlock_rest(pool, handle);
    uint32_t slot = handle_slot(handle.bits);
    /* What it will be is the handle's iff it is locked alone and unmarked. */
    df_word entry = table_entry_at(pool, table, slot) ^ TABLE_LOCK_MASK;
    if (DF_UNLIKELY(handle_difference(handle.bits, entry) != 0))
        return unlock_rest(pool, handle);
    table_set_entry_at(pool, table, slot, entry);
    heap_watch(pool, entry);
    /* 0 as the difference is, which gcc would otherwise put where the pool is. */
    defrag_status status = DEFRAG_OK;
    DF_FORGET(status);
    return status;
}

/* --- Access without a lock -------------------------------------------------------------- */

/* The payload of a block that is locked in no way above `locks`. */
static defrag_status find_payload(const defrag_pool *pool, defrag_handle handle, unsigned locks,
                                  uint8_t **payload, size_t *size)
{
    df_word entry;
    if (!handle_is_current(pool, handle, &entry))
        return DEFRAG_STALE;
    if (entry_lock(entry) > locks)
        return DEFRAG_LOCKED;
    df_granules o = entry_offset(entry);
    if (!heap_is_owner(pool, o, handle_slot(handle.bits)) || !guard_block(pool, o, handle_slot(handle.bits)))
        return DEFRAG_CORRUPT;
    *payload = heap_payload(pool, entry, o);
    *size = heap_payload_bytes(entry, header_size(block_header(pool, o)));
    return DEFRAG_OK;
}

/* The same, and in it the bytes [offset, offset + bytes). */
static defrag_status find_bytes(const defrag_pool *pool, defrag_handle handle, unsigned locks, size_t offset,
                                size_t bytes, uint8_t **at)
{
    size_t size;
    defrag_status status = find_payload(pool, handle, locks, at, &size);
    if (status != DEFRAG_OK)
        return status;
    if (offset > size || bytes > size - offset)
        return DEFRAG_OUT_OF_RANGE;
    *at += offset;
    return DEFRAG_OK;
}

/* Lets the handle's block be copied from and to, whatever locks it has. */
static void open_for_copy(const defrag_pool *pool, defrag_handle handle)
{
    if (DF_WATCHED)
        heap_watch(pool, table_entry(pool, handle_slot(handle.bits)) | TABLE_LOCK_MASK);
}

static void close_after_copy(const defrag_pool *pool, defrag_handle handle)
{
    if (DF_WATCHED)
        heap_watch(pool, table_entry(pool, handle_slot(handle.bits)));
}

defrag_status defrag_read(defrag_pool *pool, defrag_handle handle, size_t offset, void *to, size_t bytes)
{
    uint8_t *at;
    if (to == NULL && bytes != 0)
        return DEFRAG_BAD_ARGUMENT;
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    status = find_bytes(pool, handle, TABLE_LOCK_SHARED, offset, bytes, &at);
    if (status == DEFRAG_OK && bytes != 0) {
        open_for_copy(pool, handle);
        (void)memcpy(to, at, bytes);
        close_after_copy(pool, handle);
    }
    heap_leave(pool);
    return status;
}

defrag_status defrag_write(defrag_pool *pool, defrag_handle handle, size_t offset, const void *from,
                           size_t bytes)
{
    uint8_t *at;
    if (from == NULL && bytes != 0)
        return DEFRAG_BAD_ARGUMENT;
    defrag_status status = df_heap_enter(pool);
    if (status != DEFRAG_OK)
        return status;
    status = find_bytes(pool, handle, 0, offset, bytes, &at);
    if (status == DEFRAG_OK && bytes != 0) {
        open_for_copy(pool, handle);
        (void)memcpy(at, from, bytes);
        close_after_copy(pool, handle);
    }
    heap_leave(pool);
    return status;
}

size_t defrag_size(const defrag_pool *pool, defrag_handle handle)
{
    uint8_t *payload;
    size_t size;
    if (df_heap_enter(pool) != DEFRAG_OK)
        return 0;
    if (find_payload(pool, handle, TABLE_LOCK_ALONE, &payload, &size) != DEFRAG_OK)
        size = 0;
    heap_leave(pool);
    return size;
}
