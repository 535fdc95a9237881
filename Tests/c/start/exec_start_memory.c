/*
 * With an `output_limit`, the amount of output does not affect the host's memory: neither if the host only waits for
 * the result, so that nobody takes the events, nor if it takes them.
 *
 * not under asan tsan valgrind: the program measures memory, and these tools use some
 */
#include "events.h"

enum { MEGABYTES = 300, ALLOWED_KIB = 32 * 1024 };

/** The most memory that this process has had, in KiB. */
static long peak(void)
{
    char *text = read_file("/proc/self/status");
    const char *line = text ? strstr(text, "\nVmHWM:") : NULL;
    REQUIRE(line != NULL);
    long value = strtol(line + 7, NULL, 10);
    free(text);
    CHECK(value > 0);
    return value;
}

static fw_exec *writing(const char *options)
{
    char command[200];
    snprintf(command, sizeof command, "yes | head -c %dM | tee /dev/stderr", MEGABYTES);
    return START(options, command);
}

static void is_bounded(fw_exec *exec, long before)
{
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    CHECK_INT(run_command_int(result, 0, "stdout_bytes"), (long long)MEGABYTES << 20);
    CHECK_INT(run_command_int(result, 0, "stderr_bytes"), (long long)MEGABYTES << 20);
    fw_result_free(result);
    fw_exec_free(exec);
    long grown = peak() - before;
    if (!CHECK(grown < ALLOWED_KIB))
        fprintf(stderr, "    grown by %ld KiB\n", grown);
}

static void waited_for(long before)
{
    is_bounded(writing("{\"output_limit\": 100000}"), before);
}

static void waited_for_in_turns(long before)
{
    fw_exec *exec = writing("{\"output_limit\": 100000, \"events\": \"lines\"}");
    event_skip(exec, FW_EVENT_STEP_STARTED);
    fw_result *result = NULL;
    for (fw_status status = FW_OK; status == FW_OK && result == NULL;)
        status = fw_exec_wait(exec, 0.001, &result, NULL);
    fw_result_free(result);
    is_bounded(exec, before);
}

static void taken(long before)
{
    fw_exec *exec = writing("{\"output_limit\": 100000}");
    size_t total = 0;
    for (fw_event *event; (event = event_next(exec, -1)) != NULL; fw_event_free(event)) {
        size_t length = 0;
        fw_event_data(event, &length);
        total += length;
    }
    CHECK_INT(total, (size_t)MEGABYTES << 21);
    is_bounded(exec, before);
}

int main(void)
{
    long before = peak();
    waited_for(before);
    waited_for_in_turns(before);
    taken(before);
    return check_done();
}
