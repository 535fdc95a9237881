/*
 * How many steps a second are run when many are in flight at once?
 *
 *     many [WIDTH...]              1, 8, 64, 256 and 512 in flight by default
 *     many host COMMAND STEPS WIDTH     is a host as those of peers/ are, for hosts.py
 *
 * Ours is one thread with an epoll over fw_exec_fd(), and then as many threads as steps with
 * fw_worker_exec(). Limit: one thread with an epoll over pipes and pidfds, and a clone that shares
 * the host's memory. Memory is that of the host alone, at its highest; standing.c has the rest.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench.h"
#include "limits/limits.h"
#include "need.h"

enum { rounds_of_a_question = 7, rounds_of_memory = 3, fewest_steps = 400, most_events = 256 };

struct question {
    size_t width, steps;
    bool with_threads;
    /* The library is first used in the process that is measured. */
    fw_worker *worker;
    fw_step *step;
};

static void prepare(struct question *question, const char *command)
{
    question->worker = make_worker();
    question->step = make_step(command);
}

static void release(struct question *question)
{
    fw_step_free(question->step);
    fw_worker_free(question->worker);
}

static void check_result(fw_result *result)
{
    if (fw_result_returncode(result) != 0)
        give_up(fw_result_message(result));
    fw_result_free(result);
}

/* ------------------------------------------------------------ one thread, epoll -- */

static fw_exec *start(const struct question *question, int epoll)
{
    fw_exec *exec;
    fw_error *error;
    need(fw_exec_start(question->worker, question->step, NULL, ".", "{\"events\": \"none\"}", FW_ZERO_TERMINATED, &exec,
                       &error),
         error);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = exec};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fw_exec_fd(exec), &event) != 0)
        give_up("epoll_ctl");
    return exec;
}

static bool has_ended(fw_exec *exec, int epoll)
{
    fw_result *result;
    fw_error *error;
    need(fw_exec_wait(exec, 0, &result, &error), error);
    if (result == NULL)
        return false;
    check_result(result);
    epoll_ctl(epoll, EPOLL_CTL_DEL, fw_exec_fd(exec), NULL);
    fw_exec_free(exec);
    return true;
}

static void run_with_epoll(const struct question *question)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    size_t started = 0, ended = 0;
    for (; started < question->width; started++)
        start(question, epoll);
    while (ended < question->steps) {
        struct epoll_event events[most_events];
        int count = epoll_wait(epoll, events, most_events, -1);
        for (int i = 0; i < count; i++) {
            if (!has_ended(events[i].data.ptr, epoll))
                continue;
            ended++;
            if (started < question->steps) {
                started++;
                start(question, epoll);
            }
        }
    }
    close(epoll);
}

/* ------------------------------------------------------------------ many threads -- */

struct share {
    const struct question *question;
    atomic_size_t taken;
};

static void *run_share(void *argument)
{
    struct share *share = argument;
    while (atomic_fetch_add(&share->taken, 1) < share->question->steps) {
        fw_result *result;
        fw_error *error;
        need(fw_worker_exec(share->question->worker, share->question->step, NULL, ".", &result, &error), error);
        check_result(result);
    }
    return NULL;
}

static void run_with_threads(const struct question *question)
{
    struct share share = {.question = question};
    pthread_t *threads = calloc(question->width, sizeof *threads);
    for (size_t i = 0; i < question->width; i++)
        if (threads == NULL || pthread_create(&threads[i], NULL, run_share, &share) != 0)
            give_up("pthread_create");
    for (size_t i = 0; i < question->width; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

/* ------------------------------------------------------------------- how many a second -- */

static double ours(void *argument)
{
    const struct question *question = argument;
    double start = seconds_now();
    if (question->with_threads)
        run_with_threads(question);
    else
        run_with_epoll(question);
    return seconds_now() - start;
}

static double limit(void *argument)
{
    const struct question *question = argument;
    return limit_many("true", question->steps, question->width);
}

static struct question question_of(size_t width, bool with_threads)
{
    size_t steps = 4 * width > fewest_steps ? 4 * width : fewest_steps;
    return (struct question){.width = width, .steps = steps, .with_threads = with_threads};
}

static void words_of(const struct question *question, char words[static 64])
{
    snprintf(words, 64, "many: true, %zu %s", question->width, question->with_threads ? "threads" : "in flight");
}

static void ask_speed(size_t width, bool with_threads)
{
    struct question question = question_of(width, with_threads);
    struct rounds rounds;
    char words[64];
    prepare(&question, "true");
    compare(&rounds, rounds_of_a_question, ours, limit, &question);
    words_of(&question, words);
    print_rate_row(words, &rounds, "%.0f steps/s", (double)question.steps);
    release(&question);
}

/* ---------------------------------------------------------------------------- memory -- */

static void ours_in_process(void *argument)
{
    struct question *question = argument;
    prepare(question, "true");
    ours(question);
}

static void limit_in_process(void *argument)
{
    limit(argument);
}

static void ask_memory(size_t width, bool with_threads)
{
    struct question question = question_of(width, with_threads);
    struct costs costs = {0};
    char words[64], text[96];
    compare_costs(&costs, rounds_of_memory, ours_in_process, limit_in_process, &question);
    words_of(&question, words);
    snprintf(text, sizeof text, "%s, peak memory of the host", words);
    print_row(text, &costs.peak, "%.2f MB", 1e-6);
}

/* ----------------------------------------------------------------------------- all -- */

static int be_host(char **argv)
{
    struct question question = {.steps = strtoul(argv[3], NULL, 10), .width = strtoul(argv[4], NULL, 10)};
    prepare(&question, argv[2]);
    double seconds = ours(&question);
    release(&question);
    return printf("%.9f\n", seconds) < 0;
}

int main(int argc, char **argv)
{
    static const size_t usual[] = {1, 8, 64, 256, 512};
    size_t widths[most_rounds], count = 0;
    allow_descriptors();
    if (argc == 5 && strcmp(argv[1], "host") == 0)
        return be_host(argv);
    for (int i = 1; i < argc && count < most_rounds; i++)
        widths[count++] = strtoul(argv[i], NULL, 10);
    if (count == 0) {
        count = sizeof usual / sizeof *usual;
        memcpy(widths, usual, sizeof usual);
        /* Memory is measured before speed, because its processes are forked, and so this one must not have used the
         * library. */
        ask_memory(512, false);
        ask_memory(512, true);
    }
    for (size_t i = 0; i < count; i++)
        ask_speed(widths[i], false);
    for (size_t i = 0; i < count; i++)
        if (widths[i] > 1 && widths[i] <= 256)
            ask_speed(widths[i], true);
    return 0;
}
