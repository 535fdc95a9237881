/* Each kind of event has the name that its JSON has, and no other number has a name. */
#include "events.h"

int main(void)
{
    static const char *const names[] = {
        [FW_EVENT_STEP_STARTED] = "step_started",
        [FW_EVENT_COMMAND_STARTED] = "command_started",
        [FW_EVENT_OUTPUT] = "output",
        [FW_EVENT_COMMAND_ENDED] = "command_ended",
        [FW_EVENT_RETRY] = "retry",
        [FW_EVENT_STEP_ENDED] = "step_ended",
        [FW_EVENT_PROGRESS] = "progress",
        [FW_EVENT_RUN_STARTED] = "run_started",
        [FW_EVENT_RUN_ENDED] = "run_ended",
        [FW_EVENT_FILE_COPIED] = "file_copied",
        [FW_EVENT_STEP_RESTORED] = "step_restored",
    };
    int32_t count = (int32_t)(sizeof names / sizeof names[0]);
    for (int32_t kind = -300; kind < 300; kind++)
        CHECK_STR(fw_event_kind_name(kind), kind >= 0 && kind < count ? names[kind] : NULL);
    CHECK(fw_event_kind_name(INT32_MAX) == NULL && fw_event_kind_name(INT32_MIN) == NULL);

    fw_exec *exec = START("{\"retries\": {\"max\": 1, \"delay\": 0}}", "echo a; exit 1");
    struct events all = events_of(exec);
    CHECK(all.count > 6);
    for (size_t i = 0; i < all.count; i++) {
        json_t *json = event_json(all.list[i]);
        CHECK_STR(fw_event_kind_name(fw_event_kind(all.list[i])), json_string_value(json_object_get(json, "event")));
        json_decref(json);
    }
    events_free(&all);
    fw_exec_free(exec);
    return check_done();
}
