/* A thread that writes does not depend on the thread that has driven the step: it drives the step itself when that one
 * leaves. */
#include "input.h"

#include <pthread.h>
#include <time.h>

static char block[4 << 20];

static void *writer(void *exec)
{
    /* The other thread waits by now. If it does not, this one drives the step, and the check shows nothing. */
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    fw_error *error = NULL;
    size_t taken = 0;
    CHECK_OK(fw_exec_write(exec, block, sizeof block, 5, &taken, &error), &error);
    CHECK_INT(taken, sizeof block);
    return NULL;
}

/** The other thread waits for a short time. When it has left, the command writes more than its pipe holds, before it
 *  reads. */
int main(void)
{
    int gate = gate_make("turn");
    fw_exec *exec = INPUT("read -r line < turn; head -c 3000000 /dev/zero; wc -c >&2");
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, writer, exec) == 0);
    fw_error *error = NULL;
    fw_result *result = NULL;
    CHECK_OK(fw_exec_wait(exec, 0.5, &result, &error), &error);
    CHECK(result == NULL);
    gate_pass(gate);
    pthread_join(thread, NULL);
    input_close(exec);
    result = exec_result(exec);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDERR, 0, "4194304\n");
    fw_result_free(result);
    fw_exec_free(exec);
    close(gate);
    remove_file("turn");
    return check_done();
}
