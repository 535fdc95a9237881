/* What a function with a working directory of its own costs by itself: a thread that takes one, enters a directory, and
 * is waited for. */
#define _GNU_SOURCE
#include "limits.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void *work(void *directory)
{
    if (unshare(CLONE_FS) < 0 || fchdir(*(int *)directory) < 0)
        abort();
    return directory;
}

double limit_functions(const char *rundir, size_t count)
{
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (size_t number = 0; number < count; number++) {
        int directory = open(rundir, O_PATH | O_DIRECTORY | O_CLOEXEC);
        pthread_t thread;
        if (directory < 0 || pthread_create(&thread, NULL, work, &directory) != 0)
            abort();
        pthread_join(thread, NULL);
        close(directory);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
}
