/* A file that a command writes never exceeds `file_size`: the command gets SIGXFSZ. The limit applies neither to
 * output through the pipes nor to the library's spill files. */
#include "run.h"

#include <signal.h>

static json_t *file_size(long long bytes)
{
    return json_pack("{s:{s:{s:I}}}", "options", "limits", "file_size", (json_int_t)bytes);
}

static long long size_of(const char *name)
{
    struct stat info;
    char *path = check_path(name);
    long long size = stat(path, &info) == 0 ? (long long)info.st_size : -1;
    free(path);
    return size;
}

static void ended_at_the_limit(void)
{
    fw_result *result = RUN_WITH(file_size(5000), "head -c 5000 /dev/zero > whole",
                                 "exec head -c 100000 /dev/zero > cut", "echo after");
    CHECK_INT(fw_result_outcome(result), FW_SIGNALED);
    CHECK_INT(fw_result_returncode(result), -SIGXFSZ);
    CHECK_HAS(fw_result_message(result), "command 2 of 3");
    CHECK_INT(size_of("whole"), 5000);
    CHECK_INT(size_of("cut"), 5000);
    fw_result_free(result);
}

static void nothing_at_all(void)
{
    fw_result *result = RUN_WITH(file_size(0), "echo out; echo err >&2; : > empty", "exec echo > empty");
    CHECK_OUTPUT(result, FW_STDOUT, 0, "out\n");
    CHECK_OUTPUT(result, FW_STDERR, 0, "err\n");
    CHECK_INT(fw_result_returncode(result), -SIGXFSZ);
    CHECK_INT(size_of("empty"), 0);
    fw_result_free(result);
}

static void not_of_the_library(void)
{
    json_t *members = json_pack("{s:{s:{s:i}, s:s, s:i}}", "options", "limits", "file_size", 10, "spill", check_dir(),
                                "output_limit", 100);
    fw_result *result = RUN_WITH(members, "head -c 50000 /dev/zero | tr '\\0' a");
    CHECK_EXITED(result, 0);
    CHECK_INT(run_command_int(result, 0, "stdout_bytes"), 50000);
    json_t *file = run_command_member(result, 0, "stdout_file");
    struct stat info;
    CHECK(json_is_string(file) && stat(json_string_value(file), &info) == 0 && info.st_size == 50000);
    json_decref(file);
    fw_result_free(result);
}

int main(void)
{
    ended_at_the_limit();
    nothing_at_all();
    not_of_the_library();
    return check_done();
}
