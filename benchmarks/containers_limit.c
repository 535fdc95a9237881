/*
 * containers_limit.c - the least that a step in containers costs: bare requests to a Docker Engine.
 *
 *   sequence   for each command create, start, wait, logs, remove, each after the other's answer
 *   pipeline   output over an attached connection; while a command runs, the container of the next one is
 *              created, and that of the last one removed
 *   exec       one container for the step; for each command an exec is created, run, and looked at
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

enum { id_size = 64 + 1 };
struct engine {
    const char *socket, *image, *data;
    size_t commands;
};

static void need(bool ok, const char *what, const char *detail)
{
    if (!ok) {
        fprintf(stderr, "limit: containers: %s: %s\n", what, detail);
        exit(1);
    }
}

/* Returns the text of a body after the mark. */
static const char *find(const char *body, const char *mark)
{
    const char *found = strstr(body, mark);
    need(found != NULL, "the engine says", body);
    return found + strlen(mark);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* A connection: requests are written to its descriptor, and answers are read through its buffer. */
static FILE *connect_to(const struct engine *engine)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", engine->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "connect", engine->socket);
    return fdopen(fd, "r");
}

/* `path` has at most one %s, which is the name. */
static void ask(FILE *link, const char *method, const char *path, const char *name, const char *body)
{
    char target[256];
    snprintf(target, sizeof target, path, name);
    int count = dprintf(fileno(link),
                        "%s %s HTTP/1.1\r\nHost: engine\r\nContent-Type: application/json\r\n"
                        "Content-Length: %zu\r\n\r\n%s",
                        method, target, strlen(body), body);
    need(count > 0, "write", target);
}

static char *take_line(FILE *link)
{
    static _Thread_local char line[1024];
    need(fgets(line, sizeof line, link) != NULL, "read", "the connection was closed");
    return line;
}

/* Reads one answer, whose status must be 2xx, and gives its body. That of a stream has no length, and is left. */
static const char *answer(FILE *link)
{
    static _Thread_local char body[16384];
    size_t length = 0, part = 0;
    bool is_success = strncmp(take_line(link), "HTTP/1.1 2", 10) == 0, is_chunked = false;
    for (char *line = take_line(link); strcmp(line, "\r\n") != 0; line = take_line(link)) {
        sscanf(line, "Content-Length: %zu", &part);
        is_chunked |= strcmp(line, "Transfer-Encoding: chunked\r\n") == 0;
    }
    do {
        if (is_chunked)
            part = strtoul(take_line(link), NULL, 16);
        need(length + part < sizeof body && fread(body + length, 1, part, link) == part, "read", "the answer");
        length += part;
    } while (is_chunked && (take_line(link), part != 0));
    body[length] = '\0';
    need(is_success, "the engine refuses", body);
    return body;
}

static const char *call(FILE *link, const char *method, const char *path, const char *name, const char *body)
{
    ask(link, method, path, name, body);
    return answer(link);
}

/* Reads a stream to its end. It must be one "hi" behind a header of 8 bytes. */
static void end_stream(FILE *link)
{
    char bytes[64];
    need(fread(bytes, 1, sizeof bytes, link) == 11 && memcmp(bytes + 8, "hi\n", 3) == 0, "output", "is not hi");
    fclose(link);
}

static void ask_create(const struct engine *engine, FILE *link, const char *command, const char *log)
{
    char body[1024];
    snprintf(body, sizeof body,
             "{\"Image\":\"%s\",\"Cmd\":[%s],\"HostConfig\":{\"Binds\":[\"%s:/data\"],\"LogConfig\":{%s}}}",
             engine->image, command, engine->data, log);
    ask(link, "POST", "/containers/create", "", body);
}

/* Returns the "Id" of the object that was created. */
static void answer_id(FILE *link, char id[id_size])
{
    snprintf(id, id_size, "%s", find(answer(link), "\"Id\":\""));
}

static const char echo[] = "\"echo\",\"hi\"", no_log[] = "\"Type\":\"none\"";

static double run_sequence(const struct engine *engine, FILE *link)
{
    char id[id_size];
    for (size_t i = 0; i < engine->commands; i++) {
        ask_create(engine, link, echo, "");
        answer_id(link, id);
        call(link, "POST", "/containers/%s/start", id, "");
        find(call(link, "POST", "/containers/%s/wait", id, ""), "\"StatusCode\":0");
        call(link, "GET", "/containers/%s/logs?stdout=1&stderr=1", id, "");
        call(link, "DELETE", "/containers/%s", id, "");
    }
    return seconds_now();
}

static double run_pipeline(const struct engine *engine, FILE *link)
{
    FILE *creating = connect_to(engine), *removing = connect_to(engine);
    char id[id_size];
    ask_create(engine, creating, echo, no_log);
    for (size_t i = 0; i < engine->commands; i++) {
        answer_id(creating, id);
        FILE *output = connect_to(engine);
        call(output, "POST", "/containers/%s/attach?stream=1&stdout=1&stderr=1", id, "");
        call(link, "POST", "/containers/%s/start", id, "");
        if (i + 1 < engine->commands)
            ask_create(engine, creating, echo, no_log);
        end_stream(output);
        find(call(link, "POST", "/containers/%s/wait", id, ""), "\"StatusCode\":0");
        if (i > 0)
            answer(removing);
        ask(removing, "DELETE", "/containers/%s", id, "");
    }
    double answered = seconds_now();
    answer(removing);
    fclose(creating);
    fclose(removing);
    return answered;
}

static double run_exec(const struct engine *engine, FILE *link)
{
    char container[id_size], id[id_size];
    ask_create(engine, link, "\"sleep\",\"1000\"", no_log);
    answer_id(link, container);
    call(link, "POST", "/containers/%s/start", container, "");
    for (size_t i = 0; i < engine->commands; i++) {
        ask(link, "POST", "/containers/%s/exec", container,
            "{\"AttachStdout\":true,\"AttachStderr\":true,\"Cmd\":[\"echo\",\"hi\"]}");
        answer_id(link, id);
        FILE *output = connect_to(engine);
        call(output, "POST", "/exec/%s/start", id, "{\"Detach\":false,\"Tty\":false}");
        end_stream(output);
        find(call(link, "GET", "/exec/%s/json", id, ""), "\"ExitCode\":0");
    }
    double answered = seconds_now();
    call(link, "DELETE", "/containers/%s?force=1", container, "");
    return answered;
}

/* Runs one step of so many `echo hi`. Gives the seconds until all is known of its last command, and those
 * until its last container is gone. */
void limit_containers(const char *arrangement, const char *socket, const char *image, const char *data, size_t commands,
                      double seconds[2])
{
    struct engine engine = {socket, image, data, commands};
    bool is_sequence = strcmp(arrangement, "sequence") == 0, is_exec = strcmp(arrangement, "exec") == 0;
    double (*run)(const struct engine *, FILE *) = is_sequence ? run_sequence : is_exec ? run_exec : run_pipeline;
    double start = seconds_now();
    FILE *link = connect_to(&engine);
    seconds[0] = run(&engine, link) - start;
    seconds[1] = seconds_now() - start;
    fclose(link);
}
