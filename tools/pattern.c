/* SPDX-License-Identifier: MIT */
#include "pattern.h"

#include <string.h>

/* Eight bytes of the pattern. */
static uint64_t pattern_word(uint32_t object, size_t word)
{
    uint64_t x = ((uint64_t)object << 32 | 0x9e3779b9u) + word * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 31)) * UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ (x >> 29);
}

static void pattern_get(uint32_t object, size_t word, unsigned char bytes[8])
{
    uint64_t x = pattern_word(object, word);
    memcpy(bytes, &x, sizeof x);
}

void pattern_fill(unsigned char *payload, uint32_t object, size_t from, size_t to)
{
    unsigned char bytes[8];
    for (size_t i = from; i < to; i++) {
        if (i == from || i % 8 == 0) {
            pattern_get(object, i / 8, bytes);
        }
        payload[i] = bytes[i % 8];
    }
}

bool pattern_is_there(const unsigned char *payload, uint32_t object, size_t count)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < count; i += 8) {
        pattern_get(object, i / 8, bytes);
        if (memcmp(payload + i, bytes, count - i < 8 ? count - i : 8) != 0) {
            return false;
        }
    }
    return true;
}
