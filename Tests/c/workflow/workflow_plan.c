/*
 * fw_workflow_plan() says which step waits for which others and why, by the files and values of the steps. It runs
 * nothing, and needs no directory.
 */
#include "workflow.h"

/** A workflow whose document has single quotes in the place of double ones. */
static fw_workflow *quoted(const char *json)
{
    static char text[8192];
    REQUIRE(strlen(json) < sizeof text);
    for (size_t at = 0; at <= strlen(json); at++)
        text[at] = json[at] == '\'' ? '"' : json[at];
    return workflow_of(text);
}

static json_t *plan_of(const char *json, fw_pool *pool, const char *values, const char *rundir, const char *options)
{
    fw_workflow *workflow = quoted(json);
    fw_context *context = values == NULL ? NULL : check_context(values);
    fw_error *error = NULL;
    char *text = NULL;
    CHECK_OK(fw_workflow_plan(workflow, pool, context, rundir, options, FW_ZERO_TERMINATED, &text, &error), &error);
    REQUIRE(text != NULL);
    json_t *plan = json_loads(text, 0, NULL);
    REQUIRE(plan != NULL);
    fw_string_free(text);
    fw_context_free(context);
    fw_workflow_free(workflow);
    return plan;
}

/** What each step needs, such as `b<a:read_after_write:x>`, with `*` where instances wait one by one. */
static void needs_are(json_t *plan, const char *wanted)
{
    char text[4096] = "";
    size_t at;
    json_t *step;
    json_array_foreach(json_object_get(plan, "steps"), at, step) {
        char needs[2048] = "";
        size_t number;
        json_t *need;
        json_array_foreach(json_object_get(step, "needs"), number, need) {
            const char *what = json_string_value(json_object_get(need, "what"));
            size_t length = strlen(needs);
            snprintf(needs + length, sizeof needs - length, "%s%s:%s:%s%s", number == 0 ? "" : " ",
                     json_string_value(json_object_get(need, "step")), json_string_value(json_object_get(need, "kind")),
                     what == NULL ? "-" : what, json_is_true(json_object_get(need, "each")) ? "*" : "");
        }
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "%s%s<%s>", at == 0 ? "" : " ",
                 json_string_value(json_object_get(step, "step")), needs);
    }
    CHECK_STR(text, wanted);
}

static json_t *step_at(json_t *plan, size_t index)
{
    return json_array_get(json_object_get(plan, "steps"), index);
}

/** Keys, folders and names make edges of three kinds. A directory that does not exist is not created. */
static void orders_files_and_values(void)
{
    static const char document[] =
        "{'steps': [{'name': 'w1', 'files': {'inputs': [], 'outputs': ['d/']}, 'action': {'environment': '', "
        "'commands': ['make d']}},"
        "{'name': 'w2', 'files': {'inputs': ['s'], 'outputs': ['d/x']}, 'action': {'environment': '', 'commands': "
        "['use $later $$here ${later:q}']}},"
        "{'name': 'r', 'files': {'inputs': ['./d//'], 'outputs': ['r']}, 'action': {'environment': '', 'commands': "
        "[['use', '$n', '$python']]}},"
        "{'name': 'c', 'files': {'inputs': [], 'outputs': ['c']}, 'action': {'func': 'f', 'arg': 'later',"
        " 'variables': [{'arg': 'p', 'var': 'n'}]}},"
        "{'name': 'v', 'files': {'inputs': ['dx'], 'outputs': ['s']}, 'action': {'environment': '', 'commands': ['use "
        "$later']}}]}";
    fw_pool *pool = check_pool("{}");
    fw_error *error = NULL;
    CHECK_OK(fw_function_register(pool, "f", "[\"p\"]", FW_ZERO_TERMINATED, (fw_function)abort, NULL, NULL, &error),
             &error);
    char *nowhere = check_path("nowhere");
    json_t *plan = plan_of(document, pool, NULL, nowhere, "{\"jobs\": 4}");
    CHECK(!has_file("nowhere"));
    needs_are(plan, "w1<> w2<w1:write_after_write:d/x> r<w1:read_after_write:d/ w2:read_after_write:d/x> "
                    "c<w2:write_after_read:later> v<w2:write_after_read:s c:read_after_write:later>");
    CHECK_JSON(json_object_get(step_at(plan, 2), "reads"), json_pack("{s[s]s[s]}", "files", "d/", "names", "n"));
    CHECK_JSON(json_object_get(step_at(plan, 3), "reads"), json_pack("{s[]s[s]}", "files", "names", "n"));
    CHECK_JSON(json_object_get(step_at(plan, 3), "writes"), json_pack("{s[s]s[s]}", "files", "c", "names", "later"));
    CHECK_JSON(json_object_get(step_at(plan, 0), "trusts"), json_string("reads"));
    CHECK_JSON(json_object_get(step_at(plan, 1), "trusts"), json_null());
    CHECK_JSON(json_object_get(step_at(plan, 1), "barrier"), json_null());
    CHECK_JSON(json_object_get(step_at(plan, 0), "instances"), json_null());
    CHECK_JSON(json_object_get(step_at(plan, 0), "priority"), json_integer(3));
    CHECK_JSON(json_object_get(plan, "jobs"), json_integer(4));
    CHECK_JSON(json_object_get(plan, "width"), json_integer(2));
    CHECK_JSON(json_object_get(plan, "longest_path"), json_pack("[ssss]", "w1", "w2", "c", "v"));
    json_decref(plan);
    free(nowhere);
    fw_pool_free(pool);
}

