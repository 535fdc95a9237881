/* fw_pool_create_from() refuses values that no JSON text can produce without harm: a cycle, a million levels, a NUL
 * character, bytes that are not UTF-8. */
#include "check.h"

static void refused(json_t *config, const char *path)
{
    fw_pool *pool = NULL;
    fw_error *error = NULL;
    CHECK_REFUSED(fw_pool_create_from(config, &pool, &error), FW_E_DOCUMENT, &error, path, "");
    CHECK(pool == NULL);
}

static void circle(void)
{
    json_t *worker = json_pack("{s:s, s:s}", "name", "a", "type", "subprocess");
    json_t *workers = json_pack("[O]", worker);
    json_object_set(worker, "env", workers); /* workers -> worker -> workers */
    refused(workers, "/0/env/0/name");
    json_t *config = json_pack("{s:O}", "workers", workers);
    refused(config, "/workers/0/env/0/name");
    json_object_del(worker, "env");
    json_object_set_new(worker, "options", json_pack("{s:O}", "shell", worker));
    refused(config, "/workers/0/options/shell");
    json_object_del(worker, "options");
    json_decref(config);
    json_decref(workers);
    json_decref(worker);
}

static void deep(void)
{
    /* jansson releases a value level by level on the stack, so each level is held here and taken
     * apart from the outside. */
    int depth = check_times(1000000, 20000);
    json_t **levels = calloc((size_t)depth, sizeof *levels);
    REQUIRE(levels != NULL);
    levels[0] = json_array();
    for (int i = 1; i < depth; i++) {
        levels[i] = json_array();
        json_array_append(levels[i - 1], levels[i]);
    }
    json_t *worker = json_pack("{s:s, s:s}", "name", "a", "type", "subprocess");
    json_t *config = json_pack("{s:[O]}", "workers", worker);
    const char *keys[] = {"name", "type", "env", "variables", "vars", "volume", "options", "nope"};
    const char *paths[] = {"/name", "/type", "/env/0", "/variables/0", "/vars/0", "/volume", "/options", "/nope"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *before = json_incref(json_object_get(worker, keys[i]));
        char path[64];
        snprintf(path, sizeof path, "/workers/0%s", paths[i]);
        json_object_set(worker, keys[i], levels[0]);
        refused(config, path);
        if (before != NULL)
            json_object_set_new(worker, keys[i], before);
        else
            json_object_del(worker, keys[i]);
    }
    json_object_set(config, "volumes", levels[0]);
    refused(config, "/volumes/0");
    json_object_del(config, "volumes");
    refused(levels[0], "/0");
    json_decref(config);
    json_decref(worker);
    for (int i = 0; i < depth; i++) {
        json_array_clear(levels[i]);
        json_decref(levels[i]);
    }
    free(levels);
}

/** Checks that the value is refused; the position of the error does not matter. */
static void not_accepted(json_t *config)
{
    fw_pool *pool = NULL;
    fw_error *error = NULL;
    CHECK_FAILS(fw_pool_create_from(config, &pool, &error), FW_E_DOCUMENT, &error, "");
    fw_pool_free(pool);
}

static void not_utf8(void)
{
    const char *keys[] = {"name", "volume", "env", "variables"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *worker = json_pack("{s:s, s:s}", "name", "a", "type", "subprocess");
        json_t *text = json_string_nocheck("a\xFF");
        json_object_set_new(worker, keys[i], i < 2 ? text : json_pack("{s:o}", "K", text));
        json_t *config = json_pack("[o]", worker);
        not_accepted(config);
        json_decref(config);
    }
}

static void with_nul(void)
{
    json_t *name = json_stringn("a\0b", 3);
    json_t *config = json_pack("[{s:O, s:s}]", "name", name, "type", "code");
    refused(config, "/0/name");
    json_decref(config);
    config = json_pack("{s:{s:O}}", "managers", "s", name);
    refused(config, "/managers/s");
    json_decref(config);
    json_decref(name);
    json_t *managers = json_object();
    json_object_setn_new(managers, "a\0b", 3, json_string("w"));
    config = json_pack("{s:o}", "managers", managers);
    not_accepted(config);
    json_decref(config);
    json_t *env = json_object();
    json_object_setn_new(env, "A\0B", 3, json_string("x"));
    config = json_pack("[{s:s, s:s, s:o}]", "name", "w", "type", "subprocess", "env", env);
    not_accepted(config);
    json_decref(config);
}

int main(void)
{
    circle();
    deep();
    with_nul();
    not_utf8();
    return check_done();
}
