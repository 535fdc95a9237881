/*
 * A step with foreach runs once for each combination of values. Each instance is a step of its own: it has its values
 * in commands, the environment and keys, its own result and events, and its own place among the results.
 *
 * not under valgrind: valgrind cannot start the supervisor
 */
#include "foreach.h"

/** Runs a workflow of one step with these members, and checks the output of all its instances. */
static void gives(const char *foreach, const char *members, const char *context, const char *command, const char *want)
{
    for (int jobs = 1; jobs <= 4; jobs += 3) {
        char *document = foreach_document(foreach, members, command);
        fw_context *values = check_context(context);
        char options[64];
        snprintf(options, sizeof options, "{\"jobs\": %d}", jobs);
        fw_result *result = workflow_run(document, NULL, values, options);
        CHECK_EXITED(result, 0);
        char *text = foreach_output(result);
        CHECK_STR(text, want);
        free(text);
        fw_result_free(result);
        fw_context_free(values);
        free(document);
    }
}

static void combines(void)
{
    gives("'names': {'a': [1, 2], 'b': ['x', 'y']}", "'after': []", "{}", "echo $a$b $outer",
          "1x outer\n1y outer\n2x outer\n2y outer\n");
    gives("'names': {'a': [1, 2], 'b': ['x', 'y']}, 'combine': 'zip'", NULL, "{\"outer\": 7}", "echo $a$b $outer",
          "1x 7\n2y 7\n");
    gives("'names': {'a': ['only']}", NULL, "{}", "echo $a", "only\n");
    gives("'names': {'a': ['same', 'same']}", NULL, "{}", "echo $a", "same\nsame\n");
    gives("'names': {'a': []}", NULL, "{}", "echo $a", "");
    gives("'names': {'a': [1, 2], 'b': []}", NULL, "{}", "echo $a", "");
}

static void hides_the_context(void)
{
    gives("'names': {'a': [1, 2]}", NULL, "{\"a\": \"hidden\"}", "echo $a", "1\n2\n");
    gives("'names': {'a': [1, [2, 'x']]}", "'environment_values': ['a']", "{\"a\": \"hidden\"}", "echo $$a",
          "1\n[2,\"x\"]\n");
    gives("'names': {'a': ['in', 'it']}", "'stdin': {'value': 'a'}", "{\"a\": \"hidden\"}", "cat", "init");
    gives("'names': {'nobody': [1, 2]}", NULL, "{}", "echo no name", "no name\nno name\n");
    gives("'names': {'a': ['$b'], 'b': [1]}", NULL, "{}", "echo '$a'", "$b\n");
}

static void takes_lists(void)
{
    gives("'names': {'a': {'value': 'given'}}", NULL, "{\"given\": [\"x\", null]}", "echo $a", "x\nNone\n");
    gives("'names': {'a': {'value': 'given'}}", NULL, "{\"given\": []}", "echo $a", "");
    static const char template[] =
        "{\"parameters\": [{\"name\": \"all\", \"dtype\": \"list\"}, {\"name\": \"one\", \"dtype\": \"string\"}], "
        " \"workflow\": {\"steps\": [{\"name\": \"s\", \"foreach\": {\"names\": {\"a\": \"$[[all]]\", "
        "\"b\": [\"$[[one]]\", [[0]]]}}, \"action\": {\"environment\": \"\", \"commands\": [\"echo $a $b\"]}}]}}";
    fw_context *context = check_context("{\"all\": [1, [2]], \"one\": \"o\"}");
    fw_result *result = workflow_run(template, NULL, context, NULL);
    char *text = foreach_output(result);
    CHECK_STR(text, "1 o\n1 [[0]]\n[2] o\n[2] [[0]]\n");
    free(text);
    fw_result_free(result);
    fw_context_free(context);
}

/** Results and events say which instance they are about. */
static void says_which(void)
{
    char *document = foreach_document("'names': {'a': [1, 2], 'b': [null]}", "'after': []", "echo $a; exit $a");
    fw_exec *exec = workflow_start(document, NULL, NULL, "{\"fail\": \"last\", \"jobs\": 2}");
    struct events events = events_of(exec);
    int started[2] = {0, 0};
    for (size_t i = 0; i < events.count; i++) {
        const fw_event *event = events.list[i];
        int64_t instance = fw_event_instance(event);
        if (fw_event_step(event) < 0) {
            CHECK_INT(instance, -1);
            continue;
        }
        CHECK(instance == 0 || instance == 1);
        json_t *json = event_json(event);
        CHECK_JSON(json_object_get(json, "instance"), json_integer(instance));
        if (fw_event_kind(event) == FW_EVENT_STEP_STARTED) {
            started[instance]++;
            CHECK_JSON(json_object_get(json, "values"), json_pack("{s:i, s:n}", "a", (int)instance + 1, "b"));
        } else {
            CHECK(json_object_get(json, "values") == NULL);
        }
        json_decref(json);
    }
    CHECK_INT(started[0], 1);
    CHECK_INT(started[1], 1);
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_step_count(result), 2);
    CHECK_INT(fw_result_instance(result), -1);
    CHECK_INT(fw_result_index(result), -1);
    json_t *json = foreach_json(result);
    for (int i = 0; i < 2; i++) {
        const fw_result *one = fw_result_step(result, i);
        CHECK_STR(fw_result_name(one), "s");
        CHECK_INT(fw_result_index(one), 0);
        CHECK_INT(fw_result_instance(one), i);
        CHECK_INT(fw_result_returncode(one), i + 1);
        char *name = NULL;
        REQUIRE(asprintf(&name, "step \"s\" (a %d, b None), command 1 of 1 exited with status %d", i + 1, i + 1) > 0);
        CHECK_HAS(fw_result_message(one), name);
        free(name);
        json_t *step = json_array_get(json_object_get(json, "steps"), i);
        CHECK_JSON(json_object_get(step, "instance"), json_integer(i));
        CHECK_JSON(json_object_get(step, "index"), json_integer(0));
        CHECK_JSON(json_object_get(step, "values"), json_pack("{s:i, s:n}", "a", i + 1, "b"));
    }
    json_decref(json);
    fw_result_free(result);
    events_free(&events);
    fw_exec_free(exec);
    free(document);
}

/** A plain step has no values. */
static void plain(void)
{
    fw_result *result = workflow_run("{\"steps\": [" STEP("p", "true") "]}", NULL, NULL, NULL);
    json_t *json = foreach_json(result);
    json_t *step = json_array_get(json_object_get(json, "steps"), 0);
    CHECK_JSON(json_object_get(step, "values"), json_null());
    CHECK_JSON(json_object_get(step, "instance"), json_null());
    json_decref(json);
    fw_result_free(result);
}

int main(void)
{
    combines();
    hides_the_context();
    takes_lists();
    says_which();
    plain();
    return check_done();
}
