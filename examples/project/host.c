/*
 * host.c - the project's host in C: runs the workflow, shows what happens, and writes a page of the run.
 *
 *     host [-m YYYY-MM] [-n] [DIRECTORY]
 *
 * DIRECTORY (by default the working directory) has config.json, workflow.json and the folder `parts`. Everything that
 * the run makes is in its folder `data`: `run`, the run directory; `state`, from which another run goes on where this
 * one has ended; `archive` and `website`, storage volumes; `page.html`, the page of the run. -n runs the notebook,
 * which needs papermill. The environment variable SALES_TOKEN has the secret; SALES_PAUSE is how many seconds the step
 * "compare" takes for each shop. Ctrl-C cancels the run. The exit status is 0, 1 (a step failed), 2 (the project cannot
 * run), or 130 (cancelled).
 */
#include <errno.h>
#include <flowworker.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* Says what is wrong, and gives the exit status of a project that cannot run. */
static int cannot(const char *what, const char *why)
{
    fprintf(stderr, "host: %s: %s\n", what, why);
    return 2;
}

static int refused(fw_error *error)
{
    const char *path = fw_error_path(error);
    int status = cannot(path != NULL && path[0] != '\0' ? path : "error", fw_error_message(error));
    fw_error_free(error);
    return status;
}

/* The text of a file, to be released with free(); NULL if it cannot be read. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t length = 0, room = 0;
    if (file == NULL)
        return NULL;
    do {
        char *larger = length + 1 < room ? text : realloc(text, room = 2 * room + 4096);
        if (larger == NULL)
            break;
        text = larger;
        length += fread(text + length, 1, room - length - 1, file);
        text[length] = '\0';
    } while (!feof(file) && !ferror(file));
    bool is_whole = feof(file) != 0;
    fclose(file);
    if (is_whole)
        return text;
    free(text);
    return NULL;
}

/* The function of the step "next month": the library calls it on a thread of its own. */
static void next_month(fw_call *call, void *payload)
{
    (void)payload;
    const char *text = fw_call_argument(call, "text", NULL);
    int year, month, end = 0;
    fw_status status;
    if (text == NULL || sscanf(text, "\"%4d-%2d\"%n", &year, &month, &end) != 2 || text[end] != '\0' || end != 9 ||
        month < 1 || month > 12) {
        status = fw_call_fail(call, "ValueError", "a month is written as YYYY-MM", NULL, NULL);
    } else {
        char json[32];
        snprintf(json, sizeof json, "\"%04d-%02d\"", year + month / 12, month % 12 + 1);
        status = fw_call_return(call, json, FW_ZERO_TERMINATED, NULL);
    }
    if (status != FW_OK)
        fprintf(stderr, "host: the step has ended without waiting for its function\n");
}

/* Prints what an event says, with the number of its step. */
static void show(const fw_event *event, size_t *count)
{
    int32_t number = fw_event_step(event) + 1;
    char *text = NULL;
    switch (fw_event_kind(event)) {
    case FW_EVENT_RUN_STARTED:
        if (fw_event_to_json(event, &text, NULL) == FW_OK) {
            json_t *json = json_loads(text, 0, NULL);
            *count = json_array_size(json_object_get(json, "steps"));
            json_decref(json);
            fw_string_free(text);
        }
        break;
    case FW_EVENT_STEP_STARTED:
        printf("[%d/%zu] %s\n", number, *count, fw_event_step_name(event));
        break;
    case FW_EVENT_STEP_RESTORED:
        printf("[%d/%zu] %s (restored)\n", number, *count, fw_event_step_name(event));
        break;
    case FW_EVENT_OUTPUT:
        printf("      %s\n", fw_event_data(event, NULL));
        break;
    default:
        break;
    }
    fflush(stdout);
}

