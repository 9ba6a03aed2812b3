/* SPDX-License-Identifier: MIT */
/*
 * Instructions of each public function on the benchmarks' workload: exact, and
 * the same on every run, however busy the machine that QEMU runs on. A line for
 * each function: its name, calls, and the mean, 99th percentile and maximum,
 * separated by tabs; then what was refused.
 *
 * QEMU must run with -icount shift=7: an instruction then takes 128 ns of the
 * board's time, and a tick of the timer is 40 ns.
 */
#include <defrag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/workload.h"

/* The board's first CMSDK timer counts down at 25 MHz. */
#define TIMER_CONTROL (*(volatile uint32_t *)0x40000000u)
#define TIMER_VALUE   (*(volatile uint32_t *)0x40000004u)
#define TIMER_RELOAD  (*(volatile uint32_t *)0x40000008u)
#define TICK_NS       40u
#define SHIFT         7

#define POOL_BYTES  65536u
#define COUNTED_MAX 4096u /* larger counts share the last bin of the histogram */
#define ACCESS      16u

struct figure {
    const char *name;
    uint32_t calls, most;
    uint64_t sum;
    uint32_t histogram[COUNTED_MAX + 1];
};

struct block {
    defrag_handle handle;
    void *memory; /* malloc's */
};

static uint32_t nothing; /* instructions of an empty call */
static bool counting;    /* the warm-up is over */
static struct workload workload;
static struct block blocks[WORKLOAD_LIVE_MAX];
static defrag_pool *pool;
DEFRAG_POOL_DEFINE(memory, POOL_BYTES);

static _Noreturn void stop(const char *what)
{
    printf("counts: %s\n", what);
    exit(1);
}

static uint32_t instructions(uint32_t begin, uint32_t end)
{
    return ((begin - end) * TICK_NS + (1u << (SHIFT - 1))) >> SHIFT;
}

static void note(struct figure *figure, uint32_t begin, uint32_t end)
{
    if (!counting)
        return;
    uint32_t count = instructions(begin, end) - nothing;
    figure->calls++;
    figure->sum += count;
    figure->most = count > figure->most ? count : figure->most;
    figure->histogram[count < COUNTED_MAX ? count : COUNTED_MAX]++;
}

/* Nothing but the call may stand between the two readings. */
#define MEASURED(figure, call)                 \
    do {                                       \
        uint32_t measured_begin = TIMER_VALUE; \
        call;                                  \
        uint32_t measured_end = TIMER_VALUE;   \
        note(figure, measured_begin, measured_end); \
    } while (0)

__attribute__((noinline)) static defrag_status empty_call(defrag_pool *of, size_t bytes, defrag_handle *out)
{
    __asm__ volatile("" : : "r"(of), "r"(bytes), "r"(out) : "memory");
    return DEFRAG_OK;
}

/* What a call costs that does nothing is the caller's: it is subtracted everywhere. */
static void calibrate(void)
{
    defrag_handle handle;
    TIMER_RELOAD = UINT32_MAX;
    TIMER_VALUE = UINT32_MAX;
    TIMER_CONTROL = 1;
    uint32_t begin = TIMER_VALUE;
    defrag_status status = empty_call(pool, ACCESS, &handle);
    uint32_t end = TIMER_VALUE;
    if (status == DEFRAG_OK)
        nothing = instructions(begin, end);
}

static void print(const struct figure *figure)
{
    if (figure->calls == 0)
        stop(figure->name);
    uint32_t below = 0, percentile = 0;
    while ((below += figure->histogram[percentile]) < figure->calls - figure->calls / 100)
        percentile++;
    uint32_t tenths = (uint32_t)((figure->sum * 10 + figure->calls / 2) / figure->calls);
    printf("%s\t%lu\t%lu.%lu\t", figure->name, (unsigned long)figure->calls, (unsigned long)tenths / 10,
           (unsigned long)tenths % 10);
    if (percentile < COUNTED_MAX)
        printf("%lu\t%lu\n", (unsigned long)percentile, (unsigned long)figure->most);
    else
        printf(">= %u\t%lu\n", COUNTED_MAX, (unsigned long)figure->most);
}

/* --- The hot functions, at 70 % ------------------------------------------------------------ */

static struct figure alloc_fast = {.name = "defrag_alloc_fast"}, alloc = {.name = "defrag_alloc"};
static struct figure release = {.name = "defrag_free"}, size = {.name = "defrag_size"};
static struct figure lock = {.name = "defrag_lock"}, unlock = {.name = "defrag_unlock"};
static struct figure lock_shared = {.name = "defrag_lock_shared"};
static struct figure unlock_shared = {.name = "defrag_unlock, shared"};
static struct figure reads = {.name = "defrag_read, 16 bytes"}, writes = {.name = "defrag_write, 16 bytes"};

