/* Options of a run win over those of the step, which win over those of the worker. An option that the run does not
 * have keeps its value. */
#include "events.h"

/** Checks how much of 100 bytes the result keeps, and how many attempts there were. */
static void keeps(const fw_worker *worker, const fw_step *step, const char *options, size_t kept, size_t attempts)
{
    fw_exec *exec = start_step(worker, step, options);
    fw_result *result = exec_result(exec);
    size_t length = 0;
    fw_result_output(result, FW_STDOUT, 0, &length);
    CHECK_INT(length, kept);
    CHECK_EXITED(result, 3);
    json_t *json = run_json(result);
    CHECK_INT(json_array_size(json_object_get(json, "attempts")) + 1, attempts);
    json_decref(json);
    fw_result_free(result);
    fw_exec_free(exec);
}

int main(void)
{
    fw_worker *worker = run_worker(
        json_pack("{s:{s:i, s:{s:i, s:i}}}", "options", "output_limit", 10, "retries", "max", 1, "delay", 0));
    fw_step *plain = run_step("s", (const char *const[]){"yes | head -c 100; exit 3", NULL});
    fw_step *limited = check_step("{\"name\": \"s\", \"output_limit\": 20, \"action\": {\"environment\": \"\","
                                  " \"commands\": [\"yes | head -c 100; exit 3\"]}}");
    fw_step *tried = check_step("{\"name\": \"s\", \"retries\": {\"max\": 2, \"delay\": 0}, \"action\":"
                                " {\"environment\": \"\", \"commands\": [\"yes | head -c 100; exit 3\"]}}");
    keeps(worker, plain, NULL, 10, 2);
    keeps(worker, plain, "{}", 10, 2);
    keeps(worker, plain, "{\"output_limit\": 30}", 30, 2);
    keeps(worker, plain, "{\"retries\": {\"max\": 0}}", 10, 1);
    keeps(worker, limited, NULL, 20, 2);
    keeps(worker, limited, "{\"output_limit\": 30}", 30, 2);
    keeps(worker, limited, "{\"output_limit\": 5, \"retries\": {\"max\": 3, \"delay\": 0}}", 5, 4);
    keeps(worker, tried, NULL, 10, 3);
    keeps(worker, tried, "{\"output_limit\": 1000}", 100, 3);
    keeps(worker, tried, "{\"retries\": {\"max\": 1, \"delay\": 0}}", 10, 2);
    keeps(worker, plain, NULL, 10, 2); /* options of one run do not affect the next */
    fw_step_free(tried);
    fw_step_free(limited);
    fw_step_free(plain);
    fw_worker_free(worker);
    return check_done();
}
