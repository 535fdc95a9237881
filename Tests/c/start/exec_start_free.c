/* An exec may be freed at any time. This cancels a running step: all its processes end although nobody waits for
 * them, and its descriptors are closed. */
#include "events.h"

static char *pid_path;

/** The number that a command has written to its file `pid`. */
static long written_pid(void)
{
    char *text = wait_for_line(pid_path);
    long pid = atol(text);
    free(text);
    unlink(pid_path);
    REQUIRE(pid > 1);
    return pid;
}

/** Writes both streams without an end. */
#define WRITES "yes >&2 & yes"

static void right_after_the_start(void)
{
    fw_exec *exec = START(NULL, "echo $$$$ > pid; exec sleep 100000", "echo never > second");
    long pid = written_pid();
    fw_exec_free(exec);
    wait_until_gone(pid);
    char *second = check_path("second");
    CHECK(access(second, F_OK) != 0);
    free(second);

    /* The exec may also be freed so early that the command has not written anything. */
    for (int i = 0; i < 20; i++)
        fw_exec_free(START(NULL, "sleep 100000"));
    wait_until_deserted();
}

static void whoever_belongs_to_it(void)
{
    fw_exec *exec = START(NULL, "setsid sleep 100000 & echo $$!; sleep 100000 & echo $$! > pid; wait");
    event_skip(exec, FW_EVENT_STEP_STARTED);
    fw_event *event = event_expect(exec, FW_EVENT_COMMAND_STARTED);
    long main = event_pid(event), own_session, other = written_pid();
    fw_event_free(event);
    event = event_expect(exec, FW_EVENT_OUTPUT);
    REQUIRE(sscanf(fw_event_data(event, NULL), "%ld", &own_session) == 1);
    fw_event_free(event);
    fw_exec_free(exec);
    wait_until_gone(main);
    wait_until_gone(other);
    wait_until_gone(own_session);
}

static void whoever_ignores_it(void)
{
    fw_exec *exec = START_WITH(json_pack("{s:{s:f}}", "options", "grace", 0.05), NULL,
                               "trap '' TERM; echo $$$$ > pid; while :; do :; done");
    long pid = written_pid();
    fw_exec_free(exec);
    wait_until_gone(pid);
}

static void in_the_middle_of_output(const char *options)
{
    fw_exec *exec = START(options, "echo $$$$ > pid; " WRITES);
    for (int i = 0; i < 20; i++)
        fw_event_free(event_next(exec, -1));
    long pid = written_pid();
    fw_exec_free(exec);
    wait_until_gone(pid);

    /* An exec of which nothing has been taken may be freed. */
    exec = START(options, "echo $$$$ > pid; " WRITES);
    pid = written_pid();
    fw_exec_free(exec);
    wait_until_gone(pid);
}

static void after_a_cancel(void)
{
    fw_exec *exec = START(NULL, "trap 'sleep 0.1; exit' TERM; echo $$$$ > pid; while :; do sleep 0.01; done");
    long pid = written_pid();
    fw_exec_cancel(exec);
    fw_exec_free(exec);
    wait_until_gone(pid);
}

static void at_the_end(void)
{
    fw_exec *exec = START(NULL, "echo out"); /* all events taken */
    struct events all = events_of(exec);
    fw_exec_free(exec);
    CHECK_SHAPE(&all, "step_started 0:started 0:output 0:ended step_ended");
    events_free(&all);

    exec = START(NULL, "echo out", "echo out"); /* none taken, the result was */
    fw_result *result = exec_result(exec);
    fw_exec_free(exec);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "out\n");
    fw_result_free(result);

    exec = START(NULL, "echo out"); /* all events but the last taken */
    fw_event_free(event_wait_for(exec, FW_EVENT_COMMAND_ENDED));
    fw_exec_free(exec);

    exec = START(NULL, "echo out; echo $$$$ > pid"); /* the step has ended, and nobody has looked */
    wait_until_gone(written_pid());
    fw_exec_free(exec);
}

int main(void)
{
    pid_path = check_path("pid");
    int before = open_descriptors();
    right_after_the_start();
    whoever_belongs_to_it();
    whoever_ignores_it();
    in_the_middle_of_output(NULL);
    in_the_middle_of_output("{\"events\": \"lines\"}");
    after_a_cancel();
    at_the_end();
    wait_until_deserted();
    /* The library keeps two descriptors for the supervisor, and one for each of at most 16 idle monitors. */
    int more = open_descriptors() - before;
    if (!CHECK(more <= 18))
        fprintf(stderr, "    %d more descriptors are open\n", more);
    fw_result *result = RUN("echo again");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    free(pid_path);
    return check_done();
}
