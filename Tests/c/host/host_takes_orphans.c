/*
 * A host that is process 1 of a container or a subreaper gets no orphan of a command: the command's monitor gets them,
 * ends them and reports them. Processes that are to be left running are not the host's to reap, either. Statuses are
 * true.
 */
#include "descendants.h"

#include <sched.h>
#include <sys/mount.h>

#define DAEMONS                                                            \
    "setsid sh -c 'sh sleeper & :'; setsid sh -c 'setsid sh sleeper & :';" \
    " until test -e pids && test $$(wc -l < pids) -eq 2; do sleep 0.01; done; exit 7"

static void run_daemons(const char *background)
{
    remove_file("pids");
    fw_result *result = RUN_WITH(json_pack("{s:{s:s}}", "options", "background", background), DAEMONS);
    CHECK_EXITED(result, 7);
    CHECK_INT(run_command_int(result, 0, "survivors_count"), 2);
    fw_result_free(result);
}

static void host(void)
{
    for (int i = 0; i < 5; i++) {
        run_daemons("kill");
        CHECK_NOBODY();
    }
    run_daemons("leave");
    long pids[2];
    CHECK_INT(read_pids("pids", pids, 2), 2);
    for (int i = 0; i < 2; i++) {
        CHECK(lives(pids[i]));
        CHECK_STR(name_of(status_of(pids[i], "PPid:")), "fw-monitor");
    }
    end_marked();
    fw_exec *exec = BEGIN("setsid sleep 100000 & exec sleep 100000");
    fw_exec_cancel(exec);
    fw_result *result = finish_step(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    fw_result_free(result);
    CHECK_NOBODY();
}

static void subreaper(void)
{
    REQUIRE(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
    host();
}

static void first_process(void)
{
    REQUIRE(getpid() == 1);
    if (mount("", "/", "", MS_REC | MS_PRIVATE, NULL) != 0 || mount("proc", "/proc", "proc", 0, NULL) != 0) {
        check_skip("no /proc of a process namespace can be had without the right to mount");
        return;
    }
    host();
}

static void container(void)
{
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) {
        check_skip("this system gives no process namespace");
        return;
    }
    int status = host_status(start_host(first_process));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        check_skipped = true;
    else
        CHECK_INT(status, 0);
}

int main(void)
{
    mark_commands();
    write_file("sleeper", "echo $$ >> pids; exec sleep 100000");
    in_child(subreaper, "subreaper");
    in_child(container, "container");
    end_marked();
    return check_done();
}
