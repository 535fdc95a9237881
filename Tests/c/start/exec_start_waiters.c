/* Any number of threads may wait for one step, and each gets a result of its own. Threads that take events meanwhile
 * also return when another thread has seen the end. */
#include "events.h"
#include "threads.h"

static fw_exec *exec;

static void wait_or_take(int number)
{
    if (number % 4 == 3) {
        uint64_t last = 0;
        for (fw_event *event; (event = event_next(exec, -1)) != NULL; fw_event_free(event)) {
            CHECK(fw_event_sequence(event) > last);
            last = fw_event_sequence(event);
        }
        return;
    }
    fw_result *result = NULL;
    fw_error *error = NULL;
    do
        CHECK_OK(fw_exec_wait(exec, number % 4 == 2 ? 0.001 : -1, &result, &error), &error);
    while (result == NULL && number % 4 == 2);
    REQUIRE(result != NULL);
    CHECK_EXITED(result, 3);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "out\n");
    CHECK_OUTPUT(result, FW_STDERR, 0, "err\n");
    fw_result_free(result);
}

static void only_wait(int number)
{
    (void)number;
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 3);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "out\n");
    fw_result_free(result);
}

int main(void)
{
    int times = check_times(20, 2);
    for (int i = 0; i < times; i++) {
        exec = START(NULL, "echo out; sleep 0.02; echo err >&2", "sleep 0.02; exit 3");
        in_threads(i % 2 == 0 ? wait_or_take : only_wait);
        CHECK(event_next(exec, -1) == NULL);
        fw_exec_free(exec);
    }
    return check_done();
}
