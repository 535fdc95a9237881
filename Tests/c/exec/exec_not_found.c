/* For a program that does not exist the status is 127 and the message is the shell's; for one that is not executable
 * the status is 126. Both are ordinary exits of a command. */
#include "run.h"

#include <fcntl.h>

int main(void)
{
    fw_result *result = RUN("no-such-program-here --flag", "echo after");
    CHECK_EXITED(result, 127);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 1);
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), "no-such-program-here");
    CHECK_HAS(fw_result_message(result), "127");
    fw_result_free(result);

    char *path = check_path("file");
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    result = RUN("./file");
    CHECK_EXITED(result, 126);
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), "./file");
    fw_result_free(result);
    free(path);
    return check_done();
}
