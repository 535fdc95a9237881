/* A process that was forked before its parent used the library can use it: parent and child run steps at the same
 * time. */
#include "events.h"

static void runs_steps(void)
{
    fw_result *result = RUN("echo $$PPID; echo out");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    fw_exec *exec = START(NULL, "echo one", "echo two");
    struct events all = events_of(exec);
    CHECK_SHAPE(&all, "step_started 0:started 0:output 0:ended 1:started 1:output 1:ended step_ended");
    events_free(&all);
    fw_exec_free(exec);
}

/** A child that uses the library and exits before its parent uses it. */
static void first(void)
{
    runs_steps();
}

/** A child that uses the library after its own child has used it. */
static void second(void)
{
    in_child(first, "first");
    runs_steps();
}

int main(void)
{
    CHECK_STR(fw_version(), FW_VERSION); /* reading the version does not count as use */
    in_child(first, "first");
    in_child(second, "second");
    int here[2], there[2];
    REQUIRE(pipe2(here, O_CLOEXEC) == 0 && pipe2(there, O_CLOEXEC) == 0);
    check_dir();
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    char byte = 0;
    if (pid == 0) {
        runs_steps();
        bool good = write(there[1], "x", 1) == 1 && read(here[0], &byte, 1) == 1;
        runs_steps();
        _exit(good && check_failures == 0 ? 0 : 1);
    }
    REQUIRE(read(there[0], &byte, 1) == 1); /* the child has used the library, and still runs */
    runs_steps();
    REQUIRE(write(here[1], "x", 1) == 1);
    runs_steps();
    int status = -1;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    for (int i = 0; i < 2; i++) {
        close(here[i]);
        close(there[i]);
    }
    return check_done();
}
