/* In a forked child every call that can fail returns FW_E_FORKED with an error and outputs set to NULL, handles can
 * still be read, and freeing them affects the child only. The step of the parent continues. */
#include "events.h"

static char garbage;
static fw_pool *pool;
static fw_worker *worker;
static fw_step *step;
static fw_context *context;
static fw_exec *running;
static fw_event *event;
static fw_result *result;
static fw_workflow *workflow;
static fw_error *kept;
static char *text;

/** Checks that a call with an output is refused, with and without a pointer for the error. */
#define FORKED(type, function, ...)                                                      \
    do {                                                                                 \
        type *output = (void *)&garbage;                                                 \
        fw_error *error = (void *)&garbage;                                              \
        fw_status status = function(__VA_ARGS__, (void *)&output, &error);               \
        if (!CHECK_FAILS(status, FW_E_FORKED, &error, "fork") || !CHECK(output == NULL)) \
            fprintf(stderr, "    it is %s\n", #function);                                \
        CHECK_INT(function(__VA_ARGS__, (void *)&output, NULL), FW_E_FORKED);            \
    } while (0)

static void documents(void)
{
    FORKED(char, fw_spec_worker, "code", "x", NULL, 0, NULL, 0, NULL, NULL, 0);
    FORKED(char, fw_spec_code, "x", NULL, NULL, 0);
    FORKED(char, fw_spec_subprocess, "x", NULL, 0, NULL, 0, NULL, NULL, 0);
    FORKED(char, fw_spec_docker, "x", NULL, 0, NULL, 0, NULL, NULL, 0);
    FORKED(char, fw_spec_notebook, "x", NULL, NULL, 0);
    FORKED(char, fw_spec_nbdocker, "x", NULL, 0, NULL, NULL, 0);
    FORKED(char, fw_spec_slurm, "x", NULL, 0, NULL, 0, NULL, NULL, 0);
    FORKED(fw_step, fw_step_create, "{}", FW_ZERO_TERMINATED);
    FORKED(fw_context, fw_context_create, "{}", FW_ZERO_TERMINATED);
    FORKED(char, fw_context_get, context, "a");
    FORKED(char, fw_context_to_json, context);
    FORKED(fw_pool, fw_pool_create, "[]", FW_ZERO_TERMINATED);
    json_t *config = json_array();
    FORKED(fw_pool, fw_pool_create_from, config);
    json_decref(config);
    FORKED(const fw_worker, fw_pool_get, pool, step);
    FORKED(const fw_worker, fw_pool_default_worker, pool, step);
    FORKED(fw_worker, fw_worker_create, "{}", FW_ZERO_TERMINATED);
    fw_error *error = (void *)&garbage;
    CHECK_FAILS(fw_context_set(context, "a", "2", FW_ZERO_TERMINATED, &error), FW_E_FORKED, &error, "fork");
}

static void execution(void)
{
    FORKED(char, fw_worker_plan, worker, step, context, check_directory);
    FORKED(fw_result, fw_worker_exec, worker, step, context, check_directory);
    FORKED(fw_exec, fw_exec_start, worker, step, context, check_directory, NULL, 0);
    FORKED(fw_workflow, fw_workflow_create, "{\"steps\": []}", FW_ZERO_TERMINATED);
    FORKED(fw_result, fw_workflow_run, workflow, pool, context, check_directory, NULL, 0);
    FORKED(fw_exec, fw_workflow_start, workflow, pool, context, check_directory, NULL, 0);
    FORKED(char, fw_workflow_plan, workflow, pool, context, check_directory, NULL, 0);
    FORKED(char, fw_result_view, result, "html");
    FORKED(fw_event, fw_exec_next_event, running, 0);
    FORKED(fw_event, fw_exec_next_event, running, -1.0);
    FORKED(fw_result, fw_exec_wait, running, 0);
    FORKED(fw_result, fw_exec_wait, running, -1.0);
    FORKED(char, fw_event_to_json, event);
    FORKED(char, fw_result_to_json, result);
    fw_exec_fd(running);
    fw_exec_cancel(running);
}

static void accessors(void)
{
    CHECK_STR(fw_version(), FW_VERSION);
    CHECK_INT(fw_event_kind(event), FW_EVENT_STEP_STARTED);
    CHECK_INT(fw_event_sequence(event), 1);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "old\n");
    CHECK_STR(fw_step_name(step), "s");
    CHECK_STR(fw_worker_name(worker), "w");
    CHECK_INT(fw_error_code(kept), FW_E_SYNTAX);
    CHECK_STR(text, "{\"a\":1}");
}

static void all_freed(void)
{
    fw_exec_free(running);
    fw_event_free(event);
    fw_result_free(result);
    fw_worker_free(worker);
    fw_pool_free(pool);
    fw_step_free(step);
    fw_context_free(context);
    fw_workflow_free(workflow);
    fw_error_free(kept);
    fw_string_free(text);
}

static void in_the_child(void)
{
    documents();
    execution();
    accessors();
    all_freed();
    FORKED(fw_pool, fw_pool_create, "[]", FW_ZERO_TERMINATED);
}

/** Exits like an ordinary program, so that exit handlers run. */
static void exits(void)
{
    fw_exec_free(running);
    exit(check_failures == 0 ? 0 : 1);
}

/** A child of the child cannot use the library, either. */
static void in_a_grandchild(void)
{
    in_child(in_the_child, "the grandchild");
}

int main(void)
{
    int gate = gate_make("gate");
    pool = check_pool("[]");
    worker = run_worker(NULL);
    step = run_step("s", (const char *const[]){"echo old", NULL});
    context = check_context("{\"a\": 1}");
    result = run_exec(worker, step, context, check_dir());
    CHECK_INT(fw_context_to_json(context, &text, NULL), FW_OK);
    CHECK_INT(fw_workflow_create("{\"steps\": []}", FW_ZERO_TERMINATED, &workflow, NULL), FW_OK);
    fw_pool *none = NULL;
    CHECK_INT(fw_pool_create("{", FW_ZERO_TERMINATED, &none, &kept), FW_E_SYNTAX);

    void (*const parts[])(void) = {in_the_child, exits, in_a_grandchild};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        running = START(NULL, "echo one; read line < gate; echo two", "echo three");
        int fd = fw_exec_fd(running);
        CHECK(fd >= 0);
        event = event_expect(running, FW_EVENT_STEP_STARTED);
        in_child(parts[i], "a part");
        gate_pass(gate);
        struct events all = {NULL, 0};
        do {
            fd_wait(fd); /* the descriptor is still readable when there is an event */
            fw_event *next = event_next(running, 0);
            if (next != NULL)
                events_add(&all, next);
        } while (all.count == 0 || fw_event_kind(all.list[all.count - 1]) != FW_EVENT_STEP_ENDED);
        CHECK_SHAPE(&all, "0:started 0:output 0:ended 1:started 1:output 1:ended step_ended");
        events_free(&all);
        fw_result *now = exec_result(running);
        CHECK_EXITED(now, 0);
        CHECK_OUTPUT(now, FW_STDOUT, 0, "one\ntwo\n");
        CHECK_OUTPUT(now, FW_STDOUT, 1, "three\n");
        fw_result_free(now);
        fw_event_free(event);
        fw_exec_free(running);
    }
    CHECK_OUTPUT(result, FW_STDOUT, 0, "old\n");
    event = NULL;
    running = NULL;
    fw_result *again = run_exec(worker, step, context, check_dir());
    CHECK_EXITED(again, 0);
    fw_result_free(again);
    all_freed();
    close(gate);
    return check_done();
}
