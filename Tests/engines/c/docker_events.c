/* The events of a step in containers come in order and agree with the result, and output arrives while the command
 * runs. A container has a name and no process number of this machine. */
#include "engine.h"

#include <time.h>

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void text_member(const json_t *object, const char *key, const char *want)
{
    CHECK_STR(json_string_value(json_object_get(object, key)), want);
}

static void live(const char *kind, int gate)
{
    fw_exec *exec =
        BOX_START(in_container(kind, NULL), NULL,
                  "sh -c 'echo out; read line < gate; echo err >&2; read line < gate; printf end'", "echo next");
    char *name = box_started(exec);
    fw_event *event = event_expect(exec, FW_EVENT_OUTPUT);
    CHECK_EVENT(event, FW_STDOUT, "out\n");
    CHECK(exec_runs(exec));
    fw_event_free(event);
    gate_pass(gate);
    event = event_expect(exec, FW_EVENT_OUTPUT);
    CHECK_EVENT(event, FW_STDERR, "err\n");
    CHECK(exec_runs(exec));
    fw_event_free(event);
    json_t *found = engine_inspect(engine_host(), name);
    CHECK_JSON(json_object_get(json_object_get(found, "State"), "Running"), json_true());
    json_decref(found);
    gate_pass(gate);
    struct events rest = events_of(exec);
    CHECK_SHAPE(&rest, "0:output 0:ended 1:started 1:output 1:ended step_ended");
    events_free(&rest);
    exec_end(exec);
    free(name);
}

static void all_of_them(const char *kind)
{
    double before = now();
    fw_exec *exec = BOX_START(in_container(kind, NULL), NULL, "echo $name", "sh -c 'echo e >&2; exit 3'", "echo never");
    struct events all = events_of(exec);
    double after = now();
    CHECK_SHAPE(&all, "step_started 0:started 0:output 0:ended 1:started 1:output 1:ended step_ended");
    REQUIRE(all.count == 8);
    fw_result *result = exec_result(exec);
    json_t *whole = run_json(result), *commands = json_object_get(whole, "commands");
    for (size_t i = 0; i < all.count; i++) {
        CHECK_INT(fw_event_sequence(all.list[i]), i + 1);
        CHECK_INT(fw_event_attempt(all.list[i]), 1);
        CHECK(fw_event_time(all.list[i]) >= before && fw_event_time(all.list[i]) <= after);
    }
    json_t *json = event_json(all.list[0]);
    text_member(json, "event", "step_started");
    text_member(json, "worker", "w");
    text_member(json, "worker_type", "docker");
    CHECK_JSON(json_object_get(json, "command"), json_null());
    json_decref(json);
    for (size_t i = 0; i < 2; i++) {
        json = event_json(all.list[1 + 3 * i]);
        json_t *command = json_array_get(commands, i);
        text_member(json, "event", "command_started");
        CHECK_JSON(json_object_get(json, "pid"), json_null());
        CHECK(json_is_string(json_object_get(json, "container")));
        CHECK(json_equal(json_object_get(json, "container"), json_object_get(command, "container")));
        CHECK(json_equal(json_object_get(json, "text"), json_object_get(command, "command")));
        json_decref(json);
        json = event_json(all.list[2 + 3 * i]);
        text_member(json, "stream", i == 0 ? "stdout" : "stderr");
        text_member(json, "data", i == 0 ? "name\n" : "e\n");
        json_decref(json);
        json = event_json(all.list[3 + 3 * i]);
        text_member(json, "event", "command_ended");
        CHECK(json_equal(json_object_get(json, "result"), command));
        json_decref(json);
    }
    json = event_json(all.list[7]);
    text_member(json, "outcome", "exited");
    CHECK_INT(json_integer_value(json_object_get(json, "returncode")), 3);
    text_member(json, "message", fw_result_message(result));
    json_decref(json);
    json_decref(whole);
    events_free(&all);
    fw_result_free(result);
    fw_exec_free(exec);
}

