/* A process that the host forks while an input is open, and that runs no other program, does not keep it open. */
#include "input.h"

int main(void)
{
    fw_exec *exec = INPUT("cat");
    fw_exec *second = INPUT("cat");
    input_all(exec, "text", 4);
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        char byte;
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(ends[0]);
    input_close(exec);
    input_exits(exec, 0, "text");
    /* This process has lost nothing. */
    input_all(second, "more", 4);
    input_close(second);
    input_exits(second, 0, "more");
    CHECK(process_runs(child));
    close(ends[1]);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    return check_done();
}
