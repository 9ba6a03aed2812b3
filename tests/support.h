/* SPDX-License-Identifier: MIT */
/* What every test program needs: runs over all builds, buffers, random numbers, messages. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "defrag.h"
#include "inside.h"
#include "tools/builds.h"

/* One test of a group; it runs once for each build and finds the build by the_build(). */
struct support_test {
    const char *name;
    void (*run)(const struct defrag_build *build);
};

/*
 * Runs every test of the list over every build, plain and hardened, or over the
 * one that the environment variable BUILD names. Returns the number of tests that failed.
 */
int support_run(const char *group, const struct support_test *tests, size_t count);

/* The five builds hardened, hn4 to hw16, and a null pointer. On a sound pool they answer as the others do. */
extern const struct defrag_build *const support_hardened[];

/* How much a bounded random or exhaustive test may do: 100 unless DEFRAG_TEST_EFFORT says otherwise. */
unsigned support_effort(void);

/* Text that failure messages begin with: the build, then whatever the test adds, a seed say. */
void support_context(const char *format, ...) __attribute__((format(printf, 1, 2)));
void support_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));

/*
 * Where a failure's text goes. run.c gives it to cmocka; a program that is no
 * cmocka test defines one of its own, and then links no cmocka.
 */
void support_report(const char *file, int line, const char *context, const char *text)
    __attribute__((noreturn));

/* Fails the test with a message unless the condition holds. */
#define EXPECT(condition, ...)                            \
    do {                                                  \
        if (!(condition))                                 \
            support_fail(__FILE__, __LINE__, __VA_ARGS__); \
    } while (0)

/* A status that must be the one expected; both are named in the message. */
#define EXPECT_STATUS(actual, expected) support_expect_status(__FILE__, __LINE__, #actual, actual, expected)
void support_expect_status(const char *file, int line, const char *text, int actual, int expected);

/*
 * A buffer whose address is `residue` modulo 2,048, so that an image taken from
 * one can be attached in another of the same residue. Its end is exact: a
 * sanitizer sees the first byte beyond.
 */
struct support_buffer {
    unsigned char *bytes;
    size_t size;
    void *whole;
};
struct support_buffer support_buffer_new(size_t size, size_t residue);
void support_buffer_free(struct support_buffer *buffer);

/* A pool in a buffer that is just long enough for so many free granules. */
defrag_pool *support_pool_of(const struct defrag_build *build, struct support_buffer *buffer,
                             size_t granules, const defrag_config *config);

/* Allocates twelve small blocks and frees every other one, the first among them. */
void support_make_gaps(const struct defrag_build *build, defrag_pool *pool);

/* splitmix64: the same numbers on every machine. */
uint64_t support_random(uint64_t *state);
/* 0 … below - 1 */
size_t support_below(uint64_t *state, size_t below);

/* Statistics as a value. */
defrag_statistics support_statistics(const struct defrag_build *build, const defrag_pool *pool);

/* Payload bytes that make a block of so many granules, and back. */
size_t support_payload(const struct inside *inside, size_t granules);
size_t support_granules(const struct inside *inside, size_t bytes);

#endif
