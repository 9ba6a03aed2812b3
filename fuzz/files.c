/* SPDX-License-Identifier: MIT */
#include "files.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static char folder[] = "/tmp/fuzz_files.XXXXXX";

int fuzz_file(const void *data, size_t size, char path[FUZZ_PATH_ROOM])
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, FUZZ_PATH_ROOM, "/proc/self/fd/%d", fd);
    return fd;
}

static void remove_folder(void)
{
    rmdir(folder);
}

const char *fuzz_path(const char *name)
{
    static char path[sizeof folder + 16];
    static int made;
    if (!made && !mkdtemp(folder))
        abort();
    if (!made)
        atexit(remove_folder);
    made = 1;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}
