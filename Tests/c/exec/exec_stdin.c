/* A command reads from /dev/null, and leaves the standard input of the host unread. */
#include "processes.h"
#include "run.h"

static void with_input(void)
{
    int ends[2];
    char rest[16] = "";
    REQUIRE(pipe(ends) == 0 && write(ends[1], "for the host", 12) == 12 && dup2(ends[0], 0) == 0);
    fw_result *result = RUN("cat; readlink /proc/self/fd/0", "cat; read line; echo \"$$?$$line\"");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "/dev/null\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "1\n");
    fw_result_free(result);
    CHECK_INT(read(0, rest, sizeof rest), 12);
    CHECK(memcmp(rest, "for the host", 12) == 0);
}

int main(void)
{
    in_child(with_input, "with_input");
    return check_done();
}
