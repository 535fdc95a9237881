/* The JSON of a result has every key of docs/reference/results.md with its type, and agrees with the functions
 * fw_result_…(). */
#include "run.h"

#include <sys/time.h>

static bool is_number(const json_t *value)
{
    return json_is_number(value);
}
static bool is_integer(const json_t *value)
{
    return json_is_integer(value);
}
static bool is_string(const json_t *value)
{
    return json_is_string(value);
}
static bool is_boolean(const json_t *value)
{
    return json_is_boolean(value);
}
static bool is_array(const json_t *value)
{
    return json_is_array(value);
}
static bool is_string_or_null(const json_t *value)
{
    return json_is_string(value) || json_is_null(value);
}
static bool is_integer_or_null(const json_t *value)
{
    return json_is_integer(value) || json_is_null(value);
}
static bool is_number_or_null(const json_t *value)
{
    return json_is_number(value) || json_is_null(value);
}
static bool is_null(const json_t *value)
{
    return json_is_null(value);
}
static bool is_object_or_null(const json_t *value)
{
    return json_is_object(value) || json_is_null(value);
}

struct member {
    const char *key;
    bool (*is)(const json_t *value);
};

/** Checks the explanation of a failure: the layer, the attempt and the likely cause. */
static bool is_explanation(const json_t *value)
{
    return json_is_null(value) ||
           (json_object_size(value) == 3 && json_is_string(json_object_get(value, "layer")) &&
            json_is_array(json_object_get(value, "tried")) && is_string_or_null(json_object_get(value, "likely")));
}

static const struct member of_result[] = {{"version", is_integer},
                                          {"step", is_string},
                                          {"index", is_null},
                                          {"instance", is_null},
                                          {"values", is_null},
                                          {"schedule", is_null},
                                          {"worker", is_string},
                                          {"worker_type", is_string},
                                          {"rundir", is_string},
                                          {"returncode", is_integer},
                                          {"outcome", is_string},
                                          {"message", is_string_or_null},
                                          {"stdout", is_array},
                                          {"stderr", is_array},
                                          {"exception", is_object_or_null},
                                          {"started", is_number},
                                          {"duration", is_number},
                                          {"commands", is_array},
                                          {"engine", is_null},
                                          {"attempts", is_array},
                                          {"value", is_null},
                                          {"explanation", is_explanation},
                                          {"notes", is_array},
                                          {NULL, NULL}};

static const struct member of_attempt[] = {{"returncode", is_integer},
                                           {"outcome", is_string},
                                           {"message", is_string_or_null},
                                           {"stdout", is_array},
                                           {"stderr", is_array},
                                           {"commands", is_array},
                                           {"engine", is_null},
                                           {"delay", is_number},
                                           {"value", is_null},
                                           {"explanation", is_explanation},
                                           {NULL, NULL}};

static const struct member of_command[] = {{"command", is_string},
                                           {"outcome", is_string},
                                           {"exit_code", is_integer_or_null},
                                           {"signal", is_integer_or_null},
                                           {"pid", is_integer_or_null},
                                           {"started", is_number},
                                           {"duration", is_number},
                                           {"user_time", is_number_or_null},
                                           {"system_time", is_number_or_null},
                                           {"peak_memory", is_integer_or_null},
                                           {"ended_by", is_string_or_null},
                                           {"containment", is_string_or_null},
                                           {"sandbox", is_null},
                                           {"tree_usage", is_null},
                                           {"tree_limits", is_null},
                                           {"survivors", is_array},
                                           {"survivors_count", is_integer},
                                           {"is_ended", is_boolean},
                                           {"stdout_bytes", is_integer},
                                           {"stderr_bytes", is_integer},
                                           {"stdout_cut", is_integer},
                                           {"stderr_cut", is_integer},
                                           {"stdout_file", is_string_or_null},
                                           {"stderr_file", is_string_or_null},
                                           {"incomplete", is_array},
                                           {"spill_error", is_string_or_null},
                                           {"container", is_null},
                                           {"oom", is_null},
                                           {NULL, NULL}};

/** Checks that the object has exactly these members. */
static void has_members(const json_t *object, const struct member *members)
{
    size_t count = 0;
    for (; members->key != NULL; members++, count++) {
        const json_t *value = json_object_get(object, members->key);
        if (!CHECK(value != NULL && members->is(value)))
            fprintf(stderr, "    %s\n", members->key);
    }
    CHECK_INT(json_object_size(object), count);
}

