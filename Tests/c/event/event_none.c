/* With `events` `none`, there are no events of output, but all other events. The result has the output. */
#include "events.h"

int main(void)
{
    fw_exec *exec = START("{\"events\": \"none\"}", "seq 1 200000", "echo err >&2", "true");
    struct events all = events_of(exec);
    CHECK_SHAPE(&all, "step_started 0:started 0:ended 1:started 1:ended 2:started 2:ended step_ended");
    for (size_t i = 0; i < all.count; i++)
        CHECK_INT(fw_event_sequence(all.list[i]), i + 1);
    events_free(&all);

    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    size_t length = 0;
    CHECK(fw_result_output(result, FW_STDOUT, 0, &length) != NULL);
    CHECK_INT(length, 1288895);
    CHECK_OUTPUT(result, FW_STDERR, 0, "err\n");
    fw_result_free(result);
    fw_exec_free(exec);
    return check_done();
}
