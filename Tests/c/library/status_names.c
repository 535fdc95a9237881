/* Each status has its name, which is that of its constant, and no other number has a name. */
#include "check.h"

int main(void)
{
    for (fw_status number = -300; number < 300; number++) {
        const char *want = number == FW_OK              ? "ok"
                           : number == FW_E_INVALID     ? "invalid"
                           : number == FW_E_SYNTAX      ? "syntax"
                           : number == FW_E_DOCUMENT    ? "document"
                           : number == FW_E_UNKNOWN     ? "unknown"
                           : number == FW_E_STEP_TYPE   ? "step_type"
                           : number == FW_E_TEMPLATE    ? "template"
                           : number == FW_E_UNSUPPORTED ? "unsupported"
                           : number == FW_E_NO_MEMORY   ? "no_memory"
                           : number == FW_E_FORKED      ? "forked"
                           : number == FW_E_ENDED       ? "ended"
                                                        : NULL;
        CHECK_STR(fw_status_name(number), want);
        CHECK(fw_status_name(number) == fw_status_name(number));
    }
    CHECK(fw_status_name(INT32_MAX) == NULL && fw_status_name(INT32_MIN) == NULL);
    return check_done();
}
