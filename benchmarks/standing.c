/*
 * What does a step take while its command runs?
 *
 *     standing [WIDTH]             so many at once; 256 by default
 *
 * The commands stand still, and descriptors, threads and resident memory are counted above those of
 * a process that has run a step before. Limit: the same with an epoll over pipes and pidfds. What
 * the supervisor and the monitors take has no counterpart there.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "limits/limits.h"
#include "need.h"

static const char standing_command[] = "exec sleep 600";

struct taken {
    double descriptors, threads, memory, helpers;
};

static double count_entries(const char *path)
{
    DIR *directory = opendir(path);
    double count = 0;
    if (directory == NULL)
        give_up(path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static struct taken taken_now(void)
{
    return (struct taken){.descriptors = count_entries("/proc/self/fd"),
                          .threads = count_entries("/proc/self/task"),
                          .memory = proc_bytes("/proc/self/status", "VmRSS:")};
}

static struct taken taken_since(struct taken before)
{
    struct taken now = taken_now();
    return (struct taken){now.descriptors - before.descriptors, now.threads - before.threads,
                          now.memory - before.memory, 0};
}

/* --------------------------------------------------------------------- limit -- */

static struct taken take_limit(size_t width)
{
    limit_many("true", 1, 1);
    struct taken before = taken_now();
    struct limit_batch *batch = limit_batch_start(standing_command, width);
    struct taken taken = taken_since(before);
    limit_batch_end(batch);
    return taken;
}

/* ---------------------------------------------------------------------- ours -- */

/* The first step of a process has costs that later steps do not have, so it runs before. */
static void run_once(const fw_worker *worker)
{
    fw_step *step = make_step("true");
    fw_result *result;
    fw_error *error;
    need(fw_worker_exec(worker, step, NULL, ".", &result, &error), error);
    fw_result_free(result);
    fw_step_free(step);
}

/* Waits until the command of a step runs, and gives its process. */
static int process_of(fw_exec *exec)
{
    int pid = 0;
    while (pid == 0) {
        fw_event *event;
        fw_error *error;
        need(fw_exec_next_event(exec, -1, &event, &error), error);
        if (event == NULL)
            give_up("a step that should stand still has ended");
        if (fw_event_kind(event) == FW_EVENT_COMMAND_STARTED) {
            char *json;
            need(fw_event_to_json(event, &json, &error), error);
            const char *at = strstr(json, "\"pid\":");
            pid = at != NULL ? atoi(at + strlen("\"pid\":")) : 0;
            fw_string_free(json);
            if (pid == 0)
                give_up("an event without a process");
        }
        fw_event_free(event);
    }
    return pid;
}

static int parent_of(int pid)
{
    char path[64], text[512] = "";
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL || fread(text, 1, sizeof text - 1, file) == 0)
        give_up(path);
    fclose(file);
    const char *name_end = strrchr(text, ')');
    if (name_end == NULL || sscanf(name_end + 1, " %*c %d", &parent) != 1)
        give_up(path);
    return parent;
}

/* The process's own memory, and its share of shared memory. */
static double memory_of(int pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    return proc_bytes(path, "Pss:");
}

static void end_step(fw_exec *exec)
{
    fw_result *result;
    fw_error *error;
    need(fw_exec_wait(exec, -1, &result, &error), error);
    fw_result_free(result);
    fw_exec_free(exec);
}

static struct taken take_ours(size_t width)
{
    fw_worker *worker;
    fw_error *error;
    fw_exec **execs = calloc(width, sizeof(fw_exec *));
    if (execs == NULL)
        give_up("calloc");
    worker = make_worker();
    run_once(worker);
    fw_step *step = make_step(standing_command);

    struct taken before = taken_now();
    for (size_t i = 0; i < width; i++) {
        need(fw_exec_start(worker, step, NULL, ".", NULL, 0, &execs[i], &error), error);
        if (fw_exec_fd(execs[i]) < 0)
            give_up("fw_exec_fd");
    }
    /* The parent of a command is its monitor, and the supervisor that of all monitors. */
    int monitor = 0;
    double helpers = 0;
    for (size_t i = 0; i < width; i++) {
        monitor = parent_of(process_of(execs[i]));
        helpers += memory_of(monitor);
    }
    helpers += memory_of(parent_of(monitor));
    struct taken taken = taken_since(before);
    taken.helpers = helpers;

    for (size_t i = 0; i < width; i++)
        fw_exec_cancel(execs[i]);
    for (size_t i = 0; i < width; i++)
        end_step(execs[i]);
    free(execs);
    fw_step_free(step);
    fw_worker_free(worker);
    return taken;
}

/* ----------------------------------------------------------------------- both -- */

static void ours(void *width, void *taken)
{
    struct taken all = take_ours(*(size_t *)width);
    memcpy(taken, &all, sizeof all);
}

static void limits(void *width, void *taken)
{
    struct taken all = take_limit(*(size_t *)width);
    memcpy(taken, &all, sizeof all);
}

/* Each side is measured in a process of its own, so that it cannot use memory again that the other side has freed. */
static struct taken in_process(void (*take)(void *, void *), size_t width)
{
    struct taken taken;
    ask_host(take, &width, &taken, sizeof taken);
    return taken;
}

static void print_taken(size_t width, const char *what, double ours, double limit, const char *format, double scale)
{
    struct rounds rounds = {0};
    char text[128];
    snprintf(text, sizeof text, "standing: %zu at once, %s a step", width, what);
    add_round(&rounds, ours, limit);
    print_row(text, &rounds, format, scale / (double)width);
}

int main(int argc, char **argv)
{
    size_t width = argc == 2 ? strtoul(argv[1], NULL, 10) : 256;
    allow_descriptors();
    struct taken our = in_process(ours, width), limit = in_process(limits, width);
    print_taken(width, "descriptors", our.descriptors, limit.descriptors, "%.2f", 1);
    print_taken(width, "threads", our.threads, limit.threads, "%.2f", 1);
    print_taken(width, "memory of the host", our.memory, limit.memory, "%.1f KB", 1e-3);
    print_taken(width, "memory of supervisor and monitors", our.helpers, limit.helpers, "%.1f KB", 1e-3);
    return 0;
}
