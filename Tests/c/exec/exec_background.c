/*
 * Processes that a command leaves running are ended and reported, waited for, or left alone, as `background` says. The
 * command's own output is complete in each case.
 */
#include "processes.h"
#include "run.h"

/** Starts `sleep` in the background, writes its number to a file, and continues when the forked shell has become
 *  `sleep`. */
#define SLEEPS "sleep 100000 & echo $$! > pid; until grep -q sleep /proc/$$!/comm; do :; done; "

static json_t *with(const char *background)
{
    return json_pack("{s:{s:s, s:f}}", "options", "background", background, "grace", 10.0);
}

static long written_pid(const char *name)
{
    char *path = check_path(name), *text = wait_for_line(path);
    long pid = atol(text);
    free(text);
    free(path);
    return pid;
}

static void is_ended(const fw_result *result, size_t command, bool want)
{
    json_t *ended = run_command_member(result, command, "is_ended");
    CHECK(json_is_boolean(ended) && json_is_true(ended) == want);
    json_decref(ended);
}

/** Checks that the result names one process that was ended with this signal, and that the process is gone. */
static void reported(const fw_result *result, size_t command, long pid, const char *name, const char *signal)
{
    json_t *survivors = run_command_member(result, command, "survivors");
    CHECK_JSON(survivors, json_pack("[{s:I, s:s, s:s}]", "pid", (json_int_t)pid, "name", name, "ended_by", signal));
    json_decref(survivors);
    CHECK_INT(run_command_int(result, command, "survivors_count"), 1);
    is_ended(result, command, true);
    json_t *main = run_command_member(result, command, "ended_by"); /* the main process was not ended */
    CHECK(json_is_null(main));
    json_decref(main);
    CHECK(!process_runs(pid));
}

static void killed_by_default(void)
{
    fw_result *result = RUN(SLEEPS "echo done", "echo next");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "done\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "next\n");
    reported(result, 0, written_pid("pid"), "sleep", "TERM");
    json_t *none = run_command_member(result, 1, "survivors");
    CHECK_JSON(none, json_array());
    json_decref(none);
    fw_result_free(result);
}

static void killed_after_a_failure(void)
{
    fw_result *result = RUN_WITH(with("kill"), SLEEPS "exit 4");
    CHECK_EXITED(result, 4);
    reported(result, 0, written_pid("pid"), "sleep", "TERM");
    fw_result_free(result);
    result = RUN_WITH(with("kill"), SLEEPS "kill -9 $$$$");
    CHECK_INT(fw_result_returncode(result), -9);
    reported(result, 0, written_pid("pid"), "sleep", "TERM");
    fw_result_free(result);
}

static void killed_when_term_is_ignored(void)
{
    fw_result *result = RUN_WITH(json_pack("{s:{s:f}}", "options", "grace", 0.1),
                                 "rm -f pid; sh -c 'trap \"\" TERM; echo $$$$ > pid; while :; do :; done' &"
                                 " while ! test -s pid; do :; done; echo done");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "done\n");
    reported(result, 0, written_pid("pid"), "sh", "KILL");
    fw_result_free(result);
}

static void may_clean_up(void)
{
    fw_result *result =
        RUN_WITH(with("kill"),
                 "rm -f pid; sh -c 'trap \"echo cleaned; exit\" TERM; echo $$$$ > pid; while :; do sleep 0.01; done' &"
                 " while ! test -s pid; do :; done; echo done");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "done\ncleaned\n");
    CHECK(!process_runs(written_pid("pid")));
    fw_result_free(result);
}

static void stopped_ones_go_too(void)
{
    fw_result *result = RUN_WITH(json_pack("{s:{s:f}}", "options", "grace", 0.1), SLEEPS "kill -STOP $$!");
    CHECK_EXITED(result, 0);
    CHECK(!process_runs(written_pid("pid")));
    fw_result_free(result);
}

/** The result names the first 32, and counts all. */
static void all_of_many(void)
{
    fw_result *result =
        RUN_WITH(with("kill"), "i=0; while [ $$i -lt 50 ]; do sleep 100000 & echo $$! >> pids; i=$$((i+1)); done");
    CHECK_EXITED(result, 0);
    json_t *survivors = run_command_member(result, 0, "survivors");
    CHECK_INT(json_array_size(survivors), 32);
    json_decref(survivors);
    CHECK_INT(run_command_int(result, 0, "survivors_count"), 50);
    char *path = check_path("pids"), *text = read_file(path), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line != '\0';)
        CHECK(!process_runs(atol(line)));
    free(text);
    free(path);
    fw_result_free(result);
}

static void waited_for(void)
{
    /* The background process waits until the main process of the command has exited. */
    fw_result *result = RUN_WITH(with("wait"),
                                 "shell=$$$$; "
                                 "(while grep -q '^State:.[RSD]' /proc/$$shell/status; do sleep 0.01; done 2>/dev/null;"
                                 " echo late) & echo now",
                                 "echo next");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "now\nlate\n");
    CHECK_OUTPUT(result, FW_STDOUT, 1, "next\n");
    fw_result_free(result);
}

static void left_alone(void)
{
    fw_result *result = RUN_WITH(with("leave"), SLEEPS "echo done");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "done\n");
    long pid = written_pid("pid");
    CHECK(process_runs(pid));
    json_t *survivors = run_command_member(result, 0, "survivors");
    CHECK_JSON(survivors, json_pack("[{s:I, s:s, s:n}]", "pid", (json_int_t)pid, "name", "sleep", "ended_by"));
    json_decref(survivors);
    is_ended(result, 0, false);
    kill((pid_t)pid, SIGKILL);
    while (process_runs(pid))
        a_moment();
    fw_result_free(result);
}

int main(void)
{
    killed_by_default();
    killed_after_a_failure();
    killed_when_term_is_ignored();
    may_clean_up();
    stopped_ones_go_too();
    all_of_many();
    waited_for();
    left_alone();
    return check_done();
}
