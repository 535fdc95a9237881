/*
 * A host can register one function for all code steps of a context, as hosts in other languages do. The function learns
 * the step and its action, can report its end, and is told of a cancel.
 */
#include "function.h"
#include "workflow.h"

static sem_t asked;
static int released;

static void release(void *payload)
{
    CHECK(payload == &released);
    __atomic_add_fetch(&released, 1, __ATOMIC_SEQ_CST);
}

static void wake(void *payload)
{
    sem_post(payload);
}

/** Does what the name of its step says. */
static void dispatch(fw_call *call, void *payload)
{
    CHECK(payload == &released);
    const char *step = fw_call_step(call);
    fw_error *error = NULL;
    if (strcmp(step, "value") == 0) {
        json_t *action = json_loads(fw_call_action(call), 0, NULL);
        CHECK_STR(json_string_value(json_object_get(action, "func")), "any name");
        CHECK_STR(json_string_value(json_object_get(action, "arg")), "x");
        json_t *pair = json_array_get(json_object_get(action, "variables"), 0);
        CHECK_STR(json_string_value(json_object_get(pair, "var")), "b");
        json_decref(action);
        CHECK_STR(fw_call_argument(call, "b", NULL), "[1]");
        CHECK(fw_call_argument(call, "a", NULL) == NULL);
        CHECK_OK(fw_call_return(call, "{\"deep\": 1}", FW_ZERO_TERMINATED, &error), &error);
        CHECK_FAILS(fw_call_report(call, "{\"valu\": 1}", FW_ZERO_TERMINATED, &error), FW_E_DOCUMENT, &error,
                    "\"value\"");
        CHECK_FAILS(fw_call_report(call, "{\"returncode\": 256}", FW_ZERO_TERMINATED, &error), FW_E_DOCUMENT, &error,
                    "256");
        CHECK_FAILS(fw_call_report(call, NULL, 0, &error), FW_E_INVALID, &error, "json");
    } else if (strcmp(step, "object") == 0) {
        CHECK_OK(fw_call_report(call,
                                "{\"value\": \"like it\", \"object\": \"of the type Odd\", \"unfit\": \"is odd\"}",
                                FW_ZERO_TERMINATED, &error),
                 &error);
    } else if (strcmp(step, "exits") == 0) {
        CHECK_OK(fw_call_report(call, "{\"returncode\": 7}", FW_ZERO_TERMINATED, &error), &error);
    } else if (strcmp(step, "missing") == 0) {
        CHECK_OK(fw_call_report(
                     call,
                     "{\"started\": false, \"exception\": {\"type\": \"E\", \"message\": \"gone\", \"trace\": \"t\"}}",
                     FW_ZERO_TERMINATED, &error),
                 &error);
    } else if (strcmp(step, "pieces") == 0) {
        for (int i = 0; i < 3; i++)
            CHECK_OK(fw_call_write_piece(call, FW_STDOUT, "abc", (size_t)i, &error), &error);
        CHECK_OK(fw_call_write(call, FW_STDERR, "one", FW_ZERO_TERMINATED, &error), &error);
        CHECK_OK(fw_call_write(call, FW_STDERR, "two", FW_ZERO_TERMINATED, &error), &error);
        CHECK_FAILS(fw_call_write_piece(call, 7, "x", 1, &error), FW_E_INVALID, &error, "stream");
    } else if (strcmp(step, "waits") == 0) {
        CHECK_FAILS(fw_call_on_cancel(call, NULL, NULL, &error), FW_E_INVALID, &error, "notice");
        CHECK_OK(fw_call_on_cancel(call, wake, &asked, &error), &error);
        REQUIRE(sem_wait(&asked) == 0);
        CHECK_INT(fw_call_is_cancelled(call), 1);
        /* A callback that is registered after the cancel is called at once. */
        CHECK_OK(fw_call_on_cancel(call, wake, &asked, &error), &error);
        REQUIRE(sem_wait(&asked) == 0);
    }
}

