/*
 * texts.h - passing the same text to every function that reads a document.
 */
#ifndef TEXTS_H
#define TEXTS_H

#include "check.h"

/** Returns the status of reading the text. The object that was made is freed. */
typedef fw_status (*text_reader)(const char *text, size_t length, fw_error **error);

static inline fw_status read_pool(const char *text, size_t length, fw_error **error)
{
    fw_pool *made = NULL;
    fw_status status = fw_pool_create(text, length, &made, error);
    fw_pool_free(made);
    return status;
}

static inline fw_status read_worker(const char *text, size_t length, fw_error **error)
{
    fw_worker *made = NULL;
    fw_status status = fw_worker_create(text, length, &made, error);
    fw_worker_free(made);
    return status;
}

static inline fw_status read_step(const char *text, size_t length, fw_error **error)
{
    fw_step *made = NULL;
    fw_status status = fw_step_create(text, length, &made, error);
    fw_step_free(made);
    return status;
}

static inline fw_status read_context(const char *text, size_t length, fw_error **error)
{
    fw_context *made = NULL;
    fw_status status = fw_context_create(text, length, &made, error);
    fw_context_free(made);
    return status;
}

static inline fw_status read_value(const char *text, size_t length, fw_error **error)
{
    fw_context *context = check_context("{}");
    fw_status status = fw_context_set(context, "key", text, length, error);
    fw_context_free(context);
    return status;
}

/** All readers, ended by NULL. */
static const text_reader text_readers[] = {read_pool, read_worker, read_step, read_context, read_value, NULL};

#endif
