/* A host that may not write files at all (RLIMIT_FSIZE is 0) is not ended by SIGXFSZ when the library starts a
 * command, whether the command fits into an argument or not.
 *
 * not under valgrind: valgrind keeps the limits of this process to itself
 */
#include "run.h"

#include <sys/resource.h>

/** Returns a command with a comment of that many bytes. */
static void runs(size_t size, bool may_fail)
{
    char *command = malloc(size + 100);
    REQUIRE(command != NULL);
    strcpy(command, "echo here # ");
    memset(command + 12, 'x', size);
    command[12 + size] = '\0';
    fw_result *result = RUN(command, "exit 3");
    if (may_fail && fw_result_outcome(result) == FW_SPAWN_FAILED) {
        CHECK_INT(fw_result_returncode(result), 1);
        CHECK(fw_result_message(result) != NULL);
    } else {
        CHECK_EXITED(result, 3);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "here\n");
    }
    fw_result_free(result);
    free(command);
}

int main(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, limit.rlim_max}) == 0);
    runs(10, false);
    runs(40000, true);
    runs(300000, true);
    runs(10, false);
    return check_done();
}
