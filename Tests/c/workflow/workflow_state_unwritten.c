/* If a record cannot be written to the state directory, as on a full disk, the run fails at its end although its
 * steps have run, and the records that were written let the next run continue. Here the host's limit of file sizes
 * prevents the write. */
#include "workflow.h"

#include <sys/resource.h>

static fw_result *run(fw_pool *pool)
{
    char options[4200];
    snprintf(options, sizeof options, "{\"state\": \"%s/state\"}", check_dir());
    return workflow_run(
        "{\"steps\": [{\"name\": \"a\", \"action\": {\"environment\": \"\", \"commands\": [\"yes | head -c 9999\"]}}, "
        "{\"name\": \"b\", \"action\": {\"environment\": \"\", \"commands\": [\"echo done\"]}}]}",
        pool, NULL, options);
}

int main(void)
{
    fw_pool *pool = check_pool("[]");
    struct rlimit before, limit;
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 4096;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &limit), 0);
    fw_result *result = run(pool);
    CHECK_INT(fw_result_outcome(result), FW_VOLUME_FAILED);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK_INT(fw_result_step_count(result), 2);
    CHECK_INT(fw_result_outcome(fw_result_step(result, 1)), FW_EXITED);
    const char *message = fw_result_message(result);
    REQUIRE(message != NULL);
    CHECK(strstr(message, "the steps succeeded, but the workflow failed; its state could not be stored") != NULL);
    CHECK(strstr(message, "File too large") != NULL);
    fw_result_free(result);

    CHECK_INT(setrlimit(RLIMIT_FSIZE, &before), 0);
    for (int kept = 0; kept <= 2; kept += 2) {
        result = run(pool);
        CHECK_INT(fw_result_outcome(result), FW_EXITED);
        CHECK_STR(fw_result_message(result), NULL);
        char *json = NULL;
        char wanted[32];
        snprintf(wanted, sizeof wanted, "\"restored\":%d,", kept);
        CHECK_INT(fw_result_to_json(result, &json, NULL), FW_OK);
        CHECK(strstr(json, wanted) != NULL);
        fw_string_free(json);
        fw_result_free(result);
    }
    fw_pool_free(pool);
    return check_done();
}
