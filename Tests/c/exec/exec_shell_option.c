/*
 * The option `shell` is the program that is started as SHELL -c COMMAND. If it cannot be started, the step fails with a
 * message that names it.
 *
 * not under valgrind: a clone does not share memory there, so a child cannot report why it did not start
 */
#include "run.h"

#include <fcntl.h>

static void cannot_start(const char *shell)
{
    fw_result *result = RUN_WITH(json_pack("{s:{s:s}}", "options", "shell", shell), "echo first", "echo second");
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK_HAS(fw_result_message(result), shell);
    CHECK_HAS(fw_result_message(result), "command 1 of 2");
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 1);
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), shell);
    json_t *pid = run_command_member(result, 0, "pid");
    CHECK(json_is_null(pid));
    json_decref(pid);
    fw_result_free(result);
}

int main(void)
{
    char *shell = check_path("my shell"), *plain = check_path("plain");
    FILE *script = fopen(shell, "we");
    REQUIRE(script != NULL);
    fputs("#!/bin/sh\nprintf '[%s]' \"$@\"\n", script);
    fclose(script);
    close(open(plain, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    chmod(shell, 0755);

    fw_result *result = RUN_WITH(json_pack("{s:{s:s}}", "options", "shell", shell), "a  'b' \"c\" $$d", "");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "[-c][a  'b' \"c\" $d]");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "[-c][]");
    fw_result_free(result);

    result = RUN_WITH(json_pack("{s:{s:s}}", "options", "shell", "/bin/bash"), "[[ a == a ]] && echo \"$$0 $$#\"");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "/bin/bash 0\n");
    fw_result_free(result);

    cannot_start("/nonexistent/shell");
    cannot_start(plain);
    cannot_start(check_dir());
    free(plain);
    free(shell);
    return check_done();
}
