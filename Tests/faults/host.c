/*
 * The host of the faults: it runs a group of steps while one of the calls fails, and says what each led to.
 *
 *     host GROUP DIRECTORY          GROUP: steps, sandboxes, calls, flow, docker, slurm or s3; the directory is
 *                                   empty, and belongs to this run. FAULTS_POOL is the pool of a group on
 *                                   engines (peers.py)
 *
 * A line for each step: "NAME ok", "NAME failed: OUTCOME: MESSAGE", or "NAME WRONG: WHY". A step is wrong if it says
 * success and its output is not right, if it failed without a reason of one line, and if it does not end. After the
 * steps no call fails any more: the pool is freed, and a step of a new pool has to succeed ("after"). Warnings of the
 * log are lines that begin with "log: ". The last line is "descriptors N, sockets N, supervisors and monitors N", what
 * is there then.
 */
#define _GNU_SOURCE
#include "host.h"
#include "page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BIG = 150000, FILE_SIZE = 300000 };

const char *directory;
static uint32_t jansson_call;
static fault_page *page;

static void *allocate(size_t size)
{
    if (page != NULL && fault_of(page, FAULT_HOST, jansson_call) != 0)
        return NULL;
    return malloc(size);
}

/* jansson's allocations are the last line of calls.h. */
#define CALL(type, name, errnos, failure, parameters, arguments) +1
#define PART(type, name, errnos, parameters, arguments) +1
#define CODE(type, name, errnos, parameters, arguments) +1
#define SYSTEM(name, errnos) +1
#define HAND(name, errnos) +1
#define MEMORY(name) +1
enum {
    CALLS = 0
#include "calls.h"
};

static void map_page(void)
{
    const char *path = getenv(FAULT_VARIABLE);
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *memory = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory != MAP_FAILED)
        page = memory;
    jansson_call = CALLS - 1;
    json_set_alloc_funcs(allocate, free);
}

/* --- what a step led to ------------------------------------------------------------------- */

void wrong(const char *name, const char *why)
{
    printf("%s WRONG: %s\n", name, why);
}

bool refused(const char *name, fw_status status, fw_error **error)
{
    if (status == FW_OK)
        return false;
    const char *message = *error == NULL ? NULL : fw_error_message(*error);
    if (message == NULL || message[0] == '\0' || strchr(message, '\n') != NULL)
        wrong(name, "an error without a message of one line");
    printf("%s failed: %s: %s\n", name, fw_status_name(status), message ? message : "(none)");
    fw_error_free(*error);
    *error = NULL;
    return true;
}

static char *output_of(const fw_result *result)
{
    size_t total = 0;
    char *all = malloc(FILE_SIZE + 1);
    for (size_t at = 0; all != NULL && at < fw_result_output_count(result, FW_STDOUT); at++) {
        size_t length = 0;
        const char *text = fw_result_output(result, FW_STDOUT, at, &length);
        if (text == NULL || length > FILE_SIZE - total)
            continue;
        memcpy(all + total, text, length);
        total += length;
    }
    if (all != NULL)
        all[total] = '\0';
    return all;
}

void judge(const char *name, fw_result *result, fw_outcome outcome, const char *want)
{
    if (result == NULL) {
        wrong(name, "no result comes");
        return;
    }
    fw_outcome got = fw_result_outcome(result);
    bool is_success = got == FW_EXITED && fw_result_returncode(result) == 0;
    const char *message = fw_result_message(result);
    if (is_success) {
        char *all = output_of(result);
        char why[400];
        snprintf(why, sizeof why, "success with the output \"%.100s\" instead of \"%.100s\"", all ? all : "",
                 want ? want : "(a failure)");
        if (all == NULL || outcome != FW_EXITED || want == NULL || strcmp(all, want) != 0)
            wrong(name, why);
        else
            printf("%s ok\n", name);
        free(all);
    } else if (message == NULL || message[0] == '\0' || strchr(message, '\n') != NULL) {
        wrong(name, "a failure without a reason of one line");
    } else if (fw_result_returncode(result) == 0) {
        wrong(name, "a failure with the return code 0");
    } else if (got == outcome && outcome != FW_EXITED) {
        printf("%s ok\n", name);
    } else {
        printf("%s failed: %s: %s\n", name, fw_outcome_name(got), message);
    }
    char *json = NULL;
    fw_error *error = NULL;
    if (fw_result_to_json(result, &json, &error) == FW_OK)
        fw_string_free(json);
    else
        refused(name, fw_error_code(error), &error);
    fw_result_free(result);
}

