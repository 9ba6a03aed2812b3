/* SPDX-License-Identifier: MIT */
/*
 * From reset to main() on a Cortex-M under semihosting, and back. The words of
 * the semihosting command line become main's arguments; those that look like
 * NAME=value become its environment. Any fault ends the program with a message
 * and status 99.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYS_WRITE0        0x04u
#define SYS_GET_CMDLINE   0x15u
#define SYS_EXIT_EXTENDED 0x20u

#define APPLICATION_EXIT 0x20026u
#define FAULT_STATUS     99

#define WORDS_MAX 64

extern uint32_t data_image[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];

int main(int argc, char **argv);
void _exit(int status);
void _fini(void);
void initialise_monitor_handles(void);
void reset(void);
void fault(void);

static uintptr_t semihost(uint32_t operation, const void *argument)
{
    register uintptr_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static _Noreturn void leave(int status)
{
    const uint32_t reason[2] = {APPLICATION_EXIT, (uint32_t)status};
    semihost(SYS_EXIT_EXTENDED, reason);
    for (;;) {
    }
}

/* Splits the command line; the first word names the program. */
static int read_command_line(char **words)
{
    static char line[4096];
    uint32_t block[2] = {(uint32_t)(uintptr_t)line, sizeof line};
    if (semihost(SYS_GET_CMDLINE, block) != 0)
        return 0;
    int count = 0;
    for (char *word = strtok(line, " "); word != NULL && count < WORDS_MAX; word = strtok(NULL, " ")) {
        if (count > 0 && strchr(word, '=') != NULL)
            putenv(word);
        else
            words[count++] = word;
    }
    return count;
}

void fault(void)
{
    semihost(SYS_WRITE0, "\nthe processor took a fault\n");
    leave(FAULT_STATUS);
}

/* newlib's exit() and abort() come here. */
void _exit(int status)
{
    leave(status);
}

/* exit() calls it; C has nothing to do there. */
void _fini(void)
{
}

void reset(void)
{
    static char *words[WORDS_MAX + 1];
    const uint32_t *from = data_image;
    for (uint32_t *to = data_start; to < data_end;)
        *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;)
        *to++ = 0;
    initialise_monitor_handles();
    int count = read_command_line(words);
    exit(main(count, words));
}

typedef void vector(void);
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    vector *handlers[15];
} vectors = {stack_top, {reset, fault, fault, fault, fault, fault}};
