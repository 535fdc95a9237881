/* The limit of a substitution: one pass over the bytes, names compared one by one. */
#define _GNU_SOURCE
#include "limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct value {
    const char *name, *text;
    size_t name_length, text_length;
};

static int is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Writes at most what `output` was made for: see limit_expand(). Gives the length. */
static size_t expand(const char *command, size_t length, const struct value *values, size_t count, char *output)
{
    const char *end = command + length;
    char *start = output;
    while (command < end) {
        const char *dollar = memchr(command, '$', (size_t)(end - command));
        size_t plain = (size_t)((dollar != NULL ? dollar : end) - command);
        output = mempcpy(output, command, plain);
        if (dollar == NULL)
            break;
        command = dollar + 1;
        if (command < end && *command == '$') {
            *output++ = *command++;
            continue;
        }
        int braced = command < end && *command == '{';
        const char *name = command += braced;
        while (command < end && is_name(*command))
            command++;
        size_t name_length = (size_t)(command - name), i = 0;
        while (i < count && (values[i].name_length != name_length || memcmp(values[i].name, name, name_length) != 0))
            i++;
        output =
            i < count ? mempcpy(output, values[i].text, values[i].text_length) : mempcpy(output, name, name_length);
        command += braced;
    }
    return (size_t)(output - start);
}

double limit_expand(const char *command, const char *const *names, const char *const *texts, size_t count, size_t times)
{
    struct value values[16];
    size_t length = strlen(command), longest = 0;
    if (count > sizeof values / sizeof *values) {
        fprintf(stderr, "limit: more than 16 values\n");
        exit(1);
    }
    for (size_t i = 0; i < count; i++) {
        values[i] = (struct value){names[i], texts[i], strlen(names[i]), strlen(texts[i])};
        if (values[i].text_length > longest)
            longest = values[i].text_length;
    }
    /* Every placeholder has a dollar and at least one more character. */
    char *scratch = malloc(length + length / 2 * longest + 1);
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (size_t i = 0; i < times; i++) {
        size_t written = expand(command, length, values, count, scratch);
        char *copy = malloc(written + 1);
        memcpy(copy, scratch, written);
        copy[written] = '\0';
        __asm__ volatile("" : : "r"(copy) : "memory");
        free(copy);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    free(scratch);
    return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
}
