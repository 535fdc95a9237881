/* A library without a helper process could start a command in this way: a clone that shares the host's memory until
 * exec, and returns a pidfd. With `care` the child does before exec what a command in a foreign host needs: a session,
 * default signal dispositions and an empty mask, standard input from /dev/null, and no other descriptor. */
#define _GNU_SOURCE
#include "limits.h"
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
enum { pidfd_id = 3 /* P_PIDFD, where the C library has no name for it */ };

extern char **environ;

struct start {
    const char *command;
    int out, err;
    bool with_care;
};

/* The signals are reset one by one with the kernel's own call, because the C library reserves two of them. */
static void default_signals(void)
{
    struct {
        void *handler;
        unsigned long flags;
        void *restorer;
        uint64_t mask;
    } action = {0};
    for (int number = 1; number <= 64; number++)
        if (number != SIGKILL && number != SIGSTOP)
            syscall(SYS_rt_sigaction, number, &action, NULL, sizeof action.mask);
}

static int child(void *argument)
{
    const struct start *start = argument;
    char *arguments[] = {"sh", "-c", (char *)start->command, NULL};
    if (start->with_care) {
        setsid();
        default_signals();
        dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    }
    dup2(start->out, STDOUT_FILENO);
    dup2(start->err, STDERR_FILENO);
    if (start->with_care) {
        sigset_t none;
        syscall(SYS_close_range, 3u, ~0u, 0u);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
    }
    execve("/bin/sh", arguments, environ);
    _exit(127);
}

struct limit_child limit_start(const char *command, bool with_care)
{
    _Alignas(16) char stack[16 << 10];
    int out[2], err[2], pidfd = -1;
    sigset_t all, before;
    limit_need(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0, "pipe2");
    struct start start = {command, out[1], err[1], with_care};
    /* No handler of the host may run in the child, which has the host's memory. */
    if (with_care) {
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, &before);
    }
    int pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &start, &pidfd);
    if (with_care)
        sigprocmask(SIG_SETMASK, &before, NULL);
    limit_need(pid > 0, "clone");
    close(out[1]);
    close(err[1]);
    return (struct limit_child){pidfd, out[0], err[0]};
}

void limit_reap(int pidfd, bool any)
{
    siginfo_t end;
    limit_need(waitid((idtype_t)pidfd_id, (id_t)pidfd, &end, WEXITED) == 0, "waitid");
    if (!any && (end.si_code != CLD_EXITED || end.si_status != 0)) {
        fprintf(stderr, "limit: a command ended with status %d\n", end.si_status);
        exit(1);
    }
    close(pidfd);
}

double limit_clone_step(const char *command, size_t times)
{
    struct limit_stream streams[2] = {{0}};
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (size_t i = 0; i < times; i++) {
        struct limit_child child = limit_start(command, true);
        struct pollfd ends[3] = {{child.out, POLLIN, 0}, {child.err, POLLIN, 0}, {child.pidfd, POLLIN, 0}};
        streams[0].length = streams[1].length = 0;
        for (int open = 3; open > 0;) {
            poll(ends, 3, -1);
            for (int k = 0; k < 3; k++) {
                if (ends[k].fd < 0 || ends[k].revents == 0)
                    continue;
                if (k == 2)
                    limit_reap(child.pidfd, false);
                else if (limit_read(ends[k].fd, &streams[k], 64 << 10) <= 0)
                    close(ends[k].fd);
                else
                    continue;
                ends[k].fd = -1;
                open--;
            }
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    free(streams[0].bytes);
    free(streams[1].bytes);
    return (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) * 1e-9;
}
