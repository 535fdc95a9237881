/* What a host asks about one command is what the JSON of the result says, and what is unknown says so. */
#include "run.h"

static double number(const json_t *command, const char *key, double otherwise)
{
    json_t *value = json_object_get(command, key);
    return json_is_null(value) ? otherwise : json_number_value(value);
}

/** Compares each command of a result with its JSON. */
static void same_as_json(const fw_result *result, size_t want)
{
    char *text = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_result_to_json(result, &text, &error), &error);
    json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL), *commands = json_object_get(json, "commands");
    fw_string_free(text);
    CHECK(fw_result_started(result) == number(json, "started", -1));
    CHECK(fw_result_duration(result) == number(json, "duration", -1));
    CHECK_INT(json_array_size(commands), want);
    CHECK_INT(fw_result_command_count(result), want);
    for (size_t i = 0; i < want; i++) {
        const json_t *command = json_array_get(commands, i);
        CHECK_STR(fw_result_command_text(result, i), json_string_value(json_object_get(command, "command")));
        CHECK_STR(fw_outcome_name(fw_result_command_outcome(result, i)),
                  json_string_value(json_object_get(command, "outcome")));
        CHECK_INT(fw_result_command_exit_code(result, i), number(command, "exit_code", -1));
        CHECK_INT(fw_result_command_signal(result, i), number(command, "signal", 0));
        CHECK_INT(fw_result_command_pid(result, i), number(command, "pid", 0));
        CHECK(fw_result_command_started(result, i) == number(command, "started", -1));
        CHECK(fw_result_command_duration(result, i) == number(command, "duration", -1));
        CHECK(fw_result_command_user_time(result, i) == number(command, "user_time", -1));
        CHECK(fw_result_command_system_time(result, i) == number(command, "system_time", -1));
        CHECK_INT(fw_result_command_peak_memory(result, i), number(command, "peak_memory", -1));
        CHECK_INT(fw_result_command_survivor_count(result, i), number(command, "survivors_count", -1));
        CHECK_INT(fw_result_command_is_ended(result, i), json_is_true(json_object_get(command, "is_ended")));
        CHECK_INT(fw_result_command_output_size(result, i, FW_STDOUT), number(command, "stdout_bytes", -1));
        CHECK_INT(fw_result_command_output_size(result, i, FW_STDERR), number(command, "stderr_bytes", -1));
    }
    json_decref(json);
}

static void command_wrote(const fw_result *result, size_t index, fw_stream stream, const char *want)
{
    size_t length = 99;
    CHECK_STR(fw_result_command_output(result, index, stream, &length), want);
    CHECK_INT(length, strlen(want));
    CHECK_STR(fw_result_command_output(result, index, stream, NULL), want);
}

static void no_such_command(const fw_result *result, size_t index)
{
    CHECK(fw_result_command_text(result, index) == NULL);
    CHECK_INT(fw_result_command_outcome(result, index), FW_STATUS_UNKNOWN);
    CHECK_INT(fw_result_command_exit_code(result, index), -1);
    CHECK_INT(fw_result_command_signal(result, index), 0);
    CHECK_INT(fw_result_command_pid(result, index), 0);
    CHECK(fw_result_command_started(result, index) == 0);
    CHECK(fw_result_command_duration(result, index) == 0);
    CHECK(fw_result_command_user_time(result, index) == -1);
    CHECK(fw_result_command_system_time(result, index) == -1);
    CHECK_INT(fw_result_command_peak_memory(result, index), -1);
    CHECK_INT(fw_result_command_survivor_count(result, index), 0);
    CHECK_INT(fw_result_command_is_ended(result, index), 1);
    size_t length = 7;
    CHECK(fw_result_command_output(result, index, FW_STDOUT, &length) == NULL);
    CHECK_INT(length, 0);
    CHECK_INT(fw_result_command_output_size(result, index, FW_STDOUT), 0);
}

static void commands_of_steps(void)
{
    fw_result *result = RUN("true", "echo out; echo err >&2", "sleep 600 & exit 3");
    same_as_json(result, 3);
    command_wrote(result, 0, FW_STDOUT, "");
    command_wrote(result, 1, FW_STDOUT, "out\n");
    command_wrote(result, 1, FW_STDERR, "err\n");
    command_wrote(result, 2, FW_STDOUT, "");
    CHECK(fw_result_command_output(result, 1, 0, NULL) == NULL);
    CHECK(fw_result_command_output(result, 1, 3, NULL) == NULL);
    CHECK_INT(fw_result_command_output_size(result, 1, 3), 0);
    CHECK_INT(fw_result_command_exit_code(result, 2), 3);
    CHECK_INT(fw_result_command_survivor_count(result, 2), 1);
    CHECK(fw_result_command_peak_memory(result, 1) > 0);
    CHECK(fw_result_command_pid(result, 1) > 1);
    CHECK(fw_result_command_started(result, 0) >= fw_result_started(result));
    no_such_command(result, 3);
    no_such_command(result, SIZE_MAX);
    fw_result_free(result);

    result = RUN("kill -9 $$$$");
    same_as_json(result, 1);
    CHECK_INT(fw_result_command_outcome(result, 0), FW_SIGNALED);
    CHECK_INT(fw_result_command_signal(result, 0), SIGKILL);
    CHECK_INT(fw_result_command_exit_code(result, 0), -1);
    fw_result_free(result);

    result = RUN_WITH(json_pack("{s:{s:i}}", "options", "output_limit", 4), "printf 0123456789; : ");
    same_as_json(result, 1);
    CHECK_INT(fw_result_command_output_size(result, 0, FW_STDOUT), 10);
    command_wrote(result, 0, FW_STDOUT, "0189");
    fw_result_free(result);

    /* A step that could not begin has no command, and a step without commands has none either. */
    result = RUN_IN("/nonexistent", "true");
    same_as_json(result, fw_result_command_count(result));
    fw_result_free(result);
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){NULL});
    result = run_exec(worker, step, NULL, check_dir());
    same_as_json(result, 0);
    fw_result_free(result);
    fw_step_free(step);
    fw_worker_free(worker);
}

