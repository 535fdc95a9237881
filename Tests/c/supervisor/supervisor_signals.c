/*
 * A signal of the host's reaches the main process and all processes in the session of the command, even if orphans do
 * not come to the monitor, or if /proc shows another process namespace.
 */
#include "receiver.h"
#include "refuse.h"

static json_t *options(void)
{
    return json_pack("{s:{s:f}}", "options", "grace", 0.3);
}

static void in_the_session(void)
{
    fw_exec *exec = receiver_start(options(), "session");
    input_signal(exec, SIGUSR1, FW_SIGNAL_MAIN);
    receiver_heard(exec, true, false, false);
    input_signal(exec, SIGUSR1, FW_SIGNAL_TREE);
    receiver_heard(exec, true, true, true);
    input_signal(exec, SIGUSR1, FW_SIGNAL_MAIN);
    receiver_heard(exec, true, false, false);
    input_signal(exec, SIGUSR2, FW_SIGNAL_MAIN);
    fw_result *result = finish_step(exec);
    CHECK_NOBODY();
    CHECK_EXITED(result, 5);
    receiver_has(result, "ended_by", json_null());
    receiver_has(result, "containment", json_string("session"));
    fw_result_free(result);

    exec = receiver_start(options(), "session");
    input_signal(exec, SIGKILL, FW_SIGNAL_TREE);
    result = finish_step(exec);
    CHECK_NOBODY();
    CHECK_INT(fw_result_outcome(result), FW_SIGNALED);
    CHECK_INT(fw_result_returncode(result), -SIGKILL);
    fw_result_free(result);
}

static void without_a_reaper(void)
{
    refuse_call(SYS_prctl, PR_SET_CHILD_SUBREAPER, EPERM);
    in_the_session();
}

/** This process is in a new process namespace, but sees the /proc of the old one. */
static void in_a_namespace(void)
{
    if (unshare(CLONE_NEWPID) != 0) {
        check_skip("this system gives no process namespace");
        return;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        in_the_session();
        fflush(NULL);
        _exit(check_failures == 0 ? 0 : 1);
    }
    int status = -1;
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK_INT(status, 0);
}

int main(int argc, char **argv)
{
    receiver_main(argc, argv);
    mark_commands();
    in_child(without_a_reaper, "without_a_reaper");
    in_child(in_a_namespace, "in_a_namespace");
    end_marked();
    return check_done();
}
