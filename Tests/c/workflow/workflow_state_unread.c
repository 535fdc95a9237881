/*
 * If a record of a state directory cannot be read, its steps run again, and the result gives the reason. A read that
 * fails for a moment is repeated.
 *
 * not under tsan: the filter does not reach threads of tsan
 */
#include "refuse.h"
#include "workflow.h"

static const char document[] = "{\"steps\": [" STEP("a", "echo one") ", " STEP("b", "echo two") "]}";

static pid_t host_pid;
static int refuse_error;
static atomic_int left;

static int records(pid_t pid, int fd)
{
    char link[64], path[4096];
    if (pid != host_pid)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size <= 0)
        return 0;
    path[size] = 0;
    if (strstr(path, "/state/step-2.json") == NULL || left <= 0)
        return 0;
    left--;
    return refuse_error;
}

static fw_result *run(void)
{
    fw_pool *pool = check_pool("[]");
    char *options = NULL;
    REQUIRE(asprintf(&options, "{\"state\": \"%s/state\"}", check_dir()) > 0);
    fw_result *result = workflow_run(document, pool, NULL, options);
    free(options);
    fw_pool_free(pool);
    return result;
}

static int kept_by(fw_result *result)
{
    json_t *json = run_json(result);
    int kept = (int)json_integer_value(json_object_get(json, "restored"));
    json_decref(json);
    return kept;
}

static void host(void)
{
    host_pid = getpid();
    refuse_some(SYS_read, records);
    fw_result_free(run());
    static const int passing[] = {EINTR, ENOMEM, EAGAIN};
    for (size_t at = 0; at < sizeof passing / sizeof *passing; at++) {
        refuse_error = passing[at];
        left = 3;
        fw_result *result = run();
        CHECK_EXITED(result, 0);
        CHECK_INT(kept_by(result), 2);
        CHECK_INT(left, 0);
        fw_result_free(result);
    }
    static const int lasting[] = {EIO, ENOMEM, EACCES};
    for (size_t at = 0; at < sizeof lasting / sizeof *lasting; at++) {
        refuse_error = lasting[at];
        left = 1000;
        fw_result *result = run();
        CHECK_INT(fw_result_outcome(result), FW_VOLUME_FAILED);
        CHECK_INT(kept_by(result), 1);
        char *place = NULL;
        REQUIRE(asprintf(&place, "the file \"step-2.json\" of the state directory \"%s/state\": ", check_dir()) > 0);
        CHECK_HAS(fw_result_message(result),
                  "the steps succeeded, but the workflow failed; its state could not be stored");
        CHECK_HAS(fw_result_message(result), place);
        CHECK_HAS(fw_result_message(result), strerror(refuse_error));
        free(place);
        fw_result_free(result);
        /* The unreadable record is replaced, and later runs work as usual. */
        left = 0;
        for (int kept = 1; kept < 3; kept++) {
            result = run();
            CHECK_EXITED(result, 0);
            CHECK_INT(kept_by(result), kept);
            fw_result_free(result);
        }
    }
}

int main(void)
{
    in_child(host, "host");
    return check_done();
}
