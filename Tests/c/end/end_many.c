/*
 * 500 processes that a command leaves behind are all ended, even if some ignore TERM, and even if many steps end at the
 * same time. The result counts all of them and names the first 32.
 */
#include "descendants.h"

enum { STEPS = 12 };

static void many_of_one(void)
{
    int count = check_times(500, 100);
    char command[300];
    write_file("deaf", "trap '' TERM; echo $$ >> pids; exec sleep 100000");
    snprintf(command, sizeof command,
             "i=0; while [ $$i -lt %d ]; do sleep 100000 & echo $$! >> pids;"
             " if [ $$((i %% 10)) -eq 0 ]; then setsid sh deaf & fi; i=$$((i + 1)); done;"
             " until test $$(wc -l < pids) -eq %d; do sleep 0.01; done",
             count, count + count / 10);
    fw_result *result = RUN_WITH(json_pack("{s:{s:f}}", "options", "grace", 1.0), command);
    CHECK_NOBODY();
    CHECK_EXITED(result, 0);
    CHECK_INT(read_pids("pids", NULL, 0), count + count / 10);
    CHECK_INT(run_command_int(result, 0, "survivors_count"), count + count / 10);
    json_t *survivors = run_command_member(result, 0, "survivors");
    CHECK_INT(json_array_size(survivors), 32);
    json_decref(survivors);
    fw_result_free(result);
}

static void many_steps_at_once(void)
{
    fw_exec *steps[STEPS];
    remove_file("pids");
    for (int i = 0; i < STEPS; i++)
        steps[i] = BEGIN_WITH(json_pack("{s:{s:f}}", "options", "grace", 0.3),
                              "setsid sh deaf & setsid sh deaf & exec sh deaf");
    long pids[3 * STEPS];
    wait_for_pids("pids", pids, 3 * STEPS);
    for (int i = 0; i < STEPS; i++)
        fw_exec_cancel(steps[i]);
    for (int i = 0; i < STEPS; i++) {
        fw_result *result = finish_step(steps[i]);
        CHECK_ENDED(result, FW_CANCELLED, "KILL");
        CHECK_INT(run_command_int(result, 0, "survivors_count"), 2);
        fw_result_free(result);
    }
    CHECK_NOBODY();
}

int main(void)
{
    mark_commands();
    many_of_one();
    many_steps_at_once();
    end_marked();
    return check_done();
}
