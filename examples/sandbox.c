/*
 * sandbox.c - runs a program that is not trusted: it may write in one folder, and reach no network and no other
 * process.
 *
 *     sandbox FOLDER PROGRAM [ARGUMENT...]
 *
 * Prints what the program writes, and then which layers of the kernel have bounded it. The exit status is that of the
 * program, and 125 if the sandbox cannot be made here: then the program has not started.
 */
#include <stdio.h>
#include <stdlib.h>

#include <flowworker.h>
#include <jansson.h>

static const char worker_spec[] = "{\"name\": \"careful\", \"type\": \"subprocess\", \"options\": {\"sandbox\": true}}";

/* A command that is an array has no shell. "$words" is a list, so it becomes as many words. */
static const char step_document[] = "{\"name\": \"program\", \"action\": {\"environment\": \"\","
                                    " \"commands\": [[\"$words\"]]}, \"timeout\": 60}";

static int refuse(fw_error *error)
{
    fprintf(stderr, "sandbox: %s\n", fw_error_message(error));
    fw_error_free(error);
    return 125;
}

static void print_output(const fw_result *result, fw_stream stream, FILE *file)
{
    for (size_t i = 0; i < fw_result_output_count(result, stream); i++) {
        size_t length;
        const char *bytes = fw_result_output(result, stream, i, &length);
        fwrite(bytes, 1, length, file);
    }
}

/* The JSON of a result has a member `sandbox` for each command. */
static void print_layers(const fw_result *result)
{
    char *text;
    if (fw_result_to_json(result, &text, NULL) != FW_OK)
        return;
    json_t *document = json_loads(text, JSON_ALLOW_NUL, NULL), *layer;
    json_t *command = json_array_get(json_object_get(document, "commands"), 0);
    size_t i;
    fputs("bounded by", stderr);
    json_array_foreach(json_object_get(json_object_get(command, "sandbox"), "layers"), i, layer)
        fprintf(stderr, "%s %s", i > 0 ? "," : "", json_string_value(layer));
    fputc('\n', stderr);
    json_decref(document);
    fw_string_free(text);
}

int main(int argc, char **argv)
{
    fw_worker *worker;
    fw_step *step;
    fw_context *context;
    fw_result *result;
    fw_error *error;
    if (argc < 3) {
        fprintf(stderr, "usage: sandbox FOLDER PROGRAM [ARGUMENT...]\n");
        return 125;
    }
    json_t *values = json_object(), *words = json_array();
    json_object_set_new(values, "words", words);
    for (int at = 2; at < argc; at++)
        json_array_append_new(words, json_string(argv[at]));
    char *text = json_dumps(values, JSON_COMPACT);
    json_decref(values);
    if (fw_worker_create(worker_spec, FW_ZERO_TERMINATED, &worker, &error) != FW_OK)
        return refuse(error);
    if (fw_step_create(step_document, FW_ZERO_TERMINATED, &step, &error) != FW_OK)
        return refuse(error);
    if (fw_context_create(text, FW_ZERO_TERMINATED, &context, &error) != FW_OK)
        return refuse(error);
    if (fw_worker_exec(worker, step, context, argv[1], &result, &error) != FW_OK)
        return refuse(error);

    print_output(result, FW_STDOUT, stdout);
    print_output(result, FW_STDERR, stderr);
    if (fw_result_message(result) != NULL)
        fprintf(stderr, "%s\n", fw_result_message(result));
    int status = 125;
    if (fw_result_outcome(result) != FW_SPAWN_FAILED) {
        print_layers(result);
        status = fw_result_returncode(result);
        status = status >= 0 ? status : 128 - status;
    }
    fw_result_free(result);
    fw_context_free(context);
    fw_step_free(step);
    fw_worker_free(worker);
    free(text);
    return status;
}
