/* The limit of a lookup: FNV-1a and linear probing, half of the slots empty. */
#define _GNU_SOURCE
#include "limits.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct slot {
    const char *name;
    const void *value;
    uint32_t hash;
};

struct limit_table {
    size_t mask;
    struct slot *slots;
};

static uint32_t hash_of(const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

struct limit_table *limit_table_create(size_t capacity)
{
    size_t size = 16;
    while (size < capacity * 2)
        size *= 2;
    struct limit_table *table = malloc(sizeof *table);
    struct slot *slots = calloc(size, sizeof *slots);
    if (table == NULL || slots == NULL) {
        fprintf(stderr, "limit: no memory for a table\n");
        exit(1);
    }
    *table = (struct limit_table){.mask = size - 1, .slots = slots};
    return table;
}

void limit_table_add(struct limit_table *table, const char *name, const void *value)
{
    uint32_t hash = hash_of(name);
    size_t i = hash & table->mask;
    while (table->slots[i].name != NULL)
        i = (i + 1) & table->mask;
    table->slots[i] = (struct slot){.name = name, .value = value, .hash = hash};
}

const void *limit_table_find(const struct limit_table *table, const char *name)
{
    uint32_t hash = hash_of(name);
    for (size_t i = hash & table->mask; table->slots[i].name != NULL; i = (i + 1) & table->mask)
        if (table->slots[i].hash == hash && strcmp(table->slots[i].name, name) == 0)
            return table->slots[i].value;
    return NULL;
}

void limit_table_free(struct limit_table *table)
{
    free(table->slots);
    free(table);
}

const void *limit_empty(const void *argument)
{
    return argument;
}

double limit_lookup(size_t names, size_t times)
{
    struct timespec start, end;
    struct limit_table *table = limit_table_create(names);
    char (*text)[32] = calloc(names, sizeof *text);
    if (text == NULL) {
        fprintf(stderr, "limit: no memory for names\n");
        exit(1);
    }
    for (size_t i = 0; i < names; i++) {
        snprintf(text[i], sizeof text[i], "step%zu", i);
        limit_table_add(table, text[i], text[i]);
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (size_t i = 0; i < times; i++) {
        const void *found = limit_table_find(table, text[0]);
        __asm__ volatile("" : : "r"(found) : "memory");
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    free(text);
    limit_table_free(table);
    return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
}
