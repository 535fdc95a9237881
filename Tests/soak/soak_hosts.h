/*
 * soak_hosts.h - what happens to the processes of soak.c: forks of the host, hosts that are killed, and kills of
 * supervisors and monitors.
 */
#ifndef SOAK_HOSTS_H
#define SOAK_HOSTS_H

#include "soaker.h"

static atomic_ulong kills_of_monitors, kills_of_supervisors;

/** Forks the host. The copy holds all descriptors for a while. */
static void forked(struct soaker *self)
{
    useconds_t time = (useconds_t)below(self, 50000);
    pid_t pid = fork();
    if (pid == 0) {
        usleep(time);
        _exit(0);
    }
    CHECK(pid > 0);
    fw_result *result = NULL;
    unsigned long since = moment();
    result = finish(self, begin(self, text_step("exit 3"), NULL, NULL));
    is_as_wanted(self, result, since, FW_EXITED, 3);
    fw_result_free(result);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/** The host that is killed: `program host DIRECTORY`. */
static int killed_host(const char *directory)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fw_worker *worker = run_worker(NULL);
    fw_step *step =
        run_step("s", (const char *const[]){"echo $$$$ >> pids; sleep 100000 & echo $$! >> pids; wait", NULL});
    for (int i = 0; i < 2; i++) {
        fw_exec *exec = NULL;
        if (fw_exec_start(worker, step, NULL, directory, NULL, 0, &exec, NULL) != FW_OK)
            return 1;
    }
    for (;;)
        pause();
}

static void host_killed(struct soaker *self)
{
    char path[4300];
    snprintf(path, sizeof path, "%s/pids", self->directory);
    unlink(path);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "soak", "host", self->directory, (char *)NULL);
        _exit(127);
    }
    REQUIRE(pid > 0);
    bool is_early = below(self, 3) == 0;
    long pids[4] = {0};
    int count = 0;
    while (!is_early && count < 4) {
        char *text = read_file(path), *rest = text;
        count = 0;
        for (char *line; rest != NULL && strchr(rest, '\n') != NULL && (line = strsep(&rest, "\n")) != NULL;)
            if (count < 4)
                pids[count++] = atol(line);
        free(text);
        a_moment();
    }
    if (is_early)
        pause_up_to(self, 50000);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    for (int i = 0; i < count; i++)
        while (lives(pids[i]))
            a_moment();
}

/** Kills a supervisor or a monitor of this host now and then. */
static void *kill_watchers(void *argument)
{
    struct soaker *self = argument;
    long pids[MOST_WATCHERS];
    while (!atomic_load(&is_over)) {
        usleep((useconds_t)(20000 + below(self, 300000)));
        bool is_supervisor = below(self, 5) == 0;
        int count = find_watchers(getpid(), is_supervisor ? "fw-supervisor" : "fw-monitor", pids, MOST_WATCHERS);
        if (count == 0)
            continue;
        if (count > MOST_WATCHERS)
            count = MOST_WATCHERS;
        long pid = pids[below(self, count)];
        /* A command has its monitor's name until it is executed. */
        if (strcmp(name_of(status_of(pid, "PPid:")), "fw-monitor") == 0)
            continue;
        atomic_fetch_add(&begun, 1);
        kill((pid_t)pid, SIGKILL);
        atomic_fetch_add(is_supervisor ? &kills_of_supervisors : &kills_of_monitors, 1);
        /* What was killed has ended before the kill counts as done; who begins later is not touched by it. */
        watchers_until_gone(is_supervisor ? "fw-supervisor" : "fw-monitor", &pid, 1);
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

#endif
