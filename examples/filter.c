/*
 * filter.c - passes its standard input through a program, whose output it prints while there still is input.
 *
 *   filter PROGRAM [ARGUMENT...]
 *
 * For example: filter sort -r. The words reach the program as they are, whatever characters they have. One thread waits
 * with poll(2) for the input of this process and for the descriptor of the step, which tells of output, of room for
 * more input, and of the end. The exit status is that of the program.
 */
#define _DEFAULT_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <flowworker.h>
#include <jansson.h>

static const char worker_spec[] = "{\"name\": \"here\", \"type\": \"subprocess\"}";

/* A command that is an array has no shell. "$words" is a list, so it becomes as many words. */
static const char step_document[] = "{\"name\": \"filter\", \"action\": {\"environment\": \"\","
                                    " \"commands\": [[\"$words\"]]}, \"stdin\": \"host\"}";

/* Bytes of the standard input that the program has not taken. */
static char buffer[65536];
static size_t from, until;
static int is_open = 1;

static int refuse(fw_error *error)
{
    fprintf(stderr, "filter: %s\n", fw_error_message(error));
    fw_error_free(error);
    return 1;
}

/* Prints the output that has arrived. Returns 1 when the step has ended, -1 after an error. */
static int print_output(fw_exec *exec, fw_error **error)
{
    fw_event *event;
    int is_ended = 0;
    while (fw_exec_next_event(exec, 0, &event, error) == FW_OK) {
        if (event == NULL)
            return is_ended;
        size_t length;
        const char *bytes = fw_event_data(event, &length);
        if (bytes != NULL)
            fwrite(bytes, 1, length, fw_event_stream(event) == FW_STDOUT ? stdout : stderr);
        is_ended = fw_event_kind(event) == FW_EVENT_STEP_ENDED;
        fw_event_free(event);
    }
    return -1;
}

/* Gives the program what it takes without waiting. It may end, or close its input, before it has read everything. */
static fw_status pass_input(fw_exec *exec, fw_error **error)
{
    size_t taken;
    fw_status status = FW_OK;
    if (until > from)
        status = fw_exec_write(exec, buffer + from, until - from, 0, &taken, error), from += taken;
    if (status != FW_E_ENDED)
        return status;
    fw_error_free(*error);
    is_open = 0;
    from = until;
    return FW_OK;
}

/* Reads the next bytes when all those before are taken. */
static fw_status read_input(fw_exec *exec, fw_error **error)
{
    ssize_t count = read(STDIN_FILENO, buffer, sizeof buffer);
    from = 0;
    until = count > 0 ? (size_t)count : 0;
    if (count > 0)
        return FW_OK;
    is_open = 0;
    return fw_exec_close_input(exec, error);
}

static int run(fw_exec *exec)
{
    fw_error *error;
    fw_result *result;
    for (;;) {
        if (pass_input(exec, &error) != FW_OK)
            return refuse(error);
        int is_ended = print_output(exec, &error);
        if (is_ended < 0)
            return refuse(error);
        if (is_ended)
            break;
        fflush(stdout);
        struct pollfd files[2] = {{fw_exec_fd(exec), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
        if (poll(files, is_open && from == until ? 2 : 1, -1) < 0)
            continue;
        if (files[1].revents != 0 && read_input(exec, &error) != FW_OK)
            return refuse(error);
    }
    if (fw_exec_wait(exec, -1, &result, &error) != FW_OK)
        return refuse(error);
    int returncode = (int)fw_result_returncode(result);
    if (fw_result_outcome(result) != FW_EXITED)
        fprintf(stderr, "filter: %s\n", fw_result_message(result));
    fw_result_free(result);
    return returncode >= 0 ? returncode : 128 - returncode;
}

int main(int argc, char **argv)
{
    fw_worker *worker = NULL;
    fw_step *step = NULL;
    fw_context *context = NULL;
    fw_exec *exec = NULL;
    fw_error *error;
    int status;
    if (argc < 2) {
        fputs("usage: filter PROGRAM [ARGUMENT...]\n", stderr);
        return 2;
    }
    json_t *words = json_array();
    for (int index = 1; index < argc; index++)
        json_array_append_new(words, json_string(argv[index]));
    json_t *values = json_pack("{s:o}", "words", words);
    char *text = json_dumps(values, JSON_COMPACT);
    if (fw_worker_create(worker_spec, FW_ZERO_TERMINATED, &worker, &error) == FW_OK &&
        fw_step_create(step_document, FW_ZERO_TERMINATED, &step, &error) == FW_OK &&
        fw_context_create(text, FW_ZERO_TERMINATED, &context, &error) == FW_OK &&
        fw_exec_start(worker, step, context, ".", NULL, 0, &exec, &error) == FW_OK)
        status = run(exec);
    else
        status = refuse(error);
    fw_exec_free(exec);
    fw_context_free(context);
    fw_step_free(step);
    fw_worker_free(worker);
    free(text);
    json_decref(values);
    return status;
}
