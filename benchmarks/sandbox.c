/*
 * What do a sandbox and limits of all processes cost a step, and what do other programs take that make a sandbox?
 *
 * Limit: the same step without; then each of the other programs, by a bare posix_spawn and waitpid of the same
 * /bin/true. The folder in which this is started is the run directory.
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "need.h"

enum { steps_in_a_round = 20, rounds_of_a_question = 21 };

extern char **environ;

static fw_step *step;

static fw_worker *make_bounded(const char *options)
{
    char json[512];
    fw_worker *worker;
    fw_error *error;
    snprintf(json, sizeof json, "{\"name\": \"bench\", \"type\": \"subprocess\", \"options\": %s}", options);
    need(fw_worker_create(json, FW_ZERO_TERMINATED, &worker, &error), error);
    return worker;
}

static double run_steps(const fw_worker *worker)
{
    double start = seconds_now();
    for (size_t i = 0; i < steps_in_a_round; i++) {
        fw_result *result;
        fw_error *error;
        need(fw_worker_exec(worker, step, NULL, ".", &result, &error), error);
        if (fw_result_returncode(result) != 0)
            give_up(fw_result_message(result));
        fw_result_free(result);
    }
    return seconds_now() - start;
}

/* The two sides of a question: a worker with a sandbox, and one without or the words of another program. */
struct question {
    const fw_worker *sandboxed, *plain;
    const char *const *words;
};

static double sandboxed(void *argument)
{
    return run_steps(((const struct question *)argument)->sandboxed);
}

static double plain(void *argument)
{
    return run_steps(((const struct question *)argument)->plain);
}

static int run_program(const char *const *words)
{
    pid_t pid;
    int status;
    if (posix_spawnp(&pid, words[0], NULL, NULL, (char *const *)words, environ) != 0)
        return -1;
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

static double program(void *argument)
{
    const struct question *question = argument;
    double start = seconds_now();
    for (size_t i = 0; i < steps_in_a_round; i++) {
        if (run_program(question->words) != 0)
            give_up(question->words[0]);
    }
    return seconds_now() - start;
}

static void ask(const char *text, double (*limit)(void *), struct question question)
{
    struct rounds rounds;
    compare(&rounds, rounds_of_a_question, sandboxed, limit, &question);
    print_row(text, &rounds, "%.0f us", 1e6 / steps_in_a_round);
}

static const char *const bubblewrap[] = {
    "bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/",  "/",         "--proc", "/proc",
    "--dev", "/dev",          "--tmpfs",           "/tmp",      "--", "/bin/true", NULL};
static const char *const bubblewrap_bare[] = {"bwrap", "--unshare-all", "--bind", "/", "/", "--", "/bin/true", NULL};
static const char *const util_linux[] = {"unshare", "-Urpfm", "--mount-proc", "/bin/true", NULL};

static const struct {
    const char *text;
    const char *const *words;
} others[] = {
    {"sandbox: true, against bwrap --unshare-all, read-only /, own proc, dev and tmp", bubblewrap},
    {"sandbox: true, against bwrap --unshare-all --bind / /", bubblewrap_bare},
    {"sandbox: true, against unshare -Urpfm --mount-proc", util_linux},
};

#define LIMITS "{\"memory\": 1073741824, \"cpus\": 4, \"pids\": 100}"

/* Whether a worker's step can run here. */
static bool can_run(const fw_worker *worker)
{
    fw_result *result;
    fw_error *error;
    need(fw_worker_exec(worker, step, NULL, ".", &result, &error), error);
    bool can = fw_result_returncode(result) == 0;
    if (!can)
        printf("note\t%s: its figures are left out\n", fw_result_message(result));
    fw_result_free(result);
    return can;
}

int main(void)
{
    step = make_step_of("[\"/bin/true\"]", "");
    fw_worker *without = make_worker();
    fw_worker *alone =
        make_bounded("{\"sandbox\": {\"network\": \"host\", \"private_tmp\": false, \"processes\": \"host\"}}");
    fw_worker *of_host = make_bounded("{\"sandbox\": {\"network\": \"host\"}}");
    fw_worker *whole = make_bounded("{\"sandbox\": true}");
    fw_worker *limited = make_bounded("{\"tree_limits\": " LIMITS "}");
    fw_worker *both = make_bounded("{\"sandbox\": true, \"tree_limits\": " LIMITS "}");
    ask("sandbox: Landlock and the filter alone", plain, (struct question){alone, without, NULL});
    ask("sandbox: true, but the network of the host", plain, (struct question){of_host, without, NULL});
    ask("sandbox: true", plain, (struct question){whole, without, NULL});
    if (can_run(limited)) {
        ask("tree_limits: memory, cpus and pids", plain, (struct question){limited, without, NULL});
        ask("the same with sandbox: true, against that sandbox", plain, (struct question){both, whole, NULL});
    }
    for (size_t at = 0; at < sizeof others / sizeof *others; at++) {
        if (run_program(others[at].words) != 0)
            printf("note\t%s is not installed, or may not make namespaces: its figures are left out\n",
                   others[at].words[0]);
        else
            ask(others[at].text, program, (struct question){whole, NULL, others[at].words});
    }
    fw_worker_free(both);
    fw_worker_free(limited);
    fw_worker_free(whole);
    fw_worker_free(of_host);
    fw_worker_free(alone);
    fw_worker_free(without);
    fw_step_free(step);
    return 0;
}
