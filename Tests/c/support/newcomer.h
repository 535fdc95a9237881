/*
 * newcomer.h - the mistakes of people who use the library for the first time, and what each of them is told.
 *
 * test_newcomer.py reads the messages out of the rows MISTAKE and FAILURE, and compares docs/guides/troubleshooting.md
 * with them. So a message is written out as string literals.
 */
#ifndef NEWCOMER_H
#define NEWCOMER_H

#include "run.h"

static fw_error *mistake_error;
static fw_result *mistake_result;

/** What somebody wrote, the whole message with the place behind it, and the call, whose error is mistake_error. */
#define MISTAKE(wrote, message, call) check_mistake((wrote), (message), (call), __FILE__, __LINE__)
/** The same for a call whose result, mistake_result, says what is wrong. */
#define FAILURE(wrote, message, call) check_failure((wrote), (message), (call), __FILE__, __LINE__)

static inline void check_mistake(const char *wrote, const char *message, fw_status status, const char *file, int line)
{
    char told[4096];
    const char *path = fw_error_path(mistake_error);
    bool has_path = path != NULL && path[0] != 0;
    snprintf(told, sizeof told, "%s%s%s%s", fw_error_message(mistake_error), has_path ? " (at " : "",
             has_path ? path : "", has_path ? ")" : "");
    bool good = check_true(status < 0, wrote, file, line);
    good &= check_int(fw_error_code(mistake_error), status, wrote, file, line);
    if (!check_str(told, message, wrote, file, line) || !good)
        fprintf(stderr, "    the mistake is: %s\n", wrote);
    fw_error_free(mistake_error);
    mistake_error = NULL;
}

static inline void check_failure(const char *wrote, const char *message, fw_status status, const char *file, int line)
{
    check_int(status, FW_OK, wrote, file, line);
    check_int(fw_result_returncode(mistake_result) != 0, 1, wrote, file, line);
    check_str(fw_result_message(mistake_result), message, wrote, file, line);
    fw_error_free(mistake_error);
    fw_result_free(mistake_result);
    mistake_error = NULL;
    mistake_result = NULL;
}

#endif
