/*
 * A run that is given volumes uses them in place of the pool's, and everything else of the pool: the same workers, and
 * the same interpreter, which is reused from run to run.
 */
#include "function.h"
#include "workflow.h"

#include <sys/stat.h>

static const char module[] = "import os\n"
                             "def where():\n"
                             "    return [os.getppid(), os.getcwd()]\n";

static const char steps[] =
    "{\"steps\": [{\"name\": \"where\", \"action\": {\"func\": \"mod.where\", \"arg\": \"r\"}}, "
    "{\"name\": \"write\", \"action\": {\"environment\": \"\", \"commands\": [\"echo $who > made\"]}}]}";

/** A directory with the module, under check_dir(). */
static char *directory(const char *name)
{
    char *path = check_path(name);
    REQUIRE(mkdir(path, 0777) == 0);
    char file[64];
    snprintf(file, sizeof file, "%s/mod.py", name);
    write_file(file, module);
    return path;
}

/** Options with a volume of this name in this directory. */
static char *options(const char *volume, const char *path)
{
    char *text = NULL;
    REQUIRE(asprintf(&text, "{\"volumes\": [{\"name\": \"%s\", \"type\": \"fs\", \"args\": {\"basedir\": \"%s\"}}]}",
                     volume, path) > 0);
    return text;
}

/** Runs the steps without a run directory, and gives what the function has seen: json_decref() it. */
static json_t *run(fw_pool *pool, const char *volumes)
{
    fw_workflow *workflow = workflow_of(steps);
    fw_context *context = check_context("{}");
    fw_result *result = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_workflow_run(workflow, pool, context, NULL, volumes, FW_ZERO_TERMINATED, &result, &error), &error);
    CHECK_EXITED(result, 0);
    char *text = NULL;
    CHECK_INT(fw_context_get(context, "r", &text, NULL), FW_OK);
    json_t *seen = json_loads(text, 0, NULL);
    fw_string_free(text);
    fw_result_free(result);
    fw_context_free(context);
    fw_workflow_free(workflow);
    return seen;
}

static void refuses(fw_pool *pool, const char *volumes, fw_status want, const char *path, const char *message)
{
    fw_workflow *workflow = workflow_of(steps);
    fw_result *result = NULL;
    fw_error *error = NULL;
    CHECK_INT(fw_workflow_run(workflow, pool, NULL, NULL, volumes, FW_ZERO_TERMINATED, &result, &error), want);
    CHECK(result == NULL);
    CHECK_HAS(fw_error_message(error), message);
    if (path == NULL)
        CHECK(fw_error_path(error) == NULL);
    else
        CHECK_STR(fw_error_path(error), path);
    fw_error_free(error);
    fw_workflow_free(workflow);
}

int main(void)
{
    char *own = directory("own"), *one = directory("one"), *two = directory("two");
    char *text = NULL;
    REQUIRE(asprintf(&text,
                     "{\"workers\": [{\"name\": \"w\", \"type\": \"subprocess\", \"variables\": {\"who\": \"pool\"}}], "
                     "\"managers\": {\"write\": \"w\"}, "
                     "\"volumes\": [{\"name\": \"__default__\", \"type\": \"fs\", \"args\": {\"basedir\": \"%s\"}}]}",
                     own) > 0);
    fw_pool *pool = check_pool(text);
    free(text);
    char *first = options("__default__", one), *second = options("__default__", two);
    json_t *seen[] = {run(pool, NULL), run(pool, first), run(pool, second)};
    char *const directories[] = {own, one, two};
    const json_int_t interpreter = json_integer_value(json_array_get(seen[0], 0));
    CHECK(interpreter > 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(json_integer_value(json_array_get(seen[i], 0)), interpreter);
        char *real = realpath(directories[i], NULL);
        CHECK_STR(json_string_value(json_array_get(seen[i], 1)), real);
        free(real);
        char *made = NULL;
        REQUIRE(asprintf(&made, "%s/made", directories[i]) > 0);
        CHECK(access(made, F_OK) == 0);
        free(made);
        json_decref(seen[i]);
    }

    /* The list replaces that of the pool, and is read like it. */
    char *other = options("other", one);
    refuses(pool, other, FW_E_INVALID, NULL, "no default volume");
    refuses(pool, "{\"volumes\": {}}", FW_E_DOCUMENT, "/volumes", "");
    refuses(pool,
            "{\"volumes\": [{\"name\": \"a\", \"type\": \"fs\", \"args\": {\"basedir\": \"/a\"}}, "
            "{\"name\": \"a\", \"type\": \"fs\", \"args\": {\"basedir\": \"/b\"}}]}",
            FW_E_DOCUMENT, "/volumes/1", "/volumes/0 and /volumes/1");

    free(other);
    free(first);
    free(second);
    for (int i = 0; i < 3; i++)
        free(directories[i]);
    fw_pool_free(pool);
    return check_done();
}