static void write_block(defrag_handle handle, size_t bytes)
{
    unsigned char *payload, data[ACCESS];
    defrag_status status;
    MEASURED(&lock, payload = defrag_lock(pool, handle));
    if (!payload)
        stop("a lock is refused");
    memset(payload, (int)(bytes & 0xff), bytes);
    MEASURED(&unlock, status = defrag_unlock(pool, handle));
    memset(data, (int)(bytes & 0xff), sizeof data);
    if (status == DEFRAG_OK && bytes >= ACCESS)
        MEASURED(&writes, status = defrag_write(pool, handle, 0, data, ACCESS));
    if (status != DEFRAG_OK)
        stop("an unlock or a write is refused");
}

static void verify_block(defrag_handle handle, size_t bytes)
{
    const unsigned char *payload;
    unsigned char data[ACCESS];
    size_t usable;
    defrag_status status;
    MEASURED(&size, usable = defrag_size(pool, handle));
    MEASURED(&lock_shared, payload = defrag_lock_shared(pool, handle));
    if (!payload || usable < bytes)
        stop("a shared lock is refused");
    for (size_t i = 0; i < bytes; i++) {
        if (payload[i] != (bytes & 0xff))
            stop("a block lost its contents");
    }
    MEASURED(&unlock_shared, status = defrag_unlock(pool, handle));
    if (status == DEFRAG_OK && bytes >= ACCESS)
        MEASURED(&reads, status = defrag_read(pool, handle, 0, data, ACCESS));
    if (status != DEFRAG_OK)
        stop("an unlock or a read is refused");
}

static uint32_t refused, asked;

static void step(const struct workload_step *todo, bool fast)
{
    defrag_status status;
    if (!todo->allocates) {
        struct block block = blocks[todo->block];
        verify_block(block.handle, todo->bytes);
        MEASURED(&release, status = defrag_free(pool, &block.handle));
        if (status != DEFRAG_OK)
            stop("a free is refused");
        return;
    }
    defrag_handle handle;
    if (fast)
        MEASURED(&alloc_fast, status = defrag_alloc_fast(pool, todo->bytes, &handle));
    else
        MEASURED(&alloc, status = defrag_alloc(pool, todo->bytes, &handle));
    asked += counting;
    refused += counting && status != DEFRAG_OK;
    if (status != DEFRAG_OK) {
        workload_refused(&workload, true);
        return;
    }
    workload_served(&workload);
    blocks[todo->block].handle = handle;
    write_block(handle, todo->bytes);
}

static void begin(unsigned percent, uint32_t seed)
{
    if (defrag_init(&pool, memory, sizeof memory, NULL) != DEFRAG_OK)
        stop("init");
    workload_begin(&workload, WORKLOAD_UNIFORM, POOL_BYTES, percent, WORKLOAD_OPERATIONS, seed);
    refused = asked = 0;
}

static void run(bool fast)
{
    for (unsigned i = 0; i < WORKLOAD_OPERATIONS; i++) {
        counting = i >= WORKLOAD_WARM_UP;
        struct workload_step todo = workload_next(&workload);
        step(&todo, fast);
    }
    if (defrag_check(pool) != DEFRAG_OK)
        stop("the pool is damaged");
}

/* --- newlib's malloc on the same ------------------------------------------------------------- */

static struct figure newlib_malloc = {.name = "malloc (newlib)"}, newlib_free = {.name = "free (newlib)"};

static void run_malloc(uint32_t seed)
{
    workload_begin(&workload, WORKLOAD_UNIFORM, POOL_BYTES, 70, WORKLOAD_OPERATIONS, seed);
    for (unsigned i = 0; i < WORKLOAD_OPERATIONS; i++) {
        counting = i >= WORKLOAD_WARM_UP;
        struct workload_step todo = workload_next(&workload);
        void *block;
        if (todo.allocates) {
            MEASURED(&newlib_malloc, block = malloc(todo.bytes));
            if (!block)
                stop("malloc");
            workload_served(&workload);
            blocks[todo.block].memory = block;
        } else {
            block = blocks[todo.block].memory;
            MEASURED(&newlib_free, free(block));
        }
    }
}

/* The argument is the seed. */
int main(int argc, char **argv)
{
    uint32_t seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : WORKLOAD_SEED;
    calibrate();
    begin(70, seed);
    run(true);
    static const struct figure *const hot[] = {&alloc_fast, &release,       &lock,  &unlock, &lock_shared,
                                               &unlock_shared, &size, &reads, &writes};
    for (size_t i = 0; i < sizeof hot / sizeof hot[0]; i++)
        print(hot[i]);
    printf("refused by defrag_alloc_fast\t%lu of %lu\n", (unsigned long)refused, (unsigned long)asked);
    begin(70, seed);
    run(false);
    print(&alloc);
    run_malloc(seed);
    print(&newlib_malloc);
    print(&newlib_free);
    return 0;
}
