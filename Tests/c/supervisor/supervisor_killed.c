/*
 * If the supervisor is killed, the next step starts another one. Running steps continue, can be cancelled, and still
 * end with the host. Only KILL ends a supervisor or a monitor: the signals with which a service is stopped do not.
 *
 * not under valgrind: the supervisor is found by its pidfd of the host, which valgrind 3.19 does not have
 */
#include "descendants.h"

#define WAITS "echo $$$$ >> pids; until test -e go; do sleep 0.01; done; echo whole; exit 7"

/* These are more steps than idle monitors, so the supervisor starts new ones. */
enum { SEVERAL = 20 };

static long kill_supervisor(void)
{
    long supervisor = 0;
    CHECK_INT(find_watchers(getpid(), "fw-supervisor", &supervisor, 1), 1);
    REQUIRE(supervisor > 1);
    kill((pid_t)supervisor, SIGKILL);
    watchers_until_gone("fw-supervisor", &supervisor, 1);
    return supervisor;
}

static void signals(void)
{
    fw_exec *exec = BEGIN(WAITS);
    wait_for_pid("pids");
    static const int stop[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
    static const char *const names[] = {"fw-supervisor", "fw-monitor"};
    long before[2] = {0, 0}, after[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        CHECK_INT(find_watchers(getpid(), names[i], &before[i], 1), 1);
        REQUIRE(before[i] > 1);
        for (int j = 0; j < 4; j++)
            CHECK_INT(kill((pid_t)before[i], stop[j]), 0);
    }
    write_file("go", "");
    fw_result *result = finish_step(exec);
    CHECK_EXITED(result, 7);
    fw_result_free(result);
    result = RUN("exit 3");
    CHECK_EXITED(result, 3);
    fw_result_free(result);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(find_watchers(getpid(), names[i], &after[i], 1), 1);
        CHECK_INT(after[i], before[i]);
    }
    remove_file("go");
    remove_file("pids");
}

static void run_several(void)
{
    fw_exec *steps[SEVERAL];
    for (int i = 0; i < SEVERAL; i++)
        steps[i] = BEGIN("echo before", WAITS);
    write_file("go", "");
    for (int i = 0; i < SEVERAL; i++) {
        fw_result *result = finish_step(steps[i]);
        CHECK_EXITED(result, 7);
        CHECK_OUTPUT(result, FW_STDOUT, 1, "whole\n");
        fw_result_free(result);
    }
    remove_file("go");
    remove_file("pids");
}

static void replaced(void)
{
    long pids[2];
    for (int i = 0; i < 10; i++) {
        remove_file("pids");
        remove_file("go");
        fw_exec *goes_on = BEGIN(WAITS), *is_cancelled = BEGIN("echo $$$$ >> pids; exec sleep 100000");
        wait_for_pids("pids", pids, 2);
        long old = kill_supervisor();
        CHECK(lives(pids[0]) && lives(pids[1]));
        fw_exec_cancel(is_cancelled);
        fw_result *result = finish_step(is_cancelled);
        CHECK_ENDED(result, FW_CANCELLED, "TERM");
        fw_result_free(result);
        run_several();
        write_file("go", "");
        result = finish_step(goes_on);
        CHECK_EXITED(result, 7);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "whole\n");
        fw_result_free(result);
        long now = 0;
        CHECK_INT(find_watchers(getpid(), "fw-supervisor", &now, 1), 1);
        CHECK(now != old);
        CHECK_NOBODY();
    }
}

/** Without a supervisor, only the kernel can end the steps of a host that is killed. */
static void host_without_supervisor(void)
{
    BEGIN("echo $$$$ >> pids; setsid sh -c 'echo $$$$ >> pids; exec sleep 100000' & wait");
    long pids[2];
    wait_for_pids("pids", pids, 2);
    kill_supervisor();
    write_file("there", "1\n");
    for (;;)
        pause();
}

static void ends_with_the_host(void)
{
    long monitor;
    remove_file("pids");
    remove_file("there");
    pid_t host = start_host(host_without_supervisor);
    wait_for_pid("there");
    CHECK_INT(find_watchers(host, "fw-monitor", &monitor, 1), 1);
    kill(host, SIGKILL);
    CHECK_INT(host_status(host), SIGKILL);
    wait_for_nobody();
    watchers_until_gone("fw-monitor", &monitor, 1);
}

int main(void)
{
    mark_commands();
    in_child(signals, "signals");
    in_child(replaced, "replaced");
    in_child(ends_with_the_host, "ends_with_the_host");
    end_marked();
    return check_done();
}
