/* With `spill`, a stream that exceeds its `output_limit` is complete in a file of its own, which the result names; in
 * the result it is cut as usual. A shorter stream has no file. */
#include "processes.h"
#include "run.h"

#include <limits.h>

enum { LIMIT = 1000 };

#define LETTERS(count) "head -c " count " /dev/zero | tr '\\0' a"

static char *place; /* the directory */

static json_t *spills(int limit)
{
    return json_pack("{s:{s:s, s:i}}", "options", "spill", place, "output_limit", limit);
}

/** Removes the spill files, and returns how many there were. */
static int files(void)
{
    DIR *directory = opendir(place);
    REQUIRE(directory != NULL);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.' && strspn(entry->d_name, ".") == strlen(entry->d_name))
            continue;
        CHECK_INT(unlinkat(dirfd(directory), entry->d_name, 0), 0);
        count++;
    }
    closedir(directory);
    return count;
}

static const char *member_name(fw_stream stream, const char *what)
{
    static char name[32];
    snprintf(name, sizeof name, "%s_%s", stream == FW_STDOUT ? "stdout" : "stderr", what);
    return name;
}

/** Checks that the stream has no spill file. */
static void has_none(const fw_result *result, size_t command, fw_stream stream)
{
    json_t *file = run_command_member(result, command, member_name(stream, "file"));
    CHECK(json_is_null(file));
    json_decref(file);
}

/** Checks that the stream is in a file with exactly these bytes, which only the host's user can read. */
static void is_spilled(const fw_result *result, size_t command, fw_stream stream, const char *want, size_t length)
{
    json_t *file = run_command_member(result, command, member_name(stream, "file"));
    const char *path = json_string_value(file);
    if (!CHECK(path != NULL && strncmp(path, place, strlen(place)) == 0 && path[strlen(place)] == '/'))
        return;
    CHECK(strchr(path + strlen(place) + 1, '/') == NULL);
    struct stat info;
    CHECK_INT(lstat(path, &info), 0);
    CHECK(S_ISREG(info.st_mode));
    CHECK_INT(info.st_mode & 07777, 0600);
    CHECK_INT(info.st_uid, geteuid());
    CHECK_INT(info.st_nlink, 1);
    char *text = read_file(path);
    CHECK(text != NULL && info.st_size == (off_t)length && memcmp(text, want, length) == 0);
    free(text);
    json_decref(file);
    CHECK_INT(run_command_int(result, command, member_name(stream, "bytes")), length);
    CHECK_INT(run_command_int(result, command, member_name(stream, "cut")), length - LIMIT);
}

static void no_error(const fw_result *result, size_t command)
{
    json_t *error = run_command_member(result, command, "spill_error");
    CHECK(json_is_null(error));
    json_decref(error);
}

static void whole_files(void)
{
    static const char *const commands[] = {
        "seq 100000", "seq 100", "seq 200000 >&2; seq 10", "seq 50000; seq -f error%g 50000 >&2; exit 4",
        "echo never", NULL};
    fw_result *whole = run_commands(NULL, NULL, commands);
    fw_result *result = run_commands(spills(LIMIT), NULL, commands);
    CHECK_EXITED(result, 4);
    size_t out = 0, length = 0;
    for (size_t i = 0; i < 4; i++) {
        no_error(result, i);
        const char *want = fw_result_output(whole, FW_STDOUT, out, &length);
        size_t got_length = 0;
        const char *got = fw_result_output(result, FW_STDOUT, out++, &got_length);
        REQUIRE(want != NULL && got != NULL);
        if (length <= LIMIT) {
            has_none(result, i, FW_STDOUT);
            CHECK_OUTPUT(result, FW_STDOUT, out - 1, want);
            continue;
        }
        is_spilled(result, i, FW_STDOUT, want, length);
        CHECK(got_length == LIMIT && memcmp(got, want, LIMIT / 2) == 0 &&
              memcmp(got + LIMIT / 2, want + length - LIMIT / 2, LIMIT / 2) == 0);
    }
    has_none(result, 0, FW_STDERR);
    has_none(result, 1, FW_STDERR);
    is_spilled(result, 2, FW_STDERR, fw_result_output(whole, FW_STDERR, 0, NULL), 1288895);
    const char *errors = fw_result_output(whole, FW_STDERR, 1, &length);
    is_spilled(result, 3, FW_STDERR, errors, length);
    /* Four streams exceeded the limit, and there is no other file. */
    CHECK_INT(files(), 4);
    fw_result_free(result);
    fw_result_free(whole);
}

static void only_when_longer(void)
{
    fw_result *result = RUN_WITH(spills(LIMIT), LETTERS("1000"), LETTERS("999") " >&2", ":");
    CHECK_EXITED(result, 0);
    for (size_t i = 0; i < 3; i++) {
        has_none(result, i, FW_STDOUT);
        has_none(result, i, FW_STDERR);
        no_error(result, i);
    }
    CHECK_INT(files(), 0);
    fw_result_free(result);
    result = RUN_WITH(spills(LIMIT), LETTERS("1001"));
    char want[LIMIT + 1];
    memset(want, 'a', sizeof want);
    is_spilled(result, 0, FW_STDOUT, want, sizeof want);
    CHECK_INT(files(), 1);
    fw_result_free(result);
}

/** The host's umask changes the permissions of spill files neither for others nor for the host. */
static void of_the_host(mode_t mask)
{
    char want[3 * LIMIT];
    memset(want, 'a', sizeof want);
    mode_t before = umask(mask);
    fw_result *result = RUN_WITH(spills(LIMIT), LETTERS("3000"));
    umask(before);
    is_spilled(result, 0, FW_STDOUT, want, sizeof want);
    CHECK_INT(files(), 1);
    fw_result_free(result);
}

int main(void)
{
    char *path = check_path("spill");
    REQUIRE(mkdir(path, 0700) == 0);
    place = realpath(path, NULL);
    REQUIRE(place != NULL);
    whole_files();
    only_when_longer();
    of_the_host(0);
    of_the_host(077);
    free(place);
    free(path);
    return check_done();
}
