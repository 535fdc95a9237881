/* An exec keeps a pointer of the host's, which a loop over many execs finds again. */
#include "events.h"

enum { COUNT = 8 };

int main(void)
{
    static int numbers[COUNT];
    fw_exec *execs[COUNT];
    for (int i = 0; i < COUNT; i++) {
        execs[i] = START(NULL, "true");
        CHECK(fw_exec_data(execs[i]) == NULL);
        fw_exec_set_data(execs[i], &execs);
        fw_exec_set_data(execs[i], &numbers[i]);
    }
    for (int i = 0; i < COUNT; i++) {
        CHECK(fw_exec_data(execs[i]) == &numbers[i]);
        int *number = fw_exec_data(execs[i]);
        (*number)++;
        fw_result *result = exec_result(execs[i]);
        CHECK_EXITED(result, 0);
        fw_result_free(result);
        /* The end of the step changes nothing. */
        CHECK(fw_exec_data(execs[i]) == &numbers[i]);
        fw_exec_set_data(execs[i], NULL);
        CHECK(fw_exec_data(execs[i]) == NULL);
        fw_exec_free(execs[i]);
    }
    for (int i = 0; i < COUNT; i++)
        CHECK_INT(numbers[i], 1);

    /* An exec of a workflow has one as well. */
    fw_workflow *workflow = NULL;
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_workflow_create("{\"steps\": []}", FW_ZERO_TERMINATED, &workflow, &error), &error);
    CHECK_OK(fw_workflow_start(workflow, NULL, NULL, check_dir(), NULL, 0, &exec, &error), &error);
    fw_exec_set_data(exec, &numbers[3]);
    fw_result_free(exec_result(exec));
    CHECK(fw_exec_data(exec) == &numbers[3]);
    fw_exec_free(exec);
    fw_workflow_free(workflow);

    fw_exec_set_data(NULL, &numbers[0]);
    CHECK(fw_exec_data(NULL) == NULL);
    return check_done();
}
