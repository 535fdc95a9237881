/* A timeout ends everything in the container, with TERM and, after the grace period, KILL, and the container is gone
 * when the result arrives. The output up to then is in the result. */
#include "engine.h"

static int gate;

/** The container of the last command is not there any more, at this moment. */
static void check_gone(const fw_result *result, size_t index)
{
    char *name = box_container(result, index);
    CHECK(!engine_has(engine_host(), name));
    CHECK_COMMAND(result, index, "is_ended", json_true());
    CHECK_NONE(engine_host());
    free(name);
}

static void asked_to_end(const char *kind)
{
    /* The trap's own status is the command's. */
    fw_result *result = BOX(in_container(kind, like_json("{'timeout': 2, 'grace': 60}")),
                            "sh -c 'trap \"echo asked; exit 5\" TERM; echo ready; read line < gate'", "echo never");
    CHECK_ENDED(result, FW_TIMEOUT, 5);
    CHECK_MESSAGE(result, "step \"s\", command 1 of 2", "timeout of 2 s");
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "ready\nasked\n");
    CHECK_COMMAND(result, 0, "outcome", json_string("timeout"));
    CHECK_COMMAND(result, 0, "ended_by", json_string("TERM"));
    CHECK_COMMAND(result, 0, "exit_code", json_integer(5));
    check_gone(result, 0);
    fw_result_free(result);
    /* "After a timeout or a cancel it is that of the command that was ended, but never 0." */
    result = BOX(in_container(kind, like_json("{'timeout': 2, 'grace': 60}")),
                 "sh -c 'trap \"exit 0\" TERM; read line < gate'");
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    CHECK(fw_result_returncode(result) != 0);
    check_gone(result, 0);
    fw_result_free(result);
    /* A command without a handler for TERM. */
    result = BOX(in_container(kind, like_json("{'timeout': 2, 'grace': 60}")), "sleep 1000");
    CHECK_ENDED(result, FW_TIMEOUT, -SIGTERM);
    CHECK_COMMAND(result, 0, "signal", json_integer(SIGTERM));
    CHECK_COMMAND(result, 0, "ended_by", json_string("TERM"));
    check_gone(result, 0);
    fw_result_free(result);
}

static void deaf(const char *kind, const char *grace)
{
    fw_result *result = BOX(in_container(kind, like_json("{'timeout': 2, 'grace': %s}", grace)),
                            "sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1; done'", "echo never");
    CHECK_ENDED(result, FW_TIMEOUT, -SIGKILL);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "ready\n");
    CHECK_COMMAND(result, 0, "ended_by", json_string("KILL"));
    CHECK_COMMAND(result, 0, "oom", json_null());
    CHECK_MESSAGE(result, "KILL");
    check_gone(result, 0);
    fw_result_free(result);
}

/** The timeout limits all commands together. */
static void in_a_later_command(const char *kind)
{
    fw_result *result =
        BOX(in_container(kind, like_json("{'timeout': 3}")), "echo one", "sh -c 'echo two; sleep 1000'", "echo never");
    CHECK_ENDED(result, FW_TIMEOUT, -SIGTERM);
    CHECK_MESSAGE(result, "command 2 of 3");
    CHECK_OUTPUT(result, FW_STDOUT, 0, "one\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "two\n");
    check_gone(result, 1);
    fw_result_free(result);
}

/** Step and run have timeouts of their own. */
static void levels(void)
{
    fw_exec *exec = BOX_START(like_json("{'timeout': 1000}"), "{\"timeout\": 2}", "sleep 1000");
    fw_result *result = exec_result(exec);
    CHECK_ENDED(result, FW_TIMEOUT, -SIGTERM);
    CHECK_MESSAGE(result, "timeout of 2 s");
    fw_result_free(result);
    fw_exec_free(exec);
    /* A timeout that does not pass has no effect. */
    result = BOX(like_json("{'timeout': 1000}"), "echo in time");
    CHECK_EXITED(result, 0);
    CHECK_COMMAND(result, 0, "ended_by", json_null());
    fw_result_free(result);
}

/** The timeout applies to each attempt. */
static void retries(const char *kind)
{
    fw_result *result = BOX(in_container(kind, like_json("{'timeout': 2, 'retries': {'max': 1, 'delay': 0}}")),
                            "sh -c 'echo x >> tries; test $$(wc -l < tries) -ge 2 || exec sleep 1000'");
    CHECK_EXITED(result, 0);
    json_t *json = run_json(result), *attempts = json_object_get(json, "attempts");
    CHECK_INT(json_array_size(attempts), 1);
    CHECK_STR(json_string_value(json_object_get(json_array_get(attempts, 0), "outcome")), "timeout");
    json_decref(json);
    fw_result_free(result);
    char *tries = check_path("tries");
    unlink(tries);
    free(tries);
}

/** Without an init process, TERM does nothing to process 1 unless it has a handler. */
static void without_init(void)
{
    fw_result *result = BOX(like_json("{'timeout': 2, 'grace': 0.2, 'init': false}"), "sleep 1000");
    CHECK_ENDED(result, FW_TIMEOUT, -SIGKILL);
    CHECK_COMMAND(result, 0, "ended_by", json_string("KILL"));
    check_gone(result, 0);
    fw_result_free(result);
}

int main(void)
{
    engine_host();
    gate = gate_make("gate");
    for (int i = 0; i < 2; i++) {
        asked_to_end(box_kinds[i]);
        deaf(box_kinds[i], "0.3");
        deaf(box_kinds[i], "0");
        in_a_later_command(box_kinds[i]);
        retries(box_kinds[i]);
    }
    levels();
    without_init();
    close(gate);
    return engine_done();
}
