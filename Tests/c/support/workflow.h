/* workflow.h - running workflows in check_dir(). */
#ifndef WORKFLOW_H
#define WORKFLOW_H

#include "events.h"

static inline fw_workflow *workflow_of(const char *json)
{
    fw_workflow *workflow = NULL;
    fw_error *error = NULL;
    fw_status status = fw_workflow_create(json, FW_ZERO_TERMINATED, &workflow, &error);
    check_made(status, error, json);
    REQUIRE(workflow != NULL);
    return workflow;
}

static inline fw_exec *workflow_start(const char *json, fw_pool *pool, fw_context *context, const char *options)
{
    fw_workflow *workflow = workflow_of(json);
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    fw_status status =
        fw_workflow_start(workflow, pool, context, check_dir(), options, FW_ZERO_TERMINATED, &exec, &error);
    check_made(status, error, json);
    REQUIRE(exec != NULL);
    fw_workflow_free(workflow);
    return exec;
}

static inline fw_result *workflow_run(const char *json, fw_pool *pool, fw_context *context, const char *options)
{
    fw_workflow *workflow = workflow_of(json);
    fw_result *result = NULL;
    fw_error *error = NULL;
    fw_status status =
        fw_workflow_run(workflow, pool, context, check_dir(), options, FW_ZERO_TERMINATED, &result, &error);
    check_made(status, error, json);
    REQUIRE(result != NULL);
    fw_workflow_free(workflow);
    return result;
}

/** The text of a step with one command. */
#define STEP(name, command) \
    "{\"name\": \"" name "\", \"action\": {\"environment\": \"\", \"commands\": [\"" command "\"]}}"

#endif
