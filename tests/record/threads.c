/* SPDX-License-Identifier: MIT */
/*
 * Eight threads that allocate objects of 1000 to 1999 bytes into shared places,
 * resize what they find there and free what they replace, so that most objects
 * end in another thread than they began in. With an argument, the main thread
 * has children meanwhile.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keep.h"

enum { THREADS = 8, PLACES = 16, ROUNDS = 20000, CHILDREN = 50 };

static _Atomic(void *) places[PLACES];

static unsigned next(unsigned *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void *work(void *argument)
{
    unsigned state = 12345u + 977u * (unsigned)(unsigned long)argument;
    for (int i = 0; i < ROUNDS; i++) {
        void *mine = keep(malloc(size(1000 + next(&state) % 1000)));
        mine = atomic_exchange(&places[next(&state) % PLACES], mine);
        if (mine)
            mine = keep(realloc(mine, size(1000 + next(&state) % 1000)));
        free(atomic_exchange(&places[next(&state) % PLACES], mine));
    }
    return NULL;
}

static void have_children(void)
{
    for (int i = 0; i < CHILDREN; i++) {
        if (fork() == 0) {
            free(keep(malloc(size(5000))));
            _exit(0);
        }
    }
    while (wait(NULL) > 0) {
    }
}

int main(int count, char **arguments)
{
    pthread_t threads[THREADS];
    (void)arguments;
    for (unsigned long i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)i) != 0)
            abort();
    if (count > 1)
        have_children();
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < PLACES; i++)
        free(places[i]);
    _exit(0);
}
