/*
 * engine_http.h - looking at an engine past the library: a few calls of its API over its Unix socket.
 *
 *     json_t *names = engine_containers(host, getpid());
 *     json_t *found = engine_inspect(host, name);
 */
#ifndef ENGINE_HTTP_H
#define ENGINE_HTTP_H

#include "processes.h"

#include <sys/socket.h>
#include <sys/un.h>

/** The label of every container that the library makes; its value names the host process. */
#define ENGINE_LABEL "io.github.flowworker.host"
/** {"label":["io.github.flowworker.host"]} */
#define ENGINE_LABELLED "%7B%22label%22%3A%5B%22io.github.flowworker.host%22%5D%7D"

static inline int engine_connect(const char *host)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    REQUIRE(strncmp(host, "unix://", 7) == 0 && strlen(host + 7) < sizeof address.sun_path);
    strcpy(address.sun_path, host + 7);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static inline void engine_send(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);
        REQUIRE(sent > 0);
        data += sent;
        length -= (size_t)sent;
    }
}

/** One call. Gives the status, 0 when nobody listens; and, if wanted, what was answered: text that is no
 *  JSON, or many documents, as a string. HTTP/1.0, so that the answer comes as it is and ends with
 *  the connection. */
static inline int engine_call(const char *host, const char *method, const char *path, json_t *body, json_t **answer)
{
    char *text = body ? json_dumps(body, 0) : strdup(""), *head = NULL;
    json_decref(body);
    if (answer != NULL)
        *answer = NULL;
    int fd = engine_connect(host);
    if (fd < 0) {
        free(text);
        return 0;
    }
    int length = asprintf(&head, "%s %s HTTP/1.0\r\nHost: engine\r\n%sContent-Length: %zu\r\n\r\n", method, path,
                          *text ? "Content-Type: application/json\r\n" : "", strlen(text));
    REQUIRE(length > 0);
    engine_send(fd, head, (size_t)length);
    engine_send(fd, text, strlen(text));
    free(head);
    free(text);

    char *all = NULL, piece[65536];
    size_t size = 0;
    FILE *out = open_memstream(&all, &size);
    REQUIRE(out != NULL);
    for (ssize_t got; (got = read(fd, piece, sizeof piece)) > 0;)
        fwrite(piece, 1, (size_t)got, out);
    fclose(out);
    close(fd);
    int status = 0;
    char *rest = strstr(all, "\r\n\r\n");
    if (sscanf(all, "HTTP/%*d.%*d %d", &status) != 1 || rest == NULL)
        status = 0;
    else if (answer != NULL) {
        *answer = json_loads(rest + 4, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (*answer == NULL)
            *answer = json_string(rest + 4);
    }
    free(all);
    return status;
}

/** Which process a label's value names: MACHINE.BOOT.NAMESPACE.PID.START. */
static inline long engine_label_pid(const char *label)
{
    for (int i = 0; label != NULL && i < 3; i++) {
        label = strchr(label, '.');
        label = label ? label + 1 : NULL;
    }
    return label ? strtol(label, NULL, 10) : -1;
}

/** The name by which a container was made, without the slash that engines put before it. */
static inline const char *engine_name(const json_t *container)
{
    const char *name = json_string_value(json_array_get(json_object_get(container, "Names"), 0));
    return name && *name == '/' ? name + 1 : name;
}

/** The names of all containers that the library has made for a process, in whatever state; json_decref()
 *  it. NULL when the engine does not answer. */
static inline json_t *engine_containers(const char *host, long pid)
{
    json_t *all = NULL, *names, *one;
    size_t index;
    if (engine_call(host, "GET", "/containers/json?all=1&filters=" ENGINE_LABELLED, NULL, &all) != 200) {
        json_decref(all);
        return NULL;
    }
    names = json_array();
    json_array_foreach(all, index, one) {
        const char *label = json_string_value(json_object_get(json_object_get(one, "Labels"), ENGINE_LABEL));
        if (engine_label_pid(label) == pid)
            json_array_append_new(names, json_string(engine_name(one)));
    }
    json_decref(all);
    return names;
}

/** Returns how many containers the library has made for the process. */
static inline size_t engine_count(const char *host, long pid)
{
    json_t *names = engine_containers(host, pid);
    REQUIRE(names != NULL);
    size_t count = json_array_size(names);
    json_decref(names);
    return count;
}

/** All that the engine knows of a container; json_decref() it. NULL when there is none. */
static inline json_t *engine_inspect(const char *host, const char *name)
{
    char path[256];
    json_t *found = NULL;
    snprintf(path, sizeof path, "/containers/%s/json", name);
    if (engine_call(host, "GET", path, NULL, &found) == 200)
        return found;
    json_decref(found);
    return NULL;
}

static inline bool engine_has(const char *host, const char *name)
{
    json_t *found = engine_inspect(host, name);
    json_decref(found);
    return found != NULL;
}

static inline void engine_remove(const char *host, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "/containers/%s?force=1&v=1", name);
    engine_call(host, "DELETE", path, NULL, NULL);
}

/** Removes the containers of a process, and shows them: they should not be there. */
static inline void engine_clear(const char *host, long pid)
{
    json_t *names = engine_containers(host, pid), *name;
    size_t index;
    json_array_foreach(names, index, name) {
        fprintf(stderr, "    still there: %s\n", json_string_value(name));
        engine_remove(host, json_string_value(name));
    }
    json_decref(names);
}

/** Checks that there is no container of this process now. Removes those that there are, so that they do not disturb
 *  later checks. */
#define CHECK_NONE(host) check_none((host), getpid(), __FILE__, __LINE__)
/** Waits until no container of a process is left. (A result may arrive a moment before the container of a command that
 *  has exited by itself is gone.) */
#define NOTHING_LEFT_OF(host, pid) nothing_left((host), (pid), __FILE__, __LINE__)
#define NOTHING_LEFT(host) NOTHING_LEFT_OF((host), getpid())

static inline bool check_none(const char *host, long pid, const char *file, int line)
{
    if (check_int((long long)engine_count(host, pid), 0, "containers that are left", file, line))
        return true;
    engine_clear(host, pid);
    return false;
}

/** After a minute, containers that are still there are printed. */
static inline void nothing_left(const char *host, long pid, const char *file, int line)
{
    for (int turns = 0; turns < 12000; turns++) {
        if (engine_count(host, pid) == 0)
            return;
        a_moment();
    }
    check_none(host, pid, file, line);
}

/** Lets the engine forget an image; one that it does not have is no error. */
static inline void engine_remove_image(const char *host, const char *image)
{
    char path[400];
    snprintf(path, sizeof path, "/images/%s?force=1", image);
    int status = engine_call(host, "DELETE", path, NULL, NULL);
    CHECK(status == 200 || status == 404);
}

static inline bool engine_has_image(const char *host, const char *image)
{
    char path[400];
    snprintf(path, sizeof path, "/images/%s/json", image);
    return engine_call(host, "GET", path, NULL, NULL) == 200;
}

#endif
