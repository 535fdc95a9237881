/* A command that is ended by a signal has the returncode -SIGNAL, and ends the step. */
#include "run.h"

#include <signal.h>

int main(void)
{
    const int signals[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGABRT, SIGKILL, SIGSEGV,
                           SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGXCPU, SIGRTMIN + 1};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        char command[64], said[32];
        snprintf(command, sizeof command, "ulimit -c 0; kill -%d $$$$; sleep 1000", signals[i]);
        fw_result *result = RUN("echo before", command, "echo after");
        CHECK_INT(fw_result_outcome(result), FW_SIGNALED);
        CHECK_INT(fw_result_returncode(result), -signals[i]);
        CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
        snprintf(said, sizeof said, "signal %d", signals[i]);
        CHECK_HAS(fw_result_message(result), said);
        CHECK_HAS(fw_result_message(result), "step \"s\", command 2 of 3");
        CHECK_INT(run_command_int(result, 1, "signal"), signals[i]);
        json_t *code = run_command_member(result, 1, "exit_code");
        CHECK(json_is_null(code));
        json_decref(code);
        fw_result_free(result);
    }
    /* A process that is killed inside a command does not end the step. */
    fw_result *result = RUN("sh -c 'kill -9 $$$$'; exit $$((0 + $$?))");
    CHECK_EXITED(result, 137);
    fw_result_free(result);
    return check_done();
}
