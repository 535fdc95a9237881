/*
 * The delay before an attempt needs a timer. If the system refuses one, the step is not tried again, and its result
 * says so.
 */
#include "refuse.h"
#include "run.h"

/** Members of a worker whose steps are tried again without a delay. */
#define RETRIES json_pack("{s:{s:{s:i, s:i}}}", "options", "retries", "max", 2, "delay", 0)

static void without_timer(void)
{
    /* The supervisor was started before the filter, so it can make timers. */
    fw_result_free(RUN("true"));
    refuse_call(SYS_timerfd_create, ANY_ARGUMENT, ENFILE);
    fw_result *result = RUN_WITH(RETRIES, "exit 3");
    CHECK_EXITED(result, 3);
    CHECK_HAS(fw_result_message(result), "exited with status 3");
    CHECK_HAS(fw_result_message(result), "it was not tried again: ");
    CHECK_HAS(fw_result_message(result), "timerfd_create");
    fw_result_free(result);
    result = RUN_WITH(RETRIES, "true");
    CHECK_EXITED(result, 0);
    CHECK(fw_result_message(result) == NULL);
    fw_result_free(result);
}

int main(void)
{
    in_child(without_timer, "without_timer");
    return check_done();
}