static void finish(const char *name, fw_exec *exec, fw_outcome outcome, const char *want)
{
    fw_result *result = NULL;
    fw_error *error = NULL;
    if (!refused(name, fw_exec_wait(exec, SECONDS, &result, &error), &error))
        judge(name, result, outcome, want);
}

/* --- steps -------------------------------------------------------------------------------- */

/** Starts a step with an action; NULL if it was refused. ' stands for ". */
static fw_exec *begin(fw_pool *pool, const char *name, const char *action, const char *options, fw_context *context)
{
    char text[TEXT], *quote;
    fw_error *error = NULL;
    fw_step *step = NULL;
    const fw_worker *worker = NULL;
    fw_exec *exec = NULL;
    snprintf(text, sizeof text, "{'name':'%s',%s}", name, action);
    while ((quote = strchr(text, '\'')) != NULL)
        *quote = '"';
    if (refused(name, fw_step_create(text, FW_ZERO_TERMINATED, &step, &error), &error))
        return NULL;
    if (!refused(name, fw_pool_get(pool, step, &worker, &error), &error))
        refused(name, fw_exec_start(worker, step, context, directory, options, FW_ZERO_TERMINATED, &exec, &error),
                &error);
    fw_step_free(step);
    return exec;
}

void run(fw_pool *pool, const char *name, const char *action, const char *options, fw_outcome outcome, const char *want)
{
    fw_exec *exec = begin(pool, name, action, options, NULL);
    if (exec != NULL)
        finish(name, exec, outcome, want);
    fw_exec_free(exec);
}

static void write_file(const char *name, const char *text)
{
    char path[TEXT];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        exit(2);
}

void input(fw_pool *pool, const char *name, const char *action)
{
    static char bytes[BIG];
    char text[TEXT];
    memset(bytes, 'i', sizeof bytes);
    snprintf(text, sizeof text, "'stdin':'host',%s", action);
    fw_exec *exec = begin(pool, name, text, NULL, NULL);
    fw_error *error = NULL;
    size_t taken = 0, all = 0;
    bool is_whole = exec != NULL;
    while (is_whole && all < sizeof bytes) {
        fw_status status = fw_exec_write(exec, bytes + all, sizeof bytes - all, SECONDS, &taken, &error);
        all += taken;
        is_whole = status == FW_OK && taken > 0;
        if (status != FW_OK)
            refused(name, status, &error);
    }
    error = NULL;
    if (exec != NULL && fw_exec_close_input(exec, &error) != FW_OK)
        refused(name, fw_error_code(error), &error);
    if (exec != NULL) {
        /* A write that was refused was told, and the command has got what was taken before. */
        char want[32];
        snprintf(want, sizeof want, "%zu\n", all);
        finish(name, exec, FW_EXITED, want);
    }
    fw_exec_free(exec);
}

/** Takes events until there is one of a kind. Returns false if there is none. */
static bool take_until(const char *name, fw_exec *exec, int kind)
{
    for (bool found = false; !found;) {
        fw_event *event = NULL;
        fw_error *error = NULL;
        if (refused(name, fw_exec_next_event(exec, SECONDS, &event, &error), &error) || event == NULL)
            return false;
        found = fw_event_kind(event) == kind;
        fw_event_free(event);
    }
    return true;
}

void cancel(fw_pool *pool, const char *name, const char *action)
{
    fw_exec *exec = begin(pool, name, action, NULL, NULL);
    if (exec == NULL)
        return;
    take_until(name, exec, FW_EVENT_COMMAND_STARTED);
    fw_exec_cancel(exec);
    finish(name, exec, FW_CANCELLED, NULL);
    fw_exec_free(exec);
}

static void signalled(fw_pool *pool)
{
    fw_exec *exec = begin(pool, "signal", COMMANDS("'sleep 100; true'"), NULL, NULL);
    fw_error *error = NULL;
    if (exec == NULL)
        return;
    if (take_until("signal", exec, FW_EVENT_COMMAND_STARTED) &&
        refused("signal", fw_exec_signal(exec, SIGKILL, FW_SIGNAL_TREE, &error), &error))
        fw_exec_cancel(exec);
    finish("signal", exec, FW_SIGNALED, NULL);
    fw_exec_free(exec);
}

