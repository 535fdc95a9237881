/* The log: off by default, each level has its lines, each line is one line in the thread of the call, and has no
 * secret. */
#include "events.h"
#include "log.h"

static fw_error *error;

static void run_one(const char *command, json_t *members)
{
    fw_result_free(RUN_WITH(members, command));
}

static void levels(void)
{
    static const struct {
        fw_log_level level;
        int errors, warnings, infos, debugs;
    } expected[] = {
        {FW_LOG_ERROR, 1, 0, 0, 0},
        {FW_LOG_WARNING, 1, 1, 0, 0},
        /* Two steps begin, and one of them ends well. */
        {FW_LOG_INFO, 1, 1, 3, 0},
        /* Three commands begin and end. */
        {FW_LOG_DEBUG, 1, 1, 3, 6},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        log_begin(expected[i].level);
        run_one("true", NULL);
        run_one("exit 3", json_pack("{s:{s:{s:i, s:i}}}", "options", "retries", "max", 1, "delay", 0));
        bool good = CHECK_INT(log_count_of(FW_LOG_ERROR), expected[i].errors);
        good &= CHECK_INT(log_count_of(FW_LOG_WARNING), expected[i].warnings);
        good &= CHECK_INT(log_count_of(FW_LOG_INFO), expected[i].infos);
        good &= CHECK_INT(log_count_of(FW_LOG_DEBUG), expected[i].debugs);
        CHECK_INT(log_has(FW_LOG_ERROR, "step \"s\", command 1 of 1 exited with status 3: \"exit 3\""), 1);
        if (expected[i].level >= FW_LOG_WARNING)
            CHECK_INT(log_has(FW_LOG_WARNING, "exited with status 3: \"exit 3\"; it is tried again in 0 s"), 1);
        if (expected[i].level >= FW_LOG_INFO) {
            CHECK_INT(log_has(FW_LOG_INFO, "step \"s\" started on the subprocess worker \"w\""), 2);
            CHECK_INT(log_has(FW_LOG_INFO, "step \"s\" ended with return code 0 after "), 1);
        }
        if (expected[i].level >= FW_LOG_DEBUG) {
            CHECK_INT(log_has(FW_LOG_DEBUG, "step \"s\": command 1 begins: "), 3);
            CHECK_INT(log_has(FW_LOG_DEBUG, "exited with status 3 (process "), 2);
        }
        for (size_t k = 0; k < log_count; k++)
            CHECK(pthread_equal(log_lines[k].thread, pthread_self()));
        if (!good)
            log_show();
        log_end();
    }
}

static void one_line_without_secrets(void)
{
    log_begin(FW_LOG_DEBUG);
    run_one("printf 'a\\nhidden-value\\033[1m\\n' >&2; : hidden-value; exit 1",
            json_pack("{s:{s:s}, s:[s]}", "env", "TOKEN", "hidden-value", "secrets", "TOKEN"));
    CHECK_INT(log_count_of(FW_LOG_ERROR), 1);
    for (size_t i = 0; i < log_count; i++)
        CHECK(strstr(log_lines[i].text, "hidden") == NULL);
    log_end();

    /* Long text is shortened. */
    char *command = malloc(100001);
    REQUIRE(command != NULL);
    memset(command, 'x', 100000);
    memcpy(command, ": ", 2);
    command[100000] = '\0';
    log_begin(FW_LOG_DEBUG);
    run_one(command, NULL);
    for (size_t i = 0; i < log_count; i++)
        CHECK(strlen(log_lines[i].text) < 5000);
    log_end();
    free(command);
}

/** What a host cancels is no error. */
static void cancelled_steps(void)
{
    log_begin(FW_LOG_INFO);
    fw_exec *exec = START(NULL, "sleep 600");
    event_skip(exec, FW_EVENT_STEP_STARTED);
    event_skip(exec, FW_EVENT_COMMAND_STARTED);
    fw_exec_cancel(exec);
    exec_end(exec);
    CHECK_INT(log_count_of(FW_LOG_ERROR) + log_count_of(FW_LOG_WARNING), 0);
    CHECK_INT(log_has(FW_LOG_INFO, "because the step was cancelled"), 1);
    log_end();
}

static void supervisors(void)
{
    log_begin(FW_LOG_INFO);
    mode_t mask = umask(022);
    umask(mask ^ 011);
    run_one("true", NULL);
    umask(mask);
    CHECK_INT(log_has(FW_LOG_INFO, "a supervisor process was started, because the user, limits, umask"), 1);
    log_end();
}

