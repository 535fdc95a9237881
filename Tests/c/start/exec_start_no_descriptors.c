/* If the host has no free descriptor, a step that cannot be started fails, and a running step for which fw_exec_fd()
 * fails continues without it. No output is lost, and everything works again when there are descriptors.
 *
 * not under valgrind: valgrind has a limit of descriptors of its own
 */
#include "events.h"

#include <sys/resource.h>

static struct rlimit limit;

static int lowest_free(void)
{
    int fd = fcntl(0, F_DUPFD_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    close(fd);
    return fd;
}

/** Allows `more` descriptors beside those that are open below `lowest`. */
static void leave(int lowest, int more)
{
    REQUIRE(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)(lowest + more), limit.rlim_max}) == 0);
}

static void leave_all(void)
{
    REQUIRE(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/** Tries to start a step with that many descriptors: the step succeeds or fails as a whole. */
static bool starts(const fw_worker *worker, const fw_step *step, int lowest, int more)
{
    fw_exec *exec = (void *)&limit;
    fw_error *error = NULL;
    leave(lowest, more);
    fw_status status = fw_exec_start(worker, step, NULL, check_dir(), NULL, 0, &exec, &error);
    leave_all();
    REQUIRE(status == FW_OK); /* what the system refuses is a failed step, not an error of the call */
    struct events all = events_of(exec);
    REQUIRE(all.count >= 2);
    CHECK_INT(fw_event_kind(all.list[0]), FW_EVENT_STEP_STARTED);
    CHECK_INT(fw_event_kind(all.list[all.count - 1]), FW_EVENT_STEP_ENDED);
    events_free(&all);
    fw_result *result = exec_result(exec);
    bool started = fw_result_outcome(result) == FW_EXITED;
    if (started) {
        CHECK_OUTPUT(result, FW_STDOUT, 0, "here\n");
    } else {
        CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
        CHECK(fw_result_message(result) != NULL);
    }
    fw_result_free(result);
    fw_exec_free(exec);
    return started;
}

/** A step runs, and the system has no descriptor for fw_exec_fd(). */
static void goes_on_without(const fw_worker *worker)
{
    int gate = gate_make("gate");
    fw_step *step =
        run_step("s", (const char *const[]){"read line < gate; echo one; read line < gate", "echo two", NULL});
    fw_exec *exec = start_step(worker, step, NULL);
    leave(0, 0);
    CHECK_INT(fw_exec_fd(exec), -1);
    event_skip(exec, FW_EVENT_STEP_STARTED);
    event_skip(exec, FW_EVENT_COMMAND_STARTED);
    gate_pass(gate);
    fw_event *event = event_next(exec, -1);
    CHECK_EVENT(event, FW_STDOUT, "one\n");
    fw_event_free(event);
    leave_all();
    gate_pass(gate);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "two\n");
    fw_result_free(result);
    fw_exec_free(exec);
    fw_step_free(step);
    close(gate);
}

int main(void)
{
    /* Closes descriptors that the caller of this program has left open, because the test counts numbers. */
    REQUIRE(close_range(3, ~0u, 0) == 0);
    REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"echo here", NULL});
    /* Tries every number of free descriptors from none to enough, so that each open(2) fails once. */
    int lowest = lowest_free(), failures = 0;
    bool started = false;
    for (int more = 0; more < 24; more++) {
        bool had_started = started;
        started = starts(worker, step, lowest, more);
        failures += !started;
        CHECK(started ||
              !had_started); /* descriptors that the library keeps from earlier steps do not prevent a start */
        /* Three descriptors stay open: two for the supervisor and one for a monitor. */
        CHECK(lowest_free() <= lowest + 3);
    }
    CHECK(started);
    CHECK(failures > 2);
    goes_on_without(worker);
    fw_step_free(step);
    fw_worker_free(worker);
    return check_done();
}
