/*
 * If /proc belongs to another process namespace than the host's, so that its process numbers mean nothing here, the
 * library does not use it. It ends the processes in the session of the command, and the result says that it cannot
 * reach others.
 */
#include "descendants.h"

#include <sched.h>
#include <sys/stat.h>

static void check_reach(fw_result *result)
{
    CHECK_NOBODY();
    CHECK_EXITED(result, 7);
    json_t *reach = run_command_member(result, 0, "containment"), *ended = run_command_member(result, 0, "is_ended");
    CHECK_STR(json_string_value(reach), "session");
    CHECK(json_is_true(ended));
    json_decref(ended);
    json_decref(reach);
    fw_result_free(result);
}

/** The same for a command that runs without a shell, whose main process has exited. */
static void without_shell(void)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/leave", check_dir());
    FILE *script = fopen(path, "w");
    REQUIRE(script != NULL);
    fputs("#!/bin/sh\nsleep 100000 &\nexit 7\n", script);
    REQUIRE(fclose(script) == 0 && chmod(path, 0755) == 0);
    check_reach(RUN_WITH(json_pack("{s:{s:f}}", "options", "grace", 0.3), "./leave"));
}

static void host(void)
{
    fw_result *result = RUN_WITH(json_pack("{s:{s:f}}", "options", "grace", 0.3),
                                 "sleep 100000 & sh -c 'trap \"\" TERM; : > there; exec sleep 100000' &"
                                 " until test -e there; do sleep 0.01; done; exit 7");
    check_reach(result);
    without_shell();

    fw_exec *exec = BEGIN_WITH(json_pack("{s:{s:f}}", "options", "grace", 0.1),
                               "trap '' TERM; : > deaf; while :; do sleep 0.01; done");
    while (!has_file("deaf"))
        a_moment();
    fw_exec_cancel(exec);
    result = finish_step(exec);
    CHECK_ENDED(result, FW_CANCELLED, "KILL");
    fw_result_free(result);
}

/** This process is in a new process namespace, but sees the /proc of the old one. */
static void in_a_namespace(void)
{
    if (unshare(CLONE_NEWPID) != 0) {
        check_skip("this system gives no process namespace");
        return;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        host();
        fflush(NULL);
        _exit(check_failures == 0 ? 0 : 1);
    }
    REQUIRE(pid > 0);
    CHECK_INT(host_status(pid), 0);
}

int main(void)
{
    mark_commands();
    in_child(in_a_namespace, "in_a_namespace");
    end_marked();
    return check_done();
}
