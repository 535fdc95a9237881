/* A step without commands, and commands without text, succeed. */
#include "run.h"

int main(void)
{
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){NULL});
    fw_result *result = run_exec(worker, step, NULL, check_dir());
    CHECK_EXITED(result, 0);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    CHECK(fw_result_message(result) == NULL);
    json_t *json = run_json(result);
    CHECK_JSON(json_object_get(json, "commands"), json_array());
    CHECK_INT(json_integer_value(json_object_get(json, "returncode")), 0);
    json_decref(json);
    fw_result_free(result);
    fw_step_free(step);
    fw_worker_free(worker);

    result = RUN("", "   ", "\n\t", "echo after");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "after\n");
    json = run_json(result);
    CHECK_INT(json_array_size(json_object_get(json, "commands")), 4);
    json_decref(json);
    fw_result_free(result);
    return check_done();
}
