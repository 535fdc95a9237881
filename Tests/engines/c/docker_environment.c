/* A command in a container has the environment of the image, the worker and the step, and nothing of the host's. Its
 * user is the image's, the host's, or the one that the options name. */
#include "engine.h"

static void environment(const char *kind)
{
    setenv("FW_TEST_OF_THE_HOST", "host", 1);
    fw_result *result = BOX_WITH(
        ENTRY, in_container(kind, like_json("{'shell': '/bin/sh'}")),
        like_json(
            "{'env': [{'key': 'A', 'value': 'worker'}, {'key': 'B', 'value': 'worker'}, {'key': 'N', 'value': 7}]}"),
        like_json("{'env': {'B': 'step', 'C': 'a \\'b\\' = \xc3\xbc\\n$(x) $C', 'EMPTY': ''}}"),
        "echo \"$$A $$B $$N $$FROM_IMAGE\"", "printf %s \"$$C\"", "env | grep -c ^EMPTY=$$",
        "echo \"[$$FW_TEST_OF_THE_HOST]$$PATH\"");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "worker step 7 yes\n");
    /* like_json() makes every ' a ". */
    CHECK_OUTPUT(result, FW_STDOUT, 1, "a \"b\" = \xc3\xbc\n$(x) $C");
    CHECK_OUTPUT(result, FW_STDOUT, 2, "1\n");
    CHECK_OUTPUT(result, FW_STDOUT, 3, "[]/bin:/sbin:/usr/bin\n");
    fw_result_free(result);
    /* Variables of the image may be replaced. */
    result = BOX_WITH(ENTRY, in_container(kind, like_json("{'shell': '/bin/sh'}")),
                      like_json("{'env': {'FROM_IMAGE': 'no'}}"), NULL, "echo $$FROM_IMAGE");
    CHECK_OUTPUT(result, FW_STDOUT, 0, "no\n");
    fw_result_free(result);
}

/** Runs a command as this user, and returns its user, group and HOME. */
static void user(const char *kind, const char *image, json_t *options, const char *want)
{
    json_object_set_new(options, "shell", json_string("/bin/sh"));
    fw_result *result =
        BOX_OF(image, in_container(kind, options), "echo $$(id -u) $$(id -g) $$HOME; id -u > made; pwd");
    char all[200];
    snprintf(all, sizeof all, "%s\n/workdir\n", want);
    if (!CHECK_EXITED(result, 0) || !CHECK_OUTPUT(result, FW_STDOUT, 0, all))
        fprintf(stderr, "    for the user %s in the container of a %s\n", want, kind);
    fw_result_free(result);
    char *path = check_path("made");
    struct stat info;
    if (CHECK(stat(path, &info) == 0))
        CHECK_INT(info.st_uid, strtoul(want, NULL, 10));
    unlink(path);
    free(path);
}

static void users(const char *kind)
{
    chmod(check_dir(), 0777);
    user(kind, BUSYBOX, json_object(), "0 0 /root");
    user(kind, ENTRY, like_json("{'user': 'image'}"), "1000 1000 /home/worker");
    user(kind, BUSYBOX, like_json("{'user': 'worker'}"), "1000 1000 /home/worker");
    user(kind, BUSYBOX, like_json("{'user': '1000:0'}"), "1000 0 /home/worker");
    user(kind, BUSYBOX, like_json("{'user': '12:34'}"), "12 34 /");
    /* "the user and group of this process, with HOME=/workdir" */
    char own[64];
    snprintf(own, sizeof own, "%d %d /workdir", (int)geteuid(), (int)getegid());
    user(kind, ENTRY, like_json("{'user': 'host'}"), own);
    /* A HOME that the worker or the step sets is not replaced. */
    fw_result *result = BOX_WITH(BUSYBOX, in_container(kind, like_json("{'shell': '/bin/sh', 'user': 'host'}")),
                                 like_json("{'env': {'HOME': '/elsewhere'}}"), NULL, "echo $$HOME");
    CHECK_OUTPUT(result, FW_STDOUT, 0, "/elsewhere\n");
    fw_result_free(result);
}

/** The group that may use the engine's socket. */
static void become_other(void)
{
    struct stat info;
    REQUIRE(stat(engine_host() + strlen("unix://"), &info) == 0);
    REQUIRE(setegid(info.st_gid) == 0 && seteuid(1234) == 0);
}

/** If the host is not root, the files of its commands belong to the host's user. */
static void other_host(void)
{
    /* The host's user may have no access to the parent of the tests' directory. */
    check_directory[0] = '\0';
    setenv("TMPDIR", "/tmp", 1);
    chmod(check_dir(), 0777);
    become_other();
    char own[64];
    snprintf(own, sizeof own, "1234 %d /workdir", (int)getegid());
    for (int i = 0; i < 2; i++)
        user(box_kinds[i], ENTRY, like_json("{'user': 'host'}"), own);
    NOTHING_LEFT(engine_host());
    REQUIRE(seteuid(0) == 0);
    check_done();
}

/** Whether such a host can use the engine, whose socket also belongs to the group. */
static void reaches(void)
{
    become_other();
    CHECK(faccessat(AT_FDCWD, engine_host() + strlen("unix://"), W_OK, AT_EACCESS) == 0);
}

static void unknown(const char *kind)
{
    fw_result *result = BOX(in_container(kind, like_json("{'user': 'nobody-knows'}")), "true");
    CHECK_ENDED(result, FW_SPAWN_FAILED, 1);
    CHECK_MESSAGE(result, "nobody-knows");
    fw_result_free(result);
}

int main(void)
{
    engine_host();
    /* These parts change their process, so they run in children. They run before the first step, because a process
     * that is forked later cannot use the library. */
    in_child(reaches, "an engine that a host reaches that is not root");
    in_child(other_host, "a host that is not root");
    for (int i = 0; i < 2; i++) {
        environment(box_kinds[i]);
        users(box_kinds[i]);
        unknown(box_kinds[i]);
    }
    return engine_done();
}
