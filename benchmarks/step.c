/*
 * What does a step cost that does next to nothing?
 *
 *     step [--ballast MEGABYTES]
 *
 * Limit: a bare posix_spawn of the same `sh -c`, both pipes, poll, waitpid. With ballast
 * the process has so much memory resident first, as a host with data has.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"
#include "limits/limits.h"
#include "need.h"

enum { steps_in_a_round = 40, rounds_of_a_question = 21 };

struct question {
    const fw_worker *worker;
    const fw_step *step;
    const char *command;
};

static double ours(void *argument)
{
    const struct question *question = argument;
    double start = seconds_now();
    for (int i = 0; i < steps_in_a_round; i++) {
        fw_result *result;
        fw_error *error;
        need(fw_worker_exec(question->worker, question->step, NULL, ".", &result, &error), error);
        if (fw_result_returncode(result) != 0)
            give_up(fw_result_message(result));
        fw_result_free(result);
    }
    return seconds_now() - start;
}

static double limit(void *argument)
{
    const struct question *question = argument;
    return limit_step(question->command, steps_in_a_round);
}

static void ask(const fw_worker *worker, const char *command, size_t ballast)
{
    char text[256], json[256];
    fw_step *step;
    fw_error *error;
    struct rounds rounds;
    snprintf(json, sizeof json,
             "{\"name\": \"step\", \"action\": {\"environment\": \"\", \"commands\": [\"%s\"]}}", command);
    need(fw_step_create(json, FW_STRLEN, &step, &error), error);
    compare(&rounds, rounds_of_a_question, ours, limit, &(struct question){worker, step, command});
    snprintf(text, sizeof text, ballast != 0 ? "step: %s, %zu MB resident in the host" : "step: %s", command, ballast);
    print_row(text, &rounds, "%.0f us", 1e6 / steps_in_a_round);
    fw_step_free(step);
}

int main(int argc, char **argv)
{
    size_t ballast = argc == 3 && strcmp(argv[1], "--ballast") == 0 ? strtoul(argv[2], NULL, 10) : 0;
    if (ballast != 0 && mmap(NULL, ballast << 20, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) == MAP_FAILED)
        give_up("ballast");

    fw_worker *worker;
    fw_error *error;
    need(fw_worker_create("{\"name\": \"bench\", \"type\": \"subprocess\"}", FW_STRLEN, &worker, &error), error);
    ask(worker, "true", ballast);
    if (ballast == 0)
        ask(worker, "/bin/true", ballast);
    fw_worker_free(worker);
    return 0;
}
