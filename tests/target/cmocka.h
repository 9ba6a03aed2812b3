/* SPDX-License-Identifier: MIT */
/*
 * The part of cmocka's interface that the tests' support uses, for targets that
 * no package of cmocka exists for. Everything else of the tests is the same.
 */
#ifndef TARGET_CMOCKA_H
#define TARGET_CMOCKA_H

#include <stddef.h>

struct CMUnitTest {
    const char *name;
    void (*test_func)(void **state);
    int (*setup_func)(void **state);
    int (*teardown_func)(void **state);
    void *initial_state;
};

/* Runs the tests in order, reports in the Test Anything Protocol; the number that failed. */
int _cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t count,
                            int (*setup)(void **state), int (*teardown)(void **state));

/* Ends the running test as failed. */
_Noreturn void _fail(const char *file, int line);

void print_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
