/* When the host exits, its steps end, even if a process that the host has forked holds copies of all its descriptors.
 * */
#include "events.h"

static int to_child[2], from_child[2];
static char *pid_path;

/** The host: starts a step, forks, and is killed. */
static void host(void)
{
    fw_exec *exec = START(NULL, "echo $$$$ > pid; exec sleep 100000");
    event_skip(exec, FW_EVENT_STEP_STARTED);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        char byte;
        close(to_child[1]);
        /* Lives until the test says so, or until the test exits. */
        (void)!write(from_child[1], "x", 1);
        (void)!read(to_child[0], &byte, 1);
        (void)!write(from_child[1], "y", 1);
        _exit(0);
    }
    for (;;)
        pause();
}

int main(void)
{
    check_dir();
    pid_path = check_path("pid");
    REQUIRE(pipe2(to_child, O_CLOEXEC) == 0 && pipe2(from_child, O_CLOEXEC) == 0);
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0)
        host();
    char byte = 0;
    REQUIRE(read(from_child[0], &byte, 1) == 1 && byte == 'x');
    char *text = wait_for_line(pid_path);
    long command = atol(text);
    free(text);
    CHECK(process_runs(command));
    kill(pid, SIGKILL);
    CHECK_INT(waitpid(pid, NULL, 0), pid);
    wait_until_gone(command);
    wait_until_deserted();

    /* The forked process has lived until here. */
    REQUIRE(write(to_child[1], "x", 1) == 1);
    REQUIRE(read(from_child[0], &byte, 1) == 1);
    CHECK_INT(byte, 'y');
    for (int i = 0; i < 2; i++) {
        close(to_child[i]);
        close(from_child[i]);
    }
    free(pid_path);
    return check_done();
}
