/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support.h"

bool fuzz_shows(void)
{
    static int shows = -1;
    if (shows < 0)
        shows = getenv("FUZZ_SHOW") != NULL;
    return shows;
}

void support_report(const char *file, int line, const char *context, const char *text)
{
    fflush(stdout);
    fprintf(stderr, "%s:%d: %s: %s: %s\n", file, line, fuzz_name, context, text);
    abort();
}

/*
 * The model reads and restores whole images, which the library closes to its
 * users. Until it does so past the sanitizer, the memory of a pool stays open.
 */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allow_user_poisoning=0";
}
