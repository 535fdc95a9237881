/*
 * A host with some or all of the descriptors 0 to 2 closed gets the output of its commands, and those descriptors stay
 * closed.
 */
#include "processes.h"
#include "run.h"

#include <fcntl.h>

static int closed; /* a bit for each descriptor */

static void without(void)
{
    int copy = fcntl(2, F_DUPFD_CLOEXEC, 100);
    for (int fd = 0; fd < 3; fd++)
        if (closed & 1 << fd)
            close(fd);
    fw_result *result = RUN("echo out; echo err >&2; cat; readlink /proc/self/fd/0", "exit 3");
    bool good = fw_result_returncode(result) == 3;
    for (int fd = 0; fd < 3; fd++)
        good &= (fcntl(fd, F_GETFD) < 0) == ((closed & 1 << fd) != 0);
    dup2(copy, 2); /* for the checks */
    CHECK(good);
    CHECK_EXITED(result, 3);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "out\n/dev/null\n");
    CHECK_OUTPUT(result, FW_STDERR, 0, "err\n");
    fw_result_free(result);
}

int main(void)
{
    for (closed = 1; closed < 8; closed++)
        in_child(without, "without some of 0 to 2");
    return check_done();
}
