/*
 * stall.h - what the processes of a step do, as the kernel has it: printed, and looked at again and again.
 *
 * Whoever looks is in no group of the load, so that it sees the moment and not one that is much later.
 */
#ifndef STALL_H
#define STALL_H

#include "descendants.h"
#include "load.h"

enum { MOST_PROCESSES = 32, MOST_THREADS = 128, LOOKS = 20 };

/** A thread of a step's processes, and what it did from the first look to the last. */
struct thread {
    long pid, tid;
    char name[32];
    /** Nanoseconds on a processor and waiting for one, at the first look and at the last. */
    unsigned long long ran, waited, first_ran, first_waited;
    /** In how many looks it could run, waited in the kernel for memory or a disk, and slept. */
    int running, blocked, sleeping;
};

static bool is_of_host(long pid, long host)
{
    if (pid == host)
        return true;
    watched_host = host;
    for (int at = 0; at < 2; at++) {
        watcher_name = at == 0 ? "fw-supervisor" : "fw-monitor";
        if (is_watcher(pid))
            return true;
    }
    return false;
}

static bool is_among(long pid, const long *pids, int count)
{
    for (int i = 0; i < count; i++)
        if (pids[i] == pid)
            return true;
    return false;
}

/** The host, its supervisor, its monitors, and their children. */
static int processes_of(long host, long *pids)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/cgroup.procs", groups[0]);
    char *all = read_file(path);
    int count = 0, before = -1;
    /* Numbers begin again at some time, so that a child may come before its parent. */
    while (all != NULL && before != count) {
        before = count;
        for (const char *line = all; line != NULL && count < MOST_PROCESSES; line = strchr(line, '\n')) {
            line += *line == '\n';
            long pid = atol(line), parent = pid > 0 ? status_of(pid, "PPid:") : 0;
            if (pid > 0 && !is_among(pid, pids, count) &&
                (is_of_host(pid, host) || (parent != host && is_among(parent, pids, count))))
                pids[count++] = pid;
        }
    }
    free(all);
    return count;
}

static void print_file(const char *path)
{
    char *text = read_file(path);
    if (text != NULL)
        fprintf(stderr, "--- %s\n%s", path, text);
    free(text);
}

/** Prints the lines of a file that begin with one of the words. */
static void print_lines(const char *path, const char *const *words)
{
    char *text = read_file(path), *rest = text;
    for (char *line; rest != NULL && (line = strsep(&rest, "\n")) != NULL;)
        for (const char *const *word = words; *word != NULL; word++)
            if (strncmp(line, *word, strlen(*word)) == 0)
                fprintf(stderr, "    %s\n", line);
    free(text);
}

static void print_process(long pid)
{
    static const char *const facts[] = {"Name:", "State:", "PPid:", "Threads:", "VmRSS:", "SigPnd:", "ShdPnd:", NULL};
    static const char *const files[] = {"wchan", "syscall", "schedstat", "stack"};
    char path[400];
    snprintf(path, sizeof path, "/proc/%ld/task", pid);
    DIR *directory = opendir(path);
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        fprintf(stderr, "--- process %ld, thread %s\n", pid, entry->d_name);
        snprintf(path, sizeof path, "/proc/%ld/task/%s/status", pid, entry->d_name);
        print_lines(path, facts);
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
            snprintf(path, sizeof path, "/proc/%ld/task/%s/%s", pid, entry->d_name, files[i]);
            char *text = read_file(path);
            size_t length = text ? strlen(text) : 0;
            fprintf(stderr, "%s: %s%s", files[i], text ? text : "(not to be read)",
                    length > 0 && text[length - 1] == '\n' ? "" : "\n");
            free(text);
        }
    }
    if (directory != NULL)
        closedir(directory);
}

/** The seconds for which the threads of a process have waited for a processor. */
static double waited_of(long pid)
{
    char path[400];
    snprintf(path, sizeof path, "/proc/%ld/task", pid);
    DIR *directory = opendir(path);
    double sum = 0;
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        unsigned long long ran, waited;
        snprintf(path, sizeof path, "/proc/%ld/task/%s/schedstat", pid, entry->d_name);
        char *text = entry->d_name[0] == '.' ? NULL : read_file(path);
        if (text != NULL && sscanf(text, "%llu %llu", &ran, &waited) == 2)
            sum += (double)waited / 1e9;
        free(text);
    }
    if (directory != NULL)
        closedir(directory);
    return sum;
}

/** Prints what all processes of a step do, and then the state of the machine and of the groups. Where the host was
 *  started for this step, that is also how long they have waited for a processor in all. */
