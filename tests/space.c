/* SPDX-License-Identifier: MIT */
#include "space.h"

#include <stdlib.h>
#include <sys/mman.h>

#define INDEX_MIN ((size_t)1 << 12)

uint64_t space_hash(struct canon_key key)
{
    uint64_t z = key.low * UINT64_C(0x9e3779b97f4a7c15) ^ key.high * UINT64_C(0xd6e8feb86659fd93);
    z = (z ^ (z >> 32)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 29)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 32);
}

/* Where the key is in the index, or the free place where it belongs. */
static size_t find(const struct space *space, struct canon_key key)
{
    size_t mask = space->index_size - 1;
    size_t at = (size_t)space_hash(key) & mask;
    for (; space->index[at] != 0; at = (at + 1) & mask) {
        const struct canon_key *other = &space->states[space->index[at] - 1].key;
        if (other->low == key.low && other->high == key.high)
            break;
    }
    return at;
}

static void index_make(struct space *space, size_t size)
{
    free(space->index);
    space->index_size = size;
    space->index = calloc(size, sizeof *space->index);
    if (!space->index)
        abort();
    for (size_t i = 0; i < space->count; i++)
        space->index[find(space, space->states[i].key)] = (uint32_t)(i + 1);
}

/* Bytes a state: its record, and at most 8/3 places of the index just after that has doubled. */
#define STATE_BYTES (sizeof(struct space_state) + 8 * sizeof(uint32_t) / 3)

void space_open(struct space *space, size_t bytes)
{
    *space = (struct space){.limit = bytes / STATE_BYTES};
    if (space->limit >= UINT32_MAX)
        space->limit = UINT32_MAX - 1;
    space->states = mmap(NULL, space->limit * sizeof *space->states, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space->states == MAP_FAILED)
        abort();
    index_make(space, INDEX_MIN);
}

bool space_add(struct space *space, struct canon_key key, uint32_t parent, struct space_step step)
{
    size_t at = find(space, key);
    if (space->index[at] != 0)
        return false;
    if (space->count == space->limit) {
        space->full = true;
        return false;
    }
    space->states[space->count] = (struct space_state){key, parent, step};
    space->index[at] = (uint32_t)++space->count;
    if (space->count > space->index_size / 4 * 3)
        index_make(space, 2 * space->index_size);
    return true;
}
