/*
 * limits.h - the least that each question costs: bare C with nothing around it, in a
 * library of its own, so that the C, Swift and Python programs measure against the
 * same code in their own process, and a call into it costs what a call into ours does.
 *
 * Nothing here is careful about misuse. Where a limit cannot be had (no memory, no
 * process) it says why and ends the benchmark.
 */
#ifndef LIMITS_H
#define LIMITS_H

#include <stddef.h>

/* Runs `sh -c command` so many times, one after the other, both streams read to their
 * ends. Gives the seconds. */
double limit_step(const char *command, size_t times);

/* The same with a clone of this process that shares its memory, does all that a library
 * must do for a command in a foreign host, and is waited for with a pidfd. */
double limit_clone_step(const char *command, size_t times);

/* Runs `sh -c command` so many times, `width` of them at once, on this thread. Gives the
 * seconds. */
double limit_many(const char *command, size_t steps, size_t width);

/* Starts so many commands at once; kills them all. */
struct limit_batch;
struct limit_batch *limit_batch_start(const char *command, size_t width);
void limit_batch_end(struct limit_batch *batch);

/* These run `sh -c command` once on pipes of 1 MiB. The first keeps all that it writes to
 * both streams in memory that doubles, and gives the number of bytes, which were freed. */
size_t limit_capture(const char *command);
/* Drops all, and gives the number of bytes. */
size_t limit_drop(const char *command);
/* Lets the kernel move all into a file, and gives the number of bytes. */
size_t limit_spill(const char *command, const char *path);
/* Keeps all, and makes a copy of each line of stdout besides. Gives how many there were. */
size_t limit_lines(const char *command);

/* Writes so many bytes to a program that gives them back, and drops what comes, on pipes of 1 MiB. Gives how many
 * came. */
size_t limit_input(const char *program, size_t bytes);

/* Reads an engine configuration with jansson, indexes its workers by name, frees both.
 * `kept`, unless NULL, is called in between, where memory is what a pool would keep. */
void limit_pool(const char *json, size_t length, void (*kept)(void));

/* Does nothing, and so shows the cost of a call through the dynamic linker. */
const void *limit_empty(const void *argument);

/* A hash table of names with open addressing. Names are borrowed. */
struct limit_table;
struct limit_table *limit_table_create(size_t capacity);
void limit_table_add(struct limit_table *table, const char *name, const void *value);
const void *limit_table_find(const struct limit_table *table, const char *name);
void limit_table_free(struct limit_table *table);

/* Looks up one of so many names so many times. Gives the seconds. */
double limit_lookup(size_t names, size_t times);

/* Substitutes $name, ${name} and $$ in `command` so many times, each into memory that is
 * allocated and freed. `names` and `values` have `count` entries. Gives the seconds. */
double limit_expand(const char *command, const char *const *names, const char *const *values, size_t count,
                    size_t times);

/* The seconds of a serial run whose steps alternate between two directories: limits/workflow.c. */
double limit_workflow(const char *a, const char *b, size_t steps);

/** Threads with a working directory of their own, one after the other; gives seconds. */
double limit_functions(const char *rundir, size_t count);

#endif
