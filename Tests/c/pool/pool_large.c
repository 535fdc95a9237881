/* A pool of 100,000 workers, from a text or from a value, finds each of them. */
#include "run.h"

static void finds(fw_pool *pool, int number)
{
    char text[200], name[32];
    snprintf(text, sizeof text, "{\"name\": \"step %d\", \"action\": {\"environment\": \"\", \"commands\": []}}",
             number);
    snprintf(name, sizeof name, "worker %d", number);
    fw_step *step = check_step(text);
    const fw_worker *worker = NULL, *again = NULL;
    CHECK_INT(fw_pool_get(pool, step, &worker, NULL), FW_OK);
    CHECK_INT(fw_pool_get(pool, step, &again, NULL), FW_OK);
    CHECK_STR(fw_worker_name(worker), name);
    CHECK(worker == again);
    fw_step_free(step);
}

int main(void)
{
    int count = check_times(100000, 2000);
    json_t *workers = json_array(), *managers = json_object();
    for (int i = 0; i < count; i++) {
        char name[32], step[32];
        snprintf(name, sizeof name, "worker %d", i);
        snprintf(step, sizeof step, "step %d", i);
        json_array_append_new(workers,
                              json_pack("{s:s, s:s, s:{s:i}}", "name", name, "type", "subprocess", "env", "NUMBER", i));
        json_object_set_new(managers, step, json_string(name));
    }
    json_t *config = json_pack("{s:o, s:o}", "workers", workers, "managers", managers);
    char *text = json_dumps(config, 0);
    fw_error *error = NULL;
    for (int form = 0; form < 2; form++) {
        fw_pool *pool = NULL;
        if (form == 0)
            CHECK_OK(fw_pool_create(text, FW_ZERO_TERMINATED, &pool, &error), &error);
        else
            CHECK_OK(fw_pool_create_from(config, &pool, &error), &error);
        for (int i = 0; i < count; i += 7)
            finds(pool, i);
        finds(pool, count - 1);
        CHECK_INT(fw_pool_worker_count(pool), count);
        for (int i = 0; i < count; i++) {
            char name[32];
            snprintf(name, sizeof name, "worker %d", i);
            CHECK_STR(fw_pool_worker_name(pool, (size_t)i), name);
        }
        fw_pool_free(pool);
    }
    free(text);

    /* Two workers with one name, far apart in the document. */
    fw_pool *pool = NULL;
    json_array_append_new(workers, json_pack("{s:s, s:s}", "name", "worker 3", "type", "code"));
    text = json_dumps(config, 0);
    char path[64];
    snprintf(path, sizeof path, "/workers/%d/name", count);
    CHECK_REFUSED(fw_pool_create(text, FW_ZERO_TERMINATED, &pool, &error), FW_E_DOCUMENT, &error, path, "/workers/3");
    free(text);
    json_decref(config);
    return check_done();
}
