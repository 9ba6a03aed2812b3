/* SPDX-License-Identifier: MIT */
#include "cleanup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* A signal handler reads these: they change only while signals are held. */
static const char *paths[CLEANUP_MAX];
static size_t path_count;
static pid_t child, owner;

static const struct {
    int number;
    const char *message;
} deadly[] = {
    {SIGHUP, "defrag-bench: interrupted: Hangup\n"},
    {SIGINT, "defrag-bench: interrupted: Interrupt\n"},
    {SIGQUIT, "defrag-bench: interrupted: Quit\n"},
    {SIGTERM, "defrag-bench: interrupted: Terminated\n"},
};
enum { DEADLY = sizeof deadly / sizeof *deadly };

/* Nothing here but what a signal handler may do. The child goes first: it may be making one of the files. */
static void sweep(void)
{
    if (getpid() != owner) {
        return; /* forked, and not yet another program */
    }
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        child = 0;
    }
    while (path_count > 0) {
        const char *path = paths[--path_count];
        if (unlink(path) != 0) {
            rmdir(path);
        }
    }
}

static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

/* On a terminal the line may hold what the progress was, and what the key has left. */
static void say_interrupted(int number)
{
    struct termios terminal;

    if (tcgetattr(STDERR_FILENO, &terminal) == 0) {
        say("\r\033[K");
    }
    for (size_t i = 0; i < DEADLY; i++) {
        if (deadly[i].number == number) {
            say(deadly[i].message);
        }
    }
}

_Noreturn void cleanup_die(int number)
{
    sigset_t set;

    sweep();
    if (getpid() == owner) {
        say_interrupted(number);
    }
    signal(number, SIG_DFL);
    raise(number);
    sigemptyset(&set);
    sigaddset(&set, number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    _exit(128 + number);
}

static void sweep_at_exit(void)
{
    sigset_t before;

    cleanup_hold(&before);
    sweep();
    cleanup_release(&before);
}

static void deadly_set(sigset_t *set)
{
    sigemptyset(set);
    for (size_t i = 0; i < DEADLY; i++) {
        sigaddset(set, deadly[i].number);
    }
}

void cleanup_handle(void (*handler)(int number))
{
    struct sigaction action = {.sa_handler = handler}, before;

    deadly_set(&action.sa_mask);
    for (size_t i = 0; i < DEADLY; i++) {
        if (sigaction(deadly[i].number, NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            sigaction(deadly[i].number, &action, NULL);
        }
    }
}

void cleanup_hold(sigset_t *before)
{
    sigset_t set;

    deadly_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, before);
}

void cleanup_release(const sigset_t *before)
{
    int saved = errno;
    pthread_sigmask(SIG_SETMASK, before, NULL);
    errno = saved;
}

void cleanup_begin(void)
{
    sigset_t before;

    cleanup_hold(&before);
    if (owner == 0) {
        owner = getpid();
        cleanup_handle(cleanup_die);
        atexit(sweep_at_exit); /* the first 32 of a program need no memory */
    }
    cleanup_release(&before);
}

void cleanup_add(const char *path)
{
    sigset_t before;

    cleanup_hold(&before);
    cleanup_begin();
    assert(path_count < CLEANUP_MAX);
    paths[path_count++] = path;
    cleanup_release(&before);
}

int cleanup_make(char *path)
{
    sigset_t before;

    cleanup_hold(&before);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) {
        cleanup_add(path);
    }
    cleanup_release(&before);
    return fd;
}

void cleanup_forget(const char *path)
{
    sigset_t before;
    size_t kept = 0;

    cleanup_hold(&before);
    for (size_t i = 0; i < path_count; i++) {
        if (paths[i] != path) {
            paths[kept++] = paths[i];
        }
    }
    path_count = kept;
    cleanup_release(&before);
}

void cleanup_remove(const char *path)
{
    sigset_t before;
    int saved = errno;

    cleanup_hold(&before);
    if (unlink(path) != 0) {
        rmdir(path);
    }
    cleanup_forget(path);
    cleanup_release(&before);
    errno = saved;
}

int cleanup_spawn(const posix_spawn_file_actions_t *actions, char *const arguments[])
{
    posix_spawnattr_t attributes;
    sigset_t before;
    pid_t pid;

    cleanup_hold(&before);
    cleanup_begin();
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &before);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int error = posix_spawnp(&pid, arguments[0], actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    child = error ? 0 : pid;
    cleanup_release(&before);
    return error;
}

/* It is reaped when signals are held: its number may be another's from then on. */
int cleanup_wait(void)
{
    siginfo_t ended;
    sigset_t before;
    int status = 0;

    while (waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
    }
    cleanup_hold(&before);
    waitpid(child, &status, 0);
    child = 0;
    cleanup_release(&before);
    return status;
}
