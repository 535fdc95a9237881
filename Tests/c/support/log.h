/*
 * log.h - a log that keeps its lines.
 *
 *     log_begin(FW_LOG_INFO);
 *     ...
 *     CHECK(log_has(FW_LOG_INFO, "started"));
 *     log_end();
 */
#ifndef LOG_H
#define LOG_H

#include "check.h"

#include <pthread.h>

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_line {
    fw_log_level level;
    char *text;
    pthread_t thread;
} log_lines[1000];
static size_t log_count;
static int log_released;

static inline void log_take(fw_log_level level, const char *message, void *payload)
{
    CHECK(payload == &log_lines);
    CHECK(message != NULL && strlen(message) > 0 && strpbrk(message, "\r\n\t\033") == NULL);
    pthread_mutex_lock(&log_lock);
    if (log_count < sizeof log_lines / sizeof log_lines[0])
        log_lines[log_count++] = (struct log_line){level, strdup(message), pthread_self()};
    pthread_mutex_unlock(&log_lock);
}

static inline void log_release(void *payload)
{
    CHECK(payload == &log_lines);
    log_released++;
}

static inline void log_forget(void)
{
    while (log_count > 0)
        free(log_lines[--log_count].text);
}

static inline void log_begin(fw_log_level level)
{
    fw_error *error = NULL;
    log_forget();
    CHECK_OK(fw_set_log(level, log_take, &log_lines, log_release, &error), &error);
}

static inline void log_end(void)
{
    fw_error *error = NULL;
    int before = log_released;
    CHECK_OK(fw_set_log(FW_LOG_OFF, NULL, NULL, NULL, &error), &error);
    CHECK_INT(log_released, before + 1);
    log_forget();
}

/** How many lines of a level have the part. */
static inline int log_has(fw_log_level level, const char *part)
{
    int found = 0;
    for (size_t i = 0; i < log_count; i++)
        found += log_lines[i].level == level && strstr(log_lines[i].text, part) != NULL;
    return found;
}

static inline int log_count_of(fw_log_level level)
{
    return log_has(level, "");
}

/** Prints the lines, for a test that has failed. */
static inline void log_show(void)
{
    for (size_t i = 0; i < log_count; i++)
        fprintf(stderr, "    %s: %s\n", fw_log_level_name(log_lines[i].level), log_lines[i].text);
}

#endif
