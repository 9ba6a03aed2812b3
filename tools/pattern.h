/* SPDX-License-Identifier: MIT */
/* What objects are filled with: each object and each place in it has bytes of its own. */
#ifndef DEFRAG_TOOLS_PATTERN_H
#define DEFRAG_TOOLS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes the bytes `from` to `to` - 1 of the object. */
void pattern_fill(unsigned char *payload, uint32_t object, size_t from, size_t to);

/* Whether the first `count` bytes are the object's. */
bool pattern_is_there(const unsigned char *payload, uint32_t object, size_t count);

#endif
