/*
 * processes.h - facts about processes, this one and others, from /proc.
 */
#ifndef PROCESSES_H
#define PROCESSES_H

#include "check.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

/** What a file holds, to be released with free(); NULL when it cannot be read. */
static inline char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    char *text = NULL;
    size_t room = 0;
    ssize_t length = getdelim(&text, &room, EOF, file);
    fclose(file);
    if (length < 0) {
        free(text);
        return strdup("");
    }
    return text;
}

/** Whether a process runs. A zombie does not run: it only waits for its parent. */
static inline bool process_runs(long pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    char *stat = read_file(path);
    const char *after_name = stat ? strrchr(stat, ')') : NULL;
    bool runs = after_name != NULL && after_name[1] == ' ' && strchr("ZX", after_name[2]) == NULL;
    free(stat);
    return runs;
}

/** Sleeps a moment: the body of loops that wait for something to become true. */
static inline void a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

/** Waits until the file is there and its text ends with a newline; gives the text,
 *  to be released with free(). */
static inline char *wait_for_line(const char *path)
{
    for (;;) {
        char *text = read_file(path);
        size_t length = text ? strlen(text) : 0;
        if (length > 0 && text[length - 1] == '\n')
            return text;
        free(text);
        a_moment();
    }
}

/** The number of descriptors of this process. */
static inline int open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (directory != NULL && readdir(directory) != NULL)
        count++;
    if (directory != NULL)
        closedir(directory);
    return count;
}

/** How many descriptors the library keeps after steps: those for the supervisor and for the idle monitors. */
enum { KEPT_DESCRIPTORS = 2 + 16 };

/** Raises the limit of descriptors for `count` steps that need `each`; returns how many steps the hard limit allows. */
static inline int steps_within_limit(int count, int each)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    rlim_t needed = (rlim_t)count * (rlim_t)each + 200;
    if (limit.rlim_max < needed) {
        count = ((int)limit.rlim_max - 200) / each;
        fprintf(stderr, "only %d at once, because of the hard limit of descriptors\n", count);
        needed = limit.rlim_max;
    }
    if (limit.rlim_cur < needed)
        REQUIRE(setrlimit(RLIMIT_NOFILE, &(struct rlimit){needed, limit.rlim_max}) == 0);
    REQUIRE(count > 0);
    return count;
}

/** The number of threads of this process. */
static inline int own_threads(void)
{
    char *text = read_file("/proc/self/status");
    const char *line = text ? strstr(text, "\nThreads:") : NULL;
    int number = line ? atoi(line + 9) : -1;
    free(text);
    return number;
}

/** Runs a part of a program in a child, so that what it does to its process ends
 *  with it, and checks that no check failed there. */
static inline void in_child(void (*part)(void), const char *what)
{
    check_dir();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        check_failures = 0;
        part();
        fflush(NULL);
        _exit(check_status());
    }
    int status = -1;
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        check_skipped = true; /* the child has printed the reason */
        return;
    }
    if (!check_int(status, 0, what, __FILE__, __LINE__))
        fprintf(stderr, "    in the child for \"%s\"\n", what);
}

#endif