static void workflows(void)
{
    fw_workflow *workflow = NULL;
    fw_result *result = NULL;
    char *state = check_path("state"), *rundir = check_path("run"), *options = NULL;
    REQUIRE(asprintf(&options, "{\"state\": \"%s\"}", state) > 0);
    const char *first =
        "{\"steps\": [{\"name\": \"a\", \"action\": {\"environment\": \"\", \"commands\": [\"echo 1\"]}},"
        " {\"name\": \"b\", \"action\": {\"environment\": \"\", \"commands\": [\"exit 1\"]}}]}";
    const char *second =
        "{\"steps\": [{\"name\": \"a\", \"action\": {\"environment\": \"\", \"commands\": [\"echo 2\"]}}]}";
    const char *const documents[] = {first, first, second};
    for (int i = 0; i < 3; i++) {
        log_begin(FW_LOG_INFO);
        CHECK_OK(fw_workflow_create(documents[i], FW_ZERO_TERMINATED, &workflow, &error), &error);
        CHECK_OK(fw_workflow_run(workflow, NULL, NULL, rundir, options, FW_ZERO_TERMINATED, &result, &error), &error);
        bool good = CHECK_INT(
            log_has(FW_LOG_INFO, i == 2 ? "the workflow started: 1 step" : "the workflow started: 2 steps"), 1);
        good &= CHECK_INT(log_has(FW_LOG_INFO, "step \"a\" is not run: an earlier run has completed it"), i == 1);
        good &= CHECK_INT(log_has(FW_LOG_INFO, "step \"a\" runs again: "), i == 2);
        good &= CHECK_INT(log_has(FW_LOG_ERROR, "the workflow ended with return code 1 after "), i < 2);
        /* The step and the workflow say it. */
        good &= CHECK_INT(log_has(FW_LOG_ERROR, "step \"b\", command 1 of 1 exited with status 1"), i < 2 ? 2 : 0);
        good &= CHECK_INT(log_has(FW_LOG_INFO, "the workflow ended with return code 0"), i == 2);
        if (!good)
            log_show();
        log_end();
        fw_result_free(result);
        fw_workflow_free(workflow);
    }
    free(options);
    free(state);
    free(rundir);
}

static void refusals(void)
{
    int before = log_released;
    CHECK_FAILS(fw_set_log(5, log_take, &log_lines, log_release, &error), FW_E_INVALID, &error, "no log level 5");
    CHECK_INT(log_released, before + 1);
    CHECK_FAILS(fw_set_log(-1, log_take, &log_lines, log_release, &error), FW_E_INVALID, &error, "no log level -1");
    CHECK_FAILS(fw_set_log(FW_LOG_INFO, NULL, &log_lines, log_release, &error), FW_E_INVALID, &error, "\"function\"");
    CHECK_INT(log_released, before + 3);
    /* A call that fails leaves the log as it was. */
    log_begin(FW_LOG_INFO);
    before = log_released;
    CHECK_INT(fw_set_log(FW_LOG_INFO, NULL, NULL, NULL, NULL), FW_E_INVALID);
    CHECK_INT(log_released, before);
    run_one("true", NULL);
    CHECK_INT(log_count_of(FW_LOG_INFO), 2);
    /* Another log replaces it, and a log without `release` is one as well. */
    CHECK_OK(fw_set_log(FW_LOG_INFO, log_take, &log_lines, NULL, &error), &error);
    CHECK_INT(log_released, before + 1);
    run_one("true", NULL);
    CHECK_INT(log_count_of(FW_LOG_INFO), 4);
    /* A payload that comes with FW_LOG_OFF is released at once. */
    CHECK_OK(fw_set_log(FW_LOG_OFF, log_take, &log_lines, log_release, &error), &error);
    CHECK_INT(log_released, before + 2);
    run_one("true", NULL);
    CHECK_INT(log_count_of(FW_LOG_INFO), 4);
    log_forget();
}

static void names(void)
{
    static const char *const all[] = {"off", "error", "warning", "info", "debug"};
    for (fw_log_level level = -300; level < 300; level++)
        CHECK_STR(fw_log_level_name(level), level >= 0 && level < 5 ? all[level] : NULL);
}

int main(void)
{
    /* The first supervisor is no matter of the levels. */
    log_begin(FW_LOG_INFO);
    run_one("true", NULL);
    CHECK_INT(log_has(FW_LOG_INFO, "a supervisor process was started, which runs the commands"), 1);
    log_end();
    levels();
    one_line_without_secrets();
    cancelled_steps();
    supervisors();
    workflows();
    refusals();
    names();
    return check_done();
}