/* Shows the events of the run until the last one. Ctrl-C, which `signals` reports, cancels the run. */
static int watch(fw_exec *exec, int signals)
{
    size_t count = 0;
    for (;;) {
        struct pollfd items[] = {{.fd = fw_exec_fd(exec), .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        if (poll(items, 2, -1) < 0 && errno != EINTR)
            return cannot("poll", strerror(errno));
        struct signalfd_siginfo signal;
        if (read(signals, &signal, sizeof signal) == sizeof signal) {
            fprintf(stderr, "cancelling\n");
            fw_exec_cancel(exec);
        }
        for (;;) {
            fw_event *event;
            fw_error *error;
            if (fw_exec_next_event(exec, 0, &event, &error) != FW_OK)
                return refused(error);
            if (event == NULL)
                break;
            bool is_last = fw_event_kind(event) == FW_EVENT_RUN_ENDED;
            show(event, &count);
            fw_event_free(event);
            if (is_last)
                return 0;
        }
    }
}

static int write_page(const fw_result *result)
{
    char *page;
    fw_error *error;
    if (fw_result_view(result, "html", &page, &error) != FW_OK)
        return refused(error);
    FILE *file = fopen("data/page.html", "wb");
    bool failed = file == NULL || fputs(page, file) == EOF;
    if (file != NULL)
        failed = fclose(file) != 0 || failed;
    fw_string_free(page);
    if (failed)
        return cannot("data/page.html", strerror(errno));
    printf("the page of the run is data/page.html\n");
    return 0;
}

/* Runs the workflow to its end, and gives the exit status of the host. */
static int run(const fw_workflow *workflow, fw_pool *pool, fw_context *context, const char *directory, int signals)
{
    char rundir[PATH_MAX + 16], state[PATH_MAX + 16];
    snprintf(rundir, sizeof rundir, "%s/data/run", directory);
    snprintf(state, sizeof state, "%s/data/state", directory);
    json_t *options = json_pack("{s:s, s:s}", "events", "lines", "state", state);
    char *text = json_dumps(options, 0);
    json_decref(options);
    fw_exec *exec;
    fw_error *error;
    if (text == NULL)
        return cannot(directory, "is not a path in UTF-8");
    fw_status started = fw_workflow_start(workflow, pool, context, rundir, text, FW_ZERO_TERMINATED, &exec, &error);
    free(text);
    if (started != FW_OK)
        return refused(error);

    fw_result *result = NULL;
    int status = watch(exec, signals);
    if (status == 0 && fw_exec_wait(exec, -1, &result, &error) != FW_OK)
        status = refused(error);
    fw_exec_free(exec);
    if (result == NULL)
        return status;
    status = write_page(result);
    if (fw_result_returncode(result) != 0) {
        fprintf(stderr, "%s\n", fw_result_message(result));
        status = fw_result_outcome(result) == FW_CANCELLED ? 130 : 1;
    }
    fw_result_free(result);
    return status;
}

/* Makes the pool, the workflow and the context of the project in the working directory, and runs it. */
static int run_project(json_t *arguments, int signals)
{
    char directory[PATH_MAX];
    char *config = read_file("config.json"), *document = read_file("workflow.json"), *given = json_dumps(arguments, 0);
    fw_pool *pool = NULL;
    fw_workflow *workflow = NULL;
    fw_context *context = NULL;
    fw_error *error = NULL;
    int status;
    if (config == NULL || document == NULL || given == NULL)
        status = cannot(config == NULL     ? "config.json"
                        : document == NULL ? "workflow.json"
                                           : "the arguments",
                        given == NULL ? "they are not UTF-8" : strerror(errno));
    else if (getcwd(directory, sizeof directory) == NULL)
        status = cannot("the working directory", strerror(errno));
    else if (fw_pool_create(config, FW_ZERO_TERMINATED, &pool, &error) != FW_OK ||
             fw_function_register(pool, "sales.next_month", "[\"text\"]", FW_ZERO_TERMINATED, next_month, NULL, NULL,
                                  &error) != FW_OK ||
             fw_workflow_create(document, FW_ZERO_TERMINATED, &workflow, &error) != FW_OK ||
             fw_context_create(given, FW_ZERO_TERMINATED, &context, &error) != FW_OK)
        status = refused(error);
    else
        status = run(workflow, pool, context, directory, signals);
    fw_context_free(context);
    fw_workflow_free(workflow);
    fw_pool_free(pool);
    free(given);
    free(document);
    free(config);
    return status;
}

int main(int argc, char **argv)
{
    const char *token = getenv("SALES_TOKEN");
    if (token == NULL || token[0] == '\0')
        return cannot("SALES_TOKEN", "the environment variable has no token");
    json_t *arguments = json_pack("{s:s, s:s}", "month", "2026-10", "token", token);
    for (int option; (option = getopt(argc, argv, "m:n")) != -1;) {
        if (option == 'm')
            json_object_set_new(arguments, "month", json_string(optarg));
        else if (option == 'n')
            json_object_set_new(arguments, "figure", json_pack("{s:s}", "notebook", "figure.ipynb"));
        else
            return cannot("usage", "host [-m YYYY-MM] [-n] [DIRECTORY]");
    }
    /* The paths of the configuration are relative to the project. */
    if (optind < argc && chdir(argv[optind]) != 0)
        return cannot(argv[optind], strerror(errno));
    if (mkdir("data", 0777) != 0 && errno != EEXIST)
        return cannot("data", strerror(errno));

    /* Ctrl-C is read from a descriptor, beside that of the run. The commands of steps have their own signal masks. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0)
        return cannot("signalfd", strerror(errno));
    int status = run_project(arguments, signals);
    close(signals);
    json_decref(arguments);
    return status;
}
