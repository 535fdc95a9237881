/* A mapping to a worker that the pool does not have is an error only when the worker is asked for. The error names
 * the step and the worker. */
#include "run.h"

int main(void)
{
    fw_pool *pool = check_pool("{\"workers\": [{\"name\": \"local\", \"type\": \"subprocess\"}],"
                               " \"managers\": {\"count words\": \"locl\", \"b\": \"local\"}}");
    fw_step *bad = run_step("count words", (const char *const[]){"true", NULL});
    fw_step *good = run_step("b", (const char *const[]){"true", NULL});
    for (int i = 0; i < 2; i++) {
        const fw_worker *worker = NULL;
        fw_error *error = NULL;
        fw_status status = fw_pool_get(pool, bad, &worker, &error);
        CHECK_HAS(fw_error_message(error), "\"count words\"");
        CHECK_HAS(fw_error_message(error), "\"locl\"");
        CHECK_REFUSED(status, FW_E_UNKNOWN, &error, NULL, "did you mean \"local\"?");
        CHECK_OK(fw_pool_get(pool, good, &worker, &error), &error);
        CHECK_OK(fw_pool_default_worker(pool, bad, &worker, &error), &error);
    }
    fw_step_free(good);
    fw_step_free(bad);
    fw_pool_free(pool);
    return check_done();
}
