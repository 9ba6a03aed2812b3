/* SPDX-License-Identifier: MIT */
/*
 * What the fuzz targets share. A target is one file, fuzz_NAME.c, that defines
 * fuzz_name and LLVMFuzzerTestOneInput(); a fuzzing engine or replay.c calls
 * it. A target fails by EXPECT() of tests/support.h, which prints and aborts.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The target's name without prefix, and of its folders of inputs. */
extern const char fuzz_name[];

/* Any bytes whatever. Returns 0; or -1, the input is not worth keeping. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whether to print, as readable text, what an input does: the environment variable FUZZ_SHOW is set. */
bool fuzz_shows(void);

/* For the programs that replay: runs the target on a file; says that something cannot be done, and exits. */
void fuzz_run_file(const char *path);
void fuzz_cannot(const char *what, const char *path) __attribute__((noreturn));

#endif
