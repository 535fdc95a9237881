/* The input ends when the command closes it or ends, and when the host closes it. A write after that is FW_E_ENDED.
 * What the command has not read is dropped, and no SIGPIPE reaches the host, whatever it does with that signal. */
#include "input.h"

/** Waits until the command has written this. */
static void wait_for_output(fw_exec *exec, const char *want)
{
    fw_event *event = event_wait_for(exec, FW_EVENT_OUTPUT);
    CHECK_EVENT(event, FW_STDOUT, want);
    fw_event_free(event);
}

/** Takes events until there will be none. */
static void drain(fw_exec *exec)
{
    struct events all = events_of(exec);
    events_free(&all);
}

static void the_command_closes_it(void)
{
    int gate = gate_make("closes");
    fw_exec *exec = INPUT("exec 0<&-; echo closed; read -r line < closes; echo end");
    wait_for_output(exec, "closed\n");
    input_has_ended(exec, "the command has closed its standard input");
    input_has_ended(exec, "the command has closed its standard input");
    gate_pass(gate);
    input_exits(exec, 0, "closed\nend\n");
    close(gate);
}

/** The host waits with more than the pipe holds when the command closes its input. */
static void while_the_host_waits(void)
{
    static char block[4 << 20];
    fw_error *error = NULL;
    size_t taken = 0;
    int gate = gate_make("waits");
    fw_exec *exec = INPUT("dd bs=1 count=10 of=/dev/null; exec 0<&-; read -r line < waits; echo end");
    CHECK_FAILS(fw_exec_write(exec, block, sizeof block, -1, &taken, &error), FW_E_ENDED, &error,
                "the command has closed its standard input");
    CHECK(taken >= 10 && taken < sizeof block);
    gate_pass(gate);
    input_exits(exec, 0, "end\n");
    close(gate);
}

static void the_command_ends(void)
{
    fw_exec *exec = INPUT("echo end");
    drain(exec);
    input_has_ended(exec, "the step is over");
    input_close(exec);
    input_exits(exec, 0, "end\n");

    /* It ends while the host waits in a write, with more than the pipe holds. */
    static char block[4 << 20];
    fw_error *error = NULL;
    size_t taken = 0;
    exec = INPUT("head -c 100000 > /dev/null; exit 3");
    CHECK_INT(fw_exec_write(exec, block, sizeof block, -1, &taken, &error), FW_E_ENDED);
    fw_error_free(error);
    CHECK(taken >= 100000 && taken < sizeof block);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 3);
    fw_result_free(result);
    fw_exec_free(exec);
}

/** A command that never reads takes what the pipe holds, and then nothing; it runs on, and the rest is dropped. */
static void the_command_never_reads(void)
{
    int gate = gate_make("never");
    fw_exec *exec = INPUT("read -r line < never; echo end");
    size_t sum = input_fill(exec);
    CHECK(sum >= 4096 && sum <= 2 << 20);
    fw_error *error = NULL;
    size_t taken = 1;
    CHECK_OK(fw_exec_write(exec, "x", 1, 0.02, &taken, &error), &error);
    CHECK_INT(taken, 0);
    gate_pass(gate);
    input_exits(exec, 0, "end\n");
    close(gate);
}

static void the_host_closes_it(void)
{
    fw_exec *exec = INPUT("cat; echo");
    input_all(exec, "some", 4);
    input_close(exec);
    input_has_ended(exec, "closed");
    input_exits(exec, 0, "some\n");
}

/** A cancelled step, and one whose exec is freed, take what the pipe holds with them. */
static void the_step_is_cancelled(void)
{
    fw_exec *exec = INPUT("sleep 100000");
    input_fill(exec);
    fw_exec_cancel(exec);
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    fw_result_free(result);
    input_has_ended(exec, "the step is over");
    fw_exec_free(exec);
    exec = INPUT("sleep 100000");
    input_fill(exec);
    fw_exec_free(exec);
}

static void all_of_them(void)
{
    the_command_closes_it();
    while_the_host_waits();
    the_command_ends();
    the_command_never_reads();
    the_host_closes_it();
    the_step_is_cancelled();
    remove_file("closes");
    remove_file("never");
    remove_file("waits");
}

/** The action for SIGPIPE is the default, which would end the host. */
static void by_default(void)
{
    signal(SIGPIPE, SIG_DFL);
    all_of_them();
}

static volatile sig_atomic_t caught;

static void catch(int number)
{
    caught = number;
}

/** A handler of the host's for SIGPIPE is not called, and stays. */
static void with_a_handler(void)
{
    struct sigaction action = {.sa_handler = catch}, after;
    sigaction(SIGPIPE, &action, NULL);
    all_of_them();
    CHECK_INT(caught, 0);
    sigaction(SIGPIPE, NULL, &after);
    CHECK(after.sa_handler == catch);
    raise(SIGPIPE);
    CHECK_INT(caught, SIGPIPE);
}

/** A SIGPIPE of the host's that was blocked and pending before is pending afterwards. */
static void with_a_pending_one(void)
{
    sigset_t pipe, pending;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigprocmask(SIG_BLOCK, &pipe, NULL);
    the_command_closes_it();
    CHECK(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
    raise(SIGPIPE);
    remove_file("closes");
    the_command_closes_it();
    CHECK(sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE));
}

int main(void)
{
    in_child(by_default, "a host that SIGPIPE would end");
    in_child(with_a_handler, "a host that catches SIGPIPE");
    in_child(with_a_pending_one, "a host that has blocked SIGPIPE");
    return check_done();
}
