/*
 * input.h - commands of words, and steps whose standard input the host writes.
 *
 *     fw_result *result = WORDS(NULL, "printf", "%s", "; rm -rf /");
 *     fw_exec *exec = INPUT("cat");
 *     input_all(exec, "text", 4);
 *     input_close(exec);
 */
#ifndef INPUT_H
#define INPUT_H

#include "events.h"

#include <sys/prctl.h>

/** Runs one command of words with a subprocess worker in check_dir(). The members go into the worker's specification
 *  and are released. */
#define WORDS(members, ...) run_one_words((members), NULL, (const char *const[]){__VA_ARGS__, NULL})
/** The same with an environment of the step, as JSON text. */
#define WORDS_ENV(env, ...) run_one_words(NULL, (env), (const char *const[]){__VA_ARGS__, NULL})
/** Starts one command whose standard input the host writes. */
#define INPUT(command) input_start("{\"stdin\": \"host\", \"output_limit\": 65536}", (command))

/** Returns the text without what a template would change. */
static inline char *input_literal(const char *text)
{
    char *literal = malloc(2 * strlen(text) + 1), *end = literal;
    REQUIRE(literal != NULL);
    for (; *text != '\0'; text++) {
        if (*text == '$')
            *end++ = '$';
        *end++ = *text;
    }
    *end = '\0';
    return literal;
}

static inline fw_step *words_step(const char *env, const char *const *words)
{
    json_t *list = json_array();
    for (; *words != NULL; words++) {
        char *literal = input_literal(*words);
        REQUIRE(json_array_append_new(list, json_string(literal)) == 0);
        free(literal);
    }
    json_t *action = json_pack("{s:s, s:[o]}", "environment", "", "commands", list);
    if (env != NULL)
        json_object_set_new(action, "env", json_loads(env, 0, NULL));
    json_t *document = json_pack("{s:s, s:o}", "name", "s", "action", action);
    char *json = json_dumps(document, 0);
    fw_step *step = check_step(json);
    free(json);
    json_decref(document);
    return step;
}

static inline fw_result *run_one_words(json_t *members, const char *env, const char *const *words)
{
    fw_worker *worker = run_worker(members);
    fw_step *step = words_step(env, words);
    fw_result *result = run_exec(worker, step, NULL, check_dir());
    fw_step_free(step);
    fw_worker_free(worker);
    return result;
}

static inline fw_exec *input_start(const char *options, const char *command)
{
    return START(options, command);
}

/** Writes all bytes. */
static inline void input_all(fw_exec *exec, const char *bytes, size_t length)
{
    fw_error *error = NULL;
    for (size_t done = 0; done < length;) {
        size_t taken = 0;
        REQUIRE(CHECK_OK(fw_exec_write(exec, bytes + done, length - done, -1, &taken, &error), &error));
        done += taken;
    }
}

/** Writes until nothing more is taken without waiting; returns how many bytes were taken. */
static inline size_t input_fill(fw_exec *exec)
{
    static const char block[1 << 16];
    fw_error *error = NULL;
    size_t sum = 0, taken = 1;
    while (taken > 0) {
        REQUIRE(CHECK_OK(fw_exec_write(exec, block, sizeof block, 0, &taken, &error), &error));
        sum += taken;
    }
    return sum;
}

static inline void input_close(fw_exec *exec)
{
    fw_error *error = NULL;
    CHECK_OK(fw_exec_close_input(exec, &error), &error);
}

/** Checks that the input has ended, for a reason with this part. */
static inline void input_has_ended(fw_exec *exec, const char *part)
{
    fw_error *error = NULL;
    size_t taken = 1;
    CHECK_FAILS(fw_exec_write(exec, "x", 1, -1, &taken, &error), FW_E_ENDED, &error, part);
    CHECK_INT(taken, 0);
}

/** Waits for the result, checks that the command has exited, and frees both. */
static inline void input_exits(fw_exec *exec, int status, const char *stdout_text)
{
    fw_result *result = exec_result(exec);
    CHECK_EXITED(result, status);
    if (stdout_text != NULL)
        CHECK_OUTPUT(result, FW_STDOUT, 0, stdout_text);
    fw_result_free(result);
    fw_exec_free(exec);
}

/** Sends a signal. */
static inline void input_signal(fw_exec *exec, int number, fw_signal_target target)
{
    fw_error *error = NULL;
    CHECK_OK(fw_exec_signal(exec, number, target, &error), &error);
}

#endif
