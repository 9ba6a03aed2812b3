/* SPDX-License-Identifier: MIT */
#include "canon.h"

#include <stdlib.h>
#include <string.h>

extern const struct canon_build n4_canon, n8_canon, n16_canon, w8_canon, w16_canon;

const struct canon_build *canon_of(const char *name)
{
    static const struct canon_build *const all[] = {&n4_canon, &n8_canon, &n16_canon, &w8_canon, &w16_canon};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    abort();
}

/* --- Packing: 9 bits, 16 a block, 3 a slot, 4: at most 127 ---------------------------- */

struct packer {
    struct canon_key key;
    unsigned used; /* bits */
};

static void put(struct packer *p, unsigned bits, unsigned value)
{
    if (p->used >= 64) {
        p->key.high |= (uint64_t)value << (p->used - 64);
    } else {
        p->key.low |= (uint64_t)value << p->used;
        if (p->used + bits > 64)
            p->key.high |= (uint64_t)value >> (64 - p->used);
    }
    p->used += bits;
}

static uint8_t get(struct packer *p, unsigned bits)
{
    uint64_t value;
    if (p->used >= 64) {
        value = p->key.high >> (p->used - 64);
    } else {
        value = p->key.low >> p->used;
        if (p->used + bits > 64)
            value |= p->key.high << (64 - p->used);
    }
    p->used += bits;
    return (uint8_t)(value & ((1u << bits) - 1));
}

struct canon_key canon_pack(const struct canon *c)
{
    struct packer p = {{0, 0}, 0};
    put(&p, 3, c->slots);
    put(&p, 3, c->first_empty);
    put(&p, 3, c->blocks);
    for (unsigned i = 0; i < c->blocks; i++) {
        put(&p, 5, c->block[i].gap);
        put(&p, 5, c->block[i].size);
        put(&p, 3, c->block[i].slot);
        put(&p, 3, c->block[i].next);
    }
    for (unsigned slot = 1; slot <= c->slots; slot++)
        put(&p, 3, c->slot[slot]);
    put(&p, 4, c->cursor);
    return p.key;
}

void canon_unpack(struct canon_key key, struct canon *c)
{
    struct packer p = {key, 0};
    uint8_t at = 0;
    memset(c, 0, sizeof *c);
    c->slots = get(&p, 3);
    c->first_empty = get(&p, 3);
    c->blocks = get(&p, 3);
    for (unsigned i = 0; i < c->blocks; i++) {
        struct canon_block *block = &c->block[i];
        block->gap = get(&p, 5);
        block->size = get(&p, 5);
        block->slot = get(&p, 3);
        block->next = get(&p, 3);
        at = (uint8_t)(at + block->gap);
        block->at = at;
        at = (uint8_t)(at + block->size);
    }
    for (unsigned slot = 1; slot <= c->slots; slot++)
        c->slot[slot] = get(&p, 3);
    c->cursor = get(&p, 4);
}
