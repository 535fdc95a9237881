/* Each function that can fail returns FW_E_INVALID if a required argument is NULL, with an error that names the
 * argument, and sets its outputs to NULL. */
#include "events.h"

static fw_error *error;
static char garbage;

/** Makes a call with one argument NULL, with and without a pointer for the error. */
#define REFUSES(argument, function, ...)                               \
    do {                                                               \
        error = (fw_error *)(void *)&garbage;                          \
        fw_status status = function(__VA_ARGS__, &error);              \
        CHECK_FAILS(status, FW_E_INVALID, &error, "\"" argument "\""); \
        CHECK_INT(function(__VA_ARGS__, NULL), FW_E_INVALID);          \
    } while (0)

/** The same for a call with an output, which must be set to NULL. */
#define CLEARS(argument, output, function, ...)            \
    do {                                                   \
        output = (void *)&garbage;                         \
        REFUSES(argument, function, __VA_ARGS__, &output); \
        CHECK(output == NULL);                             \
    } while (0)

int main(void)
{
    fw_pool *pool = check_pool("[]"), *no_pool;
    fw_worker *worker = run_worker(NULL), *no_worker;
    fw_step *step = run_step("s", (const char *const[]){"true", NULL}), *no_step;
    fw_context *context = check_context("{}");
    fw_result *result = run_exec(worker, step, NULL, check_dir()), *no_result;
    fw_exec *exec = start_step(worker, step, NULL), *no_exec;
    fw_event *event = event_expect(exec, FW_EVENT_STEP_STARTED), *no_event;
    const fw_worker *no_lent;
    char *no_text;
    fw_workflow *workflow = NULL, *no_workflow;
    CHECK_OK(fw_workflow_create("{\"steps\": []}", FW_ZERO_TERMINATED, &workflow, &error), &error);

    CLEARS("type", no_text, fw_spec_worker, NULL, "x", NULL, 0, NULL, 0, NULL, NULL, 0);
    REFUSES("json", fw_spec_worker, "code", "x", NULL, 0, NULL, 0, NULL, NULL, 0, NULL);
    REFUSES("json", fw_spec_code, "x", NULL, NULL, 0, NULL);
    REFUSES("json", fw_spec_subprocess, "x", NULL, 0, NULL, 0, NULL, NULL, 0, NULL);
    REFUSES("json", fw_spec_docker, "x", NULL, 0, NULL, 0, NULL, NULL, 0, NULL);
    REFUSES("json", fw_spec_notebook, "x", NULL, NULL, 0, NULL);
    REFUSES("json", fw_spec_nbdocker, "x", NULL, 0, NULL, NULL, 0, NULL);
    REFUSES("json", fw_spec_slurm, "x", NULL, 0, NULL, 0, NULL, NULL, 0, NULL);

    CLEARS("json", no_step, fw_step_create, NULL, 0);
    CLEARS("json", no_step, fw_step_create, NULL, FW_ZERO_TERMINATED);
    REFUSES("step", fw_step_create, "{}", FW_ZERO_TERMINATED, NULL);

    REFUSES("context", fw_context_create, "{}", FW_ZERO_TERMINATED, NULL);
    REFUSES("context", fw_context_create, NULL, FW_ZERO_TERMINATED, NULL);
    CLEARS("context", no_text, fw_context_get, NULL, "a");
    CLEARS("name", no_text, fw_context_get, context, NULL);
    REFUSES("json", fw_context_get, context, "a", NULL);
    REFUSES("context", fw_context_set, NULL, "a", "1", FW_ZERO_TERMINATED);
    REFUSES("name", fw_context_set, context, NULL, "1", FW_ZERO_TERMINATED);
    REFUSES("json", fw_context_set, context, "a", NULL, FW_ZERO_TERMINATED);
    CLEARS("context", no_text, fw_context_to_json, NULL);
    REFUSES("json", fw_context_to_json, context, NULL);

    CLEARS("json", no_pool, fw_pool_create, NULL, FW_ZERO_TERMINATED);
    REFUSES("pool", fw_pool_create, "[]", FW_ZERO_TERMINATED, NULL);
    CLEARS("config", no_pool, fw_pool_create_from, NULL);
    json_t *config = json_array();
    REFUSES("pool", fw_pool_create_from, config, NULL);
    CHECK_INT(config->refcount, 1);
    json_decref(config);
    CLEARS("pool", no_lent, fw_pool_get, NULL, step);
    CLEARS("step", no_lent, fw_pool_get, pool, NULL);
    REFUSES("worker", fw_pool_get, pool, step, NULL);
    CLEARS("pool", no_lent, fw_pool_default_worker, NULL, step);
    CLEARS("step", no_lent, fw_pool_default_worker, pool, NULL);
    REFUSES("worker", fw_pool_default_worker, pool, step, NULL);

    CLEARS("json", no_worker, fw_worker_create, NULL, FW_ZERO_TERMINATED);
    REFUSES("worker", fw_worker_create, "{}", FW_ZERO_TERMINATED, NULL);

    CLEARS("pool", no_lent, fw_pool_worker, NULL, "w");
    CLEARS("name", no_lent, fw_pool_worker, pool, NULL);
    REFUSES("worker", fw_pool_worker, pool, "w", NULL);
    CLEARS("text", no_text, fw_quote_shell, NULL, 0);
    REFUSES("quoted", fw_quote_shell, "a", FW_ZERO_TERMINATED, NULL);
    CLEARS("text", no_text, fw_quote_json, NULL, FW_ZERO_TERMINATED);
    REFUSES("json", fw_quote_json, "a", FW_ZERO_TERMINATED, NULL);

    CLEARS("worker", no_result, fw_worker_exec_with, NULL, step, context, check_dir(), NULL, 0);
    CLEARS("step", no_result, fw_worker_exec_with, worker, NULL, context, check_dir(), NULL, 0);
    CLEARS("rundir", no_result, fw_worker_exec_with, worker, step, context, NULL, NULL, 0);
    REFUSES("result", fw_worker_exec_with, worker, step, context, check_dir(), NULL, 0, NULL);
    CLEARS("worker", no_result, fw_worker_exec, NULL, step, context, check_dir());
    CLEARS("step", no_result, fw_worker_exec, worker, NULL, context, check_dir());
    CLEARS("rundir", no_result, fw_worker_exec, worker, step, context, NULL);
    CLEARS("worker", no_text, fw_worker_plan, NULL, step, context, check_dir());
    CLEARS("step", no_text, fw_worker_plan, worker, NULL, context, check_dir());
    CLEARS("rundir", no_text, fw_worker_plan, worker, step, context, NULL);
    REFUSES("json", fw_worker_plan, worker, step, context, check_dir(), NULL);
    REFUSES("result", fw_worker_exec, worker, step, context, check_dir(), NULL);
    CLEARS("worker", no_exec, fw_exec_start, NULL, step, context, check_dir(), NULL, 0);
    CLEARS("step", no_exec, fw_exec_start, worker, NULL, context, check_dir(), "{}", FW_ZERO_TERMINATED);
    CLEARS("rundir", no_exec, fw_exec_start, worker, step, context, NULL, NULL, 0);
    REFUSES("exec", fw_exec_start, worker, step, context, check_dir(), NULL, 0, NULL);
    CLEARS("json", no_workflow, fw_workflow_create, NULL, FW_ZERO_TERMINATED);
    REFUSES("workflow", fw_workflow_create, "{}", FW_ZERO_TERMINATED, NULL);
    CLEARS("workflow", no_result, fw_workflow_run, NULL, pool, context, check_dir(), NULL, 0);
    REFUSES("result", fw_workflow_run, workflow, pool, context, check_dir(), NULL, 0, NULL);
    CLEARS("workflow", no_exec, fw_workflow_start, NULL, pool, context, check_dir(), NULL, 0);
    REFUSES("exec", fw_workflow_start, workflow, pool, context, check_dir(), NULL, 0, NULL);
    CLEARS("workflow", no_text, fw_workflow_plan, NULL, pool, context, check_dir(), NULL, 0);
    REFUSES("json", fw_workflow_plan, workflow, pool, context, check_dir(), NULL, 0, NULL);
    CLEARS("exec", no_event, fw_exec_next_event, NULL, 0);
    CLEARS("exec", no_event, fw_exec_next_event, NULL, -1);
    REFUSES("event", fw_exec_next_event, exec, 0, NULL);
    CLEARS("exec", no_result, fw_exec_wait, NULL, 0);
    CLEARS("exec", no_result, fw_exec_wait, NULL, -1);
    REFUSES("result", fw_exec_wait, exec, 0, NULL);
    CLEARS("event", no_text, fw_event_to_json, NULL);
    REFUSES("json", fw_event_to_json, event, NULL);
    CLEARS("result", no_text, fw_result_to_json, NULL);
    REFUSES("json", fw_result_to_json, result, NULL);
    CLEARS("result", no_text, fw_result_view, NULL, "html");
    CLEARS("format", no_text, fw_result_view, result, NULL);
    REFUSES("text", fw_result_view, result, "html", NULL);

    /* An error about an argument has no position in a document. */
    CHECK_INT(fw_step_create(NULL, 0, &no_step, &error), FW_E_INVALID);
    CHECK(fw_error_path(error) == NULL);
    CHECK_INT(fw_error_line(error), 0);
    CHECK_INT(fw_error_column(error), 0);
    fw_error_free(error);

    /* A refused call takes no event. */
    fw_event_free(event);
    event = event_expect(exec, FW_EVENT_COMMAND_STARTED);
    CHECK_INT(fw_event_sequence(event), 2);

    fw_event_free(event);
    exec_end(exec);
    fw_result_free(result);
    fw_workflow_free(workflow);
    fw_context_free(context);
    fw_step_free(step);
    fw_worker_free(worker);
    fw_pool_free(pool);
    return check_done();
}
