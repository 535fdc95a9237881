/* Runs one step, and prints the version of the library and which file the supervisor's program is. */
#include <flowworker.h>
#include <stdio.h>

static fw_status failed(const char *call, fw_status status, fw_error *error)
{
    fprintf(stderr, "%s: %s\n", call, fw_error_message(error));
    fw_error_free(error);
    return status;
}

int main(void)
{
    /* The parent of a command is its monitor, which the supervisor has forked. $$ is a $ of the shell. */
    static const char document[] = "{\"name\": \"who\", \"action\": {\"environment\": \"\","
                                   " \"commands\": [\"readlink /proc/$$PPID/exe\"]}}";
    fw_pool *pool = NULL;
    fw_step *step = NULL;
    const fw_worker *worker = NULL;
    fw_result *result = NULL;
    fw_error *error = NULL;
    fw_status status = fw_pool_create("[]", FW_ZERO_TERMINATED, &pool, &error);

    if (status == FW_OK)
        status = fw_step_create(document, FW_ZERO_TERMINATED, &step, &error);
    if (status == FW_OK)
        status = fw_pool_get(pool, step, &worker, &error);
    if (status == FW_OK)
        status = fw_worker_exec(worker, step, NULL, "/tmp", &result, &error);
    if (status == FW_OK) {
        printf("%s\n", fw_version());
        if (fw_result_returncode(result) == 0)
            fputs(fw_result_output(result, FW_STDOUT, 0, NULL), stdout);
        else
            puts(fw_result_message(result));
    } else {
        failed("the step", status, error);
    }
    fw_result_free(result);
    fw_step_free(step);
    fw_pool_free(pool);
    return status != FW_OK;
}
