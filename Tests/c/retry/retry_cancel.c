/* A cancelled step is not tried again: when a command was running, when the step was waiting for its next attempt,
 * which then does not delay the end, and when it was cancelled before it began. */
#include "events.h"

static json_t *retries(double delay)
{
    return json_pack("{s:{s:{s:i, s:f, s:f}}}", "options", "retries", "max", 9, "delay", delay, "max_delay", 86400.0);
}

/** How often the command has begun. */
static int tries(void)
{
    char *path = check_path("tries"), *text = read_file(path);
    int count = text ? (int)(strlen(text) / 2) : 0;
    unlink(path);
    free(text);
    free(path);
    return count;
}

/** Takes the last event and the result, and checks that there are no others. */
static fw_result *cancelled(fw_exec *exec)
{
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    CHECK(fw_result_returncode(result) != 0);
    CHECK(fw_result_message(result) != NULL);
    fw_exec_free(exec);
    return result;
}

static void while_a_command_runs(void)
{
    fw_exec *exec = START_WITH(retries(0), NULL, "echo x >> tries; echo runs; exec sleep 600");
    fw_event_free(event_wait_for(exec, FW_EVENT_OUTPUT));
    fw_exec_cancel(exec);
    struct events rest = events_of(exec);
    CHECK_SHAPE(&rest, "0:ended step_ended");
    events_free(&rest);
    fw_result *result = cancelled(exec);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "runs\n");
    fw_result_free(result);
    CHECK_INT(tries(), 1);
}

static void in_the_second_attempt(void)
{
    fw_exec *exec =
        START_WITH(retries(0), NULL, "echo x >> tries; test $$(wc -l < tries) -ge 2 || exit 5; exec sleep 600");
    fw_event_free(event_wait_for(exec, FW_EVENT_RETRY));
    fw_event_free(event_wait_for(exec, FW_EVENT_COMMAND_STARTED));
    char *path = check_path("tries");
    for (bool both = false; !both; a_moment()) {
        char *text = read_file(path);
        both = text != NULL && strcmp(text, "x\nx\n") == 0;
        free(text);
    }
    free(path);
    fw_exec_cancel(exec);
    fw_result *result = cancelled(exec);
    json_t *json = run_json(result), *attempts = json_object_get(json, "attempts");
    REQUIRE(json_array_size(attempts) == 1);
    CHECK_STR(json_string_value(json_object_get(json_array_get(attempts, 0), "outcome")), "exited");
    CHECK_INT(json_integer_value(json_object_get(json_array_get(attempts, 0), "returncode")), 5);
    json_decref(json);
    fw_result_free(result);
    CHECK_INT(tries(), 2);
}

/** The delay is a day, but the step ends at once with the output of the earlier attempt. */
static void in_the_delay(bool with_descriptor)
{
    fw_exec *exec = START_WITH(retries(86400), NULL, "echo x >> tries; echo out; echo err >&2; exit 3");
    int fd = with_descriptor ? fw_exec_fd(exec) : -1;
    fw_event_free(event_wait_for(exec, FW_EVENT_RETRY));
    CHECK(exec_runs(exec));
    if (with_descriptor)
        CHECK(!fd_readable(fd));
    fw_exec_cancel(exec);
    if (with_descriptor)
        fd_wait(fd);
    struct events rest = events_of(exec);
    CHECK_SHAPE(&rest, "step_ended");
    events_free(&rest);
    fw_result *result = cancelled(exec);
    CHECK_INT(fw_result_returncode(result), 3);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "out\n");
    CHECK_OUTPUT(result, FW_STDERR, 0, "err\n");
    json_t *json = run_json(result);
    CHECK_INT(json_array_size(json_object_get(json, "commands")), 1);
    CHECK_JSON(json_object_get(json, "attempts"), json_array());
    json_decref(json);
    fw_result_free(result);
    CHECK_INT(tries(), 1);
}

static void freed_in_the_delay(void)
{
    fw_exec *exec = START_WITH(retries(86400), NULL, "echo x >> tries; exit 3");
    fw_event_free(event_wait_for(exec, FW_EVENT_RETRY));
    fw_exec_free(exec);
    CHECK_INT(tries(), 1);
}

static void before_anything_was_taken(void)
{
    fw_exec *exec = START_WITH(retries(0), NULL, "read line < gate", "echo x >> tries; exit 3");
    fw_exec_cancel(exec);
    fw_result_free(cancelled(exec));
    CHECK_INT(tries(), 0);
}

int main(void)
{
    int gate = gate_make("gate");
    while_a_command_runs();
    in_the_second_attempt();
    in_the_delay(false);
    in_the_delay(true);
    freed_in_the_delay();
    before_anything_was_taken();
    close(gate);
    return check_done();
}
