/* SPDX-License-Identifier: MIT */
/*
 * What depends on the compiler and on how this build was configured. Every
 * other file of the library includes this one, and nothing outside the folder
 * but freestanding headers.
 */
#ifndef DF_PORT_H
#define DF_PORT_H

#include "defrag.h"

#include <stdbool.h>

/* The layout: narrow counts granules in 16 bits, wide in 32. */
#ifndef DEFRAG_WIDE
#if UINTPTR_MAX > 0xffffffffu
#define DEFRAG_WIDE 1
#else
#define DEFRAG_WIDE 0
#endif
#endif

/* The granule, in bytes: the unit of sizes and offsets and the alignment of payloads. */
#ifndef DEFRAG_ALIGNMENT
#define DEFRAG_ALIGNMENT 8
#endif

#ifndef DEFRAG_DEBUG
#define DEFRAG_DEBUG 0
#endif

/* Whether every call is safe on a pool that was overwritten; see guard.h. */
#ifndef DEFRAG_HARDENING
#define DEFRAG_HARDENING 0
#endif

/* Whether the flag DEFRAG_SCRAMBLE is refused, so that what it needs is not linked into every program. */
#ifndef DEFRAG_NO_SCRAMBLE
#define DEFRAG_NO_SCRAMBLE 0
#endif

#if DEFRAG_WIDE != 0 && DEFRAG_WIDE != 1
#error "DEFRAG_WIDE is 0 (narrow) or 1 (wide)"
#endif
#if DEFRAG_ALIGNMENT != 4 && DEFRAG_ALIGNMENT != 8 && DEFRAG_ALIGNMENT != 16
#error "DEFRAG_ALIGNMENT is 4, 8 or 16"
#endif
#if DEFRAG_WIDE && DEFRAG_ALIGNMENT == 4
#error "the wide layout has 8-byte headers: DEFRAG_ALIGNMENT is 8 or 16"
#endif

#if defined(__GNUC__)
#define DF_LIKELY(x)   __builtin_expect(!!(x), 1)
#define DF_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define DF_NOINLINE    __attribute__((noinline))
#define DF_INLINE      __attribute__((always_inline)) static inline
#define DF_MAY_ALIAS   __attribute__((may_alias))
/* The compiler forgets how a value came about, which it would otherwise undo and do again. */
#define DF_FORGET(x) __asm__("" : "+r"(x))
/* A passing value goes where it takes no register from the others, of which more would have to be saved. */
#ifdef __thumb2__
#define DF_ASIDE(x) __asm__("" : "+h"(x))
#else
#define DF_ASIDE(x) ((void)0)
#endif
#else
#error "the library needs the may_alias attribute of gcc and clang"
#endif

#if defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define DF_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#else
#define DF_STATIC_ASSERT(condition, text) extern char df_static_assert_[(condition) ? 1 : -1]
#endif

/* The only functions the library needs from outside. <string.h> is no freestanding header. */
void *memcpy(void *to, const void *from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);

/* Functions that one file of the library offers to another. */
#ifdef DEFRAG_PREFIX
#define df_table_format         DEFRAG_NAME(df_table_format)
#define df_table_need           DEFRAG_NAME(df_table_need)
#define df_table_knows          DEFRAG_NAME(df_table_knows)
#define df_table_take_new       DEFRAG_NAME(df_table_take_new)
#define df_table_used           DEFRAG_NAME(df_table_used)
#define df_table_trim           DEFRAG_NAME(df_table_trim)
#define df_heap_enter           DEFRAG_NAME(df_heap_enter)
#define df_heap_refuse          DEFRAG_NAME(df_heap_refuse)
#define df_bins_listed          DEFRAG_NAME(df_bins_listed)
#define df_bins_insert          DEFRAG_NAME(df_bins_insert)
#define df_bins_remove          DEFRAG_NAME(df_bins_remove)
#define df_heap_take            DEFRAG_NAME(df_heap_take)
#define df_heap_give            DEFRAG_NAME(df_heap_give)
#define df_heap_search          DEFRAG_NAME(df_heap_search)
#define df_heap_room            DEFRAG_NAME(df_heap_room)
#define df_heap_trim            DEFRAG_NAME(df_heap_trim)
#define df_heap_take_slot       DEFRAG_NAME(df_heap_take_slot)
#define df_heap_marks_are_sound DEFRAG_NAME(df_heap_marks_are_sound)
#define df_check                DEFRAG_NAME(df_check)
#define df_guard_block          DEFRAG_NAME(df_guard_block)
#define df_guard_below          DEFRAG_NAME(df_guard_below)
#define df_guard_free           DEFRAG_NAME(df_guard_free)
#define df_guard_resize         DEFRAG_NAME(df_guard_resize)
#define df_guard_place          DEFRAG_NAME(df_guard_place)
#define df_guard_step           DEFRAG_NAME(df_guard_step)
#define df_guard_slide          DEFRAG_NAME(df_guard_slide)
#define df_guard_fill           DEFRAG_NAME(df_guard_fill)
#define df_move_down            DEFRAG_NAME(df_move_down)
#define df_move_up              DEFRAG_NAME(df_move_up)
#define df_moved                DEFRAG_NAME(df_moved)
#define df_move_into            DEFRAG_NAME(df_move_into)
#define df_move_away            DEFRAG_NAME(df_move_away)
#define df_scramble_stretches   DEFRAG_NAME(df_scramble_stretches)
#define df_scramble_runs        DEFRAG_NAME(df_scramble_runs)
#define df_window_add           DEFRAG_NAME(df_window_add)
#define df_window_shrink        DEFRAG_NAME(df_window_shrink)
#define df_cheapest_run         DEFRAG_NAME(df_cheapest_run)
#define df_slide_down           DEFRAG_NAME(df_slide_down)
#define df_slide                DEFRAG_NAME(df_slide)
#define df_plan_make            DEFRAG_NAME(df_plan_make)
#define df_plan_around          DEFRAG_NAME(df_plan_around)
#define df_plan_commit          DEFRAG_NAME(df_plan_commit)
#define df_plan_release         DEFRAG_NAME(df_plan_release)
#define df_clear_place          DEFRAG_NAME(df_clear_place)
#define df_make_room            DEFRAG_NAME(df_make_room)
#define df_gather               DEFRAG_NAME(df_gather)
#define df_gather_run           DEFRAG_NAME(df_gather_run)
#define df_lift                 DEFRAG_NAME(df_lift)
#define df_largest_sum          DEFRAG_NAME(df_largest_sum)
#endif

#endif
