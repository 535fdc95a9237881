/* A file, a text or a value is the standard input of each command of the step, from its beginning, as the descriptor
 * itself. */
#include "input.h"

#include "processes.h"

static fw_result *run_with(const char *input, const char *commands)
{
    char *json = NULL;
    REQUIRE(asprintf(&json, "{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": %s}, \"stdin\": %s}",
                     commands, input) > 0);
    fw_worker *worker = run_worker(NULL);
    fw_step *step = check_step(json);
    fw_context *context = check_context("{\"name\": \"O'Brien\", \"list\": [1, \"two\"]}");
    fw_result *result = run_exec(worker, step, context, check_dir());
    fw_context_free(context);
    fw_step_free(step);
    fw_worker_free(worker);
    free(json);
    return result;
}

static void has(const char *input, const char *want)
{
    fw_result *result = run_with(input, "[\"cat\", [\"cat\", \"/dev/stdin\"], \"head -c 3; cat; true\"]");
    CHECK_EXITED(result, 0);
    for (size_t i = 0; i < 2 && *want != '\0'; i++)
        CHECK_OUTPUT(result, FW_STDOUT, i, want);
    fw_result_free(result);
}

int main(void)
{
    write_file("in.txt", "first\nsecond\n");
    has("{\"text\": \"first\\nsecond\\n\"}", "first\nsecond\n");
    has("{\"file\": \"in.txt\"}", "first\nsecond\n");
    has("{\"value\": \"name\"}", "O'Brien");
    has("{\"value\": \"list\"}", "[1,\"two\"]");
    has("{\"text\": \"\"}", "");
    /* Two programs read on where the other one stopped, as with `< in.txt`. */
    fw_result *result = run_with("{\"file\": \"in.txt\"}", "[\"head -c 6 | cat; cat\", [\"ls\", \"/proc/self/fd\"]]");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "0\n1\n2\n3\n");
    fw_result_free(result);
    /* The file is not changed. */
    char *path = check_path("in.txt"), *text = read_file(path);
    CHECK_STR(text, "first\nsecond\n");
    free(text);
    free(path);
    return check_done();
}
