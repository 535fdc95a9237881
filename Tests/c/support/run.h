/*
 * run.h - running commands and looking at what came of them.
 *
 *     fw_result *result = RUN("echo hello", "exit 3");
 *     CHECK_OUTPUT(result, FW_STDOUT, 0, "hello\n");
 *     fw_result_free(result);
 */
#ifndef RUN_H
#define RUN_H

#include "check.h"

/** Runs the commands with a subprocess worker in check_dir(). */
#define RUN(...) run_commands(NULL, NULL, (const char *const[]){__VA_ARGS__, NULL})
/** The same with members for the worker's specification, such as `options`; the
 *  object is released. */
#define RUN_WITH(members, ...) run_commands((members), NULL, (const char *const[]){__VA_ARGS__, NULL})
/** The same in another directory. */
#define RUN_IN(rundir, ...) run_commands(NULL, (rundir), (const char *const[]){__VA_ARGS__, NULL})

/** Checks all bytes of one piece of output. */
#define CHECK_OUTPUT(result, stream, index, want) \
    check_output((result), (stream), (index), (want), strlen(want), __FILE__, __LINE__)
#define CHECK_BYTES(result, stream, index, want, length) \
    check_output((result), (stream), (index), (want), (length), __FILE__, __LINE__)
/** Checks that the step exited with this status, and prints its standard error otherwise. */
#define CHECK_EXITED(result, status) check_exited((result), (status), __FILE__, __LINE__)

/** The text of a step with these commands, to be released with free(). */
static inline char *run_step_json(const char *name, const char *const *commands)
{
    json_t *list = json_array();
    for (; *commands != NULL; commands++)
        if (json_array_append_new(list, json_string(*commands)) != 0) {
            fprintf(stderr, "a command that is not UTF-8\n");
            exit(1);
        }
    json_t *step = json_pack("{s:s, s:{s:s, s:o}}", "name", name, "action", "environment", "", "commands", list);
    char *text = json_dumps(step, 0);
    json_decref(step);
    return text;
}

static inline fw_step *run_step(const char *name, const char *const *commands)
{
    char *json = run_step_json(name, commands);
    fw_step *step = check_step(json);
    free(json);
    return step;
}

/** A subprocess worker named "w"; the members go into its specification and are
 *  released. */
static inline fw_worker *run_worker(json_t *members)
{
    json_t *spec = json_pack("{s:s, s:s}", "name", "w", "type", "subprocess");
    if (members != NULL)
        json_object_update(spec, members);
    json_decref(members);
    char *json = json_dumps(spec, 0);
    fw_worker *worker = check_worker(json);
    free(json);
    json_decref(spec);
    return worker;
}

static inline fw_result *run_exec(const fw_worker *worker, const fw_step *step, fw_context *context, const char *rundir)
{
    fw_result *result = NULL;
    fw_error *error = NULL;
    fw_status status = fw_worker_exec(worker, step, context, rundir, &result, &error);
    check_made(status, error, fw_step_name(step));
    return result;
}

static inline fw_result *run_commands(json_t *members, const char *rundir, const char *const *commands)
{
    fw_worker *worker = run_worker(members);
    fw_step *step = run_step("s", commands);
    fw_result *result = run_exec(worker, step, NULL, rundir ? rundir : check_dir());
    fw_step_free(step);
    fw_worker_free(worker);
    return result;
}

static inline bool check_output(const fw_result *result, fw_stream stream, size_t index, const char *want,
                                size_t want_length, const char *file, int line)
{
    size_t length = 0;
    const char *got = fw_result_output(result, stream, index, &length);
    if (!check_true(got != NULL, "there is such an output", file, line))
        return false;
    bool same = length == want_length && memcmp(got, want, length) == 0 && got[length] == '\0';
    if (!same) {
        fprintf(stderr, "    got  %zu bytes: %.400s\n    want %zu bytes: %.400s\n", length, got, want_length, want);
        check_true(false, "the output is what it should be", file, line);
    }
    return same;
}

static inline bool check_exited(const fw_result *result, int status, const char *file, int line)
{
    bool good = check_int(fw_result_outcome(result), FW_EXITED, "the outcome", file, line);
    good &= check_int(fw_result_returncode(result), status, "the returncode", file, line);
    if (!good) {
        size_t last = fw_result_output_count(result, FW_STDERR);
        const char *text = last ? fw_result_output(result, FW_STDERR, last - 1, NULL) : "";
        const char *message = fw_result_message(result);
        fprintf(stderr, "    %s\n    %.400s\n", message ? message : "(no message)", text);
    }
    return good;
}

/** A result as the JSON that the library makes of it; json_decref() it. */
static inline json_t *run_json(const fw_result *result)
{
    char *text = NULL;
    fw_error *error = NULL;
    json_error_t place;
    CHECK_OK(fw_result_to_json(result, &text, &error), &error);
    json_t *value = text ? json_loads(text, JSON_REJECT_DUPLICATES, &place) : NULL;
    if (value == NULL)
        fprintf(stderr, "    %s\n    %.400s\n", place.text, text ? text : "(NULL)");
    fw_string_free(text);
    REQUIRE(value != NULL);
    return value;
}

/** A member of the JSON of the result's command `index`; json_decref() it. */
static inline json_t *run_command_member(const fw_result *result, size_t index, const char *key)
{
    json_t *all = run_json(result);
    json_t *member = json_object_get(json_array_get(json_object_get(all, "commands"), index), key);
    json_incref(member);
    json_decref(all);
    REQUIRE(member != NULL);
    return member;
}

static inline json_int_t run_command_int(const fw_result *result, size_t index, const char *key)
{
    json_t *member = run_command_member(result, index, key);
    json_int_t value = json_integer_value(member);
    CHECK(json_is_integer(member));
    json_decref(member);
    return value;
}

/** A step whose limits are too small even for its shell has failed with a message and without output, and the next step
 *  succeeds. Frees the result. */
static inline void check_failed_at_start(fw_result *result)
{
    CHECK(fw_result_returncode(result) != 0);
    CHECK(fw_result_message(result) != NULL);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    fw_result_free(result);
    result = RUN("echo next");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
}

#endif
