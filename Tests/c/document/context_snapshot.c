/* A running step uses the context values that were set when it was started, even if the host changes them meanwhile. */
#include "processes.h"
#include "run.h"

#include <pthread.h>

static fw_context *context;

/** Sets the value while the first command of the step waits for the file "go". */
static void *set_meanwhile(void *unused)
{
    char *started = check_path("started");
    free(wait_for_line(started));
    CHECK_INT(fw_context_set(context, "a", "\"new\"", FW_ZERO_TERMINATED, NULL), FW_OK);
    write_file("go", "");
    free(started);
    return unused;
}

int main(void)
{
    check_dir();
    context = check_context("{\"a\": \"old\"}");
    fw_worker *worker = run_worker(NULL);
    fw_step *step =
        run_step("s", (const char *const[]){"echo > started; until test -e go; do sleep 0.01; done", "echo $a", NULL});
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, set_meanwhile, NULL) == 0);
    fw_result *result = run_exec(worker, step, context, check_dir());
    pthread_join(thread, NULL);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "old\n");
    fw_result_free(result);
    result = run_exec(worker, step, context, check_dir());
    CHECK_OUTPUT(result, FW_STDOUT, 0, "new\n");
    fw_result_free(result);
    fw_step_free(step);
    fw_worker_free(worker);
    fw_context_free(context);
    return check_done();
}
