/* A command starts with default signal dispositions and an empty signal mask, whatever the host ignores or blocks. */
#include "processes.h"
#include "run.h"

static void handler(int signal)
{
    (void)signal;
}

static void in_a_careful_host(void)
{
    const int ignored[] = {SIGPIPE, SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTTOU, SIGXFSZ, SIGRTMIN};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    signal(SIGUSR1, handler);
    sigset_t blocked;
    sigfillset(&blocked);
    sigprocmask(SIG_SETMASK, &blocked, NULL);

    fw_result *result = RUN("cat /proc/self/status", "trap '' USR2; kill -TERM $$$$; sleep 1000");
    CHECK_HAS(fw_result_output(result, FW_STDOUT, 0, NULL), "SigBlk:\t0000000000000000\n"
                                                            "SigIgn:\t0000000000000000\n"
                                                            "SigCgt:\t0000000000000000\n");
    CHECK_INT(fw_result_returncode(result), -SIGTERM);
    fw_result_free(result);

    sigset_t now;
    sigprocmask(SIG_SETMASK, NULL, &now);
    CHECK(sigismember(&now, SIGTERM) == 1);
}

int main(void)
{
    in_child(in_a_careful_host, "in_a_careful_host");
    return check_done();
}
