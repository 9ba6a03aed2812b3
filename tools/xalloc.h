/* SPDX-License-Identifier: MIT */
/* Host memory for the tools: it is there, or the program ends with status 2 and says why. */
#ifndef DEFRAG_TOOLS_XALLOC_H
#define DEFRAG_TOOLS_XALLOC_H

#include <stddef.h>

/* Zeroed; `count` may be 0. */
void *xcalloc(size_t count, size_t bytes);

/* As realloc(); what is gained is not initialised. */
void *xrealloc(void *old, size_t count, size_t bytes);

/* `alignment` is a power of two, a pointer's at least; not initialised. */
void *xaligned(size_t alignment, size_t bytes);

/*
 * For a thread that is about to end the program because it cannot go on: returns to the
 * first that calls it, and never to others, so that the reason is told once.
 */
void end_once(void);

#endif
