/* fw_exec_wait() discards the events that arrive while it waits. Later events can be taken, with a gap in the
 * numbers; after the result there are none. */
#include "events.h"

/** The next events, of the third command, up to the one that it ends. */
static void after_the_gap(fw_exec *exec)
{
    uint64_t last = 0;
    bool two = false;
    for (int32_t kind = 0; kind != FW_EVENT_COMMAND_ENDED;) {
        fw_event *event = event_next(exec, -1);
        REQUIRE(event != NULL);
        kind = fw_event_kind(event);
        uint64_t sequence = fw_event_sequence(event);
        if (last == 0)
            CHECK(sequence > 5); /* two commands have started and ended */
        else
            CHECK_INT(sequence, last + 1);
        last = sequence;
        CHECK_INT(fw_event_command(event), 2);
        if (kind == FW_EVENT_OUTPUT)
            two = strstr(fw_event_data(event, NULL), "two\n") != NULL;
        fw_event_free(event);
    }
    CHECK(two);
}

int main(void)
{
    int gate = gate_make("gate");
    fw_exec *exec = START(NULL, "echo zero", "true", "echo one; : > spoken; read line < gate; echo two", "echo three");
    event_skip(exec, FW_EVENT_STEP_STARTED);
    char *spoken = check_path("spoken");
    while (access(spoken, F_OK) != 0) {
        fw_result *none = NULL;
        CHECK_INT(fw_exec_wait(exec, 0.01, &none, NULL), FW_OK);
        REQUIRE(none == NULL);
    }
    gate_pass(gate);
    after_the_gap(exec);

    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "zero\n"); /* nothing is missing in the result */
    CHECK_OUTPUT(result, FW_STDOUT, 1, "one\ntwo\n");
    CHECK_OUTPUT(result, FW_STDOUT, 2, "three\n");
    fw_result_free(result);
    CHECK(event_next(exec, 0) == NULL);
    CHECK(event_next(exec, -1) == NULL);
    fw_exec_free(exec);
    free(spoken);
    close(gate);
    return check_done();
}
