/* With "container": "step", all commands of a step run in one container, one after the other: each finds the files
 * that earlier commands left, and background processes run until the step ends. */
#include "engine.h"

#define STEP(options) in_container("step", options)

static void shared(void)
{
    fw_result *result =
        BOX(STEP(NULL), "hostname", "sh -c 'echo kept > /tmp/file; export A=1; cd /tmp; umask 077'",
            "sh -c 'cat /tmp/file; echo a$$A; pwd; umask'", "hostname", "sh -c 'ls /tmp; rm /tmp/file'");
    CHECK_EXITED(result, 0);
    char *first = strdup(fw_result_output(result, FW_STDOUT, 0, NULL));
    CHECK_OUTPUT(result, FW_STDOUT, 1, "kept\na\n/workdir\n0022\n");
    CHECK_OUTPUT(result, FW_STDOUT, 2, first);
    CHECK_OUTPUT(result, FW_STDOUT, 3, "file\n");
    char *name = box_container(result, 0);
    for (size_t i = 1; i < 5; i++) {
        char *other = box_container(result, i);
        CHECK_STR(other, name);
        free(other);
    }
    fw_result_free(result);
    /* Each step has a container of its own. */
    result = BOX(STEP(NULL), "hostname", "ls /tmp");
    CHECK_EXITED(result, 0);
    CHECK(strcmp(first, fw_result_output(result, FW_STDOUT, 0, NULL)) != 0);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
    fw_result_free(result);
    free(first);
    free(name);
    /* Without the option each command has a container of its own. */
    result = BOX(NULL, "hostname", "hostname", "sh -c 'echo x > /tmp/file'", "ls /tmp");
    CHECK_EXITED(result, 0);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 2);
    CHECK(strcmp(fw_result_output(result, FW_STDOUT, 0, NULL), fw_result_output(result, FW_STDOUT, 1, NULL)) != 0);
    fw_result_free(result);
}

/** What a command leaves running lives until the end of the step, and not longer. */
static void background(int gate)
{
    fw_exec *exec = BOX_START(STEP(NULL), NULL,
                              "sh -c '(while :; do echo x >> alive; sleep 0.05; done) >/dev/null 2>&1 & echo back'",
                              "sh -c 'read line < gate; echo next'");
    char *path = check_path("alive");
    free(box_started(exec));
    box_await(exec, "back\n");
    /* The first command has exited while the background process runs, and the second one waits. */
    fw_event_free(event_wait_for(exec, FW_EVENT_COMMAND_ENDED));
    fw_event_free(event_wait_for(exec, FW_EVENT_COMMAND_STARTED));
    for (int i = 0; i < 3; i++) {
        free(wait_for_line(path));
        CHECK(unlink(path) == 0);
    }
    gate_pass(gate);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "next\n");
    fw_result_free(result);
    fw_exec_free(exec);
    NOTHING_LEFT(engine_host());
    free(path);
}

/** If each command has a container of its own, the background process ends with the command. */
static void background_of_a_command(void)
{
    fw_result *result = BOX(NULL, "sh -c 'sleep 1000 & echo back'", "echo next");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "back\n");
    fw_result_free(result);
}

static void user_and_place(void)
{
    chmod(check_dir(), 0777);
    fw_result *result =
        BOX_WITH(ENTRY, STEP(like_json("{'shell': '/bin/sh', 'user': '1000:0'}")),
                 like_json("{'env': {'A': 'worker', 'B': 'worker'}}"), like_json("{'env': {'B': 'step'}}"),
                 "echo $$(id -u) $$(id -g) $$(pwd) $$A $$B $$FROM_IMAGE; echo x > of-user");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "1000 0 /workdir worker step yes\n");
    fw_result_free(result);
    struct stat info;
    char *path = check_path("of-user");
    CHECK(stat(path, &info) == 0 && info.st_uid == 1000);
    free(path);
}

