/* With `events` `lines`, each event of output is one line without its LF or CR LF. Text after the last line end is a
 * line, too. */
#include "events.h"

#include <stdarg.h>

#define LINES "{\"events\": \"lines\"}"

/** The lines of the exec's first command, up to NULL, are the events of its output. */
static void has_lines(fw_exec *exec, ...)
{
    struct events all = events_of(exec);
    size_t at = 0;
    va_list lines;
    va_start(lines, exec);
    for (const char *line; (line = va_arg(lines, const char *)) != NULL; at++) {
        while (at < all.count && fw_event_kind(all.list[at]) != FW_EVENT_OUTPUT)
            at++;
        if (!CHECK(at < all.count))
            break;
        CHECK_EVENT(all.list[at], FW_STDOUT, line);
        json_t *json = event_json(all.list[at]);
        CHECK(json_is_false(json_object_get(json, "continued")));
        json_decref(json);
    }
    va_end(lines);
    for (; at < all.count; at++)
        if (!CHECK(fw_event_kind(all.list[at]) != FW_EVENT_OUTPUT))
            fprintf(stderr, "    one more line: %.200s\n", fw_event_data(all.list[at], NULL));
    events_free(&all);
    fw_exec_free(exec);
}

static void ends(void)
{
    has_lines(START(LINES, "printf 'one\\ntwo\\n'"), "one", "two", NULL);
    has_lines(START(LINES, "printf 'one\\r\\ntwo\\r\\n'"), "one", "two", NULL);
    has_lines(START(LINES, "printf 'one\\ntwo'"), "one", "two", NULL);
    has_lines(START(LINES, "printf 'one'"), "one", NULL);
    has_lines(START(LINES, "true"), NULL);
    has_lines(START(LINES, "echo"), "", NULL);
    has_lines(START(LINES, "printf '\\n\\n\\r\\n\\na\\n\\n'"), "", "", "", "", "a", "", NULL);
    /* A CR alone does not end a line, and of two CRs before LF only the second belongs to the line end. */
    has_lines(START(LINES, "printf '10%%\\r20%%\\rdone\\n\\ra\\n'"), "10%\r20%\rdone", "\ra", NULL);
    has_lines(START(LINES, "printf 'a\\r\\r\\nb\\r'"), "a\r", "b\r", NULL);
    has_lines(START(LINES, "printf '\\r'"), "\r", NULL);
    /* Other line separators of Unicode are ordinary characters. */
    has_lines(START(LINES, "printf 'a\\vb\\fc\\302\\205d\\342\\200\\250e\\n'"),
              "a\vb\fc\xC2\x85"
              "d\xE2\x80\xA8"
              "e",
              NULL);
    has_lines(START(LINES, "printf '\\377a\\nb\\360\\237\\n\\303'"),
              "\xEF\xBF\xBD"
              "a",
              "b\xEF\xBF\xBD", "\xEF\xBF\xBD", NULL);
}

static void with_nuls(void)
{
    fw_exec *exec = START(LINES, "printf 'a\\0b\\n\\0\\nc\\0'");
    struct events all = events_of(exec);
    REQUIRE(all.count == 7);
    CHECK_EVENT_BYTES(all.list[2], FW_STDOUT, "a\0b", 3);
    CHECK_EVENT_BYTES(all.list[3], FW_STDOUT, "\0", 1);
    CHECK_EVENT_BYTES(all.list[4], FW_STDOUT, "c\0", 2);
    events_free(&all);
    fw_exec_free(exec);
}

/** The next event is this line. */
static void gives(fw_exec *exec, fw_stream stream, const char *line)
{
    fw_event *event = event_next(exec, -1);
    CHECK_EVENT(event, stream, line);
    fw_event_free(event);
}

/** A line, its end and its characters may be written in pieces; a complete line is delivered at once; the streams are
 *  separate. */
static void in_pieces(void)
{
    int gate = gate_make("gate");
    fw_exec *exec = START(LINES, "printf 'one\\ntw'; read line < gate; printf 'x\\n' >&2; read line < gate;"
                                 " printf 'o\\r'; printf 'y\\n' >&2; read line < gate;"
                                 " printf '\\n\\303'; printf 'z' >&2; read line < gate; printf '\\251'");
    event_skip(exec, FW_EVENT_STEP_STARTED);
    event_skip(exec, FW_EVENT_COMMAND_STARTED);
    gives(exec, FW_STDOUT, "one");
    gate_pass(gate);
    gives(exec, FW_STDERR, "x");
    gate_pass(gate);
    gives(exec, FW_STDERR, "y");
    gate_pass(gate);
    gives(exec, FW_STDOUT, "two");
    gate_pass(gate);
    /* Both streams end without a line end; their last lines come in any order. */
    fw_event *first = event_expect(exec, FW_EVENT_OUTPUT), *second = event_expect(exec, FW_EVENT_OUTPUT);
    bool swapped = fw_event_stream(first) == FW_STDERR;
    CHECK_EVENT(swapped ? second : first, FW_STDOUT, "\xC3\xA9");
    CHECK_EVENT(swapped ? first : second, FW_STDERR, "z");
    fw_event_free(first);
    fw_event_free(second);
    event_skip(exec, FW_EVENT_COMMAND_ENDED);
    event_skip(exec, FW_EVENT_STEP_ENDED);
    fw_exec_free(exec);
    close(gate);
}

/** A line never continues in the next command. */
static void of_each_command(void)
{
    fw_exec *exec = START(LINES, "printf a", "printf 'b\\n'");
    struct events all = events_of(exec);
    CHECK_SHAPE(&all, "step_started 0:started 0:output 0:ended 1:started 1:output 1:ended step_ended");
    REQUIRE(all.count == 8);
    CHECK_EVENT(all.list[2], FW_STDOUT, "a");
    CHECK_EVENT(all.list[5], FW_STDOUT, "b");
    events_free(&all);
    fw_exec_free(exec);
}

int main(void)
{
    ends();
    with_nuls();
    in_pieces();
    of_each_command();
    return check_done();
}
