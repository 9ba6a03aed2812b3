/* SPDX-License-Identifier: MIT */
/* One input, without a fuzzing engine. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* libFuzzer makes no longer ones either unless it is told to. */
#define INPUT_MAX ((size_t)1 << 20)

void fuzz_cannot(const char *what, const char *path)
{
    fprintf(stderr, "replay_%s: cannot %s %s: %s\n", fuzz_name, what, path, strerror(errno));
    exit(2);
}

void fuzz_run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fuzz_cannot("open", path);
    uint8_t *room = malloc(INPUT_MAX + 1);
    if (!room)
        fuzz_cannot("find memory for", path);
    size_t size = fread(room, 1, INPUT_MAX + 1, file);
    if (ferror(file))
        fuzz_cannot("read", path);
    fclose(file);
    if (size > INPUT_MAX) {
        fprintf(stderr, "replay_%s: %s is longer than %zu bytes\n", fuzz_name, path, INPUT_MAX);
        exit(2);
    }
    /* A copy of the exact length: a sanitizer sees the first byte beyond. */
    uint8_t *data = malloc(size ? size : 1);
    if (!data)
        fuzz_cannot("find memory for", path);
    memcpy(data, room, size);
    free(room);
    /* Before it runs, for whoever reads what a crash leaves. */
    printf("# %s: %zu bytes\n", path, size);
    fflush(stdout);
    (void)LLVMFuzzerTestOneInput(data, size);
    free(data);
}
