/* A call that fails sets its outputs to NULL, and a call that succeeds sets the error to NULL, whatever they held
 * before. */
#include "events.h"

static char garbage;

#define GARBAGE ((void *)&garbage)

/** Calls `function(..., &output, &error)` with garbage in both. */
#define FAILS(code, part, output, function, ...)                   \
    do {                                                           \
        output = GARBAGE;                                          \
        fw_error *error = GARBAGE;                                 \
        fw_status status = function(__VA_ARGS__, &output, &error); \
        CHECK_FAILS(status, code, &error, part);                   \
        CHECK(output == NULL);                                     \
        output = GARBAGE;                                          \
        CHECK_INT(function(__VA_ARGS__, &output, NULL), code);     \
        CHECK(output == NULL);                                     \
    } while (0)

#define SUCCEEDS(output, release, function, ...)                   \
    do {                                                           \
        output = GARBAGE;                                          \
        fw_error *error = GARBAGE;                                 \
        fw_status status = function(__VA_ARGS__, &output, &error); \
        CHECK_OK(status, &error);                                  \
        CHECK(output != NULL && (void *)output != GARBAGE);        \
        release(output);                                           \
        CHECK_INT(function(__VA_ARGS__, &output, NULL), FW_OK);    \
        CHECK(output != NULL);                                     \
        release(output);                                           \
    } while (0)

static void keep(const fw_worker *lent)
{
    (void)lent;
}

