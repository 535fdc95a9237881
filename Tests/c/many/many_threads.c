/* 256 threads are in fw_worker_exec() at once: three descriptors for each, no thread but theirs, each
 * result is that of its own step; and the same again, after which no more is left than the first time. */
#include "events.h"

#include <pthread.h>
#include <sys/resource.h>

enum { COUNT = 256, KEPT = 2 + 16 };

static fw_worker *worker;

static int threads(void)
{
    char *text = read_file("/proc/self/status");
    const char *line = text ? strstr(text, "\nThreads:") : NULL;
    int number = line ? atoi(line + 9) : -1;
    free(text);
    return number;
}

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
    /* A sanitizer starts a thread of its own with the first one. */
    REQUIRE(pthread_create(&list[0], NULL, nothing, NULL) == 0);
    pthread_join(list[0], NULL);
    int before = threads();
    int numbers[COUNT];
    for (int i = 0; i < count; i++) {
        numbers[i] = i;
        REQUIRE(pthread_create(&list[i], NULL, run_one, &numbers[i]) == 0);
    }
    char *path = check_path("arrived");
    struct stat info;
    while (stat(path, &info) != 0 || info.st_size < count)
        a_moment();
    CHECK(open_descriptors() <= at_first + 3 * count + KEPT);
    CHECK_INT(threads(), before + count);
    for (int i = 0; i < count; i++)
        gate_pass(gate);
    for (int i = 0; i < count; i++)
        pthread_join(list[i], NULL);
    CHECK(open_descriptors() <= at_first + KEPT);
    CHECK_INT(unlink(path), 0);
    free(path);
}

int main(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < 3 * COUNT + 200)
        REQUIRE(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3 * COUNT + 200, limit.rlim_max}) == 0);
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
