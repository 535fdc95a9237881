/*
 * What /proc shows decides which processes the library can find, and the result says what it knows. If /proc is not
 * mounted, steps run, and what a command leaves in its session is ended; a process that has left the session is not
 * found, and the result says that something may still be running. If /proc hides the processes of other users
 * (hidepid=2), everything that a command left is found, because it belongs to the same user.
 *
 * not under asan tsan valgrind: the tool itself needs /proc
 */
#include "descendants.h"

#include <grp.h>
#include <sched.h>
#include <sys/mount.h>

/** Leaves a process in a session of its own. */
#define ORPHAN "setsid sh -c ': > there; exec sleep 100000' & until test -e there; do sleep 0.01; done; echo hi"

static void check_reach(fw_result *result, const char *containment, bool is_ended)
{
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "hi\n");
    json_t *reach = run_command_member(result, 0, "containment"), *ended = run_command_member(result, 0, "is_ended");
    CHECK_STR(json_string_value(reach), containment);
    CHECK_INT(json_is_true(ended), is_ended);
    json_decref(ended);
    json_decref(reach);
    fw_result_free(result);
}

static void without_proc(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "", MS_REC | MS_PRIVATE, NULL) != 0 ||
        umount2("/proc", MNT_DETACH) != 0) {
        check_skip("only root can unmount /proc");
        return;
    }
    fw_result *result = RUN("echo one", "exit 3");
    CHECK_EXITED(result, 3);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "one\n");
    fw_result_free(result);

    result = RUN_WITH(json_pack("{s:{s:f}}", "options", "grace", 0.3), "sleep 100000 & exit 7");
    CHECK_EXITED(result, 7);
    fw_result_free(result);
    REQUIRE(mount("proc", "/proc", "proc", 0, NULL) == 0);
    CHECK_NOBODY();

    REQUIRE(umount2("/proc", MNT_DETACH) == 0);
    check_reach(RUN(ORPHAN), "session", false);
    REQUIRE(mount("proc", "/proc", "proc", 0, NULL) == 0);
    end_marked();
}

/** Process 1 of a namespace, as a user who sees only his own processes. */
static void hidden(void)
{
    if (mount("", "/", "", MS_REC | MS_PRIVATE, NULL) != 0 || mount("proc", "/proc", "proc", 0, "hidepid=2") != 0) {
        check_skip("no /proc that hides processes can be had without the right to mount");
        return;
    }
    /* A directory that this user may enter. */
    REQUIRE(mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777") == 0);
    REQUIRE(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    check_reach(RUN_IN("/tmp", ORPHAN), "subreaper", true);
    CHECK_NOBODY();
}

static void in_a_namespace(void)
{
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) {
        check_skip("this system gives no process namespace");
        return;
    }
    int status = host_status(start_host(hidden));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        check_skipped = true;
    else
        CHECK_INT(status, 0);
}

int main(void)
{
    mark_commands();
    in_child(without_proc, "without_proc");
    in_child(in_a_namespace, "in_a_namespace");
    return check_done();
}
