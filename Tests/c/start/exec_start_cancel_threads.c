/* A cancel from one thread ends a step that other threads wait for in fw_exec_wait(), in fw_exec_next_event(), or in
 * both; each of those calls returns. */
#include "events.h"

#include <pthread.h>

static fw_exec *exec;
static pthread_barrier_t ready;

static void *waits(void *unused)
{
    pthread_barrier_wait(&ready);
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    fw_result_free(result);
    return unused;
}

/** Takes all events. The last one is FW_EVENT_STEP_ENDED, unless a wait has discarded it. */
static void *takes(void *unused)
{
    pthread_barrier_wait(&ready);
    uint64_t last = 0;
    for (fw_event *event; (event = event_next(exec, -1)) != NULL; fw_event_free(event)) {
        CHECK(fw_event_sequence(event) > last);
        last = fw_event_sequence(event);
    }
    return unused;
}

static void *takes_all(void *unused)
{
    pthread_barrier_wait(&ready);
    struct events all = events_of(exec);
    CHECK_SHAPE(&all, "0:ended step_ended");
    events_free(&all);
    return unused;
}

static void cancels(void *(*const bodies[])(void *))
{
    unsigned count = 0;
    while (bodies[count] != NULL)
        count++;
    pthread_t threads[8];
    REQUIRE(count <= 8 && pthread_barrier_init(&ready, NULL, count + 1) == 0);
    exec = START(NULL, "trap 'exit 1' TERM; echo ready; while :; do :; done");
    fw_event *event = event_wait_for(exec, FW_EVENT_COMMAND_STARTED);
    long pid = event_pid(event);
    fw_event_free(event);
    fw_event_free(event_wait_for(exec, FW_EVENT_OUTPUT));
    for (unsigned i = 0; i < count; i++)
        REQUIRE(pthread_create(&threads[i], NULL, bodies[i], NULL) == 0);
    pthread_barrier_wait(&ready);
    a_moment(); /* the threads most likely wait now, and the test is right if they do not yet */
    fw_exec_cancel(exec);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&ready);
    CHECK(!process_runs(pid));
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    fw_result_free(result);
    fw_exec_free(exec);
}

int main(void)
{
    int times = check_times(20, 2);
    for (int i = 0; i < times; i++) {
        cancels((void *(*const[])(void *)){waits, NULL});
        cancels((void *(*const[])(void *)){takes_all, NULL});
        cancels((void *(*const[])(void *)){waits, waits, waits, NULL});
        cancels((void *(*const[])(void *)){takes, takes, takes, NULL});
        cancels((void *(*const[])(void *)){waits, takes, waits, takes, NULL});
    }
    return check_done();
}
