/*
 * resource.h - starting steps that take places of workers and resources.
 */
#ifndef RESOURCE_H
#define RESOURCE_H

#include "events.h"

/** The worker of a pool for the step "s". */
static inline const fw_worker *worker_of(fw_pool *pool)
{
    fw_step *step = check_step("{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": []}}");
    const fw_worker *worker = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_pool_get(pool, step, &worker, &error), &error);
    fw_step_free(step);
    REQUIRE(worker != NULL);
    return worker;
}

/** A step with one command; `members` are JSON members of the step that end with a comma, or "". */
static inline fw_step *taking(const char *members, const char *command)
{
    json_t *text = json_string(command);
    char *quoted = json_dumps(text, JSON_ENCODE_ANY), *json = NULL;
    REQUIRE(asprintf(&json, "{\"name\": \"s\", %s\"action\": {\"environment\": \"\", \"commands\": [%s]}}", members,
                     quoted) > 0);
    fw_step *step = check_step(json);
    free(json);
    free(quoted);
    json_decref(text);
    return step;
}

/** Starts such a step. */
static inline fw_exec *start_taking(const fw_worker *worker, const char *members, const char *command,
                                    const char *options)
{
    fw_step *step = taking(members, command);
    fw_exec *exec = start_step(worker, step, options);
    fw_step_free(step);
    return exec;
}

/** Checks that the step has not begun, and waits. */
static inline void check_queued(fw_exec *exec)
{
    CHECK(exec_runs(exec));
    CHECK(event_next(exec, 0) == NULL);
}

/** Waits for the end, and checks what the step has written. */
static inline void check_writes(fw_exec *exec, const char *want)
{
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, want);
    fw_result_free(result);
    fw_exec_free(exec);
}

#endif
