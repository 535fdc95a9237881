/* With `retries`, a failed step starts again with its first command, at most `max` times. The result is that of the
 * last attempt, and its JSON has each earlier attempt in full. */
#include "run.h"

static json_t *retries(int max)
{
    return json_pack("{s:{s:{s:i, s:i}}}", "options", "retries", "max", max, "delay", 0);
}

/* The first command prints the number of the attempt, and the second one fails in the first two. */
#define COUNTS "echo x >> tries; n=$$(($$(wc -l < tries))); echo attempt $$n"
#define FAILS "n=$$(($$(wc -l < tries))); echo error $$n >&2; test $$n -ge 3 || exit $$((10 + n))"

static void is_attempt(const json_t *attempt, int number)
{
    char out[32], err[32];
    snprintf(out, sizeof out, "attempt %d\n", number);
    snprintf(err, sizeof err, "error %d\n", number);
    CHECK_INT(json_object_size(attempt), 10);
    CHECK_INT(json_integer_value(json_object_get(attempt, "returncode")), 10 + number);
    CHECK_STR(json_string_value(json_object_get(attempt, "outcome")), "exited");
    CHECK_HAS(json_string_value(json_object_get(attempt, "message")), "command 2 of 3");
    CHECK_JSON(json_object_get(attempt, "stdout"), json_pack("[s]", out));
    CHECK_JSON(json_object_get(attempt, "stderr"), json_pack("[s]", err));
    CHECK(json_is_number(json_object_get(attempt, "delay")));
    CHECK(json_number_value(json_object_get(attempt, "delay")) == 0);
    const json_t *commands = json_object_get(attempt, "commands");
    REQUIRE(json_array_size(commands) == 2);
    CHECK_INT(json_integer_value(json_object_get(json_array_get(commands, 0), "exit_code")), 0);
    CHECK_INT(json_integer_value(json_object_get(json_array_get(commands, 1), "exit_code")), 10 + number);
    CHECK_INT(json_integer_value(json_object_get(json_array_get(commands, 1), "stderr_bytes")), 8);
}

static double started(const json_t *attempt)
{
    const json_t *first = json_array_get(json_object_get(attempt, "commands"), 0);
    return json_number_value(json_object_get(first, "started"));
}

static void until_success(void)
{
    fw_result *result = RUN_WITH(retries(9), COUNTS, FAILS, "echo done");
    CHECK_EXITED(result, 0);
    CHECK(fw_result_message(result) == NULL);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 2);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "attempt 3\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "done\n");
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 1);
    CHECK_OUTPUT(result, FW_STDERR, 0, "error 3\n");
    json_t *json = run_json(result), *attempts = json_object_get(json, "attempts");
    CHECK_INT(json_array_size(json_object_get(json, "commands")), 3);
    REQUIRE(json_array_size(attempts) == 2);
    is_attempt(json_array_get(attempts, 0), 1);
    is_attempt(json_array_get(attempts, 1), 2);
    CHECK(started(json_array_get(attempts, 0)) < started(json_array_get(attempts, 1)));
    CHECK(started(json_array_get(attempts, 1)) < started(json));
    json_decref(json);
    fw_result_free(result);
}

static void until_there_are_no_more(int max)
{
    fw_result *result = RUN_WITH(retries(max), "rm -f tries", "echo never again; exit 6", "echo after");
    CHECK_EXITED(result, 6);
    CHECK_HAS(fw_result_message(result), "command 2 of 3");
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
    json_t *json = run_json(result);
    CHECK_INT(json_array_size(json_object_get(json, "attempts")), max);
    CHECK_INT(json_array_size(json_object_get(json, "commands")), 2);
    json_decref(json);
    fw_result_free(result);
}

static void not_after_success(void)
{
    fw_result *result = RUN_WITH(retries(9), "echo once >> once", "cat once");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "once\n");
    json_t *json = run_json(result);
    CHECK_JSON(json_object_get(json, "attempts"), json_array());
    json_decref(json);
    fw_result_free(result);
}

static void not_without_retries(void)
{
    fw_result *result = RUN("exit 6");
    CHECK_EXITED(result, 6);
    json_t *json = run_json(result);
    CHECK_JSON(json_object_get(json, "attempts"), json_array());
    json_decref(json);
    fw_result_free(result);
}

int main(void)
{
    until_success();
    until_there_are_no_more(0);
    until_there_are_no_more(1);
    until_there_are_no_more(100);
    not_after_success();
    not_without_retries();
    return check_done();
}
