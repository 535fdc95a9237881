/*
 * What does it cost to load the library?
 *
 *     load LIBRARY LIMIT           measures, in a fresh process each time
 *     load once LIBRARY            loads it, and prints the seconds
 *
 * Limit: a C library that needs libjansson as well. This program links neither.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench.h"

enum { loads = 41 };

static int load_once(const char *library)
{
    double start = seconds_now();
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    double end = seconds_now();
    if (handle == NULL) {
        fprintf(stderr, "load: %s\n", dlerror());
        return 1;
    }
    printf("%.9f\n", end - start);
    return 0;
}

struct question {
    const char *program, *ours, *limit;
};

static double load_in_process(const char *program, const char *library)
{
    char command[2048];
    double seconds = 0;
    snprintf(command, sizeof command, "exec '%s' once '%s'", program, library);
    FILE *output = popen(command, "r");
    if (output == NULL)
        give_up("popen");
    int scanned = fscanf(output, "%lf", &seconds);
    if (pclose(output) != 0 || scanned != 1)
        give_up(library);
    return seconds;
}

static double ours(void *argument)
{
    const struct question *question = argument;
    return load_in_process(question->program, question->ours);
}

static double limit(void *argument)
{
    const struct question *question = argument;
    return load_in_process(question->program, question->limit);
}

static double size_of(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        give_up(path);
    return (double)status.st_size;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: load LIBRARY LIMIT\n");
        return 2;
    }
    if (strcmp(argv[1], "once") == 0)
        return load_once(argv[2]);
    struct rounds times, sizes = {0};
    compare(&times, loads, ours, limit, &(struct question){argv[0], argv[1], argv[2]});
    add_round(&sizes, size_of(argv[1]), size_of(argv[2]));
    print_row("load: dlopen in a fresh process", &times, "%.3f ms", 1e3);
    print_row("load: size of the file", &sizes, "%.3f MB", 1e-6);
    return 0;
}
