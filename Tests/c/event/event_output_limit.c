/* An `output_limit` shortens the output in the result only: the events have all of it. */
#include "events.h"

int main(void)
{
    fw_exec *exec = START("{\"output_limit\": 10}", "seq -f %015.0f 1 50000 | tee /dev/stderr");
    struct events all = events_of(exec);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    for (fw_stream stream = FW_STDOUT; stream <= FW_STDERR; stream++) {
        size_t length = 0;
        char *bytes = events_output(&all, 0, stream, &length);
        CHECK_INT(length, 800000);
        for (int line = 0; line < 50000 && length == 800000; line++)
            if (strtol(bytes + line * 16, NULL, 10) != line + 1) {
                CHECK_INT(strtol(bytes + line * 16, NULL, 10), line + 1);
                break;
            }
        free(bytes);
        CHECK_OUTPUT(result, stream, 0, "000000000\n");
    }
    CHECK_INT(run_command_int(result, 0, "stdout_bytes"), 800000);
    fw_result_free(result);
    events_free(&all);
    fw_exec_free(exec);
    return check_done();
}
