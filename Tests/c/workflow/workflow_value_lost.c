/*
 * A value that a step has given, and for which there is no memory, fails the step, because what uses it would see
 * another value, or none. The same holds for the list of the values of instances, for the context of the host, and for
 * the values of an earlier run.
 *
 * The library has its values in jansson, whose memory this program gives: from a certain moment on it refuses large
 * pieces. A context of many names is copied before it changes, and its copy needs such a piece.
 *
 * not under valgrind: valgrind cannot start the supervisor
 */
#include "foreach.h"
#include "function.h"

enum { LARGE = 4096, NAMES = 2000, INSTANCES = 600 };

/** How many large pieces there still are, from now on; negative: any number. */
static atomic_int left = -1;

static void *limited(size_t size)
{
    if (size >= LARGE && atomic_load(&left) >= 0) {
        if (atomic_load(&left) == 0)
            return NULL;
        atomic_fetch_sub(&left, 1);
    }
    return malloc(size);
}

/** Gives its argument, and then there is memory for as many large pieces as the payload says, or for no more. */
static void give(fw_call *call, void *payload)
{
    CHECK_INT(fw_call_return(call, "\"new\"", FW_ZERO_TERMINATED, NULL), FW_OK);
    atomic_store(&left, payload != NULL ? *(int *)payload : 0);
}

/** A context of many names, among them `x` with the value "old". */
static fw_context *many_names(void)
{
    json_t *values = json_pack("{s:s}", "x", "old");
    for (int i = 0; i < NAMES; i++) {
        char name[16];
        snprintf(name, sizeof name, "n%d", i);
        json_object_set_new(values, name, json_integer(i));
    }
    char *text = json_dumps(values, 0);
    fw_context *context = check_context(text);
    free(text);
    json_decref(values);
    return context;
}

static void still_has(fw_context *context, const char *name, const char *value)
{
    char *text = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_context_get(context, name, &text, &error), &error);
    CHECK_STR(text, value);
    fw_string_free(text);
}

static void lost(fw_result *result, const char *name)
{
    atomic_store(&left, -1);
    CHECK(fw_result_returncode(result) != 0);
    CHECK_HAS(fw_result_message(result), "there is not enough memory to keep the value \"");
    CHECK_HAS(fw_result_message(result), name);
}

static void of_a_step(void)
{
    fw_pool *pool = check_pool("[]");
    function_add(pool, "give", "[]", give, NULL);
    fw_context *context = many_names();
    fw_step *step = function_step("give", "'arg': 'x'", NULL);
    fw_result *result = run_exec(function_worker(pool, step), step, context, check_dir());
    lost(result, "\"x\"");
    still_has(context, "x", "\"old\"");
    fw_result_free(result);
    fw_step_free(step);
    fw_context_free(context);
    fw_pool_free(pool);
}

/** The first large pieces may be there for the run's own context, and not for that of the host. */
static void of_a_workflow(const char *options)
{
    static const char document[] =
        "{\"steps\": [{\"name\": \"f\", \"files\": {\"inputs\": [], \"outputs\": []}, \"action\": {\"func\": \"give\", "
        "\"arg\": \"x\"}}, " STEP("use", "echo $x >> used") "]}";
    bool is_kept = false;
    for (int pieces = 0; !is_kept; pieces++) {
        REQUIRE(pieces < 50);
        fw_pool *pool = check_pool("[]");
        function_add(pool, "give", "[]", give, &pieces);
        fw_context *context = many_names();
        fw_result *result = workflow_run(document, pool, context, options);
        is_kept = fw_result_returncode(result) == 0;
        if (is_kept) {
            atomic_store(&left, -1);
            still_has(context, "x", "\"new\"");
            CHECK_INT(fw_result_step_count(result), 2);
        } else {
            lost(result, "\"x\"");
            CHECK_HAS(fw_result_message(result), "step \"f\"");
            still_has(context, "x", "\"old\"");
            CHECK_INT(fw_result_step_count(result), 1);
        }
        CHECK(pieces > 0 || !is_kept);
        fw_result_free(result);
        fw_context_free(context);
        fw_pool_free(pool);
    }
}

static atomic_int given;

/** The last instance takes the memory. */
static void give_many(fw_call *call, void *payload)
{
    (void)payload;
    CHECK_INT(fw_call_return(call, "7", FW_ZERO_TERMINATED, NULL), FW_OK);
    if (atomic_fetch_add(&given, 1) + 1 == INSTANCES)
        atomic_store(&left, 0);
}

static void of_instances(const char *state)
{
    json_t *numbers = json_array();
    for (int i = 0; i < INSTANCES; i++)
        json_array_append_new(numbers, json_integer(i));
    char *list = json_dumps(numbers, 0);
    json_decref(numbers);
    char *document = NULL, *options = NULL;
    REQUIRE(asprintf(&document,
                     "{\"steps\": [{\"name\": \"f\", \"after\": [], \"foreach\": {\"names\": {\"n\": %s}}, \"action\": "
                     "{\"func\": \"many\", \"arg\": \"all\"}}, {\"name\": \"use\", \"after\": [], \"action\": "
                     "{\"environment\": \"\", \"commands\": [\"echo ${all} > all\"]}}]}",
                     list) > 0);
    REQUIRE(asprintf(&options, "{\"jobs\": 2, \"state\": \"%s\"}", state) > 0);
    for (int round = 0; round < 3; round++) {
        fw_pool *pool = check_pool("[]");
        function_add(pool, "many", "[\"n\"]", give_many, NULL);
        fw_context *context = check_context("{\"all\": \"old\"}");
        fw_workflow *workflow = workflow_of(document);
        fw_result *result = NULL;
        fw_error *error = NULL;
        /* The second run has the values from the first, and no memory for their list, and the third has it. */
        atomic_store(&left, round == 1 ? 0 : -1);
        CHECK_OK(fw_workflow_run(workflow, pool, context, check_dir(), options, FW_ZERO_TERMINATED, &result, &error),
                 &error);
        atomic_store(&left, -1);
        CHECK_INT(atomic_load(&given), INSTANCES);
        if (round == 2) {
            CHECK_EXITED(result, 0);
            CHECK_INT(fw_result_step_count(result), INSTANCES + 1);
        } else {
            lost(result, "\"all\"");
            still_has(context, "all", "\"old\"");
            CHECK(fw_result_step_count(result) <= INSTANCES);
        }
        fw_result_free(result);
        fw_workflow_free(workflow);
        fw_context_free(context);
        fw_pool_free(pool);
    }
    free(document);
    free(options);
    free(list);
}

int main(void)
{
    json_set_alloc_funcs(limited, free);
    of_a_step();
    of_a_workflow("{}");
    of_a_workflow("{\"jobs\": 2}");
    char state[4200];
    snprintf(state, sizeof state, "%s/state", check_dir());
    of_instances(state);
    return check_done();
}
