/* A limit above the hard limit of the host, which only a privileged host can set, makes the command fail to start,
 * with a message that says so. A limit equal to the hard limit is set.
 *
 * not under valgrind: valgrind keeps the limits of this process to itself
 */
#include "run.h"

#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const struct one {
    const char *key;
    int resource;
    json_int_t hard;
} ones[] = {
    {"cpu_time", RLIMIT_CPU, 100000},   {"memory", RLIMIT_AS, (json_int_t)1 << 50},
    {"open_files", RLIMIT_NOFILE, 200}, {"file_size", RLIMIT_FSIZE, (json_int_t)1 << 40},
    {"processes", RLIMIT_NPROC, 10000},
};

static fw_result *run_with(const char *key, json_int_t value)
{
    json_t *limits = json_pack("{s:{s:{s:I}}}", "options", "limits", key, value);
    return run_commands(limits, "/", (const char *const[]){"echo one", "echo two", NULL});
}

static void above_is_refused(const struct one *one)
{
    fw_result *result = run_with(one->key, one->hard + 1);
    bool good = CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    good &= CHECK_INT(fw_result_returncode(result), 1);
    good &= CHECK_HAS(fw_result_message(result), "limit");
    good &= CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    good &= CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), "limit");
    json_t *json = run_json(result);
    json_t *commands = json_object_get(json, "commands"), *first = json_array_get(commands, 0);
    good &= CHECK_INT(json_array_size(commands), 1);
    good &= CHECK_STR(json_string_value(json_object_get(first, "outcome")), "spawn_failed");
    good &= CHECK(json_is_null(json_object_get(first, "pid")));
    good &= CHECK(json_is_object(json_object_get(json, "exception")));
    if (!good)
        fprintf(stderr, "    %s above the hard limit\n", one->key);
    json_decref(json);
    fw_result_free(result);
}

static void same_is_set(const struct one *one)
{
    fw_result *result = run_with(one->key, one->hard);
    if (!CHECK_EXITED(result, 0))
        fprintf(stderr, "    %s as the hard limit\n", one->key);
    fw_result_free(result);
}

int main(void)
{
    uid_t user = 100000 + (uid_t)getpid();
    if (geteuid() == 0)
        REQUIRE(setgroups(0, NULL) == 0 && setresgid(user, user, user) == 0 && setresuid(user, user, user) == 0);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    for (size_t i = 0; i < sizeof ones / sizeof *ones; i++) {
        struct rlimit limit = {(rlim_t)ones[i].hard, (rlim_t)ones[i].hard};
        REQUIRE(setrlimit(ones[i].resource, &limit) == 0);
    }
    for (size_t i = 0; i < sizeof ones / sizeof *ones; i++) {
        above_is_refused(&ones[i]);
        same_is_set(&ones[i]);
    }
    return check_done();
}
