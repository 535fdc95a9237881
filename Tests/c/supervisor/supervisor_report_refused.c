/*
 * A monitor whose report cannot be sent for a moment, because the kernel has no memory or the call is interrupted,
 * sends it again. If the report can never be sent, nobody waits for it: the outcome is `status_unknown`, the result
 * gives the reason, and no monitor is left.
 *
 * not under tsan: the filter does not reach threads of tsan
 */
#include "descendants.h"
#include "refuse.h"

static atomic_int refused, refuse_error, refuse_times;

static int monitors_sends(pid_t pid, int fd)
{
    (void)fd;
    if (refused >= refuse_times || !is_named(pid, "fw-monitor"))
        return 0;
    refused++;
    return refuse_error;
}

static void told_again(void)
{
    static const int errors[] = {ENOBUFS, ENOMEM, EAGAIN, EINTR, ETOOMANYREFS};
    refuse_some(SYS_sendmsg, monitors_sends);
    for (size_t at = 0; at < sizeof errors / sizeof *errors; at++) {
        refuse_error = errors[at];
        refused = 0;
        refuse_times = 3;
        fw_result *result = RUN("echo one", "echo two; exit 4");
        CHECK_EXITED(result, 4);
        CHECK_OUTPUT(result, FW_STDOUT, 1, "two\n");
        CHECK_INT(refused, 3);
        fw_result_free(result);
    }
}

static void never_told(void)
{
    refuse_error = EPERM;
    refuse_times = 1 << 30;
    refuse_some(SYS_sendmsg, monitors_sends);
    for (int i = 0; i < 3; i++) {
        fw_result *result = RUN("echo one", "echo two");
        CHECK_INT(fw_result_outcome(result), FW_STATUS_UNKNOWN);
        CHECK_INT(fw_result_returncode(result), 1);
        CHECK_HAS(fw_result_message(result), "could not report it");
        CHECK_OUTPUT(result, FW_STDOUT, 0, "one\n");
        fw_result_free(result);
    }
    /* Steps run again as soon as the call works again. */
    refuse_times = 0;
    fw_result *result = RUN("echo one", "exit 3");
    CHECK_EXITED(result, 3);
    fw_result_free(result);
    while (find_watchers(getpid(), "fw-monitor", NULL, 0) > 1)
        a_moment();
}

/** A report that a supervisor cannot send for a moment. */
static int supervisors_sends(pid_t pid, int fd)
{
    (void)fd;
    return is_named(pid, "fw-supervisor") && refused++ < refuse_times ? ENOBUFS : 0;
}

static void greeting_told_again(void)
{
    refuse_times = 5;
    refuse_some(SYS_sendmsg, supervisors_sends);
    fw_result *result = RUN("exit 3");
    CHECK_EXITED(result, 3);
    CHECK(refused > 5);
    fw_result_free(result);
}

/** Messages that the host sends, and that supervisor and monitor receive. */
static int any_second_one(pid_t pid, int fd)
{
    (void)pid;
    (void)fd;
    static int count;
    return count++ % 2 == 0 ? ENOMEM : 0;
}

static void half_of_all(void)
{
    refuse_some(SYS_recvmsg, any_second_one);
    for (int i = 0; i < 5; i++) {
        fw_result *result = RUN("echo one", "exit 4");
        CHECK_EXITED(result, 4);
        fw_result_free(result);
        fw_exec *exec = BEGIN("exec sleep 100000");
        fw_exec_cancel(exec);
        result = finish_step(exec);
        CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
        fw_result_free(result);
    }
}

int main(void)
{
    mark_commands();
    in_child(told_again, "told_again");
    in_child(never_told, "never_told");
    in_child(greeting_told_again, "greeting_told_again");
    in_child(half_of_all, "half_of_all");
    CHECK_NOBODY();
    return check_done();
}
