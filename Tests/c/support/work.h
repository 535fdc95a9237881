/*
 * work.h - counts the instructions of a call, which are the same on every machine, however busy it is.
 *
 * The program starts itself once more under callgrind. There each shape of a document is read at two sizes, one four
 * times the other, and the counts of both are in the files that callgrind writes.
 */
#ifndef WORK_H
#define WORK_H

#include "check.h"

#include <sys/wait.h>

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define WORK_IS_UNKNOWN
#define RUNNING_ON_VALGRIND 0
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_TOGGLE_COLLECT
#define CALLGRIND_DUMP_STATS
#endif

/** Reads a document as a host does, and frees what it gets. */
typedef fw_status (*work_reader)(const char *text, size_t length);

/** A document of any size: `head`, items with `between` between them, `close` as often as there are items, `tail`.
 *  Each @ of an item is its number, with leading zeros. */
typedef struct {
    const char *name;
    work_reader read;
    size_t size; /* the items of the smaller document */
    const char *head, *item, *between, *close, *tail;
    fw_status status;
} work_shape;

enum { WORK_GROWTH = 4 };

/* What is four times as large may take this many times the work, because sorting and growing tables take a little more
 * than four times. Work that grows with the square takes up to sixteen times. */
#define WORK_MOST 5.0

static inline char *work_text(const work_shape *shape, size_t count, size_t *length)
{
    char *text = NULL;
    FILE *file = open_memstream(&text, length);
    REQUIRE(file != NULL);
    fputs(shape->head, file);
    for (size_t number = 0; number < count; number++) {
        if (number > 0)
            fputs(shape->between, file);
        for (const char *at = shape->item; *at != '\0'; at++)
            if (*at == '@')
                fprintf(file, "%06zu", number);
            else
                fputc(*at, file);
    }
    for (size_t number = 0; number < count; number++)
        fputs(shape->close, file);
    fputs(shape->tail, file);
    fclose(file);
    return text;
}

/* Under callgrind: reads each document, and has its count written. What is made only once is made by a first call.
 * Returns 1 if a document is refused that should not be, or is not. */
static inline int work_run(const work_shape *shapes, size_t count)
{
    int wrong = 0;
    for (size_t at = 0; at < count; at++) {
        for (size_t growth = 1; growth <= WORK_GROWTH; growth *= WORK_GROWTH) {
            size_t length = 0;
            char *text = work_text(&shapes[at], growth * shapes[at].size, &length);
            if (growth == 1)
                shapes[at].read(text, length);
            CALLGRIND_ZERO_STATS;
            CALLGRIND_TOGGLE_COLLECT;
            fw_status status = shapes[at].read(text, length);
            CALLGRIND_TOGGLE_COLLECT;
            CALLGRIND_DUMP_STATS;
            if (status != shapes[at].status) {
                fprintf(stderr, "%s, %zu items: %s\n", shapes[at].name, growth * shapes[at].size,
                        fw_status_name(status));
                wrong = 1;
            }
            free(text);
        }
    }
    return wrong;
}

/* The count in a file of callgrind's; 0 if it has none. */
static inline double work_count(const char *directory, size_t number)
{
    char path[4200], line[256];
    double count = 0;
    snprintf(path, sizeof path, "%s/count.%zu", directory, number);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    while (count == 0 && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "summary: %lf", &count) != 1)
            count = 0;
    fclose(file);
    return count;
}

/* Runs the program itself under callgrind. Returns what waitpid(2) gives. */
static inline int work_valgrind(char **arguments, const char *directory)
{
    char option[4200];
    snprintf(option, sizeof option, "--callgrind-out-file=%s/count", directory);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        /* The order of what is in a table must not be another one each time. */
        setenv("SWIFT_DETERMINISTIC_HASHING", "1", 1);
        execlp("valgrind", "valgrind", "--quiet", "--tool=callgrind", "--vgdb=no", "--collect-atstart=no", option,
               arguments[0], (char *)NULL);
        _exit(errno == ENOENT ? 77 : 1);
    }
    int status = 0;
    REQUIRE(waitpid(pid, &status, 0) == pid);
    return status;
}

static inline int work_main(char **arguments, const work_shape *shapes, size_t count)
{
    if (RUNNING_ON_VALGRIND) {
        json_object_seed(1);
        return work_run(shapes, count);
    }
#ifdef WORK_IS_UNKNOWN
    check_skip("the headers of valgrind are not installed");
    return check_done();
#endif
    const char *directory = check_dir();
    int status = work_valgrind(arguments, directory);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        check_skip("valgrind is not installed");
        return check_done();
    }
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (size_t at = 0; at < count; at++) {
        double small = work_count(directory, 2 * at + 1), large = work_count(directory, 2 * at + 2);
        printf("%-48s %12.0f %13.0f %5.2f\n", shapes[at].name, small, large, large / small);
        CHECK(small > 0);
        CHECK(large > small);
        if (!(large <= WORK_MOST * small))
            check_true(false, shapes[at].name, __FILE__, __LINE__);
    }
    return check_done();
}

#endif
