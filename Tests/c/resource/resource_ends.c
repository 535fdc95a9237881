/*
 * A step that is cancelled keeps what it has until its processes are gone.
 */
#include "resource.h"

/** The command does not end at TERM, so it has its place until KILL has ended it. */
static void until_the_processes_are_gone(void)
{
    fw_worker *worker = run_worker(json_pack("{s:{s:i, s:f}}", "options", "limit", 1, "grace", 0.5));
    fw_exec *first =
        start_taking(worker, "", "trap '' TERM; echo $$$$ > pid; echo ready; while :; do sleep 0.01; done", NULL);
    fw_event_free(event_wait_for(first, FW_EVENT_OUTPUT));
    char *path = check_path("pid"), *text = wait_for_line(path);
    long pid = atol(text);
    char *command = NULL;
    REQUIRE(asprintf(&command, "test -d /proc/%ld && echo there || echo gone", pid) > 0);
    fw_exec *second = start_taking(worker, "", command, NULL);
    check_queued(second);
    fw_exec_cancel(first);
    fw_result *result = exec_result(first);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    fw_result_free(result);
    fw_exec_free(first);
    check_writes(second, "gone\n");
    free(command);
    free(text);
    free(path);
    fw_worker_free(worker);
}

int main(void)
{
    until_the_processes_are_gone();
    return check_done();
}
