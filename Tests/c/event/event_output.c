/* The output in the events, joined, equals the output in the result byte for byte: for both streams, for each
 * command, with NUL bytes, and for large output. */
#include "events.h"

/** Checks that events and result agree; returns the number of bytes on both streams over all commands. */
static size_t agree(const char *options, fw_exec *exec, int32_t commands)
{
    struct events all = events_of(exec);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    size_t total = 0;
    for (fw_stream stream = FW_STDOUT; stream <= FW_STDERR; stream++) {
        size_t piece = 0;
        for (int32_t command = 0; command < commands; command++) {
            size_t length = 0;
            char *bytes = events_output(&all, command, stream, &length);
            total += length;
            if (length > 0 && !CHECK_BYTES(result, stream, piece++, bytes, length))
                fprintf(stderr, "    with %s\n", options ? options : "no options");
            free(bytes);
        }
        CHECK_INT(fw_result_output_count(result, stream), piece);
    }
    fw_result_free(result);
    events_free(&all);
    fw_exec_free(exec);
    return total;
}

int main(void)
{
    char command[200];
    int lines = check_times(500000, 20000);
    snprintf(command, sizeof command, "numbers() { seq -f %%015.0f 1 %d; }; numbers & numbers >&2; wait", lines);

    /* `text` does not change output that is valid UTF-8. */
    const char *const options[] = {NULL, "{}", "{\"events\": \"chunks\"}", "{\"events\": \"text\"}"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        CHECK_INT(agree(options[i],
                        START(options[i], "printf 'a\\0b\\0'", "printf '\\0' >&2", "true",
                              "printf c; printf d >&2; printf e"),
                        4),
                  8);
        CHECK_INT(agree(options[i], START(options[i], command, "echo small", command), 3), (size_t)lines * 16 * 4 + 6);
    }

    /* Without `text`, bytes that are not UTF-8 arrive unchanged. */
    int size = check_times(8 << 20, 1 << 20);
    snprintf(command, sizeof command, "head -c %d /dev/urandom | tee /dev/stderr", size);
    CHECK_INT(agree(NULL, START(NULL, command), 1), (size_t)size * 2);
    return check_done();
}
