/*
 * run.c - a C host that runs a workflow.
 *
 *     run WORKFLOW_DIR RUN_DIR
 *
 * WORKFLOW_DIR has pool.json, workflow.json, and the files that the steps need: it is a storage volume from which
 * they are copied as they are needed. RUN_DIR is where the steps work; it gets run.html as well, a page with the
 * timeline.
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

/* What each command was and took is in the result's JSON. */
static void print_step(const fw_result *step, const json_t *document)
{
    const json_t *command;
    size_t i;
    printf("step %s, worker %s (%s)\n", json_string_value(json_object_get(document, "step")),
           json_string_value(json_object_get(document, "worker")),
           json_string_value(json_object_get(document, "worker_type")));
    json_array_foreach(json_object_get(document, "commands"), i, command)
        printf("  $ %s\n  %s, %.3f s\n", json_string_value(json_object_get(command, "command")),
               json_string_value(json_object_get(command, "outcome")),
               json_number_value(json_object_get(command, "duration")));
    print_output(step, FW_STDOUT, "stdout");
    print_output(step, FW_STDERR, "stderr");
}

static int print_result(const fw_result *result)
{
    char *text;
    if (fw_result_to_json(result, &text, NULL) != FW_OK)
        return fail("result", "there is not enough memory for its JSON");
    json_t *document = json_loads(text, JSON_ALLOW_NUL, NULL);
    for (size_t i = 0; i < fw_result_step_count(result); i++)
        print_step(fw_result_step(result, i), json_array_get(json_object_get(document, "steps"), i));
    json_decref(document);
    fw_string_free(text);
    return fw_result_returncode(result) == 0 ? 0 : fail("the workflow failed", fw_result_message(result));
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

static int write_page(const fw_result *result, const char *rundir)
{
    char path[FILENAME_MAX], *page = NULL;
    snprintf(path, sizeof path, "%s/run.html", rundir);
    if (fw_result_view(result, "html", &page, NULL) != FW_OK)
        return fail(path, "there is not enough memory for it");
    FILE *file = fopen(path, "wb");
    int failed = file == NULL || fputs(page, file) == EOF;
    if (file != NULL)
        failed = fclose(file) != 0 || failed;
    fw_string_free(page);
    return failed ? fail(path, strerror(errno)) : 0;
}

static int run(json_t *config, const json_t *document, const char *source, const char *rundir)
{
    json_object_set_new(config, "volumes",
                        json_pack("[{s:s, s:s, s:{s:s}}]", "name", "source", "type", "fs", "args", "basedir", source));
    char *text = json_dumps(document, JSON_COMPACT);
    fw_pool *pool = NULL;
    fw_workflow *workflow = NULL;
    fw_result *result = NULL;
    fw_error *error = NULL;
    int failed;
    if (fw_pool_create_from(config, &pool, &error) == FW_OK &&
        fw_workflow_create(text, FW_ZERO_TERMINATED, &workflow, &error) == FW_OK &&
        fw_workflow_run(workflow, pool, NULL, rundir, NULL, 0, &result, &error) == FW_OK) {
        failed = print_result(result);
        failed = write_page(result, rundir) || failed;
        json_t *output;
        size_t i;
        json_array_foreach(json_object_get(json_object_get(document, "files"), "outputs"), i, output)
            failed = failed || print_file(rundir, json_string_value(output));
    } else {
        failed = refuse(error);
    }
    fw_error_free(error);
    fw_result_free(result);
    fw_workflow_free(workflow);
    fw_pool_free(pool);
    free(text);
    return failed;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return fail("usage", "run WORKFLOW_DIR RUN_DIR");
    json_t *config = load(argv[1], "pool.json");
    json_t *document = load(argv[1], "workflow.json");
    int failed = config == NULL || document == NULL || run(config, document, argv[1], argv[2]);
    json_decref(document);
    json_decref(config);
    return failed;
}
