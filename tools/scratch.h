/* SPDX-License-Identifier: MIT */
/*
 * A folder for files that are not yet finished, beside where they will stand.
 * However the program ends, by a signal too, nothing of it is left.
 */
#ifndef DEFRAG_TOOLS_SCRATCH_H
#define DEFRAG_TOOLS_SCRATCH_H

#include <sys/types.h>

enum { SCRATCH_FILES_MAX = 64 };

/* Makes the folder `beside`.XXXXXX; there is one at a time. Returns 0, or -1: see errno. */
int scratch_begin(const char *beside);

/* The path of a file in it, which need not be there; valid until scratch_end(). */
const char *scratch_path(const char *name);

/* A process to be ended with this one; 0: no longer. */
void scratch_child(pid_t child);

/* A folder to be removed in the end, if it is empty then. */
void scratch_remove_folder(const char *path);

/* Moves a file to where it belongs. Returns 0, or -1: see errno. */
int scratch_publish(const char *name, const char *path);

void scratch_end(void);

#endif