static void print_evidence(long host, bool is_new)
{
    static const char *const memory[] = {"MemAvailable:", "Dirty:", "Writeback:", "AnonPages:", NULL};
    static const char *const stat[] = {"rss ",       "cache ",           "anon ", "file ", "mapped_file ",
                                       "pgmajfault", "total_pgmajfault", NULL};
    static const char *const files[] = {"memory.usage_in_bytes", "memory.current", "memory.failcnt",
                                        "memory.oom_control",    "memory.events",  "memory.pressure",
                                        "cpu.pressure",          "io.pressure"};
    long pids[MOST_PROCESSES];
    int count = processes_of(host, pids);
    for (int i = 0; i < count; i++)
        print_process(pids[i]);
    if (is_new) {
        double waited = 0;
        for (int i = 0; i < count; i++)
            waited += waited_of(pids[i]);
        fprintf(stderr, "--- since the host began, these have waited for a processor for %.1f s in all\n", waited);
    }
    print_file("/proc/loadavg");
    print_file("/proc/pressure/cpu");
    print_file("/proc/pressure/memory");
    print_file("/proc/pressure/io");
    print_lines("/proc/meminfo", memory);
    char path[4200];
    for (const char **group = groups; *group != NULL; group++) {
        for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
            snprintf(path, sizeof path, "%s/%s", *group, files[i]);
            print_file(path);
        }
        snprintf(path, sizeof path, "%s/memory.stat", *group);
        print_lines(path, stat);
    }
}

static struct thread *thread_of(struct thread *all, int *count, long pid, long tid)
{
    for (int i = 0; i < *count; i++)
        if (all[i].tid == tid)
            return &all[i];
    if (*count == MOST_THREADS)
        return NULL;
    all[*count] = (struct thread){.pid = pid, .tid = tid};
    return &all[(*count)++];
}

/** Looks at one thread. */
static void look_at(struct thread *thread)
{
    char path[100], state = '?';
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/stat", thread->pid, thread->tid);
    char *text = read_file(path);
    const char *name = text ? strchr(text, '(') : NULL, *end = text ? strrchr(text, ')') : NULL;
    if (name != NULL && end != NULL && end[1] == ' ') {
        snprintf(thread->name, sizeof thread->name, "%.*s", (int)(end - name - 1), name + 1);
        state = end[2];
    }
    free(text);
    thread->running += state == 'R';
    thread->blocked += state == 'D';
    thread->sleeping += state == 'S';
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/schedstat", thread->pid, thread->tid);
    text = read_file(path);
    unsigned long long ran, waited;
    if (text != NULL && sscanf(text, "%llu %llu", &ran, &waited) == 2) {
        if (thread->running + thread->blocked + thread->sleeping <= 1)
            thread->first_ran = ran, thread->first_waited = waited;
        thread->ran = ran, thread->waited = waited;
    }
    free(text);
}

/** Looks at all threads of a step for ten seconds, or until `is_over`. Returns whether they slept all the time: then
 *  the step waits for something that does not come. The host's thread may run for moments, because it looks at its
 *  descriptors now and then while it waits. */
static bool all_sleep(long host, bool (*is_over)(const void *), const void *step)
{
    static struct thread threads[MOST_THREADS];
    int count = 0, looks = 0;
    bool has_others = false;
    long first[MOST_PROCESSES], pids[MOST_PROCESSES];
    int processes = processes_of(host, first);
    for (; looks < LOOKS && !is_over(step); looks++, usleep(500000)) {
        int found = processes_of(host, pids);
        has_others |= found != processes || memcmp(first, pids, (size_t)found * sizeof pids[0]) != 0;
        for (int i = 0; i < found; i++) {
            char path[64];
            snprintf(path, sizeof path, "/proc/%ld/task", pids[i]);
            DIR *directory = opendir(path);
            for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
                struct thread *thread = thread_of(threads, &count, pids[i], atol(entry->d_name));
                if (entry->d_name[0] != '.' && thread != NULL)
                    look_at(thread);
            }
            if (directory != NULL)
                closedir(directory);
        }
    }
    bool slept = looks == LOOKS && !has_others;
    fprintf(stderr, "--- %d looks in the seconds after that:\n", looks);
    for (int i = 0; i < count; i++) {
        const struct thread *one = &threads[i];
        if (one->tid <= 0)
            continue;
        fprintf(
            stderr,
            "    %ld %ld %s: could run %d times, blocked %d, slept %d; on a processor %.3f s, waited for one %.3f s\n",
            one->pid, one->tid, one->name, one->running, one->blocked, one->sleeping,
            (double)(one->ran - one->first_ran) / 1e9, (double)(one->waited - one->first_waited) / 1e9);
        if (one->pid == host)
            slept &= one->blocked == 0 && one->sleeping > LOOKS / 2;
        else
            slept &= one->running == 0 && one->blocked == 0 && one->ran == one->first_ran;
    }
    return slept;
}

#endif
