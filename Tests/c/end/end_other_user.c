/*
 * A process of another user, which the host has no right to signal, does not delay the end of a step. The result
 * arrives, and says that the process is still running.
 */
#include "descendants.h"

#include <grp.h>

static char place[] = "/tmp/flowworker-user-XXXXXX";
static char program[64], pids_path[64], command[400];

/** A program with the set-user-ID bit, that root owns. */
static int become_root(const char *path)
{
    if (setresuid(0, 0, 0) != 0)
        return 1;
    if (strcmp(path, "can") == 0)
        return 0;
    FILE *file = fopen(path, "ae");
    if (file == NULL || fprintf(file, "%ld\n", (long)getpid()) < 0 || fclose(file) != 0)
        return 1;
    for (;;)
        pause();
}

static void check_left(const fw_result *result)
{
    json_t *ended = run_command_member(result, 0, "is_ended");
    CHECK(json_is_false(ended));
    json_decref(ended);
    json_t *told = run_command_member(result, 0, "survivors"), *survivor;
    size_t index;
    int found = 0;
    json_array_foreach(told, index, survivor) {
        long pid = (long)json_integer_value(json_object_get(survivor, "pid"));
        if (strcmp(name_of(pid), "becomes-root") != 0)
            continue;
        found++;
        CHECK(json_is_null(json_object_get(survivor, "ended_by")));
    }
    CHECK_INT(found, 1);
    json_decref(told);
}

static void as_nobody(void)
{
    REQUIRE(setgroups(0, NULL) == 0 && setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    snprintf(command, sizeof command, "%s can", program);
    if (system(command) != 0) {
        check_skip("this system does not let a program become root's");
        return;
    }
    fw_worker *worker = run_worker(json_pack("{s:{s:f}}", "options", "grace", 0.1));
    snprintf(command, sizeof command, "%s %s & until test -s %s; do sleep 0.01; done; exit 3", program, pids_path,
             pids_path);
    fw_step *step = run_step("s", (const char *const[]){command, NULL});
    fw_result *result = run_exec(worker, step, NULL, "/");
    CHECK_EXITED(result, 3);
    check_left(result);
    fw_result_free(result);
    fw_step_free(step);

    snprintf(command, sizeof command, "exec %s %s", program, pids_path);
    step = run_step("s", (const char *const[]){command, NULL});
    fw_exec *exec = NULL;
    REQUIRE(fw_exec_start(worker, step, NULL, "/", NULL, 0, &exec, NULL) == FW_OK);
    FILE *file;
    for (int lines = 0; lines < 2; a_moment()) {
        lines = 0;
        REQUIRE((file = fopen(pids_path, "re")) != NULL);
        for (int byte; (byte = fgetc(file)) != EOF;)
            lines += byte == '\n';
        fclose(file);
    }
    fw_exec_cancel(exec);
    result = finish_step(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    CHECK(fw_result_returncode(result) != 0);
    json_t *ended = run_command_member(result, 0, "is_ended");
    CHECK(json_is_false(ended));
    json_decref(ended);
    fw_result_free(result);
    fw_step_free(step);
    fw_worker_free(worker);
}

int main(int count, char **arguments)
{
    if (count > 1)
        return become_root(arguments[1]);
    if (geteuid() != 0) {
        check_skip("only root can make a program of root's");
        return check_done();
    }
    mark_commands();
    umask(022);
    REQUIRE(mkdtemp(place) != NULL && chmod(place, 0755) == 0);
    snprintf(program, sizeof program, "%s/becomes-root", place);
    snprintf(pids_path, sizeof pids_path, "%s/pids", place);
    char copy[300];
    snprintf(copy, sizeof copy, "cp /proc/%d/exe %s && chmod 4755 %s && : > %s", (int)getpid(), program, program,
             pids_path);
    REQUIRE(system(copy) == 0);
    in_child(as_nobody, "as_nobody");
    end_marked();
    CHECK_NOBODY();
    nftw(place, check_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return check_done();
}
