/*
 * A step that exceeds its timeout gets TERM and, after the grace period, KILL; when the result arrives, no process is
 * left. The outcome is `timeout` and the returncode is not 0, however the command ends. The output up to then is in the
 * result.
 */
#include "descendants.h"

static const char *const obeys[] = {"echo out; echo err >&2; : > there; exec sleep 100000", "echo never", NULL};
static const char *const ignores[] = {"trap '' TERM; echo out; : > there; while :; do sleep 0.01; done", "echo never",
                                      NULL};
static const char *const says_success[] = {
    "trap 'echo bye; exit 0' TERM; echo out; : > there; while :; do sleep 0.01; done", "echo never", NULL};
static const char *const says_failure[] = {"trap 'exit 3' TERM; : > there; while :; do sleep 0.01; done", "echo never",
                                           NULL};
static const char *const stops[] = {": > there; kill -STOP $$$$; exec sleep 100000", "echo never", NULL};

/** Runs commands with ever longer timeouts until they get far enough before the timeout. */
static fw_result *time_out(double grace, const char *const *commands)
{
    for (double timeout = 0.3;; timeout *= 2) {
        json_t *members = json_pack("{s:{s:f, s:f}}", "options", "grace", grace, "timeout", timeout);
        remove_file("there");
        fw_result *result = run_commands(members, NULL, commands);
        CHECK_NOBODY();
        if (has_file("there"))
            return result;
        fw_result_free(result);
    }
}

static void one_that_obeys(void)
{
    fw_result *result = time_out(1000, obeys);
    CHECK_ENDED(result, FW_TIMEOUT, "TERM");
    CHECK_INT(fw_result_returncode(result), -SIGTERM);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "out\n");
    CHECK_OUTPUT(result, FW_STDERR, 0, "err\n");
    CHECK_INT(run_command_int(result, 0, "signal"), SIGTERM);
    json_t *all = run_json(result);
    CHECK_INT(json_array_size(json_object_get(all, "commands")), 1);
    CHECK_STR(json_string_value(json_object_get(all, "outcome")), "timeout");
    json_decref(all);
    fw_result_free(result);
}

static void one_that_ignores(void)
{
    fw_result *result = time_out(0.2, ignores);
    CHECK_ENDED(result, FW_TIMEOUT, "KILL");
    CHECK_INT(fw_result_returncode(result), -SIGKILL);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "out\n");
    fw_result_free(result);
}

static void one_that_ends_by_itself(void)
{
    fw_result *result = time_out(1000, says_success);
    CHECK_ENDED(result, FW_TIMEOUT, "TERM");
    CHECK_INT(run_command_int(result, 0, "exit_code"), 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "out\nbye\n");
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
    fw_result_free(result);

    result = time_out(1000, says_failure);
    CHECK_ENDED(result, FW_TIMEOUT, "TERM");
    CHECK_INT(fw_result_returncode(result), 3);
    fw_result_free(result);
}

/** The main process is stopped, so TERM alone would not end it. */
static void one_that_stands_still(void)
{
    fw_result *result = time_out(1000, stops);
    CHECK_ENDED(result, FW_TIMEOUT, "TERM");
    CHECK_INT(fw_result_returncode(result), -SIGTERM);
    fw_result_free(result);
}

/** Without a grace period KILL comes at once. */
static void without_grace(void)
{
    fw_result *result = time_out(0, ignores);
    CHECK_ENDED(result, FW_TIMEOUT, "KILL");
    fw_result_free(result);
}

/** The timeout passes even while nobody waits for the step. */
static void while_nobody_waits(void)
{
    json_t *members = json_pack("{s:{s:f}}", "options", "timeout", 0.2);
    fw_exec *exec = BEGIN_WITH(members, "exec sleep 100000");
    wait_for_nobody();
    fw_result *result = finish_step(exec);
    CHECK_ENDED(result, FW_TIMEOUT, "TERM");
    fw_result_free(result);
}

static void one_that_is_in_time(void)
{
    fw_result *result = RUN_WITH(json_pack("{s:{s:f}}", "options", "timeout", 100000.0), "exit 4");
    CHECK_EXITED(result, 4);
    json_t *signal = run_command_member(result, 0, "ended_by");
    CHECK(json_is_null(signal));
    json_decref(signal);
    fw_result_free(result);
}

int main(void)
{
    mark_commands();
    one_that_obeys();
    one_that_ignores();
    one_that_ends_by_itself();
    one_that_stands_still();
    without_grace();
    while_nobody_waits();
    one_that_is_in_time();
    end_marked();
    return check_done();
}
