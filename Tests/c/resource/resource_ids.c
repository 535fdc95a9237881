/*
 * A step that takes pieces with ids gets the lowest free ids in a variable, whatever its worker and the step itself set
 * it to. A step that takes none gets the variable empty. A plan says which variables are chosen later.
 */
#include "resource.h"

#define POOL                                                                                             \
    "{\"workers\": [{\"name\": \"w\", \"type\": \"subprocess\", \"env\": {\"GPUS\": \"of the worker\"}," \
    " \"options\": {\"inherit_env\": true}}], \"managers\": {\"s\": \"w\"},"                             \
    " \"resources\": {\"gpu\": {\"ids\": [\"GPU-a\", \"7\", \"MIG 1/2\"], \"variable\": \"GPUS\"}, \"cpus\": 4}}"

#define SHOW "echo \"[$${GPUS-not set}]\""

static void lowest_free(int gate)
{
    fw_pool *pool = check_pool(POOL);
    const fw_worker *worker = worker_of(pool);
    fw_exec *first = start_taking(worker, "\"resources\": {\"gpu\": 2}, ", SHOW "; read line < gate", NULL);
    fw_event *event = event_wait_for(first, FW_EVENT_OUTPUT);
    CHECK_EVENT(event, FW_STDOUT, "[GPU-a,7]\n");
    fw_event_free(event);
    check_writes(start_taking(worker, "\"resources\": {\"gpu\": 1}, ", SHOW, NULL), "[MIG 1/2]\n");
    fw_exec *two = start_taking(worker, "\"resources\": {\"gpu\": 2}, ", SHOW, NULL);
    check_queued(two);
    /* It has no more than one left to offer, and one is enough for another. */
    check_writes(start_taking(worker, "\"resources\": {\"gpu\": 1, \"cpus\": 4}, ", SHOW, NULL), "[MIG 1/2]\n");
    gate_pass(gate);
    exec_end(first);
    check_writes(two, "[GPU-a,7]\n");
    fw_pool_free(pool);
}

static void over_everything_else(void)
{
    fw_pool *pool = check_pool(POOL);
    const fw_worker *worker = worker_of(pool);
    fw_step *step = check_step("{\"name\": \"s\", \"resources\": {\"gpu\": 1}, \"action\": {\"environment\": \"\","
                               " \"env\": {\"GPUS\": \"of the step\"}, \"commands\": [\"echo [$$GPUS]\"]}}");
    fw_exec *exec = start_step(worker, step, NULL);
    check_writes(exec, "[GPU-a]\n");
    fw_step_free(step);
    fw_pool_free(pool);
}

/** None are not all: programs use every device where the variable is not set. */
static void none_is_the_empty_value(void)
{
    fw_pool *pool = check_pool(POOL);
    const fw_worker *worker = worker_of(pool);
    check_writes(start_taking(worker, "", SHOW, NULL), "[]\n");
    check_writes(start_taking(worker, "\"resources\": {\"gpu\": 0}, ", SHOW, NULL), "[]\n");
    check_writes(start_taking(worker, "\"resources\": {\"cpus\": 1}, ", SHOW, NULL), "[]\n");
    fw_pool_free(pool);
    /* Without such a resource the variable is whatever it was. */
    fw_worker *plain = run_worker(json_pack("{s:{s:s}}", "env", "GPUS", "mine"));
    check_writes(start_taking(plain, "", SHOW, NULL), "[mine]\n");
    fw_worker_free(plain);
}

/** A default worker inherits the host's environment as before, because a variable with ids is no entry of `env`. */
static void inheritance_stays(void)
{
    fw_pool *pool = check_pool("{\"resources\": {\"gpu\": {\"ids\": [\"0\"], \"variable\": \"GPUS\"}}}");
    const fw_worker *worker = worker_of(pool);
    REQUIRE(setenv("MARK", "inherited", 1) == 0);
    check_writes(start_taking(worker, "", "echo \"$$MARK [$$GPUS]\"", NULL), "inherited []\n");
    check_writes(start_taking(worker, "\"resources\": {\"gpu\": 1}, ", "echo \"$$MARK [$$GPUS]\"", NULL),
                 "inherited [0]\n");
    fw_pool_free(pool);
}

