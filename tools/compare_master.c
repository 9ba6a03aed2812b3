/* SPDX-License-Identifier: MIT */
/* Starts the workers of a comparison, one at a time, and tells how each of them ended. */
#include "compare.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "options.h"
#include "xalloc.h"

/* Files of the worker; here they lie behind these, so that none is where another is to go. */
enum { BOARD_FILE = 60, TRACE_FILE, LOADED_FILE, PLACES_END };

struct compare_master {
    unsigned timeout_seconds;
    int board_file;
    struct compare_board *board;
    int trace_file; /* -1: none yet */
    const struct trace *trace;
    sigset_t waited; /* what ends a worker, and what ends this program */
    sigset_t before; /* the signals that were blocked before */
    int signal;      /* that interrupted; or 0 */
};

/* --- Opening ------------------------------------------------------------------------ */

static int file_lift(int file)
{
    int lifted = fcntl(file, F_DUPFD_CLOEXEC, PLACES_END);
    int saved = errno;

    close(file);
    errno = saved;
    return lifted;
}

/* -1 after a message. */
static int shared_file(const char *name, size_t bytes)
{
    int file = memfd_create(name, MFD_CLOEXEC);
    if (file >= 0) {
        file = file_lift(file);
    }
    /* Now, not with a SIGBUS when there is no room left. */
    int error = file < 0 ? errno : posix_fallocate(file, 0, (off_t)(bytes ? bytes : 1));
    if (error != 0) {
        complain("no memory to share with a worker: %s", strerror(error));
        if (file >= 0) {
            close(file);
        }
        return -1;
    }
    return file;
}

/* A signal that the program was told to ignore goes on being ignored. */
static void interruption_add(sigset_t *signals, int signal)
{
    struct sigaction action;
    if (sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_IGN) {
        sigaddset(signals, signal);
    }
}

static void signals_keep(struct compare_master *master)
{
    signal(SIGCHLD, SIG_DFL);
    sigemptyset(&master->waited);
    sigaddset(&master->waited, SIGCHLD);
    interruption_add(&master->waited, SIGINT);
    interruption_add(&master->waited, SIGTERM);
    interruption_add(&master->waited, SIGHUP);
    interruption_add(&master->waited, SIGQUIT);
    sigprocmask(SIG_BLOCK, &master->waited, &master->before);
}

struct compare_master *master_open(unsigned timeout_seconds)
{
    struct compare_master *master = xcalloc(1, sizeof *master);

    master->timeout_seconds = timeout_seconds;
    master->trace_file = -1;
    master->board_file = shared_file("board", sizeof *master->board);
    void *board = master->board_file < 0 ? MAP_FAILED
                                         : mmap(NULL, sizeof *master->board, PROT_READ | PROT_WRITE,
                                                MAP_SHARED, master->board_file, 0);
    if (board == MAP_FAILED) {
        free(master);
        return NULL;
    }
    master->board = board;
    signals_keep(master);
    return master;
}

void master_close(struct compare_master *master)
{
    sigprocmask(SIG_SETMASK, &master->before, NULL);
    munmap(master->board, sizeof *master->board);
    close(master->board_file);
    if (master->trace_file >= 0) {
        close(master->trace_file);
    }
    free(master);
}

bool master_set_trace(struct compare_master *master, const struct trace *trace)
{
    size_t bytes = trace->count * sizeof *trace->ops;

    if (master->trace_file >= 0) {
        close(master->trace_file);
    }
    master->trace = trace;
    master->trace_file = shared_file("trace", bytes);
    if (master->trace_file < 0) {
        return false;
    }
    for (size_t done = 0; done < bytes;) {
        ssize_t now = write(master->trace_file, (const char *)trace->ops + done, bytes - done);
        if (now <= 0) {
            complain("no memory to share the trace with a worker: %s", strerror(errno));
            return false;
        }
        done += (size_t)now;
    }
    return true;
}

_Noreturn void master_die(const struct compare_master *master)
{
    cleanup_die(master->signal);
}

/* --- The worker's first steps ---------------------------------------------------------- */

static _Noreturn void worker_fail(struct compare_master *master, const char *what)
{
    struct compare_result *result = &master->board->result;
    snprintf(result->reason, sizeof result->reason, "cannot start a worker: %s: %s", what, strerror(errno));
    result->stage = STAGE_REFUSED;
    _exit(EXIT_USAGE);
}

/* Open from now on and in the program to be executed. */
static void file_place(struct compare_master *master, int file, int place)
{
    if (file >= 0 && dup2(file, place) < 0) {
        worker_fail(master, "dup2");
    }
}

/* It says nothing: what a heap prints is no part of the result. */
static void standard_files_close(void)
{
    int nowhere = open("/dev/null", O_RDWR);
    for (int i = 0; i <= STDERR_FILENO && nowhere >= 0; i++) {
        dup2(nowhere, i);
    }
}

static void environment_set(enum subject_kind kind, int file)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", LOADED_FILE);
    unsetenv("LD_PRELOAD");
    if (kind == SUBJECT_MALLOC && file >= 0) {
        setenv("LD_PRELOAD", path, 1);
    }
}

static char *decimal(char text[16], int number)
{
    snprintf(text, 16, "%d", number);
    return text;
}

