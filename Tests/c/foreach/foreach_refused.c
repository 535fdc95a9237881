/*
 * What is wrong with a step that has foreach is an error before the first step starts: lists that are none, keys that
 * two instances write, names that would not be seen, values that are secret. A worker by itself refuses such a step.
 *
 * not under valgrind: valgrind cannot start the supervisor
 */
#include "foreach.h"

/** A workflow with a step that leaves a mark, and then one with foreach, is refused before it leaves the mark. */
static void refuses(const char *foreach, const char *members, const char *config, const char *context, const char *path,
                    const char *message)
{
    char *document = NULL;
    REQUIRE(asprintf(&document,
                     "{'steps': [{'name': 'first', 'action': {'environment': '', 'commands': ['touch mark']}}, "
                     "{'name': 's', 'foreach': {%s}, %s'action': {'environment': '', 'commands': ['echo $a']}}]}",
                     foreach, members ? members : "") > 0);
    fw_workflow *workflow = workflow_of(foreach_quotes(document));
    fw_context *values = check_context(context);
    fw_pool *pool = NULL;
    fw_error *error = NULL;
    if (config != NULL)
        CHECK_OK(fw_pool_create(config, FW_ZERO_TERMINATED, &pool, &error), &error);
    fw_exec *exec = NULL;
    fw_status status = fw_workflow_start(workflow, pool, values, check_dir(), NULL, FW_ZERO_TERMINATED, &exec, &error);
    CHECK_REFUSED(status, FW_E_DOCUMENT, &error, path, message);
    CHECK(exec == NULL);
    char *mark = check_path("mark");
    CHECK(access(mark, F_OK) != 0);
    free(mark);
    fw_exec_free(exec);
    fw_context_free(values);
    fw_pool_free(pool);
    fw_workflow_free(workflow);
    free(document);
}

static void before_the_start(void)
{
    refuses("'names': {'a': [1, 1]}", "'files': {'outputs': ['same/$a']}, ", NULL, "{}", "/steps/1/files/outputs/0",
            "step \"s\": the instances 0 (a 1) and 1 (a 1) both write the key \"same/1\"");
    refuses("'names': {'a': ['d', 'd/x']}", "'files': {'outputs': ['o/$a']}, ", NULL, "{}", "/steps/1/files/outputs/0",
            "write the folder \"o/d\" and the key \"o/d/x\" in it");
    refuses("'names': {'a': ['..']}", "'files': {'inputs': ['$a/x']}, ", NULL, "{}", "/steps/1/files/inputs/0",
            "step \"s\" (a \"..\"): the key \"../x\" contains \"..\"");
    refuses("'names': {'a': {'value': 'list'}}", NULL, NULL, "{\"lst\": []}", "/steps/1/foreach/names/a",
            "step \"s\": the context has no value \"list\", which is to be the list; did you mean \"lst\"?");
    refuses("'names': {'a': {'value': 'list'}}", NULL, NULL, "{\"list\": {\"x\": 1}}", "/steps/1/foreach/names/a",
            "expected the value of \"list\" to be a list, found an object");
    refuses("'names': {'a': {'value': 'list'}, 'b': [1]}, 'combine': 'zip'", NULL, NULL, "{\"list\": []}",
            "/steps/1/foreach/names/b", "lists that are zipped must have the same length");
    refuses("'names': {'a': [1]}", NULL, "{\"default_variables\": [{\"key\": \"a\", \"value\": \"mine\"}]}", "{}",
            "/steps/1/foreach/names/a", "which wins over the values of \"foreach\": use another name");
    refuses("'names': {'a': [1]}", NULL,
            "{\"workers\": [{\"name\": \"w\", \"type\": \"subprocess\", \"secrets\": [\"a\"], \"env\": [{\"key\": "
            "\"a\", \"value\": \"long secret\"}]}], \"workflow\": [{\"step\": \"s\", \"worker\": \"w\"}]}",
            "{}", "/steps/1/foreach/names/a", "is the name of a secret");
    refuses("'names': {'a': ['a long secret']}", NULL,
            "{\"workers\": [{\"name\": \"w\", \"type\": \"subprocess\", \"secrets\": [\"X\"], \"env\": [{\"key\": "
            "\"X\", \"value\": \"long secret\"}]}], \"workflow\": [{\"step\": \"s\", \"worker\": \"w\"}]}",
            "{}", "/steps/1/foreach/names/a", "step \"s\": the list of \"a\" has a secret in it");
}