/** Only the last attempt counts, and a secret is not shown. */
static void attempts_and_secrets(void)
{
    fw_result *result = RUN_WITH(json_pack("{s:{s:{s:i, s:i}}, s:{s:s}, s:[s]}", "options", "retries", "max", 1,
                                           "delay", 0, "env", "TOKEN", "hidden-value", "secrets", "TOKEN"),
                                 "true", "echo x >> tries; echo $$TOKEN hidden-value; test $$(wc -l < tries) -eq 2");
    CHECK_EXITED(result, 0);
    same_as_json(result, 2);
    CHECK(strstr(fw_result_command_text(result, 1), "hidden-value") == NULL);
    CHECK(strstr(fw_result_command_output(result, 1, FW_STDOUT, NULL), "hidden-value") == NULL);
    fw_result_free(result);
}

static void commands_of_workflows(void)
{
    fw_workflow *workflow = NULL;
    fw_result *result = NULL;
    fw_error *error = NULL;
    const char *json = "{\"steps\": [{\"name\": \"a\", \"action\": {\"environment\": \"\", \"commands\":"
                       " [\"echo 1\", \"echo 2\"]}}]}";
    CHECK_OK(fw_workflow_create(json, FW_ZERO_TERMINATED, &workflow, &error), &error);
    CHECK_OK(fw_workflow_run(workflow, NULL, NULL, check_dir(), NULL, 0, &result, &error), &error);
    CHECK_INT(fw_result_command_count(result), 0);
    no_such_command(result, 0);
    CHECK(fw_result_started(result) > 1e9 && fw_result_duration(result) > 0);
    same_as_json(fw_result_step(result, 0), 2);
    fw_result_free(result);
    fw_workflow_free(workflow);
}

/** Of a step that an earlier run completed, the output and the times are known, and the process is not. */
static void commands_of_restored_steps(void)
{
    fw_workflow *workflow = NULL;
    fw_error *error = NULL;
    char *options = NULL;
    REQUIRE(asprintf(&options, "{\"state\": \"%s/state\"}", check_dir()) > 0);
    const char *json = "{\"steps\": [{\"name\": \"a\", \"action\": {\"environment\": \"\", \"commands\":"
                       " [\"true\", \"echo 2\"]}}, {\"name\": \"b\", \"action\": {\"environment\": \"\", \"commands\":"
                       " [\"exit 1\"]}}]}";
    CHECK_OK(fw_workflow_create(json, FW_ZERO_TERMINATED, &workflow, &error), &error);
    for (int run = 0; run < 2; run++) {
        fw_result *result = NULL;
        CHECK_OK(fw_workflow_run(workflow, NULL, NULL, check_dir(), options, FW_ZERO_TERMINATED, &result, &error),
                 &error);
        const fw_result *step = fw_result_step(result, 0);
        CHECK_INT(fw_result_command_count(step), 2);
        CHECK_STR(fw_result_command_text(step, 1), "echo 2");
        command_wrote(step, 0, FW_STDOUT, "");
        command_wrote(step, 1, FW_STDOUT, "2\n");
        CHECK_INT(fw_result_command_output_size(step, 1, FW_STDOUT), 2);
        CHECK_INT(fw_result_command_exit_code(step, 1), 0);
        CHECK(fw_result_command_started(step, 1) > 1e9 && fw_result_command_peak_memory(step, 1) > 0);
        CHECK((fw_result_command_pid(step, 1) == 0) == (run == 1));
        fw_result_free(result);
    }
    fw_workflow_free(workflow);
    free(options);
}

int main(void)
{
    commands_of_restored_steps();
    commands_of_steps();
    attempts_and_secrets();
    commands_of_workflows();
    CHECK(fw_result_started(NULL) == 0 && fw_result_duration(NULL) == 0);
    CHECK_INT(fw_result_command_count(NULL), 0);
    no_such_command(NULL, 0);
    return check_done();
}
