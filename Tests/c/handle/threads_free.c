/* Many threads at the same time may create and free handles that share objects. */
#include "run.h"
#include "threads.h"

static fw_pool *pool;

static void make_and_free(int number)
{
    int times = check_times(200, 5);
    for (int i = 0; i < times; i++) {
        char text[100], config[200];
        snprintf(text, sizeof text, "step %d", number % 4);
        fw_step *step = run_step(text, (const char *const[]){"", NULL});
        fw_context *context = check_context("{\"a\": [1, 2, 3]}");
        const fw_worker *lent = NULL;
        CHECK_INT(fw_pool_get(pool, step, &lent, NULL), FW_OK);
        fw_result *result = run_exec(lent, step, context, check_directory);
        fw_context_free(context);
        fw_step_free(step);
        CHECK_EXITED(result, 0);
        fw_result_free(result);
        snprintf(config, sizeof config, "[{\"name\": \"%d\", \"type\": \"code\"}, {\"name\": \"%d\"}]", number, number);
        fw_pool *none = NULL;
        fw_error *error = NULL;
        CHECK_FAILS(fw_pool_create(config, FW_ZERO_TERMINATED, &none, &error), FW_E_DOCUMENT, &error, "");
    }
}

int main(void)
{
    check_dir();
    pool = check_pool(
        "{\"workers\": [{\"name\": \"a\", \"type\": \"subprocess\"}, {\"name\": \"b\", \"type\": \"subprocess\"}],"
        " \"managers\": {\"step 0\": \"a\", \"step 1\": \"b\", \"step 2\": \"a\"}}");
    in_threads(make_and_free);
    fw_pool_free(pool);
    return check_done();
}
