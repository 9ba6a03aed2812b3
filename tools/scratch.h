/* SPDX-License-Identifier: MIT */
/*
 * A folder for files that are not yet finished, beside where they will stand.
 * However the program ends, by a signal too, nothing of it is left.
 */
#ifndef DEFRAG_TOOLS_SCRATCH_H
#define DEFRAG_TOOLS_SCRATCH_H

enum { SCRATCH_FILES_MAX = 64 };

/* Makes a folder that is removed in the end if it is empty then. Returns 0, or -1: see errno. */
int scratch_make_folder(const char *path);

/* Makes the folder `beside`.XXXXXX; there is one at a time. Returns 0, or -1: see errno. */
int scratch_begin(const char *beside);

/* The path of a file in it, which need not be there; valid until scratch_end(). */
const char *scratch_path(const char *name);

/* Moves a file to where it belongs. Returns 0, or -1: see errno. */
int scratch_publish(const char *name, const char *path);

void scratch_end(void);

#endif
