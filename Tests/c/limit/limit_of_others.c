/* The limits of a worker apply to its own commands only: neither to the host nor to commands of another worker, at
 * the same time or later. */
#include "processes.h"
#include "run.h"

/** Returns the kernel's table of the limits of this process. */
static char *own_limits(void)
{
    char *text = read_file("/proc/self/limits");
    REQUIRE(text != NULL);
    return text;
}

static json_t *tight(void)
{
    return json_pack("{s:{s:{s:i, s:I, s:i, s:i, s:i}}}", "options", "limits", "cpu_time", 1000, "memory",
                     (json_int_t)1 << 40, "open_files", 30, "file_size", 1 << 20, "processes", 3000);
}

/** Returns the soft and the hard limit of a row of the table. */
static void has_row(const char *table, const char *name, const char *soft, const char *hard)
{
    char got_soft[64] = "", got_hard[64] = "";
    const char *row = strstr(table, name);
    if (!CHECK(row != NULL && sscanf(row + strlen(name), "%63s %63s", got_soft, got_hard) == 2))
        return;
    bool good = CHECK_STR(got_soft, soft);
    good &= CHECK_STR(got_hard, hard);
    if (!good)
        fprintf(stderr, "    %s\n", name);
}

int main(void)
{
    char *before = own_limits();
    fw_worker *limited = run_worker(tight());
    fw_worker *other = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"cat /proc/self/limits", NULL});
    fw_step *waits = run_step("s", (const char *const[]){"cat /proc/self/limits; sleep 600", NULL});

    fw_exec *running = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_start(limited, waits, NULL, check_dir(), NULL, 0, &running, &error), &error);
    REQUIRE(running != NULL);
    for (bool seen = false; !seen;) {
        fw_event *event = NULL;
        CHECK_OK(fw_exec_next_event(running, -1, &event, &error), &error);
        REQUIRE(event != NULL);
        seen = fw_event_kind(event) == FW_EVENT_OUTPUT;
        fw_event_free(event);
    }

    char *during = own_limits();
    CHECK_STR(during, before);
    fw_result *result = run_exec(other, step, NULL, check_dir());
    CHECK_OUTPUT(result, FW_STDOUT, 0, before);
    fw_result_free(result);
    fw_exec_cancel(running);
    CHECK_OK(fw_exec_wait(running, -1, &result, &error), &error);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    fw_result_free(result);
    fw_exec_free(running);

    /* The workers take turns, so one monitor may serve both. */
    for (int i = 0; i < 5; i++) {
        result = run_exec(limited, step, NULL, check_dir());
        CHECK_EXITED(result, 0);
        const char *table = fw_result_output(result, FW_STDOUT, 0, NULL);
        REQUIRE(table != NULL);
        has_row(table, "Max cpu time", "1000", "1001");
        has_row(table, "Max file size", "1048576", "1048576");
        has_row(table, "Max processes", "3000", "3000");
        has_row(table, "Max open files", "30", "30");
        has_row(table, "Max address space", "1099511627776", "1099511627776");
        fw_result_free(result);
        result = run_exec(other, step, NULL, check_dir());
        CHECK_OUTPUT(result, FW_STDOUT, 0, before);
        fw_result_free(result);
    }
    char *after = own_limits();
    CHECK_STR(after, before);
    free(after);
    free(during);
    free(before);
    fw_step_free(waits);
    fw_step_free(step);
    fw_worker_free(other);
    fw_worker_free(limited);
    return check_done();
}
