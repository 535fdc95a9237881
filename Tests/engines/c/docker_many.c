/* Many steps run at the same time: from many threads, from one thread with descriptors, and on two engines in one
 * process. Each result is that of its own step. */
#include "engine.h"

#include <pthread.h>

enum { MANY_THREADS = 16, STEPS_EACH = 4, AT_ONCE = 40 };

static const char *hosts[2];

/** The commands of step `number`, whose output and status tell which one it is. */
static fw_step *numbered(int number)
{
    char first[100], second[100];
    snprintf(first, sizeof first, "sh -c 'echo out %d; echo err %d >&2'", number, number);
    snprintf(second, sizeof second, "sh -c 'exit %d'", number % 100);
    return box_step(BUSYBOX, NULL, (const char *const[]){first, second, NULL});
}

static void check_numbered(const fw_result *result, int number, const char *host)
{
    char text[32];
    CHECK_EXITED(result, number % 100);
    snprintf(text, sizeof text, "out %d\n", number);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
    CHECK_OUTPUT(result, FW_STDOUT, 0, text);
    snprintf(text, sizeof text, "err %d\n", number);
    CHECK_OUTPUT(result, FW_STDERR, 0, text);
    json_t *told = box_fact(result, "host");
    CHECK_JSON(told, json_string(host));
    json_decref(told);
}

/* ------------------------------------------------------------------ threads -- */

static fw_worker *shared_worker;
static pthread_barrier_t together;

static void *run_some(void *argument)
{
    int first = *(int *)argument;
    pthread_barrier_wait(&together);
    for (int i = 0; i < STEPS_EACH; i++) {
        fw_step *step = numbered(first + i);
        fw_result *result = run_exec(shared_worker, step, NULL, check_dir());
        check_numbered(result, first + i, hosts[0]);
        fw_result_free(result);
        fw_step_free(step);
    }
    return NULL;
}

static void from_threads(const char *kind)
{
    pthread_t threads[MANY_THREADS];
    int numbers[MANY_THREADS];
    shared_worker = box_worker(in_container(kind, NULL), NULL);
    REQUIRE(pthread_barrier_init(&together, NULL, MANY_THREADS) == 0);
    for (int i = 0; i < MANY_THREADS; i++) {
        numbers[i] = i * STEPS_EACH;
        REQUIRE(pthread_create(&threads[i], NULL, run_some, &numbers[i]) == 0);
    }
    for (int i = 0; i < MANY_THREADS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    fw_worker_free(shared_worker);
    NOTHING_LEFT(hosts[0]);
}

/* --------------------------------------------------------------- descriptors -- */

/** All are in flight before any is looked at; those of even numbers are on the first engine. */
static void from_one_thread(const char *kind)
{
    fw_exec *execs[AT_ONCE];
    struct pollfd items[AT_ONCE];
    int left = AT_ONCE, engines = hosts[1] != NULL ? 2 : 1;
    for (int i = 0; i < AT_ONCE; i++) {
        fw_worker *worker = box_worker(in_container(kind, json_pack("{s:s}", "host", hosts[i % engines])), NULL);
        fw_step *step = numbered(i);
        execs[i] = start_step(worker, step, NULL);
        items[i] = (struct pollfd){.fd = fw_exec_fd(execs[i]), .events = POLLIN};
        REQUIRE(items[i].fd >= 0);
        fw_step_free(step);
        fw_worker_free(worker);
    }
    while (left > 0) {
        REQUIRE(poll(items, AT_ONCE, -1) > 0);
        for (int i = 0; i < AT_ONCE; i++) {
            if (items[i].fd < 0 || items[i].revents == 0)
                continue;
            fw_event *event = event_next(execs[i], 0);
            if (fw_event_kind(event) == FW_EVENT_STEP_ENDED) {
                items[i].fd = -1;
                left--;
            }
            fw_event_free(event);
        }
    }
    for (int i = 0; i < AT_ONCE; i++) {
        fw_result *result = exec_result(execs[i]);
        check_numbered(result, i, hosts[i % engines]);
        fw_result_free(result);
        fw_exec_free(execs[i]);
    }
    for (int i = 0; i < engines; i++)
        NOTHING_LEFT(hosts[i]);
}

/* ----------------------------------------------------------------- two engines -- */

/** Two pools, each with an engine of its own; a container is where its step was sent. */
static void two_pools(void)
{
    char text[2][500];
    fw_pool *pools[2];
    fw_exec *execs[2];
    char *names[2];
    int gate = gate_make("gate");
    const char *const commands[] = {"sh -c 'echo ready; read line < gate'", NULL};
    fw_step *step = box_step(BUSYBOX, NULL, commands);
    for (int i = 0; i < 2; i++) {
        snprintf(text[i], sizeof text[i],
                 "{\"workers\": [{\"name\": \"box\", \"type\": \"docker\", \"options\": {\"host\": \"%s\"}}],"
                 " \"workflow\": [{\"step\": \"s\", \"worker\": \"box\"}]}",
                 hosts[i]);
        pools[i] = check_pool(text[i]);
        const fw_worker *worker = NULL;
        fw_error *error = NULL;
        REQUIRE(CHECK_OK(fw_pool_get(pools[i], step, &worker, &error), &error));
        execs[i] = start_step(worker, step, NULL);
    }
    for (int i = 0; i < 2; i++) {
        names[i] = box_started(execs[i]);
        box_await(execs[i], "ready\n");
    }
    for (int i = 0; i < 2; i++) {
        CHECK(engine_has(hosts[i], names[i]));
        CHECK(!engine_has(hosts[1 - i], names[i]));
        gate_pass(gate);
    }
    for (int i = 0; i < 2; i++) {
        fw_result *result = exec_result(execs[i]);
        CHECK_EXITED(result, 0);
        json_t *told = box_fact(result, "host");
        CHECK_JSON(told, json_string(hosts[i]));
        json_decref(told);
        fw_result_free(result);
        fw_exec_free(execs[i]);
        NOTHING_LEFT(hosts[i]);
        fw_pool_free(pools[i]);
        free(names[i]);
    }
    fw_step_free(step);
    close(gate);
}

/** Steps in containers run at the same time as steps in processes. */
static void beside_processes(void)
{
    fw_exec *boxes[8], *processes[8];
    for (int i = 0; i < 8; i++) {
        char command[64];
        snprintf(command, sizeof command, "echo process %d", i);
        processes[i] = START(NULL, command);
        snprintf(command, sizeof command, "echo box %d", i);
        boxes[i] = BOX_START(NULL, NULL, command);
    }
    for (int i = 0; i < 8; i++) {
        char want[64];
        fw_result *result = exec_result(boxes[i]);
        snprintf(want, sizeof want, "box %d\n", i);
        CHECK_EXITED(result, 0);
        CHECK_OUTPUT(result, FW_STDOUT, 0, want);
        fw_result_free(result);
        fw_exec_free(boxes[i]);
        result = exec_result(processes[i]);
        snprintf(want, sizeof want, "process %d\n", i);
        CHECK_EXITED(result, 0);
        CHECK_OUTPUT(result, FW_STDOUT, 0, want);
        fw_result_free(result);
        fw_exec_free(processes[i]);
    }
}

int main(void)
{
    hosts[0] = engine_host();
    check_dir(); /* check_dir() is not made for threads, so it is called here first */
    hosts[1] = engine_variable("FW_TEST_DOCKER_TWO");
    for (int i = 0; i < 2; i++) {
        from_threads(box_kinds[i]);
        from_one_thread(box_kinds[i]);
    }
    two_pools();
    beside_processes();
    return engine_done();
}
