/*
 * If a monitor is killed, its command's main process dies with it. The outcome is `status_unknown` and never a success,
 * and no further command runs. The host and its other steps continue, and an idle monitor may be killed without effect.
 *
 * not under valgrind: the supervisor is found by its pidfd of the host, which valgrind 3.19 does not have
 */
#include "descendants.h"

/** Kills the monitor of the command with this main process. */
static void kill_monitor(long main)
{
    long monitor = status_of(main, "PPid:");
    REQUIRE(monitor > 1 && strcmp(name_of(monitor), "fw-monitor") == 0);
    kill((pid_t)monitor, SIGKILL);
}

static void while_a_command_runs(void)
{
    remove_file("pid");
    remove_file("other");
    remove_file("go");
    fw_exec *other = BEGIN("echo $$$$ > other; until test -e go; do sleep 0.01; done; echo whole; exit 7");
    fw_exec *exec = BEGIN("echo before; echo $$$$ > pid; exec sleep 100000", ": > next");
    long pid = wait_for_pid("pid");
    long other_pid = wait_for_pid("other");
    kill_monitor(pid);
    fw_result *result = finish_step(exec);
    CHECK_INT(fw_result_outcome(result), FW_STATUS_UNKNOWN);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK(fw_result_message(result) != NULL);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "before\n");
    json_t *all = run_json(result);
    CHECK_STR(json_string_value(json_object_get(all, "outcome")), "status_unknown");
    json_t *commands = json_object_get(all, "commands");
    CHECK_INT(json_array_size(commands), 1);
    CHECK(json_is_null(json_object_get(json_array_get(commands, 0), "exit_code")));
    CHECK(json_is_null(json_object_get(json_array_get(commands, 0), "signal")));
    json_decref(all);
    fw_result_free(result);
    while (lives(pid))
        a_moment();
    CHECK(!has_file("next"));

    CHECK(lives(other_pid));
    write_file("go", "");
    result = finish_step(other);
    CHECK_EXITED(result, 7);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "whole\n");
    fw_result_free(result);
}

/** The monitor may also be killed while the step is being ended. */
static void while_a_command_is_ended(void)
{
    remove_file("pid");
    fw_exec *exec = BEGIN_WITH(json_pack("{s:{s:f}}", "options", "grace", 1000.0),
                               "trap '' TERM; echo $$$$ > pid; while :; do sleep 0.01; done", ": > next");
    long pid = wait_for_pid("pid");
    fw_exec_cancel(exec);
    kill_monitor(pid);
    fw_result *result = finish_step(exec);
    fw_outcome outcome = fw_result_outcome(result);
    CHECK(outcome == FW_STATUS_UNKNOWN || outcome == FW_CANCELLED);
    CHECK(fw_result_returncode(result) != 0);
    fw_result_free(result);
    while (lives(pid))
        a_moment();
    CHECK(!has_file("next"));
}

/** A command may kill its own monitor, too, and then exit with status 0. */
static void by_the_command(void)
{
    fw_result *result = RUN("kill -9 $$PPID; exit 0", ": > next");
    CHECK_INT(fw_result_outcome(result), FW_STATUS_UNKNOWN);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK(!has_file("next"));
    fw_result_free(result);
}

/** Several idle monitors are killed. */
static void while_it_has_nothing_to_do(void)
{
    fw_exec *steps[4];
    long pids[4], monitors[64];
    remove_file("pid");
    remove_file("go");
    for (int i = 0; i < 4; i++)
        steps[i] = BEGIN("echo $$$$ >> pid; until test -e go; do sleep 0.01; done");
    wait_for_pids("pid", pids, 4);
    write_file("go", "");
    for (int i = 0; i < 4; i++)
        fw_result_free(finish_step(steps[i]));
    int count = find_watchers(getpid(), "fw-monitor", monitors, 64);
    REQUIRE(count >= 4 && count <= 64);
    for (int i = 0; i < count; i++)
        kill((pid_t)monitors[i], SIGKILL);
    watchers_until_gone("fw-monitor", monitors, count);
    for (int i = 0; i < 6; i++) {
        fw_result *result = RUN("echo one", "exit 5");
        CHECK_EXITED(result, 5);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "one\n");
        fw_result_free(result);
    }
}

int main(void)
{
    mark_commands();
    for (int i = 0; i < 5; i++) {
        while_a_command_runs();
        while_a_command_is_ended();
        by_the_command();
        while_it_has_nothing_to_do();
    }
    end_marked();
    return check_done();
}
