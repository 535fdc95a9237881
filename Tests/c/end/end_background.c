/*
 * The option `background` covers all processes that a command leaves running, including those in other sessions and
 * daemons. `kill` ends them. `wait` waits for them and keeps their output; a timeout or a cancel also ends a step that
 * is waiting for them.
 */
#include "descendants.h"

/* This command leaves two processes that wait for the file "go": a child in its own session, and a daemon. */
#define LEAVES_TWO                                    \
    "setsid sh waits & setsid sh -c 'sh waits & :'; " \
    "until test -e pids && test $$(wc -l < pids) -eq 2; do sleep 0.01; done; "

static json_t *background(const char *what, double timeout)
{
    json_t *options = json_pack("{s:s, s:f}", "background", what, "grace", 1.0);
    if (timeout > 0)
        json_object_set_new(options, "timeout", json_real(timeout));
    return json_pack("{s:o}", "options", options);
}

static void prepare(void)
{
    remove_file("go");
    remove_file("pids");
    write_file("waits", "echo $$ >> pids; until test -e go; do sleep 0.01; done; echo late");
}

static void killed(void)
{
    prepare();
    fw_result *result = RUN_WITH(background("kill", 0), LEAVES_TWO "echo now; exit 3");
    CHECK_NOBODY();
    CHECK_EXITED(result, 3);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "now\n");
    CHECK(run_command_int(result, 0, "survivors_count") >= 2);
    fw_result_free(result);
}

/** The main process has ended, but the step runs until the file "go" exists. */
static void waited_for(void)
{
    prepare();
    remove_file("main");
    fw_exec *exec = BEGIN_WITH(background("wait", 0), LEAVES_TWO "echo now; echo $$$$ > main; exit 3", ": > next");
    long main = wait_for_pid("main");
    while (lives(main))
        a_moment();
    fw_result *result = NULL;
    CHECK_INT(fw_exec_wait(exec, 0.2, &result, NULL), FW_OK);
    CHECK(result == NULL);
    long pids[2];
    CHECK_INT(read_pids("pids", pids, 2), 2);
    CHECK(lives(pids[0]) && lives(pids[1]));
    write_file("go", "");
    result = finish_step(exec);
    CHECK_NOBODY();
    CHECK_EXITED(result, 3);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "now\nlate\nlate\n");
    json_t *ended = run_command_member(result, 0, "is_ended");
    CHECK(json_is_true(ended));
    json_decref(ended);
    CHECK(!has_file("next"));
    fw_result_free(result);
}

/** The result says of each process which signal ended it. */
static void check_survivors(const fw_result *result)
{
    long pids[2];
    CHECK_INT(read_pids("pids", pids, 2), 2);
    json_t *told = run_command_member(result, 0, "survivors"), *survivor;
    size_t index;
    int found = 0;
    json_array_foreach(told, index, survivor) {
        json_int_t pid = json_integer_value(json_object_get(survivor, "pid"));
        if (pid == pids[0] || pid == pids[1])
            found++;
        CHECK_STR(json_string_value(json_object_get(survivor, "ended_by")), "TERM");
    }
    CHECK_INT(found, 2);
    json_decref(told);
}

/** A timeout that ends background processes is a failure, even if the main process has exited with status 0. */
static void waited_for_until_a_timeout(void)
{
    for (double timeout = 0.5;; timeout *= 2) {
        prepare();
        remove_file("main");
        fw_result *result = RUN_WITH(background("wait", timeout), LEAVES_TWO "echo now; : > main", ": > next");
        bool there = has_file("main");
        CHECK_NOBODY();
        CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
        CHECK(fw_result_returncode(result) != 0);
        CHECK(!has_file("next"));
        if (there) {
            CHECK_OUTPUT(result, FW_STDOUT, 0, "now\n");
            check_survivors(result);
        }
        fw_result_free(result);
        if (there)
            return;
    }
}

static void waited_for_until_a_cancel(void)
{
    prepare();
    remove_file("main");
    fw_exec *exec = BEGIN_WITH(background("wait", 0), LEAVES_TWO "echo now; echo $$$$ > main", ": > next");
    long main = wait_for_pid("main");
    while (lives(main))
        a_moment();
    fw_exec_cancel(exec);
    fw_result *result = finish_step(exec);
    CHECK_NOBODY();
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    CHECK(fw_result_returncode(result) != 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "now\n");
    CHECK(!has_file("next"));
    check_survivors(result);
    fw_result_free(result);
}

/** A cancel during a command ends all processes, even with `leave` and `wait`. */
static void ended_with_the_main_process(void)
{
    const char *const all[] = {"kill", "wait", "leave"};
    for (int i = 0; i < 3; i++) {
        prepare();
        fw_exec *exec = BEGIN_WITH(background(all[i], 0), LEAVES_TWO ": > main; exec sleep 100000");
        long pids[2];
        wait_for_pids("pids", pids, 2);
        fw_exec_cancel(exec);
        fw_result *result = finish_step(exec);
        CHECK_NOBODY();
        CHECK_ENDED(result, FW_CANCELLED, "TERM");
        fw_result_free(result);
    }
}

int main(void)
{
    mark_commands();
    killed();
    waited_for();
    waited_for_until_a_timeout();
    waited_for_until_a_cancel();
    ended_with_the_main_process();
    end_marked();
    return check_done();
}
