/*
 * A million instances cost memory for what is in flight and for the lists of their values, and nothing for what is
 * still to come.
 *
 * not under asan: the sanitizer's own memory is counted
 * not under tsan: the sanitizer's own memory is counted
 * not under valgrind: valgrind cannot start the supervisor
 */
#include "foreach.h"

/** The most memory that this process has used, in KB. */
static long peak(void)
{
    char *text = read_file("/proc/self/status");
    char *line = text ? strstr(text, "VmHWM:") : NULL;
    REQUIRE(line != NULL);
    long kilobytes = strtol(line + strlen("VmHWM:"), NULL, 10);
    free(text);
    return kilobytes;
}

int main(void)
{
    char *list = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&list, &length);
    REQUIRE(out != NULL);
    for (int i = 0; i < 1000; i++)
        fprintf(out, "%s%d", i > 0 ? "," : "", i);
    fclose(out);
    char *foreach = NULL;
    REQUIRE(asprintf(&foreach, "'names': {'a': [%s], 'b': [%s]}", list, list) > 0);
    char *document = foreach_document(foreach, "'files': {'outputs': ['o/$a-$b']}", "exit 1");
    free(foreach);
    free(list);

    fw_result_free(workflow_run("{\"steps\": [" STEP("warm", "true") "]}", NULL, NULL, NULL));
    long before = peak();
    fw_result *result = workflow_run(document, NULL, NULL, "{\"jobs\": 4}");
    CHECK_INT(fw_result_returncode(result), 1);
    json_t *json = foreach_json(result);
    json_t *left = json_array_get(json_object_get(json, "not_run"), 0);
    json_int_t rest = json_integer_value(json_object_get(left, "instances"));
    CHECK_INT(rest + (json_int_t)fw_result_step_count(result), 1000000);
    json_decref(json);
    fw_result_free(result);
    free(document);
    if (!check_true(peak() - before < 64 * 1024, "the run needs less than 64 MB", __FILE__, __LINE__))
        fprintf(stderr, "    %ld KB\n", peak() - before);
    return check_done();
}
