/* The two streams are separate. The result has one piece of output for each command that wrote to a stream, in order.
 * */
#include "run.h"

int main(void)
{
    fw_result *result = RUN("echo one; echo two >&2", "true", "printf three", "echo four >&2", "exit 0");
    CHECK_EXITED(result, 0);
    CHECK(fw_result_message(result) == NULL);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 2);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "one\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "three");
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 2);
    CHECK_OUTPUT(result, FW_STDERR, 0, "two\n");
    CHECK_OUTPUT(result, FW_STDERR, 1, "four\n");

    /* There is no output beyond the last piece. */
    size_t length = 5;
    CHECK(fw_result_output(result, FW_STDOUT, 2, &length) == NULL);
    CHECK_INT(length, 0);
    CHECK(fw_result_output(result, FW_STDERR, SIZE_MAX, NULL) == NULL);
    const fw_stream none[] = {0, 3, -1, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        length = 5;
        CHECK_INT(fw_result_output_count(result, none[i]), 0);
        CHECK(fw_result_output(result, none[i], 0, &length) == NULL);
        CHECK_INT(length, 0);
    }
    fw_result_free(result);

    result = RUN("true");
    CHECK_EXITED(result, 0);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    CHECK_INT(fw_result_output_count(result, FW_STDERR), 0);
    fw_result_free(result);
    return check_done();
}
