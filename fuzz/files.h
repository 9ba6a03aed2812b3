/* SPDX-License-Identifier: MIT */
/* Files for the targets whose input is one: in memory, and in a folder that is gone when the target ends. */
#ifndef FUZZ_FILES_H
#define FUZZ_FILES_H

#include <stddef.h>
#include <stdint.h>

/* A file that holds these bytes, at `path` until its descriptor, which is returned, is closed. */
enum { FUZZ_PATH_ROOM = 32 };
int fuzz_file(const void *data, size_t size, char path[FUZZ_PATH_ROOM]);

/* Where a file of that name, of at most 15 letters, may be made; it is the caller's to unlink. */
const char *fuzz_path(const char *name);

#endif
