/* Where NULL means "none", it is taken. */
#include "run.h"

int main(void)
{
    fw_error *error = NULL;
    char *json = NULL;

    CHECK_OK(fw_spec_worker("docker", NULL, NULL, NULL, NULL, &json, &error), &error);
    fw_string_free(json);
    CHECK_OK(fw_spec_code(NULL, NULL, &json, &error), &error);
    fw_string_free(json);
    CHECK_OK(fw_spec_subprocess(NULL, NULL, NULL, NULL, &json, &error), &error);
    fw_string_free(json);
    CHECK_OK(fw_spec_docker(NULL, NULL, NULL, NULL, &json, &error), &error);
    fw_string_free(json);
    CHECK_OK(fw_spec_notebook(NULL, NULL, &json, &error), &error);
    fw_string_free(json);

    /* The length of no text is not looked at. */
    const size_t lengths[] = {0, 5, FW_STRLEN};
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
    return check_done();
}
