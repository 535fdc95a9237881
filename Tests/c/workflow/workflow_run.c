/* A workflow runs its steps in order until one fails. Its result is that of the last step, with the output of all
 * steps; the result of each step can be borrowed from it. Values of code steps are set in the host's context. */
#include "workflow.h"

static void succeeds(void)
{
    fw_context *context = check_context("{\"name\": \"World\"}");
    fw_result *result =
        workflow_run("{\"parameters\": {\"who\": \"$[[name]]\"}, \"steps\": [" STEP(
                         "a", "echo Hello $who; echo one >&2") ", " STEP("b", "true") ", " STEP("c", "echo $name") "]}",
                     NULL, context, NULL);
    CHECK_EXITED(result, 0);
    CHECK(fw_result_message(result) == NULL);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 2);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "Hello World\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "name\n"); /* the workflow does not list it */
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 1);
    CHECK(fw_result_output(result, FW_STDOUT, 2, NULL) == NULL);
    CHECK_INT(fw_result_step_count(result), 3);
    const fw_result *last = fw_result_step(result, 2);
    CHECK_STR(fw_result_name(last), "c");
    CHECK_INT(fw_result_index(last), 2);
    CHECK_INT(fw_result_instance(last), -1);
    CHECK(fw_result_name(result) == NULL);
    CHECK_INT(fw_result_index(result), -1);
    CHECK_INT(fw_result_instance(result), -1);
    CHECK_OUTPUT(last, FW_STDOUT, 0, "name\n");
    CHECK_INT(fw_result_step_count(last), 0);
    CHECK(fw_result_step(result, 3) == NULL);
    CHECK(fw_result_step(result, (size_t)-1) == NULL);
    fw_result_free((fw_result *)last); /* the result is borrowed, so freeing it does nothing */
    CHECK_OUTPUT(fw_result_step(result, 2), FW_STDOUT, 0, "name\n");

    char *text = NULL;
    CHECK_INT(fw_context_get(context, "who", &text, NULL), FW_OK);
    CHECK_STR(text, "\"World\"");
    fw_string_free(text);

    CHECK_INT(fw_result_to_json(result, &text, NULL), FW_OK);
    json_t *json = json_loads(text, 0, NULL);
    CHECK_INT(json_array_size(json_object_get(json, "steps")), 3);
    CHECK_INT(json_integer_value(json_object_get(json, "total")), 3);
    CHECK_INT(json_integer_value(json_object_get(json, "restored")), 0);
    CHECK_STR(json_string_value(json_object_get(json_object_get(json, "context"), "who")), "World");
    CHECK(json_object_get(json_object_get(json, "context"), "name") == NULL);
    CHECK_STR(json_string_value(json_object_get(json_array_get(json_object_get(json, "steps"), 1), "step")), "b");
    json_decref(json);
    fw_string_free(text);
    fw_result_free(result);
    fw_context_free(context);
}

static void fails(void)
{
    fw_result *result = workflow_run(
        "{\"steps\": [" STEP("a", "echo a") ", " STEP("b", "echo b; kill -9 $$$$") ", " STEP("c", "echo c") "]}", NULL,
        NULL, NULL);
    CHECK_INT(fw_result_outcome(result), FW_SIGNALED);
    CHECK_INT(fw_result_returncode(result), -9);
    CHECK(strstr(fw_result_message(result), "step \"b\"") != NULL);
    CHECK_INT(fw_result_step_count(result), 2);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 2);
    fw_result_free(result);
}

/** The pool and the workflow may be freed during the run. */
static void keeps_what_it_needs(void)
{
    fw_pool *pool = check_pool("{\"workers\": [{\"name\": \"w\", \"type\": \"subprocess\", \"variables\": {\"x\": 1}}],"
                               " \"managers\": {\"a\": \"w\", \"b\": \"w\"}}");
    fw_exec *exec =
        workflow_start("{\"steps\": [" STEP("a", "echo a$x") ", " STEP("b", "echo b$x") "]}", pool, NULL, NULL);
    fw_pool_free(pool);
    fw_result *result = exec_result(exec);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "b1\n");
    fw_exec_free(exec);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "a1\n");
    fw_result_free(result);
}

int main(void)
{
    succeeds();
    fails();
    keeps_what_it_needs();
    return check_done();
}
