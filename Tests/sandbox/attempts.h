/* What the parts of `attempts` share. attempts.c says what the program is for. */
#ifndef ATTEMPTS_H
#define ATTEMPTS_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/** Answers 0 if the attempt went through, or the errno that refused it. */
typedef int attempt(void);

struct named {
    const char *name;
    attempt *run;
};

/** The lists of the parts, each of which ends with a NULL. */
extern const struct named file_attempts[], process_attempts[], socket_attempts[], kernel_attempts[];

/** What belongs to the test, and what is attempted at: directories, a process that sleeps, and listeners. */
struct facts {
    bool is_control;        /* there is no sandbox */
    char run[PATH_MAX];     /* the run directory, where the attempts may write */
    char outside[PATH_MAX]; /* a directory beside it, where they may not */
    pid_t sleeper;
    int tcp_port, udp_port, segment;
    unsigned long secret;  /* an address in the memory of the process that sleeps */
    unsigned long pid_set; /* the inode of the pid namespace outside */
};
extern struct facts facts;

/** Opens a file and closes it. It is made if it is missing and O_CREAT is among the flags. */
int open_close(const char *path, int flags);

/** A name in a directory. The text is overwritten by the fourth call after this one. */
const char *in(const char *directory, const char *name);

/** Runs an attempt in a child process, because it would change this one. */
int in_child(attempt *body);

/** The answer for what a system call returned. */
static inline int told(long result)
{
    return result < 0 ? errno : 0;
}

/** The answer for a descriptor that a system call returned, which is closed. */
static inline int closed(long fd)
{
    if (fd < 0)
        return errno;
    close((int)fd);
    return 0;
}

#endif
