/* A step gets the worker that it is mapped to, the same one at each call, or else the default worker for its type. */
#include "run.h"

static const char *const container = "{\"name\": \"%s\", \"action\": {\"environment\": \"\", \"commands\": []}}";
static const char *const code = "{\"name\": \"%s\", \"action\": {\"func\": \"f\"}}";
static const char *const notebook = "{\"name\": \"%s\", \"action\": {\"notebook\": \"n.ipynb\"}}";

static fw_pool *pool;

__attribute__((format(printf, 1, 0))) static fw_step *step(const char *format, const char *name)
{
    char text[200];
    snprintf(text, sizeof text, format, name);
    return check_step(text);
}

static const fw_worker *get(const fw_step *wanted)
{
    const fw_worker *worker = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_pool_get(pool, wanted, &worker, &error), &error);
    REQUIRE(worker != NULL);
    return worker;
}

static const fw_worker *default_of(const fw_step *wanted)
{
    const fw_worker *worker = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_pool_default_worker(pool, wanted, &worker, &error), &error);
    REQUIRE(worker != NULL);
    return worker;
}

static void mapped(void)
{
    fw_step *one = step(container, "one"), *two = step(container, "two"), *three = step(code, "three");
    const fw_worker *worker = get(one);
    CHECK_STR(fw_worker_name(worker), "b");
    CHECK_STR(fw_worker_type(worker), "docker");
    CHECK_STR(fw_worker_volume(worker), "store");
    CHECK(get(one) == worker);
    CHECK(get(two) == worker);
    fw_step *again = step(notebook, "one"); /* only the name of the step matters */
    CHECK(get(again) == worker);
    fw_step_free(again);
    CHECK_STR(fw_worker_name(get(three)), "a");
    CHECK_STR(fw_worker_type(get(three)), "subprocess");
    CHECK_STR(fw_worker_volume(get(three)), "__default__");
    /* A mapped step can also get the default worker. */
    CHECK(default_of(one) != worker);
    CHECK_STR(fw_worker_type(default_of(one)), "subprocess");
    fw_step_free(three);
    fw_step_free(two);
    fw_step_free(one);
}

static void defaults(void)
{
    const struct {
        const char *format, *step_type, *worker_type;
    } types[] = {{container, "container", "subprocess"}, {code, "code", "code"}, {notebook, "notebook", "notebook"}};
    const fw_worker *seen[3];
    for (int i = 0; i < 3; i++) {
        fw_step *first = step(types[i].format, "x"), *second = step(types[i].format, "y");
        CHECK_STR(fw_step_type(first), types[i].step_type);
        seen[i] = get(first);
        CHECK_STR(fw_worker_type(seen[i]), types[i].worker_type);
        CHECK_STR(fw_worker_volume(seen[i]), "__default__");
        CHECK(strlen(fw_worker_name(seen[i])) > 0);
        CHECK(get(second) == seen[i]);
        CHECK(default_of(first) == seen[i]);
        fw_step_free(second);
        fw_step_free(first);
    }
    for (int i = 0; i < 3; i++)
        CHECK(strcmp(fw_worker_name(seen[i]), fw_worker_name(seen[(i + 1) % 3])) != 0);

    /* Default workers of different pools have different names. */
    fw_pool *other = check_pool("[]"), *first = pool;
    fw_step *any = step(container, "x");
    pool = other;
    CHECK(strcmp(fw_worker_name(get(any)), fw_worker_name(seen[0])) != 0);
    pool = first;
    fw_step_free(any);
    fw_pool_free(other);
}

int main(void)
{
    const char *workers = "\"workers\": [{\"name\": \"a\", \"type\": \"subprocess\"},"
                          " {\"name\": \"b\", \"type\": \"docker\", \"volume\": \"store\"}]";
    const char *forms[] = {
        "\"managers\": {\"one\": \"b\", \"two\": \"b\", \"three\": \"a\"}",
        "\"workflow\": [{\"step\": \"one\", \"worker\": \"b\"}, {\"worker\": \"b\", \"step\": \"two\"},"
        " {\"step\": \"three\", \"worker\": \"a\"}]"};
    for (int i = 0; i < 2; i++) {
        char text[1000];
        snprintf(text, sizeof text, "{%s, %s}", workers, forms[i]);
        pool = check_pool(text);
        mapped();
        defaults();
        fw_pool_free(pool);
        /* The mapping may come before the workers. */
        snprintf(text, sizeof text, "{%s, %s}", forms[i], workers);
        pool = check_pool(text);
        mapped();
        fw_pool_free(pool);
    }
    pool = check_pool("[]");
    defaults();
    fw_pool_free(pool);
    return check_done();
}
