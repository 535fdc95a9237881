/* If the engine cannot be reached, the outcome is `engine_failed`, and the message names the engine and where its
 * address came from, or the addresses that were tried. With `retries` the step runs when the engine is there again. */
#include "engine_private.h"

#include <sys/un.h>

static void down(json_t *options, const char *part, const char *other_part)
{
    fw_result *result = BOX(options, "echo never", "echo never");
    CHECK_ENDED(result, FW_ENGINE_FAILED, 1);
    CHECK_STR(fw_outcome_name(fw_result_outcome(result)), "engine_failed");
    CHECK_MESSAGE(result, "step \"s\", command 1 of 2", part, other_part);
    CHECK_INT(fw_result_output_count(result, FW_STDOUT), 0);
    CHECK_COMMAND(result, 0, "outcome", json_string("engine_failed"));
    CHECK_COMMAND(result, 0, "exit_code", json_null());
    CHECK_COMMAND(result, 0, "container", json_null());
    CHECK_COMMAND(result, 0, "is_ended", json_true());
    fw_result_free(result);
}

/** No engine could be named: no command was tried. */
static void unnamed(json_t *options, const char *part, const char *other_part)
{
    fw_result *result = BOX(options, "echo never");
    CHECK_ENDED(result, FW_ENGINE_FAILED, 1);
    CHECK_MESSAGE(result, "step \"s\"", part, other_part);
    json_t *json = run_json(result);
    CHECK_INT(json_array_size(json_object_get(json, "commands")), 0);
    CHECK_JSON(json_object_get(json, "engine"), json_null());
    json_decref(json);
    fw_result_free(result);
}

/** A socket of this program; nobody answers at it unless somebody listens. */
static int make_socket(const char *name, bool listens)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char *path = check_path(name);
    REQUIRE(strlen(path) < sizeof address.sun_path);
    strcpy(address.sun_path, path);
    free(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    REQUIRE(!listens || listen(fd, 16) == 0);
    return fd;
}

static void nobody_answers(const char *kind)
{
    char *host = NULL;
    REQUIRE(asprintf(&host, "unix://%s/silent", check_dir()) > 0);
    down(in_container(kind, like_json("{'host': '%s'}", host)), host, "\"host\"");
    free(host);
    REQUIRE(asprintf(&host, "unix://%s/no-such-socket", check_dir()) > 0);
    down(in_container(kind, like_json("{'host': '%s'}", host)), host, "No such file");
    setenv("DOCKER_HOST", host, 1);
    down(in_container(kind, like_json("{'host': null}")), host, "DOCKER_HOST");
    unsetenv("DOCKER_HOST");
    free(host);
    down(in_container(kind, like_json("{'host': 'tcp://127.0.0.1:1', 'shared_files': true}")), "tcp://127.0.0.1:1",
         "refused");
}

static void no_engine(void)
{
    /* This part needs a machine without an engine at the usual places. */
    if (access("/var/run/docker.sock", F_OK) == 0 || access("/run/podman/podman.sock", F_OK) == 0) {
        check_skip("the machine has an engine of its own, so its absence cannot be tested");
        return;
    }
    setenv("DOCKER_CONFIG", check_dir(), 1);
    setenv("XDG_RUNTIME_DIR", check_dir(), 1);
    fw_result *result = BOX(like_json("{'host': null}"), "true");
    CHECK_ENDED(result, FW_ENGINE_FAILED, 1);
    CHECK_MESSAGE(result, "DOCKER_HOST", "DOCKER_CONTEXT", "/config.json", "/var/run/docker.sock", "/docker.sock",
                  "/podman/podman.sock", check_dir(), "\"host\"");
    fw_result_free(result);
    /* The socket of an engine without root. */
    char *link = check_path("docker.sock"), *place = check_path("podman");
    REQUIRE(symlink(engine_host() + strlen("unix://"), link) == 0);
    result = BOX(like_json("{'host': null}"), "echo found");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "found\n");
    fw_result_free(result);
    NOTHING_LEFT(engine_host()); /* while the engine can be found by that name */
    unlink(link);
    free(link);
    /* The socket of Podman is found as well. */
    REQUIRE(mkdir(place, 0700) == 0);
    free(place);
    link = check_path("podman/podman.sock");
    REQUIRE(symlink(engine_host() + strlen("unix://"), link) == 0);
    result = BOX(like_json("{'host': null}"), "echo found");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    NOTHING_LEFT(engine_host());
    unlink(link);
    free(link);
    unsetenv("XDG_RUNTIME_DIR");
    unsetenv("DOCKER_CONFIG");
}

static void bad_addresses(void)
{
    static const char *const hosts[] = {"ftp://x", "unix://relative", "/var/run/docker.sock", "tcp://a:b"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        setenv("DOCKER_HOST", hosts[i], 1);
        unnamed(like_json("{'host': null}"), hosts[i], "DOCKER_HOST");
    }
    setenv("DOCKER_HOST", "ssh://user@machine", 1);
    unnamed(like_json("{'host': null}"), "ssh://user@machine", "ssh");
    unsetenv("DOCKER_HOST");
}

