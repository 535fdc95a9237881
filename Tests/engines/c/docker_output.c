/* The output of containers is byte for byte complete in two separate streams, even for containers that exit at once
 * and without a final newline. `output_limit` cuts it, and `spill` writes all of it to a file. */
#include "engine.h"

enum { FAST = 30, BURST = 5000000, LIMIT = 1000 };

static void exact(const char *kind)
{
    fw_result *result = BOX(in_container(kind, NULL), "printf '\\377\\000a\\r\\n'", "sh -c 'printf no >&2; printf yes'",
                            "true", "sh -c 'echo err >&2'", "printf '\\001\\000\\000\\000\\000\\000\\000\\005frame'");
    CHECK_EXITED(result, 0);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 3);
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 2);
    CHECK_BYTES(result, FW_STDOUT, 0, "\377\0a\r\n", 5);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "yes");
    CHECK_BYTES(result, FW_STDOUT, 2, "\1\0\0\0\0\0\0\5frame", 13);
    CHECK_OUTPUT(result, FW_STDERR, 0, "no");
    CHECK_OUTPUT(result, FW_STDERR, 1, "err\n");
    fw_result_free(result);
    result = BOX(in_container(kind, NULL), "printf '\\377a'", "sh -c 'printf no >&2'");
    CHECK_INT(run_command_int(result, 0, "stdout_bytes"), 2);
    CHECK_INT(run_command_int(result, 0, "stderr_bytes"), 0);
    CHECK_INT(run_command_int(result, 1, "stderr_bytes"), 2);
    json_t *json = run_json(result);
    CHECK_JSON(json_object_get(json, "stdout"), json_pack("[s]", "\xef\xbf\xbd"
                                                                 "a"));
    json_decref(json);
    fw_result_free(result);
}

/** Each command is a step of its own, so that it is both the first and the last one. */
static void moments(const char *kind)
{
    fw_worker *worker = box_worker(in_container(kind, NULL), NULL);
    for (int i = 0; i < FAST; i++) {
        char command[64], want[16];
        snprintf(command, sizeof command, "printf moment%d", i);
        snprintf(want, sizeof want, "moment%d", i);
        fw_step *step = box_step(BUSYBOX, NULL, (const char *const[]){command, NULL});
        fw_result *result = run_exec(worker, step, NULL, check_dir());
        CHECK_EXITED(result, 0);
        CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
        CHECK_OUTPUT(result, FW_STDOUT, 0, want);
        fw_result_free(result);
        fw_step_free(step);
    }
    fw_worker_free(worker);
}

/** Many commands of one step, so that the container of the next command is created while one runs. */
static void in_a_row(const char *kind)
{
    char text[FAST][64];
    const char *commands[FAST + 1] = {NULL};
    for (int i = 0; i < FAST; i++) {
        snprintf(text[i], sizeof text[i], "sh -c 'printf %d; printf e%d >&2'", i, i);
        commands[i] = text[i];
    }
    fw_result *result = box_commands(BUSYBOX, in_container(kind, NULL), NULL, NULL, commands);
    CHECK_EXITED(result, 0);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), FAST);
    CHECK_INT(fw_result_output_count(result, FW_STDERR), FAST);
    for (int i = 0; i < FAST; i++) {
        char want[16];
        snprintf(want, sizeof want, "e%d", i);
        CHECK_OUTPUT(result, FW_STDERR, (size_t)i, want);
        CHECK_OUTPUT(result, FW_STDOUT, (size_t)i, want + 1);
    }
    fw_result_free(result);
}

static bool all_are(const char *data, size_t length, char byte)
{
    for (size_t i = 0; i < length; i++)
        if (data[i] != byte)
            return false;
    return true;
}

