/* A command in a container has its own exit status, whatever the number is, and the end by a signal is distinguished
 * from it. The first command that fails is the last one. */
#include "engine.h"

static void status(const char *kind, int number)
{
    char command[64], part[64];
    snprintf(command, sizeof command, "sh -c 'echo out; exit %d'", number);
    fw_result *result = BOX(in_container(kind, NULL), "true", command, "echo never");
    CHECK_ENDED(result, FW_EXITED, number);
    CHECK_COMMAND(result, 1, "exit_code", json_integer(number));
    CHECK_COMMAND(result, 1, "signal", json_null());
    CHECK_COMMAND(result, 1, "outcome", json_string("exited"));
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "out\n");
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 0);
    snprintf(part, sizeof part, "step \"s\", command 2 of 3 exited with status %d", number);
    CHECK_MESSAGE(result, part, command);
    json_t *json = run_json(result);
    CHECK_INT(json_array_size(json_object_get(json, "commands")), 2);
    CHECK_JSON(json_object_get(json, "exception"), json_null());
    json_decref(json);
    fw_result_free(result);
}

static void by_signal(const char *kind, const char *options, const char *command, int number)
{
    fw_result *result = BOX(in_container(kind, like_json("%s", options)), command, "echo never");
    char part[32];
    snprintf(part, sizeof part, "signal %d", number);
    CHECK_ENDED(result, FW_SIGNALED, -number);
    CHECK_COMMAND(result, 0, "signal", json_integer(number));
    CHECK_COMMAND(result, 0, "exit_code", json_null());
    CHECK_COMMAND(result, 0, "ended_by", json_null());
    CHECK_COMMAND(result, 0, "oom", json_null());
    CHECK_MESSAGE(result, part);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    fw_result_free(result);
}

/** "An engine reports 128 + N for both signal N and an exit with that status; N from 1 to 31 is taken
 *  for the signal". */
static void as_a_shell_has_it(const char *kind)
{
    by_signal(kind, "{}", "sh -c 'exit 143'", SIGTERM);
    by_signal(kind, "{}", "sh -c 'sh -c \"kill -ABRT \\$$\\$$\"; exit $$?'", SIGABRT);
    const int others[] = {128, 160, 200};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        status(kind, others[i]);
}

/** The main process sends it to itself. (Not QUIT, which busybox's shell ignores.) */
static void signals(const char *kind)
{
    const int numbers[] = {SIGHUP, SIGINT, SIGABRT, SIGKILL, SIGSEGV, SIGPIPE, SIGTERM, SIGUSR1};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char command[64];
        snprintf(command, sizeof command, "sh -c 'kill -%d $$$$; sleep 100'", numbers[i]);
        by_signal(kind, "{}", command, numbers[i]);
    }
    by_signal(kind, "{'shell': '/bin/sh'}", "kill -9 $$$$", SIGKILL);
}

/** Another client of the engine kills the container. */
static void from_outside(void)
{
    fw_exec *exec = BOX_START(NULL, NULL, "sh -c 'read line < gate'", "echo never");
    char *name = box_started(exec), path[200];
    snprintf(path, sizeof path, "/containers/%s/kill?signal=KILL", name);
    CHECK_INT(engine_call(engine_host(), "POST", path, NULL, NULL), 204);
    fw_result *result = exec_result(exec);
    CHECK_ENDED(result, FW_SIGNALED, -SIGKILL);
    CHECK_COMMAND(result, 0, "ended_by", json_null());
    fw_result_free(result);
    fw_exec_free(exec);
    free(name);
    /* Another client of the engine removes the container. */
    exec = BOX_START(NULL, NULL, "sh -c 'read line < gate'", "echo never");
    name = box_started(exec);
    engine_remove(engine_host(), name);
    result = exec_result(exec);
    CHECK(fw_result_outcome(result) != FW_EXITED && fw_result_returncode(result) != 0);
    CHECK_MESSAGE(result, "step \"s\", command 1 of 2");
    fw_result_free(result);
    fw_exec_free(exec);
    free(name);
}

int main(void)
{
    engine_host();
    int gate = gate_make("gate");
    const int numbers[] = {0, 1, 3, 125, 126, 127, 255};
    for (int i = 0; i < 2; i++) {
        for (size_t j = 1; j < sizeof numbers / sizeof *numbers; j++)
            status(box_kinds[i], numbers[j]);
        fw_result *result = BOX(in_container(box_kinds[i], NULL), "sh -c 'exit 0'");
        CHECK_ENDED(result, FW_EXITED, 0);
        fw_result_free(result);
        signals(box_kinds[i]);
        as_a_shell_has_it(box_kinds[i]);
    }
    from_outside();
    close(gate);
    return engine_done();
}
