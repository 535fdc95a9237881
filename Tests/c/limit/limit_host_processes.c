/*
 * If no further process can be created, because of the user's limit or of the control group, the command has the
 * outcome `spawn_failed`, whichever of the processes failed to start; it is never reported as killed. The message has
 * the system call, the limit and its value, `retries` on "spawn_failed" apply, and steps run again when there is room.
 *
 * not under tsan: the filter does not reach threads of tsan
 */
#include "descendants.h"
#include "refuse.h"

#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char *refused_name;
static atomic_int refused, refuse_times;

static int some_clones(pid_t pid, int argument)
{
    (void)argument;
    if (refused >= refuse_times || !is_named(pid, refused_name))
        return 0;
    refused++;
    return EAGAIN;
}

static void check_unstarted(fw_result *result)
{
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_HAS(fw_result_message(result), "clone");
    CHECK_HAS(fw_result_message(result), strerror(EAGAIN));
    CHECK_HAS(fw_result_message(result), "RLIMIT_NPROC is ");
    json_t *all = run_json(result);
    CHECK(json_is_string(json_object_get(json_object_get(all, "explanation"), "likely")));
    json_decref(all);
    fw_result_free(result);
}

static json_t *retries(void)
{
    return json_pack("{s:{s:{s:i, s:[s], s:f}}}", "options", "retries", "max", 3, "on", "spawn_failed", "delay", 0.01);
}

/** The supervisor cannot start a monitor, or a monitor cannot start a command. */
static void refused_clones(void)
{
    refuse_some(SYS_clone, some_clones);
    for (int round = 0; round < 3; round++) {
        refuse_times = 1 << 30;
        for (int i = 0; i < 3; i++)
            check_unstarted(RUN("echo one; : > ran"));
        CHECK(!has_file("ran"));
        refused = 0;
        refuse_times = 2;
        fw_result *result = RUN_WITH(retries(), "exit 3");
        CHECK_EXITED(result, 3);
        json_t *all = run_json(result);
        CHECK_INT(json_array_size(json_object_get(all, "attempts")), 2);
        json_decref(all);
        fw_result_free(result);
        refuse_times = 0;
        result = RUN("exit 3");
        CHECK_EXITED(result, 3);
        fw_result_free(result);
        /* The next round needs a new monitor, so the idle ones are killed. */
        long pids[64];
        int count = find_watchers(getpid(), "fw-monitor", pids, 64);
        for (int i = 0; i < count && i < 64; i++)
            kill((pid_t)pids[i], SIGKILL);
        watchers_until_gone("fw-monitor", pids, count);
    }
}

enum { STEPS = 60, LIMIT = 40 };

static char place[] = "/tmp/flowworker-limit-XXXXXX";

/** Uses the kernel's limit of processes for a user who may not enter check_dir(). */
static void many(void)
{
    uid_t user = 200000 + (uid_t)getpid();
    if (getuid() != 0) {
        check_skip("only root can become a user who has no other processes");
        return;
    }
    REQUIRE(chmod(place, 0777) == 0);
    REQUIRE(setgroups(0, NULL) == 0 && setresgid(user, user, user) == 0 && setresuid(user, user, user) == 0);
    REQUIRE(setrlimit(RLIMIT_NPROC, &(struct rlimit){LIMIT, 1000}) == 0);
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"echo >> ran; exec sleep 0.2", NULL});
    fw_exec *steps[STEPS];
    int ran = 0;
    for (int i = 0; i < STEPS; i++)
        REQUIRE(fw_exec_start(worker, step, NULL, place, NULL, 0, &steps[i], NULL) == FW_OK);
    for (int i = 0; i < STEPS; i++) {
        fw_result *result = finish_step(steps[i]);
        if (fw_result_outcome(result) == FW_EXITED) {
            ran++;
            fw_result_free(result);
        } else {
            check_unstarted(result);
        }
    }
    char path[100];
    struct stat status;
    snprintf(path, sizeof path, "%s/ran", place);
    /* Perhaps no command has run, if monitors have used up the limit. */
    CHECK_INT(stat(path, &status) == 0 ? status.st_size : 0, ran);
    fw_step_free(step);
    REQUIRE(setrlimit(RLIMIT_NPROC, &(struct rlimit){1000, 1000}) == 0);
    step = run_step("s", (const char *const[]){"sleep 0.01; exit 3", NULL});
    fw_result *result = run_exec(worker, step, NULL, place);
    CHECK_EXITED(result, 3);
    fw_result_free(result);
    fw_step_free(step);
    fw_worker_free(worker);
}

int main(void)
{
    mark_commands();
    refused_name = "fw-supervisor";
    in_child(refused_clones, "the supervisor's");
    refused_name = "fw-monitor";
    in_child(refused_clones, "the monitors'");
    REQUIRE(mkdtemp(place) != NULL);
    in_child(many, "many");
    CHECK_NOBODY();
    nftw(place, check_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return check_done();
}
