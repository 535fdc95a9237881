/*
 * A host that ignores and blocks all signals from its beginning has commands that TERM ends, that get SIGPIPE, and that
 * pass default dispositions and an empty mask on; its steps can be cancelled and time out. A signal to the host's
 * process group does not reach commands.
 */
#include "descendants.h"

static json_t *grace(double timeout)
{
    return json_pack("{s:{s:f, s:f}}", "options", "grace", 1000.0, "timeout", timeout);
}

static void check_steps(void)
{
    remove_file("pid");
    fw_exec *exec = BEGIN_WITH(grace(100000), "echo $$$$ > pid; exec sleep 100000");
    wait_for_pid("pid");
    fw_exec_cancel(exec);
    fw_result *result = finish_step(exec);
    CHECK_ENDED(result, FW_CANCELLED, "TERM");
    fw_result_free(result);

    result = RUN_WITH(grace(0.05), "exec sleep 100000");
    CHECK_ENDED(result, FW_TIMEOUT, "TERM");
    fw_result_free(result);

    /* 141 is SIGPIPE. If `yes` ignored the signal, it would print an error and exit with status 1. */
    result = RUN("(yes; echo $$? >&2) | head -n 1", "kill -HUP $$$$; sleep 100000");
    CHECK_OUTPUT(result, FW_STDOUT, 0, "y\n");
    CHECK_OUTPUT(result, FW_STDERR, 0, "141\n");
    CHECK_INT(fw_result_returncode(result), -SIGHUP);
    fw_result_free(result);

    result = RUN("cat /proc/self/status");
    const char *status = fw_result_output(result, FW_STDOUT, 0, NULL);
    CHECK_HAS(status, "SigPnd:\t0000000000000000\nShdPnd:\t0000000000000000\nSigBlk:\t0000000000000000\n"
                      "SigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n");
    fw_result_free(result);
    CHECK_NOBODY();
}

static void block_all(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

static void blocking(void)
{
    block_all();
    raise(SIGTERM); /* the signal is pending in the host only */
    check_steps();
}

static void ignoring(void)
{
    for (int number = 1; number <= SIGRTMAX; number++)
        signal(number, SIG_IGN);
    check_steps();
}

static void both(void)
{
    ignoring();
    block_all();
    check_steps();
}

/** A host that changes its signal actions after the first step. */
static void later(void)
{
    check_steps();
    both();
}

static atomic_int got;

static void count(int number)
{
    (void)number;
    got++;
}

/** A signal that a terminal sends to the process group reaches the host only, which decides about its steps. */
static void to_the_group(void)
{
    REQUIRE(setpgid(0, 0) == 0);
    const int all[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP};
    int sent = sizeof all / sizeof *all;
    remove_file("pid");
    remove_file("go");
    fw_exec *exec = BEGIN("echo $$$$ > pid; until test -e go; do sleep 0.01; done; exit 7");
    wait_for_pid("pid");
    for (int i = 0; i < sent; i++) {
        signal(all[i], count);
        kill(0, all[i]);
    }
    CHECK_INT(got, sent);
    write_file("go", "");
    fw_result *result = finish_step(exec);
    CHECK_EXITED(result, 7);
    fw_result_free(result);
    check_steps();
}

int main(void)
{
    mark_commands();
    in_child(blocking, "blocking");
    in_child(ignoring, "ignoring");
    in_child(both, "both");
    in_child(later, "later");
    in_child(to_the_group, "to_the_group");
    end_marked();
    return check_done();
}
