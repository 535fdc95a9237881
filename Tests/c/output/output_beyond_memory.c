/*
 * Output that does not fit into memory is cut after its beginning. fw_result_output_cut() returns how much is missing,
 * even if there is no memory for the JSON; it does the same for an `output_limit`.
 *
 * not under asan tsan valgrind: these tools need more address space than the limit allows
 */
#include "processes.h"
#include "run.h"

#include <sys/resource.h>

static void limited(void)
{
    size_t at = 99;
    fw_result *result =
        RUN_WITH(json_pack("{s:{s:i}}", "options", "output_limit", 4), "printf abcdefghij", "printf ab");
    CHECK_EXITED(result, 0);
    CHECK_INT(fw_result_output_cut(result, FW_STDOUT, 0, &at), 6);
    CHECK_INT(at, 2);
    CHECK_INT(fw_result_output_cut(result, FW_STDOUT, 0, NULL), 6);
    CHECK_INT(fw_result_output_cut(result, FW_STDOUT, 1, &at), 0);
    CHECK_INT(at, 2);
    CHECK_INT(fw_result_output_cut(result, FW_STDOUT, 2, &at), 0);
    CHECK_INT(at, 0);
    CHECK_INT(fw_result_output_cut(result, FW_STDERR, 0, &at), 0);
    CHECK_INT(fw_result_output_cut(result, 77, 0, &at), 0);
    CHECK_INT(fw_result_output_cut(NULL, FW_STDOUT, 0, &at), 0);
    CHECK(fw_result_message(result) == NULL);
    fw_result_free(result);
}

static void beyond(void)
{
    enum { SIZE = 200000000 };
    char command[100];
    snprintf(command, sizeof command, "echo head; head -c %d /dev/zero | tr '\\0' x", SIZE - 5);
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){command, NULL});
    fw_step *small = run_step("s", (const char *const[]){"echo one", NULL});
    fw_result_free(run_exec(worker, small, NULL, check_dir()));
    REQUIRE(setrlimit(RLIMIT_AS, &(struct rlimit){120 << 20, RLIM_INFINITY}) == 0);
    for (int round = 0; round < 3; round++) {
        fw_result *result = run_exec(worker, step, NULL, check_dir());
        CHECK_EXITED(result, 0);
        CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
        size_t length = 0, at = 0;
        const char *output = fw_result_output(result, FW_STDOUT, 0, &length);
        CHECK(length > 1000000 && length < SIZE);
        CHECK(output != NULL && memcmp(output, "head\nxxx", 8) == 0 && output[length] == 0 && strlen(output) == length);
        CHECK_INT(fw_result_output_cut(result, FW_STDOUT, 0, &at), SIZE - length);
        CHECK_INT(at, length);
        CHECK_HAS(fw_result_message(result), "memory ran out");
        char *json = NULL;
        fw_error *error = NULL;
        CHECK_INT(fw_result_to_json(result, &json, &error), FW_E_NO_MEMORY);
        CHECK(json == NULL);
        fw_error_free(error);
        fw_result *other = run_exec(worker, small, NULL, check_dir());
        CHECK_EXITED(other, 0);
        CHECK_OUTPUT(other, FW_STDOUT, 0, "one\n");
        fw_result_free(other);
        fw_result_free(result);
    }
    fw_step_free(step);
    fw_step_free(small);
    fw_worker_free(worker);
}

int main(void)
{
    in_child(limited, "limited");
    in_child(beyond, "beyond");
    return check_done();
}
