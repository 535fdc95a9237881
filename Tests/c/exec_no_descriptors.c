/* A host that has no descriptor left gets a failed step, not a crash and no leak, and the same
 * worker works again when there are some.
 *
 * not under valgrind: its clone shares no memory, by which a child tells why it could not start
 */
#include "processes.h"
#include "run.h"

#include <fcntl.h>
#include <sys/resource.h>

static void scarce(void)
{
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"echo here", NULL});
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0), failures = 0;
    close(lowest);
    /* From no descriptor at all up to enough: each place where one can be missing. */
    fw_outcome outcome = FW_SPAWN_FAILED;
    for (int more = 0; more < 20 && outcome != FW_EXITED; more++) {
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)(lowest + more), limit.rlim_max});
        fw_result *result = run_exec(worker, step, NULL, check_directory);
        setrlimit(RLIMIT_NOFILE, &limit);
        outcome = fw_result_outcome(result);
        if (outcome != FW_EXITED) {
            CHECK_INT(outcome, FW_SPAWN_FAILED);
            CHECK_INT(fw_result_returncode(result), 1);
            CHECK(fw_result_message(result) != NULL);
            failures++;
        } else {
            CHECK_OUTPUT(result, FW_STDOUT, 0, "here\n");
        }
        fw_result_free(result);
        int now = fcntl(0, F_DUPFD_CLOEXEC, 0);
        close(now);
        CHECK_INT(now, lowest);
    }
    CHECK_INT(outcome, FW_EXITED);
    CHECK(failures > 2);
    fw_step_free(step);
    fw_worker_free(worker);
}

int main(void)
{
    in_child(scarce, "scarce");
    return check_done();
}
