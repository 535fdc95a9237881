/* The handles that an exec was started with may be freed at once, and the exec before or after its events and
 * results: the handles of a running step may be freed in every order. */
#include "events.h"
#include "orders.h"

enum { POOL, STEP, CONTEXT, EXEC, EVENT, RESULT, HANDLES };

struct handles {
    bool alive[HANDLES];
    fw_pool *pool;
    fw_step *step;
    fw_context *context;
    fw_exec *exec;
    fw_event *event;
    fw_result *result;
};

static int gate;

/** Makes a running step whose first event has been taken, and the result of an earlier step. */
static struct handles make(void)
{
    struct handles h;
    memset(h.alive, true, sizeof h.alive);
    h.pool = check_pool("{\"workers\": [{\"name\": \"lent\", \"type\": \"subprocess\", \"env\": {\"A\": \"value\"}}],"
                        " \"managers\": {\"s\": \"lent\"}}");
    h.context = check_context("{\"who\": \"you\"}");
    h.step = run_step("s", (const char *const[]){"read line < gate", "echo $who $$A", NULL});
    const fw_worker *lent = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_pool_get(h.pool, h.step, &lent, &error), &error);
    fw_exec *first = NULL;
    CHECK_OK(fw_exec_start(lent, h.step, h.context, check_dir(), NULL, 0, &first, &error), &error);
    REQUIRE(first != NULL);
    fw_exec_cancel(first);
    h.result = exec_result(first);
    fw_exec_free(first);
    CHECK_OK(fw_exec_start(lent, h.step, h.context, check_dir(), NULL, 0, &h.exec, &error), &error);
    REQUIRE(h.exec != NULL);
    h.event = event_expect(h.exec, FW_EVENT_STEP_STARTED);
    return h;
}

/** Checks that every handle that is not freed still has its values. */
static void look(const struct handles *h)
{
    if (h->alive[EVENT]) {
        json_t *json = event_json(h->event);
        CHECK_STR(json_string_value(json_object_get(json, "worker")), "lent");
        json_decref(json);
    }
    if (h->alive[RESULT])
        CHECK_INT(fw_result_outcome(h->result), FW_CANCELLED);
    if (h->alive[EXEC])
        CHECK(exec_runs(h->exec));
}

/** The step continues after other handles are freed, and ends before its exec is freed. */
static void finish(fw_exec *exec)
{
    gate_pass(gate);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "you value\n");
    fw_exec_free(exec);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "you value\n");
    fw_result_free(result);
}

/** handle/lifetimes frees other handles, so each of the two programs has a switch of its own. */
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
    case EXEC:
        finish(h->exec);
        break;
    case EVENT:
        fw_event_free(h->event);
        break;
    default:
        fw_result_free(h->result);
        break;
    }
}

static void release_in_order(const int *order)
{
    struct handles h = make();
    for (int i = 0; i < HANDLES; i++) {
        look(&h);
        release(&h, order[i]);
    }
}

/** A worker that belongs to the host may be freed while its step runs, like a lent one. */
static void own_worker(void)
{
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"read line < gate", "echo you value", NULL});
    fw_exec *exec = start_step(worker, step, NULL);
    fw_worker_free(worker);
    fw_step_free(step);
    finish(exec);
}

int main(void)
{
    gate = gate_make("gate");
    int order[HANDLES] = {POOL, STEP, CONTEXT, EXEC, EVENT, RESULT};
    CHECK_INT(for_each_order(order, HANDLES, 0, release_in_order), 720);
    own_worker();
    close(gate);
    return check_done();
}
