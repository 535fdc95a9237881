/*
 * A command may be longer than the system's limit for one argument (128 KiB). It has the same $0, no arguments, and the
 * same exit status as a short one.
 *
 * not under valgrind: a clone does not share memory there, so a child cannot report why it did not start
 */
#include "run.h"

/** A command of `length` bytes: it assigns a long text and says how long it was. */
static char *long_command(size_t length, const char *fill, const char *end)
{
    char *command = malloc(length + 1);
    REQUIRE(command != NULL);
    size_t at = (size_t)sprintf(command, "x='"), stop = length - strlen(end) - 2;
    for (size_t i = 0; at < stop; i++)
        command[at++] = fill[i % strlen(fill)];
    sprintf(command + at, "';%s", end);
    REQUIRE(strlen(command) == length);
    return command;
}

static void runs(const char *shell, size_t length)
{
    const char *end = " printf '%s %s %s ' \"$$0\" \"$$#\" \"$$-\"; echo $${#x}; cat; exit 5";
    const char *fill = "abcdefghijklm nopqr\"stuvw\\xyz*?#;&|<>(){}";
    char *command = long_command(length, fill, end), want[100], *short_command = long_command(300, fill, end);
    fw_result *plain = RUN_WITH(json_pack("{s:{s:s}}", "options", "shell", shell), short_command);
    fw_result *result = RUN_WITH(json_pack("{s:{s:s}}", "options", "shell", shell), command);
    CHECK_EXITED(plain, 5);
    CHECK_EXITED(result, 5);
    snprintf(want, sizeof want, "%s 0 ", shell);
    const char *got = fw_result_output(result, FW_STDOUT, 0, NULL);
    const char *got_plain = fw_result_output(plain, FW_STDOUT, 0, NULL);
    CHECK(got != NULL && got_plain != NULL && strncmp(got, want, strlen(want)) == 0);
    /* A long command and a short one see the same, except for the length of the text. */
    size_t head = got_plain ? strlen(got_plain) - 4 : 0;
    CHECK(got != NULL && strncmp(got, got_plain, head) == 0);
    CHECK_INT(got ? atoll(got + head) : -1, (long long)(length - strlen(end) - 5));
    /* The result has the whole command, after substitution: "$$" is one byte. */
    json_t *text = run_command_member(result, 0, "command");
    CHECK_INT(json_string_length(text), length - 4);
    json_decref(text);
    fw_result_free(result);
    fw_result_free(plain);
    free(short_command);
    free(command);
}

int main(void)
{
    const size_t lengths[] = {119995, 120005, 120006, 131000, 131070, 131071,  131072, 131073,
                              131077, 131080, 140000, 240005, 262144, 1 << 20, 1900000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        runs("/bin/sh", lengths[i]);
        runs("/bin/bash", lengths[i]);
    }

    /* Characters of several bytes, some of them where the library splits the command. */
    const char *end = " printf %s \"$$x\" | tail -c 6";
    char *command = long_command(5 + 6 * 66666 + strlen(end), "\xC3\xA9\xF0\x9F\x98\x80", end);
    fw_result *result = RUN(command);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "\xC3\xA9\xF0\x9F\x98\x80");
    fw_result_free(result);
    free(command);

    /* A syntax error is the shell's error, as in a short command. */
    command = long_command(200000, "x", " if then");
    result = RUN(command);
    CHECK_EXITED(result, 2);
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 1);
    fw_result_free(result);
    free(command);

    /* An argument that is longer than a program may get: the shell says so, and the message has that reason. */
    command = malloc(200001);
    REQUIRE(command != NULL);
    memset(command, 'x', 200000);
    memcpy(command, "/bin/echo ", 10);
    command[200000] = 0;
    result = RUN(command);
    CHECK_EXITED(result, 126);
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), "Argument list too long");
    CHECK_HAS(fw_result_message(result), "longer than the system allows");
    fw_result_free(result);
    free(command);

    /* A command beyond the system's limit for all arguments together cannot be started. */
    command = long_command(40000000, "x", " echo");
    result = RUN(command);
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK_HAS(fw_result_message(result), "bytes");
    CHECK(strlen(fw_result_message(result)) < 1000);
    fw_result_free(result);
    free(command);
    return check_done();
}
