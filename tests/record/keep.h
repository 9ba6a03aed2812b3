/* SPDX-License-Identifier: MIT */
/* The compiler may leave out an allocation that nobody looks at. */
#ifndef TESTS_RECORD_KEEP_H
#define TESTS_RECORD_KEEP_H

static inline void *keep(void *pointer)
{
    __asm__ volatile("" : "+r"(pointer) : : "memory");
    return pointer;
}

/* A size that the compiler does not know. */
static inline unsigned long size(unsigned long bytes)
{
    __asm__ volatile("" : "+r"(bytes));
    return bytes;
}

#endif
