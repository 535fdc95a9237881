/* If a spill file cannot be created, or the disk is full, the result gives the reason. The step itself runs to its
 * end, and its output is read, kept and counted as usual. */
#include "processes.h"
#include "run.h"

#include <sched.h>
#include <sys/mount.h>

/** Gives the `spill_error` of the first command, to be released with free(). */
static char *run_into(const char *place, const char *rundir, json_int_t size)
{
    char first[200];
    snprintf(first, sizeof first, "{ printf a; head -c %lld /dev/zero | tr '\\0' .; printf z; } | tee /dev/stderr",
             (long long)size - 2);
    json_t *members = json_pack("{s:{s:s, s:i}}", "options", "spill", place, "output_limit", 4);
    const char *const commands[] = {first, "printf ab", "exit 5", "echo never", NULL};
    fw_result *result = run_commands(members, rundir, commands);
    CHECK_EXITED(result, 5);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 2);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "a..z");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "ab");
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 1);
    CHECK_OUTPUT(result, FW_STDERR, 0, "a..z");
    CHECK_INT(run_command_int(result, 0, "stdout_bytes"), size);
    CHECK_INT(run_command_int(result, 0, "stderr_bytes"), size);
    CHECK_INT(run_command_int(result, 0, "stdout_cut"), size - 4);
    CHECK_HAS(fw_result_message(result), "command 3 of 4");
    json_t *none = run_command_member(result, 1, "spill_error");
    CHECK(json_is_null(none));
    json_decref(none);
    json_t *error = run_command_member(result, 0, "spill_error");
    char *text = json_is_string(error) ? strdup(json_string_value(error)) : NULL;
    if (!CHECK(text != NULL && strchr(text, '\n') == NULL))
        fprintf(stderr, "    spill to %s\n", place);
    json_decref(error);
    fw_result_free(result);
    return text;
}

static void no_file(const char *place, const char *rundir, const char *reason)
{
    char *error = run_into(place, rundir, 300000);
    CHECK_HAS(error, place);
    CHECK_HAS(error, reason);
    free(error);
}

/** Another user may not write to a directory of root. */
static void without_permission(void)
{
    uid_t root = geteuid(), user = 100000 + (uid_t)getpid();
    if (root == 0)
        REQUIRE(setegid(user) == 0 && seteuid(user) == 0);
    no_file("/", "/", strerror(EACCES));
    if (root == 0)
        REQUIRE(seteuid(0) == 0 && setegid(0) == 0);
}

/** A file system of 1 MiB in a mount namespace of this process, where the system permits one. */
static void on_a_full_disk(void)
{
    char *place = check_path("disk");
    REQUIRE(mkdir(place, 0700) == 0);
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "", MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", place, "tmpfs", 0, "size=1m,mode=700") != 0) {
        check_skip("this system lets nobody mount a small file system");
        free(place);
        return;
    }
    char *error = run_into(place, NULL, 5000000);
    CHECK_HAS(error, strerror(ENOSPC));
    free(error);
    /* When there is room again, later files are complete. */
    nftw(place, check_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    json_t *members = json_pack("{s:{s:s, s:i}}", "options", "spill", place, "output_limit", 4);
    fw_result *result = RUN_WITH(members, "seq 100");
    json_t *none = run_command_member(result, 0, "spill_error");
    CHECK(json_is_null(none));
    json_decref(none);
    fw_result_free(result);
    CHECK_INT(umount2(place, MNT_DETACH), 0);
    free(place);
}

int main(void)
{
    char *missing = check_path("missing"), *file = check_path("file");
    no_file(missing, NULL, strerror(ENOENT));
    CHECK(access(missing, F_OK) != 0);
    FILE *made = fopen(file, "we");
    REQUIRE(made != NULL && fclose(made) == 0);
    no_file(file, NULL, strerror(ENOTDIR));
    free(missing);
    free(file);
    without_permission();
    on_a_full_disk();
    return check_done();
}
