/*
 * engine.h - running commands in containers of a private engine, and looking at what came of them.
 * Tests/engines/run.sh starts the engines, and says in variables where they are.
 *
 *     fw_result *result = BOX(like_json("{'shell': '/bin/sh'}"), "echo hello; exit 3");
 *     CHECK_EXITED(result, 3);
 *     fw_result_free(result);
 *     return engine_done();
 *
 * A dollar of a command is written "$$", because commands are templates.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "engine_http.h"
#include "events.h"

#include <stdarg.h>

#define BUSYBOX "fw-test/busybox:1"
/** One program, /prog, that prints its arguments, its user and its directory; no shell. */
#define BARE "fw-test/bare:1"
/** busybox with ENTRYPOINT ["/bin/echo","entry"], ENV FROM_IMAGE=yes, WORKDIR /app, USER 1000. */
#define ENTRY "fw-test/entry:1"

/** Runs the commands in containers of BUSYBOX on the first engine, with check_dir() for a run directory.
 *  `options` are those of the worker; the object is released; NULL: none. */
#define BOX(options, ...) BOX_OF(BUSYBOX, options, __VA_ARGS__)
/** The same with another image. */
#define BOX_OF(image, options, ...) \
    box_commands((image), (options), NULL, NULL, (const char *const[]){__VA_ARGS__, NULL})
/** The same with members for the worker's specification, and members for the step's action. */
#define BOX_WITH(image, options, members, action, ...) \
    box_commands((image), (options), (members), (action), (const char *const[]){__VA_ARGS__, NULL})
/** Starts them; `run` is the text of the run's options, or NULL. */
#define BOX_START(options, run, ...) box_start(BUSYBOX, (options), (run), (const char *const[]){__VA_ARGS__, NULL})

/** The outcome and the returncode; the message is shown when they are others. */
#define CHECK_ENDED(result, outcome, returncode) check_ended((result), (outcome), (returncode), __FILE__, __LINE__)
/** A member of the JSON of one command of the result; `want` is released. */
#define CHECK_COMMAND(result, index, key, want) check_command((result), (index), (key), (want), __FILE__, __LINE__)
/** The result has one line of message, and the parts are in it. */
#define CHECK_MESSAGE(result, ...) check_message((result), (const char *const[]){__VA_ARGS__, NULL}, __FILE__, __LINE__)

/* -------------------------------------------------------------- the engine -- */

/** What run.sh says in a variable. Without it the program is skipped, but not where all
 *  engines must be there. */
static inline const char *engine_variable(const char *name)
{
    const char *value = getenv(name), *ci = getenv("CI");
    if (value != NULL && *value != '\0')
        return value;
    bool must = ci != NULL && strcmp(ci, "true") == 0;
    check_done();
    fprintf(stderr, "%s is not set: use Tests/engines/run.sh\n", name);
    exit(must ? 1 : 77);
}

/** The first engine's address. */
static inline const char *engine_host(void)
{
    return engine_variable("FW_TEST_DOCKER");
}

/** The end of a program: waits until no container of it is left. */
static inline int engine_done(void)
{
    NOTHING_LEFT(engine_host());
    return check_done();
}

/* ------------------------------------------------------------------- texts -- */

/** JSON with ' for ", and with values as printf() has them. */
__attribute__((format(printf, 1, 2))) static inline json_t *like_json(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    REQUIRE(vasprintf(&text, format, arguments) >= 0);
    va_end(arguments);
    for (char *quote = text; (quote = strchr(quote, '\'')) != NULL;)
        *quote = '"';
    json_error_t place;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &place);
    if (value == NULL)
        fprintf(stderr, "    %s\n    %s\n", place.text, text);
    free(text);
    REQUIRE(value != NULL);
    return value;
}

static inline void make_directory(const char *name)
{
    char *path = check_path(name);
    REQUIRE(mkdir(path, 0777) == 0);
    free(path);
}

static inline bool is_there(const char *name)
{
    char *path = check_path(name);
    bool is = access(path, F_OK) == 0;
    free(path);
    return is;
}

static inline void check_file(const char *name, const char *want)
{
    char *path = check_path(name), *text = read_file(path);
    check_str(text, want, name, __FILE__, __LINE__);
    free(text);
    free(path);
}

/* --------------------------------------------------------- workers and steps -- */

/** A docker worker named "w", on the first engine if the options name no host ("host": null: really none).
 *  Both objects are released. */
