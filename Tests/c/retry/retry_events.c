/* The events of all attempts are one row: each has the number of its attempt, and between two
 * attempts there is one that says why the first of them failed. */
#include "events.h"

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
    int32_t attempt = 1;
    int retries = 0;
    for (size_t i = 0; i < all.count; i++) {
        const fw_event *event = all.list[i];
        CHECK_INT(fw_event_sequence(event), i + 1);
        CHECK_INT(fw_event_attempt(event), attempt);
        if (fw_event_kind(event) == FW_EVENT_OUTPUT) {
            char want[16];
            snprintf(want, sizeof want, "%d\n", attempt);
            CHECK_EVENT(event, FW_STDOUT, want);
        }
        if (fw_event_kind(event) != FW_EVENT_RETRY)
            continue;
        CHECK_INT(fw_event_command(event), -1);
        CHECK(fw_event_data(event, NULL) == NULL);
        json_t *json = event_json(event);
        CHECK_STR(json_string_value(json_object_get(json, "event")), "retry");
        CHECK_INT(json_integer_value(json_object_get(json, "attempt")), attempt);
        CHECK(json_is_null(json_object_get(json, "command")));
        CHECK_STR(json_string_value(json_object_get(json, "outcome")), retries == 0 ? "exited" : "signaled");
        CHECK_INT(json_integer_value(json_object_get(json, "returncode")), retries == 0 ? 9 : -15);
        CHECK_HAS(json_string_value(json_object_get(json, "message")), "command 2 of 2");
        CHECK(json_number_value(json_object_get(json, "delay")) == (retries == 0 ? 0.02 : 0.04));
        CHECK_INT(json_object_size(json), 9);
        json_decref(json);
        retries++;
        attempt++;
    }
    CHECK_INT(retries, 2);
    events_free(&all);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    fw_exec_free(exec);
    return check_done();
}
