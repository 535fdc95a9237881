/* 2,000 steps run at the same time without an event loop. They need three descriptors each, and fw_exec_wait() for
 * one step after the other brings each to its end, through all of its commands. */
#include "events.h"

/** Waits until that many commands have arrived at the gate. */
static void wait_for_arrivals(int count)
{
    char *path = check_path("arrived");
    struct stat info;
    while (stat(path, &info) != 0 || info.st_size < count)
        a_moment();
    CHECK_INT(info.st_size, count);
    free(path);
}

static fw_exec *start_one(const fw_worker *worker, int number)
{
    char second[100], third[100];
    snprintf(second, sizeof second, "echo second of %d", number);
    snprintf(third, sizeof third, "echo third of %d; exit %d", number, number % 5);
    const char *const commands[] = {"echo >> arrived; read line < gate; echo first", second, third, NULL};
    fw_step *step = run_step("s", commands);
    fw_exec *exec = start_step(worker, step, number % 2 == 0 ? NULL : "{\"events\": \"none\"}");
    fw_step_free(step);
    return exec;
}

static void is_right(fw_exec *exec, int number)
{
    char second[100], third[100];
    snprintf(second, sizeof second, "second of %d\n", number);
    snprintf(third, sizeof third, "third of %d\n", number);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, number % 5);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 3);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "first\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, second);
    CHECK_OUTPUT(result, FW_STDOUT, 2, third);
    fw_result_free(result);
    fw_exec_free(exec);
}

int main(void)
{
    int count = steps_within_limit(check_times(2000, 50), 3);
    int gate = gate_make("gate"), at_first = open_descriptors();
    fw_exec **all = calloc((size_t)count, sizeof *all);
    REQUIRE(all != NULL);

    fw_worker *worker = run_worker(NULL);
    for (int i = 0; i < count; i++)
        all[i] = start_one(worker, i);
    wait_for_arrivals(count);
    CHECK(open_descriptors() <= at_first + 3 * count + KEPT_DESCRIPTORS);
    for (int i = 0; i < count; i++)
        CHECK(exec_runs(all[i]));
    CHECK(open_descriptors() <= at_first + 3 * count + KEPT_DESCRIPTORS);
    for (int i = 0; i < count; i++)
        gate_pass(gate);
    for (int i = 0; i < count; i++)
        is_right(all[i], i);
    CHECK(open_descriptors() <= at_first + KEPT_DESCRIPTORS);
    fw_worker_free(worker);
    close(gate);
    free(all);
    return check_done();
}
