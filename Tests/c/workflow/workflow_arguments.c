/*
 * Arguments of a template are converted to the types of their parameters, and a file parameter with a target is copied
 * there before the first step.
 *
 * not under valgrind: valgrind cannot start the supervisor
 */
#include "workflow.h"

static const char document[] =
    "{\"workflow\": {\"files\": {\"inputs\": [\"$[[names]]\"]}, "
    " \"parameters\": {\"file\": \"$[[names]]\", \"x\": \"$[[x]]\", \"all\": \"$[[all]]\", \"r\": \"$[[r]]\"}, "
    " \"steps\": [" STEP(
        "a", "cat $file; echo $file $x '$all' '$r'") "]}, "
                                                     " \"parameters\": [{\"name\": \"names\", \"dtype\": \"file\", "
                                                     "\"target\": \"data/names.txt\"}, "
                                                     "  {\"name\": \"x\", \"dtype\": \"float\"}, "
                                                     "  {\"name\": \"all\", \"dtype\": \"list\", \"para\": {\"name\": "
                                                     "\"n\", \"dtype\": \"int\"}}, "
                                                     "  {\"name\": \"r\", \"dtype\": \"record\", \"fields\": "
                                                     "[{\"name\": \"b\", \"dtype\": \"bool\"}]}]}";

static void converts(void)
{
    write_file("names.txt", "Alice\n");
    fw_context *context = check_context("{\"names\": \"names.txt\", \"x\": 5, \"all\": [\"1\", 2.9, true], "
                                        "\"r\": [{\"name\": \"b\", \"value\": \"t\"}]}");
    fw_result *result = workflow_run(document, NULL, context, NULL);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "Alice\ndata/names.txt 5.0 [1,2,1] {\"b\":true}\n");
    fw_result_free(result);
    fw_context_free(context);
}

static void refuses(const char *values, const char *path, const char *message)
{
    fw_workflow *workflow = workflow_of(document);
    fw_context *context = check_context(values);
    fw_result *result = NULL;
    fw_error *error = NULL;
    CHECK_INT(fw_workflow_run(workflow, NULL, context, check_dir(), NULL, 0, &result, &error), FW_E_DOCUMENT);
    CHECK(result == NULL);
    CHECK_STR(fw_error_path(error), path);
    CHECK_STR(fw_error_message(error), message);
    fw_error_free(error);
    fw_context_free(context);
    fw_workflow_free(workflow);
}

static void misses_the_file(void)
{
    fw_context *context = check_context("{\"names\": \"nothing\", \"x\": 1, \"all\": [], \"r\": [{\"name\": \"b\", "
                                        "\"value\": null}]}");
    fw_result *result = workflow_run(document, NULL, context, NULL);
    CHECK_INT(fw_result_outcome(result), FW_INPUT_MISSING);
    CHECK(strstr(fw_result_message(result), "its input \"nothing\" is missing") != NULL);
    CHECK_INT(fw_result_step_count(result), 0);
    fw_result_free(result);
    fw_context_free(context);
}

int main(void)
{
    converts();
    misses_the_file();
    refuses("{\"names\": 5}", "/names",
            "expected the key of a file (a string) for the parameter \"names\", found the integer 5");
    refuses("{\"names\": \"a\", \"x\": \"0x10\"}", "/x",
            "expected a number for the parameter \"x\", found the string \"0x10\"");
    refuses("{\"names\": \"a\", \"x\": 1, \"all\": [1, \"b\"]}", "/all/1",
            "expected an integer for an element of the parameter \"all\", found the string \"b\"");
    refuses("{\"names\": \"a\", \"x\": 1, \"all\": [], \"r\": [{\"name\": \"c\", \"value\": 1}]}", "/r/0",
            "the parameter \"r\" has no field \"c\": it has \"b\"");
    return check_done();
}
