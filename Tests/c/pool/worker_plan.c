/* fw_worker_plan() returns what would run, with secrets masked, and runs nothing. */
#include "check.h"

#include <unistd.h>

int main(void)
{
    fw_worker *worker = check_worker("{\"name\": \"w\", \"type\": \"subprocess\", \"env\": {\"KEY\": \"hunter22\"},"
                                     " \"secrets\": [\"KEY\", \"token\"]}");
    fw_step *step =
        check_step("{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": [\"touch $made\"]}}");
    fw_context *context = check_context("{\"made\": \"made\", \"token\": \"0815-4711\"}");
    fw_error *error = NULL;
    char *text = NULL;
    CHECK_STR(fw_worker_secrets(worker), "[\"KEY\",\"token\"]");
    CHECK_OK(fw_worker_plan(worker, step, context, check_dir(), &text, &error), &error);
    json_t *plan = json_loads(text, 0, NULL);
    REQUIRE(plan != NULL);
    CHECK_JSON(json_object_get(plan, "commands"), json_pack("[s]", "touch made"));
    CHECK_JSON(json_object_get(plan, "environment"), json_pack("{ssss}", "KEY", "***", "token", "***"));
    CHECK_JSON(json_object_get(plan, "processes"), json_pack("[[sss]]", "/bin/sh", "-c", "touch made"));
    CHECK(strstr(text, "hunter22") == NULL && strstr(text, "0815") == NULL);
    char path[4096];
    snprintf(path, sizeof path, "%s/made", check_dir());
    CHECK(access(path, F_OK) != 0);
    json_decref(plan);
    fw_string_free(text);
    fw_context_free(context);
    fw_step_free(step);
    fw_worker_free(worker);
    return check_done();
}
