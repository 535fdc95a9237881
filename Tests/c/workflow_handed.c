/* With `"code": "host"` a code step is handed to the host, which reports what came of it: its value is seen by the steps
 * behind it, its failure is the end. A cancel and the deadline end a run that waits for the host. */
#include "workflow.h"

#include <pthread.h>

static const char *const workflow =
    "{\"steps\": [" STEP("a", "echo a") ", {\"name\": \"f\", \"action\": {\"func\": \"mine\", \"arg\": \"x\"}}, "
    STEP("b", "echo $x") "]}";

static fw_exec *handed(const char *options)
{
    fw_exec *exec = workflow_start(workflow, NULL, NULL, options);
    fw_event *event = NULL;
    do {
        fw_event_free(event);
        CHECK_INT(fw_exec_next_event(exec, -1, &event, NULL), FW_OK);
        REQUIRE(event != NULL);
    } while (fw_event_kind(event) != FW_EVENT_STEP_HANDED);
    CHECK_INT(fw_event_step(event), 1);
    char *text = NULL;
    CHECK_INT(fw_event_to_json(event, &text, NULL), FW_OK);
    json_t *json = json_loads(text, 0, NULL);
    CHECK_STR(json_string_value(json_object_get(json, "step")), "f");
    CHECK_STR(json_string_value(json_object_get(json, "rundir")), check_dir());
    json_decref(json);
    fw_string_free(text);
    fw_event_free(event);
    fw_result *none = NULL;
    CHECK_INT(fw_exec_wait(exec, 0, &none, NULL), FW_OK);
    CHECK(none == NULL);
    return exec;
}

static void *wait_for(void *exec)
{
    return exec_result(exec);
}

int main(void)
{
    fw_exec *exec = handed("{\"code\": \"host\"}");
    fw_error *error = NULL;
    CHECK_FAILS(fw_exec_report(exec, "{\"valu\": 1}", FW_STRLEN, &error), FW_E_DOCUMENT, &error, "\"value\"");
    CHECK_FAILS(fw_exec_report(exec, "{\"returncode\": 300}", FW_STRLEN, &error), FW_E_DOCUMENT, &error, "300");
    /* A thread that waits already is woken up. */
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, wait_for, exec) == 0);
    CHECK_OK(fw_exec_report(exec, "{\"value\": [1, 2], \"stdout\": [\"pri\", \"nted\"]}", FW_STRLEN, &error), &error);
    void *waited = NULL;
    pthread_join(thread, &waited);
    fw_result *result = waited;
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "printed");
    CHECK_OUTPUT(result, FW_STDOUT, 2, "[1,2]\n");
    fw_result_free(result);
    CHECK_FAILS(fw_exec_report(exec, "{}", FW_STRLEN, &error), FW_E_INVALID, &error, "no step waits");
    fw_exec_free(exec);

    exec = handed("{\"code\": \"host\"}");
    CHECK_OK(fw_exec_report(exec,
                            "{\"returncode\": 1, \"exception\": {\"type\": \"E\", \"message\": \"it broke\", \"trace\": \"t\"}}",
                            FW_STRLEN, &error),
             &error);
    result = exec_result(exec);
    CHECK_EXITED(result, 1);
    CHECK(strstr(fw_result_message(result), "raised E: it broke") != NULL);
    CHECK_INT(fw_result_step_count(result), 2);
    fw_result_free(result);
    fw_exec_free(exec);

    exec = handed("{\"code\": \"host\"}");
    fw_exec_cancel(exec);
    result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    fw_result_free(result);
    fw_exec_free(exec);

    exec = handed("{\"code\": \"host\", \"deadline\": 0.3}");
    result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    CHECK(strstr(fw_result_message(result), "the workflow's deadline of 0.3 s had passed") != NULL);
    fw_result_free(result);
    fw_exec_free(exec);

    exec = START(NULL, "true");
    CHECK_FAILS(fw_exec_report(exec, "{}", FW_STRLEN, &error), FW_E_INVALID, &error, "runs this step itself");
    exec_end(exec);
    return check_done();
}
