/* SPDX-License-Identifier: MIT */
/*
 * A program with a dlsym of its own, which the recorder meets when it looks up
 * the functions behind it: this one calls all of the malloc family first.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keep.h"

static int lookups;

static void require(int condition)
{
    static const char message[] = "lookup: memory is not as it was\n";
    if (!condition && write(2, message, sizeof message - 1) >= 0)
        _exit(1);
}

static void allocate_all(void)
{
    char *a = keep(malloc(size(40)));
    void *aligned = NULL;
    strcpy(a, "kept");
    a = keep(realloc(a, size(4000)));
    require(strcmp(a, "kept") == 0);
    free(a);
    char *c = keep(calloc(size(5), 5));
    require(c[0] == 0 && c[24] == 0);
    c = keep(reallocarray(c, size(10), 5));
    free(c);
    require(posix_memalign(&aligned, 256, size(16)) == 0 && (unsigned long)aligned % 256 == 0);
    free(aligned);
    free(keep(memalign(64, size(8))));
    free(keep(aligned_alloc(64, size(64))));
}

void *dlsym(void *handle, const char *name)
{
    lookups++;
    allocate_all();
    if (handle == RTLD_NEXT) {
        allocate_all();
        handle = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    }
    dlvsym(handle, name, "NO_SUCH_VERSION"); /* makes the message of dlerror, on the heap */
    return dlvsym(handle, name, strcmp(name, "aligned_alloc") == 0 ? "GLIBC_2.16" : "GLIBC_2.2.5");
}

int main(void)
{
    require(lookups > 0);
    void *a = keep(malloc(size(123)));
    a = keep(realloc(a, size(456)));
    free(a);
    _exit(0);
}
