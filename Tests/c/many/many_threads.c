/* 256 threads are in fw_worker_exec() at the same time. This needs three descriptors for each and no other thread,
 * and each result is that of its own step. A second run needs no more descriptors than the first. */
#include "events.h"

#include <pthread.h>

enum { COUNT = 256 };

static fw_worker *worker;

static void *run_one(void *argument)
{
    int number = *(int *)argument;
    char first[100], second[100], out[32];
    snprintf(first, sizeof first, "echo >> arrived; read line < gate; echo out %d", number);
    snprintf(second, sizeof second, "echo err %d >&2; exit %d", number, number % 7);
    fw_step *step = run_step("s", (const char *const[]){first, second, NULL});
    fw_result *result = run_exec(worker, step, NULL, check_directory);
    CHECK_EXITED(result, number % 7);
    snprintf(out, sizeof out, "out %d\n", number);
    CHECK_OUTPUT(result, FW_STDOUT, 0, out);
    snprintf(out, sizeof out, "err %d\n", number);
    CHECK_OUTPUT(result, FW_STDERR, 0, out);
    fw_result_free(result);
    fw_step_free(step);
    return NULL;
}

static void *nothing(void *unused)
{
    return unused;
}

static void all_at_once(int gate, int at_first)
{
    int count = check_times(COUNT, 24);
    pthread_t list[COUNT];
    /* A sanitizer starts a thread of its own together with the first thread. */
    REQUIRE(pthread_create(&list[0], NULL, nothing, NULL) == 0);
    pthread_join(list[0], NULL);
    int before = own_threads();
    int numbers[COUNT];
    for (int i = 0; i < count; i++) {
        numbers[i] = i;
        REQUIRE(pthread_create(&list[i], NULL, run_one, &numbers[i]) == 0);
    }
    char *path = check_path("arrived");
    struct stat info;
    while (stat(path, &info) != 0 || info.st_size < count)
        a_moment();
    CHECK(open_descriptors() <= at_first + 3 * count + KEPT_DESCRIPTORS);
    CHECK_INT(own_threads(), before + count);
    for (int i = 0; i < count; i++)
        gate_pass(gate);
    for (int i = 0; i < count; i++)
        pthread_join(list[i], NULL);
    CHECK(open_descriptors() <= at_first + KEPT_DESCRIPTORS);
    CHECK_INT(unlink(path), 0);
    free(path);
}

int main(void)
{
    REQUIRE(steps_within_limit(COUNT, 3) == COUNT);
    int gate = gate_make("gate"), at_first = open_descriptors();
    worker = run_worker(NULL);
    all_at_once(gate, at_first);
    int after = open_descriptors();
    all_at_once(gate, at_first);
    CHECK(open_descriptors() <= after + 16);
    fw_worker_free(worker);
    close(gate);
    return check_done();
}
