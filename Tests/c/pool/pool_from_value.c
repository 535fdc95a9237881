/* fw_pool_create_from() makes a pool from a jansson value, which still belongs to the host afterwards. */
#include "run.h"

int main(void)
{
    json_t *config = json_pack("{s:[{s:s, s:s, s:{s:i}}], s:{s:s}}", "workers", "name", "a", "type", "subprocess",
                               "variables", "n", 3, "managers", "s", "a");
    json_t *copy = json_deep_copy(config);
    json_t *worker = json_array_get(json_object_get(config, "workers"), 0);
    fw_pool *pool = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_pool_create_from(config, &pool, &error), &error);
    CHECK_INT(config->refcount, 1);
    CHECK_INT(worker->refcount, 1);
    CHECK(json_equal(config, copy));

    /* The pool has copied the value, so later changes of the value do not matter. */
    json_object_set_new(worker, "variables", json_pack("{s:i}", "n", 4));
    json_decref(config);
    fw_step *step = run_step("s", (const char *const[]){"echo $n", NULL});
    const fw_worker *lent = NULL;
    CHECK_OK(fw_pool_get(pool, step, &lent, &error), &error);
    CHECK_STR(fw_worker_name(lent), "a");
    fw_result *result = run_exec(lent, step, NULL, check_dir());
    CHECK_OUTPUT(result, FW_STDOUT, 0, "3\n");
    fw_result_free(result);
    fw_step_free(step);
    fw_pool_free(pool);

    /* A refused value stays unchanged, too. */
    json_array_append_new(json_object_get(copy, "workers"), json_pack("{s:s}", "name", "b"));
    json_t *again = json_deep_copy(copy);
    fw_status status = fw_pool_create_from(copy, &pool, &error);
    CHECK_INT(fw_error_line(error), 0);
    CHECK_INT(fw_error_column(error), 0);
    CHECK_REFUSED(status, FW_E_DOCUMENT, &error, "/workers/1", "type");
    CHECK_INT(copy->refcount, 1);
    CHECK(json_equal(copy, again));
    json_decref(again);
    json_decref(copy);

    /* Every kind of value that is not a configuration is refused. */
    json_t *wrong[] = {json_null(), json_true(), json_false(), json_integer(1), json_real(1.5), json_string("[]")};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        CHECK_REFUSED(fw_pool_create_from(wrong[i], &pool, &error), FW_E_DOCUMENT, &error, "", "");
        json_decref(wrong[i]);
    }
    return check_done();
}
