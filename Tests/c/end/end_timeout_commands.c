/*
 * A timeout limits all commands of a step together, and no further command starts after it has passed. The timeout of
 * the run wins over the step's, which wins over the worker's.
 */
#include "descendants.h"

enum { COMMANDS = 100 };

/** Each command is far shorter than the timeout, but all together are longer. */
static void over_all(void)
{
    const char *commands[COMMANDS + 1] = {NULL};
    for (int i = 0; i < COMMANDS; i++)
        commands[i] = "echo here >> ran; sleep 0.05";
    fw_result *result = run_commands(json_pack("{s:{s:f}}", "options", "timeout", 1.0), NULL, commands);
    CHECK_NOBODY();
    CHECK_ENDED(result, FW_TIMEOUT, "TERM");
    json_t *all = run_json(result), *list = json_object_get(all, "commands"), *command;
    size_t count = json_array_size(list), index;
    CHECK(count < COMMANDS);
    /* All commands but the last have succeeded, and the commands that the result does not list have not run. */
    json_array_foreach(list, index, command)
        if (index + 1 < count)
            CHECK_INT(json_integer_value(json_object_get(command, "exit_code")), 0);
    json_decref(all);
    int ran = read_pids("ran", NULL, 0);
    CHECK(ran == (int)count || ran == (int)count - 1); /* the last command may have been ended before its output */
    fw_result_free(result);
}

static fw_result *run_with(double worker_timeout, double step_timeout, const char *options)
{
    fw_worker *worker = run_worker(json_pack("{s:{s:f}}", "options", "timeout", worker_timeout));
    char json[300];
    snprintf(json, sizeof json,
             "{\"name\": \"s\", \"timeout\": %f, \"action\": {\"environment\": \"\", \"commands\":"
             " [\"sleep 0.3; exit 5\"]}}",
             step_timeout);
    fw_step *step = check_step(json);
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_start(worker, step, NULL, check_dir(), options, FW_ZERO_TERMINATED, &exec, &error), &error);
    REQUIRE(exec != NULL);
    fw_step_free(step);
    fw_worker_free(worker);
    return finish_step(exec);
}

static void which_one(void)
{
    fw_result *result = run_with(100000, 0.05, NULL);
    CHECK_ENDED(result, FW_TIMEOUT, "TERM");
    fw_result_free(result);
    result = run_with(0.05, 100000, NULL);
    CHECK_EXITED(result, 5);
    fw_result_free(result);
    result = run_with(100000, 100000, "{\"timeout\": 0.05}");
    CHECK_ENDED(result, FW_TIMEOUT, "TERM");
    fw_result_free(result);
    result = run_with(0.05, 0.05, "{\"timeout\": 100000}");
    CHECK_EXITED(result, 5);
    fw_result_free(result);
}

int main(void)
{
    mark_commands();
    over_all();
    which_one();
    end_marked();
    return check_done();
}
