/* Every function that frees accepts NULL. */
#include "check.h"

int main(void)
{
    fw_string_free(NULL);
    fw_error_free(NULL);
    fw_step_free(NULL);
    fw_context_free(NULL);
    fw_pool_free(NULL);
    fw_worker_free(NULL);
    fw_exec_free(NULL);
    fw_event_free(NULL);
    fw_result_free(NULL);
    fw_workflow_free(NULL);
    return check_done();
}
