/*
 * Random steps of all local types from 16 threads, for SOAK_SECONDS (20 by default): shells, words, functions, code in
 * interpreters, workflows with jobs, standard input, spilled output. They are cancelled, freed, timed out and signalled
 * at random moments, the host is forked, other hosts are killed, and supervisors and monitors are killed. Each result
 * has to be one that fits what was done. At the end the machine is as it was at the beginning: no process, descriptor,
 * thread, shared memory or temporary file is left, and the memory does not grow.
 *
 * SOAK_SEED chooses the random numbers; the program prints the seed, and how many steps of each kind there were.
 *
 * not under valgrind: the supervisor is found by its pidfd of the host, which valgrind 3.19 does not have
 */
#include "descendants.h"
#include "function.h"

#include <pthread.h>

enum { WORKERS = 16, MOST_WATCHERS = 64 };

/** Bytes by which the memory may grow from the first third of the time to the end. */
#define GROWTH (64l << 20)

static fw_pool *pool;
static double end_time;
static atomic_bool is_over;
/** How many kills of supervisors and monitors have begun, and how many have been done. */
static atomic_ulong begun, done;
static atomic_ulong unknown, kills_of_monitors, kills_of_supervisors;
static const char *program;

struct soaker {
    int number;
    unsigned seed;
    char directory[4200];
    const char *kind;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int below(struct soaker *self, int limit)
{
    return rand_r(&self->seed) % limit;
}

static void pause_up_to(struct soaker *self, int microseconds)
{
    if (below(self, 3) > 0)
        usleep((useconds_t)below(self, microseconds));
}

/* ------------------------------------------------------------------- steps -- */

static json_t *text_step(const char *command)
{
    return json_pack("{s:s, s:{s:s, s:[s]}}", "name", "s", "action", "environment", "", "commands", command);
}

/** Starts a step, which is released, with options, which are released, too. */
static fw_exec *begin(struct soaker *self, json_t *document, fw_context *context, json_t *options)
{
    char *json = json_dumps(document, 0), *text = options ? json_dumps(options, 0) : NULL;
    fw_step *step = check_step(json);
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    CHECK_OK(fw_exec_start(function_worker(pool, step), step, context, self->directory, text, FW_ZERO_TERMINATED, &exec,
                           &error),
             &error);
    REQUIRE(exec != NULL);
    fw_step_free(step);
    json_decref(document);
    json_decref(options);
    free(json);
    free(text);
    return exec;
}

/** Waits for the result, in one of the ways. */
static fw_result *finish(struct soaker *self, fw_exec *exec)
{
    if (below(self, 2) == 0)
        for (fw_event *event; (event = event_next(exec, -1)) != NULL;)
            fw_event_free(event);
    return finish_step(exec);
}

/** Whether somebody may have killed a supervisor or a monitor since then. */
static bool may_be_killed(unsigned long since)
{
    return atomic_load(&begun) != since;
}

static unsigned long moment(void)
{
    /* A kill that has begun and is not done counts as one that comes. */
    return atomic_load(&done);
}

/** Checks a result. If somebody may have killed its monitor, it may have failed, and then it says so. */
static bool is_as_wanted(struct soaker *self, const fw_result *result, unsigned long since, fw_outcome outcome,
                         int code)
{
    fw_outcome got = fw_result_outcome(result);
    bool same = got == outcome && (code < 0 ? fw_result_returncode(result) != 0 : fw_result_returncode(result) == code);
    if (same)
        return true;
    bool is_failure = fw_result_returncode(result) != 0 && fw_result_message(result) != NULL;
    if (may_be_killed(since) && is_failure &&
        (got == FW_STATUS_UNKNOWN || got == FW_SPAWN_FAILED || got == FW_EXITED)) {
        atomic_fetch_add(&unknown, 1);
        return false;
    }
    fprintf(stderr, "%s: outcome %d, wanted %d; returncode %d, wanted %d; %s\n", self->kind, (int)got, (int)outcome,
            (int)fw_result_returncode(result), code, fw_result_message(result) ? fw_result_message(result) : "");
    CHECK(!"the result fits what was done");
    return false;
}

static void by_a_shell(struct soaker *self)
{
    char command[200], want[64];
    int number = below(self, 1000000), code = below(self, 3);
    snprintf(command, sizeof command, "for i in 1 2; do :; done; echo %d; exit %d", number, code);
    snprintf(want, sizeof want, "%d\n", number);
    unsigned long since = moment();
    fw_result *result = finish(self, begin(self, text_step(command), NULL, NULL));
    if (is_as_wanted(self, result, since, FW_EXITED, code))
        CHECK_OUTPUT(result, FW_STDOUT, 0, want);
    fw_result_free(result);
}

static void by_words(struct soaker *self)
{
    static const char text[] = "; $(rm -rf /) 'a' \"b\"";
    char *json = NULL;
    json_t *document = json_pack("{s:s, s:{s:s, s:[[s, s, s]]}}", "name", "s", "action", "environment", "", "commands",
                                 "printf", "%s", "$text");
    fw_context *context = check_context("{}");
    fw_error *error = NULL;
    CHECK_OK(fw_quote_json(text, FW_ZERO_TERMINATED, &json, &error), &error);
    CHECK_OK(fw_context_set(context, "text", json, FW_ZERO_TERMINATED, &error), &error);
    fw_string_free(json);
    unsigned long since = moment();
    fw_result *result = finish(self, begin(self, document, context, NULL));
    if (is_as_wanted(self, result, since, FW_EXITED, 0))
        CHECK_OUTPUT(result, FW_STDOUT, 0, text);
    fw_result_free(result);
    fw_context_free(context);
}

/** A step that does not end by itself, of a worker with a short grace. */
static json_t *endless_step(struct soaker *self)
{
    static const char *const commands[] = {"sleep 100000", "sleep 100000 & wait", "sleep 100000; echo never",
                                           "trap '' TERM; while :; do sleep 0.01; done"};
    return json_pack("{s:s, s:{s:s, s:[s]}}", "name", "e", "action", "environment", "", "commands",
                     commands[below(self, 4)]);
}

static void cancelled(struct soaker *self)
{
    unsigned long since = moment();
    fw_exec *exec = begin(self, endless_step(self), NULL, NULL);
    pause_up_to(self, 20000);
    fw_exec_cancel(exec);
    fw_result *result = finish(self, exec);
    is_as_wanted(self, result, since, FW_CANCELLED, -1);
    fw_result_free(result);
}

static void freed(struct soaker *self)
{
    fw_exec *exec = begin(self, endless_step(self), NULL, NULL);
    pause_up_to(self, 20000);
    fw_exec_free(exec);
}

static void timed_out(struct soaker *self)
{
    unsigned long since = moment();
    json_t *options = json_pack("{s:f}", "timeout", 0.001 + below(self, 30) / 1000.0);
    fw_result *result = finish(self, begin(self, endless_step(self), NULL, options));
    is_as_wanted(self, result, since, FW_TIMEOUT, -1);
    fw_result_free(result);
}

static void signalled(struct soaker *self)
{
    unsigned long since = moment();
    fw_exec *exec = begin(self, text_step("exec sleep 100000"), NULL, NULL);
    fw_event *event = NULL;
    fw_error *error = NULL;
    /* Events end early if the step cannot be started. */
    do {
        fw_event_free(event);
        event = event_next(exec, -1);
    } while (event != NULL && fw_event_kind(event) != FW_EVENT_COMMAND_STARTED);
    bool has_started = event != NULL;
    fw_event_free(event);
    if (has_started) {
        fw_status status = fw_exec_signal(exec, SIGKILL, below(self, 2) ? FW_SIGNAL_MAIN : FW_SIGNAL_TREE, &error);
        CHECK(status == FW_OK || (status == FW_E_ENDED && may_be_killed(since)));
        fw_error_free(error);
    }
    fw_result *result = finish(self, exec);
    is_as_wanted(self, result, since, FW_SIGNALED, -9);
    fw_result_free(result);
}

static void with_input(struct soaker *self)
{
    static const char block[5000];
    int blocks = below(self, 40);
    unsigned long since = moment();
    fw_exec *exec = begin(self, text_step("wc -c"), NULL, json_pack("{s:s}", "stdin", "host"));
    fw_error *error = NULL;
    fw_status status = FW_OK;
    for (int i = 0; i < blocks && status == FW_OK; i++)
        for (size_t at = 0, taken = 0; at < sizeof block && status == FW_OK; at += taken)
            status = fw_exec_write(exec, block + at, sizeof block - at, -1, &taken, &error);
    CHECK(status == FW_OK || (status == FW_E_ENDED && may_be_killed(since)));
    fw_error_free(error);
    error = NULL;
    status = fw_exec_close_input(exec, &error);
    CHECK(status == FW_OK || (status == FW_E_ENDED && may_be_killed(since)));
    fw_error_free(error);
    char want[32];
    snprintf(want, sizeof want, "%d\n", blocks * (int)sizeof block);
    fw_result *result = finish(self, exec);
    if (is_as_wanted(self, result, since, FW_EXITED, 0))
        CHECK_OUTPUT(result, FW_STDOUT, 0, want);
    fw_result_free(result);
}

static void spilled(struct soaker *self)
{
    unsigned long since = moment();
    int size = 1000 + below(self, 200000);
    char command[100];
    snprintf(command, sizeof command, "head -c %d /dev/zero | tr '\\0' a", size);
    json_t *options = json_pack("{s:s, s:i}", "spill", self->directory, "output_limit", 1000);
    fw_result *result = finish(self, begin(self, text_step(command), NULL, options));
    json_t *all = run_json(result);
    json_t *file = json_object_get(json_array_get(json_object_get(all, "commands"), 0), "stdout_file");
    struct stat facts;
    if (is_as_wanted(self, result, since, FW_EXITED, 0) && size > 1000) {
        CHECK(json_is_string(file) && stat(json_string_value(file), &facts) == 0);
        CHECK_INT(facts.st_size, size);
    }
    if (json_is_string(file))
        unlink(json_string_value(file));
    json_decref(all);
    fw_result_free(result);
}

/** Returns twice its argument. */
static void twice(fw_call *call, void *payload)
{
    (void)payload;
    char text[32];
    snprintf(text, sizeof text, "%ld", 2 * atol(fw_call_argument(call, "n", NULL)));
    fw_status status = fw_call_write(call, FW_STDOUT, "called\n", FW_ZERO_TERMINATED, NULL);
    CHECK(status == FW_OK || status == FW_E_ENDED);
    status = fw_call_return(call, text, FW_ZERO_TERMINATED, NULL);
    CHECK(status == FW_OK || status == FW_E_ENDED);
}

/** Returns when it is asked to. */
static void stands(fw_call *call, void *payload)
{
    (void)payload;
    while (!fw_call_is_cancelled(call))
        a_moment();
}

static void by_a_function(struct soaker *self)
{
    int number = below(self, 1000);
    char text[64];
    snprintf(text, sizeof text, "{\"n\": %d}", number);
    fw_context *context = check_context(text);
    json_t *document = json_pack("{s:s, s:{s:s, s:s}}", "name", "s", "action", "func", "twice", "arg", "r");
    fw_result *result = finish(self, begin(self, document, context, NULL));
    CHECK_EXITED(result, 0);
    CHECK_OUTPUT(result, FW_STDOUT, 0, "called\n");
    CHECK_FACT(result, "value", json_integer(2 * number));
    fw_result_free(result);
    fw_context_free(context);
}

static void function_cancelled(struct soaker *self)
{
    json_t *document = json_pack("{s:s, s:{s:s}}", "name", "s", "action", "func", "stands");
    bool times_out = below(self, 2) == 0;
    fw_exec *exec = begin(self, document, NULL, times_out ? json_pack("{s:f}", "timeout", 0.01) : NULL);
    if (!times_out) {
        pause_up_to(self, 20000);
        fw_exec_cancel(exec);
    }
    fw_result *result = finish(self, exec);
    CHECK_INT(fw_result_outcome(result), times_out ? FW_TIMEOUT : FW_CANCELLED);
    CHECK(fw_result_returncode(result) != 0);
    fw_result_free(result);
}

/** A function of Python, in an interpreter that the pool keeps. */
static void by_an_interpreter(struct soaker *self)
{
    fw_context *context = check_context("{\"text\": \"  a\\n  b\"}");
    json_t *document = json_pack("{s:s, s:{s:s, s:s}}", "name", "s", "action", "func", "textwrap.dedent", "arg", "r");
    unsigned long since = moment();
    fw_result *result = finish(self, begin(self, document, context, NULL));
    if (is_as_wanted(self, result, since, FW_EXITED, 0))
        CHECK_FACT(result, "value", json_string("a\nb"));
    fw_result_free(result);
    fw_context_free(context);
}

static void in_a_workflow(struct soaker *self)
{
    static const char text[] = "{\"steps\": ["
                               "{\"name\": \"a\", \"action\": {\"environment\": \"\", \"commands\": [\"echo 1 > a\"]},"
                               " \"files\": {\"inputs\": [], \"outputs\": [\"a\"]}},"
                               "{\"name\": \"b\", \"action\": {\"environment\": \"\", \"commands\": [\"echo 2 > b\"]},"
                               " \"files\": {\"inputs\": [], \"outputs\": [\"b\"]}},"
                               "{\"name\": \"c\", \"action\": {\"environment\": \"\", \"commands\": [\"cat a b\"]},"
                               " \"files\": {\"inputs\": [\"a\", \"b\"], \"outputs\": []}}]}";
    bool is_cancelled = below(self, 4) == 0;
    fw_workflow *workflow = NULL;
    fw_exec *exec = NULL;
    fw_error *error = NULL;
    unsigned long since = moment();
    CHECK_OK(fw_workflow_create(text, FW_ZERO_TERMINATED, &workflow, &error), &error);
    CHECK_OK(
        fw_workflow_start(workflow, pool, NULL, self->directory, "{\"jobs\": 3}", FW_ZERO_TERMINATED, &exec, &error),
        &error);
    REQUIRE(exec != NULL);
    fw_workflow_free(workflow);
    if (is_cancelled) {
        pause_up_to(self, 5000);
        fw_exec_cancel(exec);
    }
    fw_result *result = finish(self, exec);
    if (is_cancelled && fw_result_outcome(result) != FW_EXITED) {
        is_as_wanted(self, result, since, FW_CANCELLED, -1);
    } else if (is_as_wanted(self, result, since, FW_EXITED, 0)) {
        CHECK_INT(fw_result_step_count(result), 3);
    }
    fw_result_free(result);
}

/* ------------------------------------------------------------------- hosts -- */

/** Forks the host. The copy holds all descriptors for a while. */
static void forked(struct soaker *self)
{
    useconds_t time = (useconds_t)below(self, 50000);
    pid_t pid = fork();
    if (pid == 0) {
        usleep(time);
        _exit(0);
    }
    CHECK(pid > 0);
    fw_result *result = NULL;
    unsigned long since = moment();
    result = finish(self, begin(self, text_step("exit 3"), NULL, NULL));
    is_as_wanted(self, result, since, FW_EXITED, 3);
    fw_result_free(result);
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

/** The host that is killed: `program host DIRECTORY`. */
static int killed_host(const char *directory)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fw_worker *worker = run_worker(NULL);
    fw_step *step =
        run_step("s", (const char *const[]){"echo $$$$ >> pids; sleep 100000 & echo $$! >> pids; wait", NULL});
    for (int i = 0; i < 2; i++) {
        fw_exec *exec = NULL;
        if (fw_exec_start(worker, step, NULL, directory, NULL, 0, &exec, NULL) != FW_OK)
            return 1;
    }
    for (;;)
        pause();
}

static void host_killed(struct soaker *self)
{
    char path[4300];
    snprintf(path, sizeof path, "%s/pids", self->directory);
    unlink(path);
    pid_t pid = fork();
    if (pid == 0) {
        execl(program, program, "host", self->directory, (char *)NULL);
        _exit(127);
    }
    REQUIRE(pid > 0);
    bool is_early = below(self, 3) == 0;
    long pids[4] = {0};
    int count = 0;
    while (!is_early && count < 4) {
        char *text = read_file(path), *rest = text;
        count = 0;
        for (char *line; rest != NULL && strchr(rest, '\n') != NULL && (line = strsep(&rest, "\n")) != NULL;)
            if (count < 4)
                pids[count++] = atol(line);
        free(text);
        a_moment();
    }
    if (is_early)
        pause_up_to(self, 50000);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    for (int i = 0; i < count; i++)
        while (lives(pids[i]))
            a_moment();
}

/** Kills a supervisor or a monitor of this host now and then. */
static void *kill_watchers(void *argument)
{
    struct soaker *self = argument;
    long pids[MOST_WATCHERS];
    while (!atomic_load(&is_over)) {
        usleep((useconds_t)(20000 + below(self, 300000)));
        bool is_supervisor = below(self, 5) == 0;
        int count = find_watchers(getpid(), is_supervisor ? "fw-supervisor" : "fw-monitor", pids, MOST_WATCHERS);
        if (count == 0)
            continue;
        if (count > MOST_WATCHERS)
            count = MOST_WATCHERS;
        long pid = pids[below(self, count)];
        /* A command has its monitor's name until it is executed. */
        if (strcmp(name_of(status_of(pid, "PPid:")), "fw-monitor") == 0)
            continue;
        atomic_fetch_add(&begun, 1);
        kill((pid_t)pid, SIGKILL);
        atomic_fetch_add(is_supervisor ? &kills_of_supervisors : &kills_of_monitors, 1);
        /* What was killed has ended before the kill counts as done; who begins later is not touched by it. */
        watchers_until_gone(is_supervisor ? "fw-supervisor" : "fw-monitor", &pid, 1);
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

/* -------------------------------------------------------------------- soak -- */

static const struct {
    const char *name;
    void (*run)(struct soaker *self);
    int weight;
} kinds[] = {
    {"shell", by_a_shell, 8},
    {"words", by_words, 8},
    {"cancel", cancelled, 5},
    {"free", freed, 5},
    {"timeout", timed_out, 4},
    {"signal", signalled, 4},
    {"input", with_input, 5},
    {"spill", spilled, 4},
    {"function", by_a_function, 6},
    {"function cancelled", function_cancelled, 3},
    {"interpreter", by_an_interpreter, 2},
    {"workflow", in_a_workflow, 3},
    {"fork", forked, 2},
    {"host killed", host_killed, 1},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static atomic_ulong counts[KINDS];

static void *soak(void *argument)
{
    struct soaker *self = argument;
    int sum = 0;
    for (int kind = 0; kind < KINDS; kind++)
        sum += kinds[kind].weight;
    while (now() < end_time && check_failures == 0) {
        int kind = 0;
        for (int at = below(self, sum); at >= kinds[kind].weight; kind++)
            at -= kinds[kind].weight;
        self->kind = kinds[kind].name;
        kinds[kind].run(self);
        atomic_fetch_add(&counts[kind], 1);
    }
    return NULL;
}

static long memory(void)
{
    return status_of(getpid(), "VmRSS:") * 1024;
}

static int entries_of(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;
    while (directory != NULL && readdir(directory) != NULL)
        count++;
    if (directory != NULL)
        closedir(directory);
    return count;
}

/** The host: everything happens in a child of main(), which then sees what is left. */
static void host(void)
{
    const char *text = getenv("SOAK_SECONDS"), *chosen = getenv("SOAK_SEED");
    double seconds = text != NULL ? atof(text) : 20, started = now();
    unsigned seed = chosen != NULL ? (unsigned)strtoul(chosen, NULL, 10) : (unsigned)(started * 1e6);
    printf("SOAK_SEED=%u, %.0f s\n", seed, seconds);
    fflush(stdout);
    int descriptors = open_descriptors(), threads = own_threads(), shared = entries_of("/dev/shm");
    pool = check_pool("{\"workers\": [{\"name\": \"local\", \"type\": \"subprocess\", \"options\": {\"grace\": 0.05}}],"
                      " \"managers\": {\"e\": \"local\"}}");
    function_add(pool, "twice", "[\"n\"]", twice, NULL);
    function_add(pool, "stands", "[]", stands, NULL);
    end_time = started + seconds;
    static struct soaker soakers[WORKERS + 1];
    pthread_t all[WORKERS + 1];
    for (int i = 0; i <= WORKERS; i++) {
        soakers[i].number = i;
        soakers[i].seed = seed + (unsigned)i;
        snprintf(soakers[i].directory, sizeof soakers[i].directory, "%s/%d", check_dir(), i);
        REQUIRE(mkdir(soakers[i].directory, 0777) == 0);
        REQUIRE(pthread_create(&all[i], NULL, i < WORKERS ? soak : kill_watchers, &soakers[i]) == 0);
    }
    long early = 0;
    while (now() < end_time && check_failures == 0) {
        usleep(50000);
        if (early == 0 && now() > started + seconds / 3)
            early = memory();
    }
    for (int i = 0; i < WORKERS; i++)
        pthread_join(all[i], NULL);
    atomic_store(&is_over, true);
    pthread_join(all[WORKERS], NULL);

    long late = memory();
    fw_pool_free(pool);
    unsigned long steps = 0;
    for (int kind = 0; kind < KINDS; kind++) {
        printf("%s: %lu\n", kinds[kind].name, atomic_load(&counts[kind]));
        steps += atomic_load(&counts[kind]);
    }
    printf("%lu in %.0f s; %lu monitors and %lu supervisors killed, %lu steps failed by that; "
           "memory %ld KiB after a third, %ld KiB at the end\n",
           steps, now() - started, kills_of_monitors, kills_of_supervisors, unknown, early / 1024, late / 1024);
    if (kills_of_monitors > 0)
        write_file("killed", "");
    CHECK(early == 0 || late < early + GROWTH);
    /* Threads of functions and descriptors of freed steps go with the steps. */
    while (own_threads() > threads)
        a_moment();
    while (open_descriptors() > descriptors + KEPT_DESCRIPTORS)
        a_moment();
    CHECK_INT(entries_of("/dev/shm"), shared);
}

/** What goes on where a monitor was killed is the other process of a command, which sleeps. Everything else ends. */
static void look_at_survivors(bool has_kills)
{
    long pids[MOST_WATCHERS];
    int count;
    /* Monitors end what is left, and then themselves; a process whose monitor was killed has this process as parent. */
    for (;;) {
        count = find_processes(is_marked, pids, MOST_WATCHERS);
        bool waits = false;
        for (int i = 0; i < count && i < MOST_WATCHERS; i++)
            waits |= status_of(pids[i], "PPid:") != getpid() || strcmp(name_of(pids[i]), "sleep") != 0;
        if (!waits)
            break;
        a_moment();
    }
    CHECK(count == 0 || has_kills);
    printf("%d processes of commands whose monitor was killed\n", count);
    end_marked();
}

int main(int count, char **arguments)
{
    program = "/proc/self/exe";
    if (count == 3 && strcmp(arguments[1], "host") == 0)
        return killed_host(arguments[2]);
    /* Whatever loses its parent comes to this process. */
    REQUIRE(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0);
    check_dir();
    pid_t pid = start_host(host);
    CHECK_INT(host_status(pid), 0);
    look_at_survivors(has_file("killed"));
    /* Supervisors and monitors end by themselves, and nobody else is left. */
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        continue;
    CHECK_INT(errno, ECHILD);
    return check_done();
}
