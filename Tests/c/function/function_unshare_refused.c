/* Where the system refuses a thread a working directory of its own, as the seccomp profiles of container engines do,
 * host functions run one at a time, and the host's working directory is restored after each. */
#include "function.h"
#include "refused.h"

#include <pthread.h>

static char *one, *two, home[4096];
static sem_t begun, gate, ended;
static fw_pool *pool;

static char *here(void)
{
    static _Thread_local char place[4096];
    REQUIRE(getcwd(place, sizeof place) != NULL);
    return place;
}

/** Counts the functions that run at the same time, and checks that its working directory stays the same. */
static void alone(fw_call *call, void *payload)
{
    static int running;
    (void)payload;
    CHECK_INT(__atomic_add_fetch(&running, 1, __ATOMIC_SEQ_CST), 1);
    CHECK_STR(here(), fw_call_rundir(call));
    usleep(2000);
    CHECK_STR(here(), fw_call_rundir(call));
    __atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
}

static void *run_alone(void *rundir)
{
    fw_step *step = function_step("alone", NULL, NULL);
    fw_result *result = run_exec(function_worker(pool, step), step, NULL, rundir);
    CHECK_EXITED(result, 0);
    json_t *notes = function_fact(result, "notes");
    CHECK_HAS(json_string_value(json_array_get(notes, 0)), "the whole process");
    CHECK_HAS(json_string_value(json_array_get(notes, 0)), "unshare: Operation not permitted");
    json_decref(notes);
    fw_result_free(result);
    fw_step_free(step);
    return NULL;
}

static void many_at_once(void)
{
    pthread_t threads[16];
    for (int i = 0; i < 16; i++)
        REQUIRE(pthread_create(&threads[i], NULL, run_alone, i % 2 ? one : two) == 0);
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    CHECK_STR(here(), home);
}

/** A function that runs a step and waits for it. */
static void nests(fw_call *call, void *payload)
{
    (void)payload;
    run_alone(two);
    CHECK_STR(here(), fw_call_rundir(call));
    /* A relative path of the nested step is relative to the function's directory. */
    REQUIRE(mkdir("inner", 0700) == 0);
    fw_step *step = function_step("names", NULL, NULL);
    fw_result *result = run_exec(function_worker(pool, step), step, NULL, "inner");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    fw_step_free(step);
    CHECK_STR(here(), fw_call_rundir(call));
}

static void names(fw_call *call, void *payload)
{
    char *want = payload ? payload : check_path("one/inner");
    CHECK_STR(fw_call_rundir(call), "inner");
    CHECK_STR(here(), want);
    free(want);
}

static void nested(void)
{
    fw_step *step = function_step("nests", NULL, NULL);
    fw_result *result = run_exec(function_worker(pool, step), step, NULL, one);
    CHECK_EXITED(result, 0);
    CHECK_STR(here(), home);
    fw_result_free(result);
    fw_step_free(step);
}

static void deaf(fw_call *call, void *payload)
{
    (void)call, (void)payload;
    sem_post(&begun);
    REQUIRE(sem_wait(&gate) == 0);
    sem_post(&ended);
}

/** An abandoned function loses the working directory, and does not change it when it returns. */
static void given_up(void)
{
    fw_step *step = function_step("deaf", NULL, "'timeout': 0.05");
    fw_result *result = run_exec(function_worker(pool, step), step, NULL, one);
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    CHECK_STR(here(), home);
    fw_result_free(result);
    fw_step_free(step);
    run_alone(two);
    sem_wait(&begun);
    sem_post(&gate);
    sem_wait(&ended);
    run_alone(one);
    CHECK_STR(here(), home);
}

/** A cancel reaches a function that waits for the working directory, and it is then never called. Its relative run
 *  directory is relative to the host's directory. */
static void waiting(void)
{
    fw_step *step = function_step("deaf", NULL, NULL);
    fw_exec *holds = NULL, *waits = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_start(function_worker(pool, step), step, NULL, one, NULL, 0, &holds, &error), &error);
    sem_wait(&begun);
    fw_step *other = function_step("alone", NULL, "'timeout': 0.05");
    char *inner = check_path("inner");
    REQUIRE(mkdir(inner, 0700) == 0);
    CHECK_OK(fw_exec_start(function_worker(pool, other), other, NULL, "inner", NULL, 0, &waits, &error), &error);
    fw_result *result = exec_result(waits);
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    fw_result_free(result);
    fw_exec_free(waits);
    fw_step_free(other);
    other = function_step("names", NULL, NULL);
    CHECK_OK(fw_exec_start(function_worker(pool, other), other, NULL, "inner", NULL, 0, &waits, &error), &error);
    sem_post(&gate);
    result = exec_result(waits);
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    fw_exec_free(waits);
    result = exec_result(holds);
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    fw_exec_free(holds);
    sem_wait(&ended);
    CHECK_STR(here(), home);
    fw_step_free(step);
    fw_step_free(other);
    free(inner);
}

int main(void)
{
    one = check_path("one");
    two = check_path("two");
    REQUIRE(mkdir(one, 0700) == 0 && mkdir(two, 0700) == 0 && chdir(check_dir()) == 0);
    REQUIRE(getcwd(home, sizeof home) != NULL);
    sem_init(&begun, 0, 0);
    sem_init(&gate, 0, 0);
    sem_init(&ended, 0, 0);
    if (!refuse_call(SYS_unshare, EPERM)) {
        check_skip("the kernel has no seccomp filters");
        return check_done();
    }
    pool = check_pool("{\"workers\": [{\"name\": \"w\", \"type\": \"code\", \"options\": {\"grace\": 0.05}}],"
                      " \"managers\": {\"s\": \"w\"}}");
    function_add(pool, "alone", NULL, alone, NULL);
    function_add(pool, "nests", NULL, nests, NULL);
    function_add(pool, "names", NULL, names, NULL);
    function_add(pool, "deaf", NULL, deaf, NULL);
    many_at_once();
    nested();
    given_up();
    function_add(pool, "names", NULL, names, check_path("inner"));
    waiting();
    fw_pool_free(pool);
    return check_done();
}
