/* SPDX-License-Identifier: MIT */
/*
 * Records what a firmware allocates, so that its real pattern can be replayed at a
 * desk. Needs neither libdefrag nor a C library: it works for whatever heap the
 * firmware has now.
 *
 *     on the device   static defrag_record record;
 *                     defrag_record_begin(&record, put, NULL);        put() sends a byte: UART, RTT, semihosting
 *                     defrag_record_alloc(&record, (uintptr_t)p, bytes, 0);
 *                     defrag_record_free(&record, (uintptr_t)p);
 *     at the desk     defrag-bench record --from-device capture.txt -o firmware.trace
 *                     defrag-bench size firmware.trace
 *
 * Nothing has to be changed where the firmware allocates if the linker wraps its
 * functions, with -Wl,--wrap=malloc,--wrap=free say:
 *
 *     void *__wrap_malloc(size_t bytes)
 *     {
 *         void *p = __real_malloc(bytes);
 *         defrag_record_alloc(&record, (uintptr_t)p, bytes, 0);
 *         return p;
 *     }
 *
 * An object is named by its address, or by the bits of its handle: by any number
 * but 0 that no other object has at that time. What failed is not recorded: with
 * the name 0 each of these does nothing. Nor do they before defrag_record_begin(),
 * on a record that is all zero.
 *
 * Cost: at most DEFRAG_RECORD_BYTES bytes to put() for each operation, 35 where
 * pointers have 32 bits, 16 to 21 as a rule; a record takes two pointers and two
 * bytes. Nothing is kept back. Calls on one record must exclude each other, as
 * those of the heap itself do, so make them in the same critical section.
 *
 * THE STREAM is text, a line for each operation, so that other text may come over
 * the same wire: whole lines that do not begin with $. All numbers are hexadecimal
 * with small letters and without zeros in front, but for NN and CC, two digits each.
 *
 *     $bNN,VERSION,BITS*CC          the beginning: version 1; bits of a pointer
 *     $aNN,NAME,SIZE[,ALIGN]*CC     allocate
 *     $rNN,NAME,SIZE[,NEWNAME]*CC   resize
 *     $fNN,NAME*CC                  free
 *     $lNN,NAME*CC  $uNN,NAME*CC    lock, unlock; shared locks nest
 *     $eNN*CC                       the end, if there is one
 *
 * NN counts the lines, modulo 256, so that lost ones are noticed. CC is what is
 * left of all characters between $ and *, when each is combined by exclusive or
 * with the 8 bits before it rotated left by one.
 */
#ifndef DEFRAG_RECORD_H
#define DEFRAG_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define DEFRAG_RECORD_VERSION 1u

/* The most bytes that an operation takes: $aNN, three numbers with commas, *CC and a newline. */
#define DEFRAG_RECORD_BYTES (11u + 3u * 2u * (unsigned)sizeof(uintptr_t))

/* Sends one byte; waits if it must. */
typedef void defrag_record_put(void *context, char byte);

/* A recording that is going on. All zero: none. */
typedef struct defrag_record {
    defrag_record_put *put;
    void *context;
    uint8_t next;  /* number of the next line       */
    uint8_t check; /* of the line that is being put */
} defrag_record;

/* Names that end in _ are not for users. */
static inline void defrag_record_char_(defrag_record *record, char byte)
{
    record->check = (uint8_t)((unsigned)record->check << 1 | (unsigned)record->check >> 7);
    record->check = (uint8_t)(record->check ^ (unsigned char)byte);
    record->put(record->context, byte);
}

static inline char defrag_record_digit_(unsigned value)
{
    value &= 15u;
    return (char)(value < 10u ? '0' + (char)value : 'a' + (char)(value - 10u));
}

static inline void defrag_record_number_(defrag_record *record, uintptr_t number)
{
    unsigned shift = 8u * (unsigned)sizeof number - 4u;
    defrag_record_char_(record, ',');
    while (shift > 0u && number >> shift == 0u)
        shift -= 4u;
    for (;; shift -= 4u) {
        defrag_record_char_(record, defrag_record_digit_((unsigned)(number >> shift)));
        if (shift == 0u)
            break;
    }
}

static inline void defrag_record_open_(defrag_record *record, char kind)
{
    record->put(record->context, '$');
    record->check = 0;
    defrag_record_char_(record, kind);
    defrag_record_char_(record, defrag_record_digit_((unsigned)record->next >> 4));
    defrag_record_char_(record, defrag_record_digit_(record->next));
    record->next++;
}

static inline void defrag_record_close_(defrag_record *record)
{
    unsigned check = record->check;
    record->put(record->context, '*');
    record->put(record->context, defrag_record_digit_(check >> 4));
    record->put(record->context, defrag_record_digit_(check));
    record->put(record->context, '\n');
}

static inline void defrag_record_named_(defrag_record *record, char kind, uintptr_t name)
{
    if (record->put && name) {
        defrag_record_open_(record, kind);
        defrag_record_number_(record, name);
        defrag_record_close_(record);
    }
}

/* Begins a recording; from now on put(context, byte) is called. The heap is empty, or what is in it does not count. */
static inline void defrag_record_begin(defrag_record *record, defrag_record_put *put, void *context)
{
    record->put = put;
    record->context = context;
    record->next = 0;
    defrag_record_open_(record, 'b');
    defrag_record_number_(record, DEFRAG_RECORD_VERSION);
    defrag_record_number_(record, 8u * sizeof(uintptr_t));
    defrag_record_close_(record);
}

/* Ends it, so that the desk knows that the stream is whole. Nothing is recorded any more. */
static inline void defrag_record_end(defrag_record *record)
{
    if (record->put) {
        defrag_record_open_(record, 'e');
        defrag_record_close_(record);
    }
    record->put = NULL;
}

/* `bytes` were allocated; `alignment` is what was asked for, 0 or 1 if it does not matter. */
static inline void defrag_record_alloc(defrag_record *record, uintptr_t name, size_t bytes, size_t alignment)
{
    if (record->put && name) {
        defrag_record_open_(record, 'a');
        defrag_record_number_(record, name);
        defrag_record_number_(record, bytes);
        if (alignment > 1)
            defrag_record_number_(record, alignment);
        defrag_record_close_(record);
    }
}

/* An object has another size now, and perhaps another name; without an old name it is a new one. */
static inline void defrag_record_resize(defrag_record *record, uintptr_t name, uintptr_t new_name,
                                        size_t bytes)
{
    if (name == 0) {
        defrag_record_alloc(record, new_name, bytes, 0);
    } else if (record->put && new_name) {
        defrag_record_open_(record, 'r');
        defrag_record_number_(record, name);
        defrag_record_number_(record, bytes);
        if (new_name != name)
            defrag_record_number_(record, new_name);
        defrag_record_close_(record);
    }
}

static inline void defrag_record_free(defrag_record *record, uintptr_t name)
{
    defrag_record_named_(record, 'f', name);
}

/* Locked, exclusively or for reading; each needs its unlock. */
static inline void defrag_record_lock(defrag_record *record, uintptr_t name)
{
    defrag_record_named_(record, 'l', name);
}

static inline void defrag_record_unlock(defrag_record *record, uintptr_t name)
{
    defrag_record_named_(record, 'u', name);
}

#endif
