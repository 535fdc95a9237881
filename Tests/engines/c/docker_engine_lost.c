/* If the engine is lost while a command runs, the outcome is `engine_failed`, the message names the engine, and the
 * output up to then is in the result. The next step on this engine removes the containers that were left. With
 * `retries` the step is tried again. A container of a lost engine runs on, beside that of the next attempt, so commands
 * wait for a file, which all of them see. */
#include "engine_private.h"

static char *host;

static fw_exec *waits_for_file(const char *kind, const char *more)
{
    fw_exec *exec = BOX_START(in_container(kind, like_json("{'host': '%s'%s}", host, more)), NULL, "echo before",
                              "sh -c 'echo partial; echo error >&2; until [ -e open ]; do sleep 0.1; done; echo whole'",
                              "echo after");
    return exec;
}

static char *until_it_waits(fw_exec *exec)
{
    free(box_started(exec));
    char *name = box_started(exec);
    box_await(exec, "partial\n");
    return name;
}

/** The step that has just ended has removed what was left. */
static void check_removed(const char *name)
{
    if (!CHECK(!engine_has(host, name)))
        engine_remove(host, name);
}

static void check_lost(const fw_result *result)
{
    CHECK_ENDED(result, FW_ENGINE_FAILED, 1);
    CHECK_MESSAGE(result, "step \"s\", command 2 of 3", host, "lost");
    CHECK_OUTPUT(result, FW_STDOUT, 0, "before\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "partial\n");
    CHECK_COMMAND(result, 1, "outcome", json_string("engine_failed"));
    CHECK_COMMAND(result, 1, "exit_code", json_null());
    CHECK_COMMAND(result, 1, "signal", json_null());
    CHECK_COMMAND(result, 1, "is_ended", json_false()); /* "an engine did not remove a container of the step" */
}

static void lost(const char *kind)
{
    fw_exec *exec = waits_for_file(kind, "");
    char *name = until_it_waits(exec);
    private_again("stop", "lost", "--kill");
    fw_result *result = exec_result(exec);
    check_lost(result);
    fw_result_free(result);
    fw_exec_free(exec);

    /* The step runs while the engine is stopped. */
    result = BOX(like_json("{'host': '%s'}", host), "true");
    CHECK_ENDED(result, FW_ENGINE_FAILED, 1);
    CHECK_MESSAGE(result, host);
    fw_result_free(result);

    private_again("restart", "lost", "");
    result = BOX(in_container(kind, like_json("{'host': '%s'}", host)), "echo again");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "again\n");
    fw_result_free(result);
    check_removed(name);
    NOTHING_LEFT(host);
    free(name);
}

static void tried_again(const char *kind)
{
    fw_exec *exec =
        waits_for_file(kind, ", 'retries': {'max': 100, 'delay': 0.2, 'factor': 1, 'on': ['engine_failed']}");
    char *name = until_it_waits(exec);
    private_again("stop", "lost", "--kill");
    fw_event_free(event_wait_for(exec, FW_EVENT_RETRY));
    private_again("restart", "lost", "");
    write_file("open", "");
    fw_result *result = exec_result(exec);
    remove_file("open");
    CHECK_EXITED(result, 0);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 3);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "partial\nwhole\n");
    json_t *json = run_json(result), *attempts = json_object_get(json, "attempts"), *one;
    size_t index;
    CHECK(json_array_size(attempts) >= 1);
    json_array_foreach(attempts, index, one)
        CHECK_STR(json_string_value(json_object_get(one, "outcome")), "engine_failed");
    json_t *output = json_array_get(json_object_get(json_array_get(attempts, 0), "stdout"), 1);
    CHECK_STR(json_string_value(output), "partial\n");
    json_decref(json);
    fw_result_free(result);
    fw_exec_free(exec);
    check_removed(name);
    NOTHING_LEFT(host);
    free(name);
}

/** A timeout and a cancel end the step even if the engine is gone. */
static void ended_meanwhile(const char *kind)
{
    fw_exec *exec = waits_for_file(kind, ", 'grace': 0.1");
    char *name = until_it_waits(exec);
    private_again("stop", "lost", "--kill");
    fw_exec_cancel(exec);
    fw_result *result = exec_result(exec);
    fw_outcome outcome = fw_result_outcome(result);
    CHECK(outcome == FW_ENGINE_FAILED || outcome == FW_CANCELLED);
    CHECK(fw_result_returncode(result) != 0);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "partial\n");
    CHECK_COMMAND(result, 1, "is_ended", json_false());
    fw_result_free(result);
    fw_exec_free(exec);
    private_again("restart", "lost", "");

    /* An exec that nobody waits for is freed. */
    exec = waits_for_file(kind, "");
    char *other = until_it_waits(exec);
    private_again("stop", "lost", "--kill");
    fw_exec_free(exec);
    private_again("restart", "lost", "");
    result = BOX(like_json("{'host': '%s'}", host), "echo again");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    check_removed(name);
    check_removed(other);
    NOTHING_LEFT(host);
    free(name);
    free(other);
}

int main(void)
{
    engine_host();
    host = private_start("docker", "lost", "");
    for (int i = 0; i < 2; i++) {
        lost(box_kinds[i]);
        tried_again(box_kinds[i]);
        ended_meanwhile(box_kinds[i]);
    }
    free(host);
    return engine_done();
}
