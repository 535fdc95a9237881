/*
 * What does it cost to ask a pool for a worker that it has already made?
 *
 * Limits: a hash table's lookup by the step's name, and a call that does nothing, both
 * through the dynamic linker as the calls into the library are.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "limits/limits.h"
#include "need.h"

enum { workers = 10000, draws = 1 << 16, lookups = 1 << 20, rounds_of_a_question = 15 };

struct question {
    fw_pool *pool;
    const struct limit_table *table;
    fw_step **steps;
    const char **names;
    uint32_t order[draws];
    int threads;
};

/* A configuration in which step N is run by worker N, so that all are made and found. */
static char *write_config(void)
{
    char *json;
    size_t length;
    FILE *out = open_memstream(&json, &length);
    if (out == NULL)
        give_up("open_memstream");
    fputs("{\"workers\": [", out);
    for (int i = 0; i < workers; i++)
        fprintf(out, "%s{\"name\": \"worker%d\", \"type\": \"subprocess\"}", i > 0 ? ", " : "", i);
    fputs("], \"workflow\": [", out);
    for (int i = 0; i < workers; i++)
        fprintf(out, "%s{\"step\": \"step%d\", \"worker\": \"worker%d\"}", i > 0 ? ", " : "", i, i);
    fputs("]}", out);
    if (fclose(out) != 0)
        give_up("the configuration");
    return json;
}

static void *get_workers(void *argument)
{
    const struct question *question = argument;
    for (size_t i = 0; i < lookups; i++) {
        const fw_worker *worker;
        if (fw_pool_get(question->pool, question->steps[question->order[i % draws]], &worker, NULL) != FW_OK)
            give_up("fw_pool_get");
    }
    return NULL;
}

static void *find_names(void *argument)
{
    const struct question *question = argument;
    for (size_t i = 0; i < lookups; i++)
        if (limit_table_find(question->table, question->names[question->order[i % draws]]) == NULL)
            give_up("limit_table_find");
    return NULL;
}

static void *call_nothing(void *argument)
{
    const struct question *question = argument;
    for (size_t i = 0; i < lookups; i++)
        if (limit_empty(question->steps[question->order[i % draws]]) == NULL)
            give_up("limit_empty");
    return NULL;
}

static double in_threads(const struct question *question, void *(*work)(void *))
{
    pthread_t threads[2];
    double start = seconds_now();
    for (int i = 0; i < question->threads; i++)
        if (pthread_create(&threads[i], NULL, work, (void *)question) != 0)
            give_up("pthread_create");
    for (int i = 0; i < question->threads; i++)
        pthread_join(threads[i], NULL);
    return seconds_now() - start;
}

static double ours(void *question)
{
    return in_threads(question, get_workers);
}
static double limit(void *question)
{
    return in_threads(question, find_names);
}
static double nothing(void *question)
{
    return in_threads(question, call_nothing);
}

static void ask(const char *text, struct question *question, double (*against)(void *))
{
    struct rounds rounds;
    compare(&rounds, rounds_of_a_question, ours, against, question);
    print_row(text, &rounds, "%.1f ns", 1e9 / lookups);
}

int main(void)
{
    static struct question question;
    char *config = write_config();
    fw_error *error;
    need(fw_pool_create(config, FW_ZERO_TERMINATED, &question.pool, &error), error);
    free(config);

    struct limit_table *table = limit_table_create(workers);
    question.table = table;
    question.steps = calloc(workers, sizeof *question.steps);
    question.names = calloc(workers, sizeof *question.names);
    if (question.steps == NULL || question.names == NULL)
        give_up("the steps");
    for (int i = 0; i < workers; i++) {
        char json[128];
        const fw_worker *worker;
        snprintf(json, sizeof json, "{\"name\": \"step%d\", \"action\": {\"environment\": \"\", \"commands\": []}}", i);
        need(fw_step_create(json, FW_ZERO_TERMINATED, &question.steps[i], &error), error);
        need(fw_pool_get(question.pool, question.steps[i], &worker, &error), error);
        question.names[i] = fw_step_name(question.steps[i]);
        limit_table_add(table, question.names[i], worker);
    }

    question.threads = 1;
    ask("lookup: one step, against an empty call", &question, nothing);
    ask("lookup: one step", &question, limit);
    for (size_t i = 0; i < draws; i++)
        question.order[i] = (uint32_t)rand() % workers;
    ask("lookup: any of 10000 steps", &question, limit);
    question.threads = 2;
    ask("lookup: any of 10000 steps, two threads", &question, limit);

    for (int i = 0; i < workers; i++)
        fw_step_free(question.steps[i]);
    free(question.steps);
    free(question.names);
    limit_table_free(table);
    fw_pool_free(question.pool);
    return 0;
}
