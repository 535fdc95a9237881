/*
 * engine_private.h - engines and registries of one program, for what must not happen to shared ones: being killed,
 * being full, losing an image. They end when the program exits; if a signal ends the program, run.sh ends them.
 */
#ifndef ENGINE_PRIVATE_H
#define ENGINE_PRIVATE_H

#include "engine.h"

enum { MOST_PRIVATE = 4 };

static char private_names[MOST_PRIVATE][32], private_kinds[MOST_PRIVATE][16];
static int private_count;
static pid_t private_owner;

/** Runs `KIND.sh VERB NAME ARGUMENTS`; gives the last line that it prints, to be released with free(); NULL when it
 *  fails. What it says of that is in the log. */
static inline char *private_do(const char *kind, const char *verb, const char *name, const char *arguments)
{
    char *command = NULL, *line = NULL, *last = NULL;
    size_t room = 0;
    REQUIRE(asprintf(&command, "exec bash '%s/%s.sh' %s %s %s", engine_variable("FW_TEST_ENGINES"), kind, verb, name,
                     arguments) > 0);
    fflush(NULL);
    FILE *out = popen(command, "re");
    REQUIRE(out != NULL);
    while (getline(&line, &room, out) > 0) {
        free(last);
        line[strcspn(line, "\n")] = '\0';
        last = strdup(line);
    }
    free(line);
    int status = pclose(out);
    if (!CHECK_INT(status, 0)) {
        fprintf(stderr, "    %s\n", command);
        free(last);
        last = NULL;
    } else if (last == NULL) {
        last = strdup("");
    }
    free(command);
    return last;
}

static inline void private_end(void)
{
    if (getpid() != private_owner)
        return;
    while (private_count > 0) {
        private_count--;
        free(private_do(private_kinds[private_count], "stop", private_names[private_count], ""));
    }
}

/** Starts an engine or a registry, and returns its address ("unix:///PATH" or "127.0.0.1:PORT"); free() it. Later calls
 *  use `name`; the real name also has the number of this process. */
static inline char *private_start(const char *kind, const char *name, const char *arguments)
{
    REQUIRE(private_count < MOST_PRIVATE);
    if (private_count == 0) {
        private_owner = getpid();
        atexit(private_end);
    }
    snprintf(private_names[private_count], sizeof private_names[0], "%s-%d", name, (int)getpid());
    snprintf(private_kinds[private_count], sizeof private_kinds[0], "%s", kind);
    char *line = private_do(kind, "start", private_names[private_count++], arguments), *address = NULL;
    REQUIRE(line != NULL);
    if (strcmp(kind, "docker") == 0)
        REQUIRE(asprintf(&address, "unix://%s", line) > 0);
    else
        address = strdup(line);
    free(line);
    return address;
}

/** Calls a verb for one of them: "stop" with "--kill", "restart" and so on. */
static inline void private_again(const char *verb, const char *name, const char *arguments)
{
    for (int i = 0; i < private_count; i++)
        if (strncmp(private_names[i], name, strlen(name)) == 0 && private_names[i][strlen(name)] == '-') {
            char *line = private_do(private_kinds[i], verb, private_names[i], arguments);
            REQUIRE(line != NULL);
            free(line);
            return;
        }
    REQUIRE(!"there is such an engine");
}

/* ------------------------------------------------------- the CLI's configuration -- */

/** Makes a DOCKER_CONFIG in check_dir() with this config.json, and names it in the environment. */
static inline void docker_config(const char *name, json_t *config)
{
    char *directory = check_path(name), *path = NULL;
    mkdir(directory, 0700);
    REQUIRE(asprintf(&path, "%s/config.json", directory) > 0);
    REQUIRE(json_dump_file(config, path, 0) == 0);
    json_decref(config);
    setenv("DOCKER_CONFIG", directory, 1);
    free(path);
    free(directory);
}

/** base64 of USER:PASSWORD, as the CLI stores it, to be released with free(). */
static inline char *base64_of(const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text);
    char *out = calloc(length * 2 + 8, 1), *end = out;
    REQUIRE(out != NULL);
    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        unsigned bits = (unsigned)(unsigned char)text[i] << 16;
        bits |= left > 1 ? (unsigned)(unsigned char)text[i + 1] << 8 : 0;
        bits |= left > 2 ? (unsigned)(unsigned char)text[i + 2] : 0;
        *end++ = digits[bits >> 18 & 63];
        *end++ = digits[bits >> 12 & 63];
        *end++ = left > 1 ? digits[bits >> 6 & 63] : '=';
        *end++ = left > 2 ? digits[bits & 63] : '=';
    }
    return out;
}

/** The configuration of a user who has logged in at the tests' registry. */
static inline void docker_logged_in(const char *name, const char *user, const char *password)
{
    char *text = NULL;
    REQUIRE(asprintf(&text, "%s:%s", user, password) > 0);
    char *encoded = base64_of(text);
    docker_config(name, json_pack("{s:{s:{s:s}}}", "auths", engine_variable("FW_TEST_REGISTRY"), "auth", encoded));
    free(encoded);
    free(text);
}

/** The name of an image in the tests' registry, to be released with free(). */
static inline char *registry_image(const char *name)
{
    char *image = NULL;
    REQUIRE(asprintf(&image, "%s/%s", engine_variable("FW_TEST_REGISTRY"), name) > 0);
    return image;
}

#endif
