/* A write that does not wait discards no event, so a host that writes first and takes events then misses none of
 * them. */
#include "input.h"

enum { more_than_a_pipe = 4 << 20 };

int main(void)
{
    fw_exec *exec = INPUT("sleep 1000");
    char *bytes = calloc(1, more_than_a_pipe);
    size_t taken = 0;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_write(exec, bytes, more_than_a_pipe, 0, &taken, &error), &error);
    CHECK(taken > 0 && taken < more_than_a_pipe);
    free(bytes);
    fw_event *event = event_wait_for(exec, FW_EVENT_STEP_STARTED);
    CHECK(event != NULL);
    fw_event_free(event);
    fw_exec_cancel(exec);
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    fw_result_free(result);
    fw_exec_free(exec);
    return check_done();
}
