/* What fw_exec_write(), fw_exec_close_input() and fw_exec_signal() say to calls that cannot work: a step whose input is
 * not the host's, arguments that are none, and a command that has ended. The number of bytes that were taken is set in
 * every case. */
#include "workflow.h"

#include <math.h>
#include <signal.h>

static fw_error *error;

/** Writes, and checks the status, a part of the message, and how many bytes were taken. */
static void write_fails(fw_exec *exec, const char *bytes, size_t length, double timeout, fw_status status,
                        const char *part, size_t want)
{
    size_t taken = 12345;
    CHECK_FAILS(fw_exec_write(exec, bytes, length, timeout, &taken, &error), status, &error, part);
    CHECK_INT(taken, want);
    CHECK_INT(fw_exec_write(exec, bytes, length, timeout, NULL, NULL), status);
}

static void signal_fails(fw_exec *exec, int32_t number, fw_signal_target target, fw_status status, const char *part)
{
    CHECK_FAILS(fw_exec_signal(exec, number, target, &error), status, &error, part);
    CHECK_INT(fw_exec_signal(exec, number, target, NULL), status);
}

/** A step that reads nothing of the host: every call says what is missing, and the step goes on. */
static void without_host(void)
{
    int gate = gate_make("gate");
    fw_exec *exec = START(NULL, "read line < gate");
    write_fails(exec, "a", 1, 0, FW_E_INVALID, "stdin", 0);
    write_fails(exec, "a", 1, -1, FW_E_INVALID, "\"host\"", 0);
    CHECK_FAILS(fw_exec_close_input(exec, &error), FW_E_INVALID, &error, "\"host\"");
    CHECK_INT(fw_exec_close_input(exec, NULL), FW_E_INVALID);
    gate_pass(gate);
    fw_result *result = NULL;
    CHECK_OK(fw_exec_wait(exec, -1, &result, &error), &error);
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    fw_exec_free(exec);
    close(gate);
}

/** A workflow takes no input, whatever its steps read. */
static void of_a_workflow(void)
{
    int gate = gate_make("workflow");
    fw_exec *exec = workflow_start("{\"steps\": [" STEP("a", "read line < workflow") "]}", NULL, NULL, NULL);
    fw_event_free(event_wait_for(exec, FW_EVENT_COMMAND_STARTED));
    write_fails(exec, "a", 1, 0, FW_E_INVALID, "a workflow takes no input", 0);
    CHECK_FAILS(fw_exec_close_input(exec, &error), FW_E_INVALID, &error, "a workflow takes no input");
    gate_pass(gate);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    fw_exec_free(exec);
    close(gate);
}

static void arguments(void)
{
    fw_exec *exec = START("{\"stdin\": \"host\"}", "cat");
    size_t taken = 12345;
    write_fails(NULL, "a", 1, 0, FW_E_INVALID, "\"exec\"", 0);
    write_fails(exec, NULL, 1, 0, FW_E_INVALID, "\"bytes\"", 0);
    write_fails(exec, NULL, FW_ZERO_TERMINATED, 0, FW_E_INVALID, "\"bytes\"", 0);
    write_fails(exec, "a", 1, NAN, FW_E_INVALID, "\"timeout\"", 0);
    write_fails(exec, "a", SIZE_MAX - 1, 0, FW_E_INVALID, "\"bytes\"", 0);
    signal_fails(NULL, SIGTERM, FW_SIGNAL_MAIN, FW_E_INVALID, "\"exec\"");
    signal_fails(exec, SIGTERM, 0, FW_E_INVALID, "\"target\"");
    signal_fails(exec, SIGTERM, 3, FW_E_INVALID, "\"target\"");
    static const int32_t numbers[] = {0, -1, -SIGTERM, 65, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        signal_fails(exec, numbers[i], FW_SIGNAL_MAIN, FW_E_INVALID, "signal");
        signal_fails(exec, numbers[i], FW_SIGNAL_TREE, FW_E_INVALID, "signal");
    }
    CHECK_FAILS(fw_exec_close_input(NULL, &error), FW_E_INVALID, &error, "\"exec\"");

    /* None of these calls has changed anything. */
    CHECK_OK(fw_exec_write(exec, NULL, 0, 0, &taken, &error), &error);
    CHECK_INT(taken, 0);
    CHECK_OK(fw_exec_write(exec, "one ", FW_ZERO_TERMINATED, -1, &taken, &error), &error);
    CHECK_INT(taken, 4);
    CHECK_OK(fw_exec_write(exec, "two\0three", 9, -1, NULL, &error), &error);
    CHECK_OK(fw_exec_close_input(exec, &error), &error);
    CHECK_OK(fw_exec_close_input(exec, &error), &error);
    write_fails(exec, "four", 4, -1, FW_E_ENDED, "closed", 0);
    fw_result *result = NULL;
    CHECK_OK(fw_exec_wait(exec, -1, &result, &error), &error);
    CHECK_EXITED(result, 0);
    CHECK_BYTES(result, FW_STDOUT, 0, "one two\0three", 13);
    fw_result_free(result);
    fw_exec_free(exec);
}

static void after_the_end(void)
{
    fw_exec *exec = START("{\"stdin\": \"host\"}", "true");
    fw_result *result = NULL;
    CHECK_OK(fw_exec_wait(exec, -1, &result, &error), &error);
    write_fails(exec, "a", 1, -1, FW_E_ENDED, "", 0);
    write_fails(exec, "a", 1, 0, FW_E_ENDED, "", 0);
    signal_fails(exec, SIGTERM, FW_SIGNAL_MAIN, FW_E_ENDED, "");
    signal_fails(exec, SIGTERM, FW_SIGNAL_TREE, FW_E_ENDED, "");
    CHECK_OK(fw_exec_close_input(exec, &error), &error);
    fw_result_free(result);
    fw_exec_free(exec);
}

/** Nobody could write while a call waits for the end. */
static void runs_without_a_writer(void)
{
    fw_worker *worker = run_worker(NULL);
    fw_step *step = check_step("{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": [\"cat\"]},"
                               " \"stdin\": \"host\"}");
    fw_step *plain = run_step("s", (const char *const[]){"cat", NULL});
    fw_result *result = NULL;
    CHECK_FAILS(fw_worker_exec(worker, step, NULL, check_dir(), &result, &error), FW_E_INVALID, &error,
                "start the step");
    CHECK_FAILS(fw_worker_exec_with(worker, plain, NULL, check_dir(), "{\"stdin\": \"host\"}", FW_ZERO_TERMINATED,
                                    &result, &error),
                FW_E_INVALID, &error, "start the step");
    CHECK(result == NULL);
    CHECK_OK(fw_worker_exec_with(worker, step, NULL, check_dir(), "{\"stdin\": {\"text\": \"told\"}}",
                                 FW_ZERO_TERMINATED, &result, &error),
             &error);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "told");
    fw_result_free(result);
    fw_step_free(plain);
    fw_step_free(step);
    fw_worker_free(worker);
}

int main(void)
{
    without_host();
    of_a_workflow();
    arguments();
    after_the_end();
    runs_without_a_writer();
    return check_done();
}
