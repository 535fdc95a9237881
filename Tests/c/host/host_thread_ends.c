/*
 * A step continues when the thread that started it exits, even if it is the thread that started the library's helper
 * processes.
 */
#include "descendants.h"

#include <pthread.h>
#include <sys/syscall.h>

static long thread_id;

static void *start(void *unused)
{
    (void)unused;
    thread_id = syscall(SYS_gettid);
    return BEGIN("echo $$$$ >> pids; until test -e go; do sleep 0.01; done; echo one",
                 "echo $$$$ >> pids; until test -e go2; do sleep 0.01; done; echo two; exit 7");
}

/** Waits until the kernel has removed the joined thread as well. */
static fw_exec *start_in_a_thread(void)
{
    pthread_t thread;
    void *exec = NULL;
    char path[64];
    REQUIRE(pthread_create(&thread, NULL, start, NULL) == 0);
    REQUIRE(pthread_join(thread, &exec) == 0);
    snprintf(path, sizeof path, "/proc/self/task/%ld", thread_id);
    while (access(path, F_OK) == 0)
        a_moment();
    return exec;
}

int main(void)
{
    mark_commands();
    for (int i = 0; i < 10; i++) {
        long pids[2];
        remove_file("pids");
        remove_file("go");
        remove_file("go2");
        fw_exec *exec = start_in_a_thread();
        wait_for_pids("pids", pids, 1);
        CHECK(lives(pids[0]));
        write_file("go", "");
        /* The step continues now that another thread waits for it. */
        fw_result *result = NULL;
        while (read_pids("pids", pids, 2) < 2)
            CHECK_INT(fw_exec_wait(exec, 0.01, &result, NULL), FW_OK);
        CHECK(result == NULL);
        CHECK(lives(pids[1]));
        write_file("go2", "");
        result = finish_step(exec);
        CHECK_EXITED(result, 7);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "one\n");
        CHECK_OUTPUT(result, FW_STDOUT, 1, "two\n");
        fw_result_free(result);
    }
    CHECK_NOBODY();
    end_marked();
    return check_done();
}
