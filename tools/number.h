/* SPDX-License-Identifier: MIT */
/* Numbers as people write them: read from arguments, shown in tables. */
#ifndef DEFRAG_TOOLS_NUMBER_H
#define DEFRAG_TOOLS_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

enum { NUMBER_ROOM = 32 };

/* 1234567 as "1,234,567"; returns `text`. */
char *number_format(char text[NUMBER_ROOM], uint64_t number);

/* Digits and nothing else, low to high. */
bool number_parse(const char *text, uint64_t low, uint64_t high, uint64_t *out);

/* The same, with K for 1,024 or M for 1,048,576 behind it. */
bool number_parse_bytes(const char *text, uint64_t low, uint64_t high, uint64_t *out);

#endif
