/* A C host runs steps on a cluster, with results, events and a cancel from another thread, and its process stays
 * unchanged, even if it reaps every child and ignores SIGCHLD. */
#include "engine.h"
#include "host.h"

#include <pthread.h>

enum { STEPS = 30 };

static fw_pool *pool;

static fw_exec *start(const char *const *commands)
{
    fw_step *step = run_step("s", commands);
    const fw_worker *worker = NULL;
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_pool_get(pool, step, &worker, &error), &error);
    CHECK_OK(fw_exec_start(worker, step, NULL, check_dir(), NULL, 0, &exec, &error), &error);
    fw_step_free(step);
    return exec;
}

#define BEGIN(...) start((const char *const[]){__VA_ARGS__, NULL})

static fw_result *ended(fw_exec *exec)
{
    fw_result *result = exec_result(exec);
    fw_exec_free(exec);
    return result;
}

static void results(void)
{
    fw_exec *exec = BEGIN("echo $$SLURM_JOB_ID", "echo out; echo err >&2; exit 3", "true");
    fw_result *result = ended(exec);
    CHECK_ENDED(result, FW_EXITED, 3);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "out\n");
    CHECK_OUTPUT(result, FW_STDERR, 0, "err\n");
    CHECK_COMMAND(result, 0, "containment", json_string("subreaper"));
    fw_result_free(result);
}

/** A job that its partition can never run ends with the scheduler's reason. */
static void never(void)
{
    fw_pool *kept = pool;
    pool = check_pool("{\"workers\": [{\"name\": \"w\", \"type\": \"slurm\", \"options\": {\"time\": 7200}}],"
                      " \"managers\": {\"s\": \"w\"}}");
    fw_result *result = ended(BEGIN("true"));
    CHECK_ENDED(result, FW_SPAWN_FAILED, 1);
    CHECK_MESSAGE(result, "the scheduler will not start job", "PartitionTimeLimit");
    fw_result_free(result);
    fw_pool_free(pool);
    pool = kept;
}

/** Steps of an `srun` within a command run in the same allocation. */
static void nested(void)
{
    fw_result *result = ended(BEGIN("srun -n1 echo nested"));
    CHECK_ENDED(result, FW_EXITED, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "nested\n");
    fw_result_free(result);
}

static void *cancels(void *exec)
{
    fw_exec_cancel(exec);
    return NULL;
}

static void cancel(void)
{
    fw_exec *exec = BEGIN("echo ready; sleep 1000");
    fw_event_free(event_wait_for(exec, FW_EVENT_OUTPUT));
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, cancels, exec) == 0);
    fw_result *result = ended(exec);
    pthread_join(thread, NULL);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "ready\n");
    fw_result_free(result);
}

static void unchanged(void)
{
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    results();
    char *before = host_state();
    for (int i = 0; i < STEPS; i++) {
        fw_result *result = ended(BEGIN("exit 7"));
        CHECK_ENDED(result, FW_EXITED, 7);
        fw_result_free(result);
    }
    char *after = host_state();
    CHECK_STR(after, before);
    free(before);
    free(after);
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

int main(void)
{
    setenv("SLURM_CONF", engine_variable("FW_TEST_SLURM"), 1);
    pool = check_pool(
        "{\"workers\": [{\"name\": \"w\", \"type\": \"slurm\", \"options\": {\"hold\": 20, \"grace\": 0.2}}],"
        " \"managers\": {\"s\": \"w\"}}");
    results();
    never();
    nested();
    cancel();
    unchanged();
    fw_pool_free(pool);
    return check_done();
}
