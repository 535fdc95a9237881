/* An event stays valid until it is freed, whatever happens to its exec and to other events, and in every thread. Its
 * functions return the same values at each call. */
#include "events.h"
#include "threads.h"

static fw_event *kept;

static void look(int number)
{
    (void)number;
    CHECK_EVENT(kept, FW_STDOUT, "hello\n");
    CHECK_INT(fw_event_command(kept), 0);
    json_t *json = event_json(kept);
    CHECK_STR(json_string_value(json_object_get(json, "data")), "hello\n");
    json_decref(json);
}

int main(void)
{
    fw_exec *exec = START(NULL, "echo hello", "sleep 1000");
    fw_event *first = event_expect(exec, FW_EVENT_STEP_STARTED);
    kept = event_wait_for(exec, FW_EVENT_OUTPUT);
    fw_event *later = event_wait_for(exec, FW_EVENT_COMMAND_STARTED);
    CHECK(fw_event_data(kept, NULL) == fw_event_data(kept, NULL));
    fw_event_free(first);
    fw_exec_free(exec);
    fw_event_free(later);
    in_threads(look);
    fw_event_free(kept);
    wait_until_deserted();
    return check_done();
}
