/* A host with a limit of file sizes (RLIMIT_FSIZE) is not ended by SIGXFSZ when the library spills: the file ends at
 * the limit, and the result says so. */
#include "run.h"

#include <signal.h>
#include <sys/resource.h>

enum { MOST = 100000 };

static void spills(bool is_within)
{
    json_t *members = json_pack("{s:{s:s, s:i}}", "options", "spill", check_dir(), "output_limit", 10);
    fw_result *result = RUN_WITH(members, is_within ? "seq 10000" : "seq 100000", "exit 3");
    CHECK_EXITED(result, 3);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "1\n2\n30000\n");
    CHECK_INT(run_command_int(result, 0, "stdout_bytes"), is_within ? 48894 : 588895);
    json_t *error = run_command_member(result, 0, "spill_error"), *file = run_command_member(result, 0, "stdout_file");
    struct stat info;
    if (is_within) {
        CHECK(json_is_null(error));
        CHECK(json_is_string(file) && stat(json_string_value(file), &info) == 0 && info.st_size == 48894);
    } else {
        CHECK_HAS(json_string_value(error), strerror(EFBIG));
        CHECK(json_is_null(file) || (stat(json_string_value(file), &info) == 0 && info.st_size <= MOST));
    }
    json_decref(error);
    json_decref(file);
    fw_result_free(result);
}

int main(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &(struct rlimit){MOST, limit.rlim_max}) == 0);
    spills(true);
    spills(false);
    /* The library must not make the host ignore the signal, either. */
    struct sigaction action;
    CHECK(sigaction(SIGXFSZ, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    return check_done();
}
