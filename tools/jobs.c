/* SPDX-License-Identifier: MIT */
#include "jobs.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "number.h"

enum { MOST_THREADS = 16, TICK_MS = 200, QUIET_TICKS = 5 };

struct team {
    const struct jobs *jobs;
    atomic_size_t next;
    size_t finished; /* jobs; guarded by the mutex */
    pthread_mutex_t mutex;
    pthread_cond_t all_finished;
};

static void *worker_run(void *argument)
{
    struct team *team = argument;
    size_t job;

    while ((job = atomic_fetch_add(&team->next, 1)) < team->jobs->count) {
        team->jobs->run(team->jobs->context, job);
        pthread_mutex_lock(&team->mutex);
        if (++team->finished == team->jobs->count) {
            pthread_cond_signal(&team->all_finished);
        }
        pthread_mutex_unlock(&team->mutex);
    }
    return NULL;
}

static struct timespec tick_end(void)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += TICK_MS * 1000000L;
    end.tv_sec += end.tv_nsec / 1000000000L;
    end.tv_nsec %= 1000000000L;
    return end;
}

static void progress_show(const struct team *team)
{
    const struct jobs *jobs = team->jobs;
    char operations[NUMBER_ROOM];

    number_format(operations, atomic_load_explicit(jobs->operations, memory_order_relaxed));
    fprintf(stderr, "\r%s: %zu of %zu done, %s operations\033[K", jobs->verb, team->finished,
            jobs->count, operations);
}

static void team_wait(struct team *team)
{
    size_t ticks = 0;

    pthread_mutex_lock(&team->mutex);
    while (team->finished < team->jobs->count) {
        struct timespec end = tick_end();
        pthread_cond_timedwait(&team->all_finished, &team->mutex, &end);
        if (team->jobs->shows_progress && ++ticks > QUIET_TICKS) {
            progress_show(team);
        }
    }
    pthread_mutex_unlock(&team->mutex);
    if (ticks > QUIET_TICKS) {
        fputs("\r\033[K", stderr);
    }
}

static size_t threads_wanted(size_t jobs)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = processors < 1 ? 1 : (size_t)processors;
    wanted = wanted < jobs ? wanted : jobs;
    return wanted < MOST_THREADS ? wanted : MOST_THREADS;
}

void jobs_run(const struct jobs *jobs)
{
    struct team team = {.jobs = jobs};
    pthread_t threads[MOST_THREADS];
    size_t wanted = threads_wanted(jobs->count);
    size_t started = 0;
    sigset_t before;

    pthread_mutex_init(&team.mutex, NULL);
    pthread_cond_init(&team.all_finished, NULL);
    /* A signal that ends the program comes to this thread, and so can be held here for all. */
    cleanup_hold(&before);
    while (started < wanted && pthread_create(&threads[started], NULL, worker_run, &team) == 0) {
        started++;
    }
    cleanup_release(&before);
    if (started == 0) {
        worker_run(&team); /* no thread to be had: do it here */
    }
    team_wait(&team);
    for (size_t i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_cond_destroy(&team.all_finished);
    pthread_mutex_destroy(&team.mutex);
}