static inline fw_worker *box_worker(json_t *options, json_t *members)
{
    json_t *spec = json_pack("{s:s, s:s}", "name", "w", "type", "docker");
    options = options ? options : json_object();
    json_t *host = json_object_get(options, "host");
    if (json_is_null(host))
        json_object_del(options, "host");
    else if (host == NULL)
        json_object_set_new(options, "host", json_string(engine_host()));
    if (members != NULL)
        json_object_update(spec, members);
    json_decref(members);
    json_object_set_new(spec, "options", options);
    char *json = json_dumps(spec, 0);
    fw_worker *worker = check_worker(json);
    free(json);
    json_decref(spec);
    return worker;
}

/** A step named "s"; the members go into its action and are released. */
static inline fw_step *box_step(const char *image, json_t *members, const char *const *commands)
{
    char *text = run_step_json("s", commands);
    json_t *step = json_loads(text, 0, NULL), *action = json_object_get(step, "action");
    free(text);
    REQUIRE(action != NULL);
    json_object_set_new(action, "environment", json_string(image));
    if (members != NULL)
        json_object_update(action, members);
    json_decref(members);
    text = json_dumps(step, 0);
    fw_step *made = check_step(text);
    free(text);
    json_decref(step);
    return made;
}

static inline fw_result *box_commands(const char *image, json_t *options, json_t *members, json_t *action,
                                      const char *const *commands)
{
    fw_worker *worker = box_worker(options, members);
    fw_step *step = box_step(image, action, commands);
    fw_result *result = run_exec(worker, step, NULL, check_dir());
    fw_step_free(step);
    fw_worker_free(worker);
    return result;
}

static inline fw_exec *box_start(const char *image, json_t *options, const char *run, const char *const *commands)
{
    fw_worker *worker = box_worker(options, NULL);
    fw_step *step = box_step(image, NULL, commands);
    fw_exec *exec = start_step(worker, step, run);
    fw_step_free(step);
    fw_worker_free(worker);
    return exec;
}

/** The options with the container of the commands chosen: "command" or "step". */
static inline json_t *in_container(const char *container, json_t *options)
{
    options = options ? options : json_object();
    json_object_set_new(options, "container", json_string(container));
    return options;
}

/** Both ways to run commands, for behaviour that must not differ. */
static const char *const box_kinds[] = {"command", "step"};

/* ----------------------------------------------------------------- results -- */

static inline bool check_ended(const fw_result *result, fw_outcome outcome, int returncode, const char *file, int line)
{
    bool good = check_int(fw_result_outcome(result), outcome, "the outcome", file, line);
    good &= check_int(fw_result_returncode(result), returncode, "the returncode", file, line);
    const char *message = fw_result_message(result);
    if (!good)
        fprintf(stderr, "    %s\n", message ? message : "(no message)");
    return good;
}

static inline bool check_message(const fw_result *result, const char *const *parts, const char *file, int line)
{
    const char *message = fw_result_message(result);
    bool good = check_true(message != NULL && strchr(message, '\n') == NULL, "the message is one line", file, line);
    for (; *parts != NULL; parts++)
        good &= check_has(message, *parts, "the message", file, line);
    return good;
}

static inline bool check_command(const fw_result *result, size_t index, const char *key, json_t *want, const char *file,
                                 int line)
{
    json_t *member = run_command_member(result, index, key);
    bool same = check_json(member, want, key, file, line);
    json_decref(member);
    return same;
}

/** The name of a command's container, to be released with free(). */
static inline char *box_container(const fw_result *result, size_t index)
{
    json_t *name = run_command_member(result, index, "container");
    REQUIRE(json_is_string(name));
    char *text = strdup(json_string_value(name));
    json_decref(name);
    return text;
}

/** A member of `engine` of the result; json_decref() it. */
static inline json_t *box_fact(const fw_result *result, const char *key)
{
    json_t *all = run_json(result);
    json_t *member = json_object_get(json_object_get(all, "engine"), key);
    json_incref(member);
    json_decref(all);
    REQUIRE(member != NULL);
    return member;
}

/** Takes events until a command runs; gives the name of its container, to be released with free(). */
static inline char *box_started(fw_exec *exec)
{
    fw_event *event = event_wait_for(exec, FW_EVENT_COMMAND_STARTED);
    json_t *json = event_json(event);
    const char *name = json_string_value(json_object_get(json, "container"));
    REQUIRE(name != NULL);
    char *copy = strdup(name);
    json_decref(json);
    fw_event_free(event);
    return copy;
}

/** Takes events until the text has come on standard output. */
static inline void box_await(fw_exec *exec, const char *text)
{
    char *all = strdup("");
    for (fw_event *event; strstr(all, text) == NULL; fw_event_free(event)) {
        event = event_wait_for(exec, FW_EVENT_OUTPUT);
        char *longer = NULL;
        REQUIRE(asprintf(&longer, "%s%s", all, fw_event_data(event, NULL)) >= 0);
        free(all);
        all = longer;
    }
    free(all);
}

#endif
