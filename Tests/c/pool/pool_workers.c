/* The workers of a configuration are counted, named in the order of the document, and found by their names, without
 * being created before they are asked for. */
#include "run.h"

static fw_error *error;

static void finds_by_name(fw_pool *pool)
{
    static const char *const names[] = {"b", "a", "a\xCC\x8A", "\xC3\xA5"};
    CHECK_INT(fw_pool_worker_count(pool), 4);
    for (size_t i = 0; i < 4; i++) {
        const fw_worker *worker = NULL, *again = NULL;
        CHECK_STR(fw_pool_worker_name(pool, i), names[i]);
        CHECK(fw_pool_worker_name(pool, i) == fw_pool_worker_name(pool, i));
        CHECK_OK(fw_pool_worker(pool, fw_pool_worker_name(pool, i), &worker, &error), &error);
        CHECK_OK(fw_pool_worker(pool, names[i], &again, &error), &error);
        CHECK(worker != NULL && worker == again);
        CHECK_STR(fw_worker_name(worker), names[i]);
    }
    CHECK(fw_pool_worker_name(pool, 4) == NULL);
    CHECK(fw_pool_worker_name(pool, SIZE_MAX) == NULL);

    /* The worker is the one that steps get. */
    fw_step *step = run_step("s", (const char *const[]){"true", NULL});
    const fw_worker *worker = NULL, *named = NULL;
    CHECK_OK(fw_pool_get(pool, step, &worker, &error), &error);
    CHECK_OK(fw_pool_worker(pool, "a", &named, &error), &error);
    CHECK(worker == named);
    CHECK_STR(fw_worker_type(named), "code");
    fw_step_free(step);

    CHECK_FAILS(fw_pool_worker(pool, "aa", &worker, &error), FW_E_UNKNOWN, &error, "the pool has no worker \"aa\"");
    CHECK(worker == NULL);
    CHECK_FAILS(fw_pool_worker(pool, "", &worker, &error), FW_E_UNKNOWN, &error, "\"\"");
    CHECK_FAILS(fw_pool_worker(pool, "\xFF", &worker, &error), FW_E_INVALID, &error, "\"name\"");
}

int main(void)
{
    const char *config =
        "{\"workers\": [{\"name\": \"b\", \"type\": \"subprocess\"}, {\"name\": \"a\", \"type\": \"code\"},"
        " {\"name\": \"a\xCC\x8A\", \"type\": \"code\"}, {\"name\": \"\xC3\xA5\", \"type\": \"code\"}],"
        " \"managers\": {\"s\": \"a\"}}";
    fw_pool *pool = check_pool(config);
    finds_by_name(pool);
    fw_pool_free(pool);
    json_t *value = json_loads(config, 0, NULL);
    CHECK_OK(fw_pool_create_from(value, &pool, &error), &error);
    finds_by_name(pool);
    json_decref(value);
    fw_pool_free(pool);

    /* Default workers are none of the configuration. */
    pool = check_pool("[]");
    fw_step *step = run_step("s", (const char *const[]){"true", NULL});
    const fw_worker *worker = NULL;
    CHECK_OK(fw_pool_get(pool, step, &worker, &error), &error);
    CHECK_INT(fw_pool_worker_count(pool), 0);
    CHECK(fw_pool_worker_name(pool, 0) == NULL);
    CHECK_FAILS(fw_pool_worker(pool, fw_worker_name(worker), &worker, &error), FW_E_UNKNOWN, &error, "no worker");
    fw_step_free(step);
    fw_pool_free(pool);
    return check_done();
}
