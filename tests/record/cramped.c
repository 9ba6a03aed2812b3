/* SPDX-License-Identifier: MIT */
/* Becomes the program that the arguments name, with 16 MiB of address space and no more. */
#include <sys/resource.h>
#include <unistd.h>

int main(int count, char **arguments)
{
    const struct rlimit limit = {1 << 24, 1 << 24};
    if (count > 1 && setrlimit(RLIMIT_AS, &limit) == 0)
        execv(arguments[1], arguments + 1);
    return 1;
}
