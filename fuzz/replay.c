/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz target over files, without a fuzzing engine: for plain make
 * check, for Valgrind, for reading what a crash does. It speaks TAP.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static void usage(FILE *to)
{
    fprintf(to,
            "usage: replay_%s [-s] [FILE|FOLDER...]\n"
            "\n"
            "Runs the fuzz target '%s' on each file, and each file of each folder. Without\n"
            "arguments: on the committed inputs, $top_srcdir/fuzz/{corpus,regressions}/%s.\n"
            "\n"
            "  -s   show as text what each input does\n"
            "  -h   this text\n",
            fuzz_name, fuzz_name, fuzz_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Runs all that is there, folders in the order of their names. Returns the number of inputs. */
static unsigned long run(const char *path)
{
    struct stat about;
    if (stat(path, &about) != 0)
        fuzz_cannot("find", path);
    if (!S_ISDIR(about.st_mode)) {
        fuzz_run_file(path);
        return 1;
    }
    struct dirent **entries;
    int count = scandir(path, &entries, is_visible, alphasort);
    if (count < 0)
        fuzz_cannot("list", path);
    unsigned long inputs = 0;
    for (int i = 0; i < count; i++) {
        char *below;
        if (asprintf(&below, "%s/%s", path, entries[i]->d_name) < 0)
            fuzz_cannot("find memory for", path);
        inputs += run(below);
        free(below);
        free(entries[i]);
    }
    free(entries);
    return inputs;
}

/* Returns the number of committed inputs of that kind. */
static unsigned long run_committed(const char *kind)
{
    const char *top = getenv("top_srcdir");
    char *path;
    if (asprintf(&path, "%s/fuzz/%s/%s", top && *top ? top : ".", kind, fuzz_name) < 0)
        fuzz_cannot("find memory for", kind);
    unsigned long inputs = run(path);
    free(path);
    return inputs;
}

/* To have run nothing is a failure. */
static bool report(int number, const char *what, unsigned long inputs)
{
    printf("%s %d - %s: %s, %lu inputs\n", inputs ? "ok" : "not ok", number, fuzz_name, what, inputs);
    return inputs > 0;
}

int main(int argc, char **argv)
{
    for (int option; (option = getopt(argc, argv, "hs")) != -1;) {
        if (option != 's') {
            usage(option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
        setenv("FUZZ_SHOW", "1", 1);
    }
    if (optind == argc) {
        puts("1..2");
        bool corpus = report(1, "corpus", run_committed("corpus"));
        bool regressions = report(2, "regressions", run_committed("regressions"));
        return corpus && regressions ? 0 : 1;
    }
    printf("1..%d\n", argc - optind);
    bool all = true;
    for (int i = optind; i < argc; i++)
        all = report(i - optind + 1, argv[i], run(argv[i])) && all;
    return all ? 0 : 1;
}