int main(void)
{
    fw_pool *pool;
    fw_worker *worker;
    fw_step *step;
    fw_context *context;
    fw_result *result;
    fw_exec *exec;
    const fw_worker *lent;
    char *text;

    FAILS(FW_E_DOCUMENT, "nope", text, fw_spec_worker, "nope", "x", NULL, 0, NULL, 0, NULL, NULL, 0);
    FAILS(FW_E_SYNTAX, "", text, fw_spec_subprocess, "x", "{", FW_ZERO_TERMINATED, NULL, 0, NULL, NULL, 0);
    FAILS(FW_E_SYNTAX, "", text, fw_spec_docker, "x", NULL, 0, "{", FW_ZERO_TERMINATED, NULL, NULL, 0);
    FAILS(FW_E_SYNTAX, "", step, fw_step_create, "{", FW_ZERO_TERMINATED);
    FAILS(FW_E_DOCUMENT, "", step, fw_step_create, "{}", FW_ZERO_TERMINATED);
    FAILS(FW_E_SYNTAX, "", context, fw_context_create, "{", FW_ZERO_TERMINATED);
    FAILS(FW_E_DOCUMENT, "", context, fw_context_create, "[]", FW_ZERO_TERMINATED);
    FAILS(FW_E_SYNTAX, "", pool, fw_pool_create, "{", FW_ZERO_TERMINATED);
    FAILS(FW_E_DOCUMENT, "", pool, fw_pool_create, "3", FW_ZERO_TERMINATED);
    FAILS(FW_E_SYNTAX, "", worker, fw_worker_create, "{", FW_ZERO_TERMINATED);
    FAILS(FW_E_DOCUMENT, "", worker, fw_worker_create, "{}", FW_ZERO_TERMINATED);
    json_t *config = json_integer(3);
    FAILS(FW_E_DOCUMENT, "", pool, fw_pool_create_from, config);
    json_decref(config);

    const char *document = "{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": []}}";
    const char *bad_command = "{\"name\": \"t\", \"action\": {\"environment\": \"\", \"commands\": [\"$\"]}}";
    SUCCEEDS(text, fw_string_free, fw_spec_worker, "code", "x", NULL, 0, NULL, 0, NULL, NULL, 0);
    SUCCEEDS(text, fw_string_free, fw_spec_code, "x", NULL, NULL, 0);
    SUCCEEDS(text, fw_string_free, fw_spec_subprocess, "x", NULL, 0, NULL, 0, NULL, NULL, 0);
    SUCCEEDS(text, fw_string_free, fw_spec_docker, "x", NULL, 0, NULL, 0, NULL, NULL, 0);
    SUCCEEDS(text, fw_string_free, fw_spec_notebook, "x", NULL, NULL, 0);
    SUCCEEDS(text, fw_string_free, fw_spec_nbdocker, "x", NULL, 0, NULL, NULL, 0);
    SUCCEEDS(text, fw_string_free, fw_spec_slurm, "x", NULL, 0, NULL, 0, NULL, NULL, 0);
    SUCCEEDS(step, fw_step_free, fw_step_create, document, FW_ZERO_TERMINATED);
    SUCCEEDS(context, fw_context_free, fw_context_create, "{}", FW_ZERO_TERMINATED);
    SUCCEEDS(pool, fw_pool_free, fw_pool_create, "[]", FW_ZERO_TERMINATED);
    SUCCEEDS(worker, fw_worker_free, fw_worker_create, "{\"name\": \"w\", \"type\": \"code\"}", FW_ZERO_TERMINATED);
    config = json_array();
    SUCCEEDS(pool, fw_pool_free, fw_pool_create_from, config);
    json_decref(config);

    fw_step *good = check_step(document), *bad = check_step(bad_command);
    fw_pool *workers = check_pool("{\"managers\": {\"s\": \"missing\"}}");
    FAILS(FW_E_UNKNOWN, "missing", lent, fw_pool_get, workers, good);
    SUCCEEDS(lent, keep, fw_pool_get, workers, bad);
    SUCCEEDS(lent, keep, fw_pool_default_worker, workers, good);

    fw_context *values = check_context("{\"a\": 1}");
    FAILS(FW_E_UNKNOWN, "\"b\"", text, fw_context_get, values, "b");
    SUCCEEDS(text, fw_string_free, fw_context_get, values, "a");
    SUCCEEDS(text, fw_string_free, fw_context_to_json, values);
    fw_error *error = GARBAGE;
    CHECK_FAILS(fw_context_set(values, "a", "{", FW_ZERO_TERMINATED, &error), FW_E_SYNTAX, &error, "");
    error = GARBAGE;
    CHECK_OK(fw_context_set(values, "a", "{}", FW_ZERO_TERMINATED, &error), &error);

    fw_worker *runner = run_worker(NULL), *coder = check_worker("{\"name\": \"c\", \"type\": \"code\"}");
    FAILS(FW_E_TEMPLATE, "", result, fw_worker_exec, runner, bad, values, check_dir());
    FAILS(FW_E_STEP_TYPE, "", result, fw_worker_exec, coder, good, values, check_dir());
    FAILS(FW_E_TEMPLATE, "", text, fw_worker_plan, runner, bad, values, check_dir());
    FAILS(FW_E_STEP_TYPE, "", text, fw_worker_plan, coder, good, values, check_dir());
    SUCCEEDS(text, fw_string_free, fw_worker_plan, runner, good, values, check_dir());
    SUCCEEDS(result, fw_result_free, fw_worker_exec, runner, good, values, check_dir());
    FAILS(FW_E_TEMPLATE, "", exec, fw_exec_start, runner, bad, values, check_dir(), NULL, 0);
    FAILS(FW_E_STEP_TYPE, "", exec, fw_exec_start, coder, good, values, check_dir(), NULL, 0);
    FAILS(FW_E_SYNTAX, "", exec, fw_exec_start, runner, good, values, check_dir(), "{", FW_ZERO_TERMINATED);
    FAILS(FW_E_DOCUMENT, "", exec, fw_exec_start, runner, good, values, check_dir(), "[]", FW_ZERO_TERMINATED);
    SUCCEEDS(exec, fw_exec_free, fw_exec_start, runner, good, values, check_dir(), NULL, 0);

    const char *sequence = "{\"steps\": [{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": []}}]}";
    fw_workflow *workflow = GARBAGE;
    FAILS(FW_E_SYNTAX, "", workflow, fw_workflow_create, "{", FW_ZERO_TERMINATED);
    FAILS(FW_E_DOCUMENT, "", workflow, fw_workflow_create, "{}", FW_ZERO_TERMINATED);
    SUCCEEDS(workflow, fw_workflow_free, fw_workflow_create, sequence, FW_ZERO_TERMINATED);
    CHECK_INT(fw_workflow_create(sequence, FW_ZERO_TERMINATED, &workflow, NULL), FW_OK);
    FAILS(FW_E_UNKNOWN, "missing", result, fw_workflow_run, workflow, workers, values, check_dir(), NULL, 0);
    FAILS(FW_E_UNKNOWN, "missing", exec, fw_workflow_start, workflow, workers, values, check_dir(), NULL, 0);
    FAILS(FW_E_UNKNOWN, "missing", text, fw_workflow_plan, workflow, workers, values, check_dir(), NULL, 0);
    FAILS(FW_E_DOCUMENT, "state", result, fw_workflow_run, workflow, NULL, values, check_dir(), "{\"stat\": 1}",
          FW_ZERO_TERMINATED);
    FAILS(FW_E_INVALID, "__default__", result, fw_workflow_run, workflow, NULL, NULL, NULL, NULL, 0);
    SUCCEEDS(exec, fw_exec_free, fw_workflow_start, workflow, NULL, NULL, check_dir(), NULL, 0);
    SUCCEEDS(text, fw_string_free, fw_workflow_plan, workflow, NULL, NULL, check_dir(), NULL, 0);
    SUCCEEDS(result, fw_result_free, fw_workflow_run, workflow, NULL, NULL, check_dir(), NULL, 0);
    CHECK_INT(fw_workflow_run(workflow, NULL, NULL, check_dir(), NULL, 0, &result, NULL), FW_OK);
    FAILS(FW_E_UNKNOWN, "\"xml\"", text, fw_result_view, result, "xml");
    SUCCEEDS(text, fw_string_free, fw_result_view, result, "html");
    fw_result_free(result);
    fw_workflow_free(workflow);

    fw_exec *started = start_step(runner, good, NULL);
    fw_event *event = GARBAGE;
    error = GARBAGE;
    CHECK_OK(fw_exec_next_event(started, -1, &event, &error), &error);
    CHECK_INT(fw_event_kind(event), FW_EVENT_STEP_STARTED);
    SUCCEEDS(text, fw_string_free, fw_event_to_json, event);
    fw_event_free(event);
    SUCCEEDS(result, fw_result_free, fw_exec_wait, started, -1);
    event = GARBAGE; /* the event is no longer there */
    error = GARBAGE;
    CHECK_OK(fw_exec_next_event(started, -1, &event, &error), &error);
    CHECK(event == NULL);
    fw_exec_free(started);

    fw_step *standing = run_step("s", (const char *const[]){"sleep 100000", NULL});
    started = start_step(runner, standing, NULL);
    result = GARBAGE; /* not yet */
    error = GARBAGE;
    CHECK_OK(fw_exec_wait(started, 0, &result, &error), &error);
    CHECK(result == NULL);
    fw_exec_cancel(started);
    exec_end(started);
    fw_step_free(standing);
    fw_result *done = run_exec(runner, good, NULL, check_dir());
    SUCCEEDS(text, fw_string_free, fw_result_to_json, done);

    fw_result_free(done);
    fw_worker_free(coder);
    fw_worker_free(runner);
    fw_context_free(values);
    fw_pool_free(workers);
    fw_step_free(bad);
    fw_step_free(good);
    return check_done();
}
