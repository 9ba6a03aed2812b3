/* SPDX-License-Identifier: MIT */
/*
 * What lies where in a pool, learnt from defrag_walk() and the statistics, and
 * the arithmetic of the promises over it. Plain arrays and sums; it shares no
 * code with the library.
 */
#ifndef TESTS_LAYOUT_H
#define TESTS_LAYOUT_H

#include "support.h"

struct stretch {
    defrag_region region;
    size_t start;    /* bytes from the start of the pool to the header */
    size_t granules;
    size_t padding;  /* of them, what a used block has for its alignment: 2^k - 1 */
    defrag_handle handle;
    unsigned shared;
    bool exclusive;
    bool pinned;
    size_t payload_bytes;
    const unsigned char *payload;
    size_t compacted; /* see layout_predict_compact() */
};

struct layout {
    const struct defrag_build *build;
    const struct inside *inside;
    struct stretch *stretches; /* address order; the last one is the wilderness */
    size_t count;
    size_t room;
    size_t free;     /* granules in free blocks and the wilderness */
    size_t live;     /* granules in used blocks */
    size_t blocks;   /* used */
    size_t locked;
    size_t highest;  /* slot in use; 0: none */
    size_t table;    /* granules */
    size_t capacity; /* granules of the largest block in the empty pool */
    size_t *by_slot; /* index of the slot's stretch + 1; 0: the slot has no block */
    size_t by_slot_room;
};

/* Reads the pool; fails the test where the walk shows anything impossible. */
void layout_read(struct layout *layout, const struct defrag_build *build, const defrag_pool *pool);
void layout_free(struct layout *layout);

/* The stretch of a used block, or NULL. */
const struct stretch *layout_find(const struct layout *layout, defrag_handle handle);

/* Granules that the table shrinks by when its empty slots at the end are given back. */
size_t layout_trim(const struct layout *layout);
/* Granules the table must grow by for one more block: as it is, and when trimmed. */
size_t layout_need(const struct layout *layout);
size_t layout_need_trimmed(const struct layout *layout);
size_t layout_wilderness(const struct layout *layout);

/*
 * The most granules that the gaps of one segment between pins sum up to, where
 * `taken` granules are missing from the top segment and `given` are added to it.
 */
size_t layout_largest_segment(const struct layout *layout, size_t given, size_t taken);
/* Sum of the gaps of the segment above the last pin. */
size_t layout_top_segment(const struct layout *layout, size_t given);
/* Sum of the gaps of the segment that the stretch at this index is in. */
size_t layout_segment_of(const struct layout *layout, size_t index, size_t given);
/* The largest single gap, with the wilderness longer by `given` and shorter by `taken`. */
size_t layout_largest_gap(const struct layout *layout, size_t given, size_t taken);

/* The largest payload that alloc is certain to serve; 0: none. */
size_t layout_largest_certain(const struct layout *layout, bool manual);

/*
 * The cheapest slide (T1): granules of the blocks strictly inside the cheapest
 * run of gaps between pins that sum up to `granules`; SIZE_MAX: no run does.
 */
size_t layout_cheapest_slide(const struct layout *layout, size_t granules, size_t given, size_t taken);

/* What a call may answer. `also` equals `status` where there is no choice. */
struct verdict {
    int status;
    int also;
    bool unpromised; /* T3 promises nothing: the plan that is found or not decides */
};

struct verdict layout_predict_alloc(const struct layout *layout, size_t bytes, bool manual);
/* The same of a block of so many granules, header and padding included. */
struct verdict layout_predict_place(const struct layout *layout, size_t granules, bool manual);
struct verdict layout_predict_alloc_fast(const struct layout *layout, size_t bytes);
/* `index` is the stretch of the block. */
struct verdict layout_predict_resize(const struct layout *layout, size_t index, size_t bytes, bool manual);

/* Granules of the block at `index` with `bytes` of payload. */
size_t layout_resized(const struct layout *layout, size_t index, size_t bytes);

/* How far a resize may go without touching another block. */
enum resize_way { RESIZE_IN_PLACE, RESIZE_ALONE, RESIZE_WITH_OTHERS };
enum resize_way layout_resize_way(const struct layout *layout, size_t index, size_t bytes, bool manual);

/*
 * Whether byte `at` of the pool, one of this free stretch, is of no account; and
 * all those of an image of the pool copied to another.
 */
bool layout_is_idle(const struct layout *layout, const struct stretch *stretch, size_t at);
void layout_copy_idle(const struct layout *layout, unsigned char *to, const unsigned char *from);

/* Whether two layouts show the same blocks at the same places in the same lock states. */
bool layout_same_blocks(const struct layout *a, const struct layout *b);

/*
 * Notes in `compacted` of each block where defrag_compact() must put it, in bytes
 * from the start of the pool: the lowest hole below locked blocks that holds it,
 * else as far down as it slides.
 */
void layout_predict_compact(struct layout *layout);
/* Whether nothing can slide. */
bool layout_is_compact(const struct layout *layout);
/* Whether besides no block that is not locked would fit into a hole below it. */
bool layout_is_settled(const struct layout *layout);

/*
 * What lies next to the block at `index` and may move or be moved into: any gap
 * or block that is not locked; such blocks alone; a gap anywhere below it in its
 * segment; in any segment.
 */
bool layout_has_company(const struct layout *layout, size_t index);
bool layout_has_neighbour(const struct layout *layout, size_t index);
bool layout_is_above_gap(const struct layout *layout, size_t index);
bool layout_is_above_hole(const struct layout *layout, size_t index);

#endif
