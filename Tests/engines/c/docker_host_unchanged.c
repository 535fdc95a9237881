/* Steps in containers leave the host's process unchanged: signals, mask, directory, environment, umask and threads.
 * The descriptors that the library keeps are close-on-exec, and their number does not grow with the number of steps.
 * A forked process cannot use the library, and does not disturb the steps of its parent. */
#include "engine.h"
#include "host.h"

enum { STEPS = 50 };

static void handler(int signal)
{
    (void)signal;
}

/** Returns the state without the lines of descriptors. */
static char *plain_state(void)
{
    char *state = host_state();
    for (char *line; (line = strstr(state, "descriptor ")) != NULL;) {
        char *end = strchr(line, '\n');
        memmove(line, end + 1, strlen(end + 1) + 1);
    }
    return state;
}

/** All descriptors that were not there before are close-on-exec. */
static void check_close_on_exec(const char *before)
{
    char *after = host_state(), *rest = after;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        int fd = -1;
        if (sscanf(line, "descriptor %d:", &fd) == 1 && strstr(before, line) == NULL &&
            !CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0))
            fprintf(stderr, "    %s\n", line);
    }
    free(after);
}

static void all_kinds(void)
{
    for (int i = 0; i < 2; i++) {
        fw_result_free(BOX(in_container(box_kinds[i], NULL), "echo out", "sh -c 'echo err >&2; exit 3'"));
        fw_result_free(BOX(in_container(box_kinds[i], NULL), "no-such-program"));
        fw_result_free(BOX(in_container(box_kinds[i], NULL), "sh -c 'kill -9 $$$$'"));
        fw_exec *exec = BOX_START(in_container(box_kinds[i], NULL), NULL, "sleep 1000");
        free(box_started(exec));
        fw_exec_cancel(exec);
        exec_end(exec);
        exec = BOX_START(in_container(box_kinds[i], NULL), NULL, "sleep 1000");
        free(box_started(exec));
        fw_exec_free(exec);
    }
    fw_result_free(BOX(like_json("{'host': 'unix:///no/such/socket'}"), "true"));
    fw_result_free(BOX(like_json("{'pull': 'never'}"), "true"));
    NOTHING_LEFT(engine_host());
}

static void unchanged(void)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, handler);
    signal(SIGCHLD, handler);
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    umask(027);
    char *before = plain_state(), *with_descriptors = host_state();
    all_kinds();
    char *after = plain_state();
    CHECK_STR(after, before);
    free(after);
    check_close_on_exec(with_descriptors);
    for (int i = 0; i < 20; i++)
        fw_result_free(BOX(NULL, "true"));
    after = plain_state();
    CHECK_STR(after, before);
    CHECK_INT(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    CHECK_INT(errno, ECHILD);
    free(after);
    free(before);
    free(with_descriptors);
    signal(SIGPIPE, SIG_DFL);
    umask(022);
}

/** The number of descriptors is the same after many steps as after a few, except that idle connections and monitors
 *  vary. */
static void descriptors(const char *kind)
{
    int most_of_a_few = 0;
    for (int i = 0; i < STEPS; i++) {
        fw_result_free(BOX(in_container(kind, NULL), "true", "true"));
        int now = open_descriptors();
        if (i < 10)
            most_of_a_few = now > most_of_a_few ? now : most_of_a_few;
        else if (!CHECK(now <= most_of_a_few + 4))
            fprintf(stderr, "    %d descriptors after %d steps, at most %d before\n", now, i + 1, most_of_a_few);
    }
}

static fw_worker *worker;
static fw_step *step;
static fw_exec *running;

static void forked(void)
{
    fw_error *error = NULL;
    fw_result *result = NULL;
    fw_event *event = NULL;
    fw_exec *exec = NULL;
    CHECK_FAILS(fw_worker_exec(worker, step, NULL, check_dir(), &result, &error), FW_E_FORKED, &error, "fork");
    CHECK_FAILS(fw_exec_start(worker, step, NULL, check_dir(), NULL, 0, &exec, &error), FW_E_FORKED, &error, "fork");
    CHECK_FAILS(fw_exec_next_event(running, 0, &event, &error), FW_E_FORKED, &error, "fork");
    CHECK_FAILS(fw_exec_wait(running, -1, &result, &error), FW_E_FORKED, &error, "fork");
    fw_exec_cancel(running);
    fw_exec_free(running);
    fw_step_free(step);
    fw_worker_free(worker);
}

/** Exits like an ordinary program, so that exit handlers run. */
static void exits(void)
{
    fw_exec_free(running);
    exit(0);
}

static void forks(const char *kind)
{
    void (*const parts[])(void) = {forked, exits};
    int gate = gate_make("gate");
    worker = box_worker(in_container(kind, NULL), NULL);
    step = box_step(BUSYBOX, NULL,
                    (const char *const[]){"sh -c 'echo one; read line < gate; echo two'", "echo three", NULL});
    for (int i = 0; i < 2; i++) {
        running = start_step(worker, step, NULL);
        box_await(running, "one\n");
        in_child(parts[i], "a forked process");
        CHECK(exec_runs(running));
        gate_pass(gate);
        fw_result *result = exec_result(running);
        CHECK_EXITED(result, 0);
        CHECK_OUTPUT(result, FW_STDOUT, 0, "one\ntwo\n");
        CHECK_OUTPUT(result, FW_STDOUT, 1, "three\n");
        fw_result_free(result);
        fw_exec_free(running);
    }
    fw_step_free(step);
    fw_worker_free(worker);
    close(gate);
    char *path = check_path("gate");
    unlink(path);
    free(path);
}

int main(void)
{
    engine_host();
    check_dir();
    unchanged();
    for (int i = 0; i < 2; i++) {
        descriptors(box_kinds[i]);
        forks(box_kinds[i]);
    }
    return engine_done();
}
