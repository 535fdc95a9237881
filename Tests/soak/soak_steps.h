/*
 * soak_steps.h - the kinds of steps of soak.c, and what the result of each has to be.
 */
#ifndef SOAK_STEPS_H
#define SOAK_STEPS_H

#include "soaker.h"

static void by_a_shell(struct soaker *self)
{
    char command[200], want[64];
    int number = below(self, 1000000), code = below(self, 3);
    snprintf(command, sizeof command, "for i in 1 2; do :; done; echo %d; exit %d", number, code);
    snprintf(want, sizeof want, "%d\n", number);
    unsigned long since = moment();
    fw_result *result = finish(self, begin(self, text_step(command), NULL, NULL));
    if (is_as_wanted(self, result, since, FW_EXITED, code))
        CHECK_OUTPUT(result, FW_STDOUT, 0, want);
    fw_result_free(result);
}

static void by_words(struct soaker *self)
{
    static const char text[] = "; $(rm -rf /) 'a' \"b\"";
    char *json = NULL;
    json_t *document = json_pack("{s:s, s:{s:s, s:[[s, s, s]]}}", "name", "s", "action", "environment", "", "commands",
                                 "printf", "%s", "$text");
    fw_context *context = check_context("{}");
    fw_error *error = NULL;
    CHECK_OK(fw_quote_json(text, FW_ZERO_TERMINATED, &json, &error), &error);
    CHECK_OK(fw_context_set(context, "text", json, FW_ZERO_TERMINATED, &error), &error);
    fw_string_free(json);
    unsigned long since = moment();
    fw_result *result = finish(self, begin(self, document, context, NULL));
    if (is_as_wanted(self, result, since, FW_EXITED, 0))
        CHECK_OUTPUT(result, FW_STDOUT, 0, text);
    fw_result_free(result);
    fw_context_free(context);
}

/** A step that does not end by itself, of a worker with a short grace. */
static json_t *endless_step(struct soaker *self)
{
    static const char *const commands[] = {"sleep 100000", "sleep 100000 & wait", "sleep 100000; echo never",
                                           "trap '' TERM; while :; do sleep 0.01; done"};
    return json_pack("{s:s, s:{s:s, s:[s]}}", "name", "e", "action", "environment", "", "commands",
                     commands[below(self, 4)]);
}

static void cancelled(struct soaker *self)
{
    unsigned long since = moment();
    fw_exec *exec = begin(self, endless_step(self), NULL, NULL);
    pause_up_to(self, 20000);
    fw_exec_cancel(exec);
    fw_result *result = finish(self, exec);
    is_as_wanted(self, result, since, FW_CANCELLED, -1);
    fw_result_free(result);
}

static void freed(struct soaker *self)
{
    fw_exec *exec = begin(self, endless_step(self), NULL, NULL);
    pause_up_to(self, 20000);
    fw_exec_free(exec);
}

static void timed_out(struct soaker *self)
{
    unsigned long since = moment();
    json_t *options = json_pack("{s:f}", "timeout", 0.001 + below(self, 30) / 1000.0);
    fw_result *result = finish(self, begin(self, endless_step(self), NULL, options));
    is_as_wanted(self, result, since, FW_TIMEOUT, -1);
    fw_result_free(result);
}

static void signalled(struct soaker *self)
{
    unsigned long since = moment();
    fw_exec *exec = begin(self, text_step("exec sleep 100000"), NULL, NULL);
    fw_event *event = NULL;
    fw_error *error = NULL;
    /* Events end early if the step cannot be started. */
    do {
        fw_event_free(event);
        event = event_next(exec, -1);
    } while (event != NULL && fw_event_kind(event) != FW_EVENT_COMMAND_STARTED);
    bool has_started = event != NULL;
    fw_event_free(event);
    if (has_started) {
        fw_status status = fw_exec_signal(exec, SIGKILL, below(self, 2) ? FW_SIGNAL_MAIN : FW_SIGNAL_TREE, &error);
        CHECK(status == FW_OK || (status == FW_E_ENDED && may_be_killed(since)));
        fw_error_free(error);
    }
    fw_result *result = finish(self, exec);
    is_as_wanted(self, result, since, FW_SIGNALED, -9);
    fw_result_free(result);
}

static void with_input(struct soaker *self)
{
    static const char block[5000];
    int blocks = below(self, 40);
    unsigned long since = moment();
    fw_exec *exec = begin(self, text_step("wc -c"), NULL, json_pack("{s:s}", "stdin", "host"));
    fw_error *error = NULL;
    fw_status status = FW_OK;
    for (int i = 0; i < blocks && status == FW_OK; i++)
        for (size_t at = 0, taken = 0; at < sizeof block && status == FW_OK; at += taken)
            status = fw_exec_write(exec, block + at, sizeof block - at, -1, &taken, &error);
    CHECK(status == FW_OK || (status == FW_E_ENDED && may_be_killed(since)));
    fw_error_free(error);
    error = NULL;
    status = fw_exec_close_input(exec, &error);
    CHECK(status == FW_OK || (status == FW_E_ENDED && may_be_killed(since)));
    fw_error_free(error);
    char want[32];
    snprintf(want, sizeof want, "%d\n", blocks * (int)sizeof block);
    fw_result *result = finish(self, exec);
    if (is_as_wanted(self, result, since, FW_EXITED, 0))
        CHECK_OUTPUT(result, FW_STDOUT, 0, want);
    fw_result_free(result);
}

