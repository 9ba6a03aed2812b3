/* SPDX-License-Identifier: MIT */
#include "number.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

char *number_format(char text[NUMBER_ROOM], uint64_t number)
{
    char digits[NUMBER_ROOM];
    size_t count = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, number);
    size_t used = 0;

    for (size_t i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0) {
            text[used++] = ',';
        }
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

/* The digits at the beginning; false if there are none or they are too many. */
static bool digits_read(const char **text, uint64_t *out)
{
    const char *from = *text;
    uint64_t number = 0;

    for (; **text >= '0' && **text <= '9'; ++*text) {
        uint64_t digit = (uint64_t)(**text - '0');
        if (number > (UINT64_MAX - digit) / 10) {
            return false;
        }
        number = number * 10 + digit;
    }
    *out = number;
    return *text != from;
}

static bool is_within(uint64_t number, uint64_t low, uint64_t high)
{
    return number >= low && number <= high;
}

bool number_parse(const char *text, uint64_t low, uint64_t high, uint64_t *out)
{
    return digits_read(&text, out) && *text == '\0' && is_within(*out, low, high);
}

bool number_parse_bytes(const char *text, uint64_t low, uint64_t high, uint64_t *out)
{
    if (!digits_read(&text, out)) {
        return false;
    }
    uint64_t scale = *text == 'K' || *text == 'k' ? 1024 : *text == 'M' || *text == 'm' ? 1048576 : 1;
    text += scale > 1;
    if (*text != '\0' || *out > UINT64_MAX / scale) {
        return false;
    }
    *out *= scale;
    return is_within(*out, low, high);
}
