/*
 * What does it cost to write to a command and to read what it writes at the same time?
 *
 *     input [BYTES]        1,000,000,000 by default
 *
 * Limit: a program that writes to `cat` and drops what comes back, with poll and pipes of 1 MiB. Each measurement has a
 * process of its own, so that their peaks of memory are apart.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "limits/limits.h"
#include "need.h"

enum { rounds_of_a_question = 5, block_size = 128 << 10 };

struct question {
    size_t bytes;
    /* Writes all, and returns how much has come back. */
    size_t (*way)(fw_exec *exec, size_t bytes);
};

static char block[block_size];

/* Writes what is taken within the time, and the end of the input after the last byte. Returns how much is left. */
static size_t give(fw_exec *exec, size_t left, double timeout)
{
    size_t taken;
    fw_error *error;
    need(fw_exec_write(exec, block, left < block_size ? left : block_size, timeout, &taken, &error), error);
    left -= taken;
    if (left == 0)
        need(fw_exec_close_input(exec, &error), error);
    return left;
}

/* Takes the events that are there, or all of them. Returns false after the last one. */
static bool take(fw_exec *exec, double timeout, size_t *came)
{
    for (;;) {
        fw_event *event;
        fw_error *error;
        size_t length = 0;
        need(fw_exec_next_event(exec, timeout, &event, &error), error);
        if (event == NULL)
            return true;
        if (fw_event_kind(event) == FW_EVENT_OUTPUT && fw_event_data(event, &length) != NULL)
            *came += length;
        bool is_last = fw_event_kind(event) == FW_EVENT_STEP_ENDED;
        fw_event_free(event);
        if (is_last)
            return false;
    }
}

/* One thread, which sleeps in poll only. */
static size_t by_poll(fw_exec *exec, size_t left)
{
    size_t came = 0;
    struct pollfd end = {fw_exec_fd(exec), POLLIN, 0};
    for (;;) {
        /* Only a write that was not complete makes the descriptor tell that there is room. */
        size_t before = left, asked = left < block_size ? left : block_size;
        if (left > 0)
            left = give(exec, left, 0);
        if (!take(exec, 0, &came))
            return came;
        if (left == 0 || before - left < asked)
            poll(&end, 1, -1);
    }
}

/* One thread, which sleeps in fw_exec_write() and takes the events in between. */
static size_t by_waiting(fw_exec *exec, size_t left)
{
    size_t came = 0;
    while (left > 0) {
        left = give(exec, left, -1);
        take(exec, 0, &came);
    }
    take(exec, -1, &came);
    return came;
}

struct writer {
    fw_exec *exec;
    size_t left;
};

static void *write_all(void *argument)
{
    struct writer *writer = argument;
    while (writer->left > 0)
        writer->left = give(writer->exec, writer->left, -1);
    return NULL;
}

static size_t by_two_threads(fw_exec *exec, size_t left)
{
    size_t came = 0;
    struct writer writer = {exec, left};
    pthread_t thread;
    if (pthread_create(&thread, NULL, write_all, &writer) != 0)
        give_up("pthread_create");
    take(exec, -1, &came);
    pthread_join(thread, NULL);
    return came;
}

static void ours(void *argument)
{
    const struct question *question = argument;
    fw_worker *worker = make_worker();
    fw_step *step = make_step_of("[\"cat\"]", ", \"stdin\": \"host\"");
    fw_exec *exec;
    fw_result *result;
    fw_error *error;
    need(fw_exec_start(worker, step, NULL, ".", "{\"output_limit\": 0}", FW_ZERO_TERMINATED, &exec, &error), error);
    /* Output is kept from the first event on that somebody takes. */
    fw_event *first;
    need(fw_exec_next_event(exec, -1, &first, &error), error);
    fw_event_free(first);
    size_t came = question->way(exec, question->bytes);
    need(fw_exec_wait(exec, -1, &result, &error), error);
    if (fw_result_returncode(result) != 0)
        give_up(fw_result_message(result));
    if (came != question->bytes)
        give_up("not everything has come back");
    stop_clock();
    fw_result_free(result);
    fw_exec_free(exec);
    fw_step_free(step);
    fw_worker_free(worker);
}

static void limit(void *argument)
{
    const struct question *question = argument;
    if (limit_input("cat", question->bytes) != question->bytes)
        give_up("not everything has come back");
    stop_clock();
}

static void ask(struct question question, const char *words)
{
    char text[160];
    struct costs costs = {0};
    compare_costs(&costs, rounds_of_a_question, ours, limit, &question);
    snprintf(text, sizeof text, "input: %zu MB into cat and back, %s", question.bytes / 1000000, words);
    print_rate_row(text, &costs.seconds, "%.0f MB/s", (double)question.bytes / 1e6);
    snprintf(text, sizeof text, "input: %zu MB into cat and back, %s, peak memory", question.bytes / 1000000, words);
    print_row(text, &costs.peak, "%.1f MB", 1e-6);
}

int main(int argc, char **argv)
{
    size_t bytes = argc == 2 ? strtoul(argv[1], NULL, 10) : 1000000000;
    ask((struct question){bytes, by_poll}, "by poll");
    ask((struct question){bytes, by_waiting}, "waiting in fw_exec_write");
    ask((struct question){bytes, by_two_threads}, "from two threads");
    return 0;
}