/** Returns the facts of a result about its commands and the engine. */
static void result(const char *kind)
{
    fw_result *result = BOX(in_container(kind, NULL), "true", "sleep 2");
    CHECK_EXITED(result, 0);
    CHECK(fw_result_message(result) == NULL);
    double started[2];
    for (size_t i = 0; i < 2; i++) {
        CHECK_COMMAND(result, i, "outcome", json_string("exited"));
        CHECK_COMMAND(result, i, "exit_code", json_integer(0));
        CHECK_COMMAND(result, i, "signal", json_null());
        CHECK_COMMAND(result, i, "pid", json_null());
        CHECK_COMMAND(result, i, "oom", json_null());
        CHECK_COMMAND(result, i, "ended_by", json_null());
        CHECK_COMMAND(result, i, "containment", json_string("container"));
        CHECK_COMMAND(result, i, "is_ended", json_true());
        CHECK_COMMAND(result, i, "survivors", json_array());
        json_t *value = run_command_member(result, i, "started");
        started[i] = json_number_value(value);
        json_decref(value);
        value = run_command_member(result, i, "duration");
        CHECK(json_number_value(value) >= (i == 1 ? 0.2 : 0)); /* the engine records the start a moment later */
        json_decref(value);
    }
    CHECK(started[0] > 1.6e9 && started[1] >= started[0]);
    char *first = box_container(result, 0), *second = box_container(result, 1);
    CHECK((strcmp(first, second) == 0) == (strcmp(kind, "step") == 0));
    free(first);
    free(second);
    json_t *host = box_fact(result, "host"), *image = box_fact(result, "image"), *id = box_fact(result, "image_id"),
           *pulled = box_fact(result, "pulled"), *digest = box_fact(result, "digest");
    CHECK_JSON(host, json_string(engine_host()));
    CHECK_JSON(image, json_string(BUSYBOX));
    CHECK_JSON(pulled, json_false());
    CHECK_JSON(digest, json_null()); /* no registry has this image */
    json_t *there = NULL;
    CHECK_INT(engine_call(engine_host(), "GET", "/images/" BUSYBOX "/json", NULL, &there), 200);
    CHECK(json_equal(id, json_object_get(there, "Id")));
    json_t *all[] = {host, image, id, pulled, digest, there};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        json_decref(all[i]);
    fw_result_free(result);
}

static void as_lines(const char *kind)
{
    fw_exec *exec =
        BOX_START(in_container(kind, like_json("{'shell': '/bin/sh'}")), "{\"events\": \"lines\"}",
                  "printf 'a\\nb'; printf 'c\\r\\n'; printf '\\303'; sleep 0.1; printf '\\251\\377\\nlast'");
    struct events all = events_of(exec);
    static const char *const want[] = {"a", "bc", "\xc3\xa9\xef\xbf\xbd", "last"};
    size_t index = 0;
    for (size_t i = 0; i < all.count; i++)
        if (fw_event_kind(all.list[i]) == FW_EVENT_OUTPUT && CHECK(index < 4))
            CHECK_STR(fw_event_data(all.list[i], NULL), want[index++]);
    CHECK_INT(index, 4);
    events_free(&all);
    exec_end(exec);
}

static void without_output(const char *kind)
{
    fw_exec *exec = BOX_START(in_container(kind, NULL), "{\"events\": \"none\"}", "echo a", "echo b");
    struct events all = events_of(exec);
    CHECK_SHAPE(&all, "step_started 0:started 0:ended 1:started 1:ended step_ended");
    events_free(&all);
    fw_result *result = exec_result(exec);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "b\n");
    fw_result_free(result);
    fw_exec_free(exec);
}

/** The descriptor is readable exactly while there are events. */
static void by_descriptor(const char *kind)
{
    fw_exec *exec = BOX_START(in_container(kind, NULL), NULL, "echo a", "echo b");
    int fd = fw_exec_fd(exec), count = 0;
    for (bool is_over = false; !is_over;) {
        fd_wait(fd);
        fw_event *event = event_next(exec, 0);
        count += event != NULL;
        is_over = fw_event_kind(event) == FW_EVENT_STEP_ENDED;
        fw_event_free(event);
    }
    CHECK_INT(count, 8);
    CHECK(!fd_readable(fd));
    exec_end(exec);
}

int main(void)
{
    engine_host();
    int gate = gate_make("gate");
    for (int i = 0; i < 2; i++) {
        live(box_kinds[i], gate);
        all_of_them(box_kinds[i]);
        result(box_kinds[i]);
        as_lines(box_kinds[i]);
        without_output(box_kinds[i]);
        by_descriptor(box_kinds[i]);
    }
    close(gate);
    return engine_done();
}
