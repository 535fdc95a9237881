/* fw_exec_start() refuses an invalid step as fw_worker_exec() does: with a status and an error, without an exec, and
 * without starting anything. */
#include "events.h"

static char *marker;

static void refuses(const char *worker_text, const char *step_text, const char *options, fw_status code,
                    const char *path, int line, int column, const char *part)
{
    fw_worker *worker = check_worker(worker_text);
    fw_step *step = check_step(step_text);
    fw_exec *exec = (void *)&marker;
    fw_error *error = NULL;
    fw_status status = fw_exec_start(worker, step, NULL, check_dir(), options, FW_ZERO_TERMINATED, &exec, &error);
    CHECK(exec == NULL);
    CHECK_INT(fw_error_line(error), line);
    CHECK_INT(fw_error_column(error), column);
    CHECK_REFUSED(status, code, &error, path, part);
    CHECK(access(marker, F_OK) != 0);

    /* It is the same refusal. */
    fw_result *result = (void *)&marker;
    CHECK_INT(fw_worker_exec(worker, step, NULL, check_dir(), &result, NULL), code);
    CHECK(result == NULL);
    fw_step_free(step);
    fw_worker_free(worker);
}

#define SUBPROCESS "{\"name\": \"w\", \"type\": \"subprocess\"}"
#define COMMANDS(list) "{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": [" list "]}}"

int main(void)
{
    marker = check_path("marker");
    int before = open_descriptors();
    refuses(SUBPROCESS, COMMANDS("\"touch marker\", \"echo $(date)\""), NULL, FW_E_TEMPLATE, "/action/commands/1", 1, 6,
            "command 2 of 2");
    refuses(SUBPROCESS, COMMANDS("\"touch marker; $\""), "{\"events\": \"none\"}", FW_E_TEMPLATE, "/action/commands/0",
            1, 15, "command 1 of 1");
    refuses(SUBPROCESS, "{\"name\": \"s\", \"action\": {\"func\": \"f\"}}", NULL, FW_E_STEP_TYPE, NULL, 0, 0, "\"s\"");
    refuses("{\"name\": \"w\", \"type\": \"code\"}", COMMANDS("\"touch marker\""), NULL, FW_E_STEP_TYPE, NULL, 0, 0,
            "\"s\"");
    refuses("{\"name\": \"w\", \"type\": \"code\"}", "{\"name\": \"s\", \"action\": {\"func\": \"f\"}}", NULL,
            FW_E_UNKNOWN, NULL, 0, 0, "\"f\"");
    CHECK_INT(open_descriptors(), before);
    free(marker);
    return check_done();
}