/** A step without files is a barrier, and `after` says that it is none. What is not known reads all values. */
static void knows_barriers(void)
{
    static const char document[] =
        "{'steps': [{'name': 'a', 'files': {'inputs': [], 'outputs': ['x']}, 'action': {'func': 'm.f', 'arg': 'n'}},"
        "{'name': 'b', 'after': [], 'action': {'environment': '', 'commands': []}},"
        "{'name': 'c', 'action': {'environment': '', 'commands': []}},"
        "{'name': 'd', 'after': ['a'], 'action': {'environment': '', 'commands': ['$n']}},"
        "{'name': 'e', 'files': {'inputs': ['y'], 'outputs': []}, 'action': {'func': 'm.g'}},"
        "{'name': 'f', 'files': {'inputs': ['y'], 'outputs': []}, 'action': {'func': 'm.h', 'parameters': ['q'], "
        "'arg': 'm'}}]}";
    json_t *plan = plan_of(document, NULL, NULL, NULL, NULL);
    needs_are(plan, "a<> b<> c<a:barrier:- b:barrier:-> d<a:after:- c:barrier:-> e<c:barrier:-> "
                    "f<c:barrier:- e:write_after_read:m>");
    CHECK_JSON(json_object_get(step_at(plan, 2), "barrier"),
               json_string("step \"c\" declares neither inputs nor outputs, so it may use any file: "
                           "\"after\": [] says that it does not"));
    CHECK_JSON(json_object_get(json_object_get(step_at(plan, 4), "reads"), "names"), json_string("*"));
    CHECK_JSON(json_object_get(step_at(plan, 4), "trusts"), json_string("writes"));
    json_decref(plan);
}

