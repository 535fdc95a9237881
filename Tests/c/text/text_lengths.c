/* A text has the length that is passed, or ends with a NUL byte if the length is FW_ZERO_TERMINATED. The library does
 * not read beyond it, where there may be no memory. */
#include "check.h"

#include <sys/mman.h>

static const char step_text[] = "{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": [\"true\"]}}";

/** Places the text at the end of a page that is followed by no memory. */
static char *at_the_edge(const char *text, size_t length, void **mapping)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *start = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(start != MAP_FAILED && length <= page);
    REQUIRE(mprotect(start + page, page, PROT_NONE) == 0);
    *mapping = start;
    return memcpy(start + page - length, text, length);
}

int main(void)
{
    fw_error *error = NULL;
    fw_step *step = NULL;
    fw_pool *pool = NULL;
    fw_worker *worker = NULL;
    fw_context *context = NULL;
    size_t length = strlen(step_text);

    CHECK_OK(fw_step_create(step_text, length, &step, &error), &error);
    fw_step_free(step);
    CHECK_OK(fw_step_create(step_text, FW_ZERO_TERMINATED, &step, &error), &error);
    fw_step_free(step);

    /* Every shorter length is an error at the end of the shortened text. */
    for (size_t cut = 0; cut < length; cut++) {
        void *mapping;
        char *text = at_the_edge(step_text, cut, &mapping);
        fw_status status = fw_step_create(text, cut, &step, &error);
        CHECK_INT(fw_error_line(error), 1);
        CHECK_STR(fw_error_path(error), NULL);
        if (!CHECK_FAILS(status, FW_E_SYNTAX, &error, ""))
            fprintf(stderr, "    cut to %zu bytes\n", cut);
        munmap(mapping, 2 * (size_t)sysconf(_SC_PAGESIZE));
    }
    void *mapping;
    char *text = at_the_edge(step_text, length, &mapping);
    CHECK_OK(fw_step_create(text, length, &step, &error), &error);
    CHECK_STR(fw_step_name(step), "s");
    fw_step_free(step);
    munmap(mapping, 2 * (size_t)sysconf(_SC_PAGESIZE));

    /* Bytes beyond the length do not matter. */
    CHECK_OK(fw_pool_create("[] and more", 2, &pool, &error), &error);
    fw_pool_free(pool);
    CHECK_FAILS(fw_pool_create("[] and more", 11, &pool, &error), FW_E_SYNTAX, &error, "");
    CHECK_OK(fw_worker_create("{\"name\":\"w\",\"type\":\"code\"}}}", 26, &worker, &error), &error);
    fw_worker_free(worker);
    CHECK_OK(fw_context_create("{\"a\":1},", 7, &context, &error), &error);
    CHECK_OK(fw_context_set(context, "b", "123", 2, &error), &error);
    char *json = NULL;
    CHECK_OK(fw_context_to_json(context, &json, &error), &error);
    CHECK_STR(json, "{\"a\":1,\"b\":12}");
    fw_string_free(json);
    fw_context_free(context);

    /* jansson passes over a NUL byte behind a number, also in a part of a configuration that is read by itself. */
    static const char config[] = "{\"default_variables\": {\"a\": 1\0}}";
    static const char in_worker[] =
        "{\"workers\": [{\"name\": \"w\", \"type\": \"code\", \"options\": {\"timeout\": 1\0}}]}";
    CHECK_FAILS(fw_pool_create(config, sizeof config - 1, &pool, &error), FW_E_SYNTAX, &error, "NUL byte");
    CHECK_FAILS(fw_pool_create(in_worker, sizeof in_worker - 1, &pool, &error), FW_E_SYNTAX, &error, "NUL byte");
    CHECK_FAILS(fw_pool_create("[]\0", 3, &pool, &error), FW_E_SYNTAX, &error, "NUL byte");

    /* A length beyond the address space. */
    CHECK_FAILS(fw_step_create(step_text, FW_ZERO_TERMINATED - 1, &step, &error), FW_E_INVALID, &error, "json");
    CHECK_FAILS(fw_step_create(step_text, (size_t)1 << 63, &step, &error), FW_E_INVALID, &error, "json");
    return check_done();
}
