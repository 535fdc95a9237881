/* Every thread of the host may write for a call, even one that blocks no signal. If the call is abandoned during the
 * write, the write returns FW_E_ENDED, and no SIGPIPE ends the host. */
#include "function.h"

#include <pthread.h>

static sem_t handed, ended;
static fw_call *given;

/** A thread that the host started before the call, with the host's signal mask. */
static void *writer(void *unused)
{
    static char block[1 << 16];
    fw_status status = FW_OK;
    sem_wait(&handed);
    while (status == FW_OK)
        status = fw_call_write(given, FW_STDOUT, block, sizeof block, NULL);
    CHECK_INT(status, FW_E_ENDED);
    sigset_t pending;
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
    sem_post(&ended);
    return unused;
}

static void hands_over(fw_call *call, void *begun)
{
    given = call;
    sem_post(&handed);
    sem_post(begun);
    sem_wait(&ended);
    sem_post(begun);
}

/** Waits until the pipe is full, which is when no more events of output arrive. */
static void wait_until_it_stands(fw_exec *exec)
{
    fw_event_free(event_wait_for(exec, FW_EVENT_OUTPUT));
    a_moment();
}

/** The thread is blocked in a write when the exec is freed, or when the step is cancelled. */
static void ends(void)
{
    static sem_t begun;
    sem_init(&begun, 0, 0);
    sem_init(&handed, 0, 0);
    sem_init(&ended, 0, 0);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, writer, NULL) == 0);
    fw_pool *pool = check_pool("{\"workers\": [{\"name\": \"w\", \"type\": \"code\","
                               " \"options\": {\"grace\": 0}}], \"managers\": {\"s\": \"w\"}}");
    function_add(pool, "f", NULL, hands_over, &begun);
    fw_exec *exec = function_start(pool, "f", NULL, NULL, NULL);
    sem_wait(&begun);
    wait_until_it_stands(exec);
    fw_exec_free(exec);
    CHECK(function_comes(&begun));
    pthread_join(thread, NULL);
    fw_pool_free(pool);
}

/** The host's action for SIGPIPE stays as the host has set it. */
static void by_itself(void)
{
    signal(SIGPIPE, SIG_DFL);
    ends();
}

static volatile sig_atomic_t caught;

static void catch(int number)
{
    caught = number;
}

static void where_it_is_caught(void)
{
    signal(SIGPIPE, catch);
    ends();
    CHECK_INT(caught, 0);
}

int main(void)
{
    in_child(by_itself, "a host that SIGPIPE would end");
    in_child(where_it_is_caught, "a host that catches SIGPIPE");
    return check_done();
}
