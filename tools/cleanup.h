/* SPDX-License-Identifier: MIT */
/*
 * What must not outlive the program, however it ends, by a signal too: files
 * that are not yet whole, folders for them, the process that draws them.
 *
 * Whoever makes one holds the signals from before it is there until it is told
 * here: a signal that came between would leave it behind.
 */
#ifndef DEFRAG_TOOLS_CLEANUP_H
#define DEFRAG_TOOLS_CLEANUP_H

#include <signal.h>
#include <spawn.h>
#include <sys/types.h>

/* Paths at a time. */
enum { CLEANUP_MAX = 80 };

/*
 * From now on a signal that ends the program is told on stderr before. What
 * follows here begins it, too.
 */
void cleanup_begin(void);

/*
 * Another handler for the signals that end programs; one that is ignored goes on
 * being so, as in the background of a script. It ends the program by cleanup_die().
 */
void cleanup_handle(void (*handler)(int number));
_Noreturn void cleanup_die(int number);

/* A signal that would end the program waits from the one until the other. errno stays. */
void cleanup_hold(sigset_t *before);
void cleanup_release(const sigset_t *before);

/*
 * A file, or a folder that is empty by then, to be removed in the end, the last
 * told first; it need not be there. `path` stays the caller's, and valid until
 * it is forgotten.
 */
void cleanup_add(const char *path);
void cleanup_forget(const char *path);

/* mkostemp() of a file that is closed on exec and told here; -1: see errno. */
int cleanup_make(char *path);

/* Removes it now, and forgets it. errno stays. */
void cleanup_remove(const char *path);

/* Starts a process that is killed in the end; there is one at a time. Returns 0, or an error number. */
int cleanup_spawn(const posix_spawn_file_actions_t *actions, char *const arguments[]);

/* Waits for its end by itself, and returns its status as waitpid() does. */
int cleanup_wait(void);

#endif
