/*
 * What does it cost to keep all that a command writes?
 *
 *     capture [BYTES]                               measures; 1,000,000,000 unless told
 *     capture write stdout|both|lines BYTES         is the command that writes
 *
 * Limit: a loop of poll and read on pipes of 1 MiB into memory that doubles. Each
 * measurement has a process of its own, so that their peaks of memory are apart.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "limits/limits.h"
#include "need.h"

enum { rounds_of_a_question = 5 };

struct question {
    const fw_worker *worker;
    const fw_step *step;
    const char *command;
    size_t bytes;
};

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(fd, bytes, length);
        if (count < 0)
            give_up("write");
        bytes += count;
        length -= (size_t)count;
    }
}

static int write_output(const char *mode, size_t bytes)
{
    static char block[64 << 10];
    memset(block, 'x', sizeof block);
    if (strcmp(mode, "lines") == 0) {
        for (size_t i = 0; i < bytes / 10; i++)
            printf("%9zu\n", i);
        return fflush(stdout) != 0;
    }
    int streams = strcmp(mode, "both") == 0 ? 2 : 1;
    for (size_t left = bytes / (size_t)streams, part; left > 0; left -= part) {
        part = left < sizeof block ? left : sizeof block;
        for (int fd = STDOUT_FILENO; fd <= streams; fd++)
            write_all(fd, block, part);
    }
    return 0;
}

static void ours(void *argument)
{
    const struct question *question = argument;
    fw_result *result;
    fw_error *error;
    size_t out, err;
    need(fw_worker_exec(question->worker, question->step, NULL, ".", &result, &error), error);
    fw_result_output(result, FW_STDOUT, 0, &out);
    fw_result_output(result, FW_STDERR, 0, &err);
    if (out + err != question->bytes)
        give_up("the library did not keep all");
    fw_result_free(result);
}

static void limit(void *argument)
{
    const struct question *question = argument;
    if (limit_capture(question->command) != question->bytes)
        give_up("the limit did not keep all");
}

static void ask(const fw_worker *worker, const char *program, const char *mode, size_t bytes, const char *words)
{
    char command[PATH_MAX + 64], json[PATH_MAX + 256], text[128];
    fw_step *step;
    fw_error *error;
    struct costs costs = {0};
    snprintf(command, sizeof command, "'%s' write %s %zu", program, mode, bytes);
    snprintf(json, sizeof json,
             "{\"name\": \"capture\", \"action\": {\"environment\": \"\", \"commands\": [\"%s\"]}}", command);
    need(fw_step_create(json, FW_STRLEN, &step, &error), error);

    struct question question = {worker, step, command, bytes};
    compare_costs(&costs, rounds_of_a_question, ours, limit, &question);
    snprintf(text, sizeof text, "capture: %zu MB %s", bytes / 1000000, words);
    print_rate_row(text, &costs.seconds, "%.0f MB/s", (double)bytes / 1e6);
    snprintf(text, sizeof text, "capture: %zu MB %s, peak memory", bytes / 1000000, words);
    print_row(text, &costs.peak, "%.0f MB", 1e-6);
    fw_step_free(step);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "write") == 0)
        return write_output(argv[2], strtoul(argv[3], NULL, 10));
    size_t bytes = argc == 2 ? strtoul(argv[1], NULL, 10) : 1000000000;
    char program[PATH_MAX] = "";
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0)
        give_up("/proc/self/exe");

    fw_worker *worker;
    fw_error *error;
    need(fw_worker_create("{\"name\": \"bench\", \"type\": \"subprocess\"}", FW_STRLEN, &worker, &error), error);
    ask(worker, program, "stdout", bytes, "on stdout");
    ask(worker, program, "both", bytes, "on both streams");
    ask(worker, program, "lines", bytes / 10, "in lines");
    fw_worker_free(worker);
    return 0;
}
