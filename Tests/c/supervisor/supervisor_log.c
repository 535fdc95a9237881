/*
 * The log says that a supervisor was killed, and that another one was started.
 *
 * not under valgrind: the supervisor is found by its pidfd of the host, which valgrind 3.19 does not have
 */
#include "descendants.h"
#include "log.h"

int main(void)
{
    long pid = 0, supervisor = 0;
    fw_exec *waits = BEGIN("echo $$$$ >> pids; exec sleep 600");
    wait_for_pids("pids", &pid, 1);
    REQUIRE(find_watchers(getpid(), "fw-supervisor", &supervisor, 1) == 1 && supervisor > 1);
    kill((pid_t)supervisor, SIGKILL);
    watchers_until_gone("fw-supervisor", &supervisor, 1);

    /* No monitor is idle, so the next step needs a supervisor. */
    log_begin(FW_LOG_INFO);
    fw_result *result = RUN("true");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    CHECK_INT(log_has(FW_LOG_WARNING, "a supervisor process was lost"), 1);
    CHECK_INT(log_has(FW_LOG_INFO, "a supervisor process was started, which runs the commands"), 1);
    log_end();

    fw_exec_cancel(waits);
    fw_result_free(finish_step(waits));
    return check_done();
}
