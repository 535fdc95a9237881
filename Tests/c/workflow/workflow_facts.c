/* The result of a workflow says what the run was: its name, its directories, its arguments without secrets, and the
 * steps that did not begin. The page of the result says the same, and nothing in it is markup from outside. */
#include "workflow.h"

static const char document[] =
    "{\"name\": \"<Report>\", \"parameters\": [{\"name\": \"month\", \"dtype\": \"string\"},"
    " {\"name\": \"limit\", \"dtype\": \"int\", \"defaultValue\": 10}, {\"name\": \"token\", \"dtype\": \"string\"}],"
    " \"workflow\": {\"steps\": [{\"name\": \"a\", \"secrets\": [\"token\"], \"action\": {\"environment\": \"\","
    " \"commands\": [\"echo '<b>' $month; exit 3\"]}}, " STEP("b", "true") "]}}";

static json_t *json_of(const fw_result *result)
{
    char *text = NULL;
    CHECK_INT(fw_result_to_json(result, &text, NULL), FW_OK);
    json_t *json = json_loads(text, 0, NULL);
    fw_string_free(text);
    return json;
}

static const char *text_of(const json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static void tells(void)
{
    char *state = check_path("state"), *options = NULL, *page = NULL;
    CHECK(asprintf(&options, "{\"state\": \"%s\"}", state) > 0);
    fw_context *context = check_context("{\"month\": \"May\", \"token\": \"geheim-1\"}");
    fw_result *result = workflow_run(document, NULL, context, options);
    json_t *json = json_of(result), *arguments = json_object_get(json, "arguments");
    CHECK_STR(text_of(json, "name"), "<Report>");
    CHECK_STR(text_of(json, "rundir"), check_dir());
    CHECK_STR(text_of(json, "state"), state);
    CHECK_INT(json_object_size(arguments), 3);
    CHECK_STR(text_of(arguments, "month"), "May");
    CHECK_INT(json_integer_value(json_object_get(arguments, "limit")), 10);
    CHECK_STR(text_of(arguments, "token"), "***");
    const json_t *left = json_object_get(json, "not_reached");
    CHECK_INT(json_array_size(left), 1);
    CHECK_STR(json_string_value(json_array_get(left, 0)), "b");
    CHECK_STR(text_of(json_array_get(json_object_get(json, "steps"), 0), "rundir"), check_dir());

    CHECK_INT(fw_result_view(result, "html", &page, NULL), FW_OK);
    CHECK_HAS(page, "<h1>&lt;Report&gt; <span class=\"status bad\" id=\"outcome\">failed</span></h1>");
    CHECK_HAS(page, "<p id=\"totals\">1 of 2 steps failed, 1 was not reached.</p>");
    CHECK_HAS(page, "&lt;b&gt; May");
    CHECK_HAS(page, check_dir());
    CHECK(strstr(page, "geheim-1") == NULL && strstr(page, "<b> May") == NULL);
    fw_string_free(page);
    json_decref(json);
    fw_result_free(result);
    fw_context_free(context);
    free(options);
    free(state);
}

/** Facts that a run does not have are null. */
static void lacks(void)
{
    fw_result *result = workflow_run("{\"steps\": [" STEP("a", "true") "]}", NULL, NULL, NULL);
    json_t *json = json_of(result);
    CHECK(json_is_null(json_object_get(json, "name")) && json_is_null(json_object_get(json, "state")));
    CHECK_INT(json_object_size(json_object_get(json, "arguments")), 0);
    CHECK_INT(json_array_size(json_object_get(json, "not_reached")), 0);
    json_decref(json);
    fw_result_free(result);
}

int main(void)
{
    tells();
    lacks();
    return check_done();
}
