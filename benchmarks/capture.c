/*
 * What does it cost to take all that a command writes?
 *
 *     capture [BYTES]                               measures; 1,000,000,000 by default
 *     capture write stdout|both|lines BYTES         is the command that writes
 *
 * Limit: a loop of poll and read on pipes of 1 MiB, that keeps all in memory that doubles, or
 * drops it, or has the kernel move it into a file, or copies each line besides. Each measurement
 * has a process of its own, so that their peaks of memory are apart.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "limits/limits.h"
#include "need.h"

enum { rounds_of_a_question = 5, rounds_of_events = 3, bytes_of_a_line = 10, lines_of_a_write = 409 };

struct question {
    const char *mode, *words; /* the mode of the command, and its name in the table */
    const char *options;      /* of fw_exec_start() */
    size_t bytes;
    bool is_kept, in_events;
    size_t (*limit)(const struct question *question);
    /* Filled in by ask(). */
    const char *directory;
    char command[PATH_MAX + 64];
};

/* ------------------------------------------------------------ the command that writes -- */

static void write_all(int fd, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(fd, bytes, length);
        if (count < 0)
            give_up("write");
        bytes += count;
        length -= (size_t)count;
    }
}

/* Lines of ten bytes, in writes of a little less than 4 KiB as the C library's streams have them. */
static void write_lines(size_t bytes)
{
    static char block[lines_of_a_write * bytes_of_a_line + 1];
    for (size_t i = 0; i < lines_of_a_write; i++)
        snprintf(block + i * bytes_of_a_line, bytes_of_a_line + 1, "line %04zu\n", i);
    for (size_t left = bytes, part; left > 0; left -= part) {
        part = left < sizeof block - 1 ? left : sizeof block - 1;
        write_all(STDOUT_FILENO, block, part);
    }
}

static void write_output(const char *mode, size_t bytes)
{
    static char block[64 << 10];
    if (strcmp(mode, "lines") == 0) {
        write_lines(bytes);
        return;
    }
    memset(block, 'x', sizeof block);
    int streams = strcmp(mode, "both") == 0 ? 2 : 1;
    for (size_t left = bytes / (size_t)streams, part; left > 0; left -= part) {
        part = left < sizeof block ? left : sizeof block;
        for (int fd = STDOUT_FILENO; fd <= streams; fd++)
            write_all(fd, block, part);
    }
}

/* ------------------------------------------------------------------------------ ours -- */

/* The spill file is not needed any more. */
static void empty(const char *path)
{
    DIR *directory = opendir(path);
    if (directory == NULL)
        give_up(path);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.' && unlinkat(dirfd(directory), entry->d_name, 0) != 0)
            give_up(entry->d_name);
    closedir(directory);
}

static size_t take_line_events(fw_exec *exec)
{
    size_t lines = 0;
    for (;;) {
        fw_event *event;
        fw_error *error;
        need(fw_exec_next_event(exec, -1, &event, &error), error);
        if (event == NULL)
            return lines;
        lines += fw_event_kind(event) == FW_EVENT_OUTPUT;
        fw_event_free(event);
    }
}

static void ours(void *argument)
{
    const struct question *question = argument;
    char json[PATH_MAX + 256];
    fw_worker *worker = make_worker();
    fw_step *step = make_step(question->command);
    fw_exec *exec;
    fw_result *result;
    fw_error *error;
    size_t lines = 0, out, err;
    snprintf(json, sizeof json, question->options, question->directory);

    need(fw_exec_start(worker, step, NULL, ".", json, FW_ZERO_TERMINATED, &exec, &error), error);
    if (question->in_events)
        lines = take_line_events(exec);
    need(fw_exec_wait(exec, -1, &result, &error), error);
    if (fw_result_returncode(result) != 0)
        give_up(fw_result_message(result));
    fw_result_output(result, FW_STDOUT, 0, &out);
    fw_result_output(result, FW_STDERR, 0, &err);
    if ((out + err == question->bytes) != question->is_kept)
        give_up("the library did not keep what it should");
    if (question->in_events && lines != question->bytes / bytes_of_a_line)
        give_up("the library did not give all lines");
    fw_result_free(result);
    fw_exec_free(exec);
    stop_clock();
    fw_step_free(step);
    fw_worker_free(worker);
    empty(question->directory);
}

/* ----------------------------------------------------------------------------- limits -- */

static size_t keep(const struct question *question)
{
    return limit_capture(question->command);
}

static size_t drop(const struct question *question)
{
    return limit_drop(question->command);
}

static size_t spill(const struct question *question)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/limit", question->directory);
    return limit_spill(question->command, path);
}

static size_t split(const struct question *question)
{
    return limit_lines(question->command) * bytes_of_a_line;
}

static void limit(void *argument)
{
    const struct question *question = argument;
    if (question->limit(question) != question->bytes)
        give_up("the limit did not take all");
    stop_clock();
    empty(question->directory);
}

/* -------------------------------------------------------------------------------- all -- */

static void ask(struct question question, const char *program, const char *directory)
{
    char text[160];
    struct costs costs = {0};
    question.directory = directory;
    snprintf(question.command, sizeof question.command, "'%s' write %s %zu", program, question.mode, question.bytes);
    compare_costs(&costs, question.in_events ? rounds_of_events : rounds_of_a_question, ours, limit, &question);
    snprintf(text, sizeof text, "capture: %zu MB %s", question.bytes / 1000000, question.words);
    print_rate_row(text, &costs.seconds, "%.0f MB/s", (double)question.bytes / 1e6);
    snprintf(text, sizeof text, "capture: %zu MB %s, peak memory", question.bytes / 1000000, question.words);
    print_row(text, &costs.peak, "%.1f MB", 1e-6);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "write") == 0) {
        write_output(argv[2], strtoul(argv[3], NULL, 10));
        return 0;
    }
    size_t bytes = argc == 2 ? strtoul(argv[1], NULL, 10) : 1000000000, in_lines = bytes / 10;
    const char *temporary = getenv("TMPDIR");
    char program[PATH_MAX] = "", directory[PATH_MAX];
    if (readlink("/proc/self/exe", program, sizeof program - 1) < 0)
        give_up("/proc/self/exe");
    snprintf(directory, sizeof directory, "%s/capture-XXXXXX", temporary != NULL ? temporary : "/tmp");
    if (mkdtemp(directory) == NULL)
        give_up(directory);

    const char quiet[] = "{\"events\": \"none\"}", lines[] = "{\"events\": \"lines\"}";
    const char limited[] = "{\"events\": \"none\", \"output_limit\": 65536}";
    const char spilled[] = "{\"events\": \"none\", \"spill\": \"%s\"}";
    struct question questions[] = {
        {"stdout", "on stdout", quiet, bytes, true, false, keep, NULL, ""},
        {"both", "on both streams", quiet, bytes, true, false, keep, NULL, ""},
        {"stdout", "with an output_limit", limited, bytes, false, false, drop, NULL, ""},
        {"stdout", "spilled to a file", spilled, bytes, false, false, spill, NULL, ""},
        {"lines", "in lines of 10 bytes", quiet, in_lines, true, false, keep, NULL, ""},
        {"lines", "as an event for each line", lines, in_lines, true, true, split, NULL, ""},
    };
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        ask(questions[i], program, directory);
    if (rmdir(directory) != 0)
        give_up(directory);
    return 0;
}
