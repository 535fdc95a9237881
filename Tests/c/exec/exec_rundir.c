/*
 * Commands run in the run directory. If the directory cannot be used, the step fails with a message that gives the
 * reason, and nothing runs.
 *
 * not under valgrind: a clone does not share memory there, so a child cannot report why it did not start
 */
#include "processes.h"
#include "run.h"

#include <fcntl.h>

/** Checks that a step could not be started in this directory. */
static void cannot_start(const char *rundir, const char *part)
{
    fw_result *result = RUN_IN(rundir, "echo first", "echo second");
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    CHECK_HAS(fw_result_message(result), rundir);
    CHECK_HAS(fw_result_message(result), part);
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 1);
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), rundir);
    json_t *json = run_json(result);
    json_t *exception = json_object_get(json, "exception");
    CHECK(json_string_length(json_object_get(exception, "type")) > 0);
    CHECK_HAS(json_string_value(json_object_get(exception, "message")), rundir);
    CHECK(json_is_string(json_object_get(exception, "trace")));
    CHECK_STR(json_string_value(json_object_get(json, "outcome")), "spawn_failed");
    json_decref(json);
    fw_result_free(result);
}

/** Permissions apply to this user, and the parents of the working directory do not matter. */
static void without_permission(void)
{
    REQUIRE(chdir(check_dir()) == 0);
    if (geteuid() == 0)
        REQUIRE(setgid(65534) == 0 && setuid(65534) == 0);
    cannot_start("closed", "Permission denied");
    fw_result *result = RUN_IN("readonly", "echo here", "touch file");
    CHECK_EXITED(result, 1);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), "file");
    fw_result_free(result);
}

static void relative(void)
{
    char *before = getcwd(NULL, 0);
    REQUIRE(chdir(check_dir()) == 0);
    fw_result *result = RUN_IN("with space and \xC3\xA9", "touch here");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    result = RUN_IN(".", "test -f 'with space and \xC3\xA9/here'");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    REQUIRE(chdir(before) == 0);
    free(before);
}

int main(void)
{
    /* This part is a child process, and so it runs before this process has run a step. */
    char *closed = check_path("closed"), *readonly = check_path("readonly");
    REQUIRE(mkdir(closed, 0) == 0 && mkdir(readonly, 0755) == 0);
    REQUIRE(chmod(readonly, 0555) == 0 && chmod(check_dir(), 0755) == 0);
    in_child(without_permission, "without_permission");

    char *here = realpath(check_dir(), NULL), want[4096];
    snprintf(want, sizeof want, "%s\n", here);
    fw_result *result = RUN("pwd -P", "cd /; pwd", "pwd -P");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, want);
    CHECK_OUTPUT(result, FW_STDOUT, 1, "/\n");
    CHECK_OUTPUT(result, FW_STDOUT, 2, want); /* each command starts in the run directory */
    fw_result_free(result);

    char *missing = check_path("missing"), *file = check_path("file");
    char *named = check_path("with space and \xC3\xA9"), *link = check_path("link");
    close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
    REQUIRE(mkdir(named, 0755) == 0 && symlink(named, link) == 0);
    cannot_start(missing, "does not exist");
    cannot_start(file, "not a directory");
    cannot_start("", "\"\"");
    result = RUN_IN(link, "ls -A ..");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    relative();
    chmod(closed, 0755);
    free(link);
    free(named);
    free(readonly);
    free(closed);
    free(file);
    free(missing);
    free(here);
    return check_done();
}
