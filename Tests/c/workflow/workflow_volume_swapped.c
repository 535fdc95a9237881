/*
 * No file leaves a volume, and none is written out of one, if somebody replaces a folder by a link to a folder outside
 * while files are copied: at any moment when the library opens something, with openat2() and without it.
 */
#include "refuse.h"
#include "workflow.h"

#include <sys/stat.h>

static const char *_Atomic swapped;
static _Atomic int swap_at, calls;
static bool has_openat2;

/** Puts the link in the place of the folder: nobody can say sooner than now what the kernel finds under the name. */
static int on_open(pid_t pid, int argument)
{
    (void)pid, (void)argument;
    if (++calls == swap_at) {
        char folder[64], link[64], away[64];
        snprintf(folder, sizeof folder, "%s/d", swapped);
        snprintf(link, sizeof link, "%s/link", swapped);
        snprintf(away, sizeof away, "%s/away", swapped);
        rename(folder, away); /* The folder may not be there yet. */
        REQUIRE(rename(link, folder) == 0);
    }
    return has_openat2 ? 0 : ENOSYS;
}

static void make_volume(const char *name, bool has_folder)
{
    char path[64];
    REQUIRE(mkdir(name, 0777) == 0);
    snprintf(path, sizeof path, "%s/link", name);
    REQUIRE(symlink("../outside", path) == 0);
    snprintf(path, sizeof path, "%s/d", name);
    REQUIRE(!has_folder || mkdir(path, 0777) == 0);
}

static void check_file(const char *path, const char *want)
{
    char *text = read_file(path);
    if (text != NULL)
        CHECK_STR(text, want);
    free(text);
}

/** Copies the files of a folder from one volume to the next, and swaps the folder at this call: returns whether there
 *  was such a call. */
static bool copy(const char *volume, int at)
{
    make_volume("src", true);
    make_volume("dst", strcmp(volume, "dst") != 0 || at % 2 == 0);
    REQUIRE(mkdir("outside", 0777) == 0);
    write_file("src/d/a", "inside");
    write_file("src/d/b", "inside");
    write_file("outside/a", "outside");
    char *pool_text = NULL;
    REQUIRE(asprintf(&pool_text,
                     "{\"workers\": [{\"name\": \"w\", \"type\": \"subprocess\", \"volume\": \"dst\"}], "
                     "\"managers\": {\"s\": \"w\"}, \"volumes\": ["
                     "{\"name\": \"src\", \"type\": \"fs\", \"args\": {\"basedir\": \"%s/src\"}, \"files\": [\"d/\"]}, "
                     "{\"name\": \"dst\", \"type\": \"fs\", \"args\": {\"basedir\": \"%s/dst\"}}]}",
                     check_dir(), check_dir()) > 0);
    fw_pool *pool = check_pool(pool_text);
    swapped = volume;
    calls = 0;
    swap_at = at;
    fw_result *result = workflow_run("{\"steps\": [{\"name\": \"s\", \"files\": {\"inputs\": [\"d/\"]}, "
                                     "\"action\": {\"environment\": \"\", \"commands\": [\"true\"]}}]}",
                                     pool, NULL, NULL);
    swap_at = 0;
    bool was_called = calls >= at;
    fw_outcome outcome = fw_result_outcome(result);
    CHECK(outcome == FW_EXITED || (was_called && (outcome == FW_VOLUME_FAILED || outcome == FW_INPUT_MISSING)));
    check_file("outside/a", "outside");
    CHECK(!has_file("outside/b"));
    /* Under the name of the copy may be the link itself, but no copy of what it leads to. */
    struct stat info;
    if (lstat("dst/d", &info) == 0 && S_ISDIR(info.st_mode))
        check_file("dst/d/a", "inside");
    check_file("dst/away/a", "inside");
    fw_result_free(result);
    fw_pool_free(pool);
    free(pool_text);
    REQUIRE(system("rm -r src dst outside") == 0);
    return was_called;
}

static void swaps(void)
{
    /* The first run starts the supervisor, which needs no filter. */
    fw_result_free(workflow_run("{\"steps\": [" STEP("a", "true") "]}", NULL, NULL, NULL));
    REQUIRE(chdir(check_dir()) == 0);
    refuse_some(SYS_openat2, on_open);
    static const char *const volumes[] = {"src", "dst"};
    for (size_t volume = 0; volume < 2; volume++) {
        int at = 1;
        while (copy(volumes[volume], at))
            at++;
        CHECK(at > 4);
    }
}

static void with_openat2(void)
{
    has_openat2 = true;
    swaps();
}

int main(void)
{
    in_child(with_openat2, "with openat2");
    in_child(swaps, "without openat2");
    return check_done();
}
