/*
 * Threads of the host that wait for every child in every way do not disturb the library: each command has its true
 * outcome, and those threads never see a child of the library.
 */
#include "processes.h"
#include "run.h"

#include <pthread.h>

static atomic_bool stop;
static atomic_int taken;

static void *reap(void *unused)
{
    (void)unused;
    while (!stop)
        if (waitpid(-1, NULL, 0) > 0)
            taken++;
    return NULL;
}

/** This thread also reaps children without an exit signal, such as the process that starts a supervisor. */
static void *reap_all(void *unused)
{
    (void)unused;
    while (!stop)
        wait4(-1, NULL, __WALL, NULL);
    return NULL;
}

int main(void)
{
    pthread_t threads[2];
    REQUIRE(pthread_create(&threads[0], NULL, reap, NULL) == 0);
    REQUIRE(pthread_create(&threads[1], NULL, reap_all, NULL) == 0);
    int times = check_times(200, 20);
    for (int i = 0; i < times; i++) {
        char command[100];
        int status = i % 5;
        snprintf(command, sizeof command, "sleep 1000 & setsid sleep 1000 & exit %d", status);
        /* Every 20th step needs a new supervisor. */
        umask(i % 40 < 20 ? 022 : 027);
        fw_result *result = RUN(i % 10 == 0 ? command : strstr(command, "exit"));
        CHECK_EXITED(result, status);
        fw_result_free(result);
    }
    fw_result *result = RUN("kill -9 $$$$");
    CHECK_INT(fw_result_outcome(result), FW_SIGNALED);
    CHECK_INT(fw_result_returncode(result), -9);
    fw_result_free(result);
    stop = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(taken, 0);
    return check_done();
}
