/* With `events` `text`, a character of several bytes is never split between two events, however it was written: it
 * arrives with its last byte. Streams and commands are decoded independently. */
#include "events.h"

#define TEXT "{\"events\": \"text\"}"
#define REPLACED "\xEF\xBF\xBD"

/** The next event is this output. */
static void gives(fw_exec *exec, fw_stream stream, const char *want)
{
    fw_event *event = event_next(exec, -1);
    CHECK_EVENT(event, stream, want);
    fw_event_free(event);
}

/** The command writes the second part of the character only after the event of the first. */
static void in_two_writes(void)
{
    int gate = gate_make("gate");
    const char *const commands[] = {
        "printf 'a\\303'; read line < gate; printf '\\251b'",
        "printf 'a\\342'; read line < gate; printf '\\202\\254b'",
        "printf 'a\\360\\237'; read line < gate; printf '\\230\\200b'",
        "printf 'a\\360\\237\\230'; read line < gate; printf '\\200b'",
    };
    const char *const whole[] = {"\xC3\xA9"
                                 "b",
                                 "\xE2\x82\xAC"
                                 "b",
                                 "\xF0\x9F\x98\x80"
                                 "b",
                                 "\xF0\x9F\x98\x80"
                                 "b"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        fw_exec *exec = START(TEXT, commands[i]);
        event_skip(exec, FW_EVENT_STEP_STARTED);
        event_skip(exec, FW_EVENT_COMMAND_STARTED);
        gives(exec, FW_STDOUT, "a");
        gate_pass(gate);
        gives(exec, FW_STDOUT, whole[i]);
        event_skip(exec, FW_EVENT_COMMAND_ENDED);
        event_skip(exec, FW_EVENT_STEP_ENDED);
        fw_exec_free(exec);
    }

    /* Each byte is written by itself, and there is no event before the last byte. */
    fw_exec *exec = START(TEXT, "printf '\\360' ; printf x >&2; read line < gate;"
                                "printf '\\237'; printf x >&2; read line < gate;"
                                "printf '\\230'; printf x >&2; read line < gate; printf '\\200'");
    event_skip(exec, FW_EVENT_STEP_STARTED);
    event_skip(exec, FW_EVENT_COMMAND_STARTED);
    for (int i = 0; i < 3; i++) {
        gives(exec, FW_STDERR, "x");
        gate_pass(gate);
    }
    gives(exec, FW_STDOUT, "\xF0\x9F\x98\x80");
    exec_end(exec);
    close(gate);
}

/** The output of one command, in one piece. */
static void comes_to(const struct events *events, int32_t command, fw_stream stream, const char *want)
{
    size_t length = 0;
    char *text = events_output(events, command, stream, &length);
    CHECK_STR(text, want);
    CHECK_INT(length, strlen(want));
    free(text);
}

static void apart(void)
{
    fw_exec *exec = START(TEXT, "printf '\\360\\237'; printf '\\230\\200' >&2; printf x", "printf 'a\\360\\237'",
                          "printf '\\230\\200b'", "printf '\\303' >&2");
    struct events all = events_of(exec);
    CHECK_SHAPE(&all, "step_started 0:started 0:output 0:ended 1:started 1:output 1:ended"
                      " 2:started 2:output 2:ended 3:started 3:output 3:ended step_ended");
    comes_to(&all, 0, FW_STDOUT, REPLACED "x");
    comes_to(&all, 0, FW_STDERR, REPLACED REPLACED);
    comes_to(&all, 1, FW_STDOUT, "a" REPLACED); /* an incomplete character at the end of the stream */
    comes_to(&all, 2, FW_STDOUT, REPLACED REPLACED "b");
    comes_to(&all, 3, FW_STDERR, REPLACED);
    events_free(&all);
    fw_exec_free(exec);
}

/** Characters of 3 bytes, so that reads of a power of two end inside of one. */
static void large(void)
{
    fw_exec *exec = START(TEXT, "printf x; yes '\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC' | head -n 200000");
    struct events all = events_of(exec);
    size_t total = 0;
    for (size_t i = 0; i < all.count; i++) {
        size_t length = 0;
        const char *data = fw_event_data(all.list[i], &length);
        total += length;
        if (data == NULL)
            continue;
        CHECK(length > 0);
        json_t *text = json_stringn(data, length);
        CHECK(text != NULL); /* the output of each event is UTF-8 by itself */
        json_decref(text);
        CHECK(memmem(data, length, REPLACED, 3) == NULL);
    }
    CHECK_INT(total, 2000001);
    events_free(&all);
    fw_exec_free(exec);
}

int main(void)
{
    in_two_writes();
    apart();
    large();
    return check_done();
}
