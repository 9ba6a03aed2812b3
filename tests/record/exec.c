/* SPDX-License-Identifier: MIT */
/* Allocates 5 times 111 bytes and becomes itself again, which allocates 3 times 222. */
#include <stdlib.h>
#include <unistd.h>

#include "keep.h"

int main(int count, char **arguments)
{
    for (int i = 0; i < (count > 1 ? 3 : 5); i++)
        keep(malloc(size(count > 1 ? 222 : 111)));
    if (count == 1)
        execl(arguments[0], arguments[0], "again", (char *)NULL);
    _exit(count > 1 ? 0 : 1);
}
