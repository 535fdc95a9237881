/* An engine behind TCP is refused unless the options say that it shares the files, because it may run on another
 * machine without the run directory. With TLS both sides are verified. */
#include "engine.h"

static const char *tcp, *tls, *certificates;

static void works(json_t *options, const char *host)
{
    fw_result *result = BOX(options, "cat here", "sh -c 'echo made > there; echo err >&2; exit 3'");
    if (CHECK_ENDED(result, FW_EXITED, 3)) {
        CHECK_OUTPUT(result, FW_STDOUT, 0, "here\n");
        CHECK_OUTPUT(result, FW_STDERR, 0, "err\n");
        json_t *told = box_fact(result, "host");
        CHECK_JSON(told, json_string(host));
        json_decref(told);
        check_file("there", "made\n");
    }
    fw_result_free(result);
}

static void fails(json_t *options, fw_outcome outcome, const char *host, const char *part)
{
    fw_result *result = BOX(options, "true");
    CHECK_ENDED(result, outcome, 1);
    CHECK_MESSAGE(result, "step \"s\"", host, part);
    fw_result_free(result);
}

static void refused_without_files(void)
{
    fails(like_json("{'host': '%s'}", tcp), FW_SPAWN_FAILED, tcp, "\"shared_files\": true");
    fails(like_json("{'host': '%s', 'shared_files': false}", tcp), FW_SPAWN_FAILED, tcp, "\"shared_files\": true");
    fails(like_json("{'host': '%s', 'cert_path': '%s'}", tls, certificates), FW_SPAWN_FAILED, tls,
          "\"shared_files\": true");
    /* The option also exists for a Unix socket. */
    fails(like_json("{'shared_files': false}"), FW_SPAWN_FAILED, engine_host(), "\"shared_files\": true");
    setenv("DOCKER_HOST", tcp, 1);
    fails(like_json("{'host': null}"), FW_SPAWN_FAILED, tcp, "\"shared_files\": true");
    unsetenv("DOCKER_HOST");
}

/** Whether the name localhost works here like its address; the certificate has both. */
static char *by_name(const char *address)
{
    char *name = NULL;
    REQUIRE(asprintf(&name, "tcp://localhost%s", strrchr(address, ':')) > 0);
    return name;
}

static void ends_over_tcp(const char *host, const char *engine, const char *more)
{
    int gate = gate_make("gate");
    for (int i = 0; i < 2; i++) {
        json_t *options = like_json("{'host': '%s', 'shared_files': true, 'grace': 5%s}", host, more);
        fw_exec *exec = BOX_START(in_container(box_kinds[i], options), NULL,
                                  "sh -c 'trap \"echo asked; exit 6\" TERM; echo ready; read line < gate'");
        box_await(exec, "ready\n");
        fw_exec_cancel(exec);
        fw_result *result = exec_result(exec);
        CHECK_ENDED(result, FW_CANCELLED, 6);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "ready\nasked\n");
        CHECK_NONE(engine);
        fw_result_free(result);
        fw_exec_free(exec);
        /* An exec that nobody waits for is freed. */
        options = like_json("{'host': '%s', 'shared_files': true, 'grace': 1%s}", host, more);
        exec = BOX_START(in_container(box_kinds[i], options), NULL, "sh -c 'echo ready; read line < gate'");
        box_await(exec, "ready\n");
        fw_exec_free(exec);
        NOTHING_LEFT(engine);
    }
    close(gate);
    char *path = check_path("gate");
    unlink(path);
    free(path);
}

static void secured(void)
{
    works(like_json("{'host': '%s', 'cert_path': '%s', 'shared_files': true}", tls, certificates), tls);
    char *name = by_name(tls);
    works(like_json("{'host': '%s', 'cert_path': '%s', 'shared_files': true}", name, certificates), name);
    free(name);
    /* The options come from the variables of the docker CLI. */
    setenv("DOCKER_CERT_PATH", certificates, 1);
    setenv("DOCKER_TLS_VERIFY", "1", 1);
    works(like_json("{'host': '%s', 'shared_files': true}", tls), tls);
    setenv("DOCKER_HOST", tls, 1);
    works(like_json("{'host': null, 'shared_files': true}"), tls);
    unsetenv("DOCKER_HOST");
    unsetenv("DOCKER_TLS_VERIFY");
    unsetenv("DOCKER_CERT_PATH");
}

/** Copies one file of the good certificates into another directory. */
static void copy(const char *directory, const char *name, const char *as)
{
    char from[4096], to[4096];
    snprintf(from, sizeof from, "%s/%s", certificates, name);
    snprintf(to, sizeof to, "%s/%s", directory, as);
    char *text = read_file(from);
    FILE *file = fopen(to, "we");
    REQUIRE(text != NULL && file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
    free(text);
}

static void not_verified(void)
{
    char *directory = check_path("certificates"), *command = NULL;
    /* A client that the engine does not know: a certificate that it has made itself. */
    REQUIRE(mkdir(directory, 0700) == 0);
    REQUIRE(asprintf(&command,
                     "openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
                     " -subj '/CN=stranger' -keyout '%s/key.pem' -out '%s/cert.pem' 2>/dev/null",
                     directory, directory) > 0);
    REQUIRE(system(command) == 0);
    free(command);
    copy(directory, "ca.pem", "ca.pem");
    fails(like_json("{'host': '%s', 'cert_path': '%s', 'shared_files': true}", tls, directory), FW_ENGINE_FAILED, tls,
          "certificate");
    /* An engine that the client does not know: another authority. */
    char other[4096], own[4096];
    snprintf(own, sizeof own, "%s/cert.pem", directory);
    snprintf(other, sizeof other, "%s/ca.pem", directory);
    REQUIRE(rename(own, other) == 0);
    copy(directory, "cert.pem", "cert.pem");
    copy(directory, "key.pem", "key.pem");
    fails(like_json("{'host': '%s', 'cert_path': '%s', 'shared_files': true}", tls, directory), FW_ENGINE_FAILED, tls,
          "certificate");
    /* Certificate files that do not exist. */
    unlink(own);
    fails(like_json("{'host': '%s', 'cert_path': '%s', 'shared_files': true}", tls, directory), FW_ENGINE_FAILED, tls,
          "cert.pem");
    /* A client without TLS and an engine with TLS, and the reverse. */
    fails(like_json("{'host': '%s', 'shared_files': true}", tls), FW_ENGINE_FAILED, tls, "");
    fails(like_json("{'host': '%s', 'cert_path': '%s', 'shared_files': true}", tcp, certificates), FW_ENGINE_FAILED,
          tcp, "");
    free(directory);
}

int main(void)
{
    engine_host();
    tcp = engine_variable("FW_TEST_DOCKER_TCP");
    tls = engine_variable("FW_TEST_DOCKER_TLS");
    certificates = engine_variable("FW_TEST_TLS_DIR");
    const char *two = engine_variable("FW_TEST_DOCKER_TWO");
    write_file("here", "here\n");
    refused_without_files();
    works(like_json("{'host': '%s', 'shared_files': true}", tcp), tcp);
    ends_over_tcp(tcp, engine_host(), "");
    secured();
    char more[5000];
    snprintf(more, sizeof more, ", 'cert_path': '%s'", certificates);
    ends_over_tcp(tls, two, more);
    not_verified();
    NOTHING_LEFT(two);
    return engine_done();
}
