/*
 * fw_workflow_plan() says which step waits for which others and why, by the files and values of the steps. It runs
 * nothing, and needs no directory.
 */
#include "workflow.h"

static json_t *plan_of(const char *json, fw_pool *pool, const char *values, const char *rundir, const char *options)
{
    fw_workflow *workflow = workflow_of(json);
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

#define FILES(inputs, outputs) "\"files\": {\"inputs\": [" inputs "], \"outputs\": [" outputs "]}"
#define COMMAND(text) "\"action\": {\"environment\": \"\", \"commands\": [" text "]}"

/** Keys, folders and names make edges of three kinds. A directory that does not exist is not created. */
static void orders_files_and_values(void)
{
    static const char document
        [] = "{\"steps\": ["
             "{\"name\": \"w1\", " FILES("", "\"d/\"") ", " COMMAND(
                 "\"make d\"") "},"
                               "{\"name\": \"w2\", " FILES("\"s\"", "\"d/x\"") ", " COMMAND(
                                   "\"use $later $$here ${later:q}\"") "},"
                                                                       "{\"name\": \"r\", " FILES("\"./d//\"", "\"r\"") ", " COMMAND(
                                                                           "[\"use\", \"$n\", \"$python\"]") "},"
                                                                                                             "{\"name\""
                                                                                                             ": "
                                                                                                             "\"c\","
                                                                                                             " " FILES(
                                                                                                                 "",
                                                                                                                 "\"c"
                                                                                                                 "\"") ", \"action\": {\"func\": \"f\", \"arg\": \"later\","
                                                                                                                       " \"variables\": [{\"arg\": \"p\", \"var\": \"n\"}]}},"
                                                                                                                       "{\"name\": \"v\", " FILES(
                                                                                                                           "\"dx\"",
                                                                                                                           "\"s\"") ", " COMMAND("\"use $later\"") "}]}";
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
        "{\"steps\": ["
        "{\"name\": \"a\", " FILES(
            "", "\"x\"") ", \"action\": {\"func\": \"m.f\", \"arg\": \"n\"}},"
                         "{\"name\": \"b\", \"after\": [], " COMMAND(
                             "") "},"
                                 "{\"name\": \"c\", " COMMAND(
                                     "") "},"
                                         "{\"name\": \"d\", \"after\": [\"a\"], " COMMAND(
                                             "\"$n\"") "},"
                                                       "{\"name\": \"e\", " FILES(
                                                           "\"y\"", "") ", \"action\": {\"func\": \"m.g\"}},"
                                                                        "{\"name\": \"f\", " FILES(
                                                                            "\"y\"",
                                                                            "") ", \"action\": {\"func\": \"m.h\", "
                                                                                "\"parameters\": [\"q\"], \"arg\": "
                                                                                "\"m\"}}]}";
    json_t *plan = plan_of(document, NULL, NULL, NULL, NULL);
    needs_are(plan, "a<> b<> c<a:barrier:- b:barrier:-> d<a:after:- c:barrier:-> e<c:barrier:-> "
                    "f<c:barrier:- e:write_after_read:m>");
    CHECK_JSON(json_object_get(step_at(plan, 2), "barrier"),
               json_string("it declares neither inputs nor outputs, so it may use any file"));
    CHECK_JSON(json_object_get(json_object_get(step_at(plan, 4), "reads"), "names"), json_string("*"));
    CHECK_JSON(json_object_get(step_at(plan, 4), "trusts"), json_string("writes"));
    json_decref(plan);
}

/** The files of notebooks and of the standard input, worker variables, environment values and secrets count. */
static void knows_other_cells(void)
{
    static const char
        document[] =
            "{\"steps\": ["
            "{\"name\": \"g\", " FILES(
                "", "\"n.ipynb\"") ", \"action\": {\"func\": \"f\", \"arg\": \"x\"}},"
                                   "{\"name\": \"n\", " FILES(
                                       "\"i\"",
                                       "") ", \"action\": {\"notebook\": \"n.ipynb\", \"params\": [\"q\"],"
                                           " \"variables\": [{\"arg\": \"q\", \"var\": \"x\"}]}},"
                                           "{\"name\": \"u\", " FILES("\"n.out.ipynb\"", "\"u\"") ", " COMMAND(
                                               "\"$x\"") "},"
                                                         "{\"name\": \"s\", \"stdin\": {\"file\": \"u\"}, " FILES("", "\"s\"") ", " COMMAND(
                                                             "\"sort\"") "},"
                                                                         "{\"name\": \"v\", \"stdin\": {\"value\": "
                                                                         "\"x\"}, " FILES("", "\"v\"") ", " COMMAND(
                                                                             "\"cat\"") "},"
                                                                                        "{\"name\": \"e\", "
                                                                                        "\"environment_values\": "
                                                                                        "[\"x\"], " FILES("", "\"e\"") ", " COMMAND(
                                                                                            "\"env\"") "},"
                                                                                                       "{\"name\": "
                                                                                                       "\"p\", " FILES(
                                                                                                           "\"i\"",
                                                                                                           "") ", "
                                                                                                               "\"actio"
                                                                                                               "n\": "
                                                                                                               "{\"note"
                                                                                                               "book\":"
                                                                                                               " \"/"
                                                                                                               "n."
                                                                                                               "ipynb\""
                                                                                                               "}}]}";
    fw_pool *pool = check_pool("{\"workers\": [{\"name\": \"k\", \"type\": \"subprocess\", \"variables\": {\"x\": "
                               "\"1\"}}], \"managers\": {\"u\": \"k\"}}");
    fw_error *error = NULL;
    CHECK_OK(fw_function_register(pool, "f", "[]", FW_ZERO_TERMINATED, (fw_function)abort, NULL, NULL, &error), &error);
    json_t *plan = plan_of(document, pool, NULL, NULL, NULL);
    needs_are(plan, "g<> n<g:read_after_write:n.ipynb> u<n:read_after_write:n.out.ipynb> s<u:read_after_write:u> "
                    "v<g:read_after_write:x> e<g:read_after_write:x> "
                    "p<g:barrier:- n:barrier:- u:barrier:- s:barrier:- v:barrier:- e:barrier:->");
    CHECK_HAS(json_string_value(json_object_get(step_at(plan, 6), "barrier")), "the path of its notebook is not a key");
    json_decref(plan);
    fw_pool_free(pool);
}

/** A value that is secret is hidden in the output of all steps behind, so its step is a barrier in any case. */
static void hides_secrets(void)
{
    static const char document[] =
        "{\"steps\": ["
        "{\"name\": \"a\", \"after\": [], \"action\": {\"func\": \"f\", \"arg\": \"token\"}},"
        "{\"name\": \"b\", \"secrets\": [\"token\"], " FILES("", "\"key-hunter22\"") ", " COMMAND("") "}]}";
    fw_pool *pool = check_pool("{\"workers\": [{\"name\": \"k\", \"type\": \"subprocess\", \"env\": {\"KEY\": "
                               "\"hunter22\"}, \"secrets\": [\"KEY\"]}], \"managers\": {\"b\": \"k\"}}");
    fw_error *error = NULL;
    CHECK_OK(fw_function_register(pool, "f", "[]", FW_ZERO_TERMINATED, (fw_function)abort, NULL, NULL, &error), &error);
    json_t *plan = plan_of(document, pool, "{\"token\": \"four-and-more\"}", NULL, NULL);
    CHECK_HAS(json_string_value(json_object_get(step_at(plan, 0), "barrier")), "its value \"token\" is secret");
    CHECK_JSON(json_object_get(json_object_get(step_at(plan, 1), "writes"), "files"), json_pack("[s]", "key-***"));
    needs_are(plan, "a<> b<a:barrier:->");
    json_decref(plan);
    fw_pool_free(pool);
}

/** Instances wait for one another one by one where both steps have one template over the same values. */
static void knows_instances(void)
{
#define OVER(list) "\"foreach\": {\"names\": {\"i\": " list "}}, "
    static const char document[] =
        "{\"steps\": ["
        "{\"name\": \"a\", " OVER("[1, 2, 3]") FILES("", "\"a/$i\"") ", " COMMAND(
            "\"$i $j\"") "},"
                         "{\"name\": \"b\", " OVER("[1, 2, 3]") FILES("\"a/$i\"", "\"b/$i\"") ", " COMMAND(
                             "") "},"
                                 "{\"name\": \"c\", " OVER("[3, 2, 1]") FILES("\"a/$i\"", "\"c/$i\"") ", " COMMAND(
                                     "") "},"
                                         "{\"name\": \"d\", " OVER("[1, 2, 3]") FILES("\"a/$i\", \"a/1\"", "\"d/$i\"") ", " COMMAND(
                                             "") "},"
                                                 "{\"name\": \"e\", " FILES("\"b/2\"", "\"e\"") ", " COMMAND(
                                                     "") "},"
                                                         "{\"name\": \"f\", " OVER("{\"value\": \"l\"}")
                                                             FILES("\"b/$i\"", "\"f/$i\"") ", " COMMAND(
                                                                 "") "},"
                                                                     "{\"name\": \"g\", " OVER("{\"value\": \"l\"}")
                                                                         FILES("\"f/$i\"", "\"g/$i\"") ", " COMMAND(
                                                                             "") "},"
                                                                                 "{\"name\": \"h\", " OVER("[\"1\", "
                                                                                                           "\"2\"]") FILES(
                                                                                     "\"h/\"",
                                                                                     "\"h/$i\"") ", " COMMAND("") "},"
                                                                                                                  "{\"n"
                                                                                                                  "ame"
                                                                                                                  "\": "
                                                                                                                  "\"i"
                                                                                                                  "\","
                                                                                                                  " " OVER(
                                                                                                                      "[]")
                                                                                                                      COMMAND(
                                                                                                                          "") "}]}";
    json_t *plan = plan_of(document, NULL, "{\"l\": [1]}", NULL, NULL);
    needs_are(plan,
              "a<> b<a:read_after_write:a/1*> c<a:read_after_write:a/3> d<a:read_after_write:a/1> "
              "e<b:read_after_write:b/2> f<b:read_after_write:b/1> g<f:read_after_write:f/*> h<> "
              "i<a:barrier:- b:barrier:- c:barrier:- d:barrier:- e:barrier:- f:barrier:- g:barrier:- h:barrier:->");
    CHECK_JSON(json_object_get(step_at(plan, 0), "instances"), json_integer(3));
    CHECK_JSON(json_object_get(step_at(plan, 8), "instances"), json_integer(0));
    CHECK_JSON(json_object_get(step_at(plan, 5), "instances"), json_string("unknown"));
    CHECK_JSON(json_object_get(step_at(plan, 0), "in_order"), json_false());
    CHECK_JSON(json_object_get(step_at(plan, 7), "in_order"), json_true());
    CHECK_JSON(json_object_get(step_at(plan, 8), "in_order"), json_true());
    CHECK_JSON(json_object_get(step_at(plan, 1), "reads"), json_pack("{s[s]s[]}", "files", "a/$i", "names"));
    CHECK_JSON(json_object_get(json_object_get(step_at(plan, 5), "reads"), "names"), json_pack("[s]", "l"));
    CHECK_JSON(json_object_get(json_object_get(step_at(plan, 0), "reads"), "names"), json_pack("[s]", "j"));
    CHECK_JSON(json_object_get(plan, "width"), json_integer(9));
    json_decref(plan);
}

/** A document of which no run could begin is refused, with the place of the step. */
static void refuses(const char *steps, const char *path, const char *message)
{
    char document[4096];
    snprintf(document, sizeof document, "{\"steps\": [%s]}", steps);
    fw_workflow *workflow = workflow_of(document);
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
    refuses("{\"name\": \"a\", \"after\": [\"b\"], " FILES("", "\"x\"") ", " COMMAND(
                "") "},"
                    "{\"name\": \"b\", " FILES("\"x\"", "") ", " COMMAND("") "}",
            "/steps/0/after",
            "2 steps wait for each other, so none of them can be the first: \"a\" comes after \"b\" (its \"after\"); "
            "\"b\" needs \"x\" of \"a\"; remove a name from an \"after\"");
    refuses("{\"name\": \"align\", " COMMAND("") "}, {\"name\": \"b\", \"after\": [\"algin\"], " COMMAND("") "}",
            "/steps/1/after/0",
            "step \"b\" is to run after \"algin\", which is no step of the workflow; did you mean \"align\"?");
    refuses("{\"name\": \"a\", \"after\": [\"a\"], " COMMAND("") "}", "/steps/0/after/0",
            "step \"a\" is to run after itself: remove \"a\" from its \"after\"");
    refuses("{\"name\": \"a\", \"foreach\": {\"names\": {\"i\": [1, 1]}}, " FILES("", "\"$i\"") ", " COMMAND("") "}",
            "/steps/0/files/outputs/0",
            "step \"a\": the instances 0 (i 1) and 1 (i 1) both write the key \"1\": the keys that the instances of a "
            "step write differ");
}

/** `after` may name a step that is left out, because its action is an argument that was not given. */
static void comes_after_a_step_that_is_left_out(void)
{
    json_t *plan = plan_of("{\"workflow\": {\"steps\": [{\"name\": \"a\", \"action\": \"$[[x]]\"},"
                           "{\"name\": \"b\", \"after\": [\"a\"], " COMMAND(
                               "") "}]},"
                                   "\"parameters\": [{\"name\": \"x\", \"dtype\": \"actor\", \"isRequired\": false}]}",
                           NULL, NULL, NULL, NULL);
    needs_are(plan, "b<>");
    json_decref(plan);
}

int main(void)
{
    orders_files_and_values();
    knows_barriers();
    knows_other_cells();
    hides_secrets();
    knows_instances();
    refuses_wrong_orders();
    comes_after_a_step_that_is_left_out();
    return check_done();
}
