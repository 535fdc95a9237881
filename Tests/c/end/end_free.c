/*
 * fw_exec_free() ends a step that is running, including processes that ignore TERM and processes in other sessions, and
 * the caller does not wait for that. Other steps of the host continue.
 */
#include "descendants.h"

int main(void)
{
    mark_commands();
    long pids[4], other;
    int descriptors = 0;
    fw_exec *stays = BEGIN("echo $$$$ > other; until test -e go; do sleep 0.01; done; exit 7");
    other = wait_for_pid("other");
    for (int i = 0; i < 3; i++) {
        remove_file("pids");
        fw_exec *exec = BEGIN_WITH(json_pack("{s:{s:f}}", "options", "grace", 0.2),
                                   "echo $$$$ >> pids;"
                                   " sh -c 'trap \"\" TERM; echo $$$$ >> pids; exec sleep 100000' &"
                                   " setsid sh -c 'echo $$$$ >> pids; exec sleep 100000' &"
                                   " setsid sh -c 'trap \"\" TERM; echo $$$$ >> pids; exec sleep 100000' &"
                                   " wait",
                                   ": > never");
        wait_for_pids("pids", pids, 4);
        for (int at = 0; at < 4; at++)
            CHECK(lives(pids[at]));
        fw_exec_free(exec);
        for (int at = 0; at < 4; at++)
            while (lives(pids[at]))
                a_moment();
        CHECK(lives(other));
        CHECK(!has_file("never"));
        /* The descriptors of the step are closed as well. */
        if (i == 0)
            descriptors = open_descriptors();
        CHECK(open_descriptors() <= descriptors);
    }
    write_file("go", "");
    fw_result *result = finish_step(stays);
    CHECK_EXITED(result, 7);
    fw_result_free(result);
    wait_for_nobody();

    /* The same holds for a step that has ended by itself without anybody waiting for it. */
    remove_file("pid");
    fw_exec *exec = BEGIN("echo $$$$ > pid");
    long pid = wait_for_pid("pid");
    while (lives(pid))
        a_moment();
    fw_exec_free(exec);
    fw_exec_free(NULL);
    end_marked();
    return check_done();
}
