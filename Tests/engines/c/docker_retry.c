/* A failed step in containers is tried again like one in processes: each attempt has containers of its own, and the
 * result has all attempts. */
#include "engine.h"

#define TRY_UNTIL(count, otherwise) \
    "sh -c 'echo x >> tries; echo try $$(wc -l < tries); test $$(wc -l < tries) -ge " count " || " otherwise "'"

static void forget_tries(void)
{
    char *path = check_path("tries");
    unlink(path);
    free(path);
}

static void until_success(const char *kind)
{
    fw_exec *exec = BOX_START(in_container(kind, like_json("{'retries': {'max': 5, 'delay': 0}}")), NULL, "echo before",
                              TRY_UNTIL("3", "exit 4"), "echo after");
    struct events all = events_of(exec);
    CHECK_SHAPE(&all, "step_started"
                      " 0:started 0:output 0:ended 1:started 1:output 1:ended retry"
                      " 0:started 0:output 0:ended 1:started 1:output 1:ended retry"
                      " 0:started 0:output 0:ended 1:started 1:output 1:ended 2:started 2:output 2:ended step_ended");
    int attempt = 1;
    for (size_t i = 0; i < all.count; i++) {
        CHECK_INT(fw_event_attempt(all.list[i]), attempt);
        if (fw_event_kind(all.list[i]) == FW_EVENT_RETRY) {
            json_t *json = event_json(all.list[i]);
            CHECK_STR(json_string_value(json_object_get(json, "outcome")), "exited");
            CHECK_INT(json_integer_value(json_object_get(json, "returncode")), 4);
            json_decref(json);
            attempt++;
        }
    }
    events_free(&all);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "try 3\n");
    CHECK_OUTPUT(result, FW_STDOUT, 2, "after\n");
    json_t *json = run_json(result), *attempts = json_object_get(json, "attempts"), *one, *names = json_object();
    size_t index;
    CHECK_INT(json_array_size(attempts), 2);
    json_array_append(attempts, json); /* the last one, for the names */
    json_array_foreach(attempts, index, one) {
        json_t *name = json_object_get(json_array_get(json_object_get(one, "commands"), 0), "container");
        REQUIRE(json_is_string(name));
        CHECK(json_object_get(names, json_string_value(name)) == NULL);
        json_object_set_new(names, json_string_value(name), json_true());
    }
    CHECK_INT(json_object_size(names), 3);
    json_array_remove(attempts, 2);
    json_decref(names);
    json_decref(json);
    fw_result_free(result);
    fw_exec_free(exec);
    forget_tries();
}

static size_t attempts_of(fw_result *result)
{
    json_t *json = run_json(result);
    size_t count = json_array_size(json_object_get(json, "attempts"));
    json_decref(json);
    fw_result_free(result);
    return count;
}

static void only_for(void)
{
    CHECK_INT(attempts_of(BOX(like_json("{'retries': {'max': 2, 'delay': 0, 'on': ['signaled']}}"), "sh -c 'exit 3'")),
              0);
    CHECK_INT(
        attempts_of(BOX(like_json("{'retries': {'max': 2, 'delay': 0, 'on': ['signaled']}}"), "sh -c 'kill -9 $$$$'")),
        2);
    CHECK_INT(attempts_of(BOX(like_json("{'retries': {'max': 2, 'delay': 0, 'codes': [75]}}"), "sh -c 'exit 75'")), 2);
    CHECK_INT(attempts_of(BOX(like_json("{'retries': {'max': 2, 'delay': 0, 'codes': [75]}}"), "sh -c 'exit 3'")), 0);
    CHECK_INT(
        attempts_of(BOX(like_json("{'retries': {'max': 2, 'delay': 0, 'on': ['spawn_failed']}}"), "no-such-program")),
        2);
    CHECK_INT(
        attempts_of(BOX(like_json("{'retries': {'max': 2, 'delay': 0, 'on': ['engine_failed']}}"), "no-such-program")),
        0);
}

/** A cancel between two attempts. */
static void cancelled_between(const char *kind)
{
    fw_exec *exec = BOX_START(in_container(kind, like_json("{'retries': {'max': 2, 'delay': 1000}}")), NULL,
                              "sh -c 'echo x; exit 3'");
    fw_event_free(event_wait_for(exec, FW_EVENT_RETRY));
    fw_exec_cancel(exec);
    fw_result *result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    NOTHING_LEFT(engine_host());
    fw_result_free(result);
    fw_exec_free(exec);
}

int main(void)
{
    engine_host();
    for (int i = 0; i < 2; i++) {
        until_success(box_kinds[i]);
        cancelled_between(box_kinds[i]);
    }
    only_for();
    return engine_done();
}
