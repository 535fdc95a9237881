/* The JSON of each kind of event has exactly the keys of docs/reference/events.md, and agrees with the functions
 * fw_event_…() and with the result. */
#include "events.h"

#define COMMON "event sequence time attempt command step "

/** Checks that the object has exactly these keys. */
static void has_keys(json_t *json, const char *keys)
{
    size_t count = 0;
    char *list = strdup(keys), *rest = list;
    for (char *key; (key = strsep(&rest, " ")) != NULL;) {
        if (*key == '\0')
            continue;
        count++;
        if (!CHECK(json_object_get(json, key) != NULL))
            fprintf(stderr, "    there is no %s\n", key);
    }
    free(list);
    if (!CHECK_INT(json_object_size(json), count)) {
        char *text = json_dumps(json, 0);
        fprintf(stderr, "    %.500s\n", text);
        free(text);
    }
}

static const char *text_of(json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

/** The JSON of an event of this name; json_decref() it. */
static json_t *common(const fw_event *event, const char *name, const char *keys)
{
    json_t *json = event_json(event);
    CHECK_STR(text_of(json, "event"), name);
    has_keys(json, keys);
    json_t *sequence = json_object_get(json, "sequence"), *attempt = json_object_get(json, "attempt");
    json_t *command = json_object_get(json, "command"), *time = json_object_get(json, "time");
    CHECK(json_is_integer(sequence) && json_is_integer(attempt) && json_is_real(time));
    CHECK_INT(json_integer_value(sequence), fw_event_sequence(event));
    CHECK_INT(json_integer_value(attempt), fw_event_attempt(event));
    CHECK_STR(fw_event_step_name(event), "s");
    CHECK_STR(text_of(json, "step"), "s");
    CHECK(json_real_value(time) == fw_event_time(event));
    if (fw_event_command(event) < 0)
        CHECK(json_is_null(command));
    else
        CHECK(json_is_integer(command) && json_integer_value(command) == fw_event_command(event));
    return json;
}

static void started(const fw_event *event)
{
    json_t *json = common(event, "step_started", COMMON "worker worker_type");
    CHECK_STR(text_of(json, "worker"), "w");
    CHECK_STR(text_of(json, "worker_type"), "subprocess");
    json_decref(json);
}

static void command_started(const fw_event *event, const char *text, json_int_t pid)
{
    json_t *json = common(event, "command_started", COMMON "text pid container");
    CHECK_STR(text_of(json, "text"), text);
    CHECK_INT(json_integer_value(json_object_get(json, "pid")), pid);
    json_decref(json);
}

static void output(const fw_event *event, const char *stream, const char *data, size_t length)
{
    json_t *json = common(event, "output", COMMON "stream data continued");
    CHECK(json_is_false(json_object_get(json, "continued"))); /* event_lines_long.c tests the other values */
    CHECK_STR(text_of(json, "stream"), stream);
    json_t *got = json_object_get(json, "data");
    CHECK_INT(json_string_length(got), length);
    CHECK(json_string_length(got) == length && memcmp(json_string_value(got), data, length) == 0);
    json_decref(json);
}

/** The event of a command's end has the same facts as the result. */
static json_int_t command_ended(const fw_event *event, const fw_result *result, size_t index)
{
    json_t *json = common(event, "command_ended", COMMON "result"), *all = run_json(result);
    json_t *command = json_incref(json_array_get(json_object_get(all, "commands"), index));
    json_int_t pid = json_integer_value(json_object_get(command, "pid"));
    CHECK_JSON(json_object_get(json, "result"), command);
    json_decref(all);
    json_decref(json);
    return pid;
}

static void step_ended(const fw_event *event, const fw_result *result)
{
    json_t *json = common(event, "step_ended", COMMON "outcome returncode message duration");
    json_t *all = run_json(result);
    static const char *const same[] = {"outcome", "returncode", "message", "duration"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        CHECK_JSON(json_object_get(json, same[i]), json_incref(json_object_get(all, same[i])));
    json_decref(all);
    json_decref(json);
}

static void each_kind(void)
{
    fw_exec *exec = START(NULL, "printf 'a\\377b'", "printf $word >&2; exit 4");
    struct events all = events_of(exec);
    fw_result *result = exec_result(exec);
    REQUIRE(all.count == 8);
    started(all.list[0]);
    command_started(all.list[1], "printf 'a\\377b'", command_ended(all.list[3], result, 0));
    /* The functions return bytes, and the JSON has text. */
    CHECK_EVENT(all.list[2], FW_STDOUT,
                "a\xFF"
                "b");
    output(all.list[2], "stdout",
           "a\xEF\xBF\xBD"
           "b",
           5);
    command_started(all.list[4], "printf word >&2; exit 4", command_ended(all.list[6], result, 1));
    output(all.list[5], "stderr", "word", 4);
    step_ended(all.list[7], result);
    fw_result_free(result);
    events_free(&all);
    fw_exec_free(exec);
}

static void of_nuls(void)
{
    fw_exec *exec = START(NULL, "printf 'a\\0\"b'");
    fw_event *event = event_wait_for(exec, FW_EVENT_OUTPUT);
    output(event, "stdout", "a\0\"b", 4);
    fw_event_free(event);
    exec_end(exec);
}

static void of_lines(void)
{
    fw_exec *exec = START("{\"events\": \"lines\"}", "echo a");
    fw_event *event = event_wait_for(exec, FW_EVENT_OUTPUT);
    output(event, "stdout", "a", 1);
    fw_event_free(event);
    exec_end(exec);
}

static void of_a_retry(void)
{
    fw_exec *exec = START("{\"retries\": {\"max\": 1, \"delay\": 0.125}}", "kill -9 $$$$");
    fw_event *event = event_wait_for(exec, FW_EVENT_RETRY);
    json_t *json = common(event, "retry", COMMON "message outcome returncode delay");
    CHECK_STR(text_of(json, "outcome"), "signaled");
    CHECK_INT(json_integer_value(json_object_get(json, "returncode")), -9);
    CHECK(json_number_value(json_object_get(json, "delay")) == 0.125);
    CHECK(json_string_length(json_object_get(json, "message")) > 0);
    json_decref(json);
    fw_event_free(event);
    event = event_wait_for(exec, FW_EVENT_STEP_ENDED);
    fw_result *result = exec_result(exec);
    step_ended(event, result);
    fw_result_free(result);
    fw_event_free(event);
    fw_exec_free(exec);
}

int main(void)
{
    each_kind();
    of_nuls();
    of_lines();
    of_a_retry();
    return check_done();
}
