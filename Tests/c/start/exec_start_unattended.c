/* A step times out and all its processes end even if no thread waits for it or takes its events. */
#include "events.h"

int main(void)
{
    fw_exec *exec = START("{\"timeout\": 0.3}", "sleep 100000 & echo $$! > other; wait", "echo never");
    event_skip(exec, FW_EVENT_STEP_STARTED);
    fw_event *event = event_expect(exec, FW_EVENT_COMMAND_STARTED);
    long pid = event_pid(event);
    fw_event_free(event);
    /* From here on nobody waits for the step or takes its events. */
    wait_until_gone(pid);
    char *path = check_path("other"), *other = read_file(path);
    if (other != NULL && *other != '\0') /* the command most likely came so far */
        wait_until_gone(atol(other));
    free(other);
    free(path);

    struct events all = events_of(exec);
    CHECK_SHAPE(&all, "0:ended step_ended");
    events_free(&all);
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    CHECK(fw_result_returncode(result) != 0);
    fw_result_free(result);
    fw_exec_free(exec);
    return check_done();
}
