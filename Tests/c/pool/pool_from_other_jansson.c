/*
 * fw_pool_create_from() reads a value of another copy of jansson than the library's own. Two copies hash the same key
 * to different numbers, so a value of the one has no key that the other looks up.
 *
 * not under asan tsan: their runtimes do not allow RTLD_DEEPBIND
 */
#define _GNU_SOURCE
#include "run.h"

#include <dlfcn.h>

static void *json_loads_address(void)
{
    json_t *(*function)(const char *, size_t, json_error_t *) = json_loads;
    void *address;
    memcpy(&address, &function, sizeof address);
    return address;
}

/** A copy of the file of libjansson, loaded so that its functions call each other and not those of the first copy. */
static void *second_jansson(void)
{
    Dl_info info;
    REQUIRE(dladdr(json_loads_address(), &info) != 0);
    char command[5000], path[4200];
    snprintf(path, sizeof path, "%s/libjansson-copy.so", check_dir());
    snprintf(command, sizeof command, "cp '%s' '%s'", info.dli_fname, path);
    REQUIRE(system(command) == 0);
    void *copy = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (copy == NULL)
        fprintf(stderr, "%s\n", dlerror());
    REQUIRE(copy != NULL);
    unlink(path);
    return copy;
}

static const char *const text =
    "{\"workers\": [{\"name\": \"w\", \"type\": \"subprocess\", \"env\": [{\"key\": \"A\", \"value\": \"seen\"}],"
    "  \"variables\": {\"n\": 3}, \"volume\": \"data\", \"secrets\": [\"A\"],"
    "  \"options\": {\"shell\": \"/bin/sh\", \"timeout\": 30, \"retries\": {\"max\": 1, \"on\": [\"timeout\"]},"
    "               \"limits\": {\"open_files\": 100}}},"
    " {\"name\": \"d\", \"type\": \"docker\", \"options\": {\"host\": \"unix:///nowhere\", \"shell\": \"/bin/sh\"}},"
    " {\"name\": \"s\", \"type\": \"slurm\", \"options\": {\"partition\": \"p\"}},"
    " {\"name\": \"n\", \"type\": \"notebook\", \"options\": {\"kernel\": \"python3\"}},"
    " {\"name\": \"c\", \"type\": \"code\"}],"
    " \"volumes\": [{\"name\": \"data\", \"type\": \"fs\", \"args\": [{\"key\": \"basedir\", \"value\": \"/tmp\"}]},"
    "  {\"name\": \"b\", \"type\": \"s3\", \"args\": {\"bucket\": \"x\"}, \"files\": [\"f\"]}],"
    " \"workflow\": [{\"step\": \"s\", \"worker\": \"w\"}],"
    " \"default_variables\": {\"python\": \"python3\"}}";

int main(void)
{
    void *other = second_jansson();
    json_t *(*other_loads)(const char *, size_t, json_error_t *);
    json_t *(*other_get)(const json_t *, const char *);
    void (*other_delete)(json_t *);
    *(void **)&other_loads = dlsym(other, "json_loads");
    *(void **)&other_get = dlsym(other, "json_object_get");
    *(void **)&other_delete = dlsym(other, "json_delete");
    REQUIRE(other_loads != NULL && other_get != NULL && other_delete != NULL && other_loads != json_loads);

    json_error_t problem;
    json_t *config = other_loads(text, 0, &problem);
    if (config == NULL)
        fprintf(stderr, "%s\n", problem.text);
    REQUIRE(config != NULL);
    /* The two copies are two: the one does not find a key of the other's. */
    CHECK(other_get(config, "workers") != NULL);
    CHECK(json_object_get(config, "workers") == NULL);

    fw_pool *pool = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_pool_create_from(config, &pool, &error), &error);
    CHECK_INT(config->refcount, 1);
    other_delete(config);

    /* All that it says is in the pool. */
    fw_step *step = run_step("s", (const char *const[]){"echo $n $$A", NULL});
    const fw_worker *worker = NULL;
    CHECK_OK(fw_pool_get(pool, step, &worker, &error), &error);
    CHECK_STR(fw_worker_name(worker), "w");
    fw_result *result = run_exec(worker, step, NULL, check_dir());
    CHECK_OUTPUT(result, FW_STDOUT, 0, "3 ***\n");
    fw_result_free(result);
    fw_step_free(step);
    fw_pool_free(pool);

    /* A configuration that cannot be used is refused at its place. */
    config = other_loads("{\"volumes\": [{\"name\": \"v\", \"type\": \"fs\", \"args\": [{\"key\": \"basedir\"}]}]}", 0,
                         NULL);
    REQUIRE(config != NULL);
    CHECK_REFUSED(fw_pool_create_from(config, &pool, &error), FW_E_DOCUMENT, &error, "/volumes/0/args/0", "\"value\"");
    other_delete(config);
    return check_done();
}
