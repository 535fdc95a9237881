/*
 * check.h - what every program of this directory uses.
 *
 * A check that fails prints its place and what it saw, and the program goes on:
 * one run shows everything that is wrong. main() ends with `return check_done();`.
 * This header comes first in each program, because it chooses what the system's
 * headers declare.
 */
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <execinfo.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <flowworker.h>
#include <jansson.h>

static atomic_int check_failures;
static bool check_skipped;
static char check_directory[4096];

/* ----------------------------------------------------------------- checks -- */

#define CHECK(condition) check_true((condition), #condition, __FILE__, __LINE__)
#define CHECK_INT(got, want) check_int((long long)(got), (long long)(want), #got, __FILE__, __LINE__)
#define CHECK_STR(got, want) check_str((got), (want), #got, __FILE__, __LINE__)
/** The text contains the part. */
#define CHECK_HAS(text, part) check_has((text), (part), #text, __FILE__, __LINE__)
/** The two values are the same; `want` is released. */
#define CHECK_JSON(got, want) check_json((got), (want), #got, __FILE__, __LINE__)
/** A call gave this status, and an error with the same code whose message has the
 *  part. The error is released. */
#define CHECK_FAILS(status, want, error, part) \
    check_fails((status), (want), (error), (part), #status, __FILE__, __LINE__)
/** The same about a value of a document: the error has its path. */
#define CHECK_REFUSED(status, want, error, path, part) \
    check_refused((status), (want), (error), (path), (part), #status, __FILE__, __LINE__)
/** A call gave FW_OK and no error. What it gave instead is shown and released. */
#define CHECK_OK(status, error) check_ok((status), (error), #status, __FILE__, __LINE__)
/** Ends the program if the condition is false, because it cannot continue. */
#define REQUIRE(condition)                                            \
    do {                                                              \
        if (!check_true((condition), #condition, __FILE__, __LINE__)) \
            exit(check_done());                                       \
    } while (0)

static inline bool check_true(bool holds, const char *what, const char *file, int line)
{
    if (!holds) {
        atomic_fetch_add(&check_failures, 1);
        fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    }
    return holds;
}

static inline bool check_int(long long got, long long want, const char *what, const char *file, int line)
{
    if (got != want) {
        atomic_fetch_add(&check_failures, 1);
        fprintf(stderr, "%s:%d: %s: got %lld, want %lld\n", file, line, what, got, want);
    }
    return got == want;
}

static inline bool check_str(const char *got, const char *want, const char *what, const char *file, int line)
{
    bool same = got == want || (got != NULL && want != NULL && strcmp(got, want) == 0);
    if (!same) {
        atomic_fetch_add(&check_failures, 1);
        fprintf(stderr, "%s:%d: %s:\n    got  %.2000s\n    want %.2000s\n", file, line, what, got ? got : "(NULL)",
                want ? want : "(NULL)");
    }
    return same;
}

static inline bool check_has(const char *text, const char *part, const char *what, const char *file, int line)
{
    bool has = text != NULL && strstr(text, part) != NULL;
    if (!has) {
        atomic_fetch_add(&check_failures, 1);
        fprintf(stderr, "%s:%d: %s: no \"%s\" in:\n    %.2000s\n", file, line, what, part, text ? text : "(NULL)");
    }
    return has;
}

static inline bool check_json(const json_t *got, json_t *want, const char *what, const char *file, int line)
{
    bool same = got != NULL && want != NULL && json_equal(got, want);
    if (!same) {
        char *a = got ? json_dumps(got, JSON_ENCODE_ANY) : NULL;
        char *b = want ? json_dumps(want, JSON_ENCODE_ANY) : NULL;
        check_str(a ? a : "(no value)", b ? b : "(no value)", what, file, line);
        free(a);
        free(b);
    }
    json_decref(want);
    return same;
}

static inline bool check_fails(fw_status status, fw_status want, fw_error **error, const char *part, const char *what,
                               const char *file, int line)
{
    bool good = check_int(status, want, what, file, line);
    good &= check_true(*error != NULL, "there is an error", file, line);
    good &= check_int(fw_error_code(*error), want, "its code", file, line);
    good &= check_has(fw_error_message(*error), part, "its message", file, line);
    good &= check_true(strchr(fw_error_message(*error), '\n') == NULL, "its message is one line", file, line);
    if (!good)
        fprintf(stderr, "    %s: %s\n", what, fw_error_message(*error));
    fw_error_free(*error);
    *error = NULL;
    return good;
}

static inline bool check_refused(fw_status status, fw_status want, fw_error **error, const char *path, const char *part,
                                 const char *what, const char *file, int line)
{
    bool good = check_str(fw_error_path(*error), path, "its path", file, line);
    return check_fails(status, want, error, part, what, file, line) && good;
}

static inline bool check_ok(fw_status status, fw_error **error, const char *what, const char *file, int line)
{
    bool good = check_int(status, FW_OK, what, file, line);
    good &= check_true(*error == NULL, "there is no error", file, line);
    if (*error != NULL) {
        fprintf(stderr, "    %s: %s\n", what, fw_error_message(*error));
        fw_error_free(*error);
        *error = NULL;
    }
    return good;
}

/* ---------------------------------------------- what goes with the program -- */

/** Prints where the program is. run.sh sends SIGQUIT to a program that hangs, and finds the lines of the addresses. */
static inline void check_show_place(int signal)
{
    void *places[32];
    backtrace_symbols_fd(places, backtrace(places, 32), STDERR_FILENO);
    _exit(128 + signal);
}

__attribute__((constructor)) static void check_watch(void)
{
    void *place;
    backtrace(&place, 1); /* The first call allocates memory, which a signal handler must not do. */
    signal(SIGQUIT, check_show_place);
}

static inline int check_remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)kind, (void)place;
    return remove(path);
}

/** A directory of this run, empty at first, that check_done() removes. */
static inline const char *check_dir(void)
{
    if (check_directory[0] == '\0') {
        const char *base = getenv("TMPDIR");
        snprintf(check_directory, sizeof check_directory, "%s/flowworker-XXXXXX",
                 base != NULL && *base != '\0' ? base : "/tmp");
        if (mkdtemp(check_directory) == NULL) {
            perror(check_directory);
            exit(1);
        }
    }
    return check_directory;
}

/** The path of something in check_dir(), to be released with free(). */
static inline char *check_path(const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s", check_dir(), name) < 0)
        exit(1);
    return path;
}

/** Notes that something cannot be tested here. If no check fails, the program counts as skipped for this reason. */
static inline void check_skip(const char *reason)
{
    check_skipped = true;
    printf("%s\n", reason);
}

/** Returns the exit status of a program, or of a part of one, that run.sh expects. */
static inline int check_status(void)
{
    return check_failures > 0 ? 1 : check_skipped ? 77 : 0;
}

/** Cleans up, and gives the exit status of the program. */
static inline int check_done(void)
{
    if (check_directory[0] != '\0')
        nftw(check_directory, check_remove_one, 16, FTW_DEPTH | FTW_PHYS);
    check_directory[0] = '\0';
    if (check_failures > 0)
        fprintf(stderr, "%d checks failed\n", check_failures);
    return check_status();
}

/** Writes a text to a file of check_dir(). */
static inline void write_file(const char *name, const char *text)
{
    char *path = check_path(name);
    FILE *file = fopen(path, "we");
    REQUIRE(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    free(path);
}

static inline bool has_file(const char *name)
{
    char *path = check_path(name);
    bool has = access(path, F_OK) == 0;
    free(path);
    return has;
}

static inline void remove_file(const char *name)
{
    char *path = check_path(name);
    unlink(path);
    free(path);
}

/** How often to do something: `plain` times, or fewer under a tool that makes the
 *  program many times slower. run.sh says in CHECK_UNDER which one that is. */
static inline int check_times(int plain, int under_a_tool)
{
    const char *under = getenv("CHECK_UNDER");
    return under == NULL || *under == '\0' ? plain : under_a_tool;
}

/* ---------------------------------------------------------------- handles -- */
/* These functions are for valid documents: an error ends the program. */

static inline void check_made(fw_status status, fw_error *error, const char *json)
{
    if (status == FW_OK && error == NULL)
        return;
    fprintf(stderr, "refused: %s\n    %.400s\n", fw_error_message(error), json);
    fw_error_free(error);
    atomic_fetch_add(&check_failures, 1);
    exit(check_done());
}

static inline fw_pool *check_pool(const char *json)
{
    fw_pool *pool = NULL;
    fw_error *error = NULL;
    fw_status status = fw_pool_create(json, FW_ZERO_TERMINATED, &pool, &error);
    check_made(status, error, json);
    return pool;
}

static inline fw_worker *check_worker(const char *json)
{
    fw_worker *worker = NULL;
    fw_error *error = NULL;
    fw_status status = fw_worker_create(json, FW_ZERO_TERMINATED, &worker, &error);
    check_made(status, error, json);
    return worker;
}

static inline fw_step *check_step(const char *json)
{
    fw_step *step = NULL;
    fw_error *error = NULL;
    fw_status status = fw_step_create(json, FW_ZERO_TERMINATED, &step, &error);
    check_made(status, error, json);
    return step;
}

static inline fw_context *check_context(const char *json)
{
    fw_context *context = NULL;
    fw_error *error = NULL;
    fw_status status = fw_context_create(json, FW_ZERO_TERMINATED, &context, &error);
    check_made(status, error, json);
    return context;
}

#endif
