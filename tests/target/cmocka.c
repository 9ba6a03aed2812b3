/* SPDX-License-Identifier: MIT */
#include "cmocka.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

static jmp_buf next_test;

void _fail(const char *file, int line)
{
    printf("# %s:%d: failed\n", file, line);
    longjmp(next_test, 1);
}

void print_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("# ", stdout);
    vprintf(format, arguments);
    va_end(arguments);
}

static int run(const struct CMUnitTest *test)
{
    void *state = test->initial_state;
    if (setjmp(next_test) != 0)
        return 1;
    test->test_func(&state);
    return 0;
}

int _cmocka_run_group_tests(const char *group, const struct CMUnitTest *tests, size_t count,
                            int (*setup)(void **state), int (*teardown)(void **state))
{
    (void)setup;
    (void)teardown;
    int failed = 0;
    printf("# %s\n1..%u\n", group, (unsigned)count);
    for (size_t i = 0; i < count; i++) {
        int bad = run(&tests[i]);
        printf("%s %u - %s\n", bad ? "not ok" : "ok", (unsigned)i + 1, tests[i].name);
        fflush(stdout);
        failed += bad;
    }
    return failed;
}
