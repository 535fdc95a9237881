/*
 * events.h - starting steps, and taking their events.
 *
 *     fw_exec *exec = START(NULL, "echo hello");
 *     struct events all = events_of(exec);
 *     CHECK_SHAPE(&all, "step_started 0:started 0:output 0:ended step_ended");
 *     events_free(&all);
 *     fw_exec_free(exec);
 *
 * A command that is to stand still until the program says so reads a line from a gate:
 * `read line < gate`.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include "processes.h"
#include "run.h"

#include <fcntl.h>
#include <poll.h>

/** Starts the commands with a subprocess worker in check_dir(); `options` is the text of
 *  the run's options, or NULL. */
#define START(options, ...) START_WITH(NULL, options, __VA_ARGS__)
/** The same with members for the worker's specification; the object is released. */
#define START_WITH(members, options, ...) start_commands((members), (options), (const char *const[]){__VA_ARGS__, NULL})

/** The kinds of all events, with the commands that they are about: events of output that
 *  follow each other are one. */
#define CHECK_SHAPE(events, want) check_shape((events), (want), __FILE__, __LINE__)
/** An event of output: its stream, and its bytes. */
#define CHECK_EVENT(event, stream, want) check_event((event), (stream), (want), strlen(want), __FILE__, __LINE__)
#define CHECK_EVENT_BYTES(event, stream, want, length) \
    check_event((event), (stream), (want), (length), __FILE__, __LINE__)

/* --------------------------------------------------------------- starting -- */

static inline fw_exec *start_step(const fw_worker *worker, const fw_step *step, const char *options)
{
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    fw_status status = fw_exec_start(worker, step, NULL, check_dir(), options, FW_ZERO_TERMINATED, &exec, &error);
    check_made(status, error, fw_step_name(step));
    REQUIRE(exec != NULL);
    return exec;
}

static inline fw_exec *start_commands(json_t *members, const char *options, const char *const *commands)
{
    fw_worker *worker = run_worker(members);
    fw_step *step = run_step("s", commands);
    fw_exec *exec = start_step(worker, step, options);
    fw_step_free(step);
    fw_worker_free(worker);
    return exec;
}

/* ------------------------------------------------------------------ gates -- */

/** Makes a gate in check_dir(), and gives what opens it. */
static inline int gate_make(const char *name)
{
    char *path = check_path(name);
    REQUIRE(mkfifo(path, 0644) == 0);
    int gate = open(path, O_RDWR | O_CLOEXEC);
    REQUIRE(gate >= 0);
    free(path);
    return gate;
}

/** Lets one command pass the gate, now or when it arrives. */
static inline void gate_pass(int gate)
{
    REQUIRE(write(gate, "\n", 1) == 1);
}

/* ----------------------------------------------------------------- events -- */

/** The next event, as fw_exec_next_event() has it; NULL when there is none. */
static inline fw_event *event_next(fw_exec *exec, double timeout)
{
    fw_event *event = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_next_event(exec, timeout, &event, &error), &error);
    return event;
}

/** Waits for the next event, and checks that it is of this kind. */
static inline fw_event *event_expect(fw_exec *exec, int32_t kind)
{
    fw_event *event = event_next(exec, -1);
    CHECK_INT(fw_event_kind(event), kind);
    return event;
}

/** The same for an event that nobody needs. */
static inline void event_skip(fw_exec *exec, int32_t kind)
{
    fw_event_free(event_expect(exec, kind));
}

/** Waits for an event of this kind, and drops those before it. */
static inline fw_event *event_wait_for(fw_exec *exec, int32_t kind)
{
    for (;;) {
        fw_event *event = event_next(exec, -1);
        REQUIRE(event != NULL);
        if (fw_event_kind(event) == kind)
            return event;
        fw_event_free(event);
    }
}

/** An event as the JSON that the library makes of it; json_decref() it. */
static inline json_t *event_json(const fw_event *event)
{
    char *text = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_event_to_json(event, &text, &error), &error);
    json_t *value = text ? json_loads(text, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL) : NULL;
    fw_string_free(text);
    REQUIRE(value != NULL);
    return value;
}

/** The process of an event that says that a command has started. */
static inline long event_pid(const fw_event *event)
{
    json_t *json = event_json(event);
    long pid = (long)json_integer_value(json_object_get(json, "pid"));
    json_decref(json);
    REQUIRE(pid > 1);
    return pid;
}

static inline bool check_event(const fw_event *event, fw_stream stream, const char *want, size_t want_length,
                               const char *file, int line)
{
    size_t length = 0;
    const char *got = fw_event_data(event, &length);
    bool good = check_int(fw_event_kind(event), FW_EVENT_OUTPUT, "the kind", file, line);
    good &= check_int(fw_event_stream(event), stream, "the stream", file, line);
    bool same = got != NULL && length == want_length && memcmp(got, want, length) == 0 && got[length] == '\0';
    if (!check_true(same, "the data are what they should be", file, line))
        fprintf(stderr, "    got  %zu bytes: %.200s\n    want %zu bytes: %.200s\n", length, got ? got : "(NULL)",
                want_length, want);
    return good && same;
}

/* ------------------------------------------------------------- all of them -- */

struct events {
    fw_event **list;
    size_t count;
};

