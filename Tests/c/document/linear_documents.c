/*
 * The work of reading a document grows with its size, and not with the square of it: many members, depth, long names
 * and texts, and many names that are wrong in the same way. Instructions are counted, and not seconds.
 * not under asan tsan ubsan valgrind: the instructions are counted by callgrind
 */
#include "work.h"

static fw_status read_pool(const char *text, size_t length)
{
    fw_pool *pool = NULL;
    fw_status status = fw_pool_create(text, length, &pool, NULL);
    fw_pool_free(pool);
    return status;
}

static fw_status read_worker(const char *text, size_t length)
{
    fw_worker *worker = NULL;
    fw_status status = fw_worker_create(text, length, &worker, NULL);
    fw_worker_free(worker);
    return status;
}

/* A step, with the plan of its worker. */
static fw_status read_step(const char *text, size_t length)
{
    fw_step *step = NULL;
    fw_status status = fw_step_create(text, length, &step, NULL);
    fw_pool *pool = NULL;
    const fw_worker *worker = NULL;
    fw_context *context = NULL;
    char *plan = NULL;
    if (status == FW_OK && fw_pool_create("[]", FW_ZERO_TERMINATED, &pool, NULL) == FW_OK &&
        fw_context_create("{\"a\": \"b\"}", FW_ZERO_TERMINATED, &context, NULL) == FW_OK &&
        (status = fw_pool_get(pool, step, &worker, NULL)) == FW_OK)
        status = fw_worker_plan(worker, step, context, "/tmp", &plan, NULL);
    fw_string_free(plan);
    fw_context_free(context);
    fw_pool_free(pool);
    fw_step_free(step);
    return status;
}

/* A context, which is copied for a run and written. */
static fw_status read_context(const char *text, size_t length)
{
    fw_context *context = NULL;
    char *json = NULL;
    fw_status status = fw_context_create(text, length, &context, NULL);
    if (status == FW_OK)
        status = fw_context_to_json(context, &json, NULL);
    fw_string_free(json);
    fw_context_free(context);
    return status;
}

static fw_status quote(const char *text, size_t length)
{
    char *quoted = NULL;
    fw_status status = fw_quote_shell(text, length, &quoted, NULL);
    fw_string_free(quoted);
    if (status == FW_OK && (status = fw_quote_json(text, length, &quoted, NULL)) == FW_OK)
        fw_string_free(quoted);
    return status;
}

#define STEP(rest) "{\"name\": \"s\", " rest
#define COMMANDS "\"action\": {\"environment\": \"\", \"commands\": ["

