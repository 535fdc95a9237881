/*
 * A failed read of a command's output is not taken for its end. A read that fails for a moment is repeated, and all
 * output is read where FIONREAD fails. If output can never be read, the result says so, and the step has not succeeded.
 *
 * not under tsan: the filter does not reach threads of tsan
 */
#include "descendants.h"
#include "refuse.h"

#include <sys/stat.h>

enum { SIZE = 3000000 };

static int refuse_error;
static atomic_int seen, every, until_never;
static pid_t host_pid;

/** Refuses reads of this process from a pipe. */
static int pipes_calls(pid_t pid, int fd)
{
    struct stat status;
    if (pid != host_pid || fstat(fd, &status) != 0 || !S_ISFIFO(status.st_mode))
        return 0;
    int number = seen++;
    return number >= until_never || number % every == 0 ? refuse_error : 0;
}

static void check_whole(void)
{
    char command[200];
    snprintf(command, sizeof command, "echo head; head -c %d /dev/zero | tr '\\0' x; echo tail; echo e >&2; exit 3",
             SIZE);
    fw_result *result = RUN(command, "never");
    CHECK_EXITED(result, 3);
    size_t length = 0;
    const char *output = fw_result_output(result, FW_STDOUT, 0, &length);
    CHECK_INT(length, SIZE + 10);
    CHECK(output != NULL && memcmp(output, "head\n", 5) == 0 && memcmp(output + length - 5, "tail\n", 5) == 0);
    CHECK_OUTPUT(result, FW_STDERR, 0, "e\n");
    json_t *streams = run_command_member(result, 0, "incomplete");
    CHECK_INT(json_array_size(streams), 0);
    json_decref(streams);
    fw_result_free(result);
}

static void read_again(void)
{
    host_pid = getpid();
    static const int errors[] = {EINTR, ENOMEM, EIO, EAGAIN};
    until_never = 1 << 30;
    refuse_some(SYS_read, pipes_calls);
    for (size_t at = 0; at < sizeof errors / sizeof *errors; at++) {
        refuse_error = errors[at];
        for (every = 2; every < 4; every++) {
            seen = 0;
            check_whole();
            CHECK(seen > 2);
        }
    }
}

static void without_its_size(void)
{
    host_pid = getpid();
    static const int errors[] = {EIO, EINVAL, EPERM};
    every = 1;
    refuse_some(SYS_ioctl, pipes_calls);
    for (size_t at = 0; at < sizeof errors / sizeof *errors; at++) {
        refuse_error = errors[at];
        seen = 0;
        check_whole();
        /* A background process keeps the pipe open after the end of the command. */
        json_t *leave = json_pack("{s:{s:s}}", "options", "background", "leave");
        fw_result *result = RUN_WITH(leave, "sleep 100000 & echo $$!");
        CHECK_EXITED(result, 0);
        CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
        if (fw_result_output_count(result, FW_STDOUT) == 1) {
            pid_t left = (pid_t)atoi(fw_result_output(result, FW_STDOUT, 0, NULL));
            if (CHECK(left > 1))
                kill(left, SIGKILL);
        }
        CHECK(seen > 0);
        fw_result_free(result);
    }
}

static void check_lost(fw_result *result)
{
    CHECK_INT(fw_result_outcome(result), FW_ENGINE_FAILED);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK_HAS(fw_result_message(result), "output may be missing");
    CHECK_HAS(fw_result_message(result), strerror(refuse_error));
    json_t *streams = run_command_member(result, 0, "incomplete");
    CHECK(json_array_size(streams) > 0);
    json_decref(streams);
    fw_result_free(result);
}

static void never_read(void)
{
    host_pid = getpid();
    refuse_error = EIO;
    every = 1 << 30;
    until_never = 1;
    refuse_some(SYS_read, pipes_calls);
    seen = 0;
    check_lost(RUN("trap '' PIPE; echo one; echo two >&2; exit 0", ": > next"));
    CHECK(!has_file("next"));
    /* A command that fails by itself keeps its own outcome. */
    seen = 0;
    fw_result *result = RUN("trap '' PIPE; echo one; exit 7");
    CHECK_EXITED(result, 7);
    CHECK_HAS(fw_result_message(result), "output may be missing");
    fw_result_free(result);
    /* The same without FIONREAD, and with events. */
    seen = 0;
    fw_exec *exec = BEGIN("trap '' PIPE; echo one; exit 0");
    fw_event *event = NULL;
    do {
        fw_event_free(event);
        CHECK(fw_exec_next_event(exec, -1, &event, NULL) == FW_OK);
    } while (event != NULL);
    check_lost(finish_step(exec));
}

int main(void)
{
    mark_commands();
    in_child(read_again, "read_again");
    in_child(without_its_size, "without_its_size");
    in_child(never_read, "never_read");
    CHECK_NOBODY();
    return check_done();
}
