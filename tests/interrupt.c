/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into defrag-bench: sends it SIGTERM right after the INTERRUPT_AT-th
 * of its calls that make, rename or remove something. Leaves the file
 * INTERRUPT_MARK behind when it does; so a run without that file had no such call.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static unsigned long interrupt_at; /* 0: never */
static atomic_ulong count;

__attribute__((constructor)) static void begin(void)
{
    const char *at = getenv("INTERRUPT_AT");
    size_t length = strlen(program_invocation_short_name);
    /* What draws the pictures is not the tool. */
    if (at && length >= 12 && strcmp(program_invocation_short_name + length - 12, "defrag-bench") == 0)
        interrupt_at = strtoul(at, NULL, 10);
}

/* A trace tells the day of its recording, and no day ends between two runs that are compared. */
time_t time(time_t *now)
{
    if (now)
        *now = 0;
    return 0;
}

static void called(void)
{
    int saved = errno;
    if (interrupt_at && atomic_fetch_add(&count, 1) + 1 == interrupt_at) {
        int fd = open(getenv("INTERRUPT_MARK"), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd >= 0)
            close(fd);
        kill(getpid(), SIGTERM);
    }
    errno = saved;
}

/* WRAP(TYPE, NAME, PARAMETERS, ARGUMENTS): the C library's, and then perhaps the signal. */
#define WRAP(type, name, parameters, arguments)                                                              \
    type name parameters                                                                                     \
    {                                                                                                        \
        type(*next) parameters;                                                                              \
        *(void **)&next = dlsym(RTLD_NEXT, #name);                                                           \
        type result = next arguments;                                                                        \
        called();                                                                                            \
        return result;                                                                                       \
    }

WRAP(int, mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(char *, mkdtemp, (char *path), (path))
WRAP(int, mkostemp, (char *path, int flags), (path, flags))
WRAP(FILE *, fopen, (const char *path, const char *mode), (path, mode))
WRAP(int, rename, (const char *from, const char *to), (from, to))
WRAP(int, unlink, (const char *path), (path))
WRAP(int, rmdir, (const char *path), (path))
WRAP(int, posix_spawnp,
     (pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
      const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]),
     (pid, file, actions, attributes, arguments, environment))
