/*
 * A process that has few descriptors, and uses up all but some of them.
 */
#ifndef SCARCE_H
#define SCARCE_H

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* The most descriptors that the process has. The test sets it. */
enum { LIMIT = 64 };

static int fillers[LIMIT], filled;

/** Leaves `more` descriptors free. */
static inline void leave_free(int more)
{
    int fd;
    while ((fd = fcntl(0, F_DUPFD_CLOEXEC, 3)) >= 0)
        fillers[filled++] = fd;
    CHECK_INT(errno, EMFILE);
    for (int i = 0; i < more && filled > 0; i++)
        close(fillers[--filled]);
}

static inline void give_back(void)
{
    while (filled > 0)
        close(fillers[--filled]);
}

#endif
