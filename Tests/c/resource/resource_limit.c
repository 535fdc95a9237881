/*
 * A worker with a limit runs so many steps at once, and the others wait without having begun: their timeouts do not
 * count yet, they can be cancelled and freed at once, and their descriptor wakes the host when it is their turn.
 */
#include "resource.h"

#include <pthread.h>

static fw_worker *limited(int limit)
{
    return run_worker(json_pack("{s:{s:i}}", "options", "limit", limit));
}

static double member_of(const fw_result *result, const char *key)
{
    json_t *json = run_json(result);
    double value = json_number_value(json_object_get(json, key));
    json_decref(json);
    return value;
}

/** The second step begins after the end of the first, and says so in its events and in its result. */
static void one_after_the_other(int gate)
{
    fw_worker *worker = limited(1);
    fw_exec *first = start_taking(worker, "", "read line < gate", NULL);
    event_skip(first, FW_EVENT_STEP_STARTED);
    fw_exec *second = start_taking(worker, "", "echo second", NULL);
    int fd = fw_exec_fd(second);
    REQUIRE(fd >= 0);
    check_queued(second);
    CHECK(!fd_readable(fd));
    gate_pass(gate);
    fw_result *result = exec_result(first);
    double end = member_of(result, "started") + member_of(result, "duration");
    fw_result_free(result);
    fw_exec_free(first);
    fd_wait(fd);
    struct events all = events_of(second);
    CHECK_SHAPE(&all, "step_started 0:started 0:output 0:ended step_ended");
    CHECK_INT(fw_event_sequence(all.list[0]), 1);
    events_free(&all);
    result = exec_result(second);
    CHECK_EXITED(result, 0);
    /* Both clocks are those of this machine, and are read one after the other. */
    CHECK(member_of(result, "started") >= end - 0.001);
    fw_result_free(result);
    fw_exec_free(second);
    fw_worker_free(worker);
}

/** The limit is not that of one step less or more. */
static void as_many_as_the_limit(int gate)
{
    fw_worker *worker = limited(3);
    fw_exec *running[3];
    for (int i = 0; i < 3; i++) {
        running[i] = start_taking(worker, "", "read line < gate", NULL);
        event_skip(running[i], FW_EVENT_STEP_STARTED);
    }
    fw_exec *waiting = start_taking(worker, "", "echo done", NULL);
    check_queued(waiting);
    for (int i = 0; i < 3; i++)
        gate_pass(gate);
    for (int i = 0; i < 3; i++)
        exec_end(running[i]);
    check_writes(waiting, "done\n");
    fw_worker_free(worker);
}

/** The time in the queue is not a part of the timeout: a step whose timeout is shorter than its wait succeeds. */
static void timeout_begins_with_the_step(int gate)
{
    fw_worker *worker = limited(1);
    fw_exec *first = start_taking(worker, "", "read line < gate", NULL);
    event_skip(first, FW_EVENT_STEP_STARTED);
    fw_exec *second = start_taking(worker, "", "read line < gate", "{\"timeout\": 0.2}");
    CHECK(event_next(second, 0.5) == NULL);
    CHECK(exec_runs(second));
    gate_pass(gate);
    exec_end(first);
    /* It has its whole time now, and uses it up. */
    fw_result *result = exec_result(second);
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    fw_result_free(result);
    fw_exec_free(second);
    fw_worker_free(worker);
}

/** A step in the queue has nothing to end, so a cancel ends it at once, and it leaves its turn to the next. */
static void cancelled_in_the_queue(int gate, bool with_descriptor)
{
    fw_worker *worker = limited(1);
    fw_exec *first = start_taking(worker, "", "read line < gate", NULL);
    event_skip(first, FW_EVENT_STEP_STARTED);
    fw_exec *second = start_taking(worker, "", "echo second > second", NULL);
    fw_exec *third = start_taking(worker, "", "echo third", NULL);
    check_queued(second);
    int fd = with_descriptor ? fw_exec_fd(second) : -1;
    fw_exec_cancel(second);
    if (with_descriptor)
        fd_wait(fd);
    struct events all = events_of(second);
    CHECK_SHAPE(&all, "step_ended");
    events_free(&all);
    fw_result *result = exec_result(second);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK_STR(fw_result_message(result),
              "step \"s\" was cancelled before it started, while it waited for its worker or for resources");
    fw_result_free(result);
    fw_exec_free(second);
    check_queued(third);
    gate_pass(gate);
    exec_end(first);
    check_writes(third, "third\n");
    CHECK(!has_file("second"));
    fw_worker_free(worker);
}

