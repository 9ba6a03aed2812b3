/* SPDX-License-Identifier: MIT */
/*
 * A process that allocates sizes 1 to 20, has a child in between, and frees
 * them. What the child allocates, sizes of 5000 and up, is not recorded.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keep.h"

extern char **environ;

static void *held[20];

static void hold(int from, int to)
{
    for (int i = from; i < to; i++)
        held[i] = keep(malloc(size((unsigned long)i + 1)));
}

/* Frees what the parent holds, as children do, and has a child of its own. */
static void live_as_child(void)
{
    for (int i = 0; i < 2000; i++)
        free(keep(realloc(keep(malloc(size(5000))), size(6000))));
    for (int i = 0; i < 10; i++)
        free(held[i]);
    if (fork() == 0)
        free(keep(malloc(size(7000))));
    while (wait(NULL) > 0) {
    }
}

static pid_t run_self(char *self)
{
    pid_t pid;
    char *arguments[] = {self, "child", NULL};
    return posix_spawn(&pid, self, NULL, NULL, arguments, environ) == 0 ? pid : -1;
}

/* The child of a vfork borrows its parent's heap, so what it allocates there counts. */
static pid_t run_vfork(char *self)
{
    pid_t pid = vfork();
    if (pid == 0) {
        char *arguments[] = {self, "child", NULL};
        free(keep(malloc(size(99))));
        execv(self, arguments);
        _exit(1);
    }
    return pid;
}

static pid_t make_child(const char *how, char *self)
{
    if (strcmp(how, "spawn") == 0)
        return run_self(self);
    if (strcmp(how, "vfork") == 0)
        return run_vfork(self);
    pid_t pid = strcmp(how, "clone") == 0 ? (pid_t)syscall(SYS_clone, 17, 0, 0, 0, 0) : fork();
    if (pid == 0) {
        live_as_child();
        _exit(0);
    }
    return pid;
}

int main(int count, char **arguments)
{
    int status;
    if (count > 1 && strcmp(arguments[1], "child") == 0) {
        live_as_child();
        return 0;
    }
    hold(0, 10);
    pid_t child = make_child(count > 1 ? arguments[1] : "fork", arguments[0]);
    hold(10, 20);
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
        _exit(1);
    for (int i = 0; i < 20; i++)
        free(held[i]);
    _exit(0);
}
