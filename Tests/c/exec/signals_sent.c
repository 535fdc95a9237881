/* A signal of the host's reaches the main process of the running command, or each of its processes once. It does not
 * end the step, and does not change what the result says of processes that were ended. A process of the host's that has
 * the number of one that has ended gets none. */
#include "receiver.h"

#include <linux/sched.h>
#include <sys/syscall.h>

/** The state of a process, such as T for a stopped one. */
static char state_of(long pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    char *stat = read_file(path);
    const char *after_name = stat ? strrchr(stat, ')') : NULL;
    char state = after_name ? after_name[2] : '\0';
    free(stat);
    return state;
}

/** Makes a process of the host's with the number of one that has ended; returns -1 where nobody may choose a number, or
 *  where another process has it by now. */
static pid_t process_with(long number)
{
    pid_t numbers[] = {(pid_t)number};
    struct clone_args how = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)numbers, .set_tid_size = 1};
    pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof how);
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

/** Checks that such a process has got no signal, and ends it. */
static void still_waits(pid_t pid)
{
    if (pid < 0) {
        check_skip("no process can have the number of another one here");
        return;
    }
    CHECK_INT(waitpid(pid, NULL, WNOHANG), 0);
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
}

static void each_process_once(void)
{
    fw_exec *exec = receiver_start(NULL, "everywhere");
    input_signal(exec, SIGUSR1, FW_SIGNAL_MAIN);
    receiver_heard(exec, true, false, false);
    input_signal(exec, SIGUSR1, FW_SIGNAL_TREE);
    receiver_heard(exec, true, true, true);
    input_signal(exec, SIGUSR1, FW_SIGNAL_MAIN);
    receiver_heard(exec, true, false, false);
    /* The main process ends by itself, and its two processes are ended as after any end. */
    input_signal(exec, SIGUSR2, FW_SIGNAL_MAIN);
    fw_result *result = finish_step(exec);
    CHECK_NOBODY();
    CHECK_EXITED(result, 5);
    receiver_has(result, "ended_by", json_null());
    receiver_has(result, "survivors_count", json_integer(2));
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 0);
    fw_result_free(result);
}

static void ended_by_a_signal(fw_signal_target target)
{
    fw_exec *exec = receiver_start(NULL, "everywhere");
    input_signal(exec, SIGKILL, target);
    fw_result *result = finish_step(exec);
    CHECK_NOBODY();
    CHECK_INT(fw_result_outcome(result), FW_SIGNALED);
    CHECK_INT(fw_result_returncode(result), -SIGKILL);
    receiver_has(result, "ended_by", json_null());
    fw_result_free(result);
}

/** The whole tree ends at the same time, and a cancel afterwards is a cancel. */
static void before_a_cancel(void)
{
    fw_exec *exec = receiver_start(NULL, "everywhere");
    input_signal(exec, SIGUSR1, FW_SIGNAL_TREE);
    receiver_heard(exec, true, true, true);
    fw_exec_cancel(exec);
    fw_result *result = finish_step(exec);
    CHECK_NOBODY();
    CHECK_ENDED(result, FW_CANCELLED, "TERM");
    receiver_has(result, "survivors_count", json_integer(2));
    fw_result_free(result);
}

/** A stopped command goes on when it is told to, and can be cancelled while it is stopped. */
static void stopped(fw_signal_target target)
{
    fw_exec *exec = START(NULL, "exec sleep 100000");
    fw_event *event = event_wait_for(exec, FW_EVENT_COMMAND_STARTED);
    long pid = event_pid(event);
    fw_event_free(event);
    input_signal(exec, SIGSTOP, target);
    while (state_of(pid) != 'T')
        a_moment();
    input_signal(exec, SIGCONT, target);
    while (state_of(pid) == 'T')
        a_moment();
    input_signal(exec, SIGSTOP, target);
    while (state_of(pid) != 'T')
        a_moment();
    fw_exec_cancel(exec);
    fw_result *result = finish_step(exec);
    CHECK_NOBODY();
    CHECK_ENDED(result, FW_CANCELLED, "TERM");
    fw_result_free(result);
}

/** The first command has ended, and nobody has asked for its end yet: the second one does not get the signal. */
static void between_two_commands(void)
{
    fw_error *error = NULL;
    for (int target = FW_SIGNAL_MAIN; target <= FW_SIGNAL_TREE; target++) {
        remove_file("first");
        fw_exec *exec = START(NULL, "echo $$$$ > first", "sleep 0.05; echo second");
        while (!has_file("first"))
            a_moment();
        long pid = wait_for_pid("first");
        while (process_runs(pid))
            a_moment();
        /* The monitor has seen the end, too: the process is no zombie any more. */
        while (kill((pid_t)pid, 0) == 0)
            a_moment();
        pid_t stranger = process_with(pid);
        fw_status status = fw_exec_signal(exec, SIGKILL, target, &error);
        CHECK(status == FW_OK || status == FW_E_ENDED);
        fw_error_free(error);
        error = NULL;
        fw_result *result = exec_result(exec);
        CHECK_EXITED(result, 0);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "second\n");
        fw_result_free(result);
        CHECK_FAILS(fw_exec_signal(exec, SIGKILL, target, &error), FW_E_ENDED, &error, "no command");
        fw_exec_cancel(exec);
        fw_exec_free(exec);
        still_waits(stranger);
    }
    /* Nothing runs between two attempts. */
    fw_exec *exec = START("{\"retries\": {\"max\": 1, \"delay\": 10000, \"max_delay\": 10000}}", "exit 3");
    fw_event_free(event_wait_for(exec, FW_EVENT_RETRY));
    CHECK_FAILS(fw_exec_signal(exec, SIGTERM, FW_SIGNAL_TREE, &error), FW_E_ENDED, &error, "no command");
    fw_exec_free(exec);
}

/** What a command has left behind gets a signal for all, while the step waits for it, and one for the main process
 *  reaches nobody. */
static void what_is_left(void)
{
    json_t *members = json_pack("{s:{s:s}}", "options", "background", "wait");
    fw_exec *exec = START_WITH(members, NULL, "sleep 100000 & echo $$! > left; echo $$$$ > main");
    long left = wait_for_pid("left"), first = wait_for_pid("main");
    while (kill((pid_t)first, 0) == 0)
        a_moment();
    input_signal(exec, SIGKILL, FW_SIGNAL_MAIN);
    CHECK(process_runs(left));
    input_signal(exec, SIGKILL, FW_SIGNAL_TREE);
    fw_result *result = finish_step(exec);
    CHECK_EXITED(result, 0);
    CHECK(!process_runs(left));
    fw_result_free(result);
}

int main(int argc, char **argv)
{
    receiver_main(argc, argv);
    mark_commands();
    each_process_once();
    ended_by_a_signal(FW_SIGNAL_MAIN);
    ended_by_a_signal(FW_SIGNAL_TREE);
    before_a_cancel();
    stopped(FW_SIGNAL_MAIN);
    stopped(FW_SIGNAL_TREE);
    between_two_commands();
    what_is_left();
    return check_done();
}
