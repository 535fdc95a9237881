/* A container that runs out of memory has the outcome `oom`, and the result says how certain that is. A program that
 * continues after one of its processes was killed for memory has its own exit status. */
#include "engine.h"

#define LIMITED(more) like_json("{'memory': 20971520%s}", more)
#define TOO_MUCH "/bin/eat-memory 80000000"

static void check_oom(const fw_result *result, size_t index, bool must_be_sure)
{
    json_t *oom = run_command_member(result, index, "oom");
    const char *text = json_string_value(oom);
    CHECK(text != NULL && (strcmp(text, "yes") == 0 || (!must_be_sure && strcmp(text, "likely") == 0)));
    json_decref(oom);
}

/** Runs the commands until the engine reports in time that the memory ran out. The report comes beside the end of the
 * process, and on a busy machine long after it. Without the report a command has its own outcome, and after KILL a
 * suspicion. */
static fw_result *run_until_reported(json_t *options, const char *const *commands, size_t index, int returncode)
{
    for (int tries = 0;; tries++) {
        fw_result *result = box_commands(BUSYBOX, json_deep_copy(options), NULL, NULL, commands);
        json_t *oom = run_command_member(result, index, "oom");
        const char *reported = json_string_value(oom);
        bool is_sure = reported != NULL && strcmp(reported, "yes") == 0;
        if (!is_sure) {
            CHECK_JSON(oom, returncode == -SIGKILL ? json_string("likely") : json_null());
            CHECK_ENDED(result, returncode == -SIGKILL ? FW_SIGNALED : FW_EXITED, returncode);
            REQUIRE(tries < 50);
        }
        json_decref(oom);
        if (is_sure) {
            json_decref(options);
            return result;
        }
        fw_result_free(result);
    }
}

#define UNTIL_TOLD(options, index, returncode, ...) \
    run_until_reported((options), (const char *const[]){__VA_ARGS__, NULL}, (index), (returncode))

static void main_process(const char *init)
{
    fw_result *result = UNTIL_TOLD(LIMITED(init), 1, -SIGKILL, "echo before", TOO_MUCH, "echo never");
    CHECK_ENDED(result, FW_OOM, -SIGKILL);
    CHECK_STR(fw_outcome_name(fw_result_outcome(result)), "oom");
    check_oom(result, 1, true);
    CHECK_COMMAND(result, 1, "outcome", json_string("oom"));
    CHECK_COMMAND(result, 1, "signal", json_integer(SIGKILL));
    CHECK_COMMAND(result, 0, "oom", json_null());
    CHECK_MESSAGE(result, "command 2 of 3", "memory");
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
    fw_result_free(result);
}

/** "The returncode is the command's own". */
static void child(const char *init)
{
    fw_result *result = UNTIL_TOLD(LIMITED(init), 0, 4, "sh -c '" TOO_MUCH "; echo still; exit 4'", "echo never");
    check_oom(result, 0, true);
    CHECK_ENDED(result, FW_OOM, 4);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "still\n");
    CHECK_MESSAGE(result, "memory");
    fw_result_free(result);
    /* The shell exits with the status of the process that was killed. */
    result = UNTIL_TOLD(LIMITED(init), 0, -SIGKILL, "sh -c '" TOO_MUCH "; exit $$?'");
    check_oom(result, 0, true);
    CHECK_ENDED(result, FW_OOM, -SIGKILL);
    fw_result_free(result);
    /* "and the command failed": a command that succeeds although a process was killed has succeeded. */
    result = BOX(LIMITED(init), "sh -c '" TOO_MUCH "; exit 0'", "echo next");
    CHECK_ENDED(result, FW_EXITED, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "next\n");
    fw_result_free(result);
}

/** In this mode an engine does not report which process ran out of memory, and some engines report it only when the
 *  container has ended. */
static void in_a_step(void)
{
    fw_result *result = BOX(in_container("step", LIMITED("")), "echo before", TOO_MUCH, "echo never");
    check_oom(result, 1, false);
    json_t *oom = run_command_member(result, 1, "oom");
    bool is_sure = strcmp(json_string_value(oom), "yes") == 0;
    json_decref(oom);
    CHECK_ENDED(result, is_sure ? FW_OOM : FW_SIGNALED, -SIGKILL);
    CHECK_MESSAGE(result, "command 2 of 3", "memory");
    fw_result_free(result);
    result = BOX(in_container("step", LIMITED("")), "sh -c '" TOO_MUCH "; exit $$?'");
    CHECK_INT(fw_result_returncode(result), -SIGKILL);
    check_oom(result, 0, false);
    fw_result_free(result);
}

/** A program within the limit is not killed, and without a limit KILL raises no suspicion. */
static void enough(const char *kind)
{
    fw_result *result = BOX(in_container(kind, LIMITED("")), "/bin/eat-memory 8000000");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "eaten\n");
    CHECK_COMMAND(result, 0, "oom", json_null());
    fw_result_free(result);
    result = BOX(in_container(kind, NULL), "sh -c 'kill -9 $$$$'");
    CHECK_ENDED(result, FW_SIGNALED, -SIGKILL);
    CHECK_COMMAND(result, 0, "oom", json_null());
    fw_result_free(result);
}

/** "likely: KILL came from nowhere in a container with a memory limit". */
static void suspected(const char *kind)
{
    fw_result *result = BOX(in_container(kind, LIMITED("")), "sh -c 'kill -9 $$$$'");
    CHECK_INT(fw_result_returncode(result), -SIGKILL);
    CHECK_COMMAND(result, 0, "oom", json_string("likely"));
    fw_result_free(result);
    /* Neither another signal nor the library's own KILL raises a suspicion. */
    result = BOX(in_container(kind, LIMITED("")), "sh -c 'kill -15 $$$$'");
    CHECK_COMMAND(result, 0, "oom", json_null());
    CHECK_ENDED(result, FW_SIGNALED, -SIGTERM);
    fw_result_free(result);
    result = BOX(in_container(kind, LIMITED(", 'timeout': 1, 'grace': 0")),
                 "sh -c 'trap \"\" TERM; while :; do sleep 1; done'");
    CHECK_ENDED(result, FW_TIMEOUT, -SIGKILL);
    CHECK_COMMAND(result, 0, "oom", json_null());
    fw_result_free(result);
}

static void tried_again(void)
{
    fw_result *result = BOX(LIMITED(", 'retries': {'max': 2, 'on': ['oom', 'signaled'], 'delay': 0}"),
                            "sh -c 'echo x >> tries; test $$(wc -l < tries) -ge 3 || exec " TOO_MUCH "'");
    CHECK_ENDED(result, FW_EXITED, 0);
    json_t *json = run_json(result), *attempts = json_object_get(json, "attempts"), *one;
    size_t index;
    CHECK_INT(json_array_size(attempts), 2);
    json_array_foreach(attempts, index, one)
        CHECK_INT(json_integer_value(json_object_get(one, "returncode")), -SIGKILL);
    json_decref(json);
    fw_result_free(result);
}

int main(void)
{
    engine_host();
    const char *const init[] = {"", ", 'init': false"};
    for (int i = 0; i < 2; i++) {
        main_process(init[i]);
        child(init[i]);
        enough(box_kinds[i]);
        suspected(box_kinds[i]);
    }
    in_a_step();
    tried_again();
    return engine_done();
}
