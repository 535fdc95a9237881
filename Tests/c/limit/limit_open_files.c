/* With `open_files`, a command can open that number of descriptors and no more; the next open(2) fails with EMFILE. */
#include "run.h"

static json_t *open_files(int count)
{
    return json_pack("{s:{s:{s:i}}}", "options", "limits", "open_files", count);
}

int main(void)
{
    /* tee opens all of its files at once. */
    const char *command = "LC_ALL=C tee $$(seq -f file%g 20) </dev/null";
    fw_result *result = RUN_WITH(open_files(16), "rm -f file*", command, "echo after");
    CHECK_EXITED(result, 1);
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), "Too many open files");
    CHECK_HAS(fw_result_message(result), "command 2 of 3");
    fw_result_free(result);

    result = RUN_WITH(open_files(64), command, "ulimit -Sn; ulimit -Hn");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "64\n64\n");
    fw_result_free(result);

    /* If not even a shared library can be opened, the step fails with a message, and the next step is not affected. */
    result = RUN_WITH(open_files(3), "echo never");
    check_failed_at_start(result);
    return check_done();
}
