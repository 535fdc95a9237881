/*
 * The library cannot end a function, but it can end the step: the function is asked to return, and is abandoned after
 * the grace period.
 *
 * not under valgrind: valgrind reports the unused bits of the word that holds a Swift enumeration
 */
#include "function.h"

#include <pthread.h>
#include <semaphore.h>

static sem_t begun, gate, ended;

/** Returns when the library asks for its end. */
static void listens(fw_call *call, void *payload)
{
    (void)payload;
    CHECK_INT(fw_call_write(call, FW_STDOUT, "begun\n", FW_ZERO_TERMINATED, NULL), FW_OK);
    sem_post(&begun);
    while (!fw_call_is_cancelled(call))
        usleep(1000);
    CHECK_INT(fw_call_write(call, FW_STDOUT, "asked\n", FW_ZERO_TERMINATED, NULL), FW_OK);
    CHECK_INT(fw_call_return(call, "1", FW_ZERO_TERMINATED, NULL), FW_OK);
}

/** Ignores the request to end, and returns later. */
static void deaf(fw_call *call, void *payload)
{
    fw_error *error = NULL;
    CHECK_INT(fw_call_write(call, FW_STDERR, "begun\n", FW_ZERO_TERMINATED, NULL), FW_OK);
    sem_post(&begun);
    REQUIRE(sem_wait(&gate) == 0);
    CHECK_INT(fw_call_is_cancelled(call), 1);
    CHECK_STR(fw_call_argument(call, "a", NULL), "[1]");
    CHECK(fw_call_rundir(call) != NULL && payload != NULL);
    CHECK_FAILS(fw_call_write(call, FW_STDOUT, "late\n", FW_ZERO_TERMINATED, &error), FW_E_ENDED, &error, "ended");
    CHECK_FAILS(fw_call_return(call, "1", FW_ZERO_TERMINATED, &error), FW_E_ENDED, &error, "ended");
    CHECK_FAILS(fw_call_fail(call, "E", "late", NULL, &error), FW_E_ENDED, &error, "ended");
    sem_post(&ended);
}

/** Is blocked in a write. */
static void writes(fw_call *call, void *payload)
{
    (void)payload;
    static char block[1 << 16];
    sem_post(&begun);
    fw_status status = FW_OK;
    while (status == FW_OK)
        status = fw_call_write(call, FW_STDOUT, block, sizeof block, NULL);
    CHECK_INT(status, FW_E_ENDED);
    sem_post(&ended);
}

static void check_end(fw_result *result, fw_outcome outcome, bool is_ended, const char *part)
{
    CHECK_INT(fw_result_outcome(result), outcome);
    CHECK(fw_result_returncode(result) != 0);
    CHECK_HAS(fw_result_message(result), part);
    CHECK_FACT(result, "value", json_null());
    json_t *commands = function_fact(result, "commands");
    CHECK_JSON(json_object_get(json_array_get(commands, 0), "is_ended"), json_boolean(is_ended));
    json_decref(commands);
}

static fw_result *wait_for(fw_exec *exec)
{
    fw_result *result = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_wait(exec, -1, &result, &error), &error);
    REQUIRE(result != NULL);
    return result;
}

static void *cancel(void *exec)
{
    sem_wait(&begun);
    fw_exec_cancel(exec);
    return NULL;
}

static void cancelled(fw_pool *pool)
{
    pthread_t thread;
    fw_context *context = check_context("{\"a\": [1]}");
    fw_exec *exec = function_start(pool, "listens", context, NULL, NULL);
    REQUIRE(pthread_create(&thread, NULL, cancel, exec) == 0);
    fw_result *result = wait_for(exec);
    pthread_join(thread, NULL);
    check_end(result, FW_CANCELLED, true, "cancel");
    CHECK_OUTPUT(result, FW_STDOUT, 0, "begun\nasked\n");
    fw_result_free(result);
    fw_exec_free(exec);
    exec = function_start(pool, "deaf", context, NULL, NULL);
    REQUIRE(pthread_create(&thread, NULL, cancel, exec) == 0);
    result = wait_for(exec);
    pthread_join(thread, NULL);
    check_end(result, FW_CANCELLED, false, "is still running in its thread");
    CHECK_OUTPUT(result, FW_STDERR, 0, "begun\n");
    fw_result_free(result);
    fw_exec_free(exec);
    fw_context_free(context);
    sem_post(&gate);
    sem_wait(&ended);
}

