/* 64 threads run steps with one worker at the same time, while other threads set values of the context that they
 * share. Each result is that of its own step. */
#include "processes.h"
#include "run.h"
#include "threads.h"

static fw_worker *worker;
static fw_context *context;

static void run_steps(int number)
{
    int times = check_times(50, 2);
    for (int i = 0; i < times; i++) {
        char command[100], want[100], value[32];
        int status = (number + i) % 3;
        snprintf(command, sizeof command, "echo %d-%d; echo $shared >&2; exit %d", number, i, status);
        snprintf(want, sizeof want, "%d-%d\n", number, i);
        snprintf(value, sizeof value, "\"%d\"", number);
        CHECK_INT(fw_context_set(context, "shared", value, FW_ZERO_TERMINATED, NULL), FW_OK);
        fw_step *step = run_step("s", (const char *const[]){command, NULL});
        fw_result *result = run_exec(worker, step, context, check_directory);
        CHECK_EXITED(result, status);
        CHECK_OUTPUT(result, FW_STDOUT, 0, want);
        /* The value that one of the threads has set. */
        const char *shared = fw_result_output(result, FW_STDERR, 0, NULL);
        int seen = -1;
        CHECK(shared != NULL && sscanf(shared, "%d\n", &seen) == 1 && seen >= 0 && seen < THREADS);
        char *json = NULL;
        CHECK_INT(fw_result_to_json(result, &json, NULL), FW_OK);
        fw_string_free(json);
        CHECK_INT(fw_context_get(context, "shared", &json, NULL), FW_OK);
        fw_string_free(json);
        fw_result_free(result);
        fw_step_free(step);
    }
}

int main(void)
{
    check_dir();
    worker = run_worker(NULL);
    context = check_context("{\"shared\": \"0\"}");
    int before = open_descriptors();
    in_threads(run_steps);
    /* Two for the supervisor, and one for each idle monitor. */
    CHECK(open_descriptors() <= before + 2 + 16);
    CHECK(open_descriptors() > before);
    CHECK_INT(waitpid(-1, NULL, WNOHANG), -1);
    fw_context_free(context);
    fw_worker_free(worker);
    return check_done();
}
