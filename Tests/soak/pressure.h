/*
 * pressure.h - what the hosts of pressure.c and their watcher share.
 */
#ifndef PRESSURE_H
#define PRESSURE_H

#include "run.h"

#include <sys/mman.h>
#include <time.h>

/** Hosts run at so many places at once. From a number on, there is a new host for each step. */
enum { PLACES = 4, NEW_FROM = 2 };

/** Times are milliseconds; `began` is 0 where no step runs. */
struct place {
    atomic_long host, began, steps, failed, longest;
};

static struct page {
    atomic_bool is_over;
    atomic_long over_1_s, over_5_s, wrong;
    struct place places[PLACES];
} *page;

static bool map_page(int descriptor)
{
    page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, descriptor, 0);
    return page != MAP_FAILED;
}

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

#endif