static void agrees(const fw_result *result, json_t *json)
{
    has_members(json, of_result);
    CHECK_INT(json_integer_value(json_object_get(json, "version")), 1);
    CHECK(json_is_null(json_object_get(json, "explanation")) == (fw_result_returncode(result) == 0));
    CHECK_STR(json_string_value(json_object_get(json, "step")), "s");
    CHECK_STR(json_string_value(json_object_get(json, "worker")), "w");
    CHECK_STR(json_string_value(json_object_get(json, "worker_type")), "subprocess");
    CHECK_INT(json_integer_value(json_object_get(json, "returncode")), fw_result_returncode(result));
    CHECK_STR(json_string_value(json_object_get(json, "outcome")), fw_outcome_name(fw_result_outcome(result)));
    CHECK_STR(json_string_value(json_object_get(json, "message")), fw_result_message(result));
    for (fw_stream stream = FW_STDOUT; stream <= FW_STDERR; stream++) {
        const json_t *pieces = json_object_get(json, stream == FW_STDOUT ? "stdout" : "stderr");
        CHECK_INT(json_array_size(pieces), fw_result_output_count(result, stream));
        for (size_t i = 0; i < json_array_size(pieces); i++)
            CHECK_STR(json_string_value(json_array_get(pieces, i)), fw_result_output(result, stream, i, NULL));
    }
    double total = json_number_value(json_object_get(json, "duration")), sum = 0;
    const json_t *commands = json_object_get(json, "commands");
    struct timeval now;
    gettimeofday(&now, NULL);
    for (size_t i = 0; i < json_array_size(commands); i++) {
        const json_t *command = json_array_get(commands, i);
        has_members(command, of_command);
        sum += json_number_value(json_object_get(command, "duration"));
        double started = json_number_value(json_object_get(command, "started"));
        CHECK(started > 1.7e9 && started <= (double)now.tv_sec + 1);
    }
    CHECK(sum >= 0 && sum <= total);
    const json_t *attempts = json_object_get(json, "attempts");
    for (size_t i = 0; i < json_array_size(attempts); i++) {
        const json_t *attempt = json_array_get(attempts, i);
        has_members(attempt, of_attempt);
        const json_t *its_commands = json_object_get(attempt, "commands");
        for (size_t j = 0; j < json_array_size(its_commands); j++)
            has_members(json_array_get(its_commands, j), of_command);
    }
}

static void succeeded(void)
{
    fw_result *result = RUN("printf out; printf oops >&2", "sleep 100000 & :");
    json_t *json = run_json(result);
    agrees(result, json);
    CHECK(json_is_null(json_object_get(json, "exception")));
    CHECK(json_is_null(json_object_get(json, "message")));
    const json_t *command = json_array_get(json_object_get(json, "commands"), 0);
    CHECK_STR(json_string_value(json_object_get(command, "command")), "printf out; printf oops >&2");
    CHECK_STR(json_string_value(json_object_get(command, "outcome")), "exited");
    CHECK_INT(json_integer_value(json_object_get(command, "exit_code")), 0);
    CHECK(json_is_integer(json_object_get(command, "exit_code")));
    CHECK(json_is_null(json_object_get(command, "signal")));
    CHECK(json_integer_value(json_object_get(command, "pid")) > 1);
    CHECK(json_is_real(json_object_get(command, "user_time")));
    CHECK(json_is_real(json_object_get(command, "system_time")));
    CHECK_INT(json_integer_value(json_object_get(command, "stdout_bytes")), 3);
    CHECK_INT(json_integer_value(json_object_get(command, "stderr_bytes")), 4);
    CHECK_INT(json_integer_value(json_object_get(command, "stdout_cut")), 0);
    CHECK_INT(json_array_size(json_object_get(command, "incomplete")), 0);
    for (fw_stream stream = 0; stream <= 3; stream++)
        CHECK_INT(fw_result_output_incomplete(result, stream), 0);
    CHECK(json_integer_value(json_object_get(command, "peak_memory")) > 0);
    CHECK(json_is_null(json_object_get(command, "ended_by")));
    CHECK(json_is_string(json_object_get(command, "containment")));
    CHECK(json_is_true(json_object_get(command, "is_ended")));
    CHECK_INT(json_integer_value(json_object_get(command, "survivors_count")), 0);
    CHECK(json_is_null(json_object_get(command, "stdout_file")));
    CHECK(json_is_null(json_object_get(command, "spill_error")));
    command = json_array_get(json_object_get(json, "commands"), 1);
    CHECK_INT(json_integer_value(json_object_get(command, "survivors_count")), 1);
    CHECK(json_is_true(json_object_get(command, "is_ended")));
    const json_t *survivors = json_object_get(command, "survivors");
    CHECK_INT(json_array_size(survivors), 1);
    const json_t *survivor = json_array_get(survivors, 0);
    CHECK_INT(json_object_size(survivor), 3);
    CHECK(json_is_integer(json_object_get(survivor, "pid")));
    CHECK(json_is_string(json_object_get(survivor, "name")));
    CHECK_STR(json_string_value(json_object_get(survivor, "ended_by")), "TERM");
    json_decref(json);
    fw_result_free(result);
}

