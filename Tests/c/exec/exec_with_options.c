/* A step that is run to its end takes the options of one that is started, and none are the same as no options. */
#include "run.h"

static fw_result *exec_with(const char *options, const char *command)
{
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){command, NULL});
    fw_result *result = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_worker_exec_with(worker, step, NULL, check_dir(), options, FW_ZERO_TERMINATED, &result, &error),
             &error);
    REQUIRE(result != NULL);
    fw_step_free(step);
    fw_worker_free(worker);
    return result;
}

int main(void)
{
    static const char *const harmless[] = {NULL, "{}", "{\"events\": \"lines\"}", "{\"timeout\": 600}"};
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        fw_result *result = exec_with(harmless[i], "echo hello");
        CHECK_EXITED(result, 0);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "hello\n");
        fw_result_free(result);
    }

    fw_result *result = exec_with("{\"timeout\": 0.1}", "sleep 600");
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    fw_result_free(result);

    result = exec_with("{\"output_limit\": 4}", "printf 0123456789");
    CHECK_EXITED(result, 0);
    CHECK_INT(fw_result_output_cut(result, FW_STDOUT, 0, NULL), 6);
    fw_result_free(result);

    result = exec_with("{\"retries\": {\"max\": 2, \"delay\": 0}}", "echo x >> tries; exit 1");
    CHECK_EXITED(result, 1);
    fw_result_free(result);
    char *path = check_path("tries");
    struct stat info;
    CHECK(stat(path, &info) == 0 && info.st_size == 6);
    free(path);

    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"touch ran", NULL});
    fw_error *error = NULL;
    const char *wrong = "{\"timeout\": 1, \"limit\": 2} and more";
    CHECK_REFUSED(fw_worker_exec_with(worker, step, NULL, check_dir(), wrong, 26, &result, &error), FW_E_DOCUMENT,
                  &error, "/limit", "output_limit");
    CHECK(result == NULL && !has_file("ran"));
    CHECK_FAILS(fw_worker_exec_with(worker, step, NULL, check_dir(), wrong, FW_ZERO_TERMINATED, &result, &error),
                FW_E_SYNTAX, &error, "");
    fw_step_free(step);
    fw_worker_free(worker);
    return check_done();
}
