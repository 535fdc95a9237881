/* A host with a thread that waits for every child, and so takes the library's statuses, gets the
 * true outcome where the kernel keeps it. Elsewhere it may be FW_STATUS_UNKNOWN, and is never a
 * success of a command that failed. */
#include "children.h"
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

int main(void)
{
    bool kept = kernel_keeps_status();
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, reap, NULL) == 0);
    int times = check_times(200, 20);
    for (int i = 0; i < times; i++) {
        char command[32];
        int status = i % 5;
        snprintf(command, sizeof command, "exit %d", status);
        fw_result *result = RUN(command);
        fw_outcome outcome = fw_result_outcome(result);
        if (kept || outcome != FW_STATUS_UNKNOWN)
            CHECK_EXITED(result, status);
        else
            CHECK_INT(fw_result_returncode(result), 1);
        fw_result_free(result);
    }
    stop = true;
    pthread_join(thread, NULL);
    printf("the host took %d of %d statuses\n", taken, times);
    return check_done();
}