static void failed(void)
{
    fw_result *result = RUN("exit 0", "exit 3", "exit 0");
    json_t *json = run_json(result);
    agrees(result, json);
    CHECK_INT(json_array_size(json_object_get(json, "commands")), 2);
    CHECK(json_is_null(json_object_get(json, "exception")));
    json_decref(json);
    fw_result_free(result);

    result = RUN("kill -15 $$$$");
    json = run_json(result);
    agrees(result, json);
    const json_t *command = json_array_get(json_object_get(json, "commands"), 0);
    CHECK_STR(json_string_value(json_object_get(command, "outcome")), "signaled");
    CHECK(json_is_null(json_object_get(command, "exit_code")));
    CHECK_INT(json_integer_value(json_object_get(command, "signal")), 15);
    json_decref(json);
    fw_result_free(result);
}

static void not_started(void)
{
    fw_result *result = RUN_WITH(json_pack("{s:{s:s}}", "options", "shell", "/nonexistent"), "true");
    json_t *json = run_json(result);
    agrees(result, json);
    const json_t *command = json_array_get(json_object_get(json, "commands"), 0);
    CHECK_STR(json_string_value(json_object_get(command, "outcome")), "spawn_failed");
    CHECK(json_is_null(json_object_get(command, "pid")));
    CHECK(json_is_null(json_object_get(command, "exit_code")));
    CHECK(json_is_null(json_object_get(command, "signal")));
    CHECK(json_is_null(json_object_get(command, "user_time")));
    CHECK(json_is_null(json_object_get(command, "system_time")));
    CHECK(json_is_null(json_object_get(command, "peak_memory")));
    CHECK(json_is_null(json_object_get(command, "containment")));
    CHECK_JSON(json_object_get(command, "survivors"), json_array());
    CHECK(json_is_true(json_object_get(command, "is_ended")));
    const json_t *exception = json_object_get(json, "exception");
    CHECK_INT(json_object_size(exception), 3);
    CHECK(json_is_string(json_object_get(exception, "type")));
    CHECK_STR(json_string_value(json_object_get(exception, "message")), fw_result_output(result, FW_STDERR, 0, NULL));
    CHECK(json_is_string(json_object_get(exception, "trace")));
    json_decref(json);
    fw_result_free(result);

    result = RUN_IN("/nonexistent", "true", "true");
    json = run_json(result);
    agrees(result, json);
    json_decref(json);
    fw_result_free(result);
}

static void tried_again(void)
{
    json_t *retries = json_pack("{s:{s:{s:i, s:i}}}", "options", "retries", "max", 2, "delay", 0);
    fw_result *result = RUN_WITH(retries, "echo out; echo err >&2; exit 3");
    json_t *json = run_json(result);
    agrees(result, json);
    CHECK_INT(json_array_size(json_object_get(json, "attempts")), 2);
    json_decref(json);
    fw_result_free(result);
}

static void ended(void)
{
    json_t *timeout = json_pack("{s:{s:f}}", "options", "timeout", 0.1);
    fw_result *result = RUN_WITH(timeout, "exec sleep 600");
    json_t *json = run_json(result);
    agrees(result, json);
    CHECK_STR(json_string_value(json_object_get(json, "outcome")), "timeout");
    const json_t *command = json_array_get(json_object_get(json, "commands"), 0);
    CHECK_STR(json_string_value(json_object_get(command, "outcome")), "timeout");
    CHECK_STR(json_string_value(json_object_get(command, "ended_by")), "TERM");
    CHECK(json_is_true(json_object_get(command, "is_ended")));
    json_decref(json);
    fw_result_free(result);
}

int main(void)
{
    succeeded();
    failed();
    tried_again();
    ended();
    not_started();
    return check_done();
}
