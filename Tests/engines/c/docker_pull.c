/* Images that the engine does not have are pulled with the credentials of the docker CLI, from its configuration or a
 * credential helper. If the registry refuses, the message gives its reason and the user name. The engine belongs to
 * this program, so no other test has pulled its images. */
#include "engine_private.h"

static char *host, *image;
static const char *user, *password;

/** A step with this image; `policy` is the option `pull`, or NULL. */
static fw_result *run(const char *name, const char *policy, const char *command)
{
    json_t *options = json_pack("{s:s}", "host", host);
    if (policy != NULL)
        json_object_set_new(options, "pull", json_string(policy));
    return BOX_OF(name, options, command);
}

static bool is_true(const fw_result *result, const char *fact)
{
    json_t *value = box_fact(result, fact);
    bool is = json_is_true(value);
    CHECK(json_is_boolean(value));
    json_decref(value);
    return is;
}

/** Checks that the image was pulled or was there already. */
static void works(const char *policy, bool must_pull)
{
    fw_result *result = run(image, policy, "cat /pulled");
    if (CHECK_EXITED(result, 0)) {
        CHECK_OUTPUT(result, FW_STDOUT, 0, "pulled\n");
        CHECK_INT(is_true(result, "pulled"), must_pull);
        json_t *digest = box_fact(result, "digest"), *name = box_fact(result, "image");
        char want[300];
        snprintf(want, sizeof want, "%.*s@sha256:", (int)(strrchr(image, ':') - image), image);
        const char *got = json_string_value(digest);
        CHECK(got != NULL && strncmp(got, want, strlen(want)) == 0 && strlen(got) == strlen(want) + 64);
        CHECK_JSON(name, json_string(image));
        json_decref(digest);
        json_decref(name);
    }
    fw_result_free(result);
}

static void refused(const char *name, const char *part, const char *other_part)
{
    fw_result *result = run(name, NULL, "true");
    CHECK_ENDED(result, FW_SPAWN_FAILED, 1);
    CHECK_MESSAGE(result, name, part, other_part);
    CHECK(strstr(fw_result_message(result), password) == NULL);
    CHECK(!is_true(result, "pulled"));
    json_t *id = box_fact(result, "image_id");
    CHECK(json_is_null(id));
    json_decref(id);
    fw_result_free(result);
}

static void anonymous(void)
{
    docker_config("nobody", json_object());
    refused(image, "refused", "without credentials");
    /* A directory without config.json has no configuration. */
    setenv("DOCKER_CONFIG", "/no/such/directory", 1);
    refused(image, "refused", "without credentials");
}

static void stored(void)
{
    docker_logged_in("stored", user, password);
    works(NULL, true);
    works(NULL, false); /* "missing": it is there now */
    works("missing", false);
    works("never", false);
    works("always", true);
    engine_remove_image(host, image);
    fw_result *result = run(image, "never", "true");
    CHECK_ENDED(result, FW_SPAWN_FAILED, 1);
    CHECK_MESSAGE(result, image, "\"never\"");
    CHECK(!engine_has_image(host, image));
    fw_result_free(result);
    works("always", true);
    engine_remove_image(host, image);
}

static void by_digest(void)
{
    fw_result *result = run(image, NULL, "true");
    json_t *digest = box_fact(result, "digest");
    fw_result_free(result);
    engine_remove_image(host, image);
    result = run(json_string_value(digest), NULL, "cat /pulled");
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "pulled\n");
    CHECK(is_true(result, "pulled"));
    json_t *again = box_fact(result, "digest");
    CHECK(json_equal(again, digest));
    fw_result_free(result);
    engine_remove_image(host, json_string_value(digest));
    json_decref(again);
    json_decref(digest);
}

static void not_there(void)
{
    char *none = registry_image("fw-test/not-there:1"), *tag = registry_image("fw-test/pulled:no-such-tag");
    refused(none, "refused", "with the credentials");
    refused(tag, "refused", "with the credentials");
    free(tag);
    free(none);
    docker_logged_in("wrong", user, "wrong");
    refused(image, "refused", "with the credentials");
    docker_logged_in("stranger", "stranger", password);
    refused(image, "refused", "with the credentials");
}

/** An unreachable registry is `engine_failed`, because the next attempt may succeed. */
static void no_registry(void)
{
    const char *const gone = "127.0.0.1:1/fw-test/x:1";
    fw_result *result = run(gone, NULL, "true");
    CHECK_ENDED(result, FW_ENGINE_FAILED, 1);
    CHECK_MESSAGE(result, gone, "could not be pulled");
    fw_result_free(result);
}

