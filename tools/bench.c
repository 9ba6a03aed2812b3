/* SPDX-License-Identifier: MIT */
/* defrag-bench: chooses the command. */
#include <argp.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <defrag.h>

#include "cleanup.h"
#include "commands.h"
#include "compare.h"
#include "options.h"
#include "record.h"
#include "report.h"

const char *argp_program_version = "defrag-bench " DEFRAG_VERSION_STRING;

#define COMMAND_NAMES \
    "record, replay, size, compare, report, watch, sweep, gather, adversary, churn and inspect"

struct command {
    const char *name;
    char *title; /* its argv[0] */
    int (*run)(int argc, char **argv);
    bool writes_result; /* on standard output, and must notice when nobody reads it */
};

static char compare_title[] = "defrag-bench compare";
static char worker_title[] = "defrag-bench " COMPARE_WORKER;
static char inspect_title[] = "defrag-bench inspect";
static char record_title[] = "defrag-bench record";
static char replay_title[] = "defrag-bench replay";
static char gather_title[] = "defrag-bench gather";
static char sweep_title[] = "defrag-bench sweep";
static char report_title[] = "defrag-bench report";
static char watch_title[] = "defrag-bench watch";
static char size_title[] = "defrag-bench size";
static char adversary_title[] = "defrag-bench adversary";
static char churn_title[] = "defrag-bench churn";

/* A recorded program inherits how signals are handled, so `record` leaves them alone. */
static const struct command commands[] = {
    {"compare", compare_title, compare_main, true},
    {COMPARE_WORKER, worker_title, compare_worker_main, false},
    {"inspect", inspect_title, inspect_main, true},
    {"record", record_title, record_main, false},
    {"replay", replay_title, replay_main, true},
    {"size", size_title, size_main, true},
    {"report", report_title, report_main, true},
    {"watch", watch_title, watch_main, true},
    {"sweep", sweep_title, sweep_main, true},
    {"gather", gather_title, gather_main, true},
    {"adversary", adversary_title, adversary_main, true},
    {"churn", churn_title, churn_main, true},
};

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    const struct command **command = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        *command = command_find(text);
        if (!*command) {
            argp_failure(state, EXIT_USAGE, 0, "unknown command '%s'; there are " COMMAND_NAMES, text);
        }
        /* What follows is the command's. */
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_failure(state, EXIT_USAGE, 0, "no command was named; there are " COMMAND_NAMES);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp top_argp = {
    NULL,
    parse,
    "COMMAND [OPTION...] [ARGUMENT...]",
    "How much RAM does a program's allocation pattern need, and what will compaction cost it?\v"
    "Commands:\n"
    "  record -o FILE -- PROGRAM...   run a program and record its allocations\n"
    "  replay TRACE                   replay a trace through several allocators\n"
    "  size TRACE...                  find the smallest pool for each of them\n"
    "  compare TRACE...               compare with other real allocators\n"
    "  report TRACE -o DIR            draw what a trace does to a heap, as a page\n"
    "  watch TRACE                    step through a trace, with a map of the heap\n"
    "  sweep TRACE...                 print many replays, for GNU parallel to run\n"
    "  gather FILE...                 join their results: a table, a picture\n"
    "  adversary NAME...              run programs that fragment heaps on purpose\n"
    "  churn NAME...                  run random workloads: what compaction moves\n"
    "  inspect IMAGE                  tell what a dump holds, and what is damaged\n\n"
    "Each has its own --help. See defrag-bench(1).",
    NULL,
    NULL,
    NULL,
};

/* No other file gets the number of a standard one that is closed: what is written there fails, as it should. */
static void standard_files_keep(void)
{
    int file;

    do {
        file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    } while (file >= 0 && file <= STDERR_FILENO);
    if (file >= 0) {
        close(file);
    }
}

/* Output that cannot be written is an error like others, and an interruption is told. */
static void signals_prepare(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    cleanup_begin();
}

int main(int argc, char **argv)
{
    const struct command *command = NULL;
    int first = 1;

    standard_files_keep();
    setlocale(LC_CTYPE, "");
    report_begin();
    argp_err_exit_status = EXIT_USAGE;
    while (first < argc && argv[first][0] == '-' && strcmp(argv[first], "--") != 0) {
        first++;
    }
    error_t error =
        argp_parse(&top_argp, first < argc ? first + 1 : first, argv, ARGP_IN_ORDER, NULL, &command);
    if (error != 0) {
        complain("%s", strerror(error));
    }
    if (!command) {
        return EXIT_USAGE;
    }
    if (command->writes_result) {
        signals_prepare();
    }
    argv[first] = command->title;
    return command->run(argc - first, argv + first);
}
