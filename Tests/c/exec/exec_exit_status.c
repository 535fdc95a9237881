/* The first command that does not exit with status 0 is the last one. Its status is the returncode, and the message
 * names it. */
#include "run.h"

int main(void)
{
    const int statuses[] = {1, 2, 3, 42, 126, 128, 137, 255};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        char command[32];
        snprintf(command, sizeof command, "exit %d", statuses[i]);
        fw_result *result = RUN("echo before", command, "echo after");
        CHECK_EXITED(result, statuses[i]);
        CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "before\n");
        CHECK_HAS(fw_result_message(result), "step \"s\", command 2 of 3");
        CHECK_HAS(fw_result_message(result), command);
        json_t *json = run_json(result);
        CHECK_INT(json_array_size(json_object_get(json, "commands")), 2);
        json_decref(json);
        fw_result_free(result);
    }
    /* The parent gets only 8 bits of an exit status. */
    fw_result *result = RUN("exit 256");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    return check_done();
}
