/*
 * The values that the instances of a code step give become a list in the order of the instances, for the steps behind
 * and for the host. An element is null if its instance gave no value.
 *
 * not under valgrind: valgrind cannot start the supervisor
 */
#include "foreach.h"
#include "function.h"

/** Gives 10 times its argument, and nothing for 2. */
static void times_ten(fw_call *call, void *payload)
{
    (void)payload;
    json_t *value = json_loads(fw_call_argument(call, "n", NULL), JSON_DECODE_ANY, NULL);
    long long n = json_integer_value(value);
    json_decref(value);
    char text[32];
    snprintf(text, sizeof text, "%lld", n * 10);
    if (n == 4)
        CHECK_INT(fw_call_fail(call, "E", "four", NULL, NULL), FW_OK);
    else if (n != 2)
        CHECK_INT(fw_call_return(call, text, FW_ZERO_TERMINATED, NULL), FW_OK);
}

static fw_result *run(const char *list, const char *options, fw_context *context)
{
    char *document = NULL;
    REQUIRE(asprintf(&document,
                     "{\"steps\": [{\"name\": \"f\", \"after\": [], \"foreach\": {\"names\": {\"n\": %s}}, \"action\": "
                     "{\"func\": \"ten\", \"arg\": \"all\"}}, {\"name\": \"use\", \"foreach\": {\"names\": {\"i\": "
                     "{\"value\": \"all\"}}}, \"after\": [], \"action\": {\"environment\": \"\", \"commands\": [\"echo "
                     "$i of $all\"]}}]}",
                     list) > 0);
    fw_pool *pool = check_pool("[]");
    function_add(pool, "ten", "[\"n\"]", times_ten, NULL);
    fw_result *result = workflow_run(document, pool, context, options);
    fw_pool_free(pool);
    free(document);
    return result;
}

static void gives(const char *list, const char *options, const char *value, const char *output)
{
    fw_context *context = check_context("{\"n\": 5, \"all\": \"old\"}");
    fw_result *result = run(list, options, context);
    CHECK_EXITED(result, 0);
    char *text = foreach_output(result);
    CHECK_STR(text, output);
    free(text);
    char *all = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_context_get(context, "all", &all, &error), &error);
    CHECK_STR(all, value);
    fw_string_free(all);
    CHECK_OK(fw_context_get(context, "n", &all, &error), &error);
    CHECK_STR(all, "5");
    fw_string_free(all);
    fw_result_free(result);
    fw_context_free(context);
}

/** An instance fails, so there is no list, and what needs it does not run. */
static void fails(void)
{
    fw_context *context = check_context("{\"all\": \"old\"}");
    fw_result *result = run("[1, 4, 3]", "{\"fail\": \"last\", \"jobs\": 2}", context);
    CHECK_INT(fw_result_step_count(result), 3);
    CHECK_HAS(fw_result_message(result), "step \"f\" (n 4)");
    char *all = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_context_get(context, "all", &all, &error), &error);
    CHECK_STR(all, "\"old\"");
    fw_string_free(all);
    json_t *json = foreach_json(result);
    json_t *left = json_array_get(json_object_get(json, "not_run"), 0);
    CHECK_STR(json_string_value(json_object_get(left, "step")), "use");
    CHECK_HAS(json_string_value(json_object_get(left, "reason")), "\"f\", which failed");
    json_decref(json);
    fw_result_free(result);
    fw_context_free(context);
}

int main(void)
{
    for (int jobs = 1; jobs <= 4; jobs += 3) {
        char options[32];
        snprintf(options, sizeof options, "{\"jobs\": %d}", jobs);
        gives("[3, 1, 1]", options, "[30,10,10]", "30 of [30,10,10]\n10 of [30,10,10]\n10 of [30,10,10]\n");
        gives("[1, 2]", options, "[10,null]", "10 of [10,null]\nNone of [10,null]\n");
        gives("[7]", options, "[70]", "70 of [70]\n");
        gives("[]", options, "[]", "");
    }
    fails();
    return check_done();
}
