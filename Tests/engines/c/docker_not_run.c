/* A program that the image does not have, a program that is not executable, and a missing image each have a message
 * of their own and the returncode 1, and are never reported as an exit of the program. */
#include "engine.h"

static void not_run(const char *image, json_t *options, const char *command, const char *part)
{
    fw_result *result = BOX_OF(image, options, command, "echo never");
    bool good = CHECK_ENDED(result, FW_SPAWN_FAILED, 1);
    good &= CHECK_MESSAGE(result, "step \"s\", command 1 of 2", part, image);
    if (!good)
        fprintf(stderr, "    for: %s in %s\n", command, image);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 1);
    CHECK_COMMAND(result, 0, "outcome", json_string("spawn_failed"));
    CHECK_COMMAND(result, 0, "exit_code", json_null());
    CHECK_COMMAND(result, 0, "signal", json_null());
    CHECK_COMMAND(result, 0, "is_ended", json_true());
    json_t *json = run_json(result);
    CHECK_INT(json_array_size(json_object_get(json, "commands")), 1);
    CHECK(json_is_object(json_object_get(json, "exception")));
    json_decref(json);
    fw_result_free(result);
}

static void programs(const char *kind, const char *init)
{
    static const char *const missing[] = {"no-such-program a b", "/no/such/program", "./no-such-program",
                                          "'no such program'"};
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        not_run(BUSYBOX, in_container(kind, like_json("%s", init)), missing[i], "program not found");
    static const char *const not_executable[] = {"/etc/passwd", "./text", "/workdir/text"};
    for (size_t i = 0; i < sizeof not_executable / sizeof *not_executable; i++)
        not_run(BUSYBOX, in_container(kind, like_json("%s", init)), not_executable[i], "not executable");
    /* A directory cannot be executed by anybody. */
    not_run(BUSYBOX, in_container(kind, like_json("%s", init)), "/etc", "/etc");
}

/** A missing shell is reported like a missing program. */
static void shells(const char *kind)
{
    not_run(BUSYBOX, in_container(kind, like_json("{'shell': '/bin/no-such-shell'}")), "echo x", "program not found");
    fw_result *result = BOX(in_container(kind, like_json("{'shell': '/bin/sh'}")), "no-such-program");
    CHECK_ENDED(result, FW_EXITED, 127); /* the shell's own status */
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), "no-such-program");
    fw_result_free(result);
}

/** A program's own output may look like a message of the engine or of the init process. */
static void look_alikes(const char *kind)
{
    static const char *const said[] = {"[FATAL tini (7)] exec x failed: No such file or directory",
                                       "OCI runtime exec failed: exec failed"};
    for (int i = 0; i < 2; i++) {
        char command[200], want[200];
        snprintf(command, sizeof command, "sh -c 'echo before; echo \"%s\" >&2; exit 127'", said[i]);
        snprintf(want, sizeof want, "%s\n", said[i]);
        fw_result *result = BOX(in_container(kind, NULL), command);
        CHECK_ENDED(result, FW_EXITED, 127);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "before\n");
        CHECK_OUTPUT(result, FW_STDERR, 0, want);
        fw_result_free(result);
    }
}

/** A command that cannot be started does not affect the results of earlier ones. */
static void later(const char *kind)
{
    fw_result *result =
        BOX(in_container(kind, NULL), "echo one", "sh -c 'echo two >&2'", "no-such-program", "echo never");
    CHECK_ENDED(result, FW_SPAWN_FAILED, 1);
    CHECK_MESSAGE(result, "command 3 of 4", "no-such-program");
    CHECK_OUTPUT(result, FW_STDOUT, 0, "one\n");
    CHECK_OUTPUT(result, FW_STDERR, 0, "two\n");
    CHECK_HAS(fw_result_output(result, FW_STDERR, 1, NULL), "no-such-program");
    fw_result_free(result);
}

static void images(const char *kind)
{
    not_run("fw-test/not-there:1", in_container(kind, like_json("{'pull': 'never'}")), "true", "\"never\"");
    not_run("fw-test/busybox:no-such-tag", in_container(kind, like_json("{'pull': 'never'}")), "true", "no image");
}

/** An image that is named by its id, or by a part of it, is never pulled. */
static void by_id(const char *kind)
{
    json_t *image = NULL;
    REQUIRE(engine_call(engine_host(), "GET", "/images/" BUSYBOX "/json", NULL, &image) == 200);
    const char *id = json_string_value(json_object_get(image, "Id"));
    REQUIRE(id != NULL);
    fw_result *result = BOX_OF(id, in_container(kind, like_json("{'pull': 'never'}")), "echo by id");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "by id\n");
    fw_result_free(result);
    json_decref(image);
}

/** The engine is not asked about a text that is not the name of an image. */
static void no_image(const char *kind)
{
    static const char *const names[] = {"", "Not An Image", "../x", "http://x/y"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        fw_result *result = BOX_OF(names[i], in_container(kind, NULL), "true");
        CHECK_ENDED(result, FW_SPAWN_FAILED, 1);
        CHECK_MESSAGE(result, names[i], "is not the name of an image");
        fw_result_free(result);
    }
}

int main(void)
{
    engine_host();
    write_file("text", "text\n");
    write_file("broken", "#!/no/such/interpreter\n");
    char *broken = check_path("broken");
    chmod(broken, 0755);
    free(broken);
    for (int i = 0; i < 2; i++) {
        const char *kind = box_kinds[i];
        programs(kind, "{}");
        shells(kind);
        look_alikes(kind);
        later(kind);
        images(kind);
        by_id(kind);
        no_image(kind);
    }
    programs("command", "{'init': false}");
    /* The interpreter of the script is missing. Without an init process the engine reports this only in the output of
     * the command. */
    not_run(BUSYBOX, NULL, "./broken", "program not found");
    not_run(BARE, NULL, "no-such-program", "program not found");
    not_run(BARE, like_json("{'shell': '/bin/sh'}"), "echo", "program not found");
    not_run(BARE, like_json("{'init': false}"), "sh -c true", "program not found");
    return engine_done();
}
