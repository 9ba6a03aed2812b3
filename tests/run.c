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

int support_run(const char *group, const struct support_test *tests, size_t count)
{
    static struct CMUnitTest units[TESTS_MAX];
    static struct run runs[TESTS_MAX];
    size_t total = 0;
    for (size_t t = 0; t < count; t++) {
        for (size_t b = 0; defrag_builds[b]; b++) {
            if (!is_chosen(defrag_builds[b]) || total == TESTS_MAX)
                continue;
            runs[total] = (struct run){defrag_builds[b], &tests[t]};
            snprintf(names[total], sizeof names[total], "%s [%s]", tests[t].name, defrag_builds[b]->name);
            units[total] = (struct CMUnitTest){
                .name = names[total], .test_func = run_one, .initial_state = &runs[total]};
            total++;
        }
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
