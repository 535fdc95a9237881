/* The descriptor of an exec is readable exactly while there is something to take: right after the start, not while
 * the command is silent, again from its next output until that is taken, and never after the last event. Its number
 * stays the same, and it is close-on-exec. */
#include "events.h"

/** Checks that the descriptor is readable, and takes this event. */
static void has(fw_exec *exec, int fd, int32_t kind)
{
    fd_wait(fd);
    CHECK(fd_readable(fd)); /* asking for the descriptor takes no event */
    fw_event *event;
    while ((event = event_next(exec, 0)) == NULL)
        fd_wait(fd);
    CHECK_INT(fw_event_kind(event), kind);
    fw_event_free(event);
    CHECK_INT(fw_exec_fd(exec), fd);
}

/** Checks that the descriptor is not readable and that there is no event. */
static void is_silent(fw_exec *exec, int fd)
{
    CHECK(!fd_readable(fd));
    CHECK(event_next(exec, 0) == NULL);
    CHECK(!fd_readable(fd));
    CHECK(exec_runs(exec));
    CHECK(!fd_readable(fd));
}

/** The descriptor may be asked for before or after other calls. */
static void through_a_step(int gate, bool early)
{
    fw_exec *exec =
        START(NULL, "read line < gate; echo out; read line < gate; echo err >&2; read line < gate", "read line < gate");
    int fd = -1;
    if (early) {
        fd = fw_exec_fd(exec);
        CHECK(fd_readable(fd)); /* the step has started */
        has(exec, fd, FW_EVENT_STEP_STARTED);
        has(exec, fd, FW_EVENT_COMMAND_STARTED);
    } else {
        event_skip(exec, FW_EVENT_STEP_STARTED);
        event_skip(exec, FW_EVENT_COMMAND_STARTED);
        fd = fw_exec_fd(exec);
    }
    CHECK(fd >= 0);
    CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
    is_silent(exec, fd);
    gate_pass(gate);
    has(exec, fd, FW_EVENT_OUTPUT);
    is_silent(exec, fd);
    gate_pass(gate);
    has(exec, fd, FW_EVENT_OUTPUT);
    is_silent(exec, fd);
    gate_pass(gate);
    has(exec, fd, FW_EVENT_COMMAND_ENDED);
    has(exec, fd, FW_EVENT_COMMAND_STARTED);
    is_silent(exec, fd);
    gate_pass(gate);
    has(exec, fd, FW_EVENT_COMMAND_ENDED);
    has(exec, fd, FW_EVENT_STEP_ENDED);

    CHECK(!fd_readable(fd));
    CHECK(event_next(exec, 0) == NULL);
    CHECK(!fd_readable(fd));
    fw_result_free(exec_result(exec));
    CHECK(!fd_readable(fd));
    CHECK_INT(fw_exec_fd(exec), fd);
    fw_exec_free(exec);
    CHECK_INT(fcntl(fd, F_GETFD), -1);
}

/** A result also counts as something to take, and after it there is nothing. */
static void with_wait(int gate)
{
    fw_exec *exec = START(NULL, "read line < gate");
    int fd = fw_exec_fd(exec);
    while (fd_readable(fd))
        CHECK(exec_runs(exec)); /* takes what has happened up to now */
    gate_pass(gate);
    fw_result *result = NULL;
    while (result == NULL) {
        fd_wait(fd);
        CHECK_INT(fw_exec_wait(exec, 0, &result, NULL), FW_OK);
    }
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    CHECK(!fd_readable(fd));
    CHECK(event_next(exec, 0) == NULL);
    CHECK_INT(fw_exec_fd(exec), fd);
    CHECK(!fd_readable(fd));
    fw_exec_free(exec);
}

/** A cancel makes the descriptor readable, while a command runs and between two attempts. */
static void after_a_cancel(void)
{
    fw_exec *exec = START(NULL, "sleep 100000");
    int fd = fw_exec_fd(exec);
    has(exec, fd, FW_EVENT_STEP_STARTED);
    has(exec, fd, FW_EVENT_COMMAND_STARTED);
    is_silent(exec, fd);
    fw_exec_cancel(exec);
    has(exec, fd, FW_EVENT_COMMAND_ENDED);
    has(exec, fd, FW_EVENT_STEP_ENDED);
    CHECK(!fd_readable(fd));
    fw_exec_free(exec);

    exec = START("{\"retries\": {\"max\": 1, \"delay\": 10000, \"max_delay\": 10000}}", "exit 3");
    fd = fw_exec_fd(exec);
    has(exec, fd, FW_EVENT_STEP_STARTED);
    has(exec, fd, FW_EVENT_COMMAND_STARTED);
    has(exec, fd, FW_EVENT_COMMAND_ENDED);
    has(exec, fd, FW_EVENT_RETRY);
    is_silent(exec, fd);
    fw_exec_cancel(exec);
    has(exec, fd, FW_EVENT_STEP_ENDED);
    CHECK(!fd_readable(fd));
    fw_exec_free(exec);
}

/** The descriptor is asked for after the end of the step. */
static void after_the_end(void)
{
    fw_exec *exec = START(NULL, "true");
    fw_result_free(exec_result(exec));
    int fd = fw_exec_fd(exec);
    CHECK(fd >= 0);
    CHECK(!fd_readable(fd));
    fw_exec_free(exec);
}

int main(void)
{
    int gate = gate_make("gate");
    through_a_step(gate, true);
    through_a_step(gate, false);
    with_wait(gate);
    after_a_cancel();
    after_the_end();
    close(gate);
    return check_done();
}
