/*
 * function.c - functions of this program as the steps of a workflow, and what becomes of one that fails and of one that
 * takes too long.
 *
 *   function
 */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <flowworker.h>

/* A step that has been given up takes nothing more of its function. */
static void warn(fw_status status)
{
    if (status != FW_OK)
        fprintf(stderr, "function: the step has ended without its function\n");
}

/* Sums the numbers of a file in the run directory, which is the working directory of this thread. */
static void sum(fw_call *call, void *payload)
{
    (void)payload;
    const char *name = fw_call_argument(call, "file", NULL); /* JSON: a text has its quotes */
    char path[256] = "";
    if (name == NULL || sscanf(name, "\"%255[^\"]\"", path) != 1) {
        warn(fw_call_fail(call, "ValueError", "the name of a file is needed", NULL, NULL));
        return;
    }
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        warn(fw_call_fail(call, "FileNotFoundError", path, NULL, NULL));
        return;
    }
    double total = 0, number;
    char text[64];
    while (fscanf(file, "%lf", &number) == 1)
        total += number;
    fclose(file);
    int length = snprintf(text, sizeof text, "adding the numbers of %s\n", path);
    fw_status status =
        fw_call_write(call, FW_STDOUT, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1, NULL);
    snprintf(text, sizeof text, "%.17g", total);
    if (status == FW_OK)
        status = fw_call_return(call, text, FW_ZERO_TERMINATED, NULL);
    warn(status);
}

/* Works until it is asked to stop. */
static void search(fw_call *call, void *payload)
{
    (void)payload;
    long long looked_at = 0;
    while (!fw_call_is_cancelled(call)) {
        looked_at++;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    const char *word = looked_at > 0 ? "nothing found\n" : "nothing looked at\n";
    warn(fw_call_write(call, FW_STDERR, word, FW_ZERO_TERMINATED, NULL));
}

static int refuse(fw_error *error)
{
    fprintf(stderr, "function: %s\n", fw_error_message(error));
    fw_error_free(error);
    return 1;
}

static const char *const steps[] = {
    "{\"name\": \"add\", \"action\": {\"func\": \"sum\", \"arg\": \"total\"}}",
    "{\"name\": \"add another\", \"action\": {\"func\": \"sum\", \"variables\": [{\"arg\": \"file\", \"var\": "
    "\"other\"}]}}",
    "{\"name\": \"look\", \"timeout\": 0.2, \"action\": {\"func\": \"search\"}}",
};

int main(void)
{
    char rundir[] = "/tmp/function-XXXXXX", path[64];
    if (mkdtemp(rundir) == NULL)
        return 1;
    snprintf(path, sizeof path, "%s/numbers", rundir);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs("1 2.5 38.5\n", file) < 0 || fclose(file) != 0)
        return 1;

    fw_error *error;
    fw_pool *pool;
    fw_context *context;
    if (fw_pool_create("[]", FW_ZERO_TERMINATED, &pool, &error))
        return refuse(error);
    if (fw_context_create("{\"file\": \"numbers\", \"other\": \"letters\"}", FW_ZERO_TERMINATED, &context, &error))
        return refuse(error);
    if (fw_function_register(pool, "sum", "[\"file\"]", FW_ZERO_TERMINATED, sum, NULL, NULL, &error))
        return refuse(error);
    if (fw_function_register(pool, "search", NULL, 0, search, NULL, NULL, &error))
        return refuse(error);

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        fw_step *step;
        const fw_worker *worker;
        fw_result *result;
        if (fw_step_create(steps[i], FW_ZERO_TERMINATED, &step, &error))
            return refuse(error);
        if (fw_pool_get(pool, step, &worker, &error))
            return refuse(error);
        if (fw_worker_exec(worker, step, context, rundir, &result, &error))
            return refuse(error);
        for (fw_stream stream = FW_STDOUT; stream <= FW_STDERR; stream++)
            for (size_t at = 0; at < fw_result_output_count(result, stream); at++)
                printf("  %s", fw_result_output(result, stream, at, NULL));
        printf("%s\n", fw_result_message(result) != NULL ? fw_result_message(result) : "done");
        fw_result_free(result);
        fw_step_free(step);
    }

    char *total;
    if (fw_context_get(context, "total", &total, &error))
        return refuse(error);
    printf("the context has the total: %s\n", total);
    fw_string_free(total);
    fw_context_free(context);
    fw_pool_free(pool);
    remove(path);
    remove(rundir);
    return 0;
}
