/*
 * Checks of what the library does in the environment that this program is started in, as a C host sees it.
 *
 *     checks       prints one line of JSON: each check with "ok", or with "failed: " and the first thing that is not so
 *
 * Each check has a process of its own, so that one that crashes is told as well. environments.py builds this program,
 * runs it beside suite.py, and compares what comes of both. The folder of a check is made in FW_SUITE_FOLDER, or where
 * temporary files go.
 */
#include "descendants.h"
#include "function.h"
#include "host.h"
#include "input.h"
#include "workflow.h"

#include <sys/syscall.h>

/** Ends a step that would wait for ever; no check depends on how long it is. */
#define OPTIONS(members) json_loads("{\"options\": {\"grace\": 0.5, \"timeout\": 30" members "}}", 0, NULL)

/** Checks that a step exited with this status and wrote this text. Frees the result. */
static void says(fw_result *result, int status, const char *text)
{
    if (fw_result_outcome(result) != FW_EXITED)
        fprintf(stderr, "%s: %s\n", fw_outcome_name(fw_result_outcome(result)), fw_result_message(result));
    if (CHECK_EXITED(result, status) && text != NULL)
        CHECK_OUTPUT(result, FW_STDOUT, 0, text);
    fw_result_free(result);
}

static void a_step(void)
{
    says(RUN_WITH(OPTIONS(""), "for i in 1 2; do echo $$i; done"), 0, "1\n2\n");
}

static void a_status(void)
{
    says(RUN_WITH(OPTIONS(""), "exit 3"), 3, NULL);
    says(RUN_WITH(OPTIONS(""), "no-such-program-here"), 127, NULL);
}

static void words(void)
{
    says(WORDS(OPTIONS(""), "printf", "%s|", "a b", "$x", "*", "; exit 1"), 0, "a b|$x|*|; exit 1|");
}

static void input_of_the_host(void)
{
    fw_exec *exec = INPUT("cat; echo end");
    input_all(exec, "given\n", 6);
    input_close(exec);
    input_exits(exec, 0, "given\nend\n");
}

static void two_streams(void)
{
    fw_result *result = RUN_WITH(OPTIONS(""), "echo out; echo err >&2");
    CHECK_OUTPUT(result, FW_STDERR, 0, "err\n");
    says(result, 0, "out\n");
}

static void much_output(void)
{
    fw_result *result = RUN_WITH(OPTIONS(", \"output_limit\": 1000"), "head -c 1000000 /dev/zero");
    CHECK_INT(fw_result_command_output_size(result, 0, FW_STDOUT), 1000000);
    size_t length = 0;
    CHECK(fw_result_output(result, FW_STDOUT, 0, &length) != NULL && length >= 1000 && length < 2000);
    says(result, 0, NULL);
}

/** Whether a process has ended, also where there is no /proc, and if nobody has waited for it. */
static bool is_gone(long pid)
{
    int descriptor = (int)syscall(SYS_pidfd_open, pid, 0);
    if (descriptor < 0)
        return errno == ESRCH || !process_runs(pid);
    bool gone = fd_readable(descriptor);
    close(descriptor);
    return gone;
}

/** Checks that the process whose number the command has written has ended. */
static void check_gone(void)
{
    long pid;
    CHECK(read_pids("pid", &pid, 1) == 0 || is_gone(pid));
}

/** Checks how a step ended that the library has ended. Frees the result. */
static void is_ended(fw_result *result, fw_outcome outcome)
{
    if (!CHECK_INT(fw_result_outcome(result), outcome))
        fprintf(stderr, "%s\n", fw_result_message(result));
    CHECK(fw_result_returncode(result) != 0 && fw_result_message(result) != NULL);
    CHECK_INT(fw_result_command_is_ended(result, 0), 1);
    check_gone();
    fw_result_free(result);
}

static void timeout_of_a_step(void)
{
    is_ended(RUN_WITH(OPTIONS(", \"timeout\": 0.5"), "echo $$$$ > pid; sleep 600"), FW_TIMEOUT);
}

static void timeout_of_what_ignores_term(void)
{
    is_ended(RUN_WITH(OPTIONS(", \"timeout\": 0.5"), "trap '' TERM; echo $$$$ > pid; while :; do sleep 0.1; done"),
             FW_TIMEOUT);
}

static void cancel(void)
{
    fw_exec *exec = START_WITH(OPTIONS(""), NULL, "echo $$$$ > pid; echo begun; sleep 600");
    fw_event_free(event_wait_for(exec, FW_EVENT_OUTPUT));
    fw_exec_cancel(exec);
    is_ended(finish_step(exec), FW_CANCELLED);
}

