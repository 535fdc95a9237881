/* The `retries` of a step win over the worker's, and those of a run over both, as a whole object: a key that is
 * missing in it has its default, and not the value of another level. */
#include "events.h"

static fw_worker *worker;

static fw_step *step_with(const char *retries)
{
    json_t *json = json_pack("{s:s, s:{s:s, s:[s]}}", "name", "s", "action", "environment", "", "commands", "exit 3");
    if (retries != NULL)
        json_object_set_new(json, "retries", json_loads(retries, 0, NULL));
    char *text = json_dumps(json, 0);
    fw_step *step = check_step(text);
    free(text);
    json_decref(json);
    return step;
}

static void attempts(const char *of_step, const char *options, size_t want)
{
    fw_step *step = step_with(of_step);
    fw_exec *exec = start_step(worker, step, options);
    fw_result *result = exec_result(exec);
    json_t *json = run_json(result);
    if (!CHECK_INT(json_array_size(json_object_get(json, "attempts")), want))
        fprintf(stderr, "    step %s, run %s\n", of_step ? of_step : "-", options ? options : "-");
    json_decref(json);
    fw_result_free(result);
    fw_exec_free(exec);
    fw_step_free(step);
}

/** Returns the first delay without waiting for it. */
static void first_delay(const char *of_step, const char *options, double want)
{
    fw_step *step = step_with(of_step);
    fw_exec *exec = start_step(worker, step, options);
    fw_event *event = event_wait_for(exec, FW_EVENT_RETRY);
    json_t *json = event_json(event);
    CHECK(json_number_value(json_object_get(json, "delay")) == want);
    json_decref(json);
    fw_event_free(event);
    fw_exec_free(exec);
    fw_step_free(step);
}

int main(void)
{
    worker = run_worker(json_pack("{s:{s:{s:i, s:i}}}", "options", "retries", "max", 1, "delay", 0));
    attempts(NULL, NULL, 1);
    attempts(NULL, "{}", 1);
    attempts("{\"max\": 2, \"delay\": 0}", NULL, 2);
    attempts("{\"max\": 2, \"delay\": 0}", "{\"events\": \"none\"}", 2);
    attempts("{\"max\": 0}", NULL, 0);
    attempts("{\"max\": 2, \"delay\": 0, \"codes\": [4]}", NULL, 0);
    attempts(NULL, "{\"retries\": {\"max\": 3, \"delay\": 0}}", 3);
    attempts("{\"max\": 2, \"delay\": 0}", "{\"retries\": {\"max\": 3, \"delay\": 0}}", 3);
    attempts("{\"max\": 2, \"delay\": 0, \"codes\": [4]}", "{\"retries\": {\"max\": 3, \"delay\": 0}}", 3);
    attempts("{\"max\": 2, \"delay\": 0}", "{\"retries\": {\"max\": 0}}", 0);
    first_delay("{\"max\": 2}", NULL, 1);
    first_delay("{\"max\": 2, \"delay\": 30}", NULL, 30);
    first_delay("{\"max\": 2, \"delay\": 30}", "{\"retries\": {\"max\": 1}}", 1);
    fw_worker_free(worker);
    return check_done();
}
