/* SPDX-License-Identifier: MIT */
#include "scratch.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xalloc.h"

/* A signal handler reads these: a path is there before it is counted. */
static char *folder;
static char *paths[SCRATCH_FILES_MAX];
static volatile sig_atomic_t path_count;
static volatile pid_t child;
static char *made_folder;

static const int deadly[] = {SIGHUP, SIGINT, SIGTERM};
enum { DEADLY = sizeof deadly / sizeof *deadly };

/* Nothing here but what a signal handler may do. */
static void sweep(void)
{
    for (sig_atomic_t i = 0; i < path_count; i++) {
        unlink(paths[i]);
    }
    if (folder) {
        rmdir(folder);
    }
    if (made_folder) {
        rmdir(made_folder);
    }
}

static void on_signal(int number)
{
    if (child > 0) {
        kill(child, SIGKILL);
    }
    sweep();
    signal(number, SIG_DFL);
    raise(number);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal}, before;

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < DEADLY; i++) {
        sigaddset(&action.sa_mask, deadly[i]);
    }
    for (size_t i = 0; i < DEADLY; i++) {
        /* A program in the background of a script ignores interrupts, and goes on doing so. */
        if (sigaction(deadly[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            sigaction(deadly[i], &action, NULL);
        }
    }
}

static char *joined(const char *first, const char *second)
{
    size_t room = strlen(first) + strlen(second) + 1;
    char *text = xrealloc(NULL, room, 1);
    snprintf(text, room, "%s%s", first, second);
    return text;
}

int scratch_begin(const char *beside)
{
    char *name = joined(beside, ".XXXXXX");
    if (!mkdtemp(name)) {
        int saved = errno;
        free(name);
        sweep();
        errno = saved;
        return -1;
    }
    folder = name;
    catch_signals();
    atexit(scratch_end);
    return 0;
}

const char *scratch_path(const char *name)
{
    size_t skip = strlen(folder) + 1;
    for (sig_atomic_t i = 0; i < path_count; i++) {
        if (strcmp(paths[i] + skip, name) == 0) {
            return paths[i];
        }
    }
    char *parent = joined(folder, "/");
    paths[path_count] = joined(parent, name);
    free(parent);
    return paths[path_count++];
}

void scratch_child(pid_t pid)
{
    child = pid;
}

void scratch_remove_folder(const char *path)
{
    made_folder = joined(path, "");
}

int scratch_publish(const char *name, const char *path)
{
    return rename(scratch_path(name), path);
}

void scratch_end(void)
{
    sweep();
    sig_atomic_t count = path_count;
    path_count = 0;
    for (sig_atomic_t i = 0; i < count; i++) {
        free(paths[i]);
    }
    free(folder);
    free(made_folder);
    folder = made_folder = NULL;
}
