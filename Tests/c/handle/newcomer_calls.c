/* The calls of people who use the library for the first time, with their mistakes, and what they are told. */
#include "newcomer.h"

#include <math.h>

static fw_pool *pool;
static fw_step *step, *code;
static fw_context *context;
static const fw_worker *worker, *code_worker;

/** A registered function must not be called here. */
static void no_function(fw_call *call, void *payload)
{
    (void)call, (void)payload;
    CHECK(!"a function was called");
}

/** A function that makes mistakes of its own. */
static void area(fw_call *call, void *payload)
{
    (void)payload;
    MISTAKE("text that is not JSON as the value of a function",
            "the text is not valid JSON: invalid token near \"done\"; JSON has strings in double quotes",
            fw_call_return(call, "done", FW_ZERO_TERMINATED, &mistake_error));
    MISTAKE("a descriptor for a stream", "the argument \"stream\" is not FW_STDOUT or FW_STDERR",
            fw_call_write(call, 0, "done\n", FW_ZERO_TERMINATED, &mistake_error));
}

/* The wrong types go through void *, as a cast lets them. */
static void handles(void)
{
    const fw_worker *none;
    fw_exec *exec;
    MISTAKE("no pool", "the argument \"pool\" is NULL: expected a pool",
            fw_pool_get(NULL, step, &none, &mistake_error));
    MISTAKE("a step as the pool", "the argument \"pool\" is not a pool",
            fw_pool_get((fw_pool *)(void *)step, step, &none, &mistake_error));
    MISTAKE("the address of a handle", "the argument \"pool\" is not a pool",
            fw_pool_get((fw_pool *)(void *)&pool, step, &none, &mistake_error));
    MISTAKE("no place for the worker", "the argument \"worker\" is NULL: expected an output pointer",
            fw_pool_get(pool, step, NULL, &mistake_error));
    MISTAKE("context and step swapped", "the argument \"step\" is not a step",
            fw_worker_exec(worker, (fw_step *)(void *)context, (fw_context *)(void *)step, "/tmp", &mistake_result,
                           &mistake_error));
    MISTAKE("the pool as the worker", "the argument \"worker\" is not a worker",
            fw_worker_exec((fw_worker *)(void *)pool, step, context, "/tmp", &mistake_result, &mistake_error));
    MISTAKE("the wrong worker for a step",
            "step \"c\" is a code step, which the subprocess worker \"local\" does not run: it runs container steps",
            fw_worker_exec(worker, code, context, "/tmp", &mistake_result, &mistake_error));
    MISTAKE("waiting for nothing", "the argument \"exec\" is NULL: expected an exec",
            fw_exec_wait(NULL, -1, &mistake_result, &mistake_error));
    if (!CHECK_OK(fw_exec_start(worker, step, context, check_dir(), NULL, 0, &exec, &mistake_error), &mistake_error))
        return;
    MISTAKE("a time that is no number", "the argument \"timeout\" is not a number",
            fw_exec_wait(exec, NAN, &mistake_result, &mistake_error));
    fw_exec_free(exec);
}

static void directories(void)
{
    MISTAKE("NULL as the run directory", "the argument \"rundir\" is NULL: expected a path",
            fw_worker_exec(worker, step, context, NULL, &mistake_result, &mistake_error));
    FAILURE("a directory that there is not",
            "step \"s\" could not be started: the run directory \"/no/such/directory\" does not exist: create it "
            "before the step runs",
            fw_worker_exec(worker, step, context, "/no/such/directory", &mistake_result, &mistake_error));
    FAILURE("a relative directory that there is not",
            "step \"s\" could not be started: the run directory \"no-such-directory\" does not exist in the working "
            "directory: create it, or pass an absolute path",
            fw_worker_exec(worker, step, context, "no-such-directory", &mistake_result, &mistake_error));
    FAILURE("a directory with ~",
            "step \"s\" could not be started: the run directory \"~/no-such-directory\" does not exist: only a shell "
            "replaces \"~\" by a home directory",
            fw_worker_exec(worker, step, context, "~/no-such-directory", &mistake_result, &mistake_error));
    FAILURE("a file as the run directory",
            "step \"s\" could not be started: the run directory \"/proc/self/status\" is not a directory",
            fw_worker_exec(worker, step, context, "/proc/self/status", &mistake_result, &mistake_error));
}

