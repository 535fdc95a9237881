/* An error stays valid after the documents and handles of the call that returned it are freed, and after other errors
 * are freed. */
#include "check.h"

int main(void)
{
    fw_error *errors[3] = {NULL, NULL, NULL};
    fw_step *step = NULL;
    char *text = strdup("{\n \"name\": \"s\",\n \"acton\": {}\n}");
    CHECK_INT(fw_step_create(text, FW_ZERO_TERMINATED, &step, &errors[0]), FW_E_DOCUMENT);
    memset(text, 'x', strlen(text));
    CHECK_INT(fw_step_create(text, FW_ZERO_TERMINATED, &step, &errors[1]), FW_E_SYNTAX);
    free(text);
    CHECK_INT(fw_step_create(NULL, 0, &step, &errors[2]), FW_E_INVALID);

    CHECK_INT(fw_error_code(errors[0]), FW_E_DOCUMENT);
    CHECK_HAS(fw_error_message(errors[0]), "did you mean \"action\"?");
    CHECK(fw_error_message(errors[0]) == fw_error_message(errors[0]));
    CHECK_STR(fw_error_path(errors[0]), "/acton");
    CHECK_INT(fw_error_line(errors[0]), 3);
    CHECK_INT(fw_error_column(errors[0]), 2);
    fw_error_free(errors[0]);

    CHECK_INT(fw_error_code(errors[1]), FW_E_SYNTAX);
    CHECK(fw_error_path(errors[1]) == NULL);
    CHECK_INT(fw_error_line(errors[1]), 1);
    CHECK_INT(fw_error_column(errors[1]), 1);
    fw_error_free(errors[1]);

    CHECK_INT(fw_error_code(errors[2]), FW_E_INVALID);
    CHECK_INT(fw_error_line(errors[2]), 0);
    fw_error_free(errors[2]);
    return check_done();
}
