/* `on` and `codes` say after which outcomes and exit codes a step is tried again. */
#include "events.h"

/** Returns the number of retries of a step with `max` 2. */
static int attempts(const char *retries, const char *options, const char *command, fw_outcome outcome)
{
    json_t *members = json_loads(options, 0, NULL);
    json_t *rule = json_loads(retries, 0, NULL);
    REQUIRE(members != NULL && rule != NULL);
    json_object_set_new(rule, "max", json_integer(2));
    json_object_set_new(rule, "delay", json_integer(0));
    json_object_set_new(members, "retries", rule);
    fw_result *result = RUN_WITH(json_pack("{s:o}", "options", members), command);
    bool good = CHECK_INT(fw_result_outcome(result), outcome);
    json_t *json = run_json(result), *list = json_object_get(json, "attempts");
    int count = (int)json_array_size(list);
    for (int i = 0; i < count; i++)
        good &= CHECK_STR(json_string_value(json_object_get(json_array_get(list, (size_t)i), "outcome")),
                          fw_outcome_name(outcome));
    if (!good)
        fprintf(stderr, "    %s, %s, %s\n", retries, options, command);
    json_decref(json);
    fw_result_free(result);
    return count;
}

static void by_outcome(void)
{
    static const struct {
        const char *name, *options, *command;
        fw_outcome outcome;
    } ends[] = {
        {"exited", "{}", "exit 3", FW_EXITED},
        {"signaled", "{}", "kill -9 $$$$", FW_SIGNALED},
        {"timeout", "{\"timeout\": 0.1}", "sleep 600", FW_TIMEOUT},
        {"spawn_failed", "{\"shell\": \"/nonexistent/shell\"}", "true", FW_SPAWN_FAILED},
        /* The parent of a command is its monitor. */
        {"status_unknown", "{}", "kill -9 $$PPID; exec sleep 600", FW_STATUS_UNKNOWN},
    };
    const size_t count = sizeof ends / sizeof *ends;
    for (size_t i = 0; i < count; i++) {
        char only[64], others[128] = "";
        snprintf(only, sizeof only, "{\"on\": [\"%s\"]}", ends[i].name);
        for (size_t j = 0; j < count; j++) {
            size_t length = strlen(others);
            if (j != i)
                snprintf(others + length, sizeof others - length, "%s\"%s\"", length ? ", " : "{\"on\": [",
                         ends[j].name);
        }
        strcat(others, "]}");
        CHECK_INT(attempts("{}", ends[i].options, ends[i].command, ends[i].outcome), 2);
        CHECK_INT(attempts(only, ends[i].options, ends[i].command, ends[i].outcome), 2);
        CHECK_INT(attempts(others, ends[i].options, ends[i].command, ends[i].outcome), 0);
    }
}

static void by_code(void)
{
    CHECK_INT(attempts("{\"codes\": [75, 3]}", "{}", "exit 3", FW_EXITED), 2);
    CHECK_INT(attempts("{\"codes\": [75, 3]}", "{}", "exit 75", FW_EXITED), 2);
    CHECK_INT(attempts("{\"codes\": [75, 3]}", "{}", "exit 1", FW_EXITED), 0);
    CHECK_INT(attempts("{\"codes\": [255]}", "{}", "exit 255", FW_EXITED), 2);
    CHECK_INT(attempts("{\"codes\": [75], \"on\": [\"exited\"]}", "{}", "exit 75", FW_EXITED), 2);
    /* `codes` lists exit codes only: signal 9 is neither code 9 nor code 137. */
    CHECK_INT(attempts("{\"codes\": [9, 137], \"on\": [\"exited\"]}", "{}", "kill -9 $$$$", FW_SIGNALED), 0);
    CHECK_INT(attempts("{\"codes\": [75]}", "{}", "kill -9 $$$$", FW_SIGNALED), 2);
    CHECK_INT(attempts("{\"codes\": [75], \"on\": [\"signaled\"]}", "{}", "exit 75", FW_EXITED), 0);
}

/** `on` and `codes` apply to each attempt. */
static void until_another_code(void)
{
    json_t *members = json_pack("{s:{s:{s:i, s:i, s:[i]}}}", "options", "retries", "max", 9, "delay", 0, "codes", 75);
    fw_result *result = RUN_WITH(members, "echo x >> tries; test $$(wc -l < tries) -ge 4 || exit 75; exit 4");
    CHECK_EXITED(result, 4);
    json_t *json = run_json(result);
    CHECK_INT(json_array_size(json_object_get(json, "attempts")), 3);
    json_decref(json);
    fw_result_free(result);
}

/** A program that could not be started may exist at the next attempt. */
static void a_shell_that_comes_late(void)
{
    char *shell = check_path("shell");
    json_t *members = json_pack("{s:{s:s, s:{s:i, s:i}}}", "options", "shell", shell, "retries", "max", 1, "delay", 0);
    fw_exec *exec = START_WITH(members, NULL, "echo started");
    fw_event_free(event_wait_for(exec, FW_EVENT_RETRY));
    CHECK_INT(symlink("/bin/sh", shell), 0);
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "started\n");
    fw_result_free(result);
    fw_exec_free(exec);
    free(shell);
}

int main(void)
{
    by_outcome();
    by_code();
    until_another_code();
    a_shell_that_comes_late();
    return check_done();
}
