/* The events of all attempts are one sequence. Each has the number of its attempt, and between two attempts one event
 * says why the first one failed. */
#include "events.h"

static void says_why(int attempt, json_t *json)
{
    CHECK_STR(json_string_value(json_object_get(json, "event")), "retry");
    CHECK(json_is_null(json_object_get(json, "command")));
    CHECK_STR(json_string_value(json_object_get(json, "outcome")), attempt == 1 ? "exited" : "signaled");
    CHECK_INT(json_integer_value(json_object_get(json, "returncode")), attempt == 1 ? 9 : -15);
    CHECK_HAS(json_string_value(json_object_get(json, "message")), "command 2 of 2");
    CHECK(json_number_value(json_object_get(json, "delay")) == (attempt == 1 ? 0.02 : 0.04));
    CHECK_INT(json_object_size(json), 10);
}

int main(void)
{
    json_t *members = json_pack("{s:{s:{s:i, s:f}}}", "options", "retries", "max", 5, "delay", 0.02);
    fw_exec *exec = START_WITH(members, NULL, "echo x >> tries; echo $$(($$(wc -l < tries)))",
                               "n=$$(wc -l < tries); if test $$n -eq 1; then exit 9; fi;"
                               " if test $$n -eq 2; then kill -15 $$$$; fi");
    struct events all = events_of(exec);
    CHECK_SHAPE(&all, "step_started 0:started 0:output 0:ended 1:started 1:ended retry"
                      " 0:started 0:output 0:ended 1:started 1:ended retry"
                      " 0:started 0:output 0:ended 1:started 1:ended step_ended");
    CHECK_INT(check_attempts(&all, says_why), 3);
    for (size_t i = 0; i < all.count; i++) {
        const fw_event *event = all.list[i];
        if (fw_event_kind(event) == FW_EVENT_RETRY)
            CHECK(fw_event_data(event, NULL) == NULL);
        if (fw_event_kind(event) != FW_EVENT_OUTPUT)
            continue;
        char want[16];
        snprintf(want, sizeof want, "%d\n", fw_event_attempt(event));
        CHECK_EVENT(event, FW_STDOUT, want);
    }
    events_free(&all);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    fw_exec_free(exec);
    return check_done();
}
