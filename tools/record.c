/* SPDX-License-Identifier: MIT */
#include "record.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "options.h"
#include "record_device.h"
#include "record_log.h"
#include "recorder.h"
#include "trace.h"
#include "xalloc.h"

#define RECORDER_NAME "defrag-recorder.so"

enum {
    STATUS_RECORDED = 0,
    STATUS_FAILED = 1,
    STATUS_USAGE = 2,
    STATUS_NOT_RUN = 126,
    STATUS_NOT_FOUND = 127
};

enum { KEY_FROM_DEVICE = 0x100 };

struct recording {
    const char *me; /* how messages begin */
    const char *output;
    char *stream; /* of a device; NULL: a program is to be run */
    struct record_device device;
    char **comments; /* `KEY: VALUE`, in the order given */
    size_t comment_count;
    char **program; /* its arguments, null-terminated */
    char recorder[PATH_MAX];
    char log_path[PATH_MAX];
    struct recorder_log *log;
    size_t log_bytes;
};

/* Returns STATUS_FAILED. */
__attribute__((format(printf, 2, 3)))
static int failed(const struct recording *r, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    complain_as(r->me, format, arguments);
    va_end(arguments);
    return STATUS_FAILED;
}

/* --- The command line --------------------------------------------------- */

static const char doc[] =
    "Runs PROGRAM and writes a trace of what it allocates with malloc, calloc, realloc, reallocarray, "
    "posix_memalign, aligned_alloc, memalign, valloc, pvalloc and free. Or makes a trace of what a device has "
    "sent."
    "\v"
    "FILE is compressed with zstd if its name ends in .zst. It appears when the program has ended; however "
    "that came about, nothing that it allocated or freed is missing.\n\n"
    "One process is recorded: the one that PROGRAM is started as. Its children, made by fork, vfork or "
    "posix_spawn, are not. If it execs another program, the recording begins anew, so the trace is of the "
    "last program that could be recorded; the line '# image' names it. A program can be recorded if it is "
    "dynamically linked and uses the malloc of the C library or of another shared library.\n\n"
    "Addresses that are freed without having been allocated under the recorder's eyes are counted in a "
    "comment.\n\n"
    "While PROGRAM runs, TMPDIR (or else /tmp) holds a log of 32 to 64 bytes for each operation. "
    "DEFRAG_RECORDER names the recorder, a shared library, if it is neither beside this program nor where it "
    "was installed.\n\n"
    "Exit status: 0 if the trace was written, whatever became of PROGRAM (its status is shown if it is not "
    "0); 1 if not; 2 for a mistake in the command line or want of memory; 126 if PROGRAM could not be run; 127 if it was not "
    "found.";

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Write the trace to FILE", 0},
    {"from-device", KEY_FROM_DEVICE, "STREAM", 0,
     "Run no program: make the trace of what a device has sent by defrag_record.h", 0},
    {"comment", 'c', "KEY: VALUE", 0,
     "Put this into the head of the trace; KEY has small letters, digits and '-'. Can be given several times",
     0},
    {0},
};

static bool is_comment(const char *text)
{
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return length > 0 && strncmp(text + length, ": ", 2) == 0;
}

