/*
 * What does a step cost that does next to nothing?
 *
 *     step                             in this process, and the first one of a process
 *     step --ballast MEGABYTES...      in a host with so much memory resident: the first that fits
 *     step first ours|limit            is the process that runs a step, and prints the seconds
 *
 * Limit: a bare posix_spawn of the same `sh -c`, both pipes, poll, waitpid. With ballast there is a
 * second one: the same library in a host without.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "limits/limits.h"
#include "need.h"

enum { steps_in_a_round = 40, rounds_of_a_question = 21, first_steps = 41 };

struct question {
    const char *command, *program;
    fw_worker *worker;
    fw_step *step;
    /* Pipes to and from the host without ballast. */
    int ask, answer;
};

static void prepare(struct question *question)
{
    question->worker = make_worker();
    question->step = make_step(question->command);
}

static void release(struct question *question)
{
    fw_step_free(question->step);
    fw_worker_free(question->worker);
}

static double run_steps(const struct question *question, size_t count, bool by_start)
{
    double start = seconds_now();
    for (size_t i = 0; i < count; i++) {
        fw_result *result;
        fw_error *error;
        if (by_start) {
            fw_exec *exec;
            need(fw_exec_start(question->worker, question->step, NULL, ".", NULL, 0, &exec, &error), error);
            need(fw_exec_wait(exec, -1, &result, &error), error);
            fw_exec_free(exec);
        } else {
            need(fw_worker_exec(question->worker, question->step, NULL, ".", &result, &error), error);
        }
        if (fw_result_returncode(result) != 0)
            give_up(fw_result_message(result));
        fw_result_free(result);
    }
    return seconds_now() - start;
}

static double ours(void *argument)
{
    return run_steps(argument, steps_in_a_round, false);
}

static double ours_by_start(void *argument)
{
    return run_steps(argument, steps_in_a_round, true);
}

static double limit(void *argument)
{
    const struct question *question = argument;
    return limit_step(question->command, steps_in_a_round);
}

static void ask(struct question question, double (*way)(void *), double (*other)(void *), const char *words)
{
    char text[256];
    struct rounds rounds;
    prepare(&question);
    compare(&rounds, rounds_of_a_question, way, other, &question);
    snprintf(text, sizeof text, "step: %s%s", question.command, words);
    print_row(text, &rounds, "%.0f us", 1e6 / steps_in_a_round);
    release(&question);
}

/* ------------------------------------------------------- the first step of a process -- */

static int run_first(const char *way)
{
    struct question question = {.command = "true"};
    double seconds;
    if (strcmp(way, "ours") == 0) {
        prepare(&question);
        seconds = run_steps(&question, 1, false);
        release(&question);
    } else {
        seconds = limit_step(question.command, 1);
    }
    return printf("%.9f\n", seconds) < 0;
}

static double first_of_process(const struct question *question, const char *way)
{
    char command[2048];
    double seconds = 0;
    snprintf(command, sizeof command, "exec '%s' first %s", question->program, way);
    FILE *output = popen(command, "r");
    if (output == NULL)
        give_up("popen");
    int scanned = fscanf(output, "%lf", &seconds);
    if (pclose(output) != 0 || scanned != 1)
        give_up(command);
    return seconds;
}

static double our_first(void *argument)
{
    return first_of_process(argument, "ours");
}

static double limits_first(void *argument)
{
    return first_of_process(argument, "limit");
}

static void ask_first(const char *program)
{
    struct rounds rounds;
    compare(&rounds, first_steps, our_first, limits_first, &(struct question){.program = program});
    print_row("step: true, the first of a process", &rounds, "%.0f us", 1e6);
}

/* ------------------------------------------------------------ a host with much memory -- */

/* Answers each byte with the seconds of a round, until there are no more. */
static void serve(struct question question, int asked, int answer)
{
    char byte;
    prepare(&question);
    while (read(asked, &byte, 1) == 1) {
        double seconds = ours(&question);
        if (write(answer, &seconds, sizeof seconds) != sizeof seconds)
            give_up("write");
    }
    release(&question);
    _exit(0);
}

static double ours_without_ballast(void *argument)
{
    const struct question *question = argument;
    double seconds;
    if (write(question->ask, "", 1) != 1 || read(question->answer, &seconds, sizeof seconds) != sizeof seconds)
        give_up("the host without ballast");
    return seconds;
}

static void ask_with_ballast(char **sizes)
{
    struct question question = {.command = "true"};
    int asked[2], answer[2];
    char words[64];
    if (pipe(asked) != 0 || pipe(answer) != 0)
        give_up("pipe");
    pid_t pid = fork_host();
    if (pid == 0) {
        close(asked[1]);
        serve(question, asked[0], answer[1]);
    }
    question.ask = asked[1];
    question.answer = answer[0];

    while (*sizes != NULL && !hold_memory(strtoul(*sizes, NULL, 10)))
        sizes++;
    if (*sizes != NULL) {
        snprintf(words, sizeof words, ", %s MB resident in the host", *sizes);
        ask(question, ours, limit, words);
        snprintf(words, sizeof words, ", %s MB resident, against none", *sizes);
        ask(question, ours, ours_without_ballast, words);
    }
    close(asked[1]);
    wait_for_host(pid);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "first") == 0)
        return run_first(argv[2]);
    if (argc >= 3 && strcmp(argv[1], "--ballast") == 0) {
        ask_with_ballast(argv + 2);
        return 0;
    }
    ask((struct question){.command = "true"}, ours, limit, "");
    ask((struct question){.command = "true"}, ours_by_start, limit, ", started and waited for");
    ask((struct question){.command = "/bin/true"}, ours, limit, "");
    ask_first(argv[0]);
    return 0;
}
