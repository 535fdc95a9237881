/*
 * threads.h - running the same function in many threads that start at the same moment.
 */
#ifndef THREADS_H
#define THREADS_H

#include "check.h"

#include <pthread.h>

enum { THREADS = 64 };

struct together {
    pthread_barrier_t start;
    void (*body)(int number);
};

struct one_thread {
    pthread_t thread;
    struct together *all;
    int number;
};

static inline void *thread_main(void *argument)
{
    struct one_thread *self = argument;
    pthread_barrier_wait(&self->all->start);
    self->all->body(self->number);
    return NULL;
}

/** Calls body(0) to body(THREADS - 1), each in a thread of its own, and waits for all. */
static inline void in_threads(void (*body)(int number))
{
    struct together all = {.body = body};
    struct one_thread threads[THREADS];
    REQUIRE(pthread_barrier_init(&all.start, NULL, THREADS) == 0);
    for (int i = 0; i < THREADS; i++) {
        threads[i].all = &all;
        threads[i].number = i;
        REQUIRE(pthread_create(&threads[i].thread, NULL, thread_main, &threads[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i].thread, NULL);
    pthread_barrier_destroy(&all.start);
}

#endif