static const work_shape shapes[] = {
    {"configuration: workers", read_pool, 200, "[", "{\"name\": \"w@\", \"type\": \"subprocess\"}", ", ", "", "]",
     FW_OK},
    {"configuration: managers", read_pool, 300, "{\"managers\": {", "\"step@\": \"w@\"", ", ", "", "}}", FW_OK},
    {"configuration: steps of workers", read_pool, 300, "{\"workflow\": [", "{\"step\": \"s@\", \"worker\": \"w\"}",
     ", ", "", "]}", FW_OK},
    {"configuration: volumes", read_pool, 200, "{\"volumes\": [",
     "{\"name\": \"v@\", \"type\": \"fs\", \"args\": {\"basedir\": \"/v@\"}}", ", ", "", "]}", FW_OK},
    {"configuration: resources", read_pool, 300, "{\"resources\": {", "\"r@\": 1", ", ", "", "}}", FW_OK},
    {"configuration: ids of a resource", read_pool, 300, "{\"resources\": {\"r\": {\"variable\": \"V\", \"ids\": [",
     "\"id@\"", ", ", "", "]}}}", FW_OK},
    {"configuration: the last worker again", read_pool, 200, "[", "{\"name\": \"w@\", \"type\": \"subprocess\"}", ", ",
     "", ", {\"name\": \"w000000\", \"type\": \"code\"}]", FW_E_DOCUMENT},
    {"configuration: a wrong key behind many workers", read_pool, 200, "{\"workers\": [",
     "{\"name\": \"w@\", \"type\": \"subprocess\"}", ", ", "", "], \"wrong\": 1}", FW_E_DOCUMENT},
    {"configuration: the name of a worker", read_pool, 4000, "[{\"type\": \"subprocess\", \"name\": \"", "x", "", "",
     "\"}]", FW_OK},

    {"worker: env", read_worker, 300, "{\"name\": \"w\", \"type\": \"subprocess\", \"env\": {", "\"N@\": \"v\"", ", ",
     "", "}}", FW_OK},
    {"worker: env with one key", read_worker, 300, "{\"name\": \"w\", \"type\": \"subprocess\", \"env\": [",
     "{\"key\": \"K\", \"value\": \"@\"}", ", ", "", "]}", FW_OK},
    {"worker: variables", read_worker, 300, "{\"name\": \"w\", \"type\": \"subprocess\", \"variables\": {",
     "\"n@\": \"v\"", ", ", "", "}}", FW_OK},
    {"worker: secrets", read_worker, 300, "{\"name\": \"w\", \"type\": \"subprocess\", \"secrets\": [", "\"S@\"", ", ",
     "", "]}", FW_OK},
    {"worker: environment_values", read_worker, 300,
     "{\"name\": \"w\", \"type\": \"subprocess\", \"options\": {\"environment_values\": [", "\"V@\"", ", ", "", "]}}",
     FW_OK},
    {"worker: inherited names", read_worker, 300,
     "{\"name\": \"w\", \"type\": \"subprocess\", \"options\": {\"inherit_env\": [", "\"V@\"", ", ", "", "]}}", FW_OK},
    {"worker: success_codes", read_worker, 300,
     "{\"name\": \"w\", \"type\": \"subprocess\", \"options\": {\"success_codes\": [", "1", ", ", "", "]}}", FW_OK},
    {"worker: mounts", read_worker, 300, "{\"name\": \"w\", \"type\": \"docker\", \"options\": {\"mounts\": [",
     "{\"source\": \"/s@\", \"target\": \"/t@\"}", ", ", "", "]}}", FW_OK},
    {"worker: one key many times", read_worker, 300, "{\"name\": \"w\", ", "\"type\": \"subprocess\"", ", ", "", "}",
     FW_E_SYNTAX},
    {"worker: depth of a wrong value", read_worker, 400, "{\"name\": \"w\", \"type\": ", "[", "", "]", "}",
     FW_E_DOCUMENT},

    {"step: commands", read_step, 300, STEP(COMMANDS), "\"echo @ > f@\"", ", ", "", "]}}", FW_OK},
    {"step: words of a command", read_step, 300, STEP(COMMANDS "["), "\"w@\"", ", ", "", "]]}}", FW_OK},
    {"step: a long command", read_step, 2000, STEP(COMMANDS "\""), "echo x; ", "", "", "\"]}}", FW_OK},
    {"step: placeholders of a command", read_step, 200, STEP(COMMANDS "\""), "$a ${a:q} $b@ ", "", "", "\"]}}", FW_OK},
    {"step: a bad placeholder behind many", read_step, 300, STEP(COMMANDS "\""), "$a ", "", "", "${\"]}}",
     FW_E_TEMPLATE},
    {"step: env", read_step, 300, STEP("\"action\": {\"environment\": \"\", \"commands\": [\"true\"], \"env\": {"),
     "\"N@\": \"v\"", ", ", "", "}}}", FW_OK},
    {"step: inputs", read_step, 300, STEP(COMMANDS "]}, \"files\": {\"inputs\": ["), "\"d/f@\"", ", ", "", "]}}",
     FW_OK},
    {"step: one output many times", read_step, 300, STEP(COMMANDS "]}, \"files\": {\"outputs\": ["), "\"d/f\"", ", ",
     "", "]}}", FW_OK},
    {"step: folders in a key", read_step, 100, STEP(COMMANDS "]}, \"files\": {\"inputs\": [\""), "d/", "", "", "x\"]}}",
     FW_OK},
    {"step: resources", read_step, 300, STEP(COMMANDS "]}, \"resources\": {"), "\"r@\": 1", ", ", "", "}}", FW_OK},
    {"step: secrets", read_step, 300, STEP(COMMANDS "]}, \"secrets\": ["), "\"S@\"", ", ", "", "]}", FW_E_DOCUMENT},
    {"step: variables of a function", read_step, 300,
     STEP("\"action\": {\"func\": \"package.module.function\", \"arg\": \"x\", \"variables\": ["),
     "{\"arg\": \"a@\", \"var\": \"a\"}", ", ", "", "]}}", FW_OK},
    {"step: params of a notebook", read_step, 300, STEP("\"action\": {\"notebook\": \"n.ipynb\", \"params\": ["),
     "\"p@\"", ", ", "", "]}}", FW_OK},
    {"step: requirements of a notebook", read_step, 300,
     STEP("\"action\": {\"notebook\": \"n.ipynb\", \"requirements\": ["), "\"p@\"", ", ", "", "]}}", FW_OK},
    {"step: values of foreach", read_step, 300, STEP(COMMANDS "]}, \"foreach\": {\"names\": {\"a\": ["), "\"v@\"", ", ",
     "", "]}}}", FW_E_DOCUMENT},

    {"context: names", read_context, 300, "{", "\"n@\": \"v\"", ", ", "", "}", FW_OK},
    {"context: depth", read_context, 500, "{\"a\": ", "[", "", "]", "}", FW_OK},
    {"context: elements", read_context, 500, "{\"a\": [", "{\"b\": 1.5}", ", ", "", "]}", FW_OK},
    {"context: a long text", read_context, 4000, "{\"a\": \"", "\\u00e9x", "", "", "\"}", FW_OK},
    {"context: one key many times", read_context, 300, "{", "\"n\": 1", ", ", "", "}", FW_E_SYNTAX},
    {"context: keys that are alike", read_context, 300, "{", "\"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn@\": 1", ", ", "", "}",
     FW_OK},
    {"context: an open array behind many lines", read_context, 500, "{\"a\": [\n", "1,\n", "", "", "", FW_E_SYNTAX},

    {"quoting: a text", quote, 4000, "", "it's \"\\u", "", "", "", FW_OK},
};

int main(int count, char **arguments)
{
    (void)count;
    return work_main(arguments, shapes, sizeof shapes / sizeof *shapes);
}