static _Noreturn void worker_become(struct compare_master *master, int file, pid_t parent)
{
    char program[] = "defrag-bench", command[] = COMPARE_WORKER;
    char board[16], trace[16], loaded[16];
    char *arguments[] = {program,
                         command,
                         decimal(board, BOARD_FILE),
                         decimal(trace, master->trace_file < 0 ? -1 : TRACE_FILE),
                         decimal(loaded, file < 0 ? -1 : LOADED_FILE),
                         NULL};

    sigprocmask(SIG_SETMASK, &master->before, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(EXIT_USAGE);
    }
    if (file >= 0 && (file = file_lift(file)) < 0) {
        worker_fail(master, "fcntl");
    }
    standard_files_close();
    environment_set(master->board->job.kind, file);
    file_place(master, master->board_file, BOARD_FILE);
    file_place(master, master->trace_file, TRACE_FILE);
    file_place(master, file, LOADED_FILE);
    execv("/proc/self/exe", arguments);
    worker_fail(master, "execv");
}

/* --- Its end ------------------------------------------------------------------------------ */

static struct timespec time_left(const struct timespec *end)
{
    struct timespec now, left;

    clock_gettime(CLOCK_MONOTONIC, &now);
    left.tv_sec = end->tv_sec - now.tv_sec;
    left.tv_nsec = end->tv_nsec - now.tv_nsec;
    if (left.tv_nsec < 0) {
        left.tv_nsec += 1000000000L;
        left.tv_sec--;
    }
    return left.tv_sec < 0 ? (struct timespec){0, 0} : left;
}

static int worker_kill(pid_t pid)
{
    int status = 0;
    kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

/* The interruption that has ended the worker too: a terminal tells both. */
static void interruption_take(struct compare_master *master)
{
    const struct timespec now = {0, 0};
    int signal;

    while ((signal = sigtimedwait(&master->waited, NULL, &now)) > 0) {
        master->signal = signal == SIGCHLD ? master->signal : signal;
    }
}

/* True: it ended by itself, as `status` tells. False: it was ended, for want of time or of patience. */
static bool worker_wait(struct compare_master *master, pid_t pid, int *status)
{
    struct timespec end;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += master->timeout_seconds;
    while (waitpid(pid, status, WNOHANG) == 0) {
        struct timespec left = time_left(&end);
        int signal = sigtimedwait(&master->waited, NULL, &left);
        if (signal > 0 && signal != SIGCHLD) {
            master->signal = signal;
        }
        if (master->signal || (signal < 0 && errno == EAGAIN)) {
            *status = worker_kill(pid);
            return false;
        }
    }
    interruption_take(master);
    return true;
}

/* Into `text`: what the worker was at. */
static void doing_tell(const struct compare_master *master, const struct compare_result *result, char *text,
                       size_t room)
{
    static const char *const kinds[] = {"allocating", "resizing", "freeing", "locking", "unlocking"};
    const struct trace *trace = master->trace;

    if (result->stage == STAGE_INIT) {
        snprintf(text, room, "while making a heap");
    } else if (result->stage != STAGE_REPLAY || !trace || result->operation >= trace->count) {
        snprintf(text, room, "while being loaded");
    } else {
        const struct trace_op *op = &trace->ops[result->operation];
        snprintf(text, room, "in line %" PRIu32 ", %s", op->line, kinds[op->kind]);
    }
}

static void fault_tell(const struct compare_master *master, bool ended, int status,
                       struct compare_answer *answer)
{
    char doing[96];

    doing_tell(master, &answer->result, doing, sizeof doing);
    if (!ended) {
        snprintf(answer->text, sizeof answer->text, "gave no answer within %u s, %s", master->timeout_seconds,
                 doing);
    } else if (WIFSIGNALED(status)) {
        snprintf(answer->text, sizeof answer->text, "crashed %s (%s)", doing, strsignal(WTERMSIG(status)));
    } else {
        snprintf(answer->text, sizeof answer->text, "ended the program %s (status %d)", doing,
                 WEXITSTATUS(status));
    }
}

static void answer_judge(const struct compare_master *master, bool ended, int status,
                         struct compare_answer *answer)
{
    const struct compare_result *result = &answer->result;
    bool is_whole = ended && WIFEXITED(status) && result->stage == STAGE_END;

    if (master->signal) {
        answer->end = COMPARE_INTERRUPTED;
    } else if (result->stage == STAGE_REFUSED) {
        answer->end = COMPARE_IMPOSSIBLE;
        snprintf(answer->text, sizeof answer->text, "%s", result->reason);
    } else if (!is_whole) {
        answer->end = COMPARE_FAULTY;
        fault_tell(master, ended, status, answer);
    } else if (*result->reason && result->reason_line == 0) {
        answer->end = COMPARE_FAULTY;
        snprintf(answer->text, sizeof answer->text, "%s, as was seen at the end", result->reason);
    } else if (*result->reason) {
        answer->end = COMPARE_FAULTY;
        snprintf(answer->text, sizeof answer->text, "%s in line %" PRIu32, result->reason,
                 result->reason_line);
    } else {
        answer->end = COMPARE_DONE;
    }
}

/* A heap that writes anywhere may have written here. */
static void result_take(const struct compare_board *board, struct compare_result *result)
{
    memcpy(result, &board->result, sizeof *result);
    result->name[sizeof result->name - 1] = '\0';
    result->reason[sizeof result->reason - 1] = '\0';
}

void master_run(struct compare_master *master, const struct compare_job *job, int file,
                struct compare_answer *answer)
{
    pid_t self = getpid();
    int status = 0;

    memset(answer, 0, sizeof *answer);
    memset(master->board, 0, sizeof *master->board);
    master->board->job = *job;
    pid_t pid = fork();
    if (pid == 0) {
        worker_become(master, file, self);
    }
    if (pid < 0) {
        answer->end = COMPARE_IMPOSSIBLE;
        snprintf(answer->text, sizeof answer->text, "cannot start a worker: fork: %s", strerror(errno));
        return;
    }
    bool ended = worker_wait(master, pid, &status);
    result_take(master->board, &answer->result);
    answer_judge(master, ended, status, answer);
}
