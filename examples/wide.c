/*
 * wide.c - counts the words of many texts, several at a time, and adds the counts.
 *
 *   wide FOLDER JOBS NAME...
 *
 * The texts are files in FOLDER, which also gets the counts, in the folder `counts`, and their sum, in the file `sum`.
 * One thread waits with poll(2) for the whole run, however many steps run at once. The exit status is 0 if all of it
 * has succeeded.
 */
#define _DEFAULT_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <flowworker.h>

/* One instance for each name: they have no files in common, so they run at the same time. The last step reads what all
 * of them write, so it waits for all of them. */
static const char document[] =
    "{\"steps\": ["
    "  {\"name\": \"count\", \"foreach\": {\"names\": {\"name\": \"$[[names]]\"}},"
    "   \"files\": {\"inputs\": [\"$name\"], \"outputs\": [\"counts/$name\"]},"
    "   \"action\": {\"environment\": \"\", \"commands\": [\"wc -w < ${name:q} > counts/${name:q}\"]}},"
    "  {\"name\": \"sum\", \"files\": {\"inputs\": [\"counts/\"], \"outputs\": [\"sum\"]},"
    "   \"action\": {\"environment\": \"\","
    "    \"commands\": [\"cat counts/* | awk '{ words += $$1 } END { print words + 0 }' | tee sum\"]}}"
    "]}";

static int refuse(fw_error *error)
{
    fprintf(stderr, "wide: %s\n", fw_error_message(error));
    fw_error_free(error);
    return 1;
}

/* Makes the context {"names": [...]}. */
static fw_status make_context(char **names, int count, fw_context **context, fw_error **error)
{
    fw_status status = fw_context_create("{}", FW_ZERO_TERMINATED, context, error);
    char *list = strdup("[");
    size_t length = 1;
    for (int i = 0; status == FW_OK && list != NULL && i < count; i++) {
        char *name;
        status = fw_quote_json(names[i], FW_ZERO_TERMINATED, &name, error);
        if (status != FW_OK)
            break;
        size_t more = strlen(name);
        char *longer = realloc(list, length + more + 3);
        if (longer != NULL)
            length += (size_t)sprintf(longer + length, "%s%s", i > 0 ? "," : "", name);
        else
            free(list);
        list = longer;
        fw_string_free(name);
    }
    if (list == NULL)
        abort();
    strcat(list, "]"); /* there is room for it */
    if (status == FW_OK)
        status = fw_context_set(*context, "names", list, FW_ZERO_TERMINATED, error);
    free(list);
    return status;
}

/* Prints which instance has ended. */
static void report(const fw_event *event)
{
    if (fw_event_kind(event) == FW_EVENT_STEP_ENDED && fw_event_instance(event) >= 0)
        fprintf(stderr, "%s[%lld] has ended\n", fw_event_step_name(event), (long long)fw_event_instance(event));
}

static int finish(fw_exec *exec)
{
    fw_error *error;
    fw_result *result;
    for (int is_over = 0; !is_over;) {
        struct pollfd file = {fw_exec_fd(exec), POLLIN, 0};
        if (poll(&file, 1, -1) < 0)
            continue;
        for (;;) {
            fw_event *event;
            if (fw_exec_next_event(exec, 0, &event, &error) != FW_OK)
                return refuse(error);
            if (event == NULL)
                break;
            report(event);
            is_over = fw_event_kind(event) == FW_EVENT_RUN_ENDED;
            fw_event_free(event);
        }
    }
    if (fw_exec_wait(exec, -1, &result, &error) != FW_OK)
        return refuse(error);
    int returncode = fw_result_returncode(result) != 0;
    if (returncode != 0) {
        fprintf(stderr, "wide: %s\n", fw_result_message(result));
    } else {
        size_t length;
        const char *sum = fw_result_output(result, FW_STDOUT, 0, &length); /* only the last step prints anything */
        fwrite(sum, 1, length, stdout);
    }
    fw_result_free(result);
    return returncode;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: wide FOLDER JOBS NAME...\n");
        return 2;
    }
    fw_error *error;
    fw_pool *pool = NULL;
    fw_workflow *workflow = NULL;
    fw_context *context = NULL;
    fw_exec *exec = NULL;
    char options[64];
    snprintf(options, sizeof options, "{\"jobs\": %d}", atoi(argv[2]));
    int status = 0;
    if (fw_pool_create("{}", FW_ZERO_TERMINATED, &pool, &error) != FW_OK ||
        fw_workflow_create(document, FW_ZERO_TERMINATED, &workflow, &error) != FW_OK ||
        make_context(argv + 3, argc - 3, &context, &error) != FW_OK ||
        fw_workflow_start(workflow, pool, context, argv[1], options, FW_ZERO_TERMINATED, &exec, &error) != FW_OK)
        status = refuse(error);
    else
        status = finish(exec);
    fw_exec_free(exec); /* ends what still runs */
    fw_context_free(context);
    fw_workflow_free(workflow);
    fw_pool_free(pool);
    return status;
}
