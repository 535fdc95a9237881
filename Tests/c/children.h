/*
 * children.h - whether this kernel tells the exit status of a child that somebody else reaped.
 */
#ifndef CHILDREN_H
#define CHILDREN_H

#include "processes.h"

#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

/* PIDFD_GET_INFO with its first published structure, which Linux has since 6.13, and
 * PIDFD_INFO_EXIT, which it has since 6.15; the headers of older systems have neither. */
struct child_info {
    uint64_t mask, cgroup;
    uint32_t ids[11];
    int32_t exit_status;
};

#define CHILD_INFO_EXIT (UINT64_C(1) << 3)
#define CHILD_GET_INFO _IOWR(0xFF, 11, struct child_info)

/** Tried with a child that ends with status 7 and is reaped. */
static inline bool kernel_keeps_status(void)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(7);
    REQUIRE(pid > 0);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    waitpid(pid, NULL, 0);
    struct child_info info = {.mask = CHILD_INFO_EXIT};
    bool told = fd >= 0 && ioctl(fd, CHILD_GET_INFO, &info) == 0 &&
                (info.mask & CHILD_INFO_EXIT) != 0 && info.exit_status == 7 << 8;
    if (fd >= 0)
        close(fd);
    return told;
}

#endif
