/* SPDX-License-Identifier: MIT */
/* Google Benchmark from C. A benchmark is a function that is called with a state for each of its arguments. */
#ifndef BENCH_GOOGLE_H
#define BENCH_GOOGLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_state;

/* How its time is to grow with the argument, by the contract in defrag.h. */
enum bench_order { BENCH_CONSTANT, BENCH_LINEAR };

struct bench {
    const char *name; /* what it does, '/', what its argument is */
    void (*run)(struct bench_state *state);
    enum bench_order order;
    const int64_t *arguments; /* the last is 0 */
};

/* The end of the list is one without a name. The program's exit status. */
int bench_main(const struct bench *benches, int argc, char **argv);

/* The argument; what the time is to grow with. */
size_t bench_argument(const struct bench_state *state);

/* Measured is what is done while it returns true. */
bool bench_goes_on(struct bench_state *state);

/* In between: not measured. */
void bench_pause(struct bench_state *state);
void bench_resume(struct bench_state *state);

/* Ends this benchmark, which then has no time. bench_goes_on() returns false from now on. */
void bench_fail(struct bench_state *state, const char *reason);

#ifdef __cplusplus
}
#endif

#endif