static void options(void)
{
#define START(options) fw_exec_start(worker, step, context, "/tmp", options, FW_ZERO_TERMINATED, &exec, &mistake_error)
    fw_exec *exec;
    MISTAKE("a misspelt option",
            "unknown key \"time_out\" in the options of a run: expected \"events\", \"timeout\", \"output_limit\", "
            "\"spill\", \"retries\", \"placeholders\", \"success_codes\" or \"stdin\"; did you mean \"timeout\"? (at "
            "/time_out)",
            START("{\"time_out\": 10}"));
    MISTAKE("a kind of events that there is not",
            "\"line\" is not a value of \"events\": use \"chunks\", \"text\", \"lines\" or \"none\"; did you mean "
            "\"lines\"? (at /events)",
            START("{\"events\": \"line\"}"));
    MISTAKE("milliseconds",
            "expected a time in seconds, above 0 and at most 31536000, found the string \"500ms\" (at /timeout)",
            START("{\"timeout\": \"500ms\"}"));
    MISTAKE("a negative time",
            "expected a time in seconds, above 0 and at most 31536000, found the integer -1 (at /timeout)",
            START("{\"timeout\": -1}"));
    MISTAKE("a number of retries", "expected an object such as {\"max\": 3}, found the integer 3 (at /retries)",
            START("{\"retries\": 3}"));
    MISTAKE("options as name=value",
            "the text is not valid JSON: invalid token near \"timeout\"; JSON has strings in double quotes",
            START("timeout=10"));
    MISTAKE("options as a list", "expected the options of a run (an object), found an array",
            START("[\"timeout\", 10]"));
    MISTAKE("a relative directory for the output",
            "expected the absolute path of a directory, found the string \"output\" (at /spill)",
            START("{\"spill\": \"output\"}"));
    MISTAKE("true for strict", "expected a string, found true (at /placeholders)", START("{\"placeholders\": true}"));
#undef START
}

static void values(void)
{
    MISTAKE("text as a value, without quotes",
            "the text is not valid JSON: invalid token near \"Alice\"; JSON has strings in double quotes",
            fw_context_set(context, "name", "Alice", FW_ZERO_TERMINATED, &mistake_error));
    MISTAKE("no name for a value", "the argument \"name\" is NULL: expected a string",
            fw_context_set(context, NULL, "\"Alice\"", FW_ZERO_TERMINATED, &mistake_error));
    fw_step *shell = run_step("s", (const char *const[]){"date", "echo $(date)", NULL});
    MISTAKE("a command of the shell in a command",
            "step \"s\", command 2 of 2: invalid placeholder at line 1, column 6, near \"$(date)\": use $name or "
            "${name} for a value, ${name:q} for a value in quotes, and $$ for a dollar sign (at /action/commands/1)",
            fw_worker_exec(worker, shell, context, check_dir(), &mistake_result, &mistake_error));
    fw_step_free(shell);
}

static void input(void)
{
    fw_exec *exec;
    size_t taken;
    fw_step *reader = run_step("s", (const char *const[]){"cat", NULL});
    MISTAKE("the host's input for a call that returns at the end",
            "nobody can write the standard input of a step in a call that returns only at its end: start the step "
            "instead, and write then",
            fw_worker_exec_with(worker, reader, context, check_dir(), "{\"stdin\": \"host\"}", FW_ZERO_TERMINATED,
                                &mistake_result, &mistake_error));
    MISTAKE("a value as input that there is not",
            "step \"s\": the context has no value \"text\" for the standard input",
            fw_worker_exec_with(worker, reader, context, check_dir(), "{\"stdin\": {\"value\": \"text\"}}",
                                FW_ZERO_TERMINATED, &mistake_result, &mistake_error));
    if (CHECK_OK(fw_exec_start(worker, reader, context, check_dir(), NULL, 0, &exec, &mistake_error), &mistake_error)) {
        MISTAKE("a write without the host's input",
                "the step takes no input from the host: set \"stdin\": \"host\" in the step or in the options of the "
                "run",
                fw_exec_write(exec, "x", 1, -1, &taken, &mistake_error));
        CHECK_OK(fw_exec_wait(exec, -1, &mistake_result, &mistake_error), &mistake_error);
        MISTAKE("a signal after the end", "no command of the step is running",
                fw_exec_signal(exec, 15, FW_SIGNAL_MAIN, &mistake_error));
        fw_result_free(mistake_result);
        mistake_result = NULL;
        fw_exec_free(exec);
    }
    fw_step_free(reader);
}

