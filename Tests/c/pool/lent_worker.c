/* fw_worker_free() does nothing to a worker that a pool has lent; it lives as long as the pool. */
#include "run.h"

int main(void)
{
    fw_pool *pool = check_pool("{\"workers\": [{\"name\": \"a\", \"type\": \"subprocess\"}],"
                               " \"managers\": {\"s\": \"a\"}}");
    fw_step *mapped = run_step("s", (const char *const[]){"echo here", NULL});
    fw_step *other = run_step("t", (const char *const[]){"echo here", NULL});
    fw_step *steps[] = {mapped, other};
    for (int i = 0; i < 2; i++) {
        const fw_worker *worker = NULL, *again = NULL;
        CHECK_INT(fw_pool_get(pool, steps[i], &worker, NULL), FW_OK);
        for (int j = 0; j < 3; j++)
            fw_worker_free((fw_worker *)worker);
        CHECK_INT(fw_pool_get(pool, steps[i], &again, NULL), FW_OK);
        CHECK(worker == again);
        CHECK_STR(fw_worker_type(worker), "subprocess");
        fw_result *result = run_exec(worker, steps[i], NULL, check_dir());
        CHECK_OUTPUT(result, FW_STDOUT, 0, "here\n");
        fw_result_free(result);
    }
    fw_pool_free(pool);
    fw_step_free(other);
    fw_step_free(mapped);
    return check_done();
}
