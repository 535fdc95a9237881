/* A command that cannot be started has an event for its end, but none for its start, and the step then ends without
 * events of later commands. If the step itself cannot be started, because its run directory is missing, there are
 * only the events of its start and its end. */
#include "events.h"

/** Checks that the events have this shape, and that the result and the last event of a command say that it could not be
 *  started. */
static void fails(fw_exec *exec, const char *shape, const char *part)
{
    struct events all = events_of(exec);
    fw_result *result = exec_result(exec);
    CHECK_SHAPE(&all, shape);
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_INT(fw_result_returncode(result), 1);
    CHECK_HAS(fw_result_message(result), part);
    for (size_t i = 0; i < all.count; i++)
        CHECK_INT(fw_event_sequence(all.list[i]), i + 1);
    if (all.count >= 2) {
        const fw_event *before = all.list[all.count - 2];
        json_t *json = event_json(before), *command = json_object_get(json, "result");
        if (fw_event_kind(before) == FW_EVENT_COMMAND_ENDED) {
            CHECK_STR(json_string_value(json_object_get(command, "outcome")), "spawn_failed");
            CHECK(json_is_null(json_object_get(command, "pid")));
        }
        json_decref(json);
        json = event_json(all.list[all.count - 1]);
        CHECK_STR(json_string_value(json_object_get(json, "outcome")), "spawn_failed");
        CHECK_INT(json_integer_value(json_object_get(json, "returncode")), 1);
        CHECK_STR(json_string_value(json_object_get(json, "message")), fw_result_message(result));
        json_decref(json);
    }
    fw_result_free(result);
    events_free(&all);
    fw_exec_free(exec);
}

static void without_rundir(const char *rundir, const char *part)
{
    fw_worker *worker = run_worker(NULL);
    fw_step *step = run_step("s", (const char *const[]){"echo one", "echo two", NULL});
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_start(worker, step, NULL, rundir, NULL, 0, &exec, &error), &error);
    REQUIRE(exec != NULL);
    fails(exec, "step_started step_ended", part);
    fw_step_free(step);
    fw_worker_free(worker);
}

int main(void)
{
    without_rundir("/nonexistent/directory", "/nonexistent/directory");
    without_rundir("", "\"\"");
    without_rundir("/dev/null", "/dev/null");
    fails(START_WITH(json_pack("{s:{s:s}}", "options", "shell", "/nonexistent/shell"), NULL, "echo one", "echo two"),
          "step_started 0:ended step_ended", "/nonexistent/shell");

    /* The second command cannot be started, because the first one removes the shell. */
    char *shell = check_path("shell");
    REQUIRE(symlink("/bin/sh", shell) == 0);
    fails(START_WITH(json_pack("{s:{s:s}}", "options", "shell", shell), NULL, "echo one; rm shell", "echo two",
                     "echo three"),
          "step_started 0:started 0:output 0:ended 1:ended step_ended", shell);
    free(shell);
    return check_done();
}
