/*
 * A host that runs one workflow, for wide.py, chain.py and scale.py.
 *
 *     wide run FILE JOBS            runs the workflow in FILE, each of whose steps must succeed
 *     wide cost KIND STEPS JOBS     prints the seconds of reading the document and of the run, and the bytes of memory
 *                                   that the run has left while its result is there
 *
 * KIND is `nothing` (steps without commands), `function` (host functions that return at once) or `values` (one step
 * without commands that runs over so many values). All steps are independent.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "need.h"

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        give_up(path);
    long length = ftell(file);
    rewind(file);
    char *text = malloc((size_t)length + 1);
    if (text == NULL || fread(text, 1, (size_t)length, file) != (size_t)length)
        give_up(path);
    text[length] = '\0';
    fclose(file);
    return text;
}

static void return_at_once(fw_call *call, void *payload)
{
    (void)payload;
    fw_error *error;
    need(fw_call_return(call, "null", FW_ZERO_TERMINATED, &error), error);
}

static char *document_of(const char *kind, size_t steps)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    if (file == NULL)
        give_up("open_memstream");
    fputs("{\"steps\": [", file);
    if (strcmp(kind, "values") == 0) {
        fputs("{\"name\": \"s\", \"after\": [], \"foreach\": {\"names\": {\"i\": [0", file);
        for (size_t i = 1; i < steps; i++)
            fprintf(file, ",%zu", i);
        fputs("]}}, \"action\": {\"environment\": \"\", \"commands\": []}}", file);
    }
    const char *action =
        strcmp(kind, "function") == 0 ? "{\"func\": \"f\"}" : "{\"environment\": \"\", \"commands\": []}";
    for (size_t i = 0; i < steps && strcmp(kind, "values") != 0; i++)
        fprintf(file, "%s{\"name\": \"s%zu\", \"after\": [], \"action\": %s}", i > 0 ? ", " : "", i, action);
    fputs("]}", file);
    fclose(file);
    return text;
}

/* What a run and the reading of its document have cost. */
struct cost {
    double reading, running, kept;
};

static struct cost run(const char *document, const char *jobs)
{
    struct cost cost;
    fw_error *error;
    fw_pool *pool;
    fw_workflow *workflow;
    fw_result *result;
    char options[64];
    snprintf(options, sizeof options, "{\"jobs\": %s}", jobs);
    need(fw_pool_create("[]", FW_ZERO_TERMINATED, &pool, &error), error);
    need(fw_function_register(pool, "f", "[]", FW_ZERO_TERMINATED, return_at_once, NULL, NULL, &error), error);
    double start = seconds_now();
    need(fw_workflow_create(document, FW_ZERO_TERMINATED, &workflow, &error), error);
    cost.reading = seconds_now() - start;
    double before = proc_bytes("/proc/self/status", "VmRSS:");
    start = seconds_now();
    need(fw_workflow_run(workflow, pool, NULL, ".", options, FW_ZERO_TERMINATED, &result, &error), error);
    cost.running = seconds_now() - start;
    cost.kept = proc_bytes("/proc/self/status", "VmRSS:") - before;
    if (fw_result_returncode(result) != 0)
        give_up(fw_result_message(result));
    fw_result_free(result);
    fw_workflow_free(workflow);
    fw_pool_free(pool);
    return cost;
}

int main(int argc, char **argv)
{
    allow_descriptors();
    if (argc == 4 && strcmp(argv[1], "run") == 0) {
        run(read_file(argv[2]), argv[3]);
        return 0;
    }
    if (argc != 5 || strcmp(argv[1], "cost") != 0)
        give_up("usage: wide run FILE JOBS, or wide cost KIND STEPS JOBS");
    struct cost cost = run(document_of(argv[2], strtoul(argv[3], NULL, 10)), argv[4]);
    return printf("%.9f %.9f %.0f\n", cost.reading, cost.running, cost.kept) < 0;
}