/** A step that is freed in the queue never runs. One that is freed while it runs gives its place back. */
static void freed(int gate)
{
    fw_worker *worker = limited(1);
    fw_exec *first = start_taking(worker, "", "read line < gate", NULL);
    event_skip(first, FW_EVENT_STEP_STARTED);
    fw_exec *second = start_taking(worker, "", "echo second > second", NULL);
    fw_exec *third = start_taking(worker, "", "echo third", NULL);
    fw_exec_free(second);
    check_queued(third);
    fw_exec_free(first);
    check_writes(third, "third\n");
    CHECK(!has_file("second"));
    wait_until_deserted();
    (void)gate;
    fw_worker_free(worker);
}

/** A step that nobody drives while it has its turn does not stop those behind it. */
static void left_alone(int gate)
{
    fw_worker *worker = limited(1);
    fw_exec *first = start_taking(worker, "", "read line < gate", NULL);
    event_skip(first, FW_EVENT_STEP_STARTED);
    fw_exec *second = start_taking(worker, "", "echo second", NULL);
    fw_exec *third = start_taking(worker, "", "echo third", NULL);
    gate_pass(gate);
    exec_end(first);
    check_writes(third, "third\n");
    check_writes(second, "second\n");
    fw_worker_free(worker);
}

/** A call that blocks waits in the queue as well. */
static void *run_and_report(void *argument)
{
    fw_step *step = taking("", "echo blocked");
    fw_result *result = run_exec(argument, step, NULL, check_dir());
    fw_step_free(step);
    return result;
}

static void in_another_thread(int gate)
{
    fw_worker *worker = limited(1);
    fw_exec *first = start_taking(worker, "", "read line < gate", NULL);
    event_skip(first, FW_EVENT_STEP_STARTED);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, run_and_report, worker) == 0);
    gate_pass(gate);
    exec_end(first);
    void *result = NULL;
    REQUIRE(pthread_join(thread, &result) == 0);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "blocked\n");
    fw_result_free(result);
    fw_worker_free(worker);
}

/** A step in the queue has no process that could get a signal, and no room for input. */
static void signals_and_input(int gate)
{
    fw_worker *worker = limited(1);
    fw_exec *first = start_taking(worker, "", "read line < gate", NULL);
    event_skip(first, FW_EVENT_STEP_STARTED);
    fw_exec *second = start_taking(worker, "\"stdin\": \"host\", ", "cat", NULL);
    fw_error *error = NULL;
    CHECK_FAILS(fw_exec_signal(second, SIGTERM, FW_SIGNAL_MAIN, &error), FW_E_ENDED, &error,
                "no command of the step is running");
    size_t taken = 9;
    CHECK_OK(fw_exec_write(second, "early", 5, 0, &taken, &error), &error);
    CHECK_INT(taken, 0);
    gate_pass(gate);
    exec_end(first);
    CHECK_OK(fw_exec_write(second, "late", 4, -1, &taken, &error), &error);
    CHECK_INT(taken, 4);
    CHECK_OK(fw_exec_close_input(second, &error), &error);
    check_writes(second, "late");
    fw_worker_free(worker);
}

int main(void)
{
    int gate = gate_make("gate");
    one_after_the_other(gate);
    as_many_as_the_limit(gate);
    timeout_begins_with_the_step(gate);
    cancelled_in_the_queue(gate, false);
    cancelled_in_the_queue(gate, true);
    freed(gate);
    left_alone(gate);
    in_another_thread(gate);
    signals_and_input(gate);
    close(gate);
    return check_done();
}
