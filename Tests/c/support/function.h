/*
 * function.h - steps that call functions of the host.
 *
 *     fw_pool *pool = check_pool("[]");
 *     function_add(pool, "add", "[\"a\", \"b\"]", add, NULL);
 *     fw_result *result = function_call(pool, "add", context, "'arg': 'sum'", NULL);
 */
#ifndef FUNCTION_H
#define FUNCTION_H

#include "events.h"

#include <semaphore.h>

static inline void function_add(fw_pool *pool, const char *name, const char *parameters, fw_function function,
                                void *payload)
{
    fw_error *error = NULL;
    CHECK_OK(fw_function_register(pool, name, parameters, FW_ZERO_TERMINATED, function, payload, NULL, &error), &error);
}

/** A step with this `func`; `members` are more of its action, `more` more of the step, with ' for ". */
static inline fw_step *function_step(const char *name, const char *members, const char *more)
{
    char *text = NULL;
    REQUIRE(asprintf(&text, "{'name': 's', 'action': {'func': '%s'%s%s}%s%s}", name, members ? ", " : "",
                     members ? members : "", more ? ", " : "", more ? more : "") > 0);
    for (char *quote = text; (quote = strchr(quote, '\'')) != NULL;)
        *quote = '"';
    fw_step *step = check_step(text);
    free(text);
    return step;
}

static inline const fw_worker *function_worker(fw_pool *pool, const fw_step *step)
{
    const fw_worker *worker = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_pool_get(pool, step, &worker, &error), &error);
    REQUIRE(worker != NULL);
    return worker;
}

static inline fw_result *function_call(fw_pool *pool, const char *name, fw_context *context, const char *members,
                                       const char *more)
{
    fw_step *step = function_step(name, members, more);
    fw_result *result = run_exec(function_worker(pool, step), step, context, check_dir());
    fw_step_free(step);
    return result;
}

static inline fw_exec *function_start(fw_pool *pool, const char *name, fw_context *context, const char *more,
                                      const char *options)
{
    fw_step *step = function_step(name, NULL, more);
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_start(function_worker(pool, step), step, context, check_dir(), options, FW_ZERO_TERMINATED, &exec,
                           &error),
             &error);
    REQUIRE(exec != NULL);
    fw_step_free(step);
    return exec;
}

/** A member of a result's JSON; json_decref() it. */
static inline json_t *function_fact(const fw_result *result, const char *key)
{
    char *text = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_result_to_json(result, &text, &error), &error);
    json_t *json = json_loads(text, JSON_ALLOW_NUL, NULL);
    fw_string_free(text);
    json_t *value = json_incref(json_object_get(json, key));
    json_decref(json);
    return value;
}

/** Waits for a signal of the semaphore that should come soon. Returns false if it does not come. */
static inline bool function_comes(sem_t *what)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += check_times(10, 60);
    int status;
    while ((status = sem_timedwait(what, &until)) != 0 && errno == EINTR)
        continue;
    return status == 0;
}

#define CHECK_FACT(result, key, want)                   \
    do {                                                \
        json_t *fact_ = function_fact((result), (key)); \
        CHECK_JSON(fact_, (want));                      \
        json_decref(fact_);                             \
    } while (0)

#endif
