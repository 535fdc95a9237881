/* 64 MiB on each stream at the same time arrive completely, each stream in order. */
#include "run.h"

/** Checks lines of 16 bytes with numbers that count from 0. */
static void counts(const fw_result *result, fw_stream stream, size_t lines)
{
    size_t length = 0;
    const char *bytes = fw_result_output(result, stream, 0, &length);
    if (!CHECK_INT(length, lines * 16) || !CHECK(bytes != NULL))
        return;
    for (size_t i = 0; i < lines; i++) {
        char line[32];
        snprintf(line, sizeof line, "%015zu\n", i);
        if (memcmp(bytes + i * 16, line, 16) != 0) {
            CHECK_STR(bytes + i * 16, line);
            return;
        }
    }
}

int main(void)
{
    size_t lines = (size_t)check_times(4 << 20, 1 << 16);
    char command[200];
    snprintf(command, sizeof command, "numbers() { seq -f %%015.0f 0 %zu; }; numbers & numbers >&2; wait", lines - 1);
    fw_result *result = RUN(command);
    CHECK_EXITED(result, 0);
    counts(result, FW_STDOUT, lines);
    counts(result, FW_STDERR, lines);
    CHECK_INT(run_command_int(result, 0, "stdout_bytes"), lines * 16);
    CHECK_INT(run_command_int(result, 0, "stderr_bytes"), lines * 16);
    fw_result_free(result);
    return check_done();
}
