/* SPDX-License-Identifier: MIT */
#include "inside.h"

#include <stdlib.h>
#include <string.h>

extern const struct inside n4_inside, n8_inside, n16_inside, w8_inside, w16_inside;

const struct inside *inside_of(const char *name)
{
    static const struct inside *const all[] = {&n4_inside, &n8_inside, &n16_inside, &w8_inside, &w16_inside};
    if (*name == 'h')
        name++;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    abort();
}

static uint64_t word_load(const unsigned char *at, unsigned width)
{
    uint8_t w8;
    uint16_t w16;
    uint32_t w32;
    uint64_t w64;
    switch (width) {
    case 8:
        memcpy(&w8, at, sizeof w8);
        return w8;
    case 16:
        memcpy(&w16, at, sizeof w16);
        return w16;
    case 32:
        memcpy(&w32, at, sizeof w32);
        return w32;
    default:
        memcpy(&w64, at, sizeof w64);
        return w64;
    }
}

static void word_store(unsigned char *at, unsigned width, uint64_t value)
{
    uint8_t w8 = (uint8_t)value;
    uint16_t w16 = (uint16_t)value;
    uint32_t w32 = (uint32_t)value;
    switch (width) {
    case 8:
        memcpy(at, &w8, sizeof w8);
        break;
    case 16:
        memcpy(at, &w16, sizeof w16);
        break;
    case 32:
        memcpy(at, &w32, sizeof w32);
        break;
    default:
        memcpy(at, &value, sizeof value);
        break;
    }
}

static uint64_t mask_of(unsigned bits)
{
    return bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

uint64_t inside_load(const defrag_pool *pool, const struct inside_field *field)
{
    uint64_t word = word_load((const unsigned char *)pool + field->byte, field->width);
    return word >> field->shift & mask_of(field->bits);
}

void inside_store(defrag_pool *pool, const struct inside_field *field, uint64_t value)
{
    unsigned char *at = (unsigned char *)pool + field->byte;
    uint64_t mask = mask_of(field->bits) << field->shift;
    uint64_t word = word_load(at, field->width) & ~mask;
    word_store(at, field->width, word | (value << field->shift & mask));
}