/** The server at the socket is not an engine. */
static void stranger(int fd)
{
    char *host = NULL;
    REQUIRE(asprintf(&host, "unix://%s/stranger", check_dir()) > 0);
    static const char *const answers[] = {"", "SSH-2.0-x\r\n",
                                          "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nOK"};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        fw_exec *exec = BOX_START(like_json("{'host': '%s'}", host), NULL, "true");
        /* The outcome is the same at each attempt. */
        while (exec_runs(exec)) {
            struct pollfd items[2] = {{.fd = fd, .events = POLLIN}, {.fd = fw_exec_fd(exec), .events = POLLIN}};
            REQUIRE(poll(items, 2, -1) > 0);
            if (items[0].revents == 0)
                continue;
            char request[4096];
            int peer = accept(fd, NULL, NULL);
            struct pollfd both[2] = {{.fd = peer, .events = POLLIN}, {.fd = fw_exec_fd(exec), .events = POLLIN}};
            while (exec_runs(exec) && poll(both, 2, -1) > 0 && both[0].revents == 0)
                continue;
            if (both[0].revents != 0 && read(peer, request, sizeof request) > 0)
                (void)!send(peer, answers[i], strlen(answers[i]), MSG_NOSIGNAL);
            close(peer);
        }
        fw_result *result = exec_result(exec);
        CHECK_ENDED(result, FW_ENGINE_FAILED, 1);
        CHECK_MESSAGE(result, host);
        fw_result_free(result);
        fw_exec_free(exec);
    }
    free(host);
}

/** An engine that takes calls and does not answer them: timeout and cancel end the step all the same. */
static void deaf(const char *kind)
{
    char *host = NULL;
    REQUIRE(asprintf(&host, "unix://%s/deaf", check_dir()) > 0);
    fw_result *result = BOX(in_container(kind, like_json("{'host': '%s', 'timeout': 0.3}", host)), "true");
    CHECK_INT(fw_result_outcome(result), FW_TIMEOUT);
    CHECK(fw_result_returncode(result) != 0);
    fw_result_free(result);
    fw_exec *exec = BOX_START(in_container(kind, like_json("{'host': '%s'}", host)), NULL, "true");
    fw_event_free(event_next(exec, 0.05));
    fw_event_free(event_next(exec, 0.05));
    CHECK(exec_runs(exec));
    fw_exec_cancel(exec);
    result = exec_result(exec);
    CHECK_INT(fw_result_outcome(result), FW_CANCELLED);
    fw_result_free(result);
    fw_exec_free(exec);
    free(host);
}

static void tried_again(void)
{
    fw_result *result =
        BOX(like_json("{'host': 'unix://%s/silent', 'retries': {'max': 2, 'delay': 0, 'on': ['engine_failed']}}",
                      check_dir()),
            "true");
    CHECK_ENDED(result, FW_ENGINE_FAILED, 1);
    json_t *json = run_json(result), *attempts = json_object_get(json, "attempts"), *one;
    size_t index;
    CHECK_INT(json_array_size(attempts), 2);
    json_array_foreach(attempts, index, one) {
        CHECK_STR(json_string_value(json_object_get(one, "outcome")), "engine_failed");
        CHECK_INT(json_integer_value(json_object_get(one, "returncode")), 1);
        CHECK_HAS(json_string_value(json_object_get(one, "message")), "/silent");
    }
    json_decref(json);
    fw_result_free(result);
    /* `retries` for other outcomes do not apply. */
    result = BOX(
        like_json("{'host': 'unix://%s/silent', 'retries': {'max': 2, 'delay': 0, 'on': ['spawn_failed', 'exited']}}",
                  check_dir()),
        "true");
    json = run_json(result);
    CHECK_INT(json_array_size(json_object_get(json, "attempts")), 0);
    json_decref(json);
    fw_result_free(result);
    /* The engine starts between two attempts. */
    char *path = check_path("late");
    fw_exec *exec =
        BOX_START(like_json("{'host': 'unix://%s', 'retries': {'max': 1, 'delay': 0.5}}", path), NULL, "echo late");
    fw_event_free(event_wait_for(exec, FW_EVENT_RETRY));
    REQUIRE(symlink(engine_host() + strlen("unix://"), path) == 0);
    result = exec_result(exec);
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "late\n");
    fw_result_free(result);
    fw_exec_free(exec);
    free(path);
}

int main(void)
{
    engine_host();
    int silent = make_socket("silent", false), other = make_socket("stranger", true),
        no_ears = make_socket("deaf", true);
    for (int i = 0; i < 2; i++) {
        nobody_answers(box_kinds[i]);
        deaf(box_kinds[i]);
    }
    bad_addresses();
    no_engine();
    stranger(other);
    tried_again();
    close(silent);
    close(other);
    close(no_ears);
    return engine_done();
}
