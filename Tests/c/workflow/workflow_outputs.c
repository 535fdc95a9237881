/* A key names a file or a folder, with or without "/" at its end. A file that existed before a step counts as its
 * output only if the step has changed it, or with `kept`. */
#include "workflow.h"

/** A pool with a worker "w" for the step "s", whose volume is a directory of its own. */
static fw_pool *pool_elsewhere(void)
{
    char *json = NULL;
    REQUIRE(asprintf(&json,
                     "{\"workers\": [{\"name\": \"w\", \"type\": \"subprocess\", \"volume\": \"v\"}], \"managers\": "
                     "{\"s\": \"w\"},"
                     " \"volumes\": [{\"name\": \"v\", \"type\": \"fs\", \"args\": {\"basedir\": \"%s/elsewhere\"}}]}",
                     check_dir()) > 0);
    fw_pool *pool = check_pool(json);
    free(json);
    return pool;
}

static fw_result *run(fw_pool *pool, const char *files, const char *command)
{
    char *json = NULL;
    REQUIRE(asprintf(&json,
                     "{\"files\": {%s}, \"steps\": [{\"name\": \"s\", \"files\": {%s}, \"action\":"
                     " {\"environment\": \"\", \"commands\": [\"%s\"]}}]}",
                     files, files, command) > 0);
    fw_result *result = workflow_run(json, pool, NULL, NULL);
    free(json);
    return result;
}

static void ends(fw_pool *pool, const char *files, const char *command, int32_t outcome, const char *told)
{
    fw_result *result = run(pool, files, command);
    CHECK_INT(fw_result_outcome(result), outcome);
    if (told != NULL)
        CHECK_HAS(fw_result_message(result), told);
    fw_result_free(result);
}

int main(void)
{
    fw_pool *pool = pool_elsewhere();
    fw_pool *here = check_pool("{}");

    ends(here, "\"outputs\": [\"in/code\"]", "mkdir -p in/code; echo 1 > in/code/f", FW_EXITED, NULL);
    ends(pool, "\"inputs\": [\"in/code\"]", "cat in/code/f", FW_EXITED, NULL);
    ends(pool, "\"outputs\": [\"res\"]", "mkdir -p res/empty; echo 2 > res/f", FW_EXITED, NULL);
    char *path = check_path("res/f");
    CHECK_INT(access(path, R_OK), 0);
    free(path);
    path = check_path("res/empty");
    CHECK_INT(access(path, X_OK), 0);
    free(path);

    ends(pool, "\"outputs\": [\"res\"]", "true", FW_OUTPUT_MISSING, "it existed before the step");
    ends(pool, "\"outputs\": [\"res\"], \"kept\": true", "true", FW_EXITED, NULL);
    ends(pool, "\"outputs\": [\"none/\"]", "true", FW_OUTPUT_MISSING, "it is an empty folder");
    for (int round = 0; round < 5; round++)
        ends(pool, "\"outputs\": [\"x\"]", "echo 1 > x", FW_EXITED, NULL);
    ends(pool, "\"outputs\": [\"x\"]", "true", FW_OUTPUT_MISSING, "its output \"x\"");

    /* "/" and a combining mark. */
    fw_workflow *workflow = NULL;
    fw_error *error = NULL;
    CHECK_INT(fw_workflow_create("{\"files\": {\"inputs\": [\"../\xCC\x81x\"]}, \"steps\": []}", FW_ZERO_TERMINATED,
                                 &workflow, &error),
              FW_E_DOCUMENT);
    fw_error_free(error);

    fw_pool_free(here);
    fw_pool_free(pool);
    return check_done();
}