static void functions(void)
{
    MISTAKE("a name without a function", "the argument \"function\" is NULL: expected a function",
            fw_function_register(pool, "area", NULL, 0, NULL, NULL, NULL, &mistake_error));
    MISTAKE("one parameter instead of a list",
            "the text is not valid JSON: invalid token near \"width\"; JSON has strings in double quotes",
            fw_function_register(pool, "area", "width", FW_ZERO_TERMINATED, no_function, NULL, NULL, &mistake_error));
    MISTAKE("the values of parameters", "expected an array of strings, found an object",
            fw_function_register(pool, "area", "{\"width\": 6}", FW_ZERO_TERMINATED, no_function, NULL, NULL,
                                 &mistake_error));
    MISTAKE("a function that is not registered",
            "step \"c\" calls \"area\", which is neither a registered function nor an import path such as "
            "\"package.module.function\"",
            fw_worker_exec(code_worker, code, context, check_dir(), &mistake_result, &mistake_error));
    CHECK_OK(fw_function_register(pool, "area", NULL, 0, area, NULL, NULL, &mistake_error), &mistake_error);
    CHECK_OK(fw_worker_exec(code_worker, code, context, check_dir(), &mistake_result, &mistake_error), &mistake_error);
    char *text;
    MISTAKE("a view that there is not", "unknown format \"pdf\": use \"trace\" or \"html\"",
            fw_result_view(mistake_result, "pdf", &text, &mistake_error));
    fw_result_free(mistake_result);
    mistake_result = NULL;
}

static void workflows(void)
{
    fw_workflow *workflow;
    const char *json = "{\"workflow\": {\"steps\": [{\"name\": \"s\", \"action\": {\"environment\": \"\","
                       " \"commands\": [\"$[[command]]\"]}}]},"
                       " \"parameters\": [{\"name\": \"command\", \"dtype\": \"string\"}]}";
    if (!CHECK_OK(fw_workflow_create(json, FW_ZERO_TERMINATED, &workflow, &mistake_error), &mistake_error))
        return;
    MISTAKE("no run directory",
            "there is no default volume: pass a run directory, or configure a volume named \"__default__\"",
            fw_workflow_run(workflow, pool, NULL, NULL, NULL, 0, &mistake_result, &mistake_error));
    MISTAKE("no argument",
            "the parameter \"command\" has no value: pass an argument of this name, or declare a \"defaultValue\"",
            fw_workflow_run(workflow, pool, NULL, check_dir(), NULL, 0, &mistake_result, &mistake_error));
    MISTAKE("an argument with a wrong name",
            "the workflow has no parameter \"commnd\": it has \"command\"; did you mean \"command\"? (at /commnd)",
            fw_workflow_run(workflow, pool, context, check_dir(), NULL, 0, &mistake_result, &mistake_error));
    fw_workflow_free(workflow);
}

int main(void)
{
    pool = check_pool("[{\"name\": \"local\", \"type\": \"subprocess\"}]");
    step = run_step("s", (const char *const[]){"true", NULL});
    code = check_step("{\"name\": \"c\", \"action\": {\"func\": \"area\"}}");
    context = check_context("{\"commnd\": \"true\"}");
    fw_worker *own = check_worker("{\"name\": \"local\", \"type\": \"subprocess\"}");
    worker = own;
    CHECK_OK(fw_pool_get(pool, code, &code_worker, &mistake_error), &mistake_error);

    handles();
    directories();
    options();
    values();
    input();
    functions();
    workflows();

    fw_worker_free(own);
    fw_context_free(context);
    fw_step_free(code);
    fw_step_free(step);
    fw_pool_free(pool);
    return check_done();
}
