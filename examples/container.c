/*
 * container.c - runs a step of two commands in containers, and shows what they write while they run.
 *
 *   container [IMAGE]
 *
 * The engine is found as the docker CLI finds it: DOCKER_HOST, DOCKER_CONTEXT, the CLI's configuration,
 * the usual sockets. The exit status is that of the step.
 */
#define _DEFAULT_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <flowworker.h>
#include <jansson.h>

/* The user of this process owns what the commands write. */
static const char worker_spec[] = "{\"name\": \"box\", \"type\": \"docker\", \"options\": {\"user\": \"host\"}}";

/* A script for the shell of the image. A dollar that is none of a placeholder is written twice. */
static const char greet[] = "for name in Alice Bob; do echo Hello $$name | tee -a greetings; sleep 0.3; done";

static int refuse(fw_error *error)
{
    fprintf(stderr, "container: %s\n", fw_error_message(error));
    fw_error_free(error);
    return 1;
}

/* What is no output is shown as JSON. */
static void show(const fw_event *event)
{
    int32_t kind = fw_event_kind(event);
    char *text;
    if (kind == FW_EVENT_OUTPUT) {
        size_t length;
        const char *line = fw_event_data(event, &length);
        printf("  %s: ", fw_event_stream(event) == FW_STDOUT ? "stdout" : "stderr");
        fwrite(line, 1, length, stdout);
        putchar('\n');
    } else if ((kind == FW_EVENT_PROGRESS || kind == FW_EVENT_COMMAND_STARTED) &&
               fw_event_to_json(event, &text, NULL) == FW_OK) {
        printf("%s\n", text);
        fw_string_free(text);
    }
    fflush(stdout);
}

static void print_image(const fw_result *result)
{
    char *text;
    if (fw_result_to_json(result, &text, NULL) != FW_OK)
        return;
    json_t *document = json_loads(text, JSON_ALLOW_NUL, NULL);
    const json_t *engine = json_object_get(document, "engine");
    const char *digest = json_string_value(json_object_get(engine, "digest"));
    const char *identifier = json_string_value(json_object_get(engine, "image_id"));
    if (digest != NULL || identifier != NULL)
        printf("image %s\n", digest != NULL ? digest : identifier);
    json_decref(document);
    fw_string_free(text);
}

static int watch(fw_exec *exec)
{
    fw_event *event;
    fw_result *result;
    fw_error *error;
    for (int32_t kind = 0; kind != FW_EVENT_STEP_ENDED; fw_event_free(event)) {
        if (fw_exec_next_event(exec, -1, &event, &error) != FW_OK)
            return refuse(error);
        kind = fw_event_kind(event);
        show(event);
    }
    if (fw_exec_wait(exec, -1, &result, &error) != FW_OK)
        return refuse(error);
    print_image(result);
    /* The message names the engine, or all places where one was looked for. */
    if (fw_result_outcome(result) == FW_ENGINE_FAILED)
        fprintf(stderr, "There is no engine to run it: %s\n", fw_result_message(result));
    else if (fw_result_message(result) != NULL)
        fprintf(stderr, "%s\n", fw_result_message(result));
    int returncode = (int)fw_result_returncode(result);
    fw_result_free(result);
    return returncode >= 0 ? returncode : 128 - returncode;
}

int main(int argc, char **argv)
{
    fw_worker *worker = NULL;
    fw_step *step = NULL;
    fw_exec *exec = NULL;
    fw_error *error;
    char rundir[4096];
    const char *place = getenv("TMPDIR");
    snprintf(rundir, sizeof rundir, "%s/container-XXXXXX", place != NULL ? place : "/tmp");
    if (mkdtemp(rundir) == NULL || chdir(rundir) != 0) {
        perror(rundir);
        return 1;
    }
    /* A command is its words: a program and its arguments. */
    json_t *document =
        json_pack("{s:s, s:{s:s, s:[[s, s, s], [s, s, s]]}}", "name", "hello", "action", "environment",
                  argc > 1 ? argv[1] : "busybox:latest", "commands", "sh", "-c", greet, "wc", "-l", "greetings");
    char *text = json_dumps(document, JSON_COMPACT);
    int status;
    if (fw_worker_create(worker_spec, FW_ZERO_TERMINATED, &worker, &error) == FW_OK &&
        fw_step_create(text, FW_ZERO_TERMINATED, &step, &error) == FW_OK &&
        fw_exec_start(worker, step, NULL, rundir, "{\"events\": \"lines\"}", FW_ZERO_TERMINATED, &exec, &error) ==
            FW_OK)
        status = watch(exec);
    else
        status = refuse(error);
    fw_exec_free(exec);
    fw_step_free(step);
    fw_worker_free(worker);
    free(text);
    json_decref(document);
    unlink("greetings");
    rmdir(rundir);
    return status;
}
