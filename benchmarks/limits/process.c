/* The limits of a step and of capturing its output: posix_spawn, two pipes, poll, waitpid. */
#define _GNU_SOURCE
#include "limits.h"
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { large_pipe = 1 << 20, small_chunk = 64 << 10 };

/* Takes once what a pipe has, and returns what read(2) would return. */
typedef ssize_t take_function(int fd, struct limit_stream *stream);

void limit_need(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

ssize_t limit_read(int fd, struct limit_stream *stream, size_t chunk)
{
    if (stream->capacity - stream->length < chunk) {
        stream->capacity = stream->capacity != 0 ? stream->capacity * 2 : chunk * 2;
        stream->bytes = realloc(stream->bytes, stream->capacity);
        limit_need(stream->bytes != NULL, "realloc");
    }
    ssize_t count = read(fd, stream->bytes + stream->length, stream->capacity - stream->length);
    if (count > 0)
        stream->length += (size_t)count;
    return count;
}

/* `pipe_size` 0 leaves the pipes as they are. */
static void run(const char *command, int pipe_size, take_function *take, struct limit_stream streams[2])
{
    int out[2], err[2], status;
    limit_need(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0, "pipe2");
    if (pipe_size != 0)
        limit_need(fcntl(out[0], F_SETPIPE_SZ, pipe_size) > 0 && fcntl(err[0], F_SETPIPE_SZ, pipe_size) > 0,
                   "F_SETPIPE_SZ");

    char *arguments[] = {"sh", "-c", (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
    errno = posix_spawn(&pid, "/bin/sh", &actions, NULL, arguments, environ);
    limit_need(errno == 0, "posix_spawn");
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);

    struct pollfd ends[2] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}};
    for (int open = 2; open > 0;) {
        poll(ends, 2, -1);
        for (int i = 0; i < 2; i++)
            if (ends[i].fd >= 0 && ends[i].revents != 0 && take(ends[i].fd, &streams[i]) <= 0) {
                close(ends[i].fd);
                ends[i].fd = -1;
                open--;
            }
    }
    limit_need(waitpid(pid, &status, 0) == pid, "waitpid");
    if (status != 0) {
        fprintf(stderr, "limit: %s: wait status %d\n", command, status);
        exit(1);
    }
}

static ssize_t take_small(int fd, struct limit_stream *stream)
{
    return limit_read(fd, stream, small_chunk);
}

static ssize_t take_large(int fd, struct limit_stream *stream)
{
    return limit_read(fd, stream, large_pipe);
}

double limit_step(const char *command, size_t times)
{
    struct limit_stream streams[2] = {{0}};
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (size_t i = 0; i < times; i++) {
        streams[0].length = streams[1].length = 0;
        run(command, 0, take_small, streams);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    free(streams[0].bytes);
    free(streams[1].bytes);
    return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) * 1e-9;
}

static size_t capture(const char *command, take_function *take)
{
    struct limit_stream streams[2] = {{0}};
    run(command, large_pipe, take, streams);
    size_t length = streams[0].length + streams[1].length;
    free(streams[0].bytes);
    free(streams[1].bytes);
    return length;
}

size_t limit_capture(const char *command)
{
    return capture(command, take_large);
}

/* Everything goes to the same place. */
static ssize_t take_and_drop(int fd, struct limit_stream *stream)
{
    static char bytes[large_pipe];
    ssize_t count = read(fd, bytes, sizeof bytes);
    if (count > 0)
        stream->length += (size_t)count;
    return count;
}

size_t limit_drop(const char *command)
{
    return capture(command, take_and_drop);
}

static int file_of_stream;

static ssize_t take_to_file(int fd, struct limit_stream *stream)
{
    ssize_t count = splice(fd, NULL, file_of_stream, NULL, large_pipe, SPLICE_F_MOVE);
    if (count > 0)
        stream->length += (size_t)count;
    return count;
}

size_t limit_spill(const char *command, const char *path)
{
    file_of_stream = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    limit_need(file_of_stream >= 0, path);
    size_t length = capture(command, take_to_file);
    close(file_of_stream);
    return length;
}

static size_t lines_seen;

/* Hands out one line as memory of its own. */
static void give_line(const char *line, size_t length)
{
    char *copy = malloc(length + 1);
    limit_need(copy != NULL, "malloc");
    memcpy(copy, line, length);
    copy[length] = '\0';
    /* This hides from the compiler that nobody reads the value. */
    __asm__ volatile("" : : "r"(copy) : "memory");
    lines_seen++;
    free(copy);
}

static size_t line_begins;

static ssize_t take_lines(int fd, struct limit_stream *stream)
{
    size_t before = stream->length;
    ssize_t count = limit_read(fd, stream, large_pipe);
    const char *bytes = stream->bytes, *end;
    for (size_t at = before; at < stream->length; at = line_begins) {
        end = memchr(bytes + at, '\n', stream->length - at);
        if (end == NULL)
            break;
        give_line(bytes + line_begins, (size_t)(end - bytes) - line_begins);
        line_begins = (size_t)(end - bytes) + 1;
    }
    return count;
}

size_t limit_lines(const char *command)
{
    lines_seen = line_begins = 0;
    capture(command, take_lines);
    return lines_seen;
}
