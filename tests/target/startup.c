/* SPDX-License-Identifier: MIT */
/*
 * From reset to main() under semihosting, and back: on a Cortex-M, on older ARM
 * processors in ARM state, and behind picolibc's crt0 on RISC-V, which is linked
 * with --wrap=main. The words of the semihosting command line become main's
 * arguments; those that look like NAME=value become its environment. Any fault
 * ends the program with a message and status 99.
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
#ifndef COMMAND_LINE_BYTES
#define COMMAND_LINE_BYTES 4096
#endif

#if defined(__riscv)
#define FIRST  "a0"
#define SECOND "a1"
#define TRAP   ".balign 16; .option push; .option norvc; slli x0, x0, 31; ebreak; srai x0, x0, 7; .option pop"
#elif __ARM_ARCH_PROFILE == 'M'
#define FIRST  "r0"
#define SECOND "r1"
#define TRAP   "bkpt 0xab"
#else
#define FIRST  "r0"
#define SECOND "r1"
#define TRAP   "svc 0x123456"
#endif

void fault(void);

static uintptr_t semihost(uint32_t operation, const void *argument)
{
    register uintptr_t first __asm__(FIRST) = operation;
    register const void *second __asm__(SECOND) = argument;
    __asm__ volatile(TRAP : "+r"(first) : "r"(second) : "memory");
    return first;
}

static _Noreturn void leave(int status)
{
    const uintptr_t reason[2] = {APPLICATION_EXIT, (uintptr_t)status};
    semihost(SYS_EXIT_EXTENDED, reason);
    for (;;) {
    }
}

/* Splits the command line; the first word names the program. */
static int read_command_line(char **words)
{
    static char line[COMMAND_LINE_BYTES];
    uintptr_t block[2] = {(uintptr_t)line, sizeof line};
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

#if defined(__riscv)

int __wrap_main(void);
int __real_main(int argc, char **argv);
void trap(void);

__attribute__((aligned(4), interrupt)) void trap(void)
{
    fault();
}

int __wrap_main(void)
{
    static char *words[WORDS_MAX + 1];
    __asm__ volatile(".option push; .option arch, +zicsr; csrw mtvec, %0; .option pop" : : "r"(trap));
    int count = read_command_line(words);
    return __real_main(count, words);
}

#else

extern uint32_t data_image[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];

int main(int argc, char **argv);
void _exit(int status);
void _fini(void);
void initialise_monitor_handles(void);
void reset(void);

/* newlib's exit() and abort() come here. */
void _exit(int status)
{
    leave(status);
}

/* exit() calls it; C has nothing to do there. */
void _fini(void)
{
}

static void enable_float(void)
{
#if defined(__ARM_FP)
    *(volatile uint32_t *)0xe000ed88u |= 0xfu << 20;
    __asm__ volatile("dsb; isb");
#endif
}

static __attribute__((used)) void start(void)
{
    static char *words[WORDS_MAX + 1];
    const uint32_t *from = data_image;
    for (uint32_t *to = data_start; to < data_end;)
        *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;)
        *to++ = 0;
    enable_float();
    initialise_monitor_handles();
    int count = read_command_line(words);
    exit(main(count, words));
}

#if __ARM_ARCH_PROFILE == 'M'

void reset(void)
{
    start();
}

typedef void vector(void);
__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    vector *handlers[15];
} vectors = {stack_top, {reset, fault, fault, fault, fault, fault}};

#else

/* The vectors lie where these processors look for them; but the first, they are faults. */
__attribute__((section(".vectors"), naked, used)) void reset(void)
{
    __asm__ volatile("b 1f; b fault; b fault; b fault; b fault; b fault; b fault; b fault;"
                     "1: ldr sp, =stack_top; b start; .ltorg");
}

#endif
#endif