static void steps(fw_pool *pool)
{
    static char many[BIG + 1];
    char options[TEXT];
    memset(many, 'x', BIG);
    run(pool, "shell", COMMANDS("'echo one; :','cat in.txt','echo three; echo e >&2'"), NULL, FW_EXITED,
        "one\ncontent\nthree\n");
    run(pool, "simple", COMMANDS("'cat in.txt'"), NULL, FW_EXITED, "content\n");
    run(pool, "words", COMMANDS("['cat','in.txt']"), NULL, FW_EXITED, "content\n");
    run(pool, "text", "'stdin':{'text':'typed'}," COMMANDS("['cat']"), NULL, FW_EXITED, "typed");
    input(pool, "input", COMMANDS("['wc','-c']"));
    run(pool, "big", COMMANDS("'head -c 150000 /dev/zero | tr \\\\\\\\0 x'"), NULL, FW_EXITED, many);
    snprintf(options, sizeof options, "{\"spill\":\"%s/spill\",\"output_limit\":10,\"events\":\"none\"}", directory);
    run(pool, "spill", COMMANDS("'head -c 150000 /dev/zero | tr \\\\\\\\0 x'"), options, FW_EXITED, "xxxxxxxxxx");
    run(pool, "timeout", COMMANDS("'echo a; sleep 100; true'"), "{\"timeout\":0.05}", FW_TIMEOUT, NULL);
    run(pool, "stubborn", COMMANDS("'trap : TERM; while :; do sleep 0.01; done'"), "{\"timeout\":0.05}", FW_TIMEOUT,
        NULL);
    cancel(pool, "cancel", COMMANDS("'sleep 100; true'"));
    signalled(pool);
    run(pool, "retry", COMMANDS("'mkdir again && exit 3; echo done'"), "{\"retries\":{\"max\":3,\"delay\":0.001}}",
        FW_EXITED, "done\n");
    run(pool, "limit", COMMANDS("'ulimit -n'"), NULL, FW_EXITED, "64\n");
    run(pool, "survivor", COMMANDS("'sleep 100 & echo out'"), NULL, FW_EXITED, "out\n");
}

/* --- sandboxes ---------------------------------------------------------------------------- */

/* A command that runs must have the layers that were asked for: its pid is small, there is a filter, and of the network
 * there is one line below the two of the heading. */
#define INSIDE                                                                                \
    "test $$$$ -lt 20 && grep -q Seccomp:.2 /proc/self/status && grep -c : /proc/net/dev && " \
    "cat in.txt"

static void sandboxes(fw_pool *pool)
{
    run(pool, "inside", COMMANDS("'" INSIDE "','cat in.txt'"), NULL, FW_EXITED, "1\ncontent\ncontent\n");
    run(pool, "inside-words", COMMANDS("['cat','in.txt']"), NULL, FW_EXITED, "content\n");
    run(pool, "inside-left", COMMANDS("'sleep 100 & echo out'"), NULL, FW_EXITED, "out\n");
    run(pool, "inside-timeout", COMMANDS("'sleep 100; true'"), "{\"timeout\":0.05}", FW_TIMEOUT, NULL);
    /* Whatever cannot be had, it runs. */
    run(pool, "inside-optional", COMMANDS("'cat in.txt'"), NULL, FW_EXITED, "content\n");
}

/* --- limits of all processes -------------------------------------------------------------- */

/* A command that runs must be in the groups that keep its limits: it shows those in which it is not. */
#define LIMITED "grep -e :memory: -e :cpu: -e :pids: /proc/self/cgroup | grep -v /fw-; cat in.txt"

static void limits(fw_pool *pool)
{
    run(pool, "limited", COMMANDS("'" LIMITED "','cat in.txt'"), NULL, FW_EXITED, "content\ncontent\n");
    run(pool, "limited-words", COMMANDS("['cat','in.txt']"), NULL, FW_EXITED, "content\n");
    run(pool, "limited-left", COMMANDS("'sleep 100 & echo out'"), NULL, FW_EXITED, "out\n");
    run(pool, "limited-stubborn", COMMANDS("'trap : TERM; while :; do sleep 0.01; done'"), "{\"timeout\":0.05}",
        FW_TIMEOUT, NULL);
    run(pool, "limited-inside", COMMANDS("'" LIMITED "'"), NULL, FW_EXITED, "content\n");
    /* Whatever cannot be kept, it runs. */
    run(pool, "limited-optional", COMMANDS("'cat in.txt'"), NULL, FW_EXITED, "content\n");
}

