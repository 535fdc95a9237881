/*
 * Functions of Python packages work in a host that closes the library's descriptors, and in a sandbox that refuses
 * system calls: an interpreter whose connection is lost is not used again, a job in flight gets a result, and the
 * result reports the containment that was possible.
 */
#include "function.h"
#include "refuse.h"

#include <sys/socket.h>

static const char module[] = "import os, subprocess, time\n"
                             "def fine(): return os.getppid()\n"
                             "def waits(): open('waits', 'w').write('%d\\n' % os.getpid()); time.sleep(1000)\n"
                             "def leaves():\n"
                             "    return subprocess.Popen(['sleep', '1000']).pid\n";

static long value_of(fw_result *result)
{
    CHECK_EXITED(result, 0);
    json_t *value = function_fact(result, "value");
    long number = (long)json_integer_value(value);
    json_decref(value);
    fw_result_free(result);
    return number;
}

/** Replaces all descriptors from 3 on by silent sockets. */
static void close_all(void)
{
    int most = 2, ends[2];
    for (int fd = 3; fd < 200; fd++)
        if (close(fd) == 0)
            most = fd;
    do
        REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    while (ends[1] <= most);
}

static void closed(void)
{
    fw_pool *pool = check_pool("[]");
    long first = value_of(function_call(pool, "mod.fine", NULL, NULL, NULL));
    CHECK_INT(value_of(function_call(pool, "mod.fine", NULL, NULL, NULL)), first);
    close_all();
    CHECK(value_of(function_call(pool, "mod.fine", NULL, NULL, NULL)) != first);

    fw_exec *exec = function_start(pool, "mod.waits", NULL, NULL, NULL);
    char *path = check_path("waits");
    fw_result *result = NULL;
    while (access(path, F_OK) != 0)
        REQUIRE(fw_exec_wait(exec, 0.01, &result, NULL) == FW_OK && result == NULL);
    free(wait_for_line(path));
    close_all();
    REQUIRE(fw_exec_wait(exec, -1, &result, NULL) == FW_OK);
    CHECK_INT(fw_result_outcome(result), FW_STATUS_UNKNOWN);
    CHECK_HAS(fw_result_message(result), "has closed the descriptor");
    fw_result_free(result);
    fw_exec_free(exec);
    unlink(path);
    free(path);

    /* The host closes the descriptors before the interpreter is ready. */
    fw_pool *other = check_pool("[]");
    exec = function_start(other, "mod.fine", NULL, NULL, NULL);
    close_all();
    REQUIRE(fw_exec_wait(exec, -1, &result, NULL) == FW_OK);
    CHECK(fw_result_returncode(result) != 0 && fw_result_message(result) != NULL);
    fw_result_free(result);
    fw_exec_free(exec);
    value_of(function_call(other, "mod.fine", NULL, NULL, NULL));
    fw_pool_free(other);
    fw_pool_free(pool);
}

static void without_subreaper(void)
{
    refuse_call(SYS_prctl, PR_SET_CHILD_SUBREAPER, EPERM);
    fw_pool *pool = check_pool("[]");
    value_of(function_call(pool, "mod.fine", NULL, NULL, NULL));
    fw_result *result = function_call(pool, "mod.leaves", NULL, NULL, NULL);
    json_t *reach = run_command_member(result, 0, "containment"), *ended = run_command_member(result, 0, "is_ended");
    CHECK_STR(json_string_value(reach), "session");
    CHECK(json_is_false(ended));
    json_decref(reach);
    json_decref(ended);
    CHECK(!process_runs(value_of(result)));
    fw_pool_free(pool);
}

static void without_processes(void)
{
    refuse_call(SYS_signalfd4, ANY_ARGUMENT, EPERM);
    fw_pool *pool = check_pool("[]");
    fw_result *result = function_call(pool, "mod.fine", NULL, NULL, NULL);
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_HAS(fw_result_message(result), "signalfd4");
    fw_result_free(result);
    fw_pool_free(pool);
}

int main(void)
{
    write_file("mod.py", module);
    in_child(closed, "closed");
    in_child(without_subreaper, "without_subreaper");
    in_child(without_processes, "without_processes");
    return check_done();
}
