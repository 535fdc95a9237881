/*
 * If the host has no free descriptor, a step fails without a crash or a leak, and the same worker works again when
 * there are some. Waiting for a running step needs no further descriptor.
 *
 * not under valgrind: valgrind has a limit of descriptors of its own
 */
#include "descendants.h"
#include "scarce.h"

/** Tries every number of free descriptors from none to enough, so that each open(2) fails once. */
static int try_all(const fw_worker *worker, const fw_step *step)
{
    fw_outcome outcome = FW_SPAWN_FAILED;
    int failures = 0, more;
    for (more = 0; more < 40 && outcome != FW_EXITED; more++) {
        leave_free(more);
        fw_result *result = run_exec(worker, step, NULL, check_directory);
        give_back();
        outcome = fw_result_outcome(result);
        if (outcome != FW_EXITED) {
            CHECK_INT(outcome, FW_SPAWN_FAILED);
            CHECK_INT(fw_result_returncode(result), 1);
            CHECK(fw_result_message(result) != NULL);
            failures++;
        } else {
            CHECK_OUTPUT(result, FW_STDOUT, 0, "here\n");
        }
        fw_result_free(result);
    }
    CHECK_INT(outcome, FW_EXITED);
    return failures;
}

static void started(const fw_worker *worker)
{
    fw_step *step = run_step("s", (const char *const[]){"until test -e go; do sleep 0.01; done; echo here", NULL});
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_start(worker, step, NULL, check_directory, NULL, 0, &exec, &error), &error);
    fw_step_free(step);
    leave_free(0);
    CHECK_INT(fw_exec_fd(exec), -1);
    fw_event *event = NULL;
    CHECK_OK(fw_exec_next_event(exec, -1, &event, &error), &error);
    CHECK_INT(fw_event_kind(event), FW_EVENT_STEP_STARTED);
    fw_event_free(event);
    give_back();
    write_file("go", "");
    leave_free(0);
    fw_result *result = NULL;
    CHECK_OK(fw_exec_wait(exec, -1, &result, &error), &error);
    give_back();
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "here\n");
    fw_result_free(result);
    fw_exec_free(exec);
}

static void scarce(void)
{
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){LIMIT, LIMIT});
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"echo here", NULL});
    int before = open_descriptors();
    CHECK(try_all(worker, step) > 2);
    int after = open_descriptors();
    CHECK(after <= before + 3); /* two for the supervisor, and one for the idle monitor */
    CHECK(try_all(worker, step) > 2);
    CHECK_INT(open_descriptors(), after);
    started(worker);
    CHECK_INT(open_descriptors(), after);
    fw_step_free(step);
    fw_worker_free(worker);
}

int main(void)
{
    in_child(scarce, "scarce");
    return check_done();
}
