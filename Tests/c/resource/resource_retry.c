/*
 * A step that waits for its next attempt has given everything back, and takes it again before the attempt begins.
 */
#include "resource.h"

/** The worker's one place is free in the pause, and the step waits for it if another has it then. */
static void in_the_pause(int gate, bool is_cancelled)
{
    fw_worker *worker = run_worker(json_pack("{s:{s:i}}", "options", "limit", 1));
    fw_exec *first = start_taking(worker, "\"retries\": {\"max\": 1, \"delay\": 0.5}, ",
                                  "echo x >> tries; test -s other || exit 3; echo again", NULL);
    fw_event_free(event_wait_for(first, FW_EVENT_RETRY));
    fw_exec *other = start_taking(worker, "", "echo other > other; read line < gate", NULL);
    event_skip(other, FW_EVENT_STEP_STARTED);
    event_skip(other, FW_EVENT_COMMAND_STARTED);
    /* The pause is over, and the place is not free. */
    CHECK(event_next(first, 1.5) == NULL);
    CHECK(exec_runs(first));
    if (is_cancelled) {
        fw_exec_cancel(first);
        struct events all = events_of(first);
        CHECK_SHAPE(&all, "step_ended");
        events_free(&all);
    }
    gate_pass(gate);
    exec_end(other);
    fw_result *result = exec_result(first);
    if (is_cancelled) {
        CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
        CHECK_HAS(fw_result_message(result), "was cancelled before the next attempt; the previous attempt failed:");
    } else {
        CHECK_EXITED(result, 0);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "again\n");
    }
    fw_result_free(result);
    fw_exec_free(first);
    remove_file("other");
    remove_file("tries");
    fw_worker_free(worker);
}

/** Each attempt has the ids that are free when it begins. */
static void other_ids(int gate)
{
    fw_pool *pool = check_pool("{\"resources\": {\"gpu\": {\"ids\": [\"a\", \"b\"], \"variable\": \"GPU\"}}}");
    const fw_worker *worker = worker_of(pool);
    fw_exec *first = start_taking(worker, "\"resources\": {\"gpu\": 1}, \"retries\": {\"max\": 1, \"delay\": 0.5}, ",
                                  "echo $$GPU; echo $$GPU >> ids; test $$(wc -l < ids) -ge 2", NULL);
    fw_event_free(event_wait_for(first, FW_EVENT_RETRY));
    fw_exec *other = start_taking(worker, "\"resources\": {\"gpu\": 1}, ", "echo $$GPU; read line < gate", NULL);
    fw_event *event = event_wait_for(other, FW_EVENT_OUTPUT);
    CHECK_EVENT(event, FW_STDOUT, "a\n");
    fw_event_free(event);
    check_writes(first, "b\n");
    char *path = check_path("ids"), *text = read_file(path);
    CHECK_STR(text, "a\nb\n");
    free(text);
    free(path);
    gate_pass(gate);
    exec_end(other);
    fw_pool_free(pool);
}

int main(void)
{
    int gate = gate_make("gate");
    in_the_pause(gate, false);
    in_the_pause(gate, true);
    other_ids(gate);
    close(gate);
    return check_done();
}
