/* Every function that reads a handle returns a harmless value for NULL. */
#include "check.h"

int main(void)
{
    CHECK_INT(fw_error_code(NULL), FW_OK);
    CHECK_STR(fw_error_message(NULL), "no error");
    CHECK(fw_error_path(NULL) == NULL);
    CHECK_INT(fw_error_line(NULL), 0);
    CHECK_INT(fw_error_column(NULL), 0);

    CHECK(fw_step_name(NULL) == NULL);
    CHECK(fw_step_type(NULL) == NULL);
    CHECK(fw_worker_name(NULL) == NULL);
    CHECK(fw_worker_type(NULL) == NULL);
    CHECK(fw_worker_volume(NULL) == NULL);
    CHECK(fw_worker_secrets(NULL) == NULL);
    CHECK(fw_worker_environment_values(NULL) == NULL);

    CHECK_INT(fw_pool_worker_count(NULL), 0);
    CHECK(fw_pool_worker_name(NULL, 0) == NULL);

    CHECK_INT(fw_exec_fd(NULL), -1);
    CHECK(fw_exec_data(NULL) == NULL);
    fw_exec_cancel(NULL);
    CHECK_INT(fw_event_kind(NULL), 0);
    CHECK_INT(fw_event_sequence(NULL), 0);
    CHECK(fw_event_time(NULL) == 0);
    CHECK_INT(fw_event_command(NULL), -1);
    CHECK_INT(fw_event_step(NULL), -1);
    CHECK_INT(fw_event_instance(NULL), -1);
    CHECK(fw_event_step_name(NULL) == NULL);
    CHECK_INT(fw_event_attempt(NULL), 0);
    CHECK_INT(fw_event_stream(NULL), 0);
    size_t length = 7;
    CHECK(fw_event_data(NULL, &length) == NULL);
    CHECK_INT(length, 0);
    CHECK(fw_event_data(NULL, NULL) == NULL);
    CHECK_INT(fw_event_is_continued(NULL), 0);

    CHECK(fw_result_name(NULL) == NULL);
    CHECK_INT(fw_result_index(NULL), -1);
    CHECK_INT(fw_result_instance(NULL), -1);
    CHECK_INT(fw_result_returncode(NULL), 1);
    CHECK_INT(fw_result_outcome(NULL), FW_STATUS_UNKNOWN);
    CHECK(fw_result_message(NULL) == NULL);
    CHECK_INT(fw_result_step_count(NULL), 0);
    CHECK(fw_result_step(NULL, 0) == NULL);
    CHECK_INT(fw_result_output_count(NULL, FW_STDOUT), 0);
    CHECK_INT(fw_result_output_incomplete(NULL, FW_STDOUT), 0);
    CHECK_INT(fw_result_output_count(NULL, FW_STDERR), 0);
    length = 7;
    CHECK(fw_result_output(NULL, FW_STDOUT, 0, &length) == NULL);
    CHECK_INT(length, 0);
    CHECK(fw_result_output(NULL, FW_STDERR, 0, NULL) == NULL);
    return check_done();
}
