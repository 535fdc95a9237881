/*
 * load.h - what makes a machine busy and its memory scarce, within the groups that pressure.sh has made.
 *
 * All of it is in the groups of the steps, so that they compete with it, and other programs of the machine do not.
 */
#ifndef LOAD_H
#define LOAD_H

#include "processes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

enum { READERS = 2, MOST_GROUPS = 3 };

/** The folders of the groups; the first limits the memory. */
static const char *groups[MOST_GROUPS + 1];
static long limit_of_memory;

/** Moves this process into the groups. */
static void enter_groups(void)
{
    for (const char **group = groups; *group != NULL; group++) {
        char path[4200];
        snprintf(path, sizeof path, "%s/cgroup.procs", *group);
        FILE *file = fopen(path, "we");
        bool is_in = file != NULL && fprintf(file, "%ld\n", (long)getpid()) > 0;
        if (file != NULL && fclose(file) != 0)
            is_in = false;
        if (!is_in) {
            perror(path);
            _exit(1);
        }
    }
}

/** Starts a process in the groups that ends with this one. */
static pid_t in_groups(void (*body)(void *), void *argument)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        enter_groups();
        body(argument);
        _exit(1);
    }
    REQUIRE(pid > 0);
    return pid;
}

static void be_busy(void *unused)
{
    (void)unused;
    for (volatile unsigned long count = 0;; count++)
        continue;
}

/** Takes memory, fast at first and then slowly, until the kernel ends this process. */
static void take_memory(void)
{
    FILE *file = fopen("/proc/self/oom_score_adj", "we");
    if (file == NULL || fputs("1000", file) < 0 || fclose(file) != 0)
        _exit(1);
    /* The busy processes would leave it no time. */
    setpriority(PRIO_PROCESS, 0, -20);
    const long piece = 256 << 10;
    for (long taken = 0;; taken += piece) {
        char *memory = mmap(NULL, (size_t)piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory != MAP_FAILED)
            memset(memory, 1, (size_t)piece);
        /* Near the limit there is time for the kernel to drop the pages of programs, which then are read again. */
        if (memory == MAP_FAILED || taken > limit_of_memory / 10 * 8)
            usleep(10000);
    }
}

/** Takes all memory of the group again and again. */
static void eat(void *unused)
{
    (void)unused;
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            take_memory();
        }
        while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            a_moment();
    }
}

/** Reads a file that is larger than the memory, so that its pages compete with those of programs. */
static void read_much(void *path)
{
    static char block[1 << 20];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    for (off_t at = 0; file >= 0; at += (off_t)sizeof block)
        if (pread(file, block, sizeof block, at) <= 0)
            at = -(off_t)sizeof block;
}

/** How many processes that is. */
static int load_size(void)
{
    const char *busy = getenv("SOAK_BUSY");
    return (busy ? atoi(busy) : 15) * (int)sysconf(_SC_NPROCESSORS_ONLN) + READERS + 1;
}

/** Begins all of it; `pids` has room for `load_size()`. */
static void begin_load(pid_t *pids)
{
    char *path = check_path("much");
    int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600), count = 0;
    REQUIRE(file >= 0 && ftruncate(file, 2 * limit_of_memory) == 0 && close(file) == 0);
    while (count < load_size() - READERS - 1)
        pids[count++] = in_groups(be_busy, NULL);
    while (count < load_size() - 1)
        pids[count++] = in_groups(read_much, path);
    pids[count] = in_groups(eat, NULL);
    free(path);
}

static void end_load(const pid_t *pids)
{
    for (int i = 0; i < load_size(); i++)
        kill(pids[i], SIGKILL);
    for (int i = 0; i < load_size(); i++)
        while (waitpid(pids[i], NULL, 0) < 0 && errno == EINTR)
            continue;
}

#endif
