/* 10,000 steps one after the other leave no descriptor, no memory and no process behind, neither in the host nor in
 * the process that watches the commands. */
#include "processes.h"
#include "run.h"

struct state {
    int own_descriptors;
    long own_kib, monitor, monitor_descriptors, monitor_kib;
};

static long own_kib(void)
{
    char *text = read_file("/proc/self/status");
    const char *line = text ? strstr(text, "VmRSS:") : NULL;
    long kib = line ? atol(line + 6) : -1;
    free(text);
    return kib;
}

/** Returns the state after a step, whose command looks at its parent, the monitor. */
static struct state look(const fw_worker *worker)
{
    const char *const commands[] = {"set -- /proc/$$PPID/fd/*; echo $$PPID $$#"
                                    " $$(sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$$PPID/status)",
                                    NULL};
    fw_step *step = run_step("s", commands);
    fw_result *result = run_exec(worker, step, NULL, check_dir());
    CHECK_EXITED(result, 0);
    struct state state = {0};
    const char *said = fw_result_output(result, FW_STDOUT, 0, NULL);
    REQUIRE(said != NULL);
    CHECK_INT(sscanf(said, "%ld %ld %ld", &state.monitor, &state.monitor_descriptors, &state.monitor_kib), 3);
    fw_result_free(result);
    fw_step_free(step);
    state.own_descriptors = open_descriptors();
    state.own_kib = own_kib();
    return state;
}

static void run(const fw_worker *worker, const fw_step *step, int times)
{
    for (int i = 0; i < times; i++) {
        fw_result *result = run_exec(worker, step, NULL, check_directory);
        CHECK_EXITED(result, 0);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "here\n");
        fw_result_free(result);
    }
}

int main(void)
{
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"echo here", NULL});
    int times = check_times(10000, 100);
    look(worker);
    run(worker, step, times / 10);
    struct state before = look(worker);
    run(worker, step, times - times / 10);
    struct state after = look(worker);
    CHECK_INT(after.own_descriptors, before.own_descriptors);
    /* The monitor may not have closed descriptors of the command when the command looks. */
    CHECK(after.monitor_descriptors <= before.monitor_descriptors + 3);
    CHECK_INT(after.monitor, before.monitor); /* the same monitor all the time */
    CHECK(after.monitor_kib <= before.monitor_kib + 64);
    if (check_times(1, 0) == 1 && !CHECK(after.own_kib <= before.own_kib + 1024))
        fprintf(stderr, "    %ld KiB more\n", after.own_kib - before.own_kib);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    fw_step_free(step);
    fw_worker_free(worker);
    return check_done();
}
