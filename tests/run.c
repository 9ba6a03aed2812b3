/* SPDX-License-Identifier: MIT */
/* The part of the tests' support that is cmocka's. */
#include "support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TESTS_MAX 400

static char names[TESTS_MAX][96];

struct run {
    const struct defrag_build *build;
    const struct support_test *test;
};

static void run_one(void **state)
{
    const struct run *run = *state;
    support_context("%s", run->build->name);
    run->test->run(run->build);
}

static bool is_chosen(const struct defrag_build *build)
{
    const char *name = getenv("BUILD");
    return !name || !*name || strcmp(name, build->name) == 0;
}

static struct CMUnitTest units[TESTS_MAX];
static struct run runs[TESTS_MAX];
static size_t total;

/* A case for each build of the list. */
static void add_cases(const struct support_test *test, const struct defrag_build *const *builds)
{
    for (; *builds; builds++) {
        if (!is_chosen(*builds))
            continue;
        if (total == TESTS_MAX)
            abort();
        runs[total] = (struct run){*builds, test};
        snprintf(names[total], sizeof names[total], "%s [%s]", test->name, (*builds)->name);
        units[total] = (struct CMUnitTest){
            .name = names[total], .test_func = run_one, .initial_state = &runs[total]};
        total++;
    }
}

int support_run(const char *group, const struct support_test *tests, size_t count)
{
    for (size_t t = 0; t < count; t++) {
        add_cases(&tests[t], defrag_builds);
        add_cases(&tests[t], support_hardened);
    }
    if (total == 0) {
        fprintf(stderr, "BUILD names no build: %s\n", getenv("BUILD"));
        return 1;
    }
    return _cmocka_run_group_tests(group, units, total, NULL, NULL);
}

void support_report(const char *file, int line, const char *context, const char *text)
{
    print_error("%s: %s\n", context, text);
    _fail(file, line);
    abort();
}
