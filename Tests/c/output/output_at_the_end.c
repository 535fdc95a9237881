/* The result has everything that a command wrote, even if the command exits right after filling its pipes, and even
 * if nobody reads before its exit. The program tries this 1,000 times. */
#include "events.h"

enum { PIPE = 65536 };

static char block[PIPE];

static void is_complete(const fw_result *result)
{
    CHECK_EXITED(result, 0);
    CHECK_BYTES(result, FW_STDOUT, 0, block, PIPE);
    CHECK_BYTES(result, FW_STDERR, 0, block, PIPE);
}

int main(void)
{
    for (int i = 0; i < PIPE; i++)
        block[i] = (char)(i * 7 + i / 251);
    char *path = check_path("block");
    FILE *file = fopen(path, "we");
    REQUIRE(file != NULL && fwrite(block, 1, PIPE, file) == PIPE && fclose(file) == 0);

    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"cat block; exec cat block >&2", NULL});
    int times = check_times(1000, 20), ended_first = 0;
    for (int i = 0; i < times; i++) {
        fw_exec *exec = start_step(worker, step, NULL);
        if (i % 4 == 0) {
            /* The process is gone before the first byte is read, if its pipes have room for all output: the kernel
             * gives smaller pipes to a user who has many. */
            fw_event *event = event_wait_for(exec, FW_EVENT_COMMAND_STARTED);
            long pid = event_pid(event);
            fw_event_free(event);
            for (int moments = 0; moments < 200 && process_runs(pid); moments++)
                a_moment();
            ended_first += !process_runs(pid);
        }
        fw_result *result = exec_result(exec);
        is_complete(result);
        fw_result_free(result);
        fw_exec_free(exec);
    }
    CHECK(ended_first > 0);
    fw_step_free(step);
    fw_worker_free(worker);
    free(path);
    return check_done();
}
