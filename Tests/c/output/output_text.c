/* The JSON of a result is always UTF-8. A character that was written or read in two pieces is whole; invalid or
 * incomplete bytes are U+FFFD. fw_result_output() returns the bytes unchanged. */
#include "events.h"

#define R "\xEF\xBF\xBD"
#define EMOJI "\xF0\x9F\x98\x80"

static void has_text(const fw_result *result, const char *key, const char *want)
{
    json_t *json = run_json(result);
    CHECK_JSON(json_object_get(json, key), json_pack("[s]", want));
    json_decref(json);
}

/** The command writes two bytes of the character, and the other two after the event of the first. */
static void in_two_pieces(int gate)
{
    fw_exec *exec = START(NULL, "printf '\\360\\237'; read line < gate; printf '\\230\\200'");
    fw_event *event = event_wait_for(exec, FW_EVENT_OUTPUT);
    CHECK_EVENT(event, FW_STDOUT, "\xF0\x9F");
    fw_event_free(event);
    gate_pass(gate);
    fw_result *result = exec_result(exec);
    CHECK_OUTPUT(result, FW_STDOUT, 0, EMOJI);
    has_text(result, "stdout", EMOJI);
    fw_result_free(result);
    fw_exec_free(exec);
}

/** Tries each position around the size of a pipe, where reads may end. */
static void across_reads(void)
{
    for (int before = 65533; before <= 65536; before++) {
        char command[200];
        snprintf(command, sizeof command, "{ head -c %d /dev/zero | tr '\\0' a; printf '\\360\\237\\230\\200b'; } >&2",
                 before);
        fw_result *result = RUN(command);
        json_t *json = run_json(result);
        const char *text = json_string_value(json_array_get(json_object_get(json, "stderr"), 0));
        CHECK(text != NULL && strlen(text) == (size_t)before + 5 && strcmp(text + before - 1, "a" EMOJI "b") == 0);
        json_decref(json);
        fw_result_free(result);
    }
}

/** The limit cuts a character at the end of the head, or at the beginning of the tail. */
static void cut(int limit, const char *bytes, const char *text)
{
    json_t *members = json_pack("{s:{s:i}}", "options", "output_limit", limit);
    fw_result *result = RUN_WITH(members, "printf '\\360\\237\\230\\200 and \\360\\237\\230\\200'");
    CHECK_OUTPUT(result, FW_STDOUT, 0, bytes);
    CHECK_INT(run_command_int(result, 0, "stdout_cut"), 13 - limit);
    has_text(result, "stdout", text);
    fw_result_free(result);
}

/** The same holds for the texts of commands and for earlier attempts. */
static void in_attempts(void)
{
    json_t *members = json_pack("{s:{s:{s:i, s:i}}}", "options", "retries", "max", 1, "delay", 0);
    fw_result *result = RUN_WITH(members, "printf '\\377" EMOJI "\\303' | tee /dev/stderr; exit 1");
    json_t *json = run_json(result);
    const json_t *attempt = json_array_get(json_object_get(json, "attempts"), 0);
    CHECK_JSON(json_object_get(attempt, "stdout"), json_pack("[s]", R EMOJI R));
    CHECK_JSON(json_object_get(attempt, "stderr"), json_pack("[s]", R EMOJI R));
    CHECK_JSON(json_object_get(json, "stdout"), json_pack("[s]", R EMOJI R));
    const json_t *command = json_array_get(json_object_get(json, "commands"), 0);
    CHECK_STR(json_string_value(json_object_get(command, "command")),
              "printf '\\377" EMOJI "\\303' | tee /dev/stderr; exit 1");
    json_decref(json);
    fw_result_free(result);
}

int main(void)
{
    int gate = gate_make("gate");
    in_two_pieces(gate);
    across_reads();
    cut(2, "\xF0\x80", R R);
    cut(7, EMOJI "\x9F\x98\x80", EMOJI R R R);
    cut(12,
        EMOJI " a"
              "d " EMOJI,
        EMOJI " ad " EMOJI);
    in_attempts();
    close(gate);
    return check_done();
}