static void a_signal(void)
{
    fw_exec *exec =
        START_WITH(OPTIONS(""), NULL, "trap 'echo got; exit 7' USR1; echo begun; while :; do sleep 0.05; done");
    fw_event_free(event_wait_for(exec, FW_EVENT_OUTPUT));
    input_signal(exec, SIGUSR1, FW_SIGNAL_MAIN);
    says(finish_step(exec), 7, "begun\ngot\n");
}

static void survivors(void)
{
    fw_result *result = RUN_WITH(OPTIONS(""), "sleep 600 & echo $$! > pid; echo said");
    CHECK_INT(fw_result_command_survivor_count(result, 0), 1);
    CHECK_INT(fw_result_command_is_ended(result, 0), 1);
    check_gone();
    says(result, 0, "said\n");
}

static void limits(void)
{
    says(RUN_WITH(OPTIONS(", \"limits\": {\"open_files\": 20}"), "ulimit -n"), 0, "20\n");
}

static void values(void)
{
    fw_context *context = check_context("{\"x\": \"a'b $c\", \"n\": 5}");
    fw_worker *worker = run_worker(OPTIONS(""));
    fw_step *step = run_step("s", (const char *const[]){"echo ${x:q} $n", NULL});
    says(run_exec(worker, step, context, check_dir()), 0, "a'b $c 5\n");
    fw_step_free(step);
    fw_worker_free(worker);
    fw_context_free(context);
}

static void adds(fw_call *call, void *payload)
{
    (void)payload;
    char sum[32];
    snprintf(sum, sizeof sum, "%ld", atol(fw_call_argument(call, "a", NULL)) + atol(fw_call_argument(call, "b", NULL)));
    fw_error *error = NULL;
    CHECK_OK(fw_call_write(call, FW_STDOUT, "in it\n", FW_ZERO_TERMINATED, &error), &error);
    CHECK_OK(fw_call_return(call, sum, FW_ZERO_TERMINATED, &error), &error);
}

static void a_function(void)
{
    fw_pool *pool = check_pool("[]");
    function_add(pool, "add", "[\"a\", \"b\"]", adds, NULL);
    fw_context *context = check_context("{\"a\": 1, \"b\": 2}");
    fw_result *result = function_call(pool, "add", context, "'arg': 'sum'", NULL);
    CHECK_FACT(result, "value", json_integer(3));
    says(result, 0, "in it\n");
    fw_context_free(context);
    fw_pool_free(pool);
}

static void a_workflow(void)
{
    static const char text[] = "{\"steps\": ["
                               "{\"name\": \"a\", \"action\": {\"environment\": \"\", \"commands\": [\"echo 1 > a\"]},"
                               " \"files\": {\"inputs\": [], \"outputs\": [\"a\"]}},"
                               "{\"name\": \"b\", \"action\": {\"environment\": \"\", \"commands\": [\"echo 2 > b\"]},"
                               " \"files\": {\"inputs\": [], \"outputs\": [\"b\"]}},"
                               "{\"name\": \"c\", \"action\": {\"environment\": \"\", \"commands\": [\"cat a b\"]},"
                               " \"files\": {\"inputs\": [\"a\", \"b\"], \"outputs\": []}}]}";
    fw_pool *pool = check_pool("[{\"name\": \"w\", \"type\": \"subprocess\"}]");
    fw_result *result = workflow_run(text, pool, NULL, "{\"jobs\": 2}");
    CHECK_INT(fw_result_step_count(result), 3);
    says(result, 0, "1\n2\n");
    fw_pool_free(pool);
}

static void events_through_the_descriptor(void)
{
    fw_exec *exec = START_WITH(OPTIONS(""), "{\"events\": \"lines\"}", "echo a; echo b");
    int descriptor = fw_exec_fd(exec), ends = 0;
    char lines[16] = "";
    while (ends == 0) {
        fd_wait(descriptor);
        for (fw_event *event; (event = event_next(exec, 0)) != NULL; fw_event_free(event)) {
            if (fw_event_kind(event) == FW_EVENT_OUTPUT)
                strncat(lines, fw_event_data(event, NULL), sizeof lines - strlen(lines) - 1);
            ends += fw_event_kind(event) == FW_EVENT_STEP_ENDED;
        }
    }
    CHECK_STR(lines, "ab");
    says(finish_step(exec), 0, "a\nb\n");
}

