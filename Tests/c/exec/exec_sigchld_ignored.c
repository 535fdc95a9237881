/*
 * A host that ignores SIGCHLD, or sets SA_NOCLDWAIT, so that the system discards the statuses of its children, still
 * gets the true outcome and resource usage of each command.
 */
#include "processes.h"
#include "run.h"

static void ends(const char *command, fw_outcome outcome, int returncode)
{
    fw_result *result = RUN("echo before", command);
    CHECK_INT(fw_result_outcome(result), outcome);
    CHECK_INT(fw_result_returncode(result), returncode);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "before\n");
    CHECK((fw_result_message(result) == NULL) == (returncode == 0));
    json_t *time = run_command_member(result, 1, "user_time");
    CHECK(json_is_real(time));
    json_decref(time);
    fw_result_free(result);
}

static void all_ends(void)
{
    ends("exit 0", FW_EXITED, 0);
    ends("exit 7", FW_EXITED, 7);
    ends("kill -9 $$$$", FW_SIGNALED, -9);
    ends("sleep 1000 & exit 7", FW_EXITED, 7);
}

static void ignoring(void)
{
    signal(SIGCHLD, SIG_IGN);
    all_ends();
    CHECK(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
}

static void not_waiting(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    sigaction(SIGCHLD, &action, NULL);
    all_ends();
    sigaction(SIGCHLD, NULL, &action);
    CHECK((action.sa_flags & SA_NOCLDWAIT) != 0);
}

int main(void)
{
    in_child(ignoring, "ignoring");
    in_child(not_waiting, "not_waiting");
    return check_done();
}
