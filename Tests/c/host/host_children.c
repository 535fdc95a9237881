/*
 * The library gives the host no child and no SIGCHLD: while steps run, between steps, and when steps are ended. All
 * forms of waitpid(2) report ECHILD. The host's own children are reported as usual.
 */
#include "descendants.h"

static atomic_int signals;

static void count_signal(int signal)
{
    (void)signal;
    signals++;
}

static void check_no_child(void)
{
    static const int flags[] = {WNOHANG, WNOHANG | __WALL, WNOHANG | __WCLONE, WNOHANG | __WALL | __WNOTHREAD};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        CHECK_INT(waitpid(-1, NULL, flags[i]), -1);
        CHECK_INT(errno, ECHILD);
    }
    CHECK_INT(signals, 0);
}

static void all_kinds_of_steps(void)
{
    check_no_child();
    fw_result_free(RUN("exit 0", "exit 1"));
    check_no_child();

    remove_file("pids");
    fw_exec *exec = BEGIN("echo $$$$ >> pids; exec sleep 100000");
    check_no_child();
    wait_for_pid("pids");
    check_no_child();
    fw_exec_cancel(exec);
    check_no_child();
    fw_result_free(finish_step(exec));
    check_no_child();

    fw_result_free(RUN_WITH(json_pack("{s:{s:f}}", "options", "timeout", 0.05), "exec sleep 100000"));
    fw_result_free(RUN("setsid sleep 100000 & sleep 100000 & kill -9 $$$$"));
    fw_result_free(RUN_IN("/nonexistent", "true"));
    fw_result_free(RUN_WITH(json_pack("{s:{s:s}}", "options", "shell", "/nonexistent"), "true"));
    check_no_child();

    exec = BEGIN("exec sleep 100000");
    fw_exec_free(exec);
    wait_for_nobody();
    check_no_child();
}

static void own_child(void)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(9);
    int status = 0;
    fw_result_free(RUN("exit 3"));
    CHECK_INT(waitpid(-1, &status, 0), pid);
    CHECK_INT(WEXITSTATUS(status), 9);
    CHECK_INT(signals, 1);
}

int main(void)
{
    mark_commands();
    struct sigaction action = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
    REQUIRE(sigaction(SIGCHLD, &action, NULL) == 0);
    for (int i = 0; i < 10; i++)
        all_kinds_of_steps();
    own_child();
    end_marked();
    return check_done();
}