/** Without "ids" they are those that the host itself was given. */
static void of_the_host(void)
{
    static const char *const pool_text = "{\"resources\": {\"gpu\": {\"variable\": \"GPUS\"}}}";
    fw_pool *pool = NULL;
    fw_error *error = NULL;
    REQUIRE(unsetenv("GPUS") == 0);
    CHECK_REFUSED(
        fw_pool_create(pool_text, FW_ZERO_TERMINATED, &pool, &error), FW_E_DOCUMENT, &error, "/resources/gpu",
        "the ids of \"gpu\" are those in the environment variable \"GPUS\", which this process does not have");
    REQUIRE(setenv("GPUS", "2,GPU-3", 1) == 0);
    pool = check_pool(pool_text);
    /* The pool has read the variable, and does not read it again. */
    REQUIRE(setenv("GPUS", "9", 1) == 0);
    check_writes(start_taking(worker_of(pool), "\"resources\": {\"gpu\": 2}, ", SHOW, NULL), "[2,GPU-3]\n");
    fw_pool_free(pool);
    REQUIRE(setenv("GPUS", "", 1) == 0);
    pool = check_pool(pool_text);
    fw_step *step = taking("\"resources\": {\"gpu\": 1}, ", "true");
    fw_exec *exec = NULL;
    CHECK_REFUSED(fw_exec_start(worker_of(pool), step, NULL, check_dir(), NULL, 0, &exec, &error), FW_E_DOCUMENT,
                  &error, "/resources/gpu", "asks for 1 of the resource \"gpu\", of which there is 0 in all");
    fw_step_free(step);
    fw_pool_free(pool);
    REQUIRE(setenv("GPUS", "1,,2", 1) == 0);
    CHECK_REFUSED(fw_pool_create(pool_text, FW_ZERO_TERMINATED, &pool, &error), FW_E_DOCUMENT, &error, "/resources/gpu",
                  "is \"1,,2\", which has an empty id");
    REQUIRE(setenv("GPUS", "1,1", 1) == 0);
    CHECK_REFUSED(fw_pool_create(pool_text, FW_ZERO_TERMINATED, &pool, &error), FW_E_DOCUMENT, &error, "/resources/gpu",
                  "has the id \"1\" twice");
    REQUIRE(unsetenv("GPUS") == 0);
}

static void planned(void)
{
    fw_pool *pool = check_pool(POOL);
    const fw_worker *worker = worker_of(pool);
    fw_step *step = taking("\"resources\": {\"gpu\": 1, \"cpus\": 0.5}, ", "true");
    char *text = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_worker_plan(worker, step, NULL, check_dir(), &text, &error), &error);
    json_t *plan = json_loads(text, 0, NULL);
    CHECK_JSON(json_object_get(plan, "resources"), json_pack("{s:i, s:f}", "gpu", 1, "cpus", 0.5));
    CHECK_JSON(json_object_get(plan, "chosen_at_start"), json_pack("[s]", "GPUS"));
    CHECK_JSON(json_object_get(plan, "environment"), json_object());
    CHECK_JSON(json_object_get(plan, "limit"), json_null());
    json_decref(plan);
    fw_string_free(text);
    fw_step_free(step);
    step = taking("", "true");
    CHECK_OK(fw_worker_plan(worker, step, NULL, check_dir(), &text, &error), &error);
    plan = json_loads(text, 0, NULL);
    CHECK_JSON(json_object_get(plan, "resources"), json_object());
    CHECK_JSON(json_object_get(plan, "chosen_at_start"), json_array());
    CHECK_JSON(json_object_get(plan, "environment"), json_pack("{s:s}", "GPUS", ""));
    json_decref(plan);
    fw_string_free(text);
    fw_step_free(step);
    fw_pool_free(pool);
}

int main(void)
{
    int gate = gate_make("gate");
    lowest_free(gate);
    over_everything_else();
    none_is_the_empty_value();
    inheritance_stays();
    of_the_host();
    planned();
    close(gate);
    return check_done();
}
