/* SPDX-License-Identifier: MIT */
/*
 * Counting instructions: exact, and the same on every run, however busy the
 * machine that QEMU runs on.
 *
 * QEMU must run with -icount shift=7: an instruction then takes 128 ns of the
 * board's time, and a tick of the timer is 40 ns.
 */
#ifndef COUNTS_H
#define COUNTS_H

#include <defrag.h>
#include <stdbool.h>

/* The histogram is exact below this, and above has 32 bins an octave. */
#define COUNTED_MAX  8192u
#define COUNTED_BINS (COUNTED_MAX + 19 * 32)

struct figure {
    uint32_t calls, most;
    uint64_t sum;
    uint32_t histogram[COUNTED_BINS];
};

/* The largest pool of the narrow layout; whoever uses it makes a pool of it, or of its first bytes. */
extern defrag_pool *pool;
extern unsigned char memory[65535 * 8];

/* To be called first. */
void counts_begin(void);

/*
 * Calls a function with up to five arguments, each a word; what it returned, and in
 * `count` the instructions from its first to the one before its return: a call
 * of an empty function counts 0.
 */
#define COUNTED(count, ...) counts_call(&(count), COUNTS_WORDS(__VA_ARGS__, 0, 0, 0, 0, 0))
#define COUNTS_WORDS(f, a, b, c, d, e, ...)                                                                  \
    (uintptr_t)(f), (uintptr_t)(a), (uintptr_t)(b), (uintptr_t)(c), (uintptr_t)(d), (uintptr_t)(e)

uintptr_t counts_call(uint32_t *count, uintptr_t function, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d,
                      uintptr_t e);

/*
 * defrag_alloc_fast(), noted with `usual`, or with `grows` if the table has got a slot more
 * than `*slots`, which it then has. (A handle's upper half is its slot.)
 */
defrag_status counts_alloc_fast(struct figure *usual, struct figure *grows, uint32_t *slots, size_t bytes,
                                defrag_handle *out);

void counts_note(struct figure *figure, uint32_t count);

/* The same, noted. */
#define MEASURED(figure, ...) counts_measure(figure, COUNTS_WORDS(__VA_ARGS__, 0, 0, 0, 0, 0))

uintptr_t counts_measure(struct figure *figure, uintptr_t function, uintptr_t a, uintptr_t b, uintptr_t c,
                         uintptr_t d, uintptr_t e);

/* Prints `name`, calls, and mean, 99th percentile and maximum of each, separated by tabs. Forgets them. */
void counts_print(const char *name, struct figure *figure);

/* Ends the program with a message if that is not so. */
void counts_demand(bool condition, const char *what);

/* xorshift32. */
uint32_t counts_random(uint32_t *state);

/* One of the program's tasks each; they print lines. */
void workload_counts(uint32_t seed);
void full_counts(uint32_t seed);
void trace_counts(const char *name, const char *path);
void worst_counts(void);
void walk_counts(void);
void mover_counts(void);

/* Other allocators: newlib's, and picolibc's under another name. */
struct other {
    const char *name;
    void *(*allocate)(size_t bytes);
    void *(*resize)(void *block, size_t bytes);
    void (*release)(void *block);
};

extern const struct other others[2];

#endif
