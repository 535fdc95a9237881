/* The documents of people who use the library for the first time, with their mistakes, and what they are told. */
#include "newcomer.h"

static fw_pool *no_pool;
static fw_worker *no_worker;
static fw_step *no_step;
static fw_context *no_context;
static fw_workflow *no_workflow;

/* Each function reads a document that ends with a NUL. */
static fw_status pool(const char *json)
{
    return fw_pool_create(json, FW_ZERO_TERMINATED, &no_pool, &mistake_error);
}

static fw_status worker(const char *json)
{
    return fw_worker_create(json, FW_ZERO_TERMINATED, &no_worker, &mistake_error);
}

static fw_status step(const char *json)
{
    return fw_step_create(json, FW_ZERO_TERMINATED, &no_step, &mistake_error);
}

static fw_status context(const char *json)
{
    return fw_context_create(json, FW_ZERO_TERMINATED, &no_context, &mistake_error);
}

static fw_status workflow(const char *json)
{
    return fw_workflow_create(json, FW_ZERO_TERMINATED, &no_workflow, &mistake_error);
}

static void texts(void)
{
    MISTAKE("the name of a file",
            "the text is not valid JSON: invalid token near \"pool\"; it looks like the name of a file: expected the "
            "content of the file",
            pool("pool.json"));
    MISTAKE("the length 0 of a text that ends with a NUL",
            "expected a JSON document, found an empty text, or the length 0",
            fw_pool_create("[]", 0, &no_pool, &mistake_error));
    MISTAKE("the size of a literal, which counts its NUL",
            "the text contains a NUL byte, which JSON does not allow: is its length right?",
            fw_pool_create("[]", sizeof "[]", &no_pool, &mistake_error));
    MISTAKE("a length that is too small", "the text ends in the middle of a value, or its length is too small",
            fw_pool_create("[{\"name\": \"local\"}]", 5, &no_pool, &mistake_error));
    MISTAKE("NULL as the text", "the argument \"json\" is NULL: expected a string", pool(NULL));
    MISTAKE("YAML",
            "the text is not valid JSON: invalid token near \"workers\"; it looks like YAML: a document has the form "
            "of JSON",
            pool("workers:\n- name: local\n"));
    MISTAKE("single quotes", "the text is not valid JSON: string or '}' expected near \"'\"; JSON has double quotes",
            pool("{'workers': []}"));
    MISTAKE("keys without quotes",
            "the text is not valid JSON: string or '}' expected near \"workers\"; JSON has keys in double quotes",
            pool("{workers: []}"));
    MISTAKE("a comma behind the last element",
            "the text is not valid JSON: string or '}' expected near \"}\"; JSON has no comma behind the last element",
            pool("{\"workers\": [],}"));
    MISTAKE("no comma between two elements",
            "the text is not valid JSON: '}' expected near \"\\\"type\\\"\"; there is no comma before it",
            pool("[{\"name\": \"local\" \"type\": \"subprocess\"}]"));
    MISTAKE("a comment", "the text is not valid JSON: invalid token near \"/\"; JSON has no comments",
            pool("// the pool\n[]"));
    MISTAKE("NaN", "the text is not valid JSON: invalid token near \"NaN\"; JSON has no such number",
            context("{\"rate\": NaN}"));
    MISTAKE("a number as a key",
            "the text is not valid JSON: string or '}' expected near \"1\"; JSON has keys in double quotes",
            context("{1: 2}"));
    MISTAKE(
        "a path of Windows",
        "the text is not valid JSON: invalid escape near \"\\\"C:\\\\d\"; JSON has \\\\ for a backslash in a string",
        context("{\"path\": \"C:\\data\"}"));
    MISTAKE("a line end in a string",
            "the text is not valid JSON: unexpected newline near \"\\\"one\"; JSON has \\n for a line end in a string",
            context("{\"text\": \"one\ntwo\"}"));
    MISTAKE("a list as the context", "expected a context (an object of values), found an array",
            context("[\"Alice\"]"));
    MISTAKE("name=value as the context",
            "the text is not valid JSON: invalid token near \"name\"; JSON has strings in double quotes",
            context("name=Alice"));
}