/* --- functions ---------------------------------------------------------------------------- */

static void add(fw_call *call, void *payload)
{
    fw_error *error = NULL;
    (void)payload;
    if (fw_call_write(call, FW_STDOUT, "adding\n", FW_ZERO_TERMINATED, &error) != FW_OK ||
        fw_call_return(call, "5", FW_ZERO_TERMINATED, &error) != FW_OK) {
        const char *message = fw_error_message(error);
        fw_error *second = NULL;
        if (fw_call_fail(call, "Error", message ? message : "no message", NULL, &second) != FW_OK)
            fw_error_free(second);
        fw_error_free(error);
    }
}

/** Calls a function, whose value is under "r" in the context afterwards. */
static void call(fw_pool *pool, const char *name, const char *function, const char *value, const char *printed)
{
    char action[TEXT];
    fw_context *context = NULL;
    fw_error *error = NULL;
    snprintf(action, sizeof action, "'action':{'func':'%s','arg':'r'}", function);
    if (refused(name, fw_context_create("{\"a\":2,\"b\":3}", FW_ZERO_TERMINATED, &context, &error), &error))
        return;
    fw_exec *exec = begin(pool, name, action, NULL, context);
    fw_result *result = NULL;
    if (exec != NULL && !refused(name, fw_exec_wait(exec, SECONDS, &result, &error), &error)) {
        char *json = NULL;
        error = NULL;
        if (result != NULL && fw_result_outcome(result) == FW_EXITED && fw_result_returncode(result) == 0) {
            if (fw_context_get(context, "r", &json, &error) != FW_OK)
                wrong(name, "success without a value"), fw_error_free(error);
            else if (strcmp(json, value) != 0)
                wrong(name, json);
        }
        fw_string_free(json);
        judge(name, result, FW_EXITED, printed);
    }
    fw_exec_free(exec);
    fw_context_free(context);
}

static void calls(fw_pool *pool)
{
    fw_error *error = NULL;
    if (!refused("register",
                 fw_function_register(pool, "add", "[\"a\",\"b\"]", FW_ZERO_TERMINATED, add, NULL, NULL, &error),
                 &error))
        call(pool, "function", "add", "5", "adding\n");
    call(pool, "interpreter", "fault_module.add", "5", "adding\n");
    call(pool, "interpreter-again", "fault_module.add", "5", "adding\n");
}

/* --- a workflow --------------------------------------------------------------------------- */

static const char document[] =
    "{\"files\":{\"outputs\":[\"final\"]},\"steps\":["
    "{\"name\":\"w1\",\"files\":{\"outputs\":[\"out1\"]},\"action\":{\"environment\":\"\",\"commands\":"
    "[\"head -c 300000 /dev/zero | tr '\\\\0' y > out1\",\"echo w1\"]}},"
    "{\"name\":\"m1\",\"files\":{\"inputs\":[\"out1\"],\"outputs\":[\"d/\"]},\"action\":{\"environment\":\"\","
    "\"commands\":[\"mkdir -p d/s; wc -c < out1 > d/s/f\"]}},"
    "{\"name\":\"m2\",\"files\":{\"inputs\":[\"out1\"],\"outputs\":[\"e\"]},\"action\":{\"environment\":\"\","
    "\"commands\":[[\"cp\",\"out1\",\"e\"]]}},"
    "{\"name\":\"w2\",\"files\":{\"inputs\":[\"d/\",\"e\"],\"outputs\":[\"final\"]},\"action\":{\"environment\":\"\","
    "\"commands\":[\"cat d/s/f\",\"cp e final\"]}}]}";

long long size_of(const char *name)
{
    char path[TEXT];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return stat(path, &status) == 0 ? (long long)status.st_size : -1;
}

