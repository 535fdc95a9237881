/* Logs may be replaced while other threads write lines: each payload is released once, and its log is not called
 * afterwards. */
#include "run.h"

#include <pthread.h>

enum { RUNNERS = 4, LOGS = 200 };

static struct log {
    atomic_int calls, released;
} logs[LOGS];

static atomic_bool is_over;

static void take(fw_log_level level, const char *message, void *payload)
{
    struct log *log = payload;
    (void)level, (void)message;
    CHECK_INT(atomic_load(&log->released), 0);
    atomic_fetch_add(&log->calls, 1);
    CHECK_INT(atomic_load(&log->released), 0);
}

static void release(void *payload)
{
    atomic_fetch_add(&((struct log *)payload)->released, 1);
}

static void *run_steps(void *unused)
{
    while (!atomic_load(&is_over))
        fw_result_free(RUN("true"));
    return unused;
}

int main(void)
{
    pthread_t threads[RUNNERS];
    fw_error *error = NULL;
    check_dir();
    for (int i = 0; i < RUNNERS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, run_steps, NULL) == 0);
    int count = check_times(LOGS, 20);
    for (int i = 0; i < count; i++) {
        CHECK_OK(fw_set_log(FW_LOG_DEBUG, take, &logs[i], release, &error), &error);
        while (atomic_load(&logs[i].calls) == 0)
            usleep(100);
    }
    CHECK_OK(fw_set_log(FW_LOG_OFF, NULL, NULL, NULL, &error), &error);
    atomic_store(&is_over, true);
    for (int i = 0; i < RUNNERS; i++)
        REQUIRE(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < count; i++)
        CHECK_INT(atomic_load(&logs[i].released), 1);
    return check_done();
}
