/* Beside a spill file the result keeps 64 KiB, or as much as `output_limit` says, which may be 0. The `spill`
 * directory of a run wins over the worker's. */
#include "events.h"

#define LETTERS(count) "head -c " count " /dev/zero | tr '\\0' a"

static char *place, *other;

/** A string of a command, to be released with free(); NULL for null. */
static char *text_of(const fw_result *result, const char *key)
{
    json_t *value = run_command_member(result, 0, key);
    char *text = json_is_string(value) ? strdup(json_string_value(value)) : NULL;
    CHECK(json_is_string(value) || json_is_null(value));
    json_decref(value);
    return text;
}

static void is_in(const fw_result *result, const char *directory, off_t size)
{
    char *path = text_of(result, "stdout_file");
    struct stat info;
    CHECK_INT(run_command_int(result, 0, "stdout_bytes"), size);
    if (directory == NULL) {
        CHECK(path == NULL);
    } else if (CHECK(path != NULL)) {
        CHECK(strncmp(path, directory, strlen(directory)) == 0 && path[strlen(directory)] == '/');
        CHECK(stat(path, &info) == 0 && info.st_size == size);
    }
    free(path);
}

static fw_result *run_with(json_t *options, const char *of_run, const char *command)
{
    fw_exec *exec = START_WITH(json_pack("{s:o}", "options", options), of_run, command);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    fw_exec_free(exec);
    return result;
}

static size_t kept(const fw_result *result)
{
    size_t length = 0;
    fw_result_output(result, FW_STDOUT, 0, &length);
    CHECK_INT(run_command_int(result, 0, "stdout_cut"),
              run_command_int(result, 0, "stdout_bytes") - (json_int_t)length);
    return length;
}

static void without_a_limit(void)
{
    fw_result *result = run_with(json_pack("{s:s}", "spill", place), NULL, LETTERS("65536"));
    is_in(result, NULL, 65536);
    CHECK_INT(kept(result), 65536);
    fw_result_free(result);
    result = run_with(json_pack("{s:s}", "spill", place), NULL, "printf A; " LETTERS("299998") "; printf z");
    is_in(result, place, 300000);
    if (CHECK_INT(kept(result), 65536)) {
        const char *bytes = fw_result_output(result, FW_STDOUT, 0, NULL);
        CHECK(bytes[0] == 'A' && bytes[1] == 'a' && bytes[65535] == 'z');
    }
    fw_result_free(result);
    /* Without a spill directory the result has all output. */
    result = run_with(json_object(), NULL, LETTERS("300000"));
    is_in(result, NULL, 300000);
    CHECK_INT(kept(result), 300000);
    fw_result_free(result);
}

static void with_a_limit(void)
{
    fw_result *result = run_with(json_pack("{s:s, s:i}", "spill", place, "output_limit", 0), NULL, "printf a");
    is_in(result, place, 1);
    CHECK_INT(kept(result), 0);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    fw_result_free(result);
    result = run_with(json_pack("{s:s, s:i}", "spill", place, "output_limit", 0), NULL, ":");
    is_in(result, NULL, 0);
    fw_result_free(result);
    result = run_with(json_pack("{s:s, s:i}", "spill", place, "output_limit", 200000), NULL, LETTERS("200001"));
    is_in(result, place, 200001);
    CHECK_INT(kept(result), 200000);
    fw_result_free(result);
}

static void of_the_run(void)
{
    char *options = NULL;
    REQUIRE(asprintf(&options, "{\"spill\": \"%s\", \"output_limit\": 10}", other) > 0);
    fw_result *result = run_with(json_pack("{s:s, s:i}", "spill", place, "output_limit", 1000000), options, "seq 100");
    is_in(result, other, 292);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "1\n2\n3\n100\n");
    fw_result_free(result);
    result = run_with(json_object(), options, "seq 100");
    is_in(result, other, 292);
    fw_result_free(result);
    result = run_with(json_pack("{s:s}", "spill", place), "{\"output_limit\": 10}", "seq 100");
    is_in(result, place, 292);
    fw_result_free(result);
    free(options);
}

/** The events have all output, whatever the result keeps. */
static void events_are_whole(void)
{
    json_t *options = json_pack("{s:s, s:i}", "spill", place, "output_limit", 10);
    fw_exec *exec = START_WITH(json_pack("{s:o}", "options", options), NULL, "seq 100000");
    struct events all = events_of(exec);
    size_t length = 0;
    char *text = events_output(&all, 0, FW_STDOUT, &length);
    fw_result *result = exec_result(exec);
    is_in(result, place, (off_t)length);
    CHECK_INT(length, 588895);
    char *path = text_of(result, "stdout_file"), *file = path ? read_file(path) : NULL;
    CHECK_STR(file, text);
    free(file);
    free(path);
    free(text);
    events_free(&all);
    fw_result_free(result);
    fw_exec_free(exec);
}

int main(void)
{
    place = check_path("place");
    other = check_path("other");
    REQUIRE(mkdir(place, 0700) == 0 && mkdir(other, 0700) == 0);
    without_a_limit();
    with_a_limit();
    of_the_run();
    events_are_whole();
    free(place);
    free(other);
    return check_done();
}
