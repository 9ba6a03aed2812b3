/* SPDX-License-Identifier: MIT */
/*
 * fuzz/replay.c for a target, which cannot list folders: the argument is a file
 * that names an input in each of its lines.
 */
#include <stdio.h>
#include <string.h>

#include "fuzz/fuzz.h"

int main(int argc, char **argv)
{
    if (argc != 2) {
        puts("Bail out! one argument is wanted, a list of inputs");
        return 2;
    }
    FILE *list = fopen(argv[1], "r");
    if (list == NULL)
        fuzz_cannot("open", argv[1]);
    unsigned inputs = 0;
    char path[512];
    puts("1..1");
    for (; fgets(path, sizeof path, list) != NULL; inputs++) {
        path[strcspn(path, "\n")] = '\0';
        fuzz_run_file(path);
    }
    fclose(list);
    /* To have run nothing is a failure. */
    printf("%sok 1 - %s: %u inputs\n", inputs ? "" : "not ", fuzz_name, inputs);
    return inputs ? 0 : 1;
}
