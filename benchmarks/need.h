/* need.h - for programs that call the library: a call that fails ends the benchmark. */
#ifndef NEED_H
#define NEED_H

#include <stdio.h>
#include <stdlib.h>

#include "flowworker.h"

/* A macro, because the error is there only after the call. */
#define need(call, error)                                            \
    do {                                                             \
        if ((call) != FW_OK) {                                       \
            fprintf(stderr, "bench: %s\n", fw_error_message(error)); \
            exit(1);                                                 \
        }                                                            \
    } while (0)

static inline fw_worker *make_worker(void)
{
    fw_worker *worker;
    fw_error *error;
    need(fw_worker_create("{\"name\": \"bench\", \"type\": \"subprocess\"}", FW_ZERO_TERMINATED, &worker, &error),
         error);
    return worker;
}

/* A step of one command, which is JSON: a text or an array of words. `more` is JSON of further keys, each after a
 * comma. */
static inline fw_step *make_step_of(const char *command, const char *more)
{
    char json[8192];
    fw_step *step;
    fw_error *error;
    snprintf(json, sizeof json, "{\"name\": \"bench\", \"action\": {\"environment\": \"\", \"commands\": [%s]}%s}",
             command, more);
    need(fw_step_create(json, FW_ZERO_TERMINATED, &step, &error), error);
    return step;
}

/* A step of one command, which has no character that JSON escapes. */
static inline fw_step *make_step(const char *command)
{
    char json[4096];
    snprintf(json, sizeof json, "\"%s\"", command);
    return make_step_of(json, "");
}

#endif
