/*
 * If PR_SET_CHILD_SUBREAPER is refused, so that orphans do not come to the monitor, the result reports the containment
 * `session`. Processes in the command's session are ended, waited for or left as the step says; others are unknown, so
 * `is_ended` is false.
 */
#include "descendants.h"
#include "refuse.h"

static int error_now;

static void check_reach(const fw_result *result)
{
    json_t *reach = run_command_member(result, 0, "containment"), *ended = run_command_member(result, 0, "is_ended");
    CHECK_STR(json_string_value(reach), "session");
    CHECK(json_is_false(ended));
    json_decref(ended);
    json_decref(reach);
}

static json_t *with(const char *background)
{
    return json_pack("{s:{s:s, s:f}}", "options", "background", background, "grace", 0.3);
}

static void host(void)
{
    refuse_call(SYS_prctl, PR_SET_CHILD_SUBREAPER, error_now);
    fw_result *result = RUN("echo one", "exit 3");
    CHECK_EXITED(result, 3);
    check_reach(result);
    CHECK(run_command_int(result, 0, "peak_memory") > 0);
    fw_result_free(result);

    /* The command leaves three processes in its session, one of which ignores TERM, and an orphan of an orphan. */
    result = RUN_WITH(with("kill"), "sleep 100000 & sh -c 'trap \"\" TERM; : > there; exec sleep 100000' &"
                                    " (sh -c 'sleep 100000 & : > deep; exec sleep 100000' &);"
                                    " until test -e there && test -e deep; do sleep 0.01; done; exit 7");
    CHECK_NOBODY();
    CHECK_EXITED(result, 7);
    check_reach(result);
    CHECK(run_command_int(result, 0, "survivors_count") >= 4);
    fw_result_free(result);

    result = RUN_WITH(with("wait"), "(sh -c 'sleep 0.3; echo late > late' &); exit 2");
    CHECK_EXITED(result, 2);
    CHECK(has_file("late"));
    check_reach(result);
    fw_result_free(result);

    result = RUN_WITH(with("leave"), "sleep 100000 & exit 2");
    CHECK_EXITED(result, 2);
    CHECK_INT(find_processes(is_marked, NULL, 0), 1);
    CHECK_INT(run_command_int(result, 0, "survivors_count"), 1);
    check_reach(result);
    fw_result_free(result);
    end_marked();

    fw_exec *exec = BEGIN_WITH(with("kill"), "trap '' TERM; (sleep 100000 &); : > began; while :; do sleep 0.01; done");
    while (!has_file("began"))
        a_moment();
    fw_exec_cancel(exec);
    result = finish_step(exec);
    CHECK_NOBODY();
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    CHECK(fw_result_returncode(result) != 0);
    check_reach(result);
    fw_result_free(result);

    /* A process that has left the session is not found, which `is_ended` false has announced. */
    result = RUN_WITH(with("kill"), "(setsid sleep 100000 > /dev/null 2>&1 &); echo hi");
    CHECK_EXITED(result, 0);
    check_reach(result);
    fw_result_free(result);
    end_marked();
    CHECK_NOBODY();
}

int main(void)
{
    static const int errors[] = {EPERM, EINVAL, ENOSYS};
    mark_commands();
    for (int at = 0; at < 3; at++) {
        error_now = errors[at];
        in_child(host, strerror(error_now));
        remove_file("there");
        remove_file("deep");
        remove_file("late");
        remove_file("began");
    }
    end_marked();
    return check_done();
}