static void pools(void)
{
    MISTAKE("a worker as the configuration",
            "unknown key \"name\" in an engine configuration: expected \"workers\", \"workflow\", \"managers\", "
            "\"volumes\", \"default_variables\", \"placeholders\" or \"resources\"; it is a key of an element of "
            "\"workers\" (at /name)",
            pool("{\"name\": \"local\", \"type\": \"subprocess\"}"));
    MISTAKE("the names of workers",
            "expected the specification of a worker (an object), found the string \"local\" (at /0)",
            pool("[\"local\"]"));
    MISTAKE("workers by their names", "expected an array of worker specifications, found an object (at /workers)",
            pool("{\"workers\": {\"local\": {\"type\": \"subprocess\"}}}"));
    MISTAKE("a misspelt key",
            "unknown key \"wrokers\" in an engine configuration: expected \"workers\", \"workflow\", \"managers\", "
            "\"volumes\", \"default_variables\", \"placeholders\" or \"resources\"; did you mean \"workers\"? (at "
            "/wrokers)",
            pool("{\"wrokers\": []}"));
    MISTAKE("a mapping as an object", "expected an array of {\"step\", \"worker\"}, found an object (at /workflow)",
            pool("{\"workers\": [], \"workflow\": {\"greet\": \"local\"}}"));
    MISTAKE("a list as the worker", "expected the specification of a worker (an object), found an array", worker("[]"));
    MISTAKE("a type that there is not",
            "\"shell\" is not a worker type: use \"code\", \"subprocess\", \"docker\", \"notebook\", \"nbdocker\" or "
            "\"slurm\" (at /type)",
            worker("{\"name\": \"local\", \"type\": \"shell\"}"));
    MISTAKE("no type", "missing key \"type\" in the specification of worker \"local\"",
            worker("{\"name\": \"local\"}"));
    MISTAKE("an option outside of the options",
            "unknown key \"timeout\" in a worker specification: expected \"name\", \"type\", \"env\", \"variables\", "
            "\"vars\", \"volume\", \"options\" or \"secrets\"; it is a key of the worker's \"options\" (at /timeout)",
            worker("{\"name\": \"local\", \"type\": \"subprocess\", \"timeout\": 10}"));
    MISTAKE("memory with its unit",
            "expected the memory of a container in bytes, an integer from 6291456 (6 MiB), found the string \"1GB\" "
            "(at /options/memory)",
            worker("{\"name\": \"box\", \"type\": \"docker\", \"options\": {\"memory\": \"1GB\"}}"));
    MISTAKE("variables as NAME=VALUE", "expected an object {\"key\", \"value\"}, found the string \"A=1\" (at /env/0)",
            worker("{\"name\": \"local\", \"type\": \"subprocess\", \"env\": [\"A=1\"]}"));
}

