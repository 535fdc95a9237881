/* Handles may be freed in every order, and each stays valid until it is freed itself, even if the handles that it was
 * made with are freed before it. */
#include "orders.h"
#include "run.h"

enum { POOL, STEP, CONTEXT, WORKER, RESULT, ERROR, HANDLES };

struct handles {
    bool alive[HANDLES];
    fw_pool *pool;
    fw_step *step;
    fw_context *context;
    fw_worker *worker;
    fw_result *result;
    fw_error *error;
};

static struct handles make(void)
{
    struct handles h;
    memset(h.alive, true, sizeof h.alive);
    h.pool = check_pool("{\"workers\": [{\"name\": \"lent\", \"type\": \"subprocess\"}],"
                        " \"managers\": {\"s\": \"lent\", \"t\": \"missing\"}}");
    h.worker = run_worker(NULL);
    h.context = check_context("{\"who\": \"you\"}");
    h.step = run_step("s", (const char *const[]){"", NULL});
    const fw_worker *lent = NULL;
    CHECK_INT(fw_pool_get(h.pool, h.step, &lent, NULL), FW_OK);
    h.result = run_exec(lent, h.step, h.context, check_dir());
    fw_step *unknown = run_step("t", (const char *const[]){"", NULL});
    CHECK_INT(fw_pool_get(h.pool, unknown, &lent, &h.error), FW_E_UNKNOWN);
    fw_step_free(unknown);
    return h;
}

/** Checks that every handle that is not freed still has its values. */
static void look(const struct handles *h)
{
    fw_error *error = NULL;
    char *text = NULL;
    const fw_worker *lent = NULL;
    if (h->alive[POOL] && h->alive[STEP]) {
        CHECK_OK(fw_pool_get(h->pool, h->step, &lent, &error), &error);
        CHECK_STR(fw_worker_name(lent), "lent");
    }
    if (h->alive[STEP])
        CHECK_STR(fw_step_name(h->step), "s");
    if (h->alive[WORKER])
        CHECK_STR(fw_worker_name(h->worker), "w");
    if (h->alive[CONTEXT]) {
        CHECK_OK(fw_context_get(h->context, "who", &text, &error), &error);
        CHECK_STR(text, "\"you\"");
        fw_string_free(text);
    }
    if (h->alive[RESULT]) {
        json_t *result = run_json(h->result);
        CHECK_STR(json_string_value(json_object_get(result, "step")), "s");
        CHECK_STR(json_string_value(json_object_get(result, "worker")), "lent");
        json_decref(result);
    }
    if (h->alive[ERROR])
        CHECK_HAS(fw_error_message(h->error), "missing");
    if (h->alive[WORKER] && h->alive[STEP])
        fw_result_free(run_exec(h->worker, h->step, h->alive[CONTEXT] ? h->context : NULL, check_dir()));
}

static void release(struct handles *h, int which)
{
    h->alive[which] = false;
    switch (which) {
    case POOL:
        fw_pool_free(h->pool);
        break;
    case STEP:
        fw_step_free(h->step);
        break;
    case CONTEXT:
        fw_context_free(h->context);
        break;
    case WORKER:
        fw_worker_free(h->worker);
        break;
    case RESULT:
        fw_result_free(h->result);
        break;
    default:
        fw_error_free(h->error);
        break;
    }
}

static void release_in_order(const int *order)
{
    struct handles h = make();
    look(&h);
    for (int i = 0; i < HANDLES; i++) {
        release(&h, order[i]);
        look(&h);
    }
}

int main(void)
{
    int order[HANDLES] = {POOL, STEP, CONTEXT, WORKER, RESULT, ERROR};
    CHECK_INT(for_each_order(order, HANDLES, 0, release_in_order), 720);
    return check_done();
}
