/* The library finds the engine as the docker CLI does: by the worker's `host`, DOCKER_HOST, DOCKER_CONTEXT, or the
 * current context of the CLI's configuration. With two engines, the result shows which one was used. */
#include "engine_private.h"

static const char *one, *two;

static void is_at(const char *want)
{
    fw_result *result = BOX(like_json("{'host': null}"), "echo there");
    if (CHECK_EXITED(result, 0)) {
        json_t *host = box_fact(result, "host");
        CHECK_JSON(host, json_string(want));
        json_decref(host);
    }
    fw_result_free(result);
}

static void is_not_found(fw_outcome outcome, const char *part, const char *other_part)
{
    fw_result *result = BOX(like_json("{'host': null}"), "echo never");
    CHECK_ENDED(result, outcome, 1);
    CHECK_MESSAGE(result, "step \"s\"", part, other_part);
    fw_result_free(result);
}

/** A context as `docker context create` writes it; the directory's name is a digest that nobody need know. */
static void make_context(const char *name, const char *directory, const char *host)
{
    char path[200];
    snprintf(path, sizeof path, "cli/contexts/meta/%s", directory);
    make_directory(path);
    strcat(path, "/meta.json");
    json_t *meta = json_pack("{s:s, s:{s:s}, s:{s:{s:s, s:b}}}", "Name", name, "Metadata", "Description", "of a test",
                             "Endpoints", "docker", "Host", host, "SkipTLSVerify", 0);
    char *text = json_dumps(meta, 0);
    write_file(path, text);
    free(text);
    json_decref(meta);
}

/** Copies the client's certificates to where `docker context create` puts them. */
static void make_context_certificates(const char *directory)
{
    static const char *const files[] = {"ca.pem", "cert.pem", "key.pem"};
    char path[200];
    make_directory("cli/contexts/tls");
    snprintf(path, sizeof path, "cli/contexts/tls/%s", directory);
    make_directory(path);
    strcat(path, "/docker");
    make_directory(path);
    for (int i = 0; i < 3; i++) {
        char from[4096], to[300];
        snprintf(from, sizeof from, "%s/%s", engine_variable("FW_TEST_TLS_DIR"), files[i]);
        snprintf(to, sizeof to, "%s/%s", path, files[i]);
        char *text = read_file(from);
        REQUIRE(text != NULL);
        write_file(to, text);
        free(text);
    }
}

static void by_home(void)
{
    char *home = check_path("home");
    make_directory("home");
    make_directory("home/.docker");
    write_file("home/.docker/config.json", "{\"currentContext\": \"nowhere\"}");
    unsetenv("DOCKER_CONFIG");
    setenv("HOME", home, 1);
    is_not_found(FW_ENGINE_FAILED, "\"nowhere\"", "/home/.docker/");
    free(home);
}

int main(void)
{
    one = engine_host();
    two = engine_variable("FW_TEST_DOCKER_TWO");
    const char *tls = engine_variable("FW_TEST_DOCKER_TLS");
    docker_config("cli", json_pack("{s:s}", "currentContext", "second"));
    make_directory("cli/contexts");
    make_directory("cli/contexts/meta");
    make_context("first", "0a1b", one);
    make_context("second", "2c3d", two);
    make_context("by ssh", "4e5f", "ssh://user@machine");
    make_directory("cli/contexts/meta/6a7b");
    write_file("cli/contexts/meta/6a7b/meta.json", "{\"Name\": \"no engine\", \"Endpoints\": {}}");
    write_file("cli/contexts/meta/not-a-directory", "x");
    make_directory("cli/contexts/meta/broken");
    write_file("cli/contexts/meta/broken/meta.json", "{\"Name\": \"bro");

    /* The sources of the address, from the weakest to the strongest. */
    is_at(two);
    setenv("DOCKER_CONTEXT", "first", 1);
    is_at(one);
    setenv("DOCKER_HOST", two, 1);
    is_at(two);
    fw_result *result = BOX(like_json("{'host': '%s'}", one), "true");
    json_t *host = box_fact(result, "host");
    CHECK_JSON(host, json_string(one));
    json_decref(host);
    fw_result_free(result);
    /* An empty variable counts as not set. */
    setenv("DOCKER_HOST", "", 1);
    is_at(one);
    unsetenv("DOCKER_HOST");
    setenv("DOCKER_CONTEXT", "", 1);
    is_at(two);

    setenv("DOCKER_CONTEXT", "unknown", 1);
    is_not_found(FW_ENGINE_FAILED, "DOCKER_CONTEXT", "\"unknown\"");
    setenv("DOCKER_CONTEXT", "by ssh", 1);
    is_not_found(FW_ENGINE_FAILED, "\"by ssh\"", "ssh");
    setenv("DOCKER_CONTEXT", "no engine", 1);
    is_not_found(FW_ENGINE_FAILED, "\"no engine\"", "has no docker engine");
    unsetenv("DOCKER_CONTEXT");
    /* A variable may lack the scheme, as for the CLI. */
    setenv("DOCKER_HOST", strstr(engine_variable("FW_TEST_DOCKER_TCP"), "//") + 2, 1);
    result = BOX(like_json("{'host': null, 'shared_files': true}"), "echo there");
    CHECK_EXITED(result, 0);
    fw_result_free(result);
    setenv("DOCKER_HOST", "ssh://user@machine", 1);
    is_not_found(FW_ENGINE_FAILED, "DOCKER_HOST", "ssh -L");
    setenv("DOCKER_HOST", "/var/run/docker.sock", 1);
    is_not_found(FW_ENGINE_FAILED, "DOCKER_HOST", "use \"unix:///var/run/docker.sock\"");
    unsetenv("DOCKER_HOST");
    docker_config("cli", json_pack("{s:s}", "currentContext", "gone"));
    is_not_found(FW_ENGINE_FAILED, "config.json", "\"gone\"");

    /* A context has certificates of its own. */
    make_context("secured", "8c9d", tls);
    setenv("DOCKER_CONTEXT", "secured", 1);
    result = BOX(like_json("{'host': null, 'shared_files': true}"), "true");
    CHECK_ENDED(result, FW_ENGINE_FAILED, 1); /* without them */
    fw_result_free(result);
    make_context_certificates("8c9d");
    result = BOX(like_json("{'host': null, 'shared_files': true}"), "echo secured");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "secured\n");
    fw_result_free(result);
    unsetenv("DOCKER_CONTEXT");

    by_home();
    NOTHING_LEFT(two);
    return engine_done();
}
