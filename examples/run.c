/*
 * run.c - a C host that runs the steps of a workflow one after the other.
 *
 * WORKFLOW_DIR has pool.json, which is for the library, workflow.json, which is for this program, and
 * the files that the steps need. RUN_DIR gets a copy of them, and the files that the steps write.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flowworker.h>
#include <jansson.h>

/* Says what is wrong, and gives the 1 that stands for failure all through this program. */
static int fail(const char *subject, const char *reason)
{
    fprintf(stderr, "run: %s: %s\n", subject, reason);
    return 1;
}

/* The path is the JSON pointer of the value that was wrong, where a value was. */
static int refuse(const fw_error *error)
{
    return fail(fw_error_path(error) != NULL ? fw_error_path(error) : "error", fw_error_message(error));
}

static json_t *load(const char *directory, const char *name)
{
    char path[FILENAME_MAX];
    json_error_t error;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    json_t *value = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (value == NULL)
        fail(path, error.text);
    return value;
}

/* What each command was and took is in the result's JSON. */
static int print_commands(const fw_result *result)
{
    char *text;
    if (fw_result_to_json(result, &text, NULL) != FW_OK)
        return fail("result", "there is no memory for its JSON");
    json_t *document = json_loads(text, JSON_ALLOW_NUL, NULL), *command;
    size_t i;
    json_array_foreach(json_object_get(document, "commands"), i, command)
        printf("  $ %s\n  %s, %.3f s\n", json_string_value(json_object_get(command, "command")),
               json_string_value(json_object_get(command, "outcome")),
               json_number_value(json_object_get(command, "duration")));
    json_decref(document);
    fw_string_free(text);
    return 0;
}

/* Output is bytes that may hold NULs: it is written with its length. */
static void print_output(const fw_result *result, fw_stream stream, const char *name)
{
    for (size_t i = 0; i < fw_result_output_count(result, stream); i++) {
        size_t length;
        const char *bytes = fw_result_output(result, stream, i, &length);
        printf("  %s:\n", name);
        fwrite(bytes, 1, length, stdout);
    }
}

static int run_step(fw_pool *pool, const json_t *document, fw_context *context, const char *rundir)
{
    fw_step *step = NULL;
    const fw_worker *worker = NULL;
    fw_result *result = NULL;
    fw_error *error = NULL;
    char *text = json_dumps(document, JSON_COMPACT);
    int failed;
    if (fw_step_create(text, FW_STRLEN, &step, &error) == FW_OK &&
        fw_pool_get(pool, step, &worker, &error) == FW_OK &&
        fw_worker_exec(worker, step, context, rundir, &result, &error) == FW_OK) {
        printf("step %s, worker %s (%s)\n", fw_step_name(step), fw_worker_name(worker), fw_worker_type(worker));
        failed = print_commands(result);
        print_output(result, FW_STDOUT, "stdout");
        print_output(result, FW_STDERR, "stderr");
        if (fw_result_returncode(result) != 0)
            failed = fail("a step failed", fw_result_message(result));
    } else {
        failed = refuse(error);
    }
    fw_error_free(error);
    fw_result_free(result);
    fw_step_free(step);
    free(text);
    return failed;
}

/* Copying the files is a step as well. The paths are environment variables of it: whatever characters
 * they have, the shell takes them as they are. */
static int prepare(fw_pool *pool, const char *source, const char *rundir)
{
    json_t *step = json_pack("{s:s, s:{s:s, s:[s, s], s:{s:s, s:s}}}", "name", "prepare", "action",
                             "environment", "", "commands", "mkdir -p \"$$RUN_DIR\"",
                             "cp -R \"$$WORKFLOW_DIR/.\" \"$$RUN_DIR\"", "env",
                             "WORKFLOW_DIR", source, "RUN_DIR", rundir);
    int failed = run_step(pool, step, NULL, ".");
    json_decref(step);
    return failed;
}

static int print_file(const char *rundir, const char *name)
{
    char path[FILENAME_MAX];
    snprintf(path, sizeof path, "%s/%s", rundir, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return fail(path, strerror(errno));
    printf("file %s:\n", path);
    for (int byte; (byte = getc(file)) != EOF;)
        putchar(byte);
    fclose(file);
    return 0;
}

static int run_workflow(const json_t *config, json_t *workflow, const char *source, const char *rundir)
{
    json_t *parameters, *steps, *outputs, *value;
    json_error_t problem;
    if (json_unpack_ex(workflow, &problem, JSON_STRICT, "{s:o, s:o, s:o}", "parameters", &parameters,
                       "steps", &steps, "outputs", &outputs) != 0)
        return fail("workflow.json", problem.text);

    fw_pool *pool = NULL;
    fw_context *context = NULL;
    fw_error *error = NULL;
    char *values = json_dumps(parameters, JSON_COMPACT);
    int failed = 0;
    if (fw_pool_create_from(config, &pool, &error) != FW_OK ||
        fw_context_create(values, FW_STRLEN, &context, &error) != FW_OK)
        failed = refuse(error);

    size_t i;
    failed = failed || prepare(pool, source, rundir);
    json_array_foreach(steps, i, value)
        failed = failed || run_step(pool, value, context, rundir);
    json_array_foreach(outputs, i, value)
        failed = failed || print_file(rundir, json_is_string(value) ? json_string_value(value) : "");
    fw_error_free(error);
    fw_context_free(context);
    fw_pool_free(pool);
    free(values);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return fail("usage", "run WORKFLOW_DIR RUN_DIR");
    json_t *config = load(argv[1], "pool.json");
    json_t *workflow = load(argv[1], "workflow.json");
    int failed = config == NULL || workflow == NULL || run_workflow(config, workflow, argv[1], argv[2]);
    json_decref(workflow);
    json_decref(config);
    return failed;
}
