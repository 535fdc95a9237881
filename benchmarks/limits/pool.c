/* The limit of a pool: jansson on the whole document, and a table of names over it. */
#include "limits.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

void limit_pool(const char *json, size_t length, void (*kept)(void))
{
    json_error_t error;
    json_t *document = json_loadb(json, length, 0, &error);
    if (document == NULL) {
        fprintf(stderr, "limit: %s\n", error.text);
        exit(1);
    }
    json_t *workers = json_object_get(document, "workers"), *worker;
    struct limit_table *table = limit_table_create(json_array_size(workers));
    size_t i;
    json_array_foreach(workers, i, worker)
        limit_table_add(table, json_string_value(json_object_get(worker, "name")), worker);
    if (kept != NULL)
        kept();
    limit_table_free(table);
    json_decref(document);
}
