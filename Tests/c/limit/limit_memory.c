/* An allocation beyond `memory` fails, and the program may report it: the step has the program's exit status and
 * message. Below the limit, or without it, the same program succeeds. */
#include "run.h"

#define ALLOCATES(size) "LC_ALL=C dd if=/dev/zero of=/dev/null count=1 bs=" size

static json_t *memory(long long bytes)
{
    return json_pack("{s:{s:{s:I}}}", "options", "limits", "memory", (json_int_t)bytes);
}

static void allocations_fail(void)
{
    fw_result *result = RUN_WITH(memory(64 << 20), "echo before", ALLOCATES("100M"), "echo after");
    CHECK_EXITED(result, 1);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 1);
    CHECK_HAS(fw_result_output(result, FW_STDERR, 0, NULL), "memory exhausted");
    CHECK_HAS(fw_result_message(result), "command 2 of 3");
    fw_result_free(result);
}

static void what_fits_does_not(void)
{
    fw_result *result = RUN_WITH(memory(64 << 20), ALLOCATES("20M"));
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    result = RUN(ALLOCATES("100M"));
    CHECK_EXITED(result, 0);
    fw_result_free(result);
}

/** The limit applies to each process separately: both dd processes hold 40 MiB at the same time. */
static void for_each_process(void)
{
    fw_result *result = RUN_WITH(memory(64 << 20), "dd if=/dev/zero bs=40M count=1 iflag=fullblock |"
                                                   " dd bs=40M count=1 iflag=fullblock | wc -c");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "41943040\n");
    fw_result_free(result);
}

/** If even the shell has no room, the step fails, and the host and the next step are not affected. */
static void no_room_at_all(void)
{
    fw_result *result = RUN_WITH(memory(4096), "echo never");
    CHECK(fw_result_outcome(result) == FW_SIGNALED || fw_result_outcome(result) == FW_SPAWN_FAILED ||
          fw_result_outcome(result) == FW_EXITED);
    check_failed_at_start(result);
}

int main(void)
{
    allocations_fail();
    what_fits_does_not();
    for_each_process();
    no_room_at_all();
    return check_done();
}
