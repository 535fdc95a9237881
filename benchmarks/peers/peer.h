/*
 * peer.h - what the programs of this directory have in common. Each runs the same steps with what a user would pick
 * instead of the library:
 *
 *     PEER COMMAND STEPS WIDTH     `sh -c COMMAND` so many times, so many of them at once, both streams kept
 *
 * It prints the seconds that this took, without its own start, and ends with 0 if all commands have.
 */
#ifndef PEER_H
#define PEER_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

static const char *command;
static size_t further, width;
static struct timespec peer_begin;

/* Takes the arguments, and starts the clock. Many steps at once take more descriptors than a login allows. */
static inline void begin(int argc, char **argv)
{
    struct rlimit limit;
    if (argc != 4)
        exit(2);
    command = argv[1];
    further = strtoul(argv[2], NULL, 10);
    width = strtoul(argv[3], NULL, 10);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    clock_gettime(CLOCK_MONOTONIC, &peer_begin);
}

/* Whether one more step is to be started. */
static inline int one_more(void)
{
    if (further == 0)
        return 0;
    further--;
    return 1;
}

static inline void need(int ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "%s has failed\n", what);
    exit(1);
}

static inline int end(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("%.9f\n", (double)(now.tv_sec - peer_begin.tv_sec) + (double)(now.tv_nsec - peer_begin.tv_nsec) * 1e-9);
    return 0;
}

#endif