/** A cancel before the first wait reaches the function, too. */
static void cancelled_before_anybody_waits(fw_pool *pool)
{
    fw_exec *exec = function_start(pool, "listens", NULL, NULL, NULL);
    sem_wait(&begun);
    fw_exec_cancel(exec);
    usleep(20000); /* it returns */
    fw_result *result = wait_for(exec);
    check_end(result, FW_CANCELLED, true, "cancel");
    fw_result_free(result);
    fw_exec_free(exec);
}

static void timed_out(fw_pool *pool)
{
    fw_context *context = check_context("{\"a\": [1]}");
    fw_result *result = function_call(pool, "listens", context, "'arg': 'a'", "'timeout': 0.05");
    check_end(result, FW_TIMEOUT, true, "timeout of 0.05 s");
    fw_result_free(result);
    sem_wait(&begun);
    result = function_call(pool, "deaf", context, NULL, "'timeout': 0.05");
    check_end(result, FW_TIMEOUT, false, "exceeded its timeout");
    fw_result_free(result);
    sem_wait(&begun);
    char *text = NULL;
    REQUIRE(fw_context_get(context, "a", &text, NULL) == FW_OK);
    CHECK_STR(text, "[1]");
    fw_string_free(text);
    fw_context_free(context);
    sem_post(&gate);
    sem_wait(&ended);
}

static void let_go(fw_pool *pool)
{
    fw_context *context = check_context("{\"a\": [1]}");
    fw_exec *exec = function_start(pool, "deaf", context, NULL, NULL);
    sem_wait(&begun);
    fw_exec_free(exec);
    fw_context_free(context);
    sem_post(&gate);
    sem_wait(&ended);
    /* First nobody reads what the function writes, and then the exec is freed. */
    exec = function_start(pool, "writes", NULL, NULL, NULL);
    sem_wait(&begun);
    usleep(10000);
    fw_exec_free(exec);
    sem_wait(&ended);
}

static int released;

static void release(void *payload)
{
    (void)payload;
    __atomic_add_fetch(&released, 1, __ATOMIC_SEQ_CST);
}

/** A pool may be freed while a call runs: the function is released when the call has returned. */
static void pool_goes(void)
{
    fw_pool *pool = check_pool("[]");
    fw_error *error = NULL;
    fw_context *context = check_context("{\"a\": [1]}");
    CHECK_OK(fw_function_register(pool, "deaf", "[\"a\"]", FW_ZERO_TERMINATED, deaf, &released, release, &error),
             &error);
    fw_exec *exec = function_start(pool, "deaf", context, NULL, NULL);
    sem_wait(&begun);
    fw_pool_free(pool);
    CHECK_INT(__atomic_load_n(&released, __ATOMIC_SEQ_CST), 0);
    fw_exec_free(exec);
    fw_context_free(context);
    sem_post(&gate);
    sem_wait(&ended);
    while (__atomic_load_n(&released, __ATOMIC_SEQ_CST) == 0)
        usleep(1000);
}

int main(void)
{
    sem_init(&begun, 0, 0);
    sem_init(&gate, 0, 0);
    sem_init(&ended, 0, 0);
    fw_pool *pool = check_pool("{\"workers\": [{\"name\": \"w\", \"type\": \"code\", \"options\": {\"grace\": 0.1}}],"
                               " \"managers\": {\"s\": \"w\"}}");
    function_add(pool, "listens", NULL, listens, NULL);
    function_add(pool, "deaf", "[\"a\"]", deaf, pool);
    function_add(pool, "writes", NULL, writes, NULL);
    cancelled(pool);
    cancelled_before_anybody_waits(pool);
    timed_out(pool);
    let_go(pool);
    fw_pool_free(pool);
    pool_goes();
    return check_done();
}