/** "the image needs `/bin/sh` and `sleep`". */
static void no_shell(void)
{
    fw_result *result = BOX_OF(BARE, STEP(NULL), "/prog", "/prog");
    CHECK_ENDED(result, FW_SPAWN_FAILED, 1);
    CHECK_MESSAGE(result, "step \"s\", command 1 of 2", BARE, "/bin/sh", "sleep", "\"container\": \"command\"");
    fw_result_free(result);
}

/** The first command that fails is the last one, and the result has its own exit status. */
static void ends(void)
{
    fw_result *result = BOX(STEP(NULL), "echo one", "sh -c 'echo two; exit 9'", "echo never");
    CHECK_ENDED(result, FW_EXITED, 9);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 2);
    fw_result_free(result);
    /* A command that kills all processes that it can does not end the container of the step. */
    result = BOX(STEP(NULL), "sh -c 'sleep 1000 & kill -9 -1; kill -9 1; echo still'", "echo next");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "still\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "next\n");
    fw_result_free(result);
}

/** Another client of the engine ends the container between commands or during one. */
static void container_ended(bool removed)
{
    fw_exec *exec = BOX_START(STEP(NULL), NULL, "echo one", "sh -c 'echo ready; read line < gate'", "echo never");
    free(box_started(exec));
    char *name = box_started(exec), path[200];
    box_await(exec, "ready\n");
    snprintf(path, sizeof path, "/containers/%s/kill?signal=KILL", name);
    if (removed)
        engine_remove(engine_host(), name);
    else
        CHECK_INT(engine_call(engine_host(), "POST", path, NULL, NULL), 204);
    fw_result *result = exec_result(exec);
    CHECK(fw_result_returncode(result) != 0 && fw_result_outcome(result) != FW_EXITED);
    CHECK_MESSAGE(result, "step \"s\", command 2 of 3");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "ready\n");
    fw_result_free(result);
    fw_exec_free(exec);
    free(name);
}

/* ------------------------------------------------------------- timeout and cancel -- */

/** A child of the main process and an orphan, each with a handler for TERM. */
#define TREE                                                                                                        \
    "sh -c '(trap \"echo > child; exit\" TERM; echo > child-is-there; while :; do sleep 0.05; done) & "             \
    "(sh -c \"(trap \\\"echo > orphan; exit\\\" TERM; echo > orphan-is-there; while :; do sleep 0.05; done) &\"); " \
    "trap \"echo > parent; exit 5\" TERM; echo ready; while :; do sleep 0.05; done'"

static void tree(bool by_timeout)
{
    static const char *const names[] = {"child", "orphan", "parent", "child-is-there", "orphan-is-there"};
    fw_exec *exec = BOX_START(STEP(like_json("{'grace': 10}")), by_timeout ? "{\"timeout\": 4}" : NULL, "echo one",
                              TREE, "echo never");
    box_await(exec, "ready\n");
    for (int i = 3; i < 5; i++) {
        char *path = check_path(names[i]);
        free(wait_for_line(path));
        free(path);
    }
    if (!by_timeout)
        fw_exec_cancel(exec);
    fw_result *result = exec_result(exec);
    CHECK_ENDED(result, by_timeout ? FW_TIMEOUT : FW_CANCELLED, 5);
    CHECK_COMMAND(result, 1, "ended_by", json_string("TERM"));
    CHECK_COMMAND(result, 1, "is_ended", json_true());
    CHECK_NONE(engine_host());
    for (int i = 0; i < 5; i++) {
        CHECK(is_there(names[i]));
        char *path = check_path(names[i]);
        unlink(path);
        free(path);
    }
    fw_result_free(result);
    fw_exec_free(exec);
}

int main(void)
{
    engine_host();
    int gate = gate_make("gate");
    shared();
    background(gate);
    background_of_a_command();
    user_and_place();
    no_shell();
    ends();
    container_ended(false);
    container_ended(true);
    tree(false);
    tree(true);
    close(gate);
    return engine_done();
}