static void flow_once(fw_pool *pool, const char *name, bool has_loop)
{
    char rundir[TEXT], options[TEXT];
    fw_error *error = NULL;
    fw_workflow *workflow = NULL;
    fw_exec *exec = NULL;
    fw_result *result = NULL;
    snprintf(rundir, sizeof rundir, "%s/run", directory);
    snprintf(options, sizeof options, "{\"state\":\"%s/state\",\"jobs\":2,\"events\":\"lines\"}", directory);
    if (refused(name, fw_workflow_create(document, FW_ZERO_TERMINATED, &workflow, &error), &error))
        return;
    if (!refused(name, fw_workflow_start(workflow, pool, NULL, rundir, options, FW_ZERO_TERMINATED, &exec, &error),
                 &error)) {
        /* A host with a loop of its own waits for the descriptor. */
        struct pollfd item = {.fd = has_loop ? fw_exec_fd(exec) : -1, .events = POLLIN};
        fw_event *event = NULL;
        while (item.fd >= 0 && poll(&item, 1, SECONDS * 1000) > 0) {
            if (fw_exec_next_event(exec, 0, &event, &error) != FW_OK) {
                refused(name, fw_error_code(error), &error);
                break;
            }
            bool is_end = fw_event_kind(event) == FW_EVENT_RUN_ENDED;
            fw_event_free(event);
            event = NULL;
            if (is_end)
                break;
        }
        error = NULL;
        if (!refused(name, fw_exec_wait(exec, SECONDS, &result, &error), &error)) {
            bool is_success = result != NULL && fw_result_returncode(result) == 0;
            if (is_success && size_of("run/final") != FILE_SIZE)
                wrong(name, "success, and an output is not whole");
            judge(name, result, FW_EXITED, "w1\n300000\n");
        }
    }
    fw_exec_free(exec);
    fw_workflow_free(workflow);
}

static void flow(fw_pool *pool)
{
    flow_once(pool, "flow", true);
    flow_once(pool, "flow-again", false);
}

/* ------------------------------------------------------------------------------------------ */

static void after(fw_pool *pool)
{
    run(pool, "after", COMMANDS("'echo one; :','cat in.txt'"), NULL, FW_EXITED, "one\ncontent\n");
}

/* Limits of all processes that no step here reaches, without the brace at the end. */
#define TREE "{\"memory\":1073741824,\"cpus\":4,\"pids\":100"

/** Prints what the library cannot tell in a result. */
static void on_log(fw_log_level level, const char *message, void *payload)
{
    (void)level;
    (void)payload;
    printf("log: %s\n", message);
}

static fw_pool *open_pool(const char *name)
{
    char text[TEXT];
    const char *given = getenv("FAULTS_POOL");
    fw_error *error = NULL;
    fw_pool *pool = NULL;
    snprintf(
        text, sizeof text,
        "{\"workers\":[{\"name\":\"w\",\"type\":\"subprocess\",\"options\":{\"grace\":0.05,\"limits\":"
        "{\"open_files\":64}}},{\"name\":\"s\",\"type\":\"subprocess\",\"options\":{\"grace\":0.05,\"sandbox\":true}},"
        "{\"name\":\"o\",\"type\":\"subprocess\",\"options\":{\"sandbox\":{\"required\":false}}},"
        "{\"name\":\"l\",\"type\":\"subprocess\",\"options\":{\"grace\":0.05,\"tree_limits\":" TREE "}}},"
        "{\"name\":\"i\",\"type\":\"subprocess\",\"options\":{\"sandbox\":true,\"tree_limits\":" TREE "}}},"
        "{\"name\":\"n\",\"type\":\"subprocess\",\"options\":{\"tree_limits\":" TREE ",\"required\":false}}},"
        "{\"name\":\"a\","
        "\"type\":\"subprocess\",\"volume\":\"a\"},"
        "{\"name\":\"b\",\"type\":\"subprocess\",\"volume\":\"b\"},{\"name\":\"p\",\"type\":\"code\",\"env\":"
        "{\"PYTHONPATH\":\"%s\"}}],\"workflow\":[{\"step\":\"w1\",\"worker\":\"a\"},"
        "{\"step\":\"m1\",\"worker\":\"a\"},{\"step\":\"m2\",\"worker\":\"b\"},{\"step\":\"w2\",\"worker\":\"b\"},"
        "{\"step\":\"stubborn\",\"worker\":\"w\"},{\"step\":\"limit\",\"worker\":\"w\"},"
        "{\"step\":\"survivor\",\"worker\":\"w\"},{\"step\":\"interpreter\",\"worker\":\"p\"},"
        "{\"step\":\"interpreter-again\",\"worker\":\"p\"},{\"step\":\"inside\",\"worker\":\"s\"},"
        "{\"step\":\"inside-words\",\"worker\":\"s\"},{\"step\":\"inside-left\",\"worker\":\"s\"},"
        "{\"step\":\"inside-timeout\",\"worker\":\"s\"},{\"step\":\"inside-optional\",\"worker\":\"o\"},"
        "{\"step\":\"limited\",\"worker\":\"l\"},{\"step\":\"limited-words\",\"worker\":\"l\"},"
        "{\"step\":\"limited-left\",\"worker\":\"l\"},{\"step\":\"limited-stubborn\",\"worker\":\"l\"},"
        "{\"step\":\"limited-inside\",\"worker\":\"i\"},{\"step\":\"limited-optional\",\"worker\":\"n\"}],"
        "\"volumes\":[{\"name\":\"a\",\"type\":\"fs\",\"args\":{\"basedir\":\"%s/a\"}},"
        "{\"name\":\"b\",\"type\":\"fs\",\"args\":{\"basedir\":\"%s/b\"}}]}",
        directory, directory, directory);
    refused(name, fw_pool_create(given ? given : text, FW_ZERO_TERMINATED, &pool, &error), &error);
    return pool;
}

