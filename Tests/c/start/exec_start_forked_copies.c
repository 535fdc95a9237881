/* A forked process that holds copies of all descriptors while a step runs does not disturb the parent: the exec's
 * descriptor is readable when it should be, ends are noticed, and fw_exec_free() ends the step. */
#include "events.h"

static int to_child[2];

/** Forks a process that waits until the pipe is closed. */
static pid_t bystander(void)
{
    fflush(NULL);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        char byte;
        close(to_child[1]);
        while (read(to_child[0], &byte, 1) > 0)
            continue;
        _exit(0);
    }
    return pid;
}

static pid_t to_the_end(void)
{
    int gate = gate_make("gate");
    fw_exec *exec = START(NULL, "read line < gate; echo one", "read line < gate; echo two >&2", "exit 3");
    int fd = fw_exec_fd(exec);
    event_skip(exec, FW_EVENT_STEP_STARTED);
    event_skip(exec, FW_EVENT_COMMAND_STARTED);
    pid_t pid = bystander();
    CHECK(!fd_readable(fd));
    gate_pass(gate);
    gate_pass(gate);
    struct events all = {NULL, 0};
    do {
        fd_wait(fd);
        fw_event *event = event_next(exec, 0);
        if (event != NULL)
            events_add(&all, event);
    } while (all.count == 0 || fw_event_kind(all.list[all.count - 1]) != FW_EVENT_STEP_ENDED);
    CHECK_SHAPE(&all, "0:output 0:ended 1:started 1:output 1:ended 2:started 2:ended step_ended");
    events_free(&all);
    CHECK(!fd_readable(fd));
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 3);
    fw_result_free(result);
    CHECK(!fd_readable(fd));
    fw_exec_free(exec);
    close(gate);
    return pid;
}

static pid_t freed(void)
{
    fw_exec *exec = START(NULL, "sleep 100000");
    event_skip(exec, FW_EVENT_STEP_STARTED);
    fw_event *event = event_expect(exec, FW_EVENT_COMMAND_STARTED);
    long command = event_pid(event);
    fw_event_free(event);
    pid_t pid = bystander();
    fw_exec_free(exec);
    wait_until_gone(command);
    return pid;
}

int main(void)
{
    check_dir();
    REQUIRE(pipe2(to_child, O_CLOEXEC) == 0);
    pid_t first = to_the_end(), second = freed();
    close(to_child[1]);
    close(to_child[0]);
    int status = -1;
    CHECK_INT(waitpid(first, &status, 0), first);
    CHECK_INT(status, 0);
    CHECK_INT(waitpid(second, &status, 0), second);
    CHECK_INT(status, 0);
    return check_done();
}
