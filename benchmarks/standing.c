/*
 * What does a step take while its command runs?
 *
 *     standing [WIDTH]             so many at once; 256 unless told
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
    struct limit_flight *flight = limit_flight_start(standing_command, width);
    struct taken taken = taken_since(before);
    limit_flight_end(flight);
    return taken;
}

/* ---------------------------------------------------------------------- ours -- */

static fw_step *make_step(const char *command)
{
    char json[256];
    fw_step *step;
    fw_error *error;
    snprintf(json, sizeof json, "{\"name\": \"standing\", \"action\": {\"environment\": \"\", \"commands\": [\"%s\"]}}",
             command);
    need(fw_step_create(json, FW_ZERO_TERMINATED, &step, &error), error);
    return step;
}

/* What is there for the first step of all is no part of the others. */
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

/* Its own memory, and its part of what it shares. */
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
    need(fw_worker_create("{\"name\": \"bench\", \"type\": \"subprocess\"}", FW_ZERO_TERMINATED, &worker, &error),
         error);
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

/* In a process of its own: what the one has freed the other would use again unseen. */
static struct taken in_process(struct taken (*take)(size_t), size_t width)
{
    struct taken taken;
    int ends[2];
    if (pipe(ends) != 0)
        give_up("pipe");
    pid_t pid = fork_host();
    if (pid == 0) {
        taken = take(width);
        _exit(write(ends[1], &taken, sizeof taken) == sizeof taken ? 0 : 1);
    }
    close(ends[1]);
    ssize_t count = read(ends[0], &taken, sizeof taken);
    close(ends[0]);
    wait_for_host(pid);
    if (count != sizeof taken)
        give_up("what a process takes");
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
    struct taken ours = in_process(take_ours, width), limit = in_process(take_limit, width);
    print_taken(width, "descriptors", ours.descriptors, limit.descriptors, "%.2f", 1);
    print_taken(width, "threads", ours.threads, limit.threads, "%.2f", 1);
    print_taken(width, "memory of the host", ours.memory, limit.memory, "%.1f KB", 1e-3);
    print_taken(width, "memory of supervisor and monitors", ours.helpers, limit.helpers, "%.1f KB", 1e-3);
    return 0;
}
