/* The run directory is the working directory /workdir. Its top-level directories are also mounted as /NAME, except
 * symbolic links and names that images have. What a command writes there is in the run directory. */
#include "engine.h"

static void files(const char *kind)
{
    fw_result *result =
        BOX(in_container(kind, NULL), "pwd", "cat top data/in /data/in /workdir/data/in", "cat etc/mine tmp/mine",
            "sh -c 'echo out > made && echo deep > /data/out && mkdir -p results/a && echo b > results/a/b'",
            "cat made data/out", "grep -c root /etc/passwd", "sh -c 'ls /tmp /etc | grep mine; ls -d /.hidden'");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "/workdir\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "top\nin\nin\nin\n");
    CHECK_OUTPUT(result, FW_STDOUT, 2, "etc\ntmp\n");
    CHECK_OUTPUT(result, FW_STDOUT, 3, "out\ndeep\n");
    CHECK_OUTPUT(result, FW_STDOUT, 4, "1\n"); /* the image's own /etc */
    CHECK_OUTPUT(result, FW_STDOUT, 5, "/.hidden\n");
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 0);
    fw_result_free(result);
    check_file("made", "out\n");
    check_file("data/out", "deep\n");
    check_file("results/a/b", "b\n");
}

/** "A symbolic link is no directory here: a command could make one that leads anywhere." */
static void links(const char *kind)
{
    fw_result *result = BOX(in_container(kind, NULL), "ls /", "ls link", "cat /link/secret");
    CHECK_EXITED(result, 1);
    const char *top = fw_result_output(result, FW_STDOUT, 0, NULL);
    CHECK(top != NULL && strstr(top, "link") == NULL);
    CHECK_HAS(top, "data\n");
    fw_result_free(result);
}

/** Directories of the run directory with all these names hide nothing of the image. */
static void system_names(void)
{
    static const char *const names[] = {"bin",    "boot",  "dev", "home", "lib",  "lib32",  "lib64",
                                        "libx32", "media", "mnt", "opt",  "proc", "root",   "run",
                                        "sbin",   "srv",   "sys", "usr",  "var",  "workdir"};
    enum { COUNT = sizeof names / sizeof *names };
    for (int i = 0; i < COUNT; i++) {
        char file[64];
        make_directory(names[i]);
        snprintf(file, sizeof file, "%s/is-mine", names[i]);
        write_file(file, names[i]);
    }
    fw_result *result = BOX(NULL, "sh -c 'ls -d /*/is-mine; ls */is-mine | wc -l'");
    CHECK_EXITED(result, 0);
    char want[16];
    snprintf(want, sizeof want, "%d\n", COUNT);
    CHECK_OUTPUT(result, FW_STDOUT, 0, want);
    fw_result_free(result);
}

/** The mounted directories are those that existed when the step started, in later containers too. */
static void strange_names(void)
{
    make_directory("with space, comma:colon=");
    make_directory("\xc3\xbc");
    write_file("\xc3\xbc/file", "u\n");
    write_file("with space, comma:colon=/file", "s\n");
    fw_result *result = BOX(NULL, "cat '/with space, comma:colon=/file' /\xc3\xbc/file");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "s\nu\n");
    fw_result_free(result);
}

static void in_directory(const char *rundir, fw_outcome outcome, const char *part)
{
    fw_worker *worker = box_worker(NULL, NULL);
    fw_step *step = box_step(BUSYBOX, NULL, (const char *const[]){"cat top", NULL});
    fw_result *result = run_exec(worker, step, NULL, rundir);
    CHECK_INT(fw_result_outcome(result), outcome);
    if (outcome == FW_EXITED)
        CHECK_OUTPUT(result, FW_STDOUT, 0, part);
    else
        CHECK_MESSAGE(result, "run directory", rundir, part);
    fw_result_free(result);
    fw_step_free(step);
    fw_worker_free(worker);
}

static void places(void)
{
    char *path = check_path("none"), *file = check_path("top"), *link = check_path("elsewhere");
    in_directory(path, FW_SPAWN_FAILED, "No such file");
    in_directory(file, FW_SPAWN_FAILED, "not a directory");
    /* The path of the run directory may contain a symbolic link, or be relative. */
    REQUIRE(symlink(check_dir(), link) == 0);
    in_directory(link, FW_EXITED, "top\n");
    unlink(link);
    char *back = getcwd(NULL, 0);
    REQUIRE(back != NULL && chdir(check_dir()) == 0);
    in_directory(".", FW_EXITED, "top\n");
    REQUIRE(chdir(back) == 0);
    free(back);
    free(link);
    free(file);
    free(path);
}

int main(void)
{
    engine_host();
    write_file("top", "top\n");
    const char *const names[] = {"data", "etc", "tmp", ".hidden"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        make_directory(names[i]);
    write_file("data/in", "in\n");
    write_file("etc/mine", "etc\n");
    write_file("tmp/mine", "tmp\n");
    for (int i = 0; i < 2; i++)
        files(box_kinds[i]);
    char *link = check_path("link"), *elsewhere = check_path("data/elsewhere");
    REQUIRE(mkdir(elsewhere, 0777) == 0 && symlink(elsewhere, link) == 0);
    write_file("data/elsewhere/secret", "secret\n");
    for (int i = 0; i < 2; i++)
        links(box_kinds[i]);
    free(elsewhere);
    free(link);
    places();
    system_names();
    strange_names();
    return engine_done();
}
