/* A cancelled step has the outcome FW_CANCELLED when all its processes are gone, including those in other sessions,
 * and starts nothing more. A second cancel, and a cancel after the end, change nothing. */
#include "events.h"

/** A command with two more processes; it prints the numbers of all three on one line. */
#define TREE "sleep 100000 & one=$$!; setsid sleep 100000 & echo $$$$ $$one $$!; wait"

static bool is_cancelled(const fw_result *result)
{
    bool good = CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    good &= CHECK(fw_result_returncode(result) != 0);
    good &= CHECK(fw_result_message(result) != NULL && strchr(fw_result_message(result), '\n') == NULL);
    json_t *json = run_json(result);
    good &= CHECK_STR(json_string_value(json_object_get(json, "outcome")), "cancelled");
    json_decref(json);
    return good;
}

/** Waits for the line of TREE. */
static void tree_of(fw_exec *exec, long pids[3])
{
    fw_event *event = event_wait_for(exec, FW_EVENT_OUTPUT);
    REQUIRE(sscanf(fw_event_data(event, NULL), "%ld %ld %ld", &pids[0], &pids[1], &pids[2]) == 3);
    fw_event_free(event);
}

static void all_of_it(void)
{
    long pids[3];
    fw_exec *exec = START("{\"retries\": {\"max\": 3}}", TREE, "echo never");
    tree_of(exec, pids);
    fw_exec_cancel(exec);
    fw_exec_cancel(exec);
    struct events all = events_of(exec);
    CHECK_SHAPE(&all, "0:ended step_ended"); /* no second command, no second attempt */
    fw_result *result = exec_result(exec);
    is_cancelled(result);
    CHECK_INT(fw_result_returncode(result), -SIGTERM);
    for (int i = 0; i < 3; i++)
        CHECK(!process_runs(pids[i]));
    json_t *json = event_json(all.list[1]);
    CHECK_STR(json_string_value(json_object_get(json, "outcome")), "cancelled");
    json_decref(json);
    json = event_json(all.list[0]);
    json_t *command = json_object_get(json, "result");
    CHECK_STR(json_string_value(json_object_get(command, "ended_by")), "TERM");
    CHECK_INT(json_integer_value(json_object_get(command, "survivors_count")), 2);
    CHECK(json_is_true(json_object_get(command, "is_ended")));
    json_decref(json);
    fw_result_free(result);
    events_free(&all);
    fw_exec_free(exec);
}

/** Nobody has taken an event before the cancel. */
static void at_once(void)
{
    fw_exec *exec = START(NULL, "sleep 100000", "echo never");
    fw_exec_cancel(exec);
    fw_result *result = exec_result(exec);
    is_cancelled(result);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    fw_result_free(result);
    fw_exec_free(exec);

    exec = START(NULL, "sleep 100000", "echo never");
    fw_exec_cancel(exec);
    struct events all = events_of(exec);
    REQUIRE(all.count >= 2);
    CHECK_INT(fw_event_kind(all.list[0]), FW_EVENT_STEP_STARTED);
    CHECK_INT(fw_event_kind(all.list[all.count - 1]), FW_EVENT_STEP_ENDED);
    for (size_t i = 1; i + 1 < all.count; i++)
        CHECK_INT(fw_event_command(all.list[i]), 0);
    events_free(&all);
    fw_exec_free(exec);
}

/** The command prints something when TERM comes, and exits with a status of its own. */
static void with_last_words(void)
{
    fw_exec *exec =
        START(NULL, "trap 'echo last; exit 0' TERM; echo ready; while :; do sleep 0.01; done", "echo never");
    fw_event_free(event_wait_for(exec, FW_EVENT_OUTPUT));
    fw_exec_cancel(exec);
    fw_result *result = exec_result(exec);
    is_cancelled(result); /* the returncode is not 0, although the command's is */
    CHECK_OUTPUT(result, FW_STDOUT, 0, "ready\nlast\n");
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
    fw_result_free(result);
    fw_exec_free(exec);
}

static void with_force(void)
{
    fw_exec *exec = START_WITH(json_pack("{s:{s:f}}", "options", "grace", 0.05), NULL,
                               "trap '' TERM; echo ready; while :; do :; done");
    fw_event *event = event_wait_for(exec, FW_EVENT_COMMAND_STARTED);
    long pid = event_pid(event);
    fw_event_free(event);
    fw_event_free(event_wait_for(exec, FW_EVENT_OUTPUT));
    fw_exec_cancel(exec);
    fw_result *result = exec_result(exec);
    is_cancelled(result);
    CHECK_INT(fw_result_returncode(result), -SIGKILL);
    CHECK(!process_runs(pid));
    fw_result_free(result);
    fw_exec_free(exec);
}

/** A cancel after the end does not change the result. */
static void after_the_end(void)
{
    fw_exec *exec = START(NULL, "echo done; exit 3");
    struct events all = events_of(exec);
    events_free(&all);
    fw_exec_cancel(exec);
    fw_exec_cancel(exec);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 3);
    fw_result_free(result);
    fw_exec_cancel(exec);
    result = exec_result(exec);
    CHECK_EXITED(result, 3);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "done\n");
    CHECK(event_next(exec, -1) == NULL);
    fw_result_free(result);
    fw_exec_free(exec);
}

/** A cancelled step does not affect the next one. */
static void and_then_another(void)
{
    fw_result *result = RUN("echo again");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "again\n");
    fw_result_free(result);
}

int main(void)
{
    all_of_it();
    at_once();
    with_last_words();
    with_force();
    after_the_end();
    and_then_another();
    return check_done();
}
