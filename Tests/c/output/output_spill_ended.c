/* The spill file of a command that was ended by a timeout, a cancel or a signal has everything that the command wrote
 * before. */
#include "events.h"

static char *place;

static json_t *spills(double timeout)
{
    json_t *options = json_pack("{s:s, s:i}", "spill", place, "output_limit", 100);
    if (timeout > 0)
        json_object_set_new(options, "timeout", json_real(timeout));
    return json_pack("{s:o}", "options", options);
}

static const char *sequence; /* the output of seq 20000 */
static size_t sequence_length;

/** The file has the first `length` bytes of the sequence. */
static void has(fw_result *result, fw_outcome outcome, size_t length)
{
    CHECK_INT(fw_result_outcome(result), outcome);
    CHECK_INT(run_command_int(result, 0, "stdout_bytes"), length);
    json_t *file = run_command_member(result, 0, "stdout_file");
    char *text = json_is_string(file) ? read_file(json_string_value(file)) : NULL;
    if (CHECK(text != NULL))
        CHECK(strlen(text) == length && strncmp(text, sequence, length) == 0);
    free(text);
    json_decref(file);
    json_t *error = run_command_member(result, 0, "spill_error");
    CHECK(json_is_null(error));
    json_decref(error);
    fw_result_free(result);
}

static void cancelled(void)
{
    fw_exec *exec = START_WITH(spills(0), NULL, "seq 20000; exec sleep 600");
    for (size_t seen = 0, length = 0; seen < sequence_length; seen += length) {
        fw_event *event = event_wait_for(exec, FW_EVENT_OUTPUT);
        fw_event_data(event, &length);
        fw_event_free(event);
    }
    fw_exec_cancel(exec);
    has(exec_result(exec), FW_CANCELLED, sequence_length);
    fw_exec_free(exec);
}

static void signaled(void)
{
    has(RUN_WITH(spills(0), "seq 20000; kill -9 $$$$"), FW_SIGNALED, sequence_length);
}

/** The file ends wherever the command was ended. */
static void timed_out(void)
{
    fw_result *result = RUN_WITH(spills(0.5), "seq 20000; exec sleep 600");
    json_int_t written = run_command_int(result, 0, "stdout_bytes");
    CHECK(written >= 0 && (size_t)written <= sequence_length);
    has(result, FW_TIMEOUT, (size_t)written);
}

int main(void)
{
    place = check_path("spill");
    REQUIRE(mkdir(place, 0700) == 0);
    fw_result *whole = RUN("seq 20000");
    sequence = fw_result_output(whole, FW_STDOUT, 0, &sequence_length);
    REQUIRE(sequence != NULL && sequence_length == 108894);
    cancelled();
    signaled();
    timed_out();
    fw_result_free(whole);
    free(place);
    return check_done();
}
