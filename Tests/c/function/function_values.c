/* A host function gets its arguments as JSON, and its value or its failure is in the result and, under `arg`, in the
 * context. */
#include "function.h"

static char payload_word[] = "payload";

/** Returns its arguments as an object. */
static void echo(fw_call *call, void *payload)
{
    CHECK(payload == payload_word);
    static const char *const names[] = {"a", "b", "missing"};
    json_t *all = json_object();
    for (size_t i = 0; i < 3; i++) {
        size_t length = 7;
        const char *text = fw_call_argument(call, names[i], &length);
        if (text == NULL) {
            CHECK_INT(length, 0);
            continue;
        }
        CHECK_INT(strlen(text), length);
        json_object_set_new(all, names[i], json_loads(text, JSON_DECODE_ANY, NULL));
    }
    CHECK(fw_call_argument(call, "context_only", NULL) == NULL);
    CHECK(fw_call_argument(call, NULL, NULL) == NULL);
    CHECK_STR(fw_call_rundir(call), check_dir());
    CHECK_INT(fw_call_is_cancelled(call), 0);
    char *text = json_dumps(all, 0);
    CHECK_INT(fw_call_return(call, text, FW_ZERO_TERMINATED, NULL), FW_OK);
    free(text);
    json_decref(all);
}

static void nothing(fw_call *call, void *payload)
{
    (void)call, (void)payload;
}

/** The last value or failure counts, and a text that is not JSON is refused. */
static void undecided(fw_call *call, void *payload)
{
    fw_error *error = NULL;
    CHECK_INT(fw_call_fail(call, "E", "first", NULL, NULL), FW_OK);
    CHECK_INT(fw_call_return(call, "[1, 2]garbage", 6, NULL), FW_OK);
    CHECK_FAILS(fw_call_return(call, "{\"a\": }", FW_ZERO_TERMINATED, &error), FW_E_SYNTAX, &error, "JSON");
    CHECK_FAILS(fw_call_return(call, NULL, 0, &error), FW_E_INVALID, &error, "json");
    if (payload != NULL)
        CHECK_INT(fw_call_fail(call, payload, "last\nword", "trace\n", NULL), FW_OK);
}

static void arguments(fw_pool *pool)
{
    fw_context *context = check_context("{\"a\": \"it's \\\"q\\\"\", \"x\": [1, {\"y\": null}], \"context_only\": 1}");
    fw_result *result =
        function_call(pool, "echo", context, "'arg': 'back', 'variables': [{'arg': 'b', 'var': 'x'}]", NULL);
    CHECK_EXITED(result, 0);
    json_t *want = json_loads("{\"a\": \"it's \\\"q\\\"\", \"b\": [1, {\"y\": null}]}", 0, NULL);
    CHECK_FACT(result, "value", json_incref(want));
    CHECK_FACT(result, "exception", json_null());
    char *text = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_context_get(context, "back", &text, &error), &error);
    json_t *back = json_loads(text, 0, NULL);
    CHECK_JSON(back, want);
    json_decref(back);
    fw_string_free(text);
    fw_result_free(result);
    fw_context_free(context);
    /* The action has no `arg`, and there is no context. */
    result = function_call(pool, "echo", NULL, "'arg': 'back'", NULL);
    CHECK_EXITED(result, 0);
    CHECK_FACT(result, "value", json_object());
    fw_result_free(result);
    context = check_context("{}");
    result = function_call(pool, "echo", context, NULL, NULL);
    fw_result_free(result);
    CHECK_OK(fw_context_to_json(context, &text, &error), &error);
    CHECK_STR(text, "{}");
    fw_string_free(text);
    fw_context_free(context);
}

