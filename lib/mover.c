/* SPDX-License-Identifier: MIT */
/*
 * The loops copy words, because every block is made of them, and are kept from
 * becoming calls of memmove: newlib's takes 0.8 instructions a byte downward
 * and 4 upward on a Cortex-M3, a loop of words far less.
 */
#include "mover.h"

/*
 * Copying a few words, or many, which leaves the pointers where the next begin: behind
 * them or, of a copy from the end on, before them. Places may overlap: of each piece all
 * words are loaded before any is stored. An ARM moves several with one instruction, for
 * which compilers find no use where source and destination may be the same.
 */
#define FEW 4

#if defined(__arm__) && !DEFRAG_WIDE

#define MANY      16
#define UP(set)   "ldmia %1!, " set "\n\tstmia %0!, " set "\n\t"
#define DOWN(set) "ldmdb %1!, " set "\n\tstmdb %0!, " set "\n\t"
#define FEW_SET   "{r3, r4, r5, r6}"

DF_INLINE void copy_few(df_word_alias **to, const df_word_alias **from)
{
    __asm__ volatile(UP(FEW_SET) : "+l"(*to), "+l"(*from) : : "r3", "r4", "r5", "r6", "memory");
}

#if defined(__thumb__) && !defined(__thumb2__)

#define BACK(bytes) "subs %1, #" bytes "\n\tsubs %0, #" bytes "\n\t"

DF_INLINE void copy_many(df_word_alias **to, const df_word_alias **from)
{
    __asm__ volatile(UP(FEW_SET) UP(FEW_SET) UP(FEW_SET) UP(FEW_SET)
                     : "+l"(*to), "+l"(*from)
                     :
                     : "r3", "r4", "r5", "r6", "memory");
}

DF_INLINE void copy_few_before(df_word_alias **to, const df_word_alias **from)
{
    __asm__ volatile(".syntax unified\n\t" BACK("16") UP(FEW_SET) BACK("16")
                     : "+l"(*to), "+l"(*from)
                     :
                     : "r3", "r4", "r5", "r6", "cc", "memory");
}

DF_INLINE void copy_many_before(df_word_alias **to, const df_word_alias **from)
{
    __asm__ volatile(".syntax unified\n\t" BACK("16") UP(FEW_SET) BACK("32") UP(FEW_SET)
                     BACK("32") UP(FEW_SET) BACK("32") UP(FEW_SET) BACK("16")
                     : "+l"(*to), "+l"(*from)
                     :
                     : "r3", "r4", "r5", "r6", "cc", "memory");
}

#else

#define MANY_SET "{r3, r4, r5, r6, r8, r10, r12, lr}"

DF_INLINE void copy_many(df_word_alias **to, const df_word_alias **from)
{
    __asm__ volatile(UP(MANY_SET) UP(MANY_SET)
                     : "+r"(*to), "+r"(*from)
                     :
                     : "r3", "r4", "r5", "r6", "r8", "r10", "r12", "lr", "memory");
}

DF_INLINE void copy_few_before(df_word_alias **to, const df_word_alias **from)
{
    __asm__ volatile(DOWN(FEW_SET) : "+r"(*to), "+r"(*from) : : "r3", "r4", "r5", "r6", "memory");
}

DF_INLINE void copy_many_before(df_word_alias **to, const df_word_alias **from)
{
    __asm__ volatile(DOWN(MANY_SET) DOWN(MANY_SET)
                     : "+r"(*to), "+r"(*from)
                     :
                     : "r3", "r4", "r5", "r6", "r8", "r10", "r12", "lr", "memory");
}

#endif

#else

/* Compilers turn them into vector moves. */
DF_INLINE void copy_few(df_word_alias **to, const df_word_alias **from)
{
    df_word a = (*from)[0], b = (*from)[1], c = (*from)[2], d = (*from)[3];
    (*to)[0] = a;
    (*to)[1] = b;
    (*to)[2] = c;
    (*to)[3] = d;
    *to += FEW;
    *from += FEW;
}

DF_INLINE void copy_few_before(df_word_alias **to, const df_word_alias **from)
{
    *to -= FEW;
    *from -= FEW;
    df_word d = (*from)[3], c = (*from)[2], b = (*from)[1], a = (*from)[0];
    (*to)[3] = d;
    (*to)[2] = c;
    (*to)[1] = b;
    (*to)[0] = a;
}

#endif

/* Not inlined, so that the registers are theirs; and gcc does not turn other loops at -Os. */
DF_NOINLINE static void copy_ascending(df_word_alias *to, const df_word_alias *from, size_t words)
{
#ifdef MANY
    if (words >= MANY) {
        do {
            copy_many(&to, &from);
            words -= MANY;
        } while (words >= MANY);
    }
#endif
    if (words >= FEW) {
        do {
            copy_few(&to, &from);
            words -= FEW;
        } while (words >= FEW);
    }
    for (; words > 0; words--)
        *to++ = *from++;
}

