/* fw_exec_wait() returns the result of an ended step at every call, equal to that of fw_worker_exec(), whether the
 * events were taken before or not. */
#include "events.h"

/** Returns the JSON of a result without the values that differ from run to run; json_decref() it. */
static json_t *comparable(const fw_result *result)
{
    json_t *json = run_json(result);
    json_object_del(json, "started");
    json_object_del(json, "duration");
    size_t index;
    json_t *command;
    json_array_foreach(json_object_get(json, "commands"), index, command) {
        static const char *const keys[] = {"pid", "started", "duration", "user_time", "system_time", "peak_memory"};
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            json_object_del(command, keys[i]);
    }
    return json;
}

/** The two results are equal, and each is freed separately. */
static void twice(fw_exec *exec)
{
    fw_result *first = exec_result(exec), *second = exec_result(exec);
    json_t *json = run_json(first);
    json_t *again = run_json(second);
    CHECK_JSON(again, json);
    json_decref(again);
    fw_result_free(first);
    CHECK_OUTPUT(second, FW_STDOUT, 0, "out\n");
    CHECK_OUTPUT(second, FW_STDERR, 0, "err\n");
    CHECK_EXITED(second, 5);
    fw_result *none = NULL;
    CHECK_INT(fw_exec_wait(exec, 0, &none, NULL), FW_OK); /* now without waiting */
    CHECK_EXITED(none, 5);
    fw_result_free(none);
    fw_exec_free(exec);
    CHECK_OUTPUT(second, FW_STDOUT, 0, "out\n");
    fw_result_free(second);
}

int main(void)
{
#define COMMANDS "echo out; echo err >&2", "exit 5", "echo never"
    twice(START(NULL, COMMANDS));
    twice(START("{\"events\": \"none\"}", COMMANDS));
    fw_exec *exec = START(NULL, COMMANDS);
    struct events all = events_of(exec);
    events_free(&all);
    twice(exec);

    exec = START(NULL, COMMANDS);
    fw_result *started = exec_result(exec), *run = RUN(COMMANDS);
    json_t *one = comparable(started);
    json_t *other = comparable(run);
    CHECK_JSON(other, one);
    CHECK(json_object_size(other) >= 11);
    json_decref(other);
    fw_result_free(run);
    fw_result_free(started);
    fw_exec_free(exec);
    return check_done();
}