/** The supervisors and monitors of this host, whose environment is the page and nothing else. */
static int keepers(void)
{
    DIR *all = opendir("/proc");
    int count = 0;
    for (struct dirent *entry; all != NULL && (entry = readdir(all)) != NULL;) {
        char path[TEXT], text[TEXT] = "";
        snprintf(path, sizeof path, "/proc/%.20s/environ", entry->d_name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        close(fd);
        /* Commands and the agents of a cluster have more variables. */
        count += page != NULL && size == (ssize_t)strlen(page->environment) + 1 && strcmp(text, page->environment) == 0;
    }
    if (all != NULL)
        closedir(all);
    return count;
}

/** Counts what is open: sockets whose other end has no name, each of which leads to a supervisor or a monitor or is
 * one of the two by which libcurl wakes itself, and what is no socket. Connections to a peer, of which libcurl keeps as
 * many as it likes, are not counted. */
static void count_descriptors(int *sockets, int *others)
{
    *sockets = *others = 0;
    for (int fd = 0; fd < 1000; fd++) {
        struct stat status;
        if (fstat(fd, &status) != 0)
            continue;
        struct sockaddr_un peer = {.sun_family = AF_UNSPEC};
        socklen_t size = sizeof peer;
        if (!S_ISSOCK(status.st_mode))
            ++*others;
        else if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0 || size <= sizeof peer.sun_family)
            ++*sockets;
    }
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*run)(fw_pool *);
        void (*after)(fw_pool *);
    } groups[] = {{"steps", steps, after},       {"sandboxes", sandboxes, after},
                  {"limits", limits, after},     {"calls", calls, after},
                  {"flow", flow, after},         {"docker", docker, docker_after},
                  {"slurm", slurm, slurm_after}, {"s3", s3, s3_after}};
    size_t at = 0;
    while (count == 3 && at < sizeof groups / sizeof *groups && strcmp(groups[at].name, arguments[1]) != 0)
        at++;
    if (count != 3 || at == sizeof groups / sizeof *groups)
        return 2;
    directory = arguments[2];
    setvbuf(stdout, NULL, _IOLBF, 0);
    map_page();
    write_file("in.txt", "content\n");
    write_file("fault_module.py", "def add(a, b):\n    print('adding')\n    return a + b\n");
    char path[TEXT];
    snprintf(path, sizeof path, "%s/spill", directory);
    mkdir(path, 0777);
    fw_error *error = NULL;
    refused("log", fw_set_log(FW_LOG_WARNING, on_log, NULL, NULL, &error), &error);
    fw_pool *pool = open_pool("pool");
    if (pool != NULL)
        groups[at].run(pool);
    if (page != NULL)
        __atomic_store_n(&page->is_armed, 0, __ATOMIC_SEQ_CST);
    fw_pool_free(pool);
    pool = open_pool("after");
    if (pool != NULL)
        groups[at].after(pool);
    fw_pool_free(pool);
    int sockets, others;
    count_descriptors(&sockets, &others);
    printf("descriptors %d, sockets %d, supervisors and monitors %d\n", others, sockets, keepers());
    return 0;
}
