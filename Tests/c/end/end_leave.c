/*
 * With `background` `leave`, processes that a command leaves running survive the step, the exec, the worker and the
 * host, even if the host is killed. The result lists them, and anybody can still end them.
 *
 * not under valgrind: the supervisor is found by its pidfd of the host, which valgrind 3.19 does not have
 */
#include "descendants.h"

/* The command leaves a child, a child in a session of its own, and a daemon. */
#define LEAVES_THREE                                                                        \
    "sh sleeper & setsid sh sleeper & setsid sh -c 'sh sleeper & :';"                       \
    " until test -e pids && test $$(wc -l < pids) -eq 3; do sleep 0.01; done;"              \
    " for pid in $$(cat pids); do until grep -q sleep /proc/$$pid/comm; do :; done; done; " \
    "echo done"

static long pids[3];

static json_t *leave(void)
{
    return json_pack("{s:{s:s, s:f}}", "options", "background", "leave", "grace", 0.1);
}

static bool all_live(void)
{
    return lives(pids[0]) && lives(pids[1]) && lives(pids[2]);
}

static void told_and_left(void)
{
    remove_file("pids");
    fw_result *result = RUN_WITH(leave(), LEAVES_THREE, "echo next");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "done\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "next\n");
    CHECK_INT(read_pids("pids", pids, 3), 3);
    CHECK(all_live());
    json_t *told = run_command_member(result, 0, "survivors"), *survivor;
    size_t index;
    json_array_foreach(told, index, survivor) {
        json_int_t pid = json_integer_value(json_object_get(survivor, "pid"));
        CHECK(pid == pids[0] || pid == pids[1] || pid == pids[2]);
        CHECK_STR(json_string_value(json_object_get(survivor, "name")), "sleep");
        CHECK(json_is_null(json_object_get(survivor, "ended_by")));
    }
    CHECK_INT(json_array_size(told), 3);
    CHECK_INT(run_command_int(result, 0, "survivors_count"), 3);
    json_decref(told);
    const bool want[] = {false, true};
    for (size_t i = 0; i < 2; i++) {
        json_t *ended = run_command_member(result, i, "is_ended");
        CHECK(json_is_boolean(ended) && json_is_true(ended) == want[i]);
        json_decref(ended);
    }
    fw_result_free(result);

    /* The ends of other steps do not affect the processes that were left. */
    fw_exec *exec = BEGIN("exec sleep 100000");
    fw_exec_cancel(exec);
    fw_result_free(finish_step(exec));
    fw_result_free(RUN("exit 1"));
    CHECK(all_live());
    end_marked();
}

static void leaves_and_ends(void)
{
    fw_result *result = RUN_WITH(leave(), LEAVES_THREE);
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    write_file("there", "1\n");
}

static void leaves_and_waits(void)
{
    leaves_and_ends();
    for (;;)
        pause();
}

/** After the end of the host the supervisor and the idle monitors exit; the processes that were left stay. */
static void left_by_a_host(void (*body)(void), bool is_killed)
{
    remove_file("pids");
    remove_file("there");
    pid_t host = start_host(body);
    if (is_killed) {
        wait_for_pid("there");
        long supervisor = 0;
        CHECK_INT(find_watchers(host, "fw-supervisor", &supervisor, 1), 1);
        kill(host, SIGKILL);
        CHECK_INT(host_status(host), SIGKILL);
        watchers_until_gone("fw-supervisor", &supervisor, 1);
    } else {
        CHECK_INT(host_status(host), 0);
    }
    CHECK_INT(read_pids("pids", pids, 3), 3);
    CHECK(all_live());
    end_marked();
}

static void left_by_one_that_ends(void)
{
    left_by_a_host(leaves_and_ends, false);
}

static void left_by_one_that_is_killed(void)
{
    left_by_a_host(leaves_and_waits, true);
}

int main(void)
{
    mark_commands();
    write_file("sleeper", "echo $$ >> pids; exec sleep 100000");
    in_child(told_and_left, "told_and_left");
    in_child(left_by_one_that_ends, "left_by_one_that_ends");
    in_child(left_by_one_that_is_killed, "left_by_one_that_is_killed");
    end_marked();
    return check_done();
}