static inline void events_add(struct events *events, fw_event *event)
{
    events->list = realloc(events->list, (events->count + 1) * sizeof *events->list);
    if (events->list == NULL)
        exit(1);
    events->list[events->count++] = event;
}

/** Waits for all events that are left. */
static inline struct events events_of(fw_exec *exec)
{
    struct events events = {NULL, 0};
    for (fw_event *event; (event = event_next(exec, -1)) != NULL;)
        events_add(&events, event);
    return events;
}

static inline void events_free(struct events *events)
{
    for (size_t i = 0; i < events->count; i++)
        fw_event_free(events->list[i]);
    free(events->list);
    *events = (struct events){NULL, 0};
}

/** What one command wrote to one stream as its events have it, to be released with free(). */
static inline char *events_output(const struct events *events, int32_t command, fw_stream stream, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);
    if (out == NULL)
        exit(1);
    for (size_t i = 0; i < events->count; i++) {
        const fw_event *event = events->list[i];
        if (fw_event_kind(event) != FW_EVENT_OUTPUT || fw_event_command(event) != command ||
            fw_event_stream(event) != stream)
            continue;
        size_t size = 0;
        const char *data = fw_event_data(event, &size);
        fwrite(data, 1, size, out);
    }
    fclose(out);
    return text;
}

static inline bool check_shape(const struct events *events, const char *want, const char *file, int line)
{
    static const char *const names[] = {"?", "step_started", "started", "output", "ended", "retry", "step_ended"};
    char *text = NULL, last[64] = "", word[64];
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    for (size_t i = 0; out != NULL && i < events->count; i++) {
        int32_t kind = fw_event_kind(events->list[i]);
        const char *name = names[kind > 0 && kind <= FW_EVENT_STEP_ENDED ? kind : 0];
        int32_t command = fw_event_command(events->list[i]);
        if (command < 0)
            snprintf(word, sizeof word, "%s", name);
        else
            snprintf(word, sizeof word, "%d:%s", command, name);
        if (kind == FW_EVENT_OUTPUT && strcmp(word, last) == 0)
            continue;
        fprintf(out, "%s%s", i > 0 ? " " : "", word);
        strcpy(last, word);
    }
    if (out == NULL)
        exit(1);
    fclose(out);
    bool same = check_str(text, want, "the events", file, line);
    free(text);
    return same;
}

/** Checks the numbers, times and attempts of a step's events, and passes the JSON of each event FW_EVENT_RETRY with the
 *  number of the attempt that failed to `check`; returns how many attempts there were. */
static inline int check_attempts(const struct events *all, void (*check)(int attempt, json_t *json))
{
    int attempt = 1;
    double last = 0;
    for (size_t i = 0; i < all->count; i++) {
        const fw_event *event = all->list[i];
        CHECK_INT(fw_event_sequence(event), i + 1);
        CHECK(fw_event_time(event) >= last);
        last = fw_event_time(event);
        CHECK_INT(fw_event_attempt(event), attempt);
        if (fw_event_kind(event) != FW_EVENT_RETRY)
            continue;
        CHECK_INT(fw_event_command(event), -1);
        json_t *json = event_json(event);
        CHECK_INT(json_integer_value(json_object_get(json, "attempt")), attempt);
        check(attempt, json);
        json_decref(json);
        attempt++;
    }
    return attempt;
}

/* -------------------------------------------------------------------- end -- */

/** Waits for the result. */
static inline fw_result *exec_result(fw_exec *exec)
{
    fw_result *result = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_wait(exec, -1, &result, &error), &error);
    REQUIRE(result != NULL);
    return result;
}

/** Whether the step has not ended. */
static inline bool exec_runs(fw_exec *exec)
{
    fw_result *result = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_wait(exec, 0, &result, &error), &error);
    fw_result_free(result);
    return result == NULL;
}

/** Waits for the end of the step, and frees it. */
static inline void exec_end(fw_exec *exec)
{
    fw_result_free(exec_result(exec));
    fw_exec_free(exec);
}

/** Whether the descriptor is readable now. */
static inline bool fd_readable(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    int count = poll(&item, 1, 0);
    CHECK(count >= 0 && (item.revents & ~POLLIN) == 0);
    return count == 1;
}

/** Waits until the descriptor is readable. */
static inline void fd_wait(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLIN};
    REQUIRE(fd >= 0 && poll(&item, 1, -1) == 1);
}

/** Waits until no process has check_dir() as its working directory, so that all steps that were freed have ended. */
static inline void wait_until_deserted(void)
{
    char *here = realpath(check_dir(), NULL);
    REQUIRE(here != NULL);
    for (bool found = true; found; found ? a_moment() : (void)0) {
        found = false;
        DIR *directory = opendir("/proc");
        REQUIRE(directory != NULL);
        for (struct dirent *entry; !found && (entry = readdir(directory)) != NULL;) {
            char link[300], target[4096] = "";
            snprintf(link, sizeof link, "/proc/%s/cwd", entry->d_name);
            found = readlink(link, target, sizeof target - 1) > 0 && strcmp(target, here) == 0;
        }
        closedir(directory);
    }
    free(here);
}

/** Waits until a process is gone that this program does not need to wait for. */
static inline void wait_until_gone(long pid)
{
    while (process_runs(pid))
        a_moment();
}

#endif