/** The files of notebooks and of the standard input, worker variables, environment values and secrets count. */
static void knows_other_cells(void)
{
    static const char document[] =
        "{'steps': [{'name': 'g', 'files': {'inputs': [], 'outputs': ['n.ipynb']}, 'action': {'func': 'f', 'arg': "
        "'x'}},"
        "{'name': 'n', 'files': {'inputs': ['i'], 'outputs': []}, 'action': {'notebook': 'n.ipynb', 'params': ['q'],"
        " 'variables': [{'arg': 'q', 'var': 'x'}]}},"
        "{'name': 'u', 'files': {'inputs': ['n.out.ipynb'], 'outputs': ['u']}, 'action': {'environment': '', "
        "'commands': ['$x']}},"
        "{'name': 's', 'stdin': {'file': 'u'}, 'files': {'inputs': [], 'outputs': ['s']}, 'action': {'environment': "
        "'', 'commands': ['sort']}},"
        "{'name': 'v', 'stdin': {'value': 'x'}, 'files': {'inputs': [], 'outputs': ['v']}, 'action': {'environment': "
        "'', 'commands': ['cat']}},"
        "{'name': 'e', 'environment_values': ['x'], 'files': {'inputs': [], 'outputs': ['e']}, 'action': "
        "{'environment': '', 'commands': ['env']}},"
        "{'name': 'p', 'files': {'inputs': ['i'], 'outputs': []}, 'action': {'notebook': '/n.ipynb'}}]}";
    fw_pool *pool = check_pool("{\"workers\": [{\"name\": \"k\", \"type\": \"subprocess\", \"variables\": {\"x\": "
                               "\"1\"}}], \"managers\": {\"u\": \"k\"}}");
    fw_error *error = NULL;
    CHECK_OK(fw_function_register(pool, "f", "[]", FW_ZERO_TERMINATED, (fw_function)abort, NULL, NULL, &error), &error);
    json_t *plan = plan_of(document, pool, NULL, NULL, NULL);
    needs_are(plan, "g<> n<g:read_after_write:n.ipynb> u<n:read_after_write:n.out.ipynb> s<u:read_after_write:u> "
                    "v<g:read_after_write:x> e<g:read_after_write:x> "
                    "p<g:barrier:- n:barrier:- u:barrier:- s:barrier:- v:barrier:- e:barrier:->");
    CHECK_HAS(json_string_value(json_object_get(step_at(plan, 6), "barrier")), "the path of the notebook of step");
    json_decref(plan);
    fw_pool_free(pool);
}

/** A key is one file in all volumes: copies of it do not change the order. */
static void knows_volumes(void)
{
    static const char document[] =
        "{'steps': [{'name': 'w', 'files': {'inputs': [], 'outputs': ['x']}, 'action': {'environment': '', 'commands': "
        "[]}},"
        "{'name': 'r', 'files': {'inputs': ['x'], 'outputs': []}, 'action': {'environment': '', 'commands': []}},"
        "{'name': 's', 'files': {'inputs': ['x'], 'outputs': []}, 'action': {'environment': '', 'commands': []}},"
        "{'name': 'v', 'files': {'inputs': [], 'outputs': ['x']}, 'action': {'environment': '', 'commands': []}}]}";
    fw_pool *pool = check_pool(
        "{\"workers\": [{\"name\": \"a\", \"type\": \"subprocess\", \"volume\": \"A\"},"
        " {\"name\": \"b\", \"type\": \"subprocess\", \"volume\": \"B\"}],"
        " \"managers\": {\"w\": \"a\", \"r\": \"b\", \"v\": \"b\"},"
        " \"volumes\": [{\"name\": \"A\", \"type\": \"fs\", \"args\": [{\"key\": \"basedir\", \"value\": "
        "\"/nowhere/a\"}]},"
        " {\"name\": \"B\", \"type\": \"fs\", \"args\": [{\"key\": \"basedir\", \"value\": \"/nowhere/b\"}]}]}");
    json_t *plan = plan_of(document, pool, NULL, NULL, NULL);
    needs_are(plan, "w<> r<w:read_after_write:x> s<w:read_after_write:x> "
                    "v<w:write_after_write:x r:write_after_read:x s:write_after_read:x>");
    json_decref(plan);
    fw_pool_free(pool);
}

/** A value that is secret is hidden in the output of all steps behind, so its step is a barrier in any case. */
static void hides_secrets(void)
{
    static const char document[] = "{'steps': [{'name': 'a', 'after': [], 'action': {'func': 'f', 'arg': 'token'}},"
                                   "{'name': 'b', 'secrets': ['token'], 'files': {'inputs': [], 'outputs': "
                                   "['key-hunter22']}, 'action': {'environment': '', 'commands': []}}]}";
    fw_pool *pool = check_pool("{\"workers\": [{\"name\": \"k\", \"type\": \"subprocess\", \"env\": {\"KEY\": "
                               "\"hunter22\"}, \"secrets\": [\"KEY\"]}], \"managers\": {\"b\": \"k\"}}");
    fw_error *error = NULL;
    CHECK_OK(fw_function_register(pool, "f", "[]", FW_ZERO_TERMINATED, (fw_function)abort, NULL, NULL, &error), &error);
    json_t *plan = plan_of(document, pool, "{\"token\": \"four-and-more\"}", NULL, NULL);
    CHECK_HAS(json_string_value(json_object_get(step_at(plan, 0), "barrier")), "the value \"token\" of step");
    CHECK_JSON(json_object_get(json_object_get(step_at(plan, 1), "writes"), "files"), json_pack("[s]", "key-***"));
    needs_are(plan, "a<> b<a:barrier:->");
    json_decref(plan);
    fw_pool_free(pool);
}

