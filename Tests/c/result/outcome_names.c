/* Each outcome has its name, and no other number has a name. */
#include "check.h"

int main(void)
{
    for (fw_outcome number = -300; number < 300; number++) {
        const char *want = number == FW_EXITED           ? "exited"
                           : number == FW_SIGNALED       ? "signaled"
                           : number == FW_TIMEOUT        ? "timeout"
                           : number == FW_CANCELLED      ? "cancelled"
                           : number == FW_OOM            ? "oom"
                           : number == FW_SPAWN_FAILED   ? "spawn_failed"
                           : number == FW_ENGINE_FAILED  ? "engine_failed"
                           : number == FW_OUTPUT_MISSING ? "output_missing"
                           : number == FW_STATUS_UNKNOWN ? "status_unknown"
                           : number == FW_INPUT_MISSING  ? "input_missing"
                           : number == FW_VOLUME_FAILED  ? "volume_failed"
                                                         : NULL;
        CHECK_STR(fw_outcome_name(number), want);
        CHECK(fw_outcome_name(number) == fw_outcome_name(number));
    }
    CHECK(fw_outcome_name(INT32_MAX) == NULL && fw_outcome_name(INT32_MIN) == NULL);
    return check_done();
}
