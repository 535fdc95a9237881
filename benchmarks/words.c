/*
 * What does a command of words cost, which is a program and its arguments without a shell?
 *
 * Limit: posix_spawn of `sh -c` with the same program, both pipes, poll, waitpid; and the simple command, which the
 * library starts without the shell as well.
 */
#include <stdio.h>

#include "bench.h"
#include "limits/limits.h"
#include "need.h"

enum { steps_in_a_round = 40, rounds_of_a_question = 21 };

static const char program[] = "/bin/true";

struct question {
    fw_worker *worker;
    fw_step *words, *simple;
};

static double run_steps(const struct question *question, const fw_step *step)
{
    double start = seconds_now();
    for (size_t i = 0; i < steps_in_a_round; i++) {
        fw_result *result;
        fw_error *error;
        need(fw_worker_exec(question->worker, step, NULL, ".", &result, &error), error);
        if (fw_result_returncode(result) != 0)
            give_up(fw_result_message(result));
        fw_result_free(result);
    }
    return seconds_now() - start;
}

static double words(void *argument)
{
    const struct question *question = argument;
    return run_steps(question, question->words);
}

static double simple(void *argument)
{
    const struct question *question = argument;
    return run_steps(question, question->simple);
}

static double shell(void *argument)
{
    (void)argument;
    return limit_step(program, steps_in_a_round);
}

static void ask(const char *text, const char *command, double (*limit)(void *))
{
    struct rounds rounds;
    struct question question = {make_worker(), make_step_of(command, ""), make_step(program)};
    compare(&rounds, rounds_of_a_question, words, limit, &question);
    print_row(text, &rounds, "%.0f us", 1e6 / steps_in_a_round);
    fw_step_free(question.words);
    fw_step_free(question.simple);
    fw_worker_free(question.worker);
}

int main(void)
{
    ask("words: /bin/true, against sh -c /bin/true", "[\"/bin/true\"]", shell);
    ask("words: true, which is found in PATH, against sh -c /bin/true", "[\"true\"]", shell);
    ask("words: /bin/true, against the simple command /bin/true", "[\"/bin/true\"]", simple);
    return 0;
}