static void mistakes(void)
{
    fw_worker *worker = NULL;
    fw_error *error = NULL;
    CHECK_REFUSED(fw_worker_create("{\"name\": \"w\", \"type\": \"subproces\"}", FW_ZERO_TERMINATED, &worker, &error),
                  FW_E_DOCUMENT, &error, "/type", "subprocess");
    CHECK(worker == NULL);
    worker = run_worker(OPTIONS(""));
    fw_step *step = run_step("s", (const char *const[]){"echo $1", NULL});
    fw_result *result = NULL;
    CHECK_FAILS(fw_worker_exec(worker, step, NULL, check_dir(), &result, &error), FW_E_TEMPLATE, &error, "$1");
    CHECK(result == NULL);
    fw_step_free(step);
    fw_worker_free(worker);
    result = RUN_IN("/no/such/folder", "true");
    CHECK_INT(fw_result_outcome(result), FW_SPAWN_FAILED);
    CHECK_HAS(fw_result_message(result), "/no/such/folder");
    fw_result_free(result);
}

static void no_child_of_the_host(void)
{
    says(RUN_WITH(OPTIONS(""), "sleep 0.1 & echo x"), 0, "x\n");
    CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void runs_after_a_fork(void)
{
    fw_worker *worker = NULL;
    fw_error *error = NULL;
    CHECK_FAILS(fw_worker_create("{\"name\": \"w\", \"type\": \"subprocess\"}", FW_ZERO_TERMINATED, &worker, &error),
                FW_E_FORKED, &error, "fork");
}

static void a_fork_of_the_host(void)
{
    says(RUN_WITH(OPTIONS(""), "echo x"), 0, "x\n");
    in_child(runs_after_a_fork, "a fork");
    says(RUN_WITH(OPTIONS(""), "echo on"), 0, "on\n");
}

/* -------------------------------------------------------------------- all -- */

static const struct {
    const char *name;
    void (*run)(void);
} checks[] = {
    {"a step", a_step},
    {"a status", a_status},
    {"words", words},
    {"input", input_of_the_host},
    {"two streams", two_streams},
    {"much output", much_output},
    {"a timeout", timeout_of_a_step},
    {"a timeout of what ignores TERM", timeout_of_what_ignores_term},
    {"cancel", cancel},
    {"a signal", a_signal},
    {"survivors", survivors},
    {"a limit", limits},
    {"values", values},
    {"a function", a_function},
    {"a workflow", a_workflow},
    {"events through the descriptor", events_through_the_descriptor},
    {"mistakes", mistakes},
    {"no child of the host", no_child_of_the_host},
    {"a fork of the host", a_fork_of_the_host},
};

/** Makes the folder of a check where the environment wants it; check_done() removes it. */
static void make_folder(void)
{
    const char *place = getenv("FW_SUITE_FOLDER");
    if (place == NULL)
        return;
    snprintf(check_directory, sizeof check_directory, "%s/flowworker-XXXXXX", place);
    REQUIRE(mkdtemp(check_directory) != NULL);
}

/** What a check said about itself, on one line. */
static char *line_of(FILE *said)
{
    char *text = calloc(1, 301);
    REQUIRE(text != NULL);
    rewind(said);
    size_t length = fread(text, 1, 300, said);
    /* A sequence that is cut, or no UTF-8, cannot be in JSON. */
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            text[i] = ' ';
    return text;
}

/** Runs a check in a process of its own; gives its result. */
static json_t *result_of(void (*run)(void))
{
    FILE *said = tmpfile();
    REQUIRE(said != NULL);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fileno(said), STDERR_FILENO);
        make_folder();
        run();
        exit(check_done());
    }
    int status = -1;
    REQUIRE(pid > 0 && waitpid(pid, &status, 0) == pid);
    char *text = line_of(said);
    fclose(said);
    json_t *result = status == 0         ? json_string("ok")
                     : WIFEXITED(status) ? json_sprintf("failed: %s", text)
                                         : json_sprintf("failed: ended by signal %d: %s", WTERMSIG(status), text);
    free(text);
    return result;
}

int main(void)
{
    json_t *all = json_object();
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        char name[100];
        snprintf(name, sizeof name, "C: %s", checks[i].name);
        json_object_set_new(all, name, result_of(checks[i].run));
    }
    char *text = json_dumps(all, JSON_PRESERVE_ORDER);
    REQUIRE(text != NULL);
    printf("%s\n", text);
    free(text);
    json_decref(all);
    return 0;
}