static void add_comment(struct recording *r, char *text)
{
    r->comments = xrealloc(r->comments, r->comment_count + 1, sizeof *r->comments);
    r->comments[r->comment_count++] = text;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct recording *r = state->input;
    switch (key) {
    case 'o':
        r->output = argument;
        return 0;
    case KEY_FROM_DEVICE:
        r->stream = argument;
        return 0;
    case 'c':
        if (!is_comment(argument)) {
            argp_failure(state, STATUS_USAGE, 0, "a comment has the form 'KEY: VALUE', not '%s'", argument);
        }
        add_comment(r, argument);
        return 0;
    case ARGP_KEY_ARG:
        r->program = state->argv + state->next - 1;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_END:
        if (!r->program && !r->stream) {
            argp_failure(state, STATUS_USAGE, 0, "no program given");
        }
        if (r->program && r->stream) {
            argp_failure(state, STATUS_USAGE, 0, "a program and a device at once");
        }
        if (!r->output) {
            argp_failure(state, STATUS_USAGE, 0, "no file for the trace given (-o FILE)");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* --- The recorder ------------------------------------------------------- */

static bool take_recorder(struct recording *r, const char *folder, const char *below)
{
    char path[2 * PATH_MAX];
    int length = snprintf(path, sizeof path, "%s%s/%s", folder, below, RECORDER_NAME);
    return length < (int)sizeof path && realpath(path, r->recorder) != NULL;
}

/* A chroot may lack /proc. */
static bool own_folder(char folder[PATH_MAX])
{
    ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
    if (length < 0) {
        length = snprintf(folder, PATH_MAX, "%s", program_invocation_name);
    }
    if (length >= PATH_MAX) {
        return false;
    }
    folder[length] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash) {
        *slash = '\0';
    }
    return slash != NULL;
}

static bool find_recorder(struct recording *r)
{
    const char *given = getenv("DEFRAG_RECORDER");
    char folder[PATH_MAX];
    if (given) {
        return realpath(given, r->recorder) != NULL;
    }
    return (own_folder(folder) && (take_recorder(r, folder, "") || take_recorder(r, folder, "/.libs"))) ||
           take_recorder(r, PKGLIBDIR, "");
}

static int prepare_recorder(struct recording *r)
{
    const char *given = getenv("DEFRAG_RECORDER");
    if (!find_recorder(r)) {
        return failed(r, "cannot find the recorder: %s: %s", given ? given : PKGLIBDIR "/" RECORDER_NAME,
                        strerror(errno));
    }
    /* The dynamic linker takes these for the ends of names. */
    if (strpbrk(r->recorder, " :")) {
        return failed(r, "the recorder cannot be preloaded from a path with a blank or a colon: %s",
                        r->recorder);
    }
    return 0;
}

/* --- The log ------------------------------------------------------------ */

static int make_log(struct recording *r)
{
    const char *folder = getenv("TMPDIR");
    char absolute[PATH_MAX];
    folder = folder && *folder ? folder : "/tmp";
    if (!realpath(folder, absolute)) {
        return failed(r, "%s: %s", folder, strerror(errno));
    }
    if (snprintf(r->log_path, sizeof r->log_path, "%s/defrag-record-XXXXXX", absolute) >= PATH_MAX) {
        r->log_path[0] = '\0';
        return failed(r, "%s: %s", folder, strerror(ENAMETOOLONG));
    }
    int fd = cleanup_make(r->log_path);
    if (fd < 0) {
        r->log_path[0] = '\0';
        return failed(r, "cannot make a file in %s: %s", absolute, strerror(errno));
    }
    struct recorder_log head = {.magic = RECORDER_MAGIC, .next = 1, .start = 1};
    ssize_t put = write(fd, &head, sizeof head);
    int error = put == (ssize_t)sizeof head ? 0 : put < 0 ? errno : ENOSPC;
    close(fd);
    return error == 0 ? 0 : failed(r, "%s: %s", r->log_path, strerror(error));
}

static int map_log(struct recording *r)
{
    struct stat now;
    int fd = open(r->log_path, O_RDONLY | O_CLOEXEC);
    void *mapped = MAP_FAILED;
    if (fd >= 0 && fstat(fd, &now) == 0) {
        r->log_bytes = (size_t)now.st_size;
        mapped = mmap(NULL, r->log_bytes, PROT_READ, MAP_SHARED, fd, 0);
    }
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (mapped == MAP_FAILED) {
        return failed(r, "%s: %s", r->log_path, strerror(error));
    }
    r->log = mapped;
    return 0;
}

static void remove_log(struct recording *r)
{
    if (r->log) {
        munmap(r->log, r->log_bytes);
    }
    if (r->log_path[0]) {
        cleanup_remove(r->log_path);
    }
}

/* --- Signals ------------------------------------------------------------ */

/*
 * While the program runs, what the terminal sends reaches it too and it decides
 * what follows; a request to end that came to this process alone is passed on.
 * Afterwards a signal ends the writing of the trace, and no file is left.
 */
static volatile pid_t running;

static void on_signal(int number)
{
    if (running == 0) {
        cleanup_die(number);
    }
    if (number == SIGTERM || number == SIGHUP) {
        kill(running, number);
    }
}

/* --- The program -------------------------------------------------------- */

static int set_preload(const struct recording *r)
{
    const char *others = getenv("LD_PRELOAD");
    if (!others || !*others) {
        return setenv("LD_PRELOAD", r->recorder, 1);
    }
    size_t bytes = strlen(r->recorder) + strlen(others) + 2;
    char *all = calloc(1, bytes);
    if (!all) {
        return -1;
    }
    snprintf(all, bytes, "%s:%s", r->recorder, others);
    int result = setenv("LD_PRELOAD", all, 1);
    free(all);
    return result;
}

/* In the child. Tells the parent by `fd` why the program could not be run. */
_Noreturn static void become_program(const struct recording *r, const sigset_t *mask, int fd)
{
    char pid[24];
    sigprocmask(SIG_SETMASK, mask, NULL);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    if (set_preload(r) == 0 && setenv(RECORDER_ENV_PID, pid, 1) == 0
        && setenv(RECORDER_ENV_FILE, r->log_path, 1) == 0) {
        execvp(r->program[0], r->program);
    }
    int error = errno;
    ssize_t ignored = write(fd, &error, sizeof error);
    (void)ignored;
    _exit(STATUS_NOT_RUN);
}

static int start_program(const struct recording *r, const sigset_t *mask, pid_t *pid)
{
    int ends[2];
    int error = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }
    *pid = fork();
    if (*pid == 0) {
        become_program(r, mask, ends[1]);
    }
    int fork_error = errno;
    close(ends[1]);
    if (*pid < 0) {
        close(ends[0]);
        return fork_error;
    }
    ssize_t got;
    do {
        got = read(ends[0], &error, sizeof error);
    } while (got < 0 && errno == EINTR);
    close(ends[0]);
    return got == (ssize_t)sizeof error ? error : 0;
}

static void tell_end(const struct recording *r, int status)
{
    if (WIFSIGNALED(status)) {
        failed(r, "%s was killed by signal %d (%s)", r->program[0], WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        failed(r, "%s ended with status %d", r->program[0], WEXITSTATUS(status));
    }
}

static int run_program(const struct recording *r)
{
    pid_t pid = -1;
    sigset_t before;
    siginfo_t ended;
    int status = 0;
    cleanup_hold(&before);
    int error = start_program(r, &before, &pid);
    running = pid > 0 ? pid : 0;
    cleanup_handle(on_signal);
    cleanup_release(&before);
    /* It is reaped when signals are held: its number may be another's from then on. */
    while (running && waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
    }
    cleanup_hold(&before);
    if (running) {
        waitpid(pid, &status, 0);
    }
    running = 0;
    cleanup_release(&before);
    if (error != 0) {
        failed(r, "%s: %s", r->program[0], strerror(error));
        return error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_RUN;
    }
    tell_end(r, status);
    return 0;
}

/* --- The trace ---------------------------------------------------------- */

/* The command line, with the program's name alone and not where it lies. */
static char *command_line(char **arguments)
{
    size_t bytes = 1;
    for (char **a = arguments; *a; a++) {
        bytes += strlen(*a) + 1;
    }
    char *line = xcalloc(1, bytes);
    /* NOLINTNEXTLINE(*NonNullParamChecker): the option parser refuses a command line without a program */
    const char *slash = strrchr(arguments[0], '/');
    char *end = stpcpy(line, slash ? slash + 1 : arguments[0]);
    for (char **a = arguments + 1; *a; a++) {
        end = stpcpy(stpcpy(end, " "), *a);
    }
    return line;
}

static void put_number(trace_writer *writer, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    trace_put_comment(writer, key, text);
}

static void put_day(trace_writer *writer)
{
    char text[32];
    time_t now = time(NULL);
    struct tm parts;
    strftime(text, sizeof text, "%Y-%m-%d", gmtime_r(&now, &parts));
    trace_put_comment(writer, "recorded", text);
}

static void put_head(const struct recording *r, trace_writer *writer, const struct record_counts *counts)
{
    char *stream[] = {r->stream, NULL};
    char *line = command_line(r->stream ? stream : r->program);
    trace_put_comment(writer, "program", line);
    free(line);
    for (size_t i = 0; i < r->comment_count; i++) {
        char *value = strstr(r->comments[i], ": ");
        *value = '\0';
        trace_put_comment(writer, r->comments[i], value + 2);
        *value = ':';
    }
    if (!r->stream) {
        trace_put_comment(writer, "image", r->log->image);
    }
    put_day(writer);
    put_number(writer, "pointer-bits", r->stream ? r->device.pointer_bits : r->log->pointer_bits);
    put_number(writer, "operations", counts->operations);
    put_number(writer, "peak-payload", counts->peak_payload);
    put_number(writer, "unknown-frees", counts->unknown_frees);
    put_number(writer, "unknown-resizes", counts->unknown_resizes);
    put_number(writer, "unseen-frees", counts->unseen_frees);
    if (r->stream) {
        put_number(writer, "unknown-locks", counts->unknown_locks);
        trace_put_comment(writer, "ended", r->device.is_ended ? "yes" : "no");
    }
}

/* With a null writer it only counts. */
static void convert(const struct recording *r, trace_writer *writer, struct record_counts *counts)
{
    if (r->stream) {
        record_device_convert(&r->device, writer, counts);
    } else {
        record_log_convert(r->log, r->log_bytes, writer, counts);
    }
}

static int check_log(const struct recording *r, const struct record_counts *counts)
{
    uint32_t error = atomic_load(&r->log->error);
    if (r->log->images == 0) {
        return failed(
            r,
            "%s: nothing recorded: it did not load the recorder; is it linked statically, set-user-ID, "
            "or for another kind of processor?",
            r->program[0]);
    }
    if (error != 0) {
        return failed(r, "recording of %s stopped early, so no trace was written: %s: %s", r->log->image,
                        r->log_path, strerror((int)error));
    }
    if (counts->objects == 0) {
        return failed(r, "%s: nothing recorded: it allocates nothing, or has an allocator of its own",
                        r->log->image);
    }
    return 0;
}

static int write_trace(const struct recording *r, struct record_counts *counts)
{
    struct trace_error error;
    trace_writer *writer = trace_create(r->output, &error);
    if (!writer) {
        return failed(r, "%s", error.text);
    }
    put_head(r, writer, counts);
    convert(r, writer, counts);
    if (trace_commit(writer, &error) != 0) {
        return failed(r, "%s", error.text);
    }
    return 0;
}

static void tell_trace(const struct recording *r, const struct record_counts *counts)
{
    failed(r,
             "%s: %" PRIu64 " operations, %" PRIu64 " objects, %" PRIu64 " bytes at the peak, %" PRIu64
             " objects left",
             r->stream ? r->stream : r->log->image, counts->operations, counts->objects, counts->peak_payload,
             counts->left);
    if (counts->unknown_frees + counts->unknown_resizes + counts->unseen_frees > 0) {
        failed(r,
                 "%" PRIu64 " frees and %" PRIu64 " resizes of addresses never seen, %" PRIu64
                 " addresses given out again without a free",
                 counts->unknown_frees, counts->unknown_resizes, counts->unseen_frees);
    }
    if (counts->unknown_locks > 0) {
        failed(r, "%" PRIu64 " locks and unlocks of what was not there to be", counts->unknown_locks);
    }
    if (r->stream && !r->device.is_ended) {
        failed(r, "%s: does not say that it is whole; lines at its end may be missing", r->stream);
    }
}

static int make_trace(struct recording *r)
{
    struct record_counts counts;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (map_log(r) != 0) {
        return STATUS_FAILED;
    }
    convert(r, NULL, &counts);
    if (check_log(r, &counts) != 0 || write_trace(r, &counts) != 0) {
        return STATUS_FAILED;
    }
    tell_trace(r, &counts);
    return STATUS_RECORDED;
}

static int record_device(struct recording *r)
{
    struct trace_error error;
    struct record_counts counts;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    cleanup_begin();
    if (record_device_read(&r->device, r->stream, &error) != 0) {
        failed(r, "%s", error.text);
        return STATUS_FAILED;
    }
    convert(r, NULL, &counts);
    int status = write_trace(r, &counts) == 0 ? STATUS_RECORDED : STATUS_FAILED;
    if (status == STATUS_RECORDED) {
        tell_trace(r, &counts);
    }
    record_device_release(&r->device);
    return status;
}

static int record_program(struct recording *r)
{
    int status = STATUS_FAILED;
    if (prepare_recorder(r) == 0 && make_log(r) == 0) {
        status = run_program(r);
        status = status == 0 ? make_trace(r) : status;
    }
    remove_log(r);
    return status;
}

int record_main(int argc, char **argv)
{
    static const struct argp parser = {
        options, parse_option, "-- PROGRAM [ARGUMENT...]\n--from-device=STREAM", doc, NULL, NULL, NULL};
    struct recording r = {.me = argv[0]};
    argp_err_exit_status = STATUS_USAGE;
    error_t error = argp_parse(&parser, argc, argv, ARGP_IN_ORDER, NULL, &r);
    if (error != 0) {
        failed(&r, "%s", strerror(error));
        return STATUS_USAGE;
    }
    int status = r.stream ? record_device(&r) : record_program(&r);
    free(r.comments);
    return status;
}
