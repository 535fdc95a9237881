/*
 * If a file system reports at a write, or only when the file is closed, that there is no room, the result says so for
 * each of the two files, even if the step has succeeded.
 *
 * not under tsan: the filter does not reach threads of tsan
 */
#include "descendants.h"
#include "refuse.h"

#include <sys/stat.h>

static int refuse_error, refuse_from;
static atomic_int seen;
static pid_t host_pid;
static char place[4200];

/** Refuses writes of this process to the spill file of one stream. */
static int files_calls(pid_t pid, int fd)
{
    char link[64], path[4200];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = pid == host_pid ? readlink(link, path, sizeof path - 1) : -1;
    path[length < 0 ? 0 : length] = 0;
    if (strncmp(path, place, strlen(place)) != 0)
        return 0;
    return seen++ >= refuse_from ? refuse_error : 0;
}

static void check_told(const char *reason)
{
    fw_result *result = RUN_WITH(json_pack("{s:{s:s, s:i}}", "options", "spill", place, "output_limit", 10),
                                 "head -c 1000000 /dev/zero | tr '\\0' x | tee /dev/stderr");
    CHECK_EXITED(result, 0);
    CHECK_INT(run_command_int(result, 0, "stdout_bytes"), 1000000);
    json_t *told = run_command_member(result, 0, "spill_error");
    CHECK_HAS(json_string_value(told), reason);
    CHECK_HAS(json_string_value(told), ".stdout");
    CHECK_HAS(json_string_value(told), ".stderr");
    CHECK_HAS(fw_result_message(result), json_string_value(told));
    json_decref(told);
    fw_result_free(result);
}

static void at_a_write(void)
{
    static const int errors[] = {ENOSPC, EDQUOT, EIO};
    host_pid = getpid();
    refuse_some(SYS_write, files_calls);
    for (size_t at = 0; at < sizeof errors / sizeof *errors; at++) {
        refuse_error = errors[at];
        for (refuse_from = 0; refuse_from < 3; refuse_from++) {
            seen = 0;
            check_told(strerror(refuse_error));
        }
    }
}

static void at_the_end(void)
{
    static const int errors[] = {ENOSPC, EDQUOT, EIO};
    host_pid = getpid();
    refuse_from = 0;
    refuse_some(SYS_close, files_calls);
    for (size_t at = 0; at < sizeof errors / sizeof *errors; at++) {
        refuse_error = errors[at];
        check_told(strerror(refuse_error));
    }
}

int main(void)
{
    mark_commands();
    snprintf(place, sizeof place, "%s/spill", check_dir());
    REQUIRE(mkdir(place, 0700) == 0);
    in_child(at_a_write, "at_a_write");
    in_child(at_the_end, "at_the_end");
    return check_done();
}
