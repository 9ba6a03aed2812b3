/* SPDX-License-Identifier: MIT */
#include "scratch.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "xalloc.h"

static char *folder, *made_folder;
static char *paths[SCRATCH_FILES_MAX];
static size_t path_count;

static char *joined(const char *first, const char *second)
{
    size_t room = strlen(first) + strlen(second) + 1;
    char *text = xrealloc(NULL, room, 1);
    snprintf(text, room, "%s%s", first, second);
    return text;
}

/* Makes a folder that is removed in the end. NULL: see errno; `name` is released. */
static char *kept(char *name, int (*make)(char *name))
{
    sigset_t before;

    cleanup_hold(&before);
    if (make(name) == 0) {
        cleanup_add(name);
    } else {
        int saved = errno;
        free(name);
        name = NULL;
        errno = saved;
    }
    cleanup_release(&before);
    return name;
}

static int make_named(char *name)
{
    return mkdir(name, 0777);
}

static int make_unnamed(char *name)
{
    return mkdtemp(name) ? 0 : -1;
}

int scratch_make_folder(const char *path)
{
    made_folder = kept(joined(path, ""), make_named);
    return made_folder ? 0 : -1;
}

int scratch_begin(const char *beside)
{
    folder = kept(joined(beside, ".XXXXXX"), make_unnamed);
    return folder ? 0 : -1;
}

const char *scratch_path(const char *name)
{
    size_t skip = strlen(folder) + 1;
    for (size_t i = 0; i < path_count; i++) {
        if (strcmp(paths[i] + skip, name) == 0) {
            return paths[i];
        }
    }
    assert(path_count < SCRATCH_FILES_MAX);
    char *parent = joined(folder, "/");
    char *path = joined(parent, name);
    free(parent);
    cleanup_add(path);
    return paths[path_count++] = path;
}

int scratch_publish(const char *name, const char *path)
{
    return rename(scratch_path(name), path);
}

static void drop(char *path)
{
    if (path) {
        cleanup_remove(path);
        free(path);
    }
}

void scratch_end(void)
{
    while (path_count > 0) {
        drop(paths[--path_count]);
    }
    drop(folder);
    drop(made_folder);
    folder = made_folder = NULL;
}
