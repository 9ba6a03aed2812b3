/* SPDX-License-Identifier: MIT */
/* Three allocations, a free, and then the end that the argument names. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keep.h"

static void wait_for_term(void)
{
    static const char ready[] = "ready\n";
    if (write(1, ready, sizeof ready - 1) < 0)
        abort();
    for (;;)
        pause();
}

int main(int count, char **arguments)
{
    const char *end = count > 1 ? arguments[1] : "";
    keep(malloc(size(11)));
    void *second = keep(malloc(size(22)));
    keep(malloc(size(33)));
    free(second);
    if (strcmp(end, "abort") == 0)
        abort();
    if (strcmp(end, "kill") == 0)
        raise(SIGKILL);
    if (strcmp(end, "fault") == 0)
        *(volatile int *)size(8) = 1;
    if (strcmp(end, "wait") == 0)
        wait_for_term();
    if (strcmp(end, "_exit") == 0)
        _exit(3);
    exit(0);
}
