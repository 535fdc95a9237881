/* Optional arguments may be NULL. */
#include "events.h"

int main(void)
{
    fw_error *error = NULL;
    char *json = NULL;

    CHECK_OK(fw_spec_worker("docker", NULL, NULL, 0, NULL, 0, NULL, NULL, 0, &json, &error), &error);
    fw_string_free(json);
    CHECK_OK(fw_spec_code(NULL, NULL, NULL, 0, &json, &error), &error);
    fw_string_free(json);
    CHECK_OK(fw_spec_subprocess(NULL, NULL, 0, NULL, 0, NULL, NULL, 0, &json, &error), &error);
    fw_string_free(json);
    CHECK_OK(fw_spec_docker(NULL, NULL, 0, NULL, 0, NULL, NULL, 0, &json, &error), &error);
    fw_string_free(json);
    CHECK_OK(fw_spec_notebook(NULL, NULL, NULL, 0, &json, &error), &error);
    fw_string_free(json);

    /* The length that goes with a NULL text is ignored. */
    const size_t lengths[] = {0, 5, FW_ZERO_TERMINATED};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        fw_context *context = NULL;
        CHECK_OK(fw_context_create(NULL, lengths[i], &context, &error), &error);
        CHECK_OK(fw_context_to_json(context, &json, &error), &error);
        CHECK_STR(json, "{}");
        fw_string_free(json);
        fw_context_free(context);
    }

    fw_result *result = RUN("echo $name"); /* run with no context */
    CHECK_OUTPUT(result, FW_STDOUT, 0, "name\n");
    CHECK(fw_result_output(result, FW_STDOUT, 0, NULL) != NULL);
    fw_result_free(result);

    /* A step is started without a context and options, and its values are read without pointers for a length or an
     * error. */
    fw_exec *exec = START(NULL, "echo $name");
    fw_event *event = NULL;
    do {
        fw_event_free(event);
        CHECK_INT(fw_exec_next_event(exec, -1, &event, NULL), FW_OK);
    } while (event != NULL && fw_event_kind(event) != FW_EVENT_OUTPUT);
    CHECK_STR(fw_event_data(event, NULL), "name\n");
    CHECK_INT(fw_event_to_json(event, &json, NULL), FW_OK);
    fw_string_free(json);
    fw_event_free(event);
    CHECK_INT(fw_exec_wait(exec, -1, &result, NULL), FW_OK);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "name\n");
    fw_result_free(result);
    fw_exec_free(exec);
    return check_done();
}