/** A parameter that is no list. */
static void wrong_parameter(void)
{
    fw_workflow *workflow = workflow_of(
        "{\"steps\": [{\"name\": \"s\", \"foreach\": {\"names\": {\"a\": \"$[[all]]\"}}, \"action\": {\"environment\": "
        "\"\", \"commands\": []}}]}");
    fw_context *context = check_context("{\"all\": 7}");
    fw_result *result = NULL;
    fw_error *error = NULL;
    fw_status status = fw_workflow_run(workflow, NULL, context, check_dir(), NULL, 0, &result, &error);
    CHECK_REFUSED(status, FW_E_DOCUMENT, &error, "/steps/0/foreach/names/a",
                  "expected a list, or {\"value\": NAME} for a list of the context, found the integer 7");
    fw_context_free(context);
    fw_workflow_free(workflow);
}

/** A list that an earlier step gives is known only when the step is about to start, and then the step has failed. */
static void late(void)
{
    static const char document[] =
        "{\"steps\": [{\"name\": \"list\", \"action\": {\"func\": \"json.loads\", \"arg\": \"all\", "
        "\"variables\": [{\"arg\": \"s\", \"var\": \"text\"}]}}, "
        "{\"name\": \"s\", \"foreach\": {\"names\": {\"a\": {\"value\": \"all\"}}}, \"files\": {\"outputs\": [\"o\"]}, "
        "\"action\": {\"environment\": \"\", \"commands\": [\"touch o; echo $a\"]}}, "
        "{\"name\": \"after\", \"files\": {\"inputs\": [\"o\"]}, \"action\": {\"environment\": \"\", \"commands\": "
        "[\"true\"]}}]}";
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"text\": \"[1, 2]\"}",
         "step \"s\" could not be started: the instances 0 (a 1) and 1 (a 2) both write the key \"o\""},
        {"{\"text\": \"7\"}",
         "step \"s\" could not be started: expected the value of \"all\" to be a list, found the integer 7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fw_context *context = check_context(cases[i].text);
        fw_result *result = workflow_run(document, NULL, context, "{\"fail\": \"last\", \"jobs\": 2}");
        CHECK_HAS(fw_result_message(result), cases[i].message);
        CHECK_INT(fw_result_step_count(result), 2);
        CHECK_INT(fw_result_instance(fw_result_step(result, 1)), -1);
        json_t *json = foreach_json(result);
        json_t *left = json_array_get(json_object_get(json, "not_run"), 0);
        CHECK_STR(json_string_value(json_object_get(left, "step")), "after");
        json_decref(json);
        fw_result_free(result);
        fw_context_free(context);
    }
}

/** A worker by itself would have to run the step many times. */
static void worker_alone(void)
{
    fw_step *step =
        check_step("{\"name\": \"s\", \"foreach\": {\"names\": {\"a\": [1]}}, \"action\": {\"environment\": "
                   "\"\", \"commands\": [\"true\"]}}");
    fw_worker *worker = run_worker(NULL);
    fw_error *error = NULL;
    fw_result *result = NULL;
    fw_exec *exec = NULL;
    char *plan = NULL;
    CHECK_REFUSED(fw_worker_exec(worker, step, NULL, check_dir(), &result, &error), FW_E_DOCUMENT, &error, "/foreach",
                  "fw_workflow_start runs it");
    CHECK_REFUSED(fw_exec_start(worker, step, NULL, check_dir(), NULL, 0, &exec, &error), FW_E_DOCUMENT, &error,
                  "/foreach", "fw_workflow_start runs it");
    CHECK_REFUSED(fw_worker_plan(worker, step, NULL, check_dir(), &plan, &error), FW_E_DOCUMENT, &error, "/foreach",
                  "fw_workflow_start runs it");
    fw_worker_free(worker);
    fw_step_free(step);
}

int main(void)
{
    before_the_start();
    wrong_parameter();
    late();
    worker_alone();
    return check_done();
}
