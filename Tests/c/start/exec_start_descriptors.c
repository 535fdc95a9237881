/* A step in flight needs three descriptors, and two more for fw_exec_fd(), all close-on-exec. When every exec is
 * freed, the library keeps two, and one for each idle monitor, of which there are at most 16. */
#include "events.h"

enum { STEPS = 40 };

/** Checks that all new descriptors from 3 on are close-on-exec. */
static void all_close_on_exec(const bool *before)
{
    for (int fd = 3; fd < 1000; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && !before[fd] && !CHECK((flags & FD_CLOEXEC) != 0))
            fprintf(stderr, "    descriptor %d\n", fd);
    }
}

static void at_most(int count, int allowed)
{
    if (!CHECK(count <= allowed))
        fprintf(stderr, "    %d descriptors, allowed are %d\n", count, allowed);
}

int main(void)
{
    int gate = gate_make("gate");
    bool before[1000];
    for (int fd = 0; fd < 1000; fd++)
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    int first = open_descriptors();
    fw_exec *execs[STEPS];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < STEPS; i++) {
            execs[i] = START(NULL, "read line < gate");
            event_skip(execs[i], FW_EVENT_STEP_STARTED);
            event_skip(execs[i], FW_EVENT_COMMAND_STARTED);
        }
        at_most(open_descriptors() - first, 2 + 3 * STEPS);
        for (int i = 0; i < STEPS; i++)
            CHECK(fw_exec_fd(execs[i]) >= 0);
        at_most(open_descriptors() - first, 2 + 5 * STEPS);
        all_close_on_exec(before);
        for (int i = 0; i < STEPS; i++)
            gate_pass(gate);
        for (int i = 0; i < STEPS; i++)
            exec_end(execs[i]);
        at_most(open_descriptors() - first, 2 + 16);
        all_close_on_exec(before);
    }
    close(gate);
    return check_done();
}