/** A credential helper in PATH, which records its requests. */
static void write_helper(const char *text)
{
    char *place = check_path("bin"), *path = check_path("bin/docker-credential-fwtest");
    mkdir(place, 0755);
    write_file("bin/docker-credential-fwtest", text);
    REQUIRE(chmod(path, 0755) == 0);
    if (strstr(getenv("PATH"), place) == NULL) {
        char *longer = NULL;
        REQUIRE(asprintf(&longer, "%s:%s", place, getenv("PATH")) > 0);
        setenv("PATH", longer, 1);
        free(longer);
    }
    free(path);
    free(place);
}

static void helper(void)
{
    char *script = NULL, *asked = check_path("asked"), want[200];
    const char *registry = engine_variable("FW_TEST_REGISTRY");
    REQUIRE(asprintf(&script,
                     "#!/bin/sh\nread -r server || :\necho \"$1 $server\" >> '%s'\n"
                     "echo '{\"ServerURL\": \"x\", \"Username\": \"%s\", \"Secret\": \"%s\"}'\n",
                     asked, user, password) > 0);
    write_helper(script);
    snprintf(want, sizeof want, "get %s\n", registry);
    json_t *const configs[] = {
        json_pack("{s:{s:s}}", "credHelpers", registry, "fwtest"),
        json_pack("{s:s}", "credsStore", "fwtest"),
        /* The helper for this registry wins over the general helper and over stored credentials. */
        json_pack("{s:{s:s}, s:s, s:{s:{s:s}}}", "credHelpers", registry, "fwtest", "credsStore", "no-such-helper",
                  "auths", registry, "auth", "d3Jvbmc6d3Jvbmc="),
    };
    for (size_t i = 0; i < sizeof configs / sizeof *configs; i++) {
        docker_config("helper", configs[i]);
        works(NULL, true);
        check_file("asked", want);
        engine_remove_image(host, image);
        unlink(asked);
    }
    /* The helper is not asked for another registry. */
    docker_config("helper", json_pack("{s:{s:s}}", "credHelpers", "registry.example", "fwtest"));
    refused(image, "refused", "without credentials");
    CHECK(access(asked, F_OK) != 0);
    free(script);
    free(asked);
}

/** A helper that gives nothing does not keep the CLI from pulling an image. The result says what went wrong. */
static void broken_helpers(void)
{
    docker_config("helper", json_pack("{s:s}", "credsStore", "fwtest"));
    write_helper("#!/bin/sh\necho 'the key ring is locked' >&2; exit 1\n");
    refused(image, "docker-credential-fwtest", "the key ring is locked");
    write_helper("#!/bin/sh\necho 'no JSON'\n");
    refused(image, "docker-credential-fwtest", "\"Username\"");
    docker_config("helper", json_pack("{s:s}", "credsStore", "no-such-helper"));
    refused(image, "docker-credential-no-such-helper", "it is not in PATH");
    /* A helper without credentials for the registry is no failure; its message for that is standardized. */
    write_helper("#!/bin/sh\necho 'credentials not found in native keychain'; exit 1\n");
    docker_config("helper", json_pack("{s:s}", "credsStore", "fwtest"));
    refused(image, "refused", "without credentials");
    /* The credentials of the file itself are used if the helper is missing. */
    docker_logged_in("both", user, password);
    char *path = check_path("both/config.json");
    json_t *config = json_load_file(path, 0, NULL);
    json_object_set_new(config, "credsStore", json_string("no-such-helper"));
    docker_config("both", config);
    works(NULL, true);
    engine_remove_image(host, image);
    fw_result *result = run(image, NULL, "true");
    CHECK_EXITED(result, 0);
    json_t *facts = run_json(result), *note = json_array_get(json_object_get(facts, "notes"), 0);
    CHECK(note != NULL && strstr(json_string_value(note), "docker-credential-no-such-helper") != NULL);
    json_decref(facts);
    fw_result_free(result);
    engine_remove_image(host, image);
    free(path);
}

/** A file that cannot be read is ignored. */
static void broken_configuration(void)
{
    docker_config("broken", json_object());
    write_file("broken/config.json", "{\"auths\": ");
    refused(image, "config.json\" was ignored", "without credentials");
}

int main(void)
{
    engine_host();
    image = registry_image("fw-test/pulled:1");
    user = engine_variable("FW_TEST_REGISTRY_USER");
    password = engine_variable("FW_TEST_REGISTRY_PASSWORD");
    host = private_start("docker", "pull", "--no-images");
    anonymous();
    stored();
    by_digest();
    not_there();
    no_registry();
    helper();
    broken_helpers();
    broken_configuration();
    NOTHING_LEFT(host);
    free(host);
    free(image);
    return engine_done();
}