static fw_context *bound(const char *json)
{
    fw_context *context = check_context(json);
    fw_error *error = NULL;
    CHECK_OK(fw_context_set_function(context, dispatch, &released, release, &error), &error);
    return context;
}

static fw_result *run(const char *name, const char *more)
{
    char *text = NULL;
    REQUIRE(asprintf(&text,
                     "{\"name\": \"%s\", \"action\": {\"func\": \"any name\", \"arg\": \"x\", \"variables\": "
                     "[{\"arg\": \"a\", \"var\": \"b\"}]}%s}",
                     name, more) > 0);
    fw_step *step = check_step(text);
    fw_worker *worker = check_worker("{\"name\": \"w\", \"type\": \"code\"}");
    fw_context *context = bound("{\"b\": [1]}");
    fw_result *result = run_exec(worker, step, context, check_dir());
    fw_context_free(context);
    fw_worker_free(worker);
    fw_step_free(step);
    free(text);
    return result;
}

static void calls(void)
{
    fw_result *result = run("value", "");
    CHECK_EXITED(result, 0);
    CHECK_FACT(result, "value", json_pack("{s:i}", "deep", 1));
    CHECK_FACT(result, "notes", json_array());
    fw_result_free(result);
    result = run("exits", "");
    CHECK_EXITED(result, 7);
    CHECK_HAS(fw_result_message(result), "the function \"any name\" exited with 7");
    fw_result_free(result);
    result = run("missing", "");
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_HAS(fw_result_message(result), "cannot be called: E: gone");
    CHECK_OUTPUT(result, FW_STDERR, 0, "t");
    fw_result_free(result);
    result = run("pieces", "");
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 3);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "a");
    CHECK_OUTPUT(result, FW_STDOUT, 2, "ab");
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 1);
    CHECK_OUTPUT(result, FW_STDERR, 0, "onetwo");
    fw_result_free(result);
    result = run("waits", ", \"timeout\": 0.05");
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    fw_result_free(result);
    /* The thread of the last call may still hold the function. */
    while (__atomic_load_n(&released, __ATOMIC_SEQ_CST) < 5)
        usleep(1000);
}

/** A value of the host's own kind, for which JSON has only a description, enters no command and no state directory; the
 *  run continues, and its result says so. */
static void objects(void)
{
    const char *document = "{\"steps\": [{\"name\": \"object\", \"action\": {\"func\": \"f\", \"arg\": \"x\"}}, " STEP(
        "a", "echo a") ", " STEP("b", "echo $x") "]}";
    char *state = check_path("state"), *options = NULL;
    REQUIRE(asprintf(&options, "{\"state\": \"%s\"}", state) > 0);
    fw_context *context = bound("{}");
    fw_exec *exec = workflow_start(document, NULL, context, options);
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_INT(fw_result_step_count(result), 3);
    CHECK_HAS(fw_result_message(result), "the value of \"x\" is odd");
    CHECK_OUTPUT(result, FW_STDOUT, 0, "a\n");
    json_t *notes = function_fact(fw_result_step(result, 0), "notes");
    CHECK_HAS(json_string_value(json_array_get(notes, 0)), "its value is of the type Odd");
    json_decref(notes);
    fw_result_free(result);
    fw_exec_free(exec);
    fw_context_free(context);
    free(options);
    free(state);
}

int main(void)
{
    sem_init(&asked, 0, 0);
    fw_error *error = NULL;
    CHECK_FAILS(fw_context_set_function(NULL, dispatch, &released, release, &error), FW_E_INVALID, &error, "context");
    fw_context *context = check_context("{}");
    CHECK_FAILS(fw_context_set_function(context, NULL, &released, release, &error), FW_E_INVALID, &error, "function");
    CHECK_INT(released, 2);
    released = 0;
    fw_context_free(context);
    calls();
    objects();
    return check_done();
}