static void endings(fw_pool *pool)
{
    fw_result *result = function_call(pool, "nothing", NULL, NULL, NULL);
    CHECK_EXITED(result, 0);
    CHECK_FACT(result, "value", json_null());
    fw_result_free(result);
    function_add(pool, "undecided", NULL, undecided, NULL);
    result = function_call(pool, "undecided", NULL, NULL, NULL);
    CHECK_EXITED(result, 0);
    CHECK_FACT(result, "value", json_pack("[ii]", 1, 2));
    fw_result_free(result);
    function_add(pool, "undecided", NULL, undecided, "Odd");
    fw_context *context = check_context("{}");
    result = function_call(pool, "undecided", context, "'arg': 'a'", NULL);
    CHECK_INT(fw_result_outcome(result), FW_EXITED);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK_STR(fw_result_message(result), "step \"s\" failed: the function \"undecided\" raised Odd: last word");
    CHECK_FACT(result, "exception",
               json_pack("{s:s, s:s, s:s}", "type", "Odd", "message", "last\nword", "trace", "trace\n"));
    CHECK_FACT(result, "value", json_null());
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 1);
    CHECK_OUTPUT(result, FW_STDERR, 0, "trace\n");
    char *text = NULL;
    CHECK_INT(fw_context_get(context, "a", &text, NULL), FW_E_UNKNOWN);
    fw_result_free(result);
    fw_context_free(context);
}

static int released;

static void release(void *payload)
{
    CHECK(payload == &released);
    released++;
}

static void registrations(fw_pool *pool)
{
    fw_error *error = NULL;
    CHECK_FAILS(fw_function_register(NULL, "f", NULL, 0, nothing, &released, release, &error), FW_E_INVALID, &error,
                "pool");
    CHECK_FAILS(fw_function_register(pool, NULL, NULL, 0, nothing, &released, release, &error), FW_E_INVALID, &error,
                "name");
    CHECK_FAILS(fw_function_register(pool, "", NULL, 0, nothing, &released, release, &error), FW_E_INVALID, &error,
                "empty");
    CHECK_FAILS(fw_function_register(pool, "f", NULL, 0, NULL, &released, release, &error), FW_E_INVALID, &error,
                "function");
    CHECK_FAILS(fw_function_register(pool, "f", "[1", FW_ZERO_TERMINATED, nothing, &released, release, &error),
                FW_E_SYNTAX, &error, "");
    CHECK_FAILS(fw_function_register(pool, "f", "[1]", FW_ZERO_TERMINATED, nothing, &released, release, &error),
                FW_E_DOCUMENT, &error, "");
    CHECK_INT(released, 6);
    CHECK_OK(fw_function_register(pool, "f", NULL, 0, nothing, &released, release, &error), &error);
    CHECK_INT(released, 6);
    CHECK_OK(fw_function_register(pool, "f", NULL, 0, nothing, &released, release, &error), &error);
    CHECK_INT(released, 7);
    /* Names. */
    fw_step *step = function_step("nothin", NULL, NULL);
    fw_result *result = NULL;
    CHECK_FAILS(fw_worker_exec(function_worker(pool, step), step, NULL, check_dir(), &result, &error), FW_E_UNKNOWN,
                &error, "did you mean \"nothing\"?");
    fw_step_free(step);
    /* A worker that belongs to no pool has no functions. */
    fw_worker *worker = check_worker("{\"name\": \"w\", \"type\": \"code\"}");
    step = function_step("nothing", NULL, NULL);
    CHECK_FAILS(fw_worker_exec(worker, step, NULL, check_dir(), &result, &error), FW_E_UNKNOWN, &error, "\"nothing\"");
    fw_step_free(step);
    fw_worker_free(worker);
}

int main(void)
{
    fw_pool *pool = check_pool("[]");
    function_add(pool, "nothing", NULL, nothing, NULL);
    function_add(pool, "echo", "[\"a\", \"b\", \"missing\"]", echo, payload_word);
    arguments(pool);
    endings(pool);
    registrations(pool);
    fw_pool_free(pool);
    CHECK_INT(released, 8);
    /* Every function on calls accepts NULL. */
    CHECK(fw_call_rundir(NULL) == NULL);
    CHECK(fw_call_argument(NULL, "a", NULL) == NULL);
    CHECK(fw_call_step(NULL) == NULL && fw_call_action(NULL) == NULL);
    CHECK_INT(fw_call_is_cancelled(NULL), 1);
    CHECK_INT(fw_call_write(NULL, FW_STDOUT, "x", 1, NULL), FW_E_INVALID);
    return check_done();
}
