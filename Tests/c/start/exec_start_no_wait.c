/* fw_exec_next_event() and fw_exec_wait() do not wait with the timeout 0, wait that long with a positive one, and
 * wait without limit with a negative one. Every number is a valid timeout. */
#include "events.h"

#include <math.h>

static const double forever[] = {-1, -0.001, -1e300, -INFINITY, INFINITY, 1e300, 1e18, 1e9};
static const double never[] = {0, -0.0, 1e-300, 1e-9, 0.001, 0.02};

/** The command waits at the gate, and all events up to there have been taken. */
static fw_exec *standing(void)
{
    fw_exec *exec = START(NULL, "read line < gate; echo out");
    event_skip(exec, FW_EVENT_STEP_STARTED);
    event_skip(exec, FW_EVENT_COMMAND_STARTED);
    return exec;
}

int main(void)
{
    int gate = gate_make("gate");
    fw_exec *exec = standing();
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        CHECK(event_next(exec, never[i]) == NULL);
        fw_result *result = (void *)&gate;
        fw_error *error = NULL;
        CHECK_OK(fw_exec_wait(exec, never[i], &result, &error), &error);
        CHECK(result == NULL);
    }
    fw_exec_cancel(exec);
    exec_end(exec);

    for (size_t i = 0; i < sizeof forever / sizeof *forever; i++) {
        exec = standing();
        gate_pass(gate);
        fw_event *event = event_next(exec, forever[i]);
        CHECK_EVENT(event, FW_STDOUT, "out\n");
        fw_event_free(event);
        event_skip(exec, FW_EVENT_COMMAND_ENDED);
        event_skip(exec, FW_EVENT_STEP_ENDED);
        CHECK(event_next(exec, forever[i]) == NULL);
        fw_exec_free(exec);

        exec = standing();
        gate_pass(gate);
        fw_result *result = NULL;
        fw_error *error = NULL;
        CHECK_OK(fw_exec_wait(exec, forever[i], &result, &error), &error);
        CHECK(result != NULL);
        CHECK_EXITED(result, 0);
        fw_result_free(result);
        fw_exec_free(exec);
    }

    /* NaN is either refused or taken as some timeout; it does not crash the host. */
    exec = START(NULL, "true");
    fw_event *event = (void *)&gate;
    fw_status status = fw_exec_next_event(exec, NAN, &event, NULL);
    CHECK(status == FW_OK || (status == FW_E_INVALID && event == NULL));
    fw_event_free(event);
    fw_result *result = (void *)&gate;
    status = fw_exec_wait(exec, NAN, &result, NULL);
    CHECK(status == FW_OK || (status == FW_E_INVALID && result == NULL));
    fw_result_free(result);
    fw_exec_free(exec);
    close(gate);
    return check_done();
}
