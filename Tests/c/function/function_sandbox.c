/* No sandbox bounds a function of the host, so a worker with one refuses it when it plans the step. */
#include "function.h"

static void never(fw_call *call, void *payload)
{
    (void)call, (void)payload;
    CHECK(false);
}

int main(void)
{
    static const char *const options[] = {"true", "{\"processes\": \"host\", \"private_tmp\": false}", "false"};
    for (size_t at = 0; at < 3; at++) {
        char document[256];
        snprintf(document, sizeof document,
                 "{\"workers\": [{\"name\": \"w\", \"type\": \"code\", \"options\": {\"sandbox\": %s}}], \"managers\": "
                 "{\"s\": \"w\"}}",
                 options[at]);
        fw_error *error = NULL;
        fw_pool *pool = NULL;
        REQUIRE(fw_pool_create(document, FW_ZERO_TERMINATED, &pool, &error) == FW_OK);
        CHECK_OK(fw_function_register(pool, "area", NULL, 0, never, NULL, NULL, &error), &error);
        fw_step *step = function_step("area", NULL, NULL);
        const fw_worker *worker = NULL;
        REQUIRE(fw_pool_get(pool, step, &worker, &error) == FW_OK);
        char *plan = NULL;
        if (at == 2) {
            CHECK_OK(fw_worker_plan(worker, step, NULL, check_dir(), &plan, &error), &error);
            CHECK_HAS(plan, "\"is_registered\":true");
            fw_string_free(plan);
        } else {
            fw_result *result = NULL;
            CHECK_FAILS(fw_worker_plan(worker, step, NULL, check_dir(), &plan, &error), FW_E_DOCUMENT, &error,
                        "a function of the host, which no sandbox bounds");
            CHECK_FAILS(fw_worker_exec(worker, step, NULL, check_dir(), &result, &error), FW_E_DOCUMENT, &error,
                        "a function of the host, which no sandbox bounds");
        }
        fw_step_free(step);
        fw_pool_free(pool);
    }
    return check_done();
}
