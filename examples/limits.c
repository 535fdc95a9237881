/*
 * limits.c - runs a program that may start any number of processes, which together get so much memory and no more.
 *
 *     limits MIB PROGRAM [ARGUMENT...]
 *
 * Prints what the program writes, what all its processes have used, and what has limited them. The exit status is that
 * of the program, and 125 if they cannot be limited here: then the program has not started.
 */
#include <stdio.h>
#include <stdlib.h>

#include <flowworker.h>
#include <jansson.h>

/* A command that is an array has no shell. "$words" is a list, so it becomes as many words. */
static const char step_document[] = "{\"name\": \"program\", \"action\": {\"environment\": \"\","
                                    " \"commands\": [[\"$words\"]]}, \"timeout\": 60}";

static int refuse(fw_error *error)
{
    fprintf(stderr, "limits: %s\n", fw_error_message(error));
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

/* The JSON of a result has members `tree_usage` and `tree_limits` for each command. */
static void print_limits(const fw_result *result)
{
    char *text;
    if (fw_result_to_json(result, &text, NULL) != FW_OK)
        return;
    json_t *document = json_loads(text, JSON_ALLOW_NUL, NULL);
    json_t *command = json_array_get(json_object_get(document, "commands"), 0);
    json_t *peak = json_object_get(json_object_get(command, "tree_usage"), "peak_memory");
    const char *memory, *cpus, *pids;
    fprintf(stderr, "at most %lld bytes\n", (long long)json_integer_value(peak));
    if (json_unpack(command, "{s:{s:s, s:s, s:s}}", "tree_limits", "memory", &memory, "cpus", &cpus, "pids", &pids) ==
        0)
        fprintf(stderr, "limited by %s, %s, %s\n", memory, cpus, pids);
    json_decref(document);
    fw_string_free(text);
}

int main(int argc, char **argv)
{
    char spec[256];
    fw_worker *worker;
    fw_step *step;
    fw_context *context;
    fw_result *result;
    fw_error *error;
    if (argc < 3) {
        fprintf(stderr, "usage: limits MIB PROGRAM [ARGUMENT...]\n");
        return 125;
    }
    /* Without "required": false the program starts only if all three can be kept. */
    snprintf(spec, sizeof spec,
             "{\"name\": \"limited\", \"type\": \"subprocess\", \"options\": {\"tree_limits\":"
             " {\"memory\": %lld, \"cpus\": 2, \"pids\": 100}}}",
             atoll(argv[1]) << 20);
    json_t *values = json_object(), *words = json_array();
    json_object_set_new(values, "words", words);
    for (int at = 2; at < argc; at++)
        json_array_append_new(words, json_string(argv[at]));
    char *text = json_dumps(values, JSON_COMPACT);
    json_decref(values);
    if (fw_worker_create(spec, FW_ZERO_TERMINATED, &worker, &error) != FW_OK)
        return refuse(error);
    if (fw_step_create(step_document, FW_ZERO_TERMINATED, &step, &error) != FW_OK)
        return refuse(error);
    if (fw_context_create(text, FW_ZERO_TERMINATED, &context, &error) != FW_OK)
        return refuse(error);
    if (fw_worker_exec(worker, step, context, ".", &result, &error) != FW_OK)
        return refuse(error);

    print_output(result, FW_STDOUT, stdout);
    print_output(result, FW_STDERR, stderr);
    if (fw_result_message(result) != NULL)
        fprintf(stderr, "%s\n", fw_result_message(result));
    int status = 125;
    if (fw_result_outcome(result) != FW_SPAWN_FAILED) {
        print_limits(result);
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
