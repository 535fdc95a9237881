/*
 * What does it cost to make a pool from a large configuration, and to free it?
 *
 *     pool [WORKERS...]            100,000 and 1,000 and 1,000,000 by default
 *     pool write WORKERS           writes the configuration to stdout, for pool.py
 *
 * Limit: jansson on the whole document, and a table of the names over its values. Each
 * measurement has a process of its own. A worker takes 165 bytes of the document.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "limits/limits.h"
#include "need.h"

struct document {
    char *json;
    size_t length, times;
};

static struct document write_document(size_t workers)
{
    struct document document = {.times = workers < 100000 ? 100000 / workers : 1};
    FILE *out = open_memstream(&document.json, &document.length);
    if (out == NULL)
        give_up("open_memstream");
    fputs("{\"workers\": [", out);
    for (size_t i = 0; i < workers; i++)
        fprintf(out,
                "%s{\"name\": \"worker%07zu\", \"type\": \"subprocess\", "
                "\"env\": [{\"key\": \"THREADS\", \"value\": %zu}], "
                "\"variables\": [{\"key\": \"python\", \"value\": \"/usr/bin/python3\"}], \"volume\": \"v%02zu\"}",
                i > 0 ? ",\n" : "", i, 1 + i % 8, i % 100);
    fputs("]}", out);
    if (fclose(out) != 0)
        give_up("the document");
    return document;
}

/* Small documents are read many times, so that the time can be measured. The memory is that of one pool, because each
 * is freed. */
static void ours(void *argument)
{
    const struct document *document = argument;
    for (size_t i = 0; i < document->times; i++) {
        fw_pool *pool;
        fw_error *error;
        need(fw_pool_create(document->json, document->length, &pool, &error), error);
        if (i == 0)
            note_kept();
        fw_pool_free(pool);
    }
}

static void limit(void *argument)
{
    const struct document *document = argument;
    for (size_t i = 0; i < document->times; i++)
        limit_pool(document->json, document->length, i == 0 ? note_kept : NULL);
}

static void ask(size_t workers, size_t count)
{
    struct document document = write_document(workers);
    struct costs costs = {0};
    char text[128];
    compare_costs(&costs, count, ours, limit, &document);
    snprintf(text, sizeof text, "pool: %zu workers", workers);
    print_row(text, &costs.seconds, "%.1f ms", 1e3 / (double)document.times);
    snprintf(text, sizeof text, "pool: %zu workers, peak memory", workers);
    print_row(text, &costs.peak, "%.1f MB", 1e-6);
    snprintf(text, sizeof text, "pool: %zu workers, kept memory", workers);
    print_row(text, &costs.kept, "%.1f MB", 1e-6);
    free(document.json);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "write") == 0) {
        struct document document = write_document(strtoul(argv[2], NULL, 10));
        size_t written = fwrite(document.json, 1, document.length, stdout);
        int failed = written != document.length || fflush(stdout) != 0;
        free(document.json);
        return failed;
    }
    if (argc == 1) {
        ask(100000, 5);
        ask(100, 5);
        ask(1000, 5);
        ask(10000, 5);
        ask(1000000, 1);
    }
    for (int i = 1; i < argc; i++)
        ask(strtoul(argv[i], NULL, 10), 3);
    return 0;
}
