/* A step can be cancelled between two commands and in the delay between two attempts: commands that have ended keep
 * their results, and no further command starts. */
#include "events.h"

static const char *outcome_of(json_t *commands, size_t index)
{
    return json_string_value(json_object_get(json_array_get(commands, index), "outcome"));
}

/** Cancels after the first command has ended, when the second one may have just started. */
static void between_commands(void)
{
    fw_exec *exec = START(NULL, "echo one", "sleep 100000", "echo never");
    fw_event_free(event_wait_for(exec, FW_EVENT_COMMAND_ENDED));
    fw_exec_cancel(exec);
    struct events all = events_of(exec);
    for (size_t i = 0; i < all.count; i++)
        CHECK(fw_event_command(all.list[i]) < 2);
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    CHECK(fw_result_returncode(result) != 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "one\n");
    json_t *json = run_json(result), *commands = json_object_get(json, "commands");
    CHECK(json_array_size(commands) <= 2);
    CHECK_STR(outcome_of(commands, 0), "exited");
    CHECK_INT(json_integer_value(json_object_get(json_array_get(commands, 0), "exit_code")), 0);
    if (json_array_size(commands) == 2)
        CHECK_STR(outcome_of(commands, 1), "cancelled");
    json_decref(json);
    fw_result_free(result);
    events_free(&all);
    fw_exec_free(exec);
}

/** The process of the command has exited, but the host has not noticed. */
static void after_an_end_unseen(void)
{
    fw_exec *exec = START(NULL, "echo one", "touch never");
    fw_event *event = event_wait_for(exec, FW_EVENT_COMMAND_STARTED);
    wait_until_gone(event_pid(event));
    fw_event_free(event);
    fw_exec_cancel(exec);
    struct events all = events_of(exec);
    for (size_t i = 0; i < all.count; i++)
        CHECK(fw_event_kind(all.list[i]) != FW_EVENT_COMMAND_STARTED);
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    CHECK(fw_result_returncode(result) != 0);
    json_t *json = run_json(result), *commands = json_object_get(json, "commands");
    CHECK_STR(outcome_of(commands, 0), "exited");
    /* The second command is missing in the result, or has the outcome of one that was not started. */
    if (json_array_size(commands) > 1) {
        CHECK_STR(outcome_of(commands, 1), "cancelled");
        CHECK(json_is_null(json_object_get(json_array_get(commands, 1), "pid")));
    }
    json_decref(json);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "one\n");
    char *path = check_path("never");
    CHECK(access(path, F_OK) != 0);
    free(path);
    fw_result_free(result);
    events_free(&all);
    fw_exec_free(exec);
}

static void between_attempts(void)
{
    fw_exec *exec =
        START("{\"retries\": {\"max\": 10, \"delay\": 86400, \"max_delay\": 86400}}", "echo x >> tries; exit 7");
    fw_event_free(event_wait_for(exec, FW_EVENT_RETRY));
    CHECK(exec_runs(exec));
    fw_exec_cancel(exec);
    event_skip(exec, FW_EVENT_STEP_ENDED);
    CHECK(event_next(exec, -1) == NULL);
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    CHECK(fw_result_returncode(result) != 0);
    fw_result_free(result);
    fw_exec_free(exec);
    char *path = check_path("tries"), *tries = read_file(path);
    CHECK_STR(tries, "x\n");
    free(tries);
    free(path);
}

int main(void)
{
    between_commands();
    after_an_end_unseen();
    between_attempts();
    return check_done();
}
