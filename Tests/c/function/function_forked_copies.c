/* A function that is blocked in a write is released when its call is abandoned, even if a process that the host has
 * forked holds copies of all descriptors and so keeps the pipe open.
 *
 * not under valgrind: what the other threads had is lost in a child, and valgrind reports that
 */
#include "function.h"

static sem_t begun, ended;

static void writes(fw_call *call, void *payload)
{
    (void)payload;
    static char block[1 << 16];
    fw_status status = FW_OK;
    sem_post(&begun);
    while (status == FW_OK)
        status = fw_call_write(call, FW_STDOUT, block, sizeof block, NULL);
    CHECK_INT(status, FW_E_ENDED);
    sem_post(&ended);
}

/** Forks a child that lives until the other end of its pipe is closed. */
static pid_t child_with_copies(int *leash)
{
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    REQUIRE(child > 0);
    close(ends[0]);
    *leash = ends[1];
    return child;
}

static void let_go(pid_t child, int leash)
{
    int status = -1;
    close(leash);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void freed(fw_pool *pool)
{
    int leash;
    fw_exec *exec = function_start(pool, "writes", NULL, NULL, NULL);
    sem_wait(&begun);
    pid_t child = child_with_copies(&leash);
    a_moment();
    fw_exec_free(exec);
    bool told = CHECK(function_comes(&ended));
    let_go(child, leash);
    if (!told)
        sem_wait(&ended);
}

static void timed_out(fw_pool *pool)
{
    int leash;
    fw_exec *exec = function_start(pool, "writes", NULL, "'timeout': 0.05", NULL);
    sem_wait(&begun);
    pid_t child = child_with_copies(&leash);
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    fw_result_free(result);
    bool told = CHECK(function_comes(&ended));
    let_go(child, leash);
    fw_exec_free(exec);
    if (!told)
        sem_wait(&ended);
}

static void nothing(fw_call *call, void *payload)
{
    (void)payload;
    CHECK_INT(fw_call_write(call, FW_STDOUT, "x", 1, NULL), FW_OK);
    sem_post(&begun);
}

/** The end of a function that returns does not wait for the child's copies, either. */
static void returned(fw_pool *pool)
{
    int leash;
    fw_exec *exec = function_start(pool, "nothing", NULL, NULL, NULL);
    sem_wait(&begun);
    pid_t child = child_with_copies(&leash);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "x");
    fw_result_free(result);
    let_go(child, leash);
    fw_exec_free(exec);
}

int main(void)
{
    sem_init(&begun, 0, 0);
    sem_init(&ended, 0, 0);
    fw_pool *pool = check_pool("{\"workers\": [{\"name\": \"w\", \"type\": \"code\","
                               " \"options\": {\"grace\": 0.05}}], \"managers\": {\"s\": \"w\"}}");
    function_add(pool, "writes", NULL, writes, NULL);
    function_add(pool, "nothing", NULL, nothing, NULL);
    returned(pool);
    freed(pool);
    timed_out(pool);
    fw_pool_free(pool);
    return check_done();
}
