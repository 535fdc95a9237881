/* A process that has used its `cpu_time` gets SIGXCPU, and SIGKILL one second later if it still runs. The result
 * names the signal and says that the library did not send it. */
#include "run.h"

#include <signal.h>

#define BUSY "while :; do :; done"

static fw_result *run_for_one_second(const char *command)
{
    json_t *limits = json_pack("{s:{s:{s:i}}}", "options", "limits", "cpu_time", 1);
    return RUN_WITH(limits, "echo before", command, "echo after");
}

static void ended_by(fw_result *result, int signal)
{
    CHECK_INT(fw_result_outcome(result), FW_SIGNALED);
    CHECK_INT(fw_result_returncode(result), -signal);
    CHECK_INT(run_command_int(result, 1, "signal"), signal);
    char said[32];
    snprintf(said, sizeof said, "signal %d", signal);
    CHECK_HAS(fw_result_message(result), said);
    json_t *ended_by = run_command_member(result, 1, "ended_by");
    CHECK(json_is_null(ended_by)); /* the library did not send the signal */
    json_decref(ended_by);

    /* The result has the processor time. For the limit the kernel counts whole ticks, but it reports the exact time,
     * which under load is less than the limit. */
    json_t *user = run_command_member(result, 1, "user_time");
    json_t *system = run_command_member(result, 1, "system_time");
    CHECK(json_number_value(user) + json_number_value(system) > 0.1);
    json_decref(user);
    json_decref(system);
    fw_result_free(result);
}

static void told_first(void)
{
    fw_result *result = run_for_one_second("echo busy; " BUSY);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 2);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "busy\n");
    ended_by(result, SIGXCPU);
}

static void may_say_goodbye(void)
{
    fw_result *result = run_for_one_second("trap 'echo goodbye; exit 7' XCPU; " BUSY);
    CHECK_EXITED(result, 7);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "goodbye\n");
    fw_result_free(result);
}

static void cannot_ignore_it(void)
{
    ended_by(run_for_one_second("trap '' XCPU; " BUSY), SIGKILL);
}

/** A process that only waits uses no processor time, so the limit does not end it. */
static void counts_no_waiting(void)
{
    json_t *limits = json_pack("{s:{s:{s:i}}}", "options", "limits", "cpu_time", 1);
    fw_result *result = RUN_WITH(limits, "sleep 2.1; echo rested");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "rested\n");
    fw_result_free(result);
}

int main(void)
{
    told_first();
    may_say_goodbye();
    cannot_ignore_it();
    counts_no_waiting();
    return check_done();
}
