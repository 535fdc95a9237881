/*
 * soaker.h - one of the threads of soak.c: how it chooses, starts steps, and judges results.
 */
#ifndef SOAKER_H
#define SOAKER_H

#include "descendants.h"
#include "function.h"

enum { MOST_WATCHERS = 64 };

static fw_pool *pool;
static atomic_bool is_over;
/** How many kills of supervisors and monitors have begun, and how many have been done. */
static atomic_ulong begun, done;
/** How many steps failed by that. */
static atomic_ulong unknown;

struct soaker {
    int number;
    unsigned seed;
    char directory[4200];
    const char *kind;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int below(struct soaker *self, int limit)
{
    return rand_r(&self->seed) % limit;
}

static void pause_up_to(struct soaker *self, int microseconds)
{
    if (below(self, 3) > 0)
        usleep((useconds_t)below(self, microseconds));
}

static json_t *text_step(const char *command)
{
    return json_pack("{s:s, s:{s:s, s:[s]}}", "name", "s", "action", "environment", "", "commands", command);
}

/** Starts a step, which is released, with options, which are released, too. */
static fw_exec *begin(struct soaker *self, json_t *document, fw_context *context, json_t *options)
{
    char *json = json_dumps(document, 0), *text = options ? json_dumps(options, 0) : NULL;
    fw_step *step = check_step(json);
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_start(function_worker(pool, step), step, context, self->directory, text, FW_ZERO_TERMINATED, &exec,
                           &error),
             &error);
    REQUIRE(exec != NULL);
    fw_step_free(step);
    json_decref(document);
    json_decref(options);
    free(json);
    free(text);
    return exec;
}

/** Waits for the result, in one of the ways. */
static fw_result *finish(struct soaker *self, fw_exec *exec)
{
    if (below(self, 2) == 0)
        for (fw_event *event; (event = event_next(exec, -1)) != NULL;)
            fw_event_free(event);
    return finish_step(exec);
}

/** Whether somebody may have killed a supervisor or a monitor since then. */
static bool may_be_killed(unsigned long since)
{
    return atomic_load(&begun) != since;
}

static unsigned long moment(void)
{
    /* A kill that has begun and is not done counts as one that comes. */
    return atomic_load(&done);
}

/** Checks a result. If somebody may have killed its monitor, it may have failed, and then it says so. */
static bool is_as_wanted(struct soaker *self, const fw_result *result, unsigned long since, fw_outcome outcome,
                         int code)
{
    fw_outcome got = fw_result_outcome(result);
    bool same = got == outcome && (code < 0 ? fw_result_returncode(result) != 0 : fw_result_returncode(result) == code);
    if (same)
        return true;
    bool is_failure = fw_result_returncode(result) != 0 && fw_result_message(result) != NULL;
    if (may_be_killed(since) && is_failure &&
        (got == FW_STATUS_UNKNOWN || got == FW_SPAWN_FAILED || got == FW_EXITED)) {
        atomic_fetch_add(&unknown, 1);
        return false;
    }
    fprintf(stderr, "%s: outcome %d, wanted %d; returncode %d, wanted %d; %s\n", self->kind, (int)got, (int)outcome,
            (int)fw_result_returncode(result), code, fw_result_message(result) ? fw_result_message(result) : "");
    CHECK(!"the result fits what was done");
    return false;
}

#endif
