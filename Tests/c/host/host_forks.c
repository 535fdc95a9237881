/*
 * A host may fork while its other threads are in any call of the library. In the child each call that can fail returns
 * FW_E_FORKED at once, whatever locks were held, and all other calls do nothing. The steps of the parent continue when
 * the child exits.
 *
 * not under tsan: the runtime of tsan hangs in a process that is forked from several threads
 * not under valgrind: what the other threads had is lost in a child, and valgrind reports that
 */
#include "descendants.h"

#include <pthread.h>

enum { BUSY = 6 };

static atomic_bool stop;
static atomic_int runs;
static fw_worker *worker;
static fw_step *step;
static fw_context *context;
static fw_pool *pool;

/** Steps with events, a cancelled one, documents, errors: locks of every kind. */
static void *be_busy(void *unused)
{
    (void)unused;
    while (!stop) {
        fw_exec *exec = NULL;
        fw_event *event = NULL;
        CHECK_INT(fw_exec_start(worker, step, context, check_directory, NULL, 0, &exec, NULL), FW_OK);
        CHECK_INT(fw_exec_next_event(exec, -1, &event, NULL), FW_OK);
        fw_event_free(event);
        if (runs % 5 == 0)
            fw_exec_cancel(exec);
        fw_result_free(finish_step(exec));
        fw_error *error = NULL;
        fw_pool *none = NULL;
        CHECK_INT(fw_pool_create("{", FW_ZERO_TERMINATED, &none, &error), FW_E_SYNTAX);
        fw_error_free(error);
        CHECK_INT(fw_context_set(context, "a", "1", FW_ZERO_TERMINATED, NULL), FW_OK);
        runs++;
    }
    return NULL;
}

/** If a call waited for a lock, the test would hang. */
static void in_the_new_process(fw_exec *exec, fw_result *old)
{
    fw_error *error = NULL;
    fw_result *result = NULL;
    fw_event *event = NULL;
    fw_exec *another = NULL;
    fw_pool *second = NULL;
    fw_step *fresh = NULL;
    const fw_worker *lent = NULL;
    char *text = NULL;
    check_failures = 0;
    CHECK_FAILS(fw_exec_wait(exec, -1, &result, &error), FW_E_FORKED, &error, "fork");
    CHECK_FAILS(fw_exec_next_event(exec, -1, &event, &error), FW_E_FORKED, &error, "fork");
    CHECK_FAILS(fw_exec_start(worker, step, NULL, "/", NULL, 0, &another, &error), FW_E_FORKED, &error, "fork");
    CHECK_FAILS(fw_worker_exec(worker, step, NULL, "/", &result, &error), FW_E_FORKED, &error, "fork");
    CHECK_FAILS(fw_pool_create("[]", FW_ZERO_TERMINATED, &second, &error), FW_E_FORKED, &error, "fork");
    CHECK_FAILS(fw_pool_get(pool, step, &lent, &error), FW_E_FORKED, &error, "fork");
    CHECK_FAILS(fw_step_create("{}", FW_ZERO_TERMINATED, &fresh, &error), FW_E_FORKED, &error, "fork");
    CHECK_FAILS(fw_context_set(context, "a", "1", FW_ZERO_TERMINATED, &error), FW_E_FORKED, &error, "fork");
    CHECK_FAILS(fw_context_get(context, "a", &text, &error), FW_E_FORKED, &error, "fork");
    CHECK_FAILS(fw_result_to_json(old, &text, &error), FW_E_FORKED, &error, "fork");
    CHECK(result == NULL && event == NULL && another == NULL && second == NULL && fresh == NULL);
    CHECK_INT(fw_exec_fd(exec), -1);
    fw_exec_cancel(exec);
    fw_exec_free(exec);
    fw_result_free(old);
}

int main(void)
{
    mark_commands();
    worker = run_worker(NULL);
    step = run_step("s", (const char *const[]){"echo $a", "true", NULL});
    context = check_context("{\"a\": 1}");
    pool = check_pool("[]");
    fw_exec *exec = BEGIN("echo $$$$ > pid; until test -e go; do sleep 0.01; done; echo one", "echo two; exit 7");
    fw_result *old = RUN("echo old");
    long pid = wait_for_pid("pid");
    pthread_t threads[BUSY];
    for (int i = 0; i < BUSY; i++)
        REQUIRE(pthread_create(&threads[i], NULL, be_busy, NULL) == 0);
    int times = check_times(100, 20);
    for (int i = 0; i < times; i++) {
        while (runs < i)
            a_moment();
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            in_the_new_process(exec, old);
            fflush(NULL);
            if (i % 2 == 0)
                _exit(check_failures == 0 ? 0 : 1);
            kill(getpid(), check_failures == 0 ? SIGKILL : SIGABRT);
        }
        int status = -1;
        REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
        CHECK_INT(status, i % 2 == 0 ? 0 : SIGKILL);
    }
    stop = true;
    for (int i = 0; i < BUSY; i++)
        pthread_join(threads[i], NULL);
    CHECK(lives(pid));
    write_file("go", "");
    fw_result *result = finish_step(exec);
    CHECK_EXITED(result, 7);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "one\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "two\n");
    fw_result_free(result);
    fw_result_free(old);
    fw_pool_free(pool);
    fw_context_free(context);
    fw_step_free(step);
    fw_worker_free(worker);
    CHECK_NOBODY();
    end_marked();
    return check_done();
}