static void steps(void)
{
    MISTAKE("a command as a step",
            "the text is not valid JSON: invalid token near \"echo\"; JSON has strings in double quotes",
            step("echo hi"));
    MISTAKE("a string as a step", "expected a step (an object), found the string \"echo hi\"", step("\"echo hi\""));
    MISTAKE("a workflow as a step",
            "unknown key \"steps\" in a step: expected \"name\", \"files\", \"action\", \"secrets\", \"after\", "
            "\"foreach\", \"resources\", \"timeout\", "
            "\"output_limit\", \"retries\", \"placeholders\", \"success_codes\", \"stdin\" or "
            "\"environment_values\" (at /steps)",
            step("{\"steps\": []}"));
    MISTAKE("commands outside of the action",
            "unknown key \"commands\" in a step: expected \"name\", \"files\", \"action\", \"secrets\", \"after\", "
            "\"foreach\", \"resources\", \"timeout\", "
            "\"output_limit\", \"retries\", \"placeholders\", \"success_codes\", \"stdin\" or "
            "\"environment_values\"; it is a key of the step's \"action\" (at /commands)",
            step("{\"name\": \"s\", \"commands\": [\"echo hi\"]}"));
    MISTAKE("the action as a command",
            "expected an object as the action, found the string \"echo hi\"; in a workflow it may be a reference such "
            "as $[[name]] (at /action)",
            step("{\"name\": \"s\", \"action\": \"echo hi\"}"));
    MISTAKE("no environment",
            "missing key \"environment\" in the action of a container step: it is the name of an image, or \"\" if the "
            "worker has no containers (at /action)",
            step("{\"name\": \"s\", \"action\": {\"commands\": [\"echo hi\"]}}"));
    MISTAKE("the image as image",
            "unknown key \"image\" in the action of a container step: expected \"environment\", \"commands\" or "
            "\"env\"; \"environment\" is the key of the image (at /action/image)",
            step("{\"name\": \"s\", \"action\": {\"image\": \"busybox\", \"commands\": [\"echo hi\"]}}"));
    MISTAKE("commands as a string", "expected an array of commands, found the string \"echo hi\" (at /action/commands)",
            step("{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": \"echo hi\"}}"));
    MISTAKE("words that are empty",
            "expected a program and its arguments, found an empty array (at /action/commands/0)",
            step("{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": [[]]}}"));
    MISTAKE("a number as a word", "expected a string, found the integer 5 (at /action/commands/0/1)",
            step("{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": [[\"sleep\", 5]]}}"));
    MISTAKE(
        "a text as stdin",
        "expected \"host\" or an object such as {\"text\": \"...\"}, found the string \"hello\": {\"text\": ...} is "
        "a text, and {\"file\": ...} a file (at /stdin)",
        step("{\"name\": \"s\", \"stdin\": \"hello\", \"action\": {\"environment\": \"\", \"commands\": []}}"));
    MISTAKE("stdin for a function",
            "\"stdin\" is for the commands of a container step, and this is a code step: remove it (at /stdin)",
            step("{\"name\": \"s\", \"stdin\": {\"text\": \"hello\"}, \"action\": {\"func\": \"area\"}}"));
    MISTAKE("one success code",
            "expected an array of exit codes such as [0, 1], found the integer 1 (at /success_codes)",
            step("{\"name\": \"s\", \"success_codes\": 1, \"action\": {\"environment\": \"\", \"commands\": []}}"));
    MISTAKE("`function` for `func`",
            "unknown key \"function\" in an action: expected \"commands\", \"func\" or \"notebook\"; did you mean "
            "\"func\"? (at /action/function)",
            step("{\"name\": \"s\", \"action\": {\"function\": \"area\"}}"));
    MISTAKE("arguments of a function",
            "unknown key \"args\" in the action of a code step: expected \"func\", \"arg\", \"variables\" or "
            "\"parameters\"; did you mean \"arg\"? (at /action/args)",
            step("{\"name\": \"s\", \"action\": {\"func\": \"area\", \"args\": [\"width\"]}}"));
    MISTAKE("a time with its unit",
            "expected a time in seconds, above 0 and at most 31536000, found the string \"10s\" (at /timeout)",
            step("{\"name\": \"s\", \"timeout\": \"10s\", \"action\": {}}"));
    MISTAKE("inputs outside of files",
            "unknown key \"inputs\" in a step: expected \"name\", \"files\", \"action\", \"secrets\", \"after\", "
            "\"foreach\", \"resources\", \"timeout\", "
            "\"output_limit\", \"retries\", \"placeholders\", \"success_codes\", \"stdin\" or "
            "\"environment_values\"; it is a key of the step's \"files\" (at /inputs)",
            step("{\"name\": \"s\", \"inputs\": [\"data.csv\"], \"action\": {}}"));
}

static void workflows(void)
{
    MISTAKE("a list of steps", "expected a workflow (an object), found an array", workflow("[]"));
    MISTAKE("a step as the workflow", "missing key \"steps\" in the workflow, or \"workflow\" in the template",
            workflow("{\"name\": \"s\", \"action\": {\"environment\": \"\", \"commands\": []}}"));
    MISTAKE("a reference to no parameter",
            "$[[actoin]] refers to a parameter that the template does not declare: it declares \"action\"; did you "
            "mean \"action\"? (at /workflow/steps/0/action)",
            workflow("{\"workflow\": {\"steps\": [{\"name\": \"s\", \"action\": \"$[[actoin]]\"}]},"
                     " \"parameters\": [{\"name\": \"action\", \"dtype\": \"actor\"}]}"));
}

int main(void)
{
    texts();
    pools();
    steps();
    workflows();
    return check_done();
}
