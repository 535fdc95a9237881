/* A host that ignores SIGCHLD, so that the system throws exit statuses away, gets the true
 * outcome where the kernel keeps it, and otherwise FW_STATUS_UNKNOWN; never a false success.
 *
 * not under valgrind: it has no pidfd_open (3.19), with which the kernel is asked
 */
#include "children.h"
#include "run.h"

static bool kept;

/** The outcome is the true one, or unknown where it cannot be known. */
static void ends(const char *command, fw_outcome outcome, int returncode)
{
    fw_result *result = RUN("echo before", command);
    CHECK_INT(fw_result_outcome(result), kept ? outcome : FW_STATUS_UNKNOWN);
    CHECK_INT(fw_result_returncode(result), kept ? returncode : 1);
    if (kept)
        CHECK_OUTPUT(result, FW_STDOUT, 0, "before\n");
    CHECK((fw_result_message(result) == NULL) == (kept && returncode == 0));
    /* The host took the status, and with it the times. */
    json_t *time = run_command_member(result, 0, "user_time");
    CHECK(json_is_null(time));
    json_decref(time);
    fw_result_free(result);
}

static void ignoring(void)
{
    signal(SIGCHLD, SIG_IGN);
    ends("exit 0", FW_EXITED, 0);
    ends("exit 7", FW_EXITED, 7);
    ends("kill -9 $$$$", FW_SIGNALED, -9);
    CHECK(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
}

static void not_waiting(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
    sigaction(SIGCHLD, &action, NULL);
    ends("exit 7", FW_EXITED, 7);
}

int main(void)
{
    kept = kernel_keeps_status();
    printf("this kernel keeps the status of reaped children: %s\n", kept ? "yes" : "no");
    in_child(ignoring, "ignoring");
    in_child(not_waiting, "not_waiting");
    return check_done();
}