static void spilled(struct soaker *self)
{
    unsigned long since = moment();
    int size = 1000 + below(self, 200000);
    char command[100];
    snprintf(command, sizeof command, "head -c %d /dev/zero | tr '\\0' a", size);
    json_t *options = json_pack("{s:s, s:i}", "spill", self->directory, "output_limit", 1000);
    fw_result *result = finish(self, begin(self, text_step(command), NULL, options));
    json_t *all = run_json(result);
    json_t *file = json_object_get(json_array_get(json_object_get(all, "commands"), 0), "stdout_file");
    struct stat facts;
    if (is_as_wanted(self, result, since, FW_EXITED, 0) && size > 1000) {
        CHECK(json_is_string(file) && stat(json_string_value(file), &facts) == 0);
        CHECK_INT(facts.st_size, size);
    }
    if (json_is_string(file))
        unlink(json_string_value(file));
    json_decref(all);
    fw_result_free(result);
}

/** Returns twice its argument. */
static void twice(fw_call *call, void *payload)
{
    (void)payload;
    char text[32];
    snprintf(text, sizeof text, "%ld", 2 * atol(fw_call_argument(call, "n", NULL)));
    fw_status status = fw_call_write(call, FW_STDOUT, "called\n", FW_ZERO_TERMINATED, NULL);
    CHECK(status == FW_OK || status == FW_E_ENDED);
    status = fw_call_return(call, text, FW_ZERO_TERMINATED, NULL);
    CHECK(status == FW_OK || status == FW_E_ENDED);
}

/** Returns when it is asked to. */
static void stands(fw_call *call, void *payload)
{
    (void)payload;
    while (!fw_call_is_cancelled(call))
        a_moment();
}

static void by_a_function(struct soaker *self)
{
    int number = below(self, 1000);
    char text[64];
    snprintf(text, sizeof text, "{\"n\": %d}", number);
    fw_context *context = check_context(text);
    json_t *document = json_pack("{s:s, s:{s:s, s:s}}", "name", "s", "action", "func", "twice", "arg", "r");
    fw_result *result = finish(self, begin(self, document, context, NULL));
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "called\n");
    CHECK_FACT(result, "value", json_integer(2 * number));
    fw_result_free(result);
    fw_context_free(context);
}

static void function_cancelled(struct soaker *self)
{
    json_t *document = json_pack("{s:s, s:{s:s}}", "name", "s", "action", "func", "stands");
    bool times_out = below(self, 2) == 0;
    fw_exec *exec = begin(self, document, NULL, times_out ? json_pack("{s:f}", "timeout", 0.01) : NULL);
    if (!times_out) {
        pause_up_to(self, 20000);
        fw_exec_cancel(exec);
    }
    fw_result *result = finish(self, exec);
    CHECK_INT(fw_result_outcome(result), times_out ? FW_TIMEOUT : FW_CANCELLED);
    CHECK(fw_result_returncode(result) != 0);
    fw_result_free(result);
}

/** A function of Python, in an interpreter that the pool keeps. */
static void by_an_interpreter(struct soaker *self)
{
    fw_context *context = check_context("{\"text\": \"  a\\n  b\"}");
    json_t *document = json_pack("{s:s, s:{s:s, s:s}}", "name", "s", "action", "func", "textwrap.dedent", "arg", "r");
    unsigned long since = moment();
    fw_result *result = finish(self, begin(self, document, context, NULL));
    if (is_as_wanted(self, result, since, FW_EXITED, 0))
        CHECK_FACT(result, "value", json_string("a\nb"));
    fw_result_free(result);
    fw_context_free(context);
}

static void in_a_workflow(struct soaker *self)
{
    static const char text[] = "{\"steps\": ["
                               "{\"name\": \"a\", \"action\": {\"environment\": \"\", \"commands\": [\"echo 1 > a\"]},"
                               " \"files\": {\"inputs\": [], \"outputs\": [\"a\"]}},"
                               "{\"name\": \"b\", \"action\": {\"environment\": \"\", \"commands\": [\"echo 2 > b\"]},"
                               " \"files\": {\"inputs\": [], \"outputs\": [\"b\"]}},"
                               "{\"name\": \"c\", \"action\": {\"environment\": \"\", \"commands\": [\"cat a b\"]},"
                               " \"files\": {\"inputs\": [\"a\", \"b\"], \"outputs\": []}}]}";
    bool is_cancelled = below(self, 4) == 0;
    fw_workflow *workflow = NULL;
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    unsigned long since = moment();
    CHECK_OK(fw_workflow_create(text, FW_ZERO_TERMINATED, &workflow, &error), &error);
    CHECK_OK(
        fw_workflow_start(workflow, pool, NULL, self->directory, "{\"jobs\": 3}", FW_ZERO_TERMINATED, &exec, &error),
        &error);
    REQUIRE(exec != NULL);
    fw_workflow_free(workflow);
    if (is_cancelled) {
        pause_up_to(self, 5000);
        fw_exec_cancel(exec);
    }
    fw_result *result = finish(self, exec);
    if (is_cancelled && fw_result_outcome(result) != FW_EXITED) {
        is_as_wanted(self, result, since, FW_CANCELLED, -1);
    } else if (is_as_wanted(self, result, since, FW_EXITED, 0)) {
        CHECK_INT(fw_result_step_count(result), 3);
    }
    fw_result_free(result);
}

#endif
