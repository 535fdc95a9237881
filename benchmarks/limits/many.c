/*
 * The limit of many steps in flight: one thread and one epoll, for each step two pipes and a
 * pidfd, started by a clone that shares the memory until exec.
 */
#define _GNU_SOURCE
#include "limits.h"
#include "start.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { streams_of_a_step = 2, descriptors_of_a_step = 3, most_events = 256, pidfd_at = 2 };

struct slot {
    int descriptors[descriptors_of_a_step];
    int open;
    struct limit_stream streams[streams_of_a_step];
};

struct limit_batch {
    int epoll;
    size_t width, running;
    struct slot slots[];
};

static void start(struct limit_batch *batch, size_t at, const char *command)
{
    struct slot *slot = &batch->slots[at];
    struct limit_child child = limit_start(command, false);
    slot->descriptors[0] = child.out;
    slot->descriptors[1] = child.err;
    slot->descriptors[pidfd_at] = child.pidfd;
    slot->open = descriptors_of_a_step;
    for (int i = 0; i < streams_of_a_step; i++)
        slot->streams[i].length = 0;
    for (int i = 0; i < descriptors_of_a_step; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)at << 2 | (uint64_t)i};
        limit_need(epoll_ctl(batch->epoll, EPOLL_CTL_ADD, slot->descriptors[i], &event) == 0, "epoll_ctl");
    }
    batch->running++;
}

/* Reads one descriptor; returns true if it was the last one of its step. */
static bool take(struct limit_batch *batch, uint64_t which, bool any)
{
    struct slot *slot = &batch->slots[which >> 2];
    size_t i = which & 3;
    int fd = slot->descriptors[i];
    if (i != pidfd_at && limit_read(fd, &slot->streams[i], 4096) > 0)
        return false;
    /* The descriptor is removed first, because a child between clone and exec may hold a copy, and then closing is not
     * enough. */
    epoll_ctl(batch->epoll, EPOLL_CTL_DEL, fd, NULL);
    if (i == pidfd_at)
        limit_reap(fd, any);
    else
        close(fd);
    if (--slot->open > 0)
        return false;
    batch->running--;
    return true;
}

struct limit_batch *limit_batch_start(const char *command, size_t width)
{
    struct limit_batch *batch = calloc(1, sizeof *batch + width * sizeof *batch->slots);
    limit_need(batch != NULL, "calloc");
    batch->epoll = epoll_create1(EPOLL_CLOEXEC);
    batch->width = width;
    limit_need(batch->epoll >= 0, "epoll_create1");
    for (size_t i = 0; i < width; i++)
        start(batch, i, command);
    return batch;
}

static void run_batch(struct limit_batch *batch, const char *command, size_t further, bool any)
{
    struct epoll_event events[most_events];
    while (batch->running > 0) {
        int count = epoll_wait(batch->epoll, events, most_events, -1);
        for (int i = 0; i < count; i++)
            if (take(batch, events[i].data.u64, any) && further > 0) {
                further--;
                start(batch, (size_t)(events[i].data.u64 >> 2), command);
            }
    }
    for (size_t i = 0; i < batch->width; i++)
        for (int k = 0; k < streams_of_a_step; k++)
            free(batch->slots[i].streams[k].bytes);
    close(batch->epoll);
    free(batch);
}

void limit_batch_end(struct limit_batch *batch)
{
    for (size_t i = 0; i < batch->width; i++)
        syscall(SYS_pidfd_send_signal, batch->slots[i].descriptors[pidfd_at], SIGKILL, NULL, 0);
    run_batch(batch, NULL, 0, true);
}

double limit_many(const char *command, size_t steps, size_t width)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    run_batch(limit_batch_start(command, width), command, steps - width, false);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9;
}
