/*
 * fw_exec_cancel() ends a step in the same way as a timeout, and the outcome is `cancelled` however the command ends.
 * The output up to then is in the result, no further command starts, and a step that has already ended keeps its
 * result. The call does not wait; any thread may make it, any number of times.
 */
#include "descendants.h"

#include <pthread.h>

static json_t *grace(double seconds)
{
    return json_pack("{s:{s:f}}", "options", "grace", seconds);
}

/** Starts a step, cancels it as soon as the step has made its file, and returns the result. */
static fw_result *cancel(double seconds, const char *command)
{
    remove_file("there");
    fw_exec *exec = BEGIN_WITH(grace(seconds), command, ": > never");
    while (!has_file("there"))
        a_moment();
    fw_exec_cancel(exec);
    fw_result *result = finish_step(exec);
    CHECK_NOBODY();
    CHECK(!has_file("never"));
    return result;
}

static void one_that_obeys(void)
{
    fw_result *result = cancel(1000, "echo out; echo err >&2; : > there; exec sleep 100000");
    CHECK_ENDED(result, FW_CANCELLED, "TERM");
    CHECK_INT(fw_result_returncode(result), -SIGTERM);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "out\n");
    CHECK_OUTPUT(result, FW_STDERR, 0, "err\n");
    json_t *all = run_json(result);
    CHECK_STR(json_string_value(json_object_get(all, "outcome")), "cancelled");
    CHECK_INT(json_array_size(json_object_get(all, "commands")), 1);
    json_decref(all);
    fw_result_free(result);
}

static void one_that_ignores(void)
{
    fw_result *result = cancel(0.2, "trap '' TERM; echo out; : > there; while :; do sleep 0.01; done");
    CHECK_ENDED(result, FW_CANCELLED, "KILL");
    CHECK_INT(fw_result_returncode(result), -SIGKILL);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "out\n");
    fw_result_free(result);
}

static void one_that_says_success(void)
{
    fw_result *result = cancel(1000, "trap 'echo bye; exit 0' TERM; : > there; while :; do sleep 0.01; done");
    CHECK_ENDED(result, FW_CANCELLED, "TERM");
    CHECK_OUTPUT(result, FW_STDOUT, 0, "bye\n");
    fw_result_free(result);
}

/** A cancel right after the start works in whatever state the step is. */
static void at_once(void)
{
    for (int i = 0; i < 20; i++) {
        fw_exec *exec = BEGIN_WITH(grace(1000), "exec sleep 100000");
        fw_exec_cancel(exec);
        fw_exec_cancel(exec);
        fw_result *result = finish_step(exec);
        CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
        CHECK(fw_result_returncode(result) != 0);
        CHECK_NOBODY();
        fw_result_free(result);
    }
}

static void between_commands(void)
{
    remove_file("pid");
    fw_exec *exec = BEGIN("echo $$$$ > pid", ": > never");
    /* The first command has ended, but nobody has waited since, so the second one has not started. */
    long pid = wait_for_pid("pid");
    while (lives(pid))
        a_moment();
    fw_exec_cancel(exec);
    fw_result *result = finish_step(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    CHECK(fw_result_returncode(result) != 0);
    CHECK(!has_file("never"));
    CHECK_INT(run_command_int(result, 0, "exit_code"), 0);
    fw_result_free(result);
}

static void after_the_end(void)
{
    fw_exec *exec = BEGIN("exit 6");
    fw_result *first = NULL;
    CHECK_INT(fw_exec_wait(exec, -1, &first, NULL), FW_OK);
    fw_exec_cancel(exec);
    CHECK_EXITED(first, 6);
    fw_result_free(first);
    fw_result *second = finish_step(exec);
    CHECK_EXITED(second, 6);
    fw_result_free(second);
    fw_exec_cancel(NULL);
}

static void *cancel_it(void *exec)
{
    while (!has_file("there"))
        a_moment();
    fw_exec_cancel(exec);
    return NULL;
}

static void while_another_waits(void)
{
    remove_file("there");
    fw_exec *exec = BEGIN_WITH(grace(1000), ": > there; exec sleep 100000");
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, cancel_it, exec) == 0);
    fw_result *result = NULL;
    CHECK_INT(fw_exec_wait(exec, -1, &result, NULL), FW_OK);
    pthread_join(thread, NULL);
    CHECK_ENDED(result, FW_CANCELLED, "TERM");
    fw_result_free(result);
    fw_exec_free(exec);
}

int main(void)
{
    mark_commands();
    one_that_obeys();
    one_that_ignores();
    one_that_says_success();
    at_once();
    between_commands();
    after_the_end();
    while_another_waits();
    end_marked();
    return check_done();
}