/** Instances wait for one another one by one where both steps have one template over the same values. */
static void knows_instances(void)
{
    static const char document[] =
        "{'steps': [{'name': 'a', 'foreach': {'names': {'i': [1, 2, 3]}}, 'files': {'inputs': [], 'outputs': "
        "['a/$i']}, 'action': {'environment': '', 'commands': ['$i $j']}},"
        "{'name': 'b', 'foreach': {'names': {'i': [1, 2, 3]}}, 'files': {'inputs': ['a/$i'], 'outputs': ['b/$i']}, "
        "'action': {'environment': '', 'commands': []}},"
        "{'name': 'c', 'foreach': {'names': {'i': [3, 2, 1]}}, 'files': {'inputs': ['a/$i'], 'outputs': ['c/$i']}, "
        "'action': {'environment': '', 'commands': []}},"
        "{'name': 'd', 'foreach': {'names': {'i': [1, 2, 3]}}, 'files': {'inputs': ['a/$i', 'a/1'], 'outputs': "
        "['d/$i']}, 'action': {'environment': '', 'commands': []}},"
        "{'name': 'e', 'files': {'inputs': ['b/2'], 'outputs': ['e']}, 'action': {'environment': '', 'commands': []}},"
        "{'name': 'f', 'foreach': {'names': {'i': {'value': 'l'}}}, 'files': {'inputs': ['b/$i'], 'outputs': "
        "['f/$i']}, 'action': {'environment': '', 'commands': []}},"
        "{'name': 'g', 'foreach': {'names': {'i': {'value': 'l'}}}, 'files': {'inputs': ['f/$i'], 'outputs': "
        "['g/$i']}, 'action': {'environment': '', 'commands': []}},"
        "{'name': 'h', 'foreach': {'names': {'i': ['1', '2']}}, 'files': {'inputs': ['h/'], 'outputs': ['h/$i']}, "
        "'action': {'environment': '', 'commands': []}},"
        "{'name': 'i', 'foreach': {'names': {'i': []}}, 'action': {'environment': '', 'commands': []}}]}";
    json_t *plan = plan_of(document, NULL, "{\"l\": [1]}", NULL, NULL);
    needs_are(plan,
              "a<> b<a:read_after_write:a/1*> c<a:read_after_write:a/3> d<a:read_after_write:a/1> "
              "e<b:read_after_write:b/2> f<b:read_after_write:b/1> g<f:read_after_write:f/*> h<> "
              "i<a:barrier:- b:barrier:- c:barrier:- d:barrier:- e:barrier:- f:barrier:- g:barrier:- h:barrier:->");
    CHECK_JSON(json_object_get(step_at(plan, 0), "instances"), json_integer(3));
    CHECK_JSON(json_object_get(step_at(plan, 8), "instances"), json_integer(0));
    CHECK_JSON(json_object_get(step_at(plan, 5), "instances"), json_integer(1));
    CHECK_JSON(json_object_get(step_at(plan, 0), "in_order"), json_false());
    CHECK_JSON(json_object_get(step_at(plan, 7), "in_order"), json_true());
    CHECK_JSON(json_object_get(step_at(plan, 8), "in_order"), json_true());
    CHECK_JSON(json_object_get(step_at(plan, 1), "reads"), json_pack("{s[s]s[]}", "files", "a/$i", "names"));
    CHECK_JSON(json_object_get(json_object_get(step_at(plan, 5), "reads"), "names"), json_pack("[s]", "l"));
    CHECK_JSON(json_object_get(json_object_get(step_at(plan, 0), "reads"), "names"), json_pack("[s]", "j"));
    CHECK_JSON(json_object_get(plan, "width"), json_integer(9));
    json_decref(plan);

    // Nobody knows the list that a step gives.
    plan = plan_of("{'steps': [{'name': 'a', 'after': [], 'action': {'func': 'm.f', 'arg': 'l'}},"
                   "{'name': 'b', 'foreach': {'names': {'i': {'value': 'l'}}}, 'files': {'outputs': ['b/$i']},"
                   " 'action': {'environment': '', 'commands': []}}]}",
                   NULL, NULL, NULL, NULL);
    CHECK_JSON(json_object_get(step_at(plan, 1), "instances"), json_string("unknown"));
    needs_are(plan, "a<> b<a:read_after_write:l>");
    json_decref(plan);
}