DF_NOINLINE static void copy_descending(df_word_alias *to, const df_word_alias *from, size_t words)
{
    to += words;
    from += words;
#ifdef MANY
    if (words >= MANY) {
        do {
            copy_many_before(&to, &from);
            words -= MANY;
        } while (words >= MANY);
    }
#endif
    if (words >= FEW) {
        do {
            copy_few_before(&to, &from);
            words -= FEW;
        } while (words >= FEW);
    }
    for (; words > 0; words--)
        *--to = *--from;
}

/* Tells that the handle's payload moved, if it did, when its block did. */
static void tell(defrag_pool *pool, const defrag_config *config, defrag_handle handle, df_granules from,
                 df_granules size)
{
    df_word entry = table_entry(pool, handle_slot(handle.bits));
    uint8_t *payload_from = heap_payload(pool, entry, from);
    uint8_t *payload_to = heap_payload(pool, entry, entry_offset(entry));
    if (payload_from == payload_to)
        return;
    heap_set_callback(pool, true);
    config->on_move(config->move_context, handle, payload_from, payload_to, heap_payload_bytes(entry, size));
    heap_set_callback(pool, false);
}

void df_moved(defrag_pool *pool, df_granules from, df_granules to, df_word header)
{
    df_granules size = header_size(header);
    uint32_t owner = header_owner(header);
    df_word entry = entry_with_offset(table_entry(pool, owner), to);

    table_set_entry(pool, owner, entry);
    pool->moved_blocks += pool->moved_blocks != UINT32_MAX;
    pool->moved_granules += size;
    heap_close(pool, entry, from, size);
    heap_open(pool, entry, to, size);

    const defrag_config *config = heap_config(pool);
    if (config && config->on_move)
        tell(pool, config, handle_make(owner, entry), from, size);
    heap_close(pool, entry, to, size);
}

static void finish(defrag_pool *pool, df_word entry, df_granules from, df_granules to, df_word header)
{
    watch_changed(pool, heap_payload(pool, entry, from), heap_payload(pool, entry, to),
                  heap_payload_bytes(entry, header_size(header)));
    df_moved(pool, from, to, header);
}

/* For the copy; finish() closes them again. */
static void open_both(const defrag_pool *pool, df_word entry, df_granules from, df_granules to,
                      df_word header)
{
    heap_open(pool, entry, from, header_size(header));
    heap_open(pool, entry, to, header_size(header));
}

/* The words of a block's payload, and their number. */
DF_INLINE df_word_alias *payload_words(const defrag_pool *pool, df_word entry, df_granules o)
{
    return (df_word_alias *)(void *)heap_payload(pool, entry, o);
}

DF_INLINE size_t payload_count(df_word entry, df_word header)
{
    return heap_payload_bytes(entry, header_size(header)) / DF_WORD;
}

/* Whether both places are between the control block and the table, and hold the payload. */
static bool is_inside(const defrag_pool *pool, df_word entry, df_granules from, df_granules to,
                      df_granules size)
{
    df_granules highest = from > to ? from : to;
    /* coverage: what the guards let pass stays inside; this holds should they miss something */
    return from >= DF_FIRST && to >= DF_FIRST && heap_is_roomy(entry, size) && highest < pool->floor
           && size <= pool->floor - highest;
}

/*
 * Payloads move in the direction that their blocks do or not at all: rounding up to
 * an alignment keeps the order of two addresses. Nor does the header of one place lie
 * in the payload of the other that has yet to be copied.
 */
void df_move_down(defrag_pool *pool, df_granules from, df_granules to, df_word header)
{
    df_word entry = table_entry(pool, header_owner(header));
    /* coverage: the same as in is_inside() */
    if (DEFRAG_HARDENING && !is_inside(pool, entry, from, to, header_size(header)))
        return;
    block_set_header(pool, to, header & ~BLOCK_PREV_FREE);
    open_both(pool, entry, from, to, header);
    copy_ascending(payload_words(pool, entry, to), payload_words(pool, entry, from),
                   payload_count(entry, header));
    finish(pool, entry, from, to, header);
}

void df_move_up(defrag_pool *pool, df_granules from, df_granules to, df_word header)
{
    df_word entry = table_entry(pool, header_owner(header));
    /* coverage: the same as in is_inside() */
    if (DEFRAG_HARDENING && !is_inside(pool, entry, from, to, header_size(header)))
        return;
    open_both(pool, entry, from, to, header);
    copy_descending(payload_words(pool, entry, to), payload_words(pool, entry, from),
                    payload_count(entry, header));
    block_set_header(pool, to, header & ~BLOCK_PREV_FREE);
    finish(pool, entry, from, to, header);
}

void df_move_into(defrag_pool *pool, df_granules from, df_granules to)
{
    df_word header = block_header(pool, from);
    df_granules size = header_size(header);
    df_move_down(pool, from, to, header);
    pool->free = (df_half)(pool->free - size);
    df_heap_give(pool, from, size, header);
}

void df_move_away(defrag_pool *pool, df_granules from, df_granules to, df_granules want)
{
    mover_begin(pool);
    /* Both places are taken for a moment, which the peaks must not see. */
    pool->free = (df_half)(pool->free + header_size(block_header(pool, from)));
    df_heap_take(pool, to, want);
    df_move_into(pool, from, to);
    block_set_header(pool, to, header_with_size(block_header(pool, to), want));
    mover_end(pool);
}
