/*
 * A monitor is killed at the moment at which its command has been born and is not yet bound to the monitor's life. The
 * command does not run then, because nobody would watch it, and nobody would end it with the host.
 *
 * not under valgrind: the supervisor is found by its pidfd of the host, which valgrind 3.19 does not have
 */
#include "descendants.h"

#include <errno.h>
#include <sys/ptrace.h>

/** Starts a command whose monitor is killed as soon as the first process for the command has been born. */
static void killed_at_birth(const char *command)
{
    long monitor = 0;
    remove_file("ran");
    fw_result_free(RUN("exit 1"));
    REQUIRE(find_watchers(getpid(), "fw-monitor", &monitor, 1) == 1);
    long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
    if (ptrace(PTRACE_SEIZE, (pid_t)monitor, NULL, options) != 0) {
        CHECK(errno == EPERM || errno == EACCES || errno == ENOSYS);
        check_skip("this process may trace no other one");
        return;
    }
    fw_exec *exec = BEGIN(command);
    int status = 0;
    REQUIRE(waitpid((pid_t)monitor, &status, __WALL) == monitor && WIFSTOPPED(status) && status >> 16 != 0);
    unsigned long born = 0;
    REQUIRE(ptrace(PTRACE_GETEVENTMSG, (pid_t)monitor, NULL, &born) == 0);
    /* The new process is traced, too, and has not made a step. */
    REQUIRE(waitpid((pid_t)born, &status, __WALL) == (pid_t)born && WIFSTOPPED(status));
    CHECK_INT(status_of((long)born, "PPid:"), monitor);
    kill((pid_t)monitor, SIGKILL);
    while (waitpid((pid_t)monitor, &status, __WALL) == monitor && !WIFSIGNALED(status)) {
    }
    CHECK(status_of((long)born, "PPid:") != monitor);
    REQUIRE(ptrace(PTRACE_DETACH, (pid_t)born, NULL, NULL) == 0);

    fw_result *result = finish_step(exec);
    CHECK_INT(fw_result_outcome(result), FW_STATUS_UNKNOWN);
    CHECK_INT(fw_result_returncode(result), 1);
    fw_result_free(result);
    while (process_runs((long)born) && !has_file("ran"))
        a_moment();
    /* What the process may have started still has the library's memory, or the mark. */
    wait_for_nobody();
    CHECK(!has_file("ran"));
}

int main(void)
{
    mark_commands();
    /* With a shell, and, where the shell is dash, without one. */
    killed_at_birth("for word in a; do : > ran; done");
    if (check_status() != 77)
        killed_at_birth("touch ran");
    end_marked();
    return check_done();
}