/** A document of which no run could begin is refused, with the place of the step. */
static void refuses(const char *steps, const char *path, const char *message)
{
    char document[4096];
    snprintf(document, sizeof document, "{'steps': [%s]}", steps);
    fw_workflow *workflow = quoted(document);
    fw_error *error = NULL;
    char *text = NULL;
    fw_exec *exec = NULL;
    CHECK_INT(fw_workflow_plan(workflow, NULL, NULL, NULL, NULL, 0, &text, &error), FW_E_DOCUMENT);
    CHECK_STR(fw_error_path(error), path);
    CHECK_STR(fw_error_message(error), message);
    fw_error_free(error);
    CHECK_INT(fw_workflow_start(workflow, NULL, NULL, check_dir(), NULL, 0, &exec, &error), FW_E_DOCUMENT);
    CHECK_STR(fw_error_message(error), message);
    fw_error_free(error);
    fw_workflow_free(workflow);
}

static void refuses_wrong_orders(void)
{
    refuses("{'name': 'a', 'after': ['b'], 'files': {'outputs': ['x']}, 'action': {'environment': '', 'commands': []}},"
            "{'name': 'b', 'files': {'inputs': ['x']}, 'action': {'environment': '', 'commands': []}}",
            "/steps/0/after",
            "2 steps wait for each other, so none of them can be the first: \"a\" comes after \"b\" (its \"after\"); "
            "\"b\" needs \"x\" of \"a\"; remove a name from an \"after\"");
    refuses("{'name': 'align', 'action': {'environment': '', 'commands': []}},"
            "{'name': 'b', 'after': ['algin'], 'action': {'environment': '', 'commands': []}}",
            "/steps/1/after/0",
            "step \"b\" is to run after \"algin\", which is no step of the workflow; did you mean \"align\"?");
    refuses("{'name': 'a', 'after': ['a'], 'action': {'environment': '', 'commands': []}}", "/steps/0/after/0",
            "step \"a\" is to run after itself: remove \"a\" from its \"after\"");
    refuses("{'name': 'a', 'foreach': {'names': {'i': [1, 1]}}, 'files': {'outputs': ['$i']},"
            " 'action': {'environment': '', 'commands': []}}",
            "/steps/0/files/outputs/0",
            "step \"a\": the instances 0 (i 1) and 1 (i 1) both write the key \"1\": "
            "give each instance keys of its own");
}

/** `after` may name a step that is left out, because its action is an argument that was not given. */
static void comes_after_a_step_that_is_left_out(void)
{
    json_t *plan = plan_of("{'workflow': {'steps': [{'name': 'a', 'action': '$[[x]]'},"
                           "{'name': 'b', 'after': ['a'], 'action': {'environment': '', 'commands': []}}]},"
                           "'parameters': [{'name': 'x', 'dtype': 'actor', 'isRequired': false}]}",
                           NULL, NULL, NULL, NULL);
    needs_are(plan, "b<>");
    json_decref(plan);
}

int main(void)
{
    orders_files_and_values();
    knows_barriers();
    knows_other_cells();
    knows_volumes();
    hides_secrets();
    knows_instances();
    refuses_wrong_orders();
    comes_after_a_step_that_is_left_out();
    return check_done();
}
