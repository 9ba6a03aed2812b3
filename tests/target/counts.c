/* SPDX-License-Identifier: MIT */
/*
 * Counts the instructions of each public function. The first argument says on
 * what: a task below. Each prints lines, see counts_print().
 */
#include "counts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The board's first CMSDK timer counts down at 25 MHz. */
#define TIMER_CONTROL (*(volatile uint32_t *)0x40000000u)
#define TIMER_VALUE   (*(volatile uint32_t *)0x40000004u)
#define TIMER_RELOAD  (*(volatile uint32_t *)0x40000008u)
#define TICK_NS       40u
#define SHIFT         7

defrag_pool *pool;
_Alignas(1024) unsigned char memory[65535 * 8];

static uint32_t nothing; /* instructions of an empty call */

void counts_demand(bool condition, const char *what)
{
    if (condition)
        return;
    printf("counts: %s\n", what);
    exit(1);
}

/*
 * timed_call(function, a, b, c, d, e): what the function returned, and above it the
 * ticks it took. Nothing but the call stands between the two readings of the timer.
 */
uint64_t timed_call(uintptr_t function, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e);
__asm__(".syntax unified\n"
        ".section .text.timed_call, \"ax\"\n"
        ".thumb_func\n"
        ".align 2\n"
        ".global timed_call\n"
        "timed_call:\n"
        "    push {r4, r5, r6, lr}\n"
        "    mov r4, r0\n"
        "    ldr r5, =0x40000004\n"
        "    ldr r6, [sp, #20]\n"
        "    mov r0, r1\n"
        "    mov r1, r2\n"
        "    mov r2, r3\n"
        "    ldr r3, [sp, #16]\n"
        "    push {r6, r7}\n"
        "    ldr r6, [r5]\n"
        "    blx r4\n"
        "    ldr r1, [r5]\n"
        "    subs r1, r6, r1\n"
        "    add sp, #8\n"
        "    pop {r4, r5, r6, pc}\n"
        ".pool\n"
        ".text\n");

static void empty(void)
{
}

uintptr_t counts_call(uint32_t *count, uintptr_t function, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d,
                      uintptr_t e)
{
    uint64_t both = timed_call(function, a, b, c, d, e);
    uint64_t ns = (both >> 32) * TICK_NS;
    *count = (uint32_t)((ns + (1u << (SHIFT - 1))) >> SHIFT) - nothing;
    return (uintptr_t)both;
}

uintptr_t counts_measure(struct figure *figure, uintptr_t function, uintptr_t a, uintptr_t b, uintptr_t c,
                         uintptr_t d, uintptr_t e)
{
    uint32_t count;
    uintptr_t result = counts_call(&count, function, a, b, c, d, e);
    counts_note(figure, count);
    return result;
}

defrag_status counts_alloc_fast(struct figure *usual, struct figure *grows, uint32_t *slots, size_t bytes,
                                defrag_handle *out)
{
    uint32_t count;
    defrag_status status = (defrag_status)COUNTED(count, defrag_alloc_fast, pool, bytes, out);
    bool new_slot = out->bits >> 16 > *slots;
    if (new_slot)
        *slots = out->bits >> 16;
    if (status == DEFRAG_OK)
        counts_note(new_slot ? grows : usual, count);
    return status;
}

/* What a call costs that does nothing is the caller's: it is subtracted everywhere. */
void counts_begin(void)
{
    uint32_t count;
    TIMER_RELOAD = UINT32_MAX;
    TIMER_VALUE = UINT32_MAX;
    TIMER_CONTROL = 1;
    (void)COUNTED(count, empty, 0);
    nothing = count;
    (void)COUNTED(count, empty, 0);
    counts_demand(nothing > 0 && nothing < 10 && count == 0, "the timer");
}

static uint32_t bin_of(uint32_t count)
{
    if (count < COUNTED_MAX)
        return count;
    unsigned octave = 31 - (unsigned)__builtin_clz(count / COUNTED_MAX);
    return COUNTED_MAX + octave * 32 + (count >> (octave + 8)) % 32;
}

/* The largest count of a bin. */
static uint32_t most_of(uint32_t bin)
{
    if (bin < COUNTED_MAX)
        return bin;
    unsigned octave = (bin - COUNTED_MAX) / 32;
    return ((32 + bin % 32 + 1) << (octave + 8)) - 1;
}

void counts_note(struct figure *figure, uint32_t count)
{
    figure->calls++;
    figure->sum += count;
    figure->most = count > figure->most ? count : figure->most;
    figure->histogram[bin_of(count)]++;
}

void counts_print(const char *name, struct figure *figure)
{
    counts_demand(figure->calls != 0, name);
    uint32_t below = 0, percentile = 0;
    while ((below += figure->histogram[percentile]) < figure->calls - figure->calls / 100)
        percentile++;
    uint32_t tenths = (uint32_t)((figure->sum * 10 + figure->calls / 2) / figure->calls);
    printf("%s\t%lu\t%lu.%lu\t", name, (unsigned long)figure->calls, (unsigned long)tenths / 10,
           (unsigned long)tenths % 10);
    percentile = most_of(percentile);
    printf("%lu\t%lu\n", (unsigned long)(percentile < figure->most ? percentile : figure->most),
           (unsigned long)figure->most);
    memset(figure, 0, sizeof *figure);
}

uint32_t counts_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

int main(int argc, char **argv)
{
    counts_demand(argc > 1, "no task");
    counts_begin();
    if (strcmp(argv[1], "workload") == 0 && argc == 3)
        workload_counts((uint32_t)strtoul(argv[2], NULL, 10));
    else if (strcmp(argv[1], "full") == 0 && argc == 3)
        full_counts((uint32_t)strtoul(argv[2], NULL, 10));
    else if (strcmp(argv[1], "trace") == 0 && argc == 4)
        trace_counts(argv[2], argv[3]);
    else if (strcmp(argv[1], "worst") == 0)
        worst_counts();
    else if (strcmp(argv[1], "walk") == 0)
        walk_counts();
    else if (strcmp(argv[1], "mover") == 0)
        mover_counts();
    else
        counts_demand(0, "an unknown task");
    return 0;
}
