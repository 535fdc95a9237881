/*
 * descendants.h - the processes of commands, seen from outside: which of them live, who watches
 * them, and hosts that are processes of their own.
 *
 * A process is known by a mark in its environment, which every process of a command has from the
 * host and hands on. So nobody is mistaken for another one that got its number, and those that
 * no test has thought of are found too.
 */
#ifndef DESCENDANTS_H
#define DESCENDANTS_H

#include "processes.h"
#include "run.h"

#include <fcntl.h>
#include <sys/prctl.h>

/** Checks that no process of a command of this program lives. */
#define CHECK_NOBODY() check_nobody(__FILE__, __LINE__)
#define CHECK_ENDED(result, outcome, signal) check_ended((result), (outcome), (signal), __FILE__, __LINE__)
/** Starts a step, as RUN() and RUN_WITH() run one. */
#define BEGIN(...) begin_step(NULL, (const char *const[]){__VA_ARGS__, NULL})
#define BEGIN_WITH(members, ...) begin_step((members), (const char *const[]){__VA_ARGS__, NULL})

/** Reads numbers, one a line, from a file in check_dir(); gives how many there are. */
static inline int read_pids(const char *name, long *pids, int room)
{
    char *path = check_path(name), *text = read_file(path), *rest = text;
    int count = 0;
    for (char *end; rest != NULL && (end = strchr(rest, '\n')) != NULL; rest = end + 1)
        if (count++ < room)
            pids[count - 1] = atol(rest);
    free(text);
    free(path);
    return count;
}

static inline void wait_for_pids(const char *name, long *pids, int count)
{
    while (read_pids(name, pids, count) < count)
        a_moment();
}

static inline long wait_for_pid(const char *name)
{
    long pid = 0;
    wait_for_pids(name, &pid, 1);
    return pid;
}

/* -------------------------------------------------------------- processes -- */

/** Commands that are started from now on have the mark. */
static inline void mark_commands(void)
{
    setenv("CHECK_MARK", check_dir(), 1);
}

/** Returns 1 if the process has the mark, 0 if not, and -1 if it has no environment, because it has ended or is in
 *  execve(2). */
static inline int mark_of(long pid)
{
    char path[64], mark[4200];
    int length = snprintf(mark, sizeof mark, "CHECK_MARK=%s", check_directory);
    snprintf(path, sizeof path, "/proc/%ld/environ", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    static _Thread_local char text[256 * 1024];
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    return size == 0 ? -1 : memmem(text, size, mark, (size_t)length + 1) != NULL;
}

static inline bool is_marked(long pid)
{
    return mark_of(pid) == 1;
}

/** Whether a process is one of a command, and has not ended. */
static inline bool lives(long pid)
{
    int mark;
    while ((mark = mark_of(pid)) < 0 && process_runs(pid))
        a_moment();
    return mark == 1;
}

/** The numbers of all processes for which `is_wanted` holds; gives how many there are. */
static inline int find_processes(bool (*is_wanted)(long pid), long *pids, int room)
{
    DIR *directory = opendir("/proc");
    int count = 0;
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        long pid = atol(entry->d_name);
        if (pid > 0 && is_wanted(pid) && count++ < room)
            pids[count - 1] = pid;
    }
    REQUIRE(directory != NULL);
    closedir(directory);
    return count;
}

/** The name of a process, in a buffer of the thread's; empty when it is gone. */
static inline const char *name_of(long pid)
{
    static _Thread_local char name[64];
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    char *text = read_file(path);
    snprintf(name, sizeof name, "%.*s", text ? (int)strcspn(text, "\n") : 0, text ? text : "");
    free(text);
    return name;
}

/** A number of /proc/PID/status, such as that of "PPid:"; -1 when it is not there. */
static inline long status_of(long pid, const char *key)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/status", pid);
    char *text = read_file(path);
    const char *place = text ? strstr(text, key) : NULL;
    long value = place ? atol(place + strlen(key)) : -1;
    free(text);
    return value;
}

static inline void wait_for_nobody(void)
{
    while (find_processes(is_marked, NULL, 0) > 0)
        a_moment();
}

/** Ends all processes of commands that are left. */
static inline void end_marked(void)
{
    long pids[64];
    for (int count; (count = find_processes(is_marked, pids, 64)) > 0; a_moment())
        for (int i = 0; i < count && i < 64; i++)
            kill((pid_t)pids[i], SIGKILL);
}