static void burst(const char *kind)
{
    char command[64];
    snprintf(command, sizeof command, "/bin/burst %d", BURST);
    fw_result *result = BOX(in_container(kind, NULL), command);
    CHECK_EXITED(result, 0);
    for (fw_stream stream = FW_STDOUT; stream <= FW_STDERR; stream++) {
        size_t length = 0;
        const char *data = fw_result_output(result, stream, 0, &length);
        CHECK_INT(length, BURST);
        CHECK(data != NULL && all_are(data, length, stream == FW_STDOUT ? 'o' : 'e'));
    }
    CHECK_INT(run_command_int(result, 0, "stdout_bytes"), BURST);
    CHECK_INT(run_command_int(result, 0, "stdout_cut"), 0);
    CHECK_COMMAND(result, 0, "stderr_file", json_null());
    fw_result_free(result);

    /* "the first half and the last half. The rest is read and counted" */
    result = BOX(in_container(kind, like_json("{'output_limit': %d}", LIMIT)), command, "seq 1 100000");
    CHECK_EXITED(result, 0);
    for (fw_stream stream = FW_STDOUT; stream <= FW_STDERR; stream++) {
        size_t length = 0;
        const char *data = fw_result_output(result, stream, 0, &length);
        CHECK_INT(length, LIMIT);
        CHECK(data != NULL && all_are(data, length, stream == FW_STDOUT ? 'o' : 'e'));
    }
    CHECK_INT(run_command_int(result, 0, "stderr_bytes"), BURST);
    CHECK_INT(run_command_int(result, 0, "stderr_cut"), BURST - LIMIT);
    size_t length = 0;
    const char *data = fw_result_output(result, FW_STDOUT, 1, &length);
    REQUIRE(data != NULL && length == LIMIT);
    CHECK(strncmp(data, "1\n2\n3\n", 6) == 0);
    CHECK_STR(data + LIMIT - 14, "\n99999\n100000\n");
    CHECK_INT(run_command_int(result, 1, "stdout_bytes"), 588895);
    fw_result_free(result);
}

static void spill(const char *kind)
{
    char *directory = check_path("spill");
    REQUIRE(mkdir(directory, 0777) == 0);
    fw_result *result = BOX(in_container(kind, like_json("{'output_limit': 100, 'spill': '%s'}", directory)),
                            "seq 1 100000", "echo short");
    CHECK_EXITED(result, 0);
    json_t *file = run_command_member(result, 0, "stdout_file");
    REQUIRE(json_is_string(file));
    CHECK(strncmp(json_string_value(file), directory, strlen(directory)) == 0);
    char *text = read_file(json_string_value(file)), *rest = text;
    REQUIRE(text != NULL);
    CHECK_INT(strlen(text), 588895);
    for (long number = 1; number <= 100000; number++)
        if (!CHECK_INT(strtol(rest, &rest, 10), number))
            break;
    free(text);
    unlink(json_string_value(file));
    json_decref(file);
    CHECK_COMMAND(result, 0, "spill_error", json_null());
    CHECK_COMMAND(result, 1, "stdout_file", json_null());
    CHECK(rmdir(directory) == 0); /* there are no other files */
    free(directory);
    fw_result_free(result);
}

/** "what it wrote until then is complete" includes the output of children while the main process lives. */
static void of_children(void)
{
    fw_result *result = BOX(NULL, "sh -c 'for i in 1 2 3; do (echo child$$i) & done; wait; printf main'");
    CHECK_EXITED(result, 0);
    size_t length = 0;
    const char *data = fw_result_output(result, FW_STDOUT, 0, &length);
    CHECK_INT(length, 3 * 7 + 4);
    CHECK_HAS(data, "child1\n");
    CHECK_HAS(data, "child2\n");
    CHECK_HAS(data, "child3\n");
    CHECK_STR(data ? data + length - 4 : NULL, "main");
    fw_result_free(result);
}

/** "Standard input of a command is /dev/null": it ends at once. */
static void input(const char *kind)
{
    fw_result *result = BOX(in_container(kind, NULL), "cat", "sh -c 'read line; echo $$?'");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "1\n");
    fw_result_free(result);
}

int main(void)
{
    engine_host();
    for (int i = 0; i < 2; i++) {
        exact(box_kinds[i]);
        moments(box_kinds[i]);
        in_a_row(box_kinds[i]);
        burst(box_kinds[i]);
        spill(box_kinds[i]);
        input(box_kinds[i]);
    }
    of_children();
    return engine_done();
}
