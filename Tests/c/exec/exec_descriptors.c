/*
 * A command has the descriptors 0 to 2 only, even if the host has others without close-on-exec, and shares none of them
 * with the host.
 */
#include "descendants.h"

int main(void)
{
    int host[40];
    for (int i = 0; i < 40; i++)
        REQUIRE((host[i] = open("/dev/zero", O_RDONLY)) >= 0);
    int far = fcntl(host[0], F_DUPFD, 900);
    REQUIRE(far >= 900);

    /* `ls` itself opens one more descriptor, the lowest free one, for the directory that it lists. */
    fw_result *result = RUN("ls /proc/self/fd", "for fd in 1 2; do readlink /proc/self/fd/$$fd; done >&2");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "0\n1\n2\n3\n");
    const char *streams = fw_result_output(result, FW_STDERR, 0, NULL);
    CHECK_HAS(streams, "pipe:");
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 1);
    fw_result_free(result);

    /* A long command, which is passed to the shell in another way, has no further descriptor. */
    char *command = malloc(300000);
    REQUIRE(command != NULL);
    memset(command, ' ', 300000);
    memcpy(command, "ls /proc/self/fd;", 17);
    strcpy(command + 299990, ":");
    result = RUN(command);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "0\n1\n2\n3\n");
    fw_result_free(result);
    free(command);

    /* The same holds for commands that run at the same time, in new monitors and in reused ones. */
    fw_exec *others[8];
    for (int i = 0; i < 8; i++)
        others[i] = BEGIN("exec sleep 100000");
    for (int i = 0; i < 3; i++) {
        fw_exec *exec = BEGIN("ls /proc/self/fd", "ls /proc/self/fd");
        result = finish_step(exec);
        CHECK_EXITED(result, 0);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "0\n1\n2\n3\n");
        CHECK_OUTPUT(result, FW_STDOUT, 1, "0\n1\n2\n3\n");
        fw_result_free(result);
    }
    for (int i = 0; i < 8; i++) {
        fw_exec_cancel(others[i]);
        fw_result_free(finish_step(others[i]));
    }

    close(far);
    for (int i = 0; i < 40; i++)
        close(host[i]);
    return check_done();
}