static inline bool check_nobody(const char *file, int line)
{
    long pid = 0;
    int count = find_processes(is_marked, &pid, 1);
    if (!check_int(count, 0, "processes of commands that live", file, line))
        fprintf(stderr, "    such as %ld (%s), child of %ld\n", pid, name_of(pid), status_of(pid, "PPid:"));
    return count == 0;
}

/* ------------------------------------------------------ supervisor and monitors -- */

static _Thread_local long watched_host;
static _Thread_local const char *watcher_name;

/** Whether a process watches the host with a pidfd, as supervisors and monitors do. */
static inline bool is_watcher(long pid)
{
    if (strcmp(name_of(pid), watcher_name) != 0)
        return false;
    char path[400], line[64];
    snprintf(path, sizeof path, "/proc/%ld/fdinfo", pid);
    snprintf(line, sizeof line, "\nPid:\t%ld\n", watched_host);
    DIR *directory = opendir(path);
    bool holds = false;
    for (struct dirent *entry; directory != NULL && !holds && (entry = readdir(directory)) != NULL;) {
        snprintf(path, sizeof path, "/proc/%ld/fdinfo/%s", pid, entry->d_name);
        char *text = entry->d_name[0] == '.' ? NULL : read_file(path);
        holds = text != NULL && strstr(text, line) != NULL;
        free(text);
    }
    if (directory != NULL)
        closedir(directory);
    return holds;
}

/** The supervisors ("fw-supervisor") or monitors ("fw-monitor") of a host that runs. */
static inline int find_watchers(long host, const char *name, long *pids, int room)
{
    watched_host = host;
    watcher_name = name;
    return find_processes(is_watcher, pids, room);
}

static inline void watchers_until_gone(const char *name, const long *pids, int count)
{
    for (int i = 0; i < count; i++)
        while (process_runs(pids[i]) && strcmp(name_of(pids[i]), name) == 0)
            a_moment();
}

/* ------------------------------------------------------------------- steps -- */

static inline fw_exec *begin_step(json_t *members, const char *const *commands)
{
    fw_worker *worker = run_worker(members);
    fw_step *step = run_step("s", commands);
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    fw_status status = fw_exec_start(worker, step, NULL, check_dir(), NULL, 0, &exec, &error);
    check_made(status, error, "fw_exec_start");
    fw_step_free(step);
    fw_worker_free(worker);
    return exec;
}

/** Waits for the end of a step and releases it. */
static inline fw_result *finish_step(fw_exec *exec)
{
    fw_result *result = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_wait(exec, -1, &result, &error), &error);
    REQUIRE(result != NULL);
    fw_exec_free(exec);
    return result;
}

/** Checks the outcome, and the last signal that the library sent to the last command (NULL: none). A step that the
 *  library ended has never succeeded. */
static inline void check_ended(const fw_result *result, fw_outcome outcome, const char *signal, const char *file,
                               int line)
{
    json_t *all = run_json(result), *commands = json_object_get(all, "commands");
    json_t *last = json_array_get(commands, json_array_size(commands) - 1);
    bool good = check_int(fw_result_outcome(result), outcome, "the outcome", file, line);
    good &= check_true(fw_result_returncode(result) != 0, "the returncode is not 0", file, line);
    good &= check_true(fw_result_message(result) != NULL, "there is a message", file, line);
    good &= check_str(json_string_value(json_object_get(last, "ended_by")), signal, "ended_by", file, line);
    good &= check_true(json_is_true(json_object_get(last, "is_ended")), "is_ended", file, line);
    if (!good) {
        char *text = json_dumps(all, 0);
        fprintf(stderr, "    %.1000s\n", text);
        free(text);
    }
    json_decref(all);
}

/** Cancels a step as soon as its command has made the file "there", and returns the result. No process may be left, and
 *  the last command must have ended on TERM. */
static inline fw_result *cancel_when_there(fw_exec *exec)
{
    while (!has_file("there"))
        a_moment();
    fw_exec_cancel(exec);
    fw_result *result = finish_step(exec);
    CHECK_NOBODY();
    CHECK_ENDED(result, FW_CANCELLED, "TERM");
    return result;
}

/** Starts a process that runs `body`, and that the kernel kills when this program exits. */
static inline pid_t start_host(void (*body)(void))
{
    mark_commands();
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        check_failures = 0;
        body();
        fflush(NULL);
        _exit(check_status());
    }
    REQUIRE(pid > 0);
    return pid;
}

/** Waits for the end of such a process; gives its status as waitpid(2) has it. */
static inline int host_status(pid_t pid)
{
    int status = -1;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    return status;
}

#endif
