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

struct limit_flight {
    int epoll;
    size_t width, running;
    struct slot slots[];
};

static void start(struct limit_flight *flight, size_t at, const char *command)
{
    struct slot *slot = &flight->slots[at];
    struct limit_child child = limit_start(command, false);
    slot->descriptors[0] = child.out;
    slot->descriptors[1] = child.err;
    slot->descriptors[pidfd_at] = child.pidfd;
    slot->open = descriptors_of_a_step;
    for (int i = 0; i < streams_of_a_step; i++)
        slot->streams[i].length = 0;
    for (int i = 0; i < descriptors_of_a_step; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)at << 2 | (uint64_t)i};
        limit_need(epoll_ctl(flight->epoll, EPOLL_CTL_ADD, slot->descriptors[i], &event) == 0, "epoll_ctl");
    }
    flight->running++;
}

/* Takes what one descriptor has; true when that was the last of its step. */
static bool take(struct limit_flight *flight, uint64_t which, bool any)
{
    struct slot *slot = &flight->slots[which >> 2];
    size_t i = which & 3;
    int fd = slot->descriptors[i];
    if (i != pidfd_at && limit_read(fd, &slot->streams[i], 4096) > 0)
        return false;
    /* First: a child between its start and exec may hold a copy, and then closing is not enough. */
    epoll_ctl(flight->epoll, EPOLL_CTL_DEL, fd, NULL);
    if (i == pidfd_at)
        limit_reap(fd, any);
    else
        close(fd);
    if (--slot->open > 0)
        return false;
    flight->running--;
    return true;
}

struct limit_flight *limit_flight_start(const char *command, size_t width)
{
    struct limit_flight *flight = calloc(1, sizeof *flight + width * sizeof *flight->slots);
    limit_need(flight != NULL, "calloc");
    flight->epoll = epoll_create1(EPOLL_CLOEXEC);
    flight->width = width;
    limit_need(flight->epoll >= 0, "epoll_create1");
    for (size_t i = 0; i < width; i++)
        start(flight, i, command);
    return flight;
}

static void fly(struct limit_flight *flight, const char *command, size_t further, bool any)
{
    struct epoll_event events[most_events];
    while (flight->running > 0) {
        int count = epoll_wait(flight->epoll, events, most_events, -1);
        for (int i = 0; i < count; i++)
            if (take(flight, events[i].data.u64, any) && further > 0) {
                further--;
                start(flight, (size_t)(events[i].data.u64 >> 2), command);
            }
    }
    for (size_t i = 0; i < flight->width; i++)
        for (int k = 0; k < streams_of_a_step; k++)
            free(flight->slots[i].streams[k].bytes);
    close(flight->epoll);
    free(flight);
}

void limit_flight_end(struct limit_flight *flight)
{
    for (size_t i = 0; i < flight->width; i++)
        syscall(SYS_pidfd_send_signal, flight->slots[i].descriptors[pidfd_at], SIGKILL, NULL, 0);
    fly(flight, NULL, 0, true);
}

double limit_many(const char *command, size_t steps, size_t width)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    fly(limit_flight_start(command, width), command, steps - width, false);
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9;
}
