/* With `processes`, a command of an ordinary user cannot fork beyond the limit, and the processes that it has started
 * are ended as usual. The kernel does not apply this limit to root. */
#include "processes.h"
#include "run.h"

#include <grp.h>
#include <sys/prctl.h>

static fw_result *run_with(int processes, const char *command)
{
    json_t *limits = json_pack("{s:{s:{s:i}}}", "options", "limits", "processes", processes);
    return run_commands(limits, "/", (const char *const[]){command, NULL});
}

static void holds(void)
{
    /* The first process may always run, but a second one exceeds the limit. */
    fw_result *result = run_with(1, "echo alone");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "alone\n");
    fw_result_free(result);
    result = run_with(1, "LC_ALL=C; sleep 600 & echo forked");
    CHECK_INT(fw_result_outcome(result), FW_EXITED);
    CHECK(fw_result_returncode(result) != 0);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), "fork");
    fw_result_free(result);
}

static void some_are_allowed(void)
{
    fw_result *result = run_with(20, "i=0; while [ $$i -lt 40 ]; do sleep 600 & i=$$((i+1)); done; echo all");
    CHECK_INT(fw_result_outcome(result), FW_EXITED);
    CHECK(fw_result_returncode(result) != 0);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), "fork");
    json_int_t started = run_command_int(result, 0, "survivors_count");
    CHECK(started > 0 && started < 20);
    json_t *survivors = run_command_member(result, 0, "survivors");
    for (size_t i = 0; i < json_array_size(survivors); i++)
        CHECK(!process_runs((long)json_integer_value(json_object_get(json_array_get(survivors, i), "pid"))));
    json_decref(survivors);
    fw_result_free(result);
}

static void not_for_root(void)
{
    fw_result *result = run_with(1, "sleep 0 & wait $$!; echo $$?");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "0\n");
    fw_result_free(result);
}

int main(void)
{
    if (geteuid() != 0) {
        holds();
        return check_done();
    }
    not_for_root();
    /* No other process has this user, so the limit counts only processes of this program. */
    uid_t user = 100000 + (uid_t)getpid();
    REQUIRE(setgroups(0, NULL) == 0 && setresgid(user, user, user) == 0 && setresuid(user, user, user) == 0);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    holds();
    some_are_allowed();
    return check_done();
}
